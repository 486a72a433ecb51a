import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answers, takeAndHang } from '../support/scripted-provider';

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

describe('POST /v1/sms/send', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());

  const send = (body: object, headers?: Record<string, string>) => tenant.api.post('/v1/sms/send', body, headers);

  it('answers 202 with the message, which a provider then gets as it was given', async () => {
    const to = freshNumber();
    const sent = await send({ to, message: 'Grüße €', from: '+46701234567' });
    assertStatus(sent, 202);
    expect(sent.body).toEqual({
      success: true,
      data: {
        message_id: expect.stringMatching(/^msg_[0-9a-z]{26}$/),
        status: 'queued',
        channel: 'sms',
        client_id: tenant.clientId,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        segments: 1,
      },
    });
    const message = await tenant.until(sent.body.data.message_id, ({ status }) => status === 'sent');
    expect(message).toMatchObject({
      to,
      from: '+46701234567',
      content: { text: 'Grüße €' },
      gateway: 'twilio',
      config_id: tenant.twilio.id,
      external_id: service.twilio.taken(to)!.sid,
      encoding: 'gsm7',
      segments: 1,
      waiting_on: null,
      possible_duplicate: false,
      final: false,
      error_code: null,
    });
    expect(message.attempts).toEqual([
      expect.objectContaining({ gateway: 'twilio', outcome: 'accepted', external_id: message.external_id }),
    ]);
    expect(message.events.map(({ event }: { event: string }) => event)).toEqual(['message.queued', 'message.sent']);
    const [call] = service.twilio.sends(to);
    expect(call!.form).toMatchObject({ To: to, From: '+46701234567', Body: 'Grüße €' });
    expect(call!.form.StatusCallback).toContain(`${service.url}/webhook/twilio/status/${tenant.twilio.id}`);
  });

  it('keeps every common field and gives it back', async () => {
    const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i} ü`, `value "${i}" 🙂`]));
    const tags = Array.from({ length: 10 }, (_, i) => `tag-${i}`);
    const fields = { reference: 'r'.repeat(128), metadata, tags, priority: 'high', expires_at: inSeconds(600) };
    const id = await tenant.send(freshNumber(), { ...fields, provider: 'vonage' });
    const message = await tenant.until(id, ({ status }) => status === 'sent');
    expect(message).toMatchObject({ ...fields, gateway: 'vonage', send_at: null });
    const found = await tenant.api.get(`/v1/messages?reference=${fields.reference}&tag=tag-9`);
    expect(found.body.data.map((one: { message_id: string }) => one.message_id)).toEqual([id]);
  });

  it.each([
    ['to', { to: undefined }],
    ['to', { to: '' }],
    ['to', { to: 'hello' }],
    ['to', { to: '+1' }],
    ['to', { to: '0046701234567' }],
    ['to', { to: `+${'9'.repeat(16)}` }],
    ['to', { to: 46701234567 }],
    ['to', { to: ['+46701234567'] }],
    ['message', { message: undefined }],
    ['message', { message: '' }],
    ['message', { message: ' \n ' }],
    ['message', { message: 'x'.repeat(1601) }],
    ['message', { message: null }],
    ['from', { from: 'Twelve chars' }],
    ['from', { from: 'Bad_sender' }],
    ['sandbox', { sandbox: 'true' }],
    ['dry_run', { dry_run: 1 }],
    ['idempotency_key', { idempotency_key: '' }],
    ['idempotency_key', { idempotency_key: 'k'.repeat(256) }],
    ['reference', { reference: 'r'.repeat(129) }],
    ['send_at', { send_at: 'tomorrow' }],
    ['send_at', { send_at: '2026-02-30T10:00:00Z' }],
    ['send_at', { send_at: '2030-01-01T10:00:00' }],
    ['send_at', { send_at: inSeconds(-3600) }],
    ['send_at', { send_at: inSeconds(35 * 86_400 + 60) }],
    ['send_at', { send_at: 1_900_000_000 }],
    ['expires_at', { expires_at: inSeconds(-1) }],
    ['expires_at', { send_at: inSeconds(600), expires_at: inSeconds(300) }],
    ['priority', { priority: 'urgent' }],
    ['metadata', { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, 'v'])) }],
    ['metadata.a', { metadata: { a: 1 } }],
    ['metadata', { metadata: ['a'] }],
    ['tags', { tags: Array.from({ length: 11 }, (_, i) => `t${i}`) }],
    ['tags[1]', { tags: ['a', 7] }],
    ['tags', { tags: 'a' }],
    ['colour', { colour: 'red' }],
  ])('refuses a bad %s and stores nothing: %j', async (field, change) => {
    const reference = `bad-${freshNumber()}`;
    const refused = await send({ to: '+393331234567', message: 'x', reference, ...change });
    expect([refused.status, refused.headers['content-type']]).toEqual([400, 'application/problem+json']);
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toContain(field);
    expect((await tenant.api.get(`/v1/messages?reference=${encodeURIComponent(reference)}`)).body.data).toEqual([]);
  });

  it.each(['nobody', 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8', 'skebby'])('cannot send through %s', async (provider) => {
    const refused = await send({ to: freshNumber(), message: 'x', provider });
    expect([refused.status, refused.body.code]).toEqual([422, 'no_gateway_available']);
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toEqual(['provider']);
  });

  it('takes the longest message and counts parts and encodings as a handset does', async () => {
    const cases: Array<[string, string, number]> = [
      ['x'.repeat(160), 'gsm7', 1],
      ['x'.repeat(161), 'gsm7', 2],
      ['€'.repeat(80), 'gsm7', 1],
      ['€'.repeat(81), 'gsm7', 2],
      ['x'.repeat(1600), 'gsm7', 11],
      ['ж'.repeat(70), 'ucs2', 1],
      ['ж'.repeat(71), 'ucs2', 2],
      ['🙂'.repeat(35), 'ucs2', 1],
      ['🙂'.repeat(36), 'ucs2', 2],
    ];
    for (const [message, encoding, segments] of cases) {
      const { body } = await send({ to: freshNumber(), message, dry_run: true });
      expect([message.length, body.data.encoding, body.data.segments]).toEqual([message.length, encoding, segments]);
    }
  });

  it('writes the recipient in E.164, however people write it', async () => {
    const id = await tenant.send('+39 (333) 000-99.01');
    expect((await tenant.message(id)).to).toBe('+393330009901');
  });

  it('stores a sandbox message as simulated and hands it to nobody, by flag and by key', async () => {
    const sandboxKey = await tenant.key(['messages:send', 'messages:read'], { sandbox: true });
    const to = freshNumber();
    for (const answer of [
      await send({ to, message: 'x', sandbox: true }),
      await sandboxKey.post('/v1/sms/send', { to, message: 'x' }),
      await sandboxKey.post('/v1/sms/send', { to, message: 'x', sandbox: false }),
    ]) {
      assertStatus(answer, 200);
      expect(answer.body.data).toMatchObject({ status: 'simulated', would_use_gateway: 'twilio' });
      expect(answer.body.data.message_id).toMatch(/^msg_test_/);
      const message = await tenant.message(answer.body.data.message_id);
      expect(message).toMatchObject({ status: 'simulated', final: true, attempts: [] });
    }
    // Something real that was sent later has passed, so the simulated ones were not merely waiting.
    await tenant.until(await tenant.send(freshNumber()), ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)).toEqual([]);
    expect((await send({ to: 'x', message: 'x', sandbox: true })).status).toBe(400);
  });

  it('explains a dry run and stores nothing', async () => {
    const reference = `dry-${freshNumber()}`;
    const dry = await send({ to: '+393331234567', message: 'Grüße “you”', dry_run: true, reference });
    assertStatus(dry, 200);
    expect(dry.body.data).toMatchObject({ encoding: 'ucs2', segments: 1 });
    expect(dry.body.data.candidates).toEqual([
      expect.objectContaining({ gateway: 'twilio', config_id: tenant.twilio.id, reason: 'primary' }),
      expect.objectContaining({ gateway: 'vonage', config_id: tenant.vonage.id, reason: 'fallback[0]' }),
    ]);
    expect(JSON.stringify(dry.body.data)).toContain('“');
    expect((await tenant.api.get(`/v1/messages?reference=${reference}`)).body.data).toEqual([]);
  });

  it('answers Prefer: wait with the message once it has left the queue, or 202 when the time is over', async () => {
    const sent = await send({ to: freshNumber(), message: 'x' }, { prefer: 'wait=10' });
    assertStatus(sent, 200);
    expect(sent.body.data).toMatchObject({ status: 'sent', gateway: 'twilio' });
    expect(sent.headers['preference-applied']).toBe('wait=10');

    const refused = freshNumber();
    service.twilio.on(refused, answers(400, { code: 21211, message: 'invalid', status: 400 }));
    const failed = await send({ to: refused, message: 'x' }, { prefer: 'respond-async, wait=10' });
    expect([failed.status, failed.body.data.status, failed.body.data.error_code]).toEqual([
      200,
      'failed',
      'invalid_recipient',
    ]);

    const slow = freshNumber();
    service.twilio.on(slow, takeAndHang);
    const late = await send({ to: slow, message: 'x' }, { prefer: 'wait=1' });
    expect([late.status, late.body.data.status]).toEqual([202, 'queued']);
    expect(await tenant.message(late.body.data.message_id)).toMatchObject({ status: 'sending', final: false });

    const later = new Date(Date.now() + 3_600_000).toISOString();
    const scheduled = await send({ to: freshNumber(), message: 'x', send_at: later }, { prefer: 'wait=30' });
    expect([scheduled.status, scheduled.headers['preference-applied']]).toEqual([202, undefined]);

    for (const wait of ['0', '31', '1.5', 'x', '-1'])
      expect((await send({ to: freshNumber(), message: 'x' }, { prefer: `wait=${wait}` })).status).toBe(400);
  });

  it('keeps a scheduled message until its time, and sends it then', async () => {
    const to = freshNumber();
    const at = inSeconds(1.5);
    const sent = await send({ to, message: 'x', send_at: at });
    expect([sent.status, sent.body.data.status]).toEqual([202, 'scheduled']);
    expect(await tenant.message(sent.body.data.message_id)).toMatchObject({
      status: 'scheduled',
      waiting_on: 'schedule',
      send_at: at,
    });
    const message = await tenant.until(sent.body.data.message_id, ({ status }) => status === 'sent');
    expect(Date.parse(message.attempts[0].started_at)).toBeGreaterThanOrEqual(Date.parse(at));
    expect(message.events[0].event).toBe('message.scheduled');
  });

  it('does not send a late message: it is expired', async () => {
    const slow = await service.tenant({ twilio: { max_per_second: 1 }, vonage: false });
    const to = freshNumber();
    // The rate lets one go at once; the others wait their turn, and the last ones for too long.
    const expiresAt = inSeconds(2);
    const ids = await Promise.all(Array.from({ length: 6 }, () => slow.send(to, { expires_at: expiresAt })));
    const messages = await Promise.all(
      ids.map((id) => slow.until(id, ({ status }) => status === 'sent' || status === 'expired')),
    );
    const expired = messages.filter(({ status }) => status === 'expired');
    expect(expired.length).toBeGreaterThanOrEqual(2);
    expect(service.twilio.sends(to)).toHaveLength(6 - expired.length);
    for (const message of expired) {
      expect(message).toMatchObject({ final: true, attempts: [], error_code: 'expired' });
      expect(message.events.at(-1).event).toBe('message.expired');
    }
    for (const call of service.twilio.sends(to)) expect(call.at).toBeLessThan(Date.parse(expiresAt) + 500);
  });

  it('cancels what waits, once, and nothing else', async () => {
    const to = freshNumber();
    const id = await tenant.send(to, { send_at: inSeconds(3600) });
    const canceled = await tenant.api.post(`/v1/messages/${id}/cancel`);
    assertStatus(canceled, 200);
    expect(canceled.body.data).toMatchObject({ status: 'canceled', final: true, waiting_on: null });
    expect((await tenant.api.post(`/v1/messages/${id}/cancel`)).status).toBe(409);
    const sent = await tenant.send(to);
    await tenant.until(sent, ({ status }) => status === 'sent');
    const late = await tenant.api.post(`/v1/messages/${sent}/cancel`);
    expect([late.status, late.body.code]).toEqual([409, 'conflict']);
    expect((await tenant.message(sent)).status).toBe('sent');
    expect((await tenant.api.post('/v1/messages/msg_01kaqz9yq8e5v6m3c2n1b0a9s8/cancel')).status).toBe(404);
  });

  it('lets either the worker or the cancellation win, never both', async () => {
    const numbers = Array.from({ length: 60 }, () => freshNumber());
    const outcomes = await Promise.all(
      numbers.map(async (to) => {
        const id = await tenant.send(to);
        const answer = await tenant.api.post(`/v1/messages/${id}/cancel`);
        return { to, id, canceled: answer.status === 200, status: answer.status };
      }),
    );
    for (const { to, id, canceled, status } of outcomes) {
      expect([200, 409]).toContain(status);
      const message = await tenant.until(id, (one) => one.status === 'sent' || one.status === 'canceled');
      expect([to, message.status, service.twilio.sends(to).length]).toEqual([
        to,
        canceled ? 'canceled' : 'sent',
        canceled ? 0 : 1,
      ]);
    }
  });

  it('asks the provider on refresh', async () => {
    const to = freshNumber();
    const id = await tenant.send(to);
    await tenant.until(id, ({ status }) => status === 'sent');
    service.twilio.taken(to)!.status = 'delivered';
    const refreshed = await tenant.api.post(`/v1/messages/${id}/refresh`);
    expect([refreshed.status, refreshed.body.data.status]).toEqual([200, 'delivered']);
    const scheduled = await tenant.send(to, { send_at: inSeconds(3600) });
    expect((await tenant.api.post(`/v1/messages/${scheduled}/refresh`)).status).toBe(409);
  });
});

describe('POST /v1/messages/batch', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());

  const batch = (messages: unknown) => tenant.api.post('/v1/messages/batch', { messages });

  it('lets each item stand alone and keeps the order', async () => {
    const to = freshNumber();
    const good = { channel: 'sms', to, message: 'x' };
    const answer = await batch([
      good,
      { ...good, message: '' },
      { ...good, channel: 'pigeon' },
      { ...good, sandbox: true },
      { ...good, send_at: inSeconds(3600) },
      'nonsense',
      { ...good, colour: 'red' },
      null,
      { ...good, dry_run: true },
      good,
    ]);
    assertStatus(answer, 202);
    const { accepted, rejected, results } = answer.body.data;
    expect([accepted, rejected]).toEqual([4, 6]);
    expect(results.map((one: { index: number }) => one.index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(results.map((one: { status?: string }) => one.status ?? 'error')).toEqual([
      'queued',
      'error',
      'error',
      'simulated',
      'scheduled',
      'error',
      'error',
      'error',
      'error',
      'queued',
    ]);
    expect(results[1].error).toMatchObject({ code: 'invalid_request', errors: [{ field: 'messages[1].message' }] });
    expect(results[2].error.errors[0].field).toBe('messages[2].channel');
    expect(results[6].error.errors[0].field).toBe('messages[6].colour');
    await tenant.until(results[9].message_id, ({ status }) => status === 'sent');
    await tenant.until(results[0].message_id, ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)).toHaveLength(2);
  });

  it('gives each item its own idempotency key', async () => {
    const to = freshNumber();
    const item = (key: string, message = 'x') => ({ channel: 'sms', to, message, idempotency_key: key });
    const first = await batch([item('b-1'), item('b-2'), item('b-1'), item('b-1', 'other')]);
    const [one, two, again, other] = first.body.data.results;
    expect(one.message_id).not.toBe(two.message_id);
    expect(new Set([one.message_id, again.message_id]).size).toBe(1);
    expect([one, again].filter(({ replayed }) => replayed)).toHaveLength(1);
    expect(other.error.code).toBe('idempotency_conflict');
    const second = await batch([item('b-2'), item('b-3')]);
    expect(second.body.data.results[0]).toMatchObject({ message_id: two.message_id, replayed: true });
    const single = await tenant.api.post('/v1/sms/send', { to, message: 'x' }, { 'idempotency-key': 'b-3' });
    expect([single.body.data.message_id, single.headers['idempotent-replayed']]).toEqual([
      second.body.data.results[1].message_id,
      'true',
    ]);
  });

  it('takes 1 to 1000 items', async () => {
    const numbers = Array.from({ length: 1000 }, () => freshNumber());
    const answer = await batch(numbers.map((to) => ({ channel: 'sms', to, message: 'x' })));
    assertStatus(answer, 202);
    expect(answer.body.data).toMatchObject({ accepted: 1000, rejected: 0 });
    const ids = answer.body.data.results.map((one: { message_id: string }) => one.message_id);
    expect(new Set(ids).size).toBe(1000);
    expect((await tenant.message(ids[777])).to).toBe(numbers[777]);
    for (const wrong of [[], Array.from({ length: 1001 }, () => ({})), 'x', undefined]) {
      const refused = await batch(wrong);
      expect([refused.status, refused.body.errors[0].field]).toEqual([400, 'messages']);
    }
  });
});

describe('GET /v1/messages', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());

  it('pages completely and without repeats while new messages arrive', async () => {
    const items = Array.from({ length: 230 }, () => ({
      channel: 'sms',
      to: freshNumber(),
      message: 'x',
      sandbox: true,
    }));
    const first = await tenant.api.post('/v1/messages/batch', {
      messages: items.map((item, index) => ({ ...item, sandbox: index % 2 === 0 })),
    });
    const wanted: string[] = first.body.data.results.map((one: { message_id: string }) => one.message_id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await tenant.api.get(
        `/v1/messages?limit=17${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
      );
      assertStatus(page, 200);
      expect(page.body.meta.limit).toBe(17);
      seen.push(...page.body.data.map((one: { message_id: string }) => one.message_id));
      cursor = page.body.meta.next_cursor;
      await tenant.send(freshNumber());
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect([...seen].sort()).toEqual([...wanted].sort());
  });

  it('filters by channel, status, recipient, tag and time, alone and together', async () => {
    const to = freshNumber();
    const before = new Date().toISOString();
    const a = await tenant.send(to, { tags: ['red', 'blue'] });
    const b = await tenant.send(to, { tags: ['blue'], send_at: inSeconds(3600) });
    await tenant.until(a, ({ status }) => status === 'sent');
    const ids = async (query: string) => {
      const { status, body } = await tenant.api.get(`/v1/messages?to=${encodeURIComponent(to)}&${query}`);
      expect([query, status]).toEqual([query, 200]);
      return body.data.map((one: { message_id: string }) => one.message_id);
    };
    expect(await ids('')).toEqual([b, a]);
    expect(await ids('tag=red')).toEqual([a]);
    expect(await ids('tag=blue')).toEqual([b, a]);
    expect(await ids('status=scheduled')).toEqual([b]);
    expect(await ids('status=sent&tag=blue')).toEqual([a]);
    expect(await ids('channel=email')).toEqual([]);
    expect(await ids(`channel=sms&created_from=${before}`)).toEqual([b, a]);
    expect(await ids(`created_to=${before}`)).toEqual([]);
    expect(await ids(`created_from=${inSeconds(60)}`)).toEqual([]);
  });

  it('refuses cursors that are forged or of another list', async () => {
    for (let i = 0; i < 2; i++) await tenant.send(freshNumber(), { sandbox: false });
    const { body } = await tenant.api.get('/v1/messages?limit=1');
    const cursor = body.meta.next_cursor;
    expect(typeof cursor).toBe('string');
    for (const path of ['/v1/webhooks', '/v1/provider-events', '/v1/api-keys', '/communication/twilio/configs'])
      expect([path, (await tenant.api.get(`${path}?cursor=${cursor}`)).status]).toEqual([path, 400]);
    const forged = (text: string) => Buffer.from(text).toString('base64url');
    for (const wrong of [
      forged('{}'),
      forged('["messages","x"]'),
      forged('null'),
      cursor.slice(0, -2),
      `${cursor}A`,
      'x'.repeat(2000),
    ])
      expect([wrong.slice(0, 20), (await tenant.api.get(`/v1/messages?cursor=${wrong}`)).status]).toEqual([
        wrong.slice(0, 20),
        400,
      ]);
    expect((await tenant.api.get(`/v1/events?after=${cursor}`)).status).toBe(400);
  });

  it('finds a number whose + was not escaped, in every list', async () => {
    const to = freshNumber();
    const id = await tenant.send(to);
    const found = async (path: string) =>
      (await tenant.api.get(path)).body.data.map((one: { message_id: string }) => one.message_id);
    expect(await found(`/v1/messages?to=${to}`)).toEqual([id]);
    await tenant.api.post('/v1/suppressions', { channel: 'sms', recipient: to });
    expect((await tenant.api.get(`/v1/suppressions?recipient=${to}`)).body.data).toMatchObject([{ recipient: to }]);
    expect((await tenant.api.delete(`/v1/suppressions?channel=sms&recipient=${to}`)).status).toBe(200);
  });

  it('takes times with and without fractions, in any time zone', async () => {
    const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
    const local = new Date(at.getTime() + 2 * 3_600_000).toISOString().replace('Z', '+02:00');
    for (const sendAt of [at.toISOString(), at.toISOString().replace(/\.\d+/, ''), local]) {
      const id = await tenant.send(freshNumber(), { send_at: sendAt });
      expect([sendAt, (await tenant.message(id)).send_at]).toEqual([sendAt, at.toISOString()]);
    }
    for (const query of [
      `created_from=${encodeURIComponent(local)}`,
      'created_to=2026-01-01',
      'created_from=9999-12-31T23:59:59Z',
      'created_from=2026-11-01T00:00:00+02:00',
      'cursor=&to=&created_to=&limit=',
    ])
      expect([query, (await tenant.api.get(`/v1/messages?${query}`)).status]).toEqual([query, 200]);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'cursor=x',
    'status=gone',
    'channel=pigeon',
    'created_from=yesterday',
    'created_from=20261101T000000Z',
    'created_to=2026-W40',
    'colour=red',
    'limit=1&limit=2',
  ])('refuses ?%s', async (query) => {
    const refused = await tenant.api.get(`/v1/messages?${query}`);
    expect([query, refused.status]).toEqual([query, 400]);
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toEqual([query.split('=')[0]]);
  });
});
