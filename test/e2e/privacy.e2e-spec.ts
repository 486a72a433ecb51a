import { randomBytes } from 'node:crypto';
import { ManualClock } from '../../src/kernel/clock';
import { silentLogger } from '../../src/kernel/logger';
import { LateData } from '../../src/privacy/late-data';
import { Retention } from '../../src/privacy/retention';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

const DAY = 24 * 3_600_000;

describe('privacy', () => {
  let service: Service;
  /** Repeats what it is told, as some receivers do. */
  let echo: ClientReceiver;

  beforeAll(async () => {
    service = await Service.start();
    echo = await ClientReceiver.start((response, { body }) => void response.writeHead(500).end(body));
  }, 60_000);
  afterAll(async () => {
    await echo?.close();
    await service?.stop();
  });
  afterEach(() => expect(service.errorLines()).toEqual([]));

  const database = () => service.database.database;

  /** Every table with a text of the tenant in which the pattern occurs: `table.column`. */
  async function search(clientId: string, pattern: string): Promise<string[]> {
    const columns = await database().query<{ table: string; column: string; type: string; fenced: boolean }>(
      `SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, NULL) AS type,
         EXISTS (SELECT 1 FROM pg_attribute f WHERE f.attrelid = c.oid AND f.attname = 'client_id') AS fenced
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
         AND format_type(a.atttypid, NULL) IN ('text', 'text[]', 'json', 'jsonb', 'bytea', 'character varying')`,
    );
    expect(columns.length).toBeGreaterThan(80);
    // The receivers are called again and again meanwhile, so rows are not counted.
    const found: string[] = [];
    for (const { table, column, type, fenced } of columns) {
      const text = type === 'bytea' ? `encode("${column}", 'escape')` : `"${column}"::text`;
      const [row] = await database().query<{ n: number }>(
        `SELECT count(*)::int AS n FROM "${table}" WHERE ${text} ~* $1 ${fenced ? 'AND client_id = $2' : 'AND $2::text IS NOT NULL'}`,
        [pattern, clientId],
      );
      if (row!.n > 0) found.push(`${table}.${column}`);
    }
    return found;
  }

  /** What happens between a tenant and a person, in all tables that there are. */
  async function history(tenant: Tenant, person: string): Promise<{ sent: string; waiting: string; other: string }> {
    const hook = await tenant.api.post('/v1/webhooks', { url: echo.url, events: ['*'] });
    assertStatus(hook, 201);
    service.secrets.add(hook.body.data.secret);
    const number = await tenant.api.post('/v1/numbers', {
      number: freshNumber('+39350'),
      provider: 'twilio',
      config_id: tenant.twilio.id,
      delivery: [{ type: 'webhook', url: echo.url, format: 'json' }],
    });
    assertStatus(number, 201);
    const more = { message: 'the-secret-word for you', metadata: { name: 'Ada-Lovelace' }, reference: 'ref-1' };
    const sent = await tenant.send(person, { ...more, on_undelivered: [follower(freshNumber())] });
    await tenant.until(sent, ({ status }) => status === 'sent');
    const taken = service.twilio.taken(person)!;
    const fields = statusFields(taken, 'delivered');
    await twilioCallback({ url: taken.statusCallback, authToken: tenant.twilio.authToken, fields });
    const failed = await tenant.send(freshNumber(), { on_undelivered: [follower(person)] });
    service.twilio.on(person, answers(400, { code: 21211, message: `The number ${person} is wrong` }));
    await tenant.until(await tenant.send(person, more), ({ final }) => final);
    service.twilio.on(person);
    const waiting = await tenant.send(person, { ...more, send_at: new Date(Date.now() + DAY).toISOString() });
    const sid = `SM${randomBytes(16).toString('hex')}`;
    await twilioCallback({
      url: `${service.url}/webhook/twilio/inbound/${tenant.twilio.id}`,
      authToken: tenant.twilio.authToken,
      fields: {
        AccountSid: tenant.twilio.accountSid,
        MessageSid: sid,
        From: person,
        To: number.body.data.number,
        Body: 'STOP',
        NumMedia: '0',
      },
    });
    await eventually(
      async () => (await tenant.api.get(`/v1/webhooks/${hook.body.data.id}/deliveries?limit=200`)).body.data as Wire[],
      (list) => list.filter(({ attempts }) => attempts.length > 0).length >= 3,
    );
    const other = freshNumber();
    await tenant.until(await tenant.send(other), ({ status }) => status === 'sent');
    return { sent, waiting, other: failed };
  }
  const follower = (to: string) => ({ channel: 'sms', to, after_seconds: 600, message: 'the-secret-word again' });

  async function erase(tenant: Tenant, recipient: string): Promise<Wire> {
    const answer = await tenant.api.post('/v1/privacy/erase', { recipient });
    expect([200, 202]).toContain(answer.status);
    return eventually(
      async () => (await tenant.api.get(`/v1/privacy/erasures/${answer.body.data.id}`)).body.data as Wire,
      ({ status }) => status === 'completed',
    );
  }

  it('erases one person’s data everywhere, and nobody else’s', async () => {
    const tenant = await service.tenant();
    const stranger = await service.tenant();
    const person = freshNumber('+39347');
    const digits = person.slice(1);
    const { sent, waiting } = await history(tenant, person);
    await history(stranger, person);
    const before = await search(tenant.clientId, `${digits}|the-secret-word|Ada-Lovelace`);
    for (const table of [
      'messages',
      'events',
      'provider_events',
      'inbound_messages',
      'webhook_deliveries',
      'suppressions',
    ])
      expect(before.map((one) => one.split('.')[0])).toContain(table);
    const theirs = await search(stranger.clientId, `${digits}|the-secret-word|Ada-Lovelace`);
    const figures = (await tenant.api.get('/v1/messages?limit=200')).body.data.length;

    const receipt = await erase(tenant, ` ${person.slice(0, 6)} ${person.slice(6)} `);
    expect(receipt).toMatchObject({
      recipient_hash: expect.stringMatching(/^erased:[0-9a-f]{32}$/),
      status: 'completed',
    });
    expect(receipt.counts).toMatchObject({ messages: 3, canceled: 1, inbound: 1, suppressions: 1 });
    for (const kind of ['events', 'provider_events', 'deliveries', 'fallbacks'])
      expect([kind, receipt.counts[kind] > 0]).toEqual([kind, true]);

    expect(await search(tenant.clientId, digits)).toEqual([]);
    const words = await search(tenant.clientId, 'the-secret-word|Ada-Lovelace');
    // What follows another person's message is that one's.
    expect(words.filter((one) => !one.startsWith('message_fallbacks.body'))).toEqual([]);
    expect(await search(stranger.clientId, `${digits}|the-secret-word|Ada-Lovelace`)).toEqual(theirs);

    const shown = await tenant.message(sent);
    expect(shown).toMatchObject({
      status: 'delivered',
      to: receipt.recipient_hash,
      content: {},
      metadata: {},
      reference: 'ref-1',
    });
    expect((await tenant.message(waiting)).status).toBe('canceled');
    expect((await tenant.api.get('/v1/messages?limit=200')).body.data).toHaveLength(figures);
    assertStatus(await tenant.api.get('/v1/events?limit=200'), 200);
    assertStatus(await tenant.api.get('/v1/inbound'), 200);
    const callbacks = await tenant.api.get('/v1/provider-events');
    const erased = callbacks.body.data.find(({ message_id }: Wire) => message_id === sent);
    assertStatus(await tenant.api.post(`/v1/provider-events/${erased.id}/reprocess`), 409);

    // Still on the list, without a name.
    const again = await tenant.until(await tenant.send(person), ({ final }) => final);
    expect(again).toMatchObject({ status: 'failed', error_code: 'suppressed' });
    expect(
      (await tenant.api.post('/v1/sms/send', { to: person, message: 'x', dry_run: true })).body.data,
    ).toMatchObject({ suppressed: true });
    const query = `channel=sms&recipient=${encodeURIComponent(person)}`;
    expect((await tenant.api.get(`/v1/suppressions?${query}`)).body.data).toEqual([
      expect.objectContaining({ recipient: receipt.recipient_hash, reason: 'stop', detail: null }),
    ]);
    expect((await tenant.api.delete(`/v1/suppressions?${query}`)).status).toBe(200);

    const receipts = await tenant.api.get('/v1/privacy/erasures');
    expect(receipts.body.data).toEqual([receipt]);
    expect((await stranger.api.get('/v1/privacy/erasures')).body.data).toEqual([]);
    assertStatus(await stranger.api.get(`/v1/privacy/erasures/${receipt.id}`), 404);
    const audit = await tenant.api.get('/v1/audit?action=privacy.erased');
    expect(audit.body.data).toEqual([
      expect.objectContaining({ object: receipt.id, detail: { fields: ['recipient'] } }),
    ]);
  });

  it('erases what comes in late about the person’s messages', async () => {
    const tenant = await service.tenant();
    const person = freshNumber('+39347');
    const id = await tenant.send(person);
    await tenant.until(id, ({ status }) => status === 'sent');
    const taken = service.twilio.taken(person)!;
    await erase(tenant, person);
    const fields = statusFields(taken, 'delivered');
    await twilioCallback({ url: taken.statusCallback, authToken: tenant.twilio.authToken, fields });
    await tenant.until(id, ({ status }) => status === 'delivered');
    expect(await search(tenant.clientId, person.slice(1))).toEqual(['provider_events.raw_body']);
    await new LateData(database(), silentLogger).run();
    expect(await search(tenant.clientId, person.slice(1))).toEqual([]);
  });

  it('finds a person among the recipients of emails, in whatever letters', async () => {
    const tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    const config = await tenant.api.post('/communication/smtp/configs', {
      display_name: 'Mail',
      host: '127.0.0.1',
      port: 9,
      tls: 'none',
      from_email: 'us@acme.example',
      status: 'active',
    });
    assertStatus(config, 201);
    assertStatus(await tenant.api.put('/v1/gateways', { gateways: { email: { primary: 'smtp' } } }), 200);
    const mail = async (to: object[], more: object = {}) => {
      const body = { to, subject: 'the-secret-word', text: 'x', sandbox: true, ...more };
      const sent = await tenant.api.post('/v1/email/send', body);
      assertStatus(sent, 200);
      return sent.body.data.message_id as string;
    };
    const [ada, bob] = [{ email: 'Ada@Example.com' }, { email: 'bob@example.com' }];
    const ids = [await mail([ada]), await mail([bob, ada]), await mail([bob], { cc: [{ email: 'ADA@example.com' }] })];
    const others = [await mail([bob]), await mail([{ email: 'lovelace-ada@example.com' }])];
    const receipt = await erase(tenant, 'ada@EXAMPLE.com');
    expect(receipt.counts).toMatchObject({ messages: 3 });
    expect(await search(tenant.clientId, '(^|[^-])ada@example.com')).toEqual([]);
    const shown = await Promise.all(ids.map((id) => tenant.message(id)));
    expect(shown.map(({ to, content }) => [to, content])).toEqual([
      [receipt.recipient_hash, {}],
      ['bob@example.com', {}],
      ['bob@example.com', {}],
    ]);
    for (const id of others) expect((await tenant.message(id)).content).toMatchObject({ subject: 'the-secret-word' });
  });

  it('waits in the background for a message that a worker has in hand', async () => {
    const tenant = await service.tenant();
    const person = freshNumber('+39347');
    let answer = () => {};
    service.twilio.on(person, { take: true, answer: (_, accept) => void (answer = accept) });
    const id = await tenant.send(person, { message: 'the-secret-word' });
    await tenant.until(id, ({ status }) => status === 'sending');
    await eventually(
      () => service.twilio.sends(person).length,
      (calls) => calls === 1,
    );
    const asked = await tenant.api.post('/v1/privacy/erase', { recipient: person });
    assertStatus(asked, 202);
    expect(asked.body.data).toMatchObject({ status: 'running', erased_at: null, counts: { messages: 0, canceled: 0 } });
    expect(await search(tenant.clientId, 'the-secret-word')).toEqual(['messages.content']);
    answer();
    const receipt = await eventually(
      async () => (await tenant.api.get(`/v1/privacy/erasures/${asked.body.data.id}`)).body.data as Wire,
      ({ status }) => status === 'completed',
    );
    expect(receipt.counts).toMatchObject({ messages: 1, canceled: 0 });
    expect(await tenant.message(id)).toMatchObject({ status: 'sent', to: receipt.recipient_hash, content: {} });
    expect(await search(tenant.clientId, `${person.slice(1)}|the-secret-word`)).toEqual([]);
  });

  it('takes a person out of notifications that are not sent yet', async () => {
    const tenant = await service.tenant();
    const [ada, bob] = [freshNumber('+39347'), freshNumber('+39347')];
    const template = await tenant.api.post('/v1/templates', {
      name: 'reminder',
      channels: { sms: { message: 'the-secret-word, {{ name }}' } },
    });
    assertStatus(template, 201);
    const made = await tenant.api.post('/v1/notifications', {
      template_id: template.body.data.id,
      idempotency_prefix: 'once',
      send_at: new Date(Date.now() + DAY).toISOString(),
      recipients: [
        { id: 'one', channels: { sms: ada }, data: { name: 'Ada-Lovelace' } },
        { id: 'two', channels: { sms: bob }, data: { name: 'Bob' } },
      ],
    });
    expect([201, 202]).toContain(made.status);
    const receipt = await erase(tenant, ada);
    expect(receipt.counts.notifications + receipt.counts.canceled).toBeGreaterThan(0);
    expect(await search(tenant.clientId, `${ada.slice(1)}|Ada-Lovelace`)).toEqual([]);
    expect(await search(tenant.clientId, bob.slice(1))).not.toEqual([]);
    assertStatus(await tenant.api.get(`/v1/notifications/${made.body.data.notification_id}`), 200);
  });

  it('names a recipient of a notification no more by the address', async () => {
    const tenant = await service.tenant();
    const person = freshNumber('+39347');
    const template = await tenant.api.post('/v1/templates', { name: 'x', channels: { sms: { message: 'Hi' } } });
    const made = await tenant.api.post('/v1/notifications', {
      template_id: template.body.data.id,
      idempotency_prefix: 'news',
      recipients: [
        { id: person, channels: { sms: person } },
        { id: 'somebody', channels: { sms: freshNumber() } },
      ],
    });
    assertStatus(made, 202);
    const path = `/v1/notifications/${made.body.data.id}`;
    await eventually(
      async () => (await tenant.api.get(path)).body.data as Wire,
      ({ status }) => status === 'completed',
    );
    const receipt = await erase(tenant, person);
    const { body } = await tenant.api.get(`${path}/recipients`);
    expect(body.data.map(({ id }: Wire) => id)).toEqual([receipt.recipient_hash, 'somebody']);
    // The key by which a repeat is known.
    expect(await search(tenant.clientId, person.slice(1))).toEqual(['idempotency_keys.key']);
  });

  it.each(['', ' ', 'a\u0007b', 'x'.repeat(1001)])('refuses to erase %j', async (recipient) => {
    const tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    const answer = await tenant.api.post('/v1/privacy/erase', { recipient });
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, 'recipient']);
    expect((await tenant.api.get('/v1/privacy/erasures')).body.data).toEqual([]);
  });

  describe('retention', () => {
    const settings = async (tenant: Tenant, retention: object) =>
      assertStatus(await tenant.api.call('PATCH', '/v1/settings', { body: { retention } }), 200);
    const after = (days: number) =>
      new Retention(database(), new ManualClock(Date.now() + days * DAY), silentLogger).run();

    it('erases bodies on time, of the tenant that wants it, and keeps the records', async () => {
      const [tenant, keeper] = [await service.tenant(), await service.tenant()];
      const person = freshNumber('+39347');
      const { sent, waiting } = await history(tenant, person);
      await history(keeper, person);
      await settings(tenant, { body_days: 30 });
      const words = 'the-secret-word';
      const before = await search(tenant.clientId, words);
      await after(29);
      expect(await search(tenant.clientId, words)).toEqual(before);
      await after(31);
      const left = await search(tenant.clientId, words);
      // What waits to be sent, and what may follow.
      expect(left.filter((one) => !one.startsWith('message_fallbacks.'))).toEqual(['messages.content']);
      for (const table of ['events', 'provider_events'])
        expect((await search(tenant.clientId, person.slice(1))).map((one) => one.split('.')[0])).not.toContain(table);
      expect(await tenant.message(sent)).toMatchObject({ to: person, status: 'delivered', content: {} });
      expect(await search(keeper.clientId, words)).toEqual(before);
      assertStatus(await tenant.api.post(`/v1/messages/${waiting}/cancel`), 200);
      await after(31);
      expect((await search(tenant.clientId, words)).filter((one) => one.startsWith('messages'))).toEqual([]);
      assertStatus(await tenant.api.get('/v1/events?limit=200'), 200);
      assertStatus(await tenant.api.get('/v1/inbound'), 200);
    });

    it('deletes whole records on time, and not what still waits', async () => {
      const tenant = await service.tenant();
      const person = freshNumber('+39347');
      const { sent, waiting } = await history(tenant, person);
      await settings(tenant, { body_days: 30, record_days: 60 });
      await after(59);
      expect((await tenant.message(sent)).to).toBe(person);
      await after(61);
      assertStatus(await tenant.api.get(`/v1/messages/${sent}`), 404);
      expect((await tenant.message(waiting)).status).toBe('scheduled');
      const counts = await database().query<{ n: number }>(
        `SELECT (SELECT count(*)::int FROM messages WHERE client_id = $1) AS n
         UNION ALL SELECT count(*)::int FROM events WHERE client_id = $1
         UNION ALL SELECT count(*)::int FROM provider_events WHERE client_id = $1`,
        [tenant.clientId],
      );
      expect(counts.map(({ n }) => n)).toEqual([1, 0, 0]);
      assertStatus(await tenant.api.post(`/v1/messages/${waiting}/cancel`), 200);
      await after(61);
      assertStatus(await tenant.api.get(`/v1/messages/${waiting}`), 404);
      const [suppressed] = (await tenant.api.get('/v1/suppressions')).body.data;
      expect(suppressed.recipient).toBe(person);
    });
  });
});
