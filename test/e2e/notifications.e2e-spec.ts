import type { RunningProcess } from '../../src/process';
import { eventually, type Wire } from '../support/api-client';
import { simulatedServiceAccount } from '../../src/channels/push/providers/fcm.simulator';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { ScriptedFcm } from '../support/scripted-fcm';
import { answers } from '../support/scripted-provider';
import { ScriptedSmtp } from '../support/scripted-smtp';

describe('notifications', () => {
  let service: Service;
  let tenant: Tenant;
  let mail: ScriptedSmtp;
  let fcm: ScriptedFcm;
  let prefixes = 0;

  beforeAll(async () => {
    [mail, fcm] = await Promise.all([ScriptedSmtp.start(), ScriptedFcm.start()]);
    service = await Service.start(fcm.environment);
    tenant = await service.tenant();
    await addAccounts(tenant);
  }, 60_000);
  afterAll(async () => {
    await service?.stop();
    await Promise.all([mail.close(), fcm.close()]);
  });
  afterEach(() => expect(service.errorLines()).toEqual([]));

  async function addAccounts(owner: Tenant): Promise<void> {
    const account = simulatedServiceAccount('scripted');
    for (const [path, config] of [
      ['smtp', { credentials: {}, host: '127.0.0.1', port: mail.port, tls: 'none', from_email: 'games@example.com' }],
      ['fcm', { credentials: { service_account_json: account, project_id: 'scripted' } }],
    ] as const)
      assertStatus(await owner.api.post(`/communication/${path}/configs`, { status: 'active', ...config }), 201);
    const gateways = { sms: { primary: 'twilio' }, email: { primary: 'smtp' }, push: { primary: 'fcm' } };
    assertStatus(await owner.api.put('/v1/gateways', { gateways }), 200);
  }

  const REMINDER = {
    name: 'Game reminder',
    channels: {
      sms: { message: 'Hi {{ name }}, game at {{ time }}.' },
      email: { subject: 'Game at {{ time }}', html: '<p>Hi {{ name }}</p>' },
      push: { title: 'Game', body: 'Hi {{ name }}' },
    },
    locales: { sv: { sms: { message: 'Hej {{ name }}, match kl {{ time }}.' } } },
    variables: ['name', 'time'],
  };
  const freshPrefix = () => `job-${++prefixes}`;
  async function template(body: object = REMINDER, owner = tenant): Promise<string> {
    const created = await owner.api.post('/v1/templates', body);
    assertStatus(created, 201);
    return created.body.data.id;
  }
  const smsOnly = (message = 'Hi {{ name }}') => template({ name: 'sms', channels: { sms: { message } } });
  async function notify(body: object, owner = tenant): Promise<string> {
    const accepted = await owner.api.post('/v1/notifications', { idempotency_prefix: freshPrefix(), ...body });
    assertStatus(accepted, 202);
    return accepted.body.data.notification_id;
  }
  const read = async (id: string): Promise<Wire> => (await tenant.api.get(`/v1/notifications/${id}`)).body.data;
  const until = (id: string, fits: (notification: Wire) => boolean) => eventually(() => read(id), fits);
  const completed = (id: string) => until(id, ({ status }) => status === 'completed');
  const recipients = async (id: string, query = ''): Promise<Wire[]> =>
    (await tenant.api.get(`/v1/notifications/${id}/recipients${query}`)).body.data;
  const person = (number: string, more: object = {}) => ({
    id: `player-${number}`,
    channels: { sms: number },
    data: { name: 'Åsa' },
    ...more,
  });

  it('sends each recipient one message a channel, in his language, and says what became of them', async () => {
    const [first, second] = [freshNumber(), freshNumber()];
    const templateId = await template();
    const accepted = await tenant.api.post('/v1/notifications', {
      template_id: templateId,
      idempotency_prefix: 'first',
      data: { time: '18:30' },
      metadata: { job: 'reminder' },
      tags: ['reminders'],
      recipients: [
        {
          id: 'player-1',
          locale: 'sv-SE',
          channels: { sms: first, email: { email: 'asa@example.com', name: 'Åsa' }, push: 'device-1' },
          data: { name: 'Åsa & <Bo>' },
        },
        { id: 'player-2', channels: { sms: second, telegram: '1234' }, data: { name: 'Cy', time: '19:00' } },
      ],
    });
    assertStatus(accepted, 202);
    const { notification_id: id } = accepted.body.data;
    expect(id).toMatch(/^ntf_/);
    expect(accepted.body.data).toMatchObject({ template_version: 1, recipients: 2, messages: 4 });

    const done = await until(id, ({ totals }) => totals.sent === 4);
    expect(done).toMatchObject({
      status: 'completed',
      progress: { pending: 0, accepted: 4, replayed: 0, already_sent: 0, rejected: 0, canceled: 0 },
      counts: { sms: { sent: 2 }, email: { sent: 1 }, push: { sent: 1 } },
    });
    const [one, two] = await recipients(id);
    expect([one.id, one.locale, one.messages.map(({ channel }: Wire) => channel)]).toEqual([
      'player-1',
      'sv-SE',
      ['sms', 'email', 'push'],
    ]);
    const texts = await Promise.all(
      [...one.messages, ...two.messages].map(async ({ message_id }: Wire) => tenant.message(message_id)),
    );
    expect(texts.map(({ content }) => content.text ?? content.html ?? content.body)).toEqual([
      'Hej Åsa & <Bo>, match kl 18:30.',
      '<p>Hi Åsa &amp; &lt;Bo&gt;</p>',
      'Hi Åsa & <Bo>',
      'Hi Cy, game at 19:00.',
    ]);
    expect(texts[0]).toMatchObject({ reference: 'player-1', metadata: { job: 'reminder' }, tags: ['reminders'] });
    expect(service.twilio.messages.filter(({ to }) => to === first || to === second)).toHaveLength(2);
    expect(fcm.taken).toEqual(['device-1']);
    // The single send of the same key and body is the same message.
    const again = await tenant.api.post(
      '/v1/sms/send',
      {
        to: second,
        message: 'Hi Cy, game at 19:00.',
        reference: 'player-2',
        metadata: { job: 'reminder' },
        tags: ['reminders'],
      },
      { 'idempotency-key': 'first:player-2:sms' },
    );
    expect(again.body.data.message_id).toBe(two.messages[0].message_id);
  });

  it('sends nothing twice when the job is run again, and sends what is new', async () => {
    const numbers = Array.from({ length: 30 }, () => freshNumber());
    const body = {
      template_id: await smsOnly(),
      idempotency_prefix: freshPrefix(),
      recipients: numbers.map((number) => person(number)),
    };
    const first = await notify(body);
    const more = freshNumber();
    // At once, while the first one is under way; with one more, and with another text for one.
    const second = await notify({
      ...body,
      recipients: [...body.recipients.slice(1), person(more), person(numbers[0]!, { data: { name: 'somebody else' } })],
    });
    await completed(first);
    const again = await completed(second);
    await until(first, ({ totals }) => totals.sent === 30);
    await until(second, ({ totals }) => totals.sent === 31);
    const { accepted, replayed, already_sent: alreadySent } = again.progress;
    const earlier = (await read(first)).progress;
    // Whoever comes first makes the message.
    expect([accepted + earlier.accepted, accepted + replayed + alreadySent]).toEqual([31, 31]);
    for (const number of [...numbers, more])
      expect(service.twilio.messages.filter(({ to }) => to === number)).toHaveLength(1);
    const third = await completed(await notify(body));
    expect(third.progress).toMatchObject({ accepted: 0, rejected: 0 });
    expect(third.totals).toEqual({ sent: 30 });
    const [ofFirst, ofThird] = [await recipients(first), await recipients(third.notification_id)];
    expect(ofThird.map((one) => one.messages[0].message_id)).toEqual(ofFirst.map((one) => one.messages[0].message_id));
  });

  it('keeps to the version that it began with, and goes on when the template is deleted', async () => {
    const numbers = Array.from({ length: 200 }, () => freshNumber());
    const templateId = await smsOnly('one {{ name }}');
    const id = await notify({ template_id: templateId, recipients: numbers.map((number) => person(number)) });
    assertStatus(await tenant.api.patch(`/v1/templates/${templateId}`, { channels: { sms: { message: 'two' } } }), 200);
    assertStatus(await tenant.api.delete(`/v1/templates/${templateId}`), 200);
    expect(await completed(id)).toMatchObject({ template_version: 1, progress: { accepted: 200 } });
    await until(id, ({ totals }) => totals.sent === 200);
    const bodies = service.twilio.messages.filter(({ to }) => numbers.includes(to)).map(({ body }) => body);
    expect(new Set(bodies)).toEqual(new Set(['one Åsa']));
    const gone = await tenant.api.post('/v1/notifications', {
      template_id: templateId,
      idempotency_prefix: 'x',
      recipients: [person(freshNumber())],
    });
    expect([gone.status, gone.body.errors[0].field]).toEqual([422, 'template_id']);
  });

  it('cancels what waits', async () => {
    const numbers = Array.from({ length: 60 }, () => freshNumber());
    const id = await notify({
      template_id: await smsOnly(),
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
      recipients: numbers.map((number) => person(number)),
    });
    await until(id, ({ counts }) => counts.sms.scheduled === 60);
    const canceled = await tenant.api.post(`/v1/notifications/${id}/cancel`);
    assertStatus(canceled, 200);
    expect(['canceling', 'canceled']).toContain(canceled.body.data.status);
    const done = await until(id, ({ status }) => status === 'canceled');
    expect([done.counts, done.progress.accepted]).toEqual([{ sms: { canceled: 60 } }, 60]);
    assertStatus(await tenant.api.post(`/v1/notifications/${id}/cancel`), 200);
    expect(service.twilio.messages.filter(({ to }) => numbers.includes(to))).toEqual([]);
    const events = await tenant.events('message.canceled');
    expect(events).toHaveLength(60);
  });

  it('stops half-way when it is canceled while messages are made', async () => {
    const numbers = Array.from({ length: 2_000 }, () => freshNumber());
    const id = await notify({
      template_id: await smsOnly(),
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
      recipients: numbers.map((number) => person(number)),
    });
    await until(id, ({ progress }) => progress.accepted > 0);
    assertStatus(await tenant.api.post(`/v1/notifications/${id}/cancel`), 200);
    const done = await until(id, ({ status }) => status === 'canceled');
    expect(done.counts).toEqual({ sms: { canceled: 2_000 } });
    expect(done.progress.accepted).toBeLessThan(2_000);
    expect(done.progress.canceled).toBe(2_000 - done.progress.accepted);
    const shown = await recipients(id, '?limit=200');
    expect(new Set(shown.map(({ messages }) => messages[0].status))).toEqual(new Set(['canceled']));
  }, 30_000);

  it('cannot cancel what is with the providers', async () => {
    const id = await notify({ template_id: await smsOnly(), recipients: [person(freshNumber())] });
    await until(id, ({ totals }) => totals.sent === 1);
    const refused = await tenant.api.post(`/v1/notifications/${id}/cancel`);
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
  });

  it('lists recipients in pages, and those with a certain outcome', async () => {
    const numbers = Array.from({ length: 7 }, () => freshNumber());
    const id = await notify({
      template_id: await smsOnly(),
      on_invalid: 'skip',
      recipients: [...numbers.map((number) => person(number)), person('nobody'), person(freshNumber(), { data: {} })],
    });
    await until(id, ({ totals }) => totals.sent === 7);
    expect(await read(id)).toMatchObject({
      messages: 9,
      progress: { accepted: 7, rejected: 2 },
      totals: { rejected: 2 },
    });
    const ids: string[] = [];
    let cursor: string | null = '';
    do {
      const { body } = await tenant.api.get(
        `/v1/notifications/${id}/recipients?limit=4${cursor && `&cursor=${cursor}`}`,
      );
      ids.push(...body.data.map((one: Wire) => one.id));
      cursor = body.meta.next_cursor;
    } while (cursor !== null);
    expect(ids.slice(0, 8)).toEqual([...numbers, 'nobody'].map((number) => `player-${number}`));
    const rejected = await recipients(id, '?outcome=rejected');
    expect(rejected.map(({ messages }) => [messages[0].status, messages[0].error.code])).toEqual([
      ['rejected', 'invalid_phone_number'],
      ['rejected', 'missing_variable'],
    ]);
    const found = await recipients(id, `?recipient_id=player-${encodeURIComponent(numbers[3]!)}`);
    expect(found).toHaveLength(1);
    const list = await tenant.api.get('/v1/notifications?limit=1&status=completed');
    expect([list.body.data[0].notification_id, list.body.data[0].progress.accepted]).toEqual([id, 7]);
  });

  it('shows a failure of a message with its recipient', async () => {
    const number = freshNumber();
    service.twilio.on(number, answers(400, { code: 21211, message: 'no number' }));
    const id = await notify({ template_id: await smsOnly(), recipients: [person(number)] });
    await until(id, ({ totals }) => totals.failed === 1);
    const [one] = await recipients(id);
    expect(one.messages[0]).toMatchObject({
      status: 'failed',
      outcome: 'accepted',
      error: { detail: expect.any(String) },
    });
  });

  it('simulates for a sandbox', async () => {
    const sandbox = await tenant.key(['messages:send', 'messages:read'], { sandbox: true });
    const number = freshNumber();
    const body = { template_id: await smsOnly(), recipients: [person(number)] };
    for (const [api, more] of [
      [sandbox, {}],
      [tenant.api, { sandbox: true }],
    ] as const) {
      const accepted = await api.post('/v1/notifications', { ...body, ...more, idempotency_prefix: freshPrefix() });
      assertStatus(accepted, 202);
      expect(accepted.body.data.sandbox).toBe(true);
      await until(accepted.body.data.notification_id, ({ totals }) => totals.simulated === 1);
    }
    expect(service.twilio.messages.filter(({ to }) => to === number)).toEqual([]);
  });

  /** As if a process had died after it had made messages, before it could note so. */
  async function reopen(id: string, below: number): Promise<void> {
    await service.database.database.transaction(async (tx) => {
      await tx.execute(
        `UPDATE notification_recipients r SET state = 'pending', lease_until = now() - interval '1 second', due_at = now(),
                body = json_build_object('addresses', json_build_object('sms', substr(recipient_id, 8)), 'data', json_build_object('name', 'Åsa'))
         WHERE notification_id = $1 AND position < $2 AND state = 'done'`,
        [id, below],
      );
      await tx.execute(
        `WITH gone AS (DELETE FROM notification_items WHERE notification_id = $1 AND position < $2 RETURNING 1)
         UPDATE notifications SET accepted = accepted - (SELECT count(*) FROM gone), state = 'processing' WHERE id = $1`,
        [id, below],
      );
    });
  }

  it('waits while the tenant is suspended, and goes on when it is not', async () => {
    const lone = await service.tenant();
    const templateId = await template({ name: 'x', channels: { sms: { message: 'x' } } }, lone);
    const id = await notify(
      { template_id: templateId, recipients: [person(freshNumber()), person(freshNumber())] },
      lone,
    );
    const own = async () => (await lone.api.get(`/v1/notifications/${id}`)).body.data;
    await eventually(own, ({ progress }) => progress.accepted === 2);
    assertStatus(await service.admin.patch(`/admin/tenants/${lone.clientId}`, { status: 'suspended' }), 200);
    await reopen(id, 1);
    const held = () =>
      service.database.database.query(
        `SELECT 1 FROM notification_recipients WHERE notification_id = $1 AND state = 'pending' AND due_at > now()`,
        [id],
      );
    await eventually(held, (rows) => rows.length === 1);
    assertStatus(await service.admin.patch(`/admin/tenants/${lone.clientId}`, { status: 'active' }), 200);
    const done = await eventually(own, ({ status }) => status === 'completed');
    expect(done.progress).toMatchObject({ accepted: 1, replayed: 1, rejected: 0 });
  }, 30_000);

  it('waits for a quota that is used up, and goes on when there is more', async () => {
    const lone = await service.tenant();
    const limit = async (daily: number) =>
      assertStatus(await service.admin.patch(`/admin/tenants/${lone.clientId}`, { quotas: { daily } }), 200);
    await limit(3);
    const templateId = await template({ name: 'x', channels: { sms: { message: 'x' } } }, lone);
    const numbers = Array.from({ length: 5 }, () => freshNumber());
    const id = await notify({ template_id: templateId, recipients: numbers.map((number) => person(number)) }, lone);
    const own = async () => (await lone.api.get(`/v1/notifications/${id}`)).body.data;
    const short = await eventually(own, ({ totals }) => totals.sent === 3);
    expect(short).toMatchObject({ status: 'processing', progress: { accepted: 3, pending: 2, rejected: 0 } });
    await limit(5);
    // Their next turn is within the hour.
    await service.database.database.query(
      'UPDATE notification_recipients SET due_at = now() WHERE notification_id = $1',
      [id],
    );
    const done = await eventually(own, ({ totals }) => totals.sent === 5);
    expect(done.progress).toMatchObject({ accepted: 5, rejected: 0 });
    for (const number of numbers) expect(service.twilio.messages.filter(({ to }) => to === number)).toHaveLength(1);
  });

  it('makes each message once with several processes, one of which takes over what another one had in hand', async () => {
    const others: RunningProcess[] = [await service.another(), await service.another()];
    try {
      const numbers = Array.from({ length: 400 }, () => freshNumber());
      const id = await notify({ template_id: await smsOnly(), recipients: numbers.map((number) => person(number)) });
      await until(id, ({ progress }) => progress.accepted >= 100);
      await reopen(id, 50);
      const done = await until(id, ({ status, totals }) => status === 'completed' && totals.sent === 400);
      expect(done.progress.accepted + done.progress.replayed).toBe(400);
      expect(done.progress.replayed).toBeGreaterThan(0);
      for (const number of numbers) expect(service.twilio.messages.filter(({ to }) => to === number)).toHaveLength(1);
    } finally {
      for (const other of others) await other.stop();
    }
  }, 60_000);

  it('keeps no address or data once the messages are made', async () => {
    const id = await notify({ template_id: await smsOnly(), recipients: [person(freshNumber())] });
    await completed(id);
    const rows = await service.database.database.query<{ body: unknown }>(
      'SELECT body FROM notification_recipients WHERE notification_id = $1',
      [id],
    );
    expect(rows).toEqual([{ body: null }]);
  });

  const ok = person('+393331234567');
  it.each<[string, object, string, number, string?]>([
    ['no recipient', { recipients: [] }, 'recipients', 400],
    ['no prefix', { idempotency_prefix: undefined }, 'idempotency_prefix', 400],
    ['an unknown field', { recipients: [{ ...ok, colour: 'red' }] }, 'recipients[0].colour', 400],
    ['an unknown channel', { recipients: [{ ...ok, channels: { fax: '1' } }] }, 'recipients[0].channels.fax', 400],
    ['no channel', { recipients: [ok, { ...ok, id: '2', channels: {} }] }, 'recipients[1].channels', 400],
    [
      'a channel that the template has not',
      { recipients: [{ ...ok, channels: { telegram: '1' } }] },
      'recipients[0].channels',
      400,
    ],
    ['a bad number', { recipients: [ok, person('123')] }, 'recipients[1].channels.sms', 400],
    ['a bad address', { recipients: [{ ...ok, channels: { email: 'nobody' } }] }, 'recipients[0].channels.email', 400],
    ['a bad token', { recipients: [{ ...ok, channels: { push: 'a b' } }] }, 'recipients[0].channels.push', 400],
    ['one twice', { recipients: [ok, ok] }, 'recipients[1].id', 400],
    ['a bad language', { recipients: [{ ...ok, locale: 'x_y' }] }, 'recipients[0].locale', 400],
    [
      'a missing value',
      { recipients: [ok, ok, ok, { ...ok, data: {} }].map((one, i) => ({ ...one, id: `${i}` })) },
      'recipients[3].data.name',
      422,
      'missing_variable',
    ],
    [
      'a text that is too long',
      { recipients: [{ ...ok, data: { name: 'x'.repeat(1600) } }] },
      'recipients[0].data',
      422,
    ],
    ['large data', { recipients: [{ ...ok, data: { name: 'x'.repeat(33_000) } }] }, 'recipients[0].data', 400],
    ['a time that is over', { send_at: '2020-01-01T00:00:00Z' }, 'send_at', 400],
    ['a time that is none', { send_at: 'soon' }, 'send_at', 400],
    ['metadata that is none', { metadata: { a: 1 } }, 'metadata.a', 400],
    ['a channel to choose that the template has not', { channels: ['whatsapp'] }, 'channels[0]', 422],
    ['another tenant’s template', { template_id: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' }, 'template_id', 422],
    ['a version that is not there', { template_version: 2 }, 'template_version', 422],
  ])('refuses %s, names it, and sends nothing', async (_what, wrong, field, status, code = '') => {
    const before = await service.database.database.query('SELECT count(*) FROM messages');
    const refused = await tenant.api.post('/v1/notifications', {
      template_id: await template({
        ...REMINDER,
        variables: ['name'],
        channels: { ...REMINDER.channels, sms: { message: 'Hi {{ name }}!' }, email: { subject: 'x', text: 'x' } },
        locales: {},
      }),
      idempotency_prefix: 'refused',
      recipients: [ok],
      ...wrong,
    });
    expect([refused.status, refused.body.errors[0].field]).toEqual([status, field]);
    if (code) expect(refused.body.errors[0].code).toBe(code);
    expect(await service.database.database.query('SELECT count(*) FROM messages')).toEqual(before);
    expect((await tenant.api.get('/v1/notifications?idempotency_prefix=refused')).body.data).toEqual([]);
  });

  it('names the first wrong ones of many, and a channel without gateway', async () => {
    const many = Array.from({ length: 500 }, (_, index) => ({ ...ok, id: `${index}`, data: {} }));
    const refused = await tenant.api.post('/v1/notifications', {
      template_id: await smsOnly(),
      idempotency_prefix: 'many',
      recipients: many,
    });
    expect([refused.status, refused.body.errors.length]).toEqual([422, 50]);
    const telegram = await tenant.api.post('/v1/notifications', {
      template_id: await template({ name: 'x', channels: { telegram: { message: 'x' } } }),
      idempotency_prefix: 'many',
      recipients: [{ id: '1', channels: { telegram: '1234' } }],
    });
    expect([telegram.status, telegram.body.code, telegram.body.errors[0].field]).toEqual([
      422,
      'no_gateway_available',
      'recipients[0].channels.telegram',
    ]);
  });

  it('is another tenant’s to nobody', async () => {
    const other = await service.tenant({ twilio: false, vonage: false, sms: null });
    const id = await notify({ template_id: await smsOnly(), recipients: [person(freshNumber())] });
    const path = `/v1/notifications/${id}`;
    const all = [
      await other.api.get(path),
      await other.api.get(`${path}/recipients`),
      await other.api.post(`${path}/cancel`),
    ];
    expect(all.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect((await other.api.get('/v1/notifications')).body.data).toEqual([]);
    for (const table of ['notifications', 'notification_recipients', 'notification_items'])
      expect(
        await service.database.database.tenant(other.clientId, (tx) => tx.query(`SELECT 1 FROM ${table}`)),
      ).toEqual([]);
    expect(['queued', 'processing', 'completed']).toContain((await read(id)).status);
  });
});
