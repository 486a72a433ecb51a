import { createHash, randomBytes } from 'node:crypto';
import { request } from 'undici';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { statusFields, twilioCallback, type TwilioCallback, type TwilioMessage } from '../support/scripted-twilio';
import { signedReceipt, type VonageMessage } from '../support/scripted-vonage';

describe('callbacks of providers', () => {
  let service: Service;
  let tenant: Tenant;
  let other: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
    other = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  async function sent(more: object = {}, from = tenant): Promise<{ id: string; to: string; message: TwilioMessage }> {
    const to = freshNumber();
    const id = await from.send(to, more);
    await from.until(id, ({ status }) => status === 'sent');
    return { id, to, message: service.twilio.taken(to)! };
  }

  async function sentByVonage(): Promise<{ id: string; message: VonageMessage }> {
    const to = freshNumber();
    const id = await tenant.send(to, { provider: 'vonage' });
    await tenant.until(id, ({ status }) => status === 'sent');
    return { id, message: service.vonage.taken(to)! };
  }

  const report = (message: TwilioMessage, status: string, change: Partial<TwilioCallback> = {}) =>
    twilioCallback({
      url: message.statusCallback,
      authToken: tenant.twilio.authToken,
      fields: statusFields(message, status),
      ...change,
    });
  const stored = async (externalId: string): Promise<Wire[]> =>
    (await tenant.api.get('/v1/provider-events?limit=200')).body.data.filter(
      (one: Wire) => one.external_id === externalId,
    );
  const now = () => String(Math.floor(Date.now() / 1000));
  const receiptFields = (message: VonageMessage, status: string, more: Record<string, string> = {}) => ({
    msisdn: message.to.slice(1),
    to: 'Acme',
    'network-code': '22210',
    messageId: message.id,
    price: '0.03330000',
    status,
    scts: '2611220900',
    'err-code': '0',
    'api-key': tenant.vonage.apiKey,
    'message-timestamp': '2026-11-22 09:00:00',
    timestamp: now(),
    nonce: 'f27a5ec5',
    ...(message.clientRef && { 'client-ref': message.clientRef }),
    ...more,
  });
  async function receipt(
    message: VonageMessage,
    fields: Record<string, string>,
    secret = tenant.vonage.signatureSecret,
  ) {
    const body = signedReceipt(secret, fields).toString();
    const answer = await request(message.callback, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  it('applies what Twilio reports, stores it once, and tells the client', async () => {
    const { id, message } = await sent();
    for (const status of ['queued', 'sending', 'sent', 'delivered']) {
      const { status: answered } = await report(message, status);
      expect([status, answered]).toEqual([status, 200]);
    }
    const read = await tenant.message(id);
    expect(read).toMatchObject({ status: 'delivered', final: true, external_id: message.sid });
    expect(read.events.map((one: Wire) => one.event)).toEqual(['message.queued', 'message.sent', 'message.delivered']);
    const events = await stored(message.sid);
    expect(events).toHaveLength(4);
    for (const event of events) {
      expect(event).toMatchObject({
        provider: 'twilio',
        kind: 'status',
        config_id: tenant.twilio.id,
        matched: true,
        message_id: id,
      });
      expect(event.raw_body).toContain(message.sid);
    }
  });

  it.each([
    ['undelivered', '30005', 'undelivered', 'invalid_recipient'],
    ['failed', '30007', 'failed', 'content_filtered'],
  ])('says why a message is %s', async (word, code, status, reason) => {
    const { id, message } = await sent();
    expect((await report(message, word, { fields: statusFields(message, word, { ErrorCode: code }) })).status).toBe(
      200,
    );
    const read = await tenant.message(id);
    expect(read).toMatchObject({ status, final: true, error_code: reason });
    expect(read.events.at(-1).detail).toMatchObject({ error_code: reason, provider_code: code });
  });

  describe('forged', () => {
    const forgeries: Array<[string, (message: TwilioMessage) => Partial<TwilioCallback>]> = [
      ['a wrong key', () => ({ authToken: 'f'.repeat(32) })],
      ["another tenant's key", () => ({ authToken: other.twilio.authToken })],
      ['no header', () => ({ forge: (it) => void delete it.headers['x-twilio-signature'] })],
      ['an empty header', () => ({ forge: (it) => void (it.headers['x-twilio-signature'] = '') })],
      ['a changed body', () => ({ forge: (it) => void (it.body = it.body.replace('delivered', 'failed')) })],
      ['an added field', () => ({ forge: (it) => void (it.body += '&ErrorCode=30007') })],
      ['no body', () => ({ forge: (it) => void (it.body = '') })],
      [
        'another message id in the URL',
        () => ({ forge: (it) => void (it.url = it.url.replace(/message_id=msg_./, 'message_id=msg_x')) }),
      ],
      ['no message id in the URL', () => ({ forge: (it) => void (it.url = it.url.split('?')[0]!) })],
      ['the Vonage path', () => ({ forge: (it) => void (it.url = it.url.replace('/twilio/', '/vonage/')) })],
      ['the inbound path', () => ({ forge: (it) => void (it.url = it.url.replace('/status/', '/inbound/')) })],
      [
        "another tenant's config",
        () => ({ forge: (it) => void (it.url = it.url.replace(tenant.twilio.id, other.twilio.id)) }),
      ],
      [
        'a config that is none',
        () => ({ forge: (it) => void (it.url = it.url.replace(tenant.twilio.id, 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8')) }),
      ],
      [
        'another account',
        (message) => ({ fields: { ...statusFields(message, 'delivered'), AccountSid: other.twilio.accountSid } }),
      ],
    ];

    it.each(forgeries)('with %s: 401, and nothing changes', async (_, change) => {
      const { id, message } = await sent();
      const before = await tenant.message(id);
      const refused = await report(message, 'delivered', change(message));
      expect(refused.status).toBe(401);
      expect(JSON.parse(refused.text)).toMatchObject({ success: false, code: 'invalid_signature' });
      expect(await tenant.message(id)).toEqual(before);
      expect(await stored(message.sid)).toEqual([]);
      expect((await report(message, 'delivered')).status).toBe(200);
      expect((await tenant.message(id)).status).toBe('delivered');
    });

    it("cannot move another tenant's message with a valid key of one's own", async () => {
      const victim = await sent();
      const attacker = await sent({}, other);
      const before = await tenant.message(victim.id);
      const url = attacker.message.statusCallback.replace(attacker.id, victim.id);
      const own = { url, authToken: other.twilio.authToken };
      // By the id in the URL, by the provider's id, and by both.
      for (const sid of [attacker.message.sid, victim.message.sid, `SM${'9'.repeat(32)}`]) {
        const fields = { ...statusFields(attacker.message, 'delivered'), MessageSid: sid, SmsSid: sid };
        expect((await twilioCallback({ ...own, fields })).status).toBe(200);
      }
      expect(await tenant.message(victim.id)).toEqual(before);
      expect(await stored(victim.message.sid)).toEqual([]);
      expect((await other.message(attacker.id)).status).toBe('delivered');
    });

    it('or stale receipts of Vonage: 401, and nothing changes', async () => {
      const { id, message } = await sentByVonage();
      const before = await tenant.message(id);
      const fields = receiptFields(message, 'delivered');
      const { timestamp: _t, ...timeless } = fields;
      const attempts = [
        () => receipt(message, fields, 'f'.repeat(40)),
        () => receipt(message, fields, other.vonage.signatureSecret),
        () => receipt(message, { ...fields, timestamp: String(Number(now()) - 100 * 3600) }),
        () => receipt(message, { ...fields, timestamp: String(Number(now()) + 3600) }),
        () => receipt(message, timeless),
        () => receipt(message, { ...fields, 'api-key': other.vonage.apiKey }),
        () => receipt({ ...message, callback: message.callback.replace(tenant.vonage.id, other.vonage.id) }, fields),
      ];
      for (const [index, attempt] of attempts.entries())
        expect([index, (await attempt()).status]).toEqual([index, 401]);
      const changed = signedReceipt(tenant.vonage.signatureSecret, fields);
      changed.set('status', 'failed');
      const unsigned = new URLSearchParams(fields);
      for (const body of [changed, unsigned]) {
        const answer = await request(message.callback, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: body.toString(),
        });
        expect(answer.statusCode).toBe(401);
        await answer.body.dump();
      }
      expect(await tenant.message(id)).toEqual(before);
      expect((await receipt(message, fields)).status).toBe(200);
      expect((await tenant.message(id)).status).toBe('delivered');
    });
  });

  it('takes receipts of Vonage as form, as JSON and by GET', async () => {
    const [form, json, get] = [await sentByVonage(), await sentByVonage(), await sentByVonage()];
    const secret = tenant.vonage.signatureSecret;
    expect((await receipt(form.message, receiptFields(form.message, 'delivered'))).status).toBe(200);
    const asJson = await request(json.message.callback, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(signedReceipt(secret, receiptFields(json.message, 'delivered')))),
    });
    expect(asJson.statusCode).toBe(200);
    await asJson.body.dump();
    const query = signedReceipt(secret, receiptFields(get.message, 'delivered'));
    const asGet = await request(`${get.message.callback}&${query}`);
    expect(asGet.statusCode).toBe(200);
    await asGet.body.dump();
    for (const { id } of [form, json, get]) expect((await tenant.message(id)).status).toBe('delivered');
  });

  it('joins the reports of the parts of one message', async () => {
    const send = async () => {
      const to = freshNumber();
      const id = await tenant.send(to, { provider: 'vonage', message: 'x'.repeat(400) });
      const read = await tenant.until(id, ({ status }) => status === 'sent');
      return { id, read, message: service.vonage.taken(to)! };
    };
    const part = async (message: VonageMessage, index: number, status: string, more = {}) => {
      const fields = receiptFields({ ...message, id: message.partIds[index]! }, status, more);
      expect((await receipt(message, fields)).status).toBe(200);
    };
    const whole = await send();
    expect(whole.read).toMatchObject({
      segments: 3,
      external_id: whole.message.partIds[0],
      cost: { amount: '0.0999', currency: 'EUR' },
    });
    for (const index of [2, 0, 0]) await part(whole.message, index, 'delivered');
    expect((await tenant.message(whole.id)).status).toBe('sent');
    await part(whole.message, 1, 'accepted');
    await part(whole.message, 1, 'delivered');
    expect((await tenant.message(whole.id)).status).toBe('delivered');
    expect((await tenant.events('message.delivered')).filter((one) => one.data.message_id === whole.id)).toHaveLength(
      1,
    );

    const broken = await send();
    await part(broken.message, 0, 'delivered');
    await part(broken.message, 1, 'failed', { 'err-code': '6' });
    expect(await tenant.message(broken.id)).toMatchObject({ status: 'undelivered', error_code: 'content_filtered' });
    await part(broken.message, 2, 'delivered');
    expect((await tenant.message(broken.id)).status).toBe('undelivered');
  });

  it('finds the config from the payload when the URL does not name it', async () => {
    const { id, message } = await sent();
    const url = `${service.url}/webhook/twilio/status`;
    expect((await report(message, 'delivered', { url })).status).toBe(200);
    expect((await tenant.message(id)).status).toBe('delivered');
    expect((await report(message, 'read', { url, authToken: other.twilio.authToken })).status).toBe(401);
    const vonage = await sentByVonage();
    const nexmo = { ...vonage.message, callback: `${service.url}/webhook/nexmo/status` };
    expect((await receipt(nexmo, receiptFields(vonage.message, 'delivered'))).status).toBe(200);
    expect((await tenant.message(vonage.id)).status).toBe('delivered');
    // Without the account too: by the message that it is about.
    const nameless = await sentByVonage();
    const { 'api-key': _account, ...fields } = receiptFields(nameless.message, 'delivered');
    const anywhere = { ...nameless.message, callback: `${service.url}/webhook/vonage/status` };
    expect((await receipt(anywhere, fields, other.vonage.signatureSecret)).status).toBe(401);
    expect((await receipt(anywhere, fields)).status).toBe(200);
    expect((await tenant.message(nameless.id)).status).toBe('delivered');
  });

  it('ends in the same state however often and in whatever order reports come', async () => {
    const orders = [
      ['sent', 'delivered', 'read'],
      ['read', 'delivered', 'sent'],
      ['delivered', 'read', 'delivered', 'sent', 'read'],
      ['failed', 'read', 'queued'],
      ['undelivered', 'sent', 'read', 'undelivered'],
    ];
    for (const order of orders) {
      const { id, message } = await sent();
      for (const status of order) expect((await report(message, status)).status).toBe(200);
      expect([order, (await tenant.message(id)).status]).toEqual([order, 'read']);
    }
    const { id, message } = await sent();
    const all = Array.from({ length: 60 }, (_, index) => ['sent', 'delivered', 'queued'][index % 3]!);
    const answers = await Promise.all(all.map((status) => report(message, status)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await tenant.message(id)).status).toBe('delivered');
    expect(await stored(message.sid)).toHaveLength(3);
    const told = (await tenant.events('message.delivered')).filter((one) => one.data.message_id === id);
    expect(told).toHaveLength(1);
    const late = await sent();
    await report(late.message, 'undelivered');
    await report(late.message, 'failed');
    expect((await tenant.message(late.id)).status).toBe('undelivered');
    await report(late.message, 'delivered');
    expect((await tenant.message(late.id)).status).toBe('delivered');
  });

  it('leaves a canceled message canceled', async () => {
    const { message } = await sent();
    const scheduled = await tenant.send(freshNumber(), { send_at: new Date(Date.now() + 3_600_000).toISOString() });
    assertStatus(await tenant.api.post(`/v1/messages/${scheduled}/cancel`), 200);
    const url = message.statusCallback.replace(/message_id=[^&]+/, `message_id=${scheduled}`);
    const sid = `SM${'8'.repeat(32)}`;
    const fields = { ...statusFields(message, 'delivered'), MessageSid: sid, SmsSid: sid };
    expect((await report(message, 'delivered', { url, fields })).status).toBe(200);
    expect((await tenant.message(scheduled)).status).toBe('canceled');
  });

  it('keeps a report of an unknown message, and applies it once the message is known', async () => {
    const to = freshNumber();
    let reported: Wire;
    // Quicker than the answer to the send, and without our id in its URL: nobody can know the message yet.
    service.twilio.onTaken = async (message) => {
      if (message.to !== to) return;
      const url = message.statusCallback.split('?')[0]!;
      reported = await report(message, 'delivered', { url });
    };
    const id = await tenant.send(to);
    await tenant.until(id, ({ status }) => status === 'delivered');
    service.twilio.onTaken = undefined;
    expect(reported.status).toBe(200);
    const [event] = await stored(service.twilio.taken(to)!.sid);
    expect(event).toMatchObject({ matched: true, message_id: id });
  });

  it('keeps reports of messages that are nobody’s, lists them, and reads them again on demand', async () => {
    const sid = `SM${createHash('md5').update('nobody').digest('hex')}`;
    const fields = {
      AccountSid: tenant.twilio.accountSid,
      MessageSid: sid,
      MessageStatus: 'delivered',
      To: '+393331234567',
      From: '+15005550006',
    };
    const url = `${service.url}/webhook/twilio/status/${tenant.twilio.id}`;
    expect((await twilioCallback({ url, authToken: tenant.twilio.authToken, fields })).status).toBe(200);
    const unmatched = await tenant.api.get('/v1/provider-events?matched=false&provider=twilio');
    const event = unmatched.body.data.find((one: Wire) => one.external_id === sid);
    expect(event).toMatchObject({ matched: false, state: 'unmatched', message_id: null });
    const again = await tenant.api.post(`/v1/provider-events/${event.id}/reprocess`);
    expect([again.status, again.body.data.state]).toEqual([200, 'unmatched']);
    const matched = await tenant.api.get('/v1/provider-events?matched=true&limit=200');
    expect(matched.body.data.every((one: Wire) => one.matched)).toBe(true);
    expect(
      (await tenant.api.get('/v1/provider-events?provider=nexmo')).body.data.every(
        (one: Wire) => one.provider === 'vonage',
      ),
    ).toBe(true);
    const { id, message } = await sent();
    await report(message, 'delivered');
    const [own] = await stored(message.sid);
    const reread = await tenant.api.post(`/v1/provider-events/${own.id}/reprocess`);
    expect(reread.body.data).toMatchObject({ state: 'matched', message_id: id });
    expect((await tenant.events('message.delivered')).filter((one) => one.data.message_id === id)).toHaveLength(1);
  });

  it('pages through stored callbacks completely', async () => {
    const all: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Wire = await tenant.api.get(`/v1/provider-events?limit=7${cursor ? `&cursor=${cursor}` : ''}`);
      all.push(...page.body.data.map((one: Wire) => one.id));
      cursor = page.body.meta.next_cursor;
    } while (cursor);
    const whole = await tenant.api.get('/v1/provider-events?limit=200');
    expect(all).toEqual(whole.body.data.map((one: Wire) => one.id));
    expect(all.length).toBeGreaterThan(20);
  });

  it('keeps what is proved and cannot be read, whatever is in it', async () => {
    const url = `${service.url}/webhook/twilio/status/${tenant.twilio.id}?message_id=%00`;
    const authToken = tenant.twilio.authToken;
    const odd: Array<Record<string, string>> = [
      { AccountSid: tenant.twilio.accountSid },
      { MessageSid: 'SM\0', MessageStatus: 'delivered' },
      { MessageSid: 'SMnul', MessageStatus: 'deliv\0ered' },
      { MessageSid: 'SMlong', MessageStatus: 'z'.repeat(5000) },
      { MessageSid: `SM${randomBytes(4000).toString('hex')}`, MessageStatus: 'sent' },
      { MessageSid: 'SMcode', MessageStatus: 'failed', ErrorCode: '\0\ufffd' },
      { MessageSid: '__proto__', MessageStatus: 'constructor' },
    ];
    for (const fields of odd) {
      const answer = await twilioCallback({ url, authToken, fields });
      expect([JSON.stringify(fields).slice(0, 60), answer.status]).toEqual([JSON.stringify(fields).slice(0, 60), 200]);
    }
    const { body } = await tenant.api.get('/v1/provider-events?limit=200');
    expect(body.data.filter((one: Wire) => one.state === 'unparsable').length).toBeGreaterThanOrEqual(1);
    // Reading it again must not fail either.
    for (const { id } of body.data.slice(0, odd.length))
      assertStatus(await tenant.api.post(`/v1/provider-events/${id}/reprocess`), 200);
    service.errorLines();
  });

  it('answers 401 to whatever is not proved, and keeps nothing of it', async () => {
    const count = async () =>
      (await service.database.database.query<{ n: number }>('SELECT count(*)::int AS n FROM provider_events'))[0]!.n;
    const before = await count();
    const bodies: Array<[string, string | Buffer]> = [
      ['application/x-www-form-urlencoded', ''],
      ['application/x-www-form-urlencoded', '%00=%ff&%&=&&a=%zz'],
      ['application/x-www-form-urlencoded', '__proto__=1&constructor=2&MessageSid[]=3'],
      ['application/x-www-form-urlencoded', Buffer.from([0xff, 0xfe, 0x00, 0x3d, 0x00])],
      ['application/x-www-form-urlencoded', 'a=1&'.repeat(100_000)],
      ['application/json', '{'],
      ['application/json', `{"messageId":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
      ['application/json', '{"__proto__":{"api-key":"x"},"api-key":{"a":1},"messageId":[1]}'],
      ['application/json', `{"api-key":"a\\u0000b","messageId":"\\ud800"}`],
      ['application/json', '{"messageId":"a\\u0000b"}'],
      ['application/json', '{"message-id":"\\udfff"}'],
      ['application/x-www-form-urlencoded', 'messageId=a%00b'],
      ['application/x-www-form-urlencoded', `messageId=${'9'.repeat(100_000)}`],
      ['multipart/form-data', 'nothing of the kind'],
      ['', Buffer.alloc(1000)],
    ];
    const paths = [
      'twilio/status',
      'vonage/status',
      'nexmo/inbound',
      `twilio/inbound/${tenant.twilio.id}`,
      `vonage/status/${tenant.vonage.id}`,
    ];
    const headers: Array<Record<string, string>> = [
      {},
      { 'x-twilio-signature': '====', authorization: 'Bearer a.b.c' },
      {
        'x-twilio-signature': 'A'.repeat(5000),
        authorization: `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`,
      },
    ];
    for (const path of paths) {
      for (const [type, body] of bodies) {
        for (const more of headers) {
          const answer = await request(`${service.url}/webhook/${path}?token=x&message_id=%00&bodySHA256=zz`, {
            method: 'POST',
            headers: { ...(type && { 'content-type': type }), ...more },
            body,
          });
          const text = await answer.body.text();
          expect([path, type, String(body).slice(0, 30), answer.statusCode, JSON.parse(text).code]).toEqual([
            path,
            type,
            String(body).slice(0, 30),
            401,
            'invalid_signature',
          ]);
        }
      }
      const get = await request(
        `${service.url}/webhook/${path}?api-key=%00&messageId=a&messageId=b&sig=x&timestamp=-1`,
      );
      await get.body.dump();
      expect([path, get.statusCode]).toEqual([path, 401]);
    }
    expect(await count()).toBe(before);
  });

  it('takes inbound messages, once each', async () => {
    const url = `${service.url}/webhook/twilio/inbound/${tenant.twilio.id}`;
    const sid = `SM${'7'.repeat(32)}`;
    const fields = {
      AccountSid: tenant.twilio.accountSid,
      MessageSid: sid,
      SmsMessageSid: sid,
      From: '+393331234567',
      To: '+15005550006',
      Body: 'Hi “there” 🙂',
      NumMedia: '0',
      NumSegments: '1',
    };
    const authToken = tenant.twilio.authToken;
    for (let i = 0; i < 3; i++) expect((await twilioCallback({ url, authToken, fields })).status).toBe(200);
    expect((await twilioCallback({ url, authToken: 'wrong', fields })).status).toBe(401);
    expect(await stored(sid)).toHaveLength(1);
    await eventually(
      () => stored(sid),
      ([event]) => event.kind === 'inbound' && event.normalized.text === 'Hi “there” 🙂',
    );
  });
});
