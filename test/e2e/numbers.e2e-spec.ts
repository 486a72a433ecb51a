import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { twilioCallback } from '../support/scripted-twilio';
import { signedReceipt } from '../support/scripted-vonage';

const PERSON = '+393331234567';
const HOOK = { type: 'webhook', url: 'http://127.0.0.1:9/', format: 'form' };

describe('numbers and what comes to them', () => {
  let service: Service;
  let tenant: Tenant;
  let rival: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant({ name: 'Acme' });
    rival = await service.tenant({ name: 'Rival' });
  }, 60_000);
  afterAll(() => service?.stop());

  async function assign(number: string, more: object = {}, to = tenant): Promise<Wire> {
    const created = await to.api.post('/v1/numbers', { number, provider: 'twilio', delivery: [], ...more });
    assertStatus(created, 201);
    return created.body.data;
  }

  function writes(to: string, text: string, more: Record<string, string> = {}, at = tenant, url = service.url) {
    return twilioCallback({
      url: `${url}/webhook/twilio/inbound/${at.twilio.id}`,
      authToken: at.twilio.authToken,
      fields: { MessageSid: `SM${randomBytes(16).toString('hex')}`, From: PERSON, To: to, Body: text, ...more },
    });
  }

  async function inboundOf(number: string, query = '', at = tenant): Promise<Wire[]> {
    const { body } = await at.api.get(`/v1/inbound?number=${encodeURIComponent(number)}${query}`);
    return body.data;
  }

  /** How much there is of what an inbound message leaves behind. */
  async function counts(): Promise<number[]> {
    const tables = [
      'inbound_messages',
      'inbound_deliveries',
      'inbound_parts',
      'events',
      'provider_events',
      'provider_event_keys',
    ];
    return Promise.all(
      tables.map(async (table) => {
        const [row] = await service.database.database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
        return row!.n;
      }),
    );
  }

  it('assigns a number with those who are told, changes and gives it back', async () => {
    const number = freshNumber();
    const made = await assign(number, {
      delivery: [HOOK, { type: 'email', to: 'support@example.com' }],
      description: 'support',
      timeout_seconds: 10,
      retry_delay_seconds: 60,
      max_attempts: 5,
    });
    expect(made).toMatchObject({
      number,
      channel: 'sms',
      provider: 'twilio',
      config_id: null,
      description: 'support',
      timeout_seconds: 10,
      retry_delay_seconds: 60,
      max_attempts: 5,
      last_sequence: 0,
    });
    expect(made.id).toMatch(/^num_/);
    const [hook, mail] = made.delivery;
    expect(made.delivery).toEqual([
      { id: expect.stringMatching(/^nrc_/), ...HOOK, failing_since: null },
      { id: expect.stringMatching(/^nrc_/), type: 'email', to: 'support@example.com', failing_since: null },
    ]);
    const other = { type: 'webhook', url: 'http://127.0.0.1:9/other', format: 'json' };
    // The webhook becomes another one and keeps its id, as it is the only one that is not named any more.
    const changed = await tenant.api.patch(`/v1/numbers/${made.id}`, {
      delivery: [{ type: 'email', to: 'support@example.com' }, other],
      description: null,
    });
    expect(changed.body.data).toMatchObject({ description: null, timeout_seconds: 10 });
    expect(changed.body.data.delivery).toEqual([{ id: hook.id, ...other, failing_since: null }, { ...mail }]);
    const fewer = await tenant.api.patch(`/v1/numbers/${made.id}`, {
      delivery: [{ id: mail.id, type: 'email', to: 'desk@example.com' }],
    });
    expect(fewer.body.data.delivery).toMatchObject([{ id: mail.id, to: 'desk@example.com' }]);
    const foreign = await tenant.api.patch(`/v1/numbers/${made.id}`, { delivery: [{ ...HOOK, id: mail.id }] });
    expect([foreign.status, foreign.body.errors[0].field]).toEqual([400, 'delivery[0].id']);

    expect((await tenant.api.get(`/v1/numbers?number=${number}`)).body.data).toMatchObject([{ id: made.id }]);
    expect((await tenant.api.delete(`/v1/numbers/${made.id}`)).status).toBe(200);
    expect((await tenant.api.get(`/v1/numbers/${made.id}`)).status).toBe(404);
    await assign(number, {}, rival);
  });

  it('refuses to assign a number twice to a tenant, and tells nobody what another one has', async () => {
    const number = freshNumber();
    await assign(number);
    const spelt = `${number.slice(0, 3)} ${number.slice(3)}`;
    for (const [api, body] of [
      [tenant.api, { number, provider: 'twilio' }],
      [tenant.api, { number: spelt, provider: 'vonage' }],
    ] as const) {
      const again = await api.post('/v1/numbers', { ...body, delivery: [] });
      expect([again.status, again.body.code]).toEqual([409, 'conflict']);
    }
    await assign(number.slice(1), {}, rival);
    // The same number has SMS and WhatsApp.
    await assign(number, { provider: 'whatsapp' });
    const racing = freshNumber();
    const both = await Promise.all(
      [tenant, rival, tenant, rival].map(({ api }) =>
        api.post('/v1/numbers', { number: racing, provider: 'twilio', delivery: [] }),
      ),
    );
    expect(both.map(({ status }, n) => `${n % 2} ${status}`).toSorted()).toEqual(['0 201', '0 409', '1 201', '1 409']);
  });

  it('allows at most 10,000 numbers a tenant', async () => {
    const crowd = await service.tenant({ sms: null, twilio: false, vonage: false });
    await service.database.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, created_at, updated_at)
       SELECT 'num_of_crowd_' || n, $1, '+3933355' || lpad(n::text, 5, '0'), 'sms', 'twilio', now(), now() FROM generate_series(1, 9999) n`,
      [crowd.clientId],
    );
    await assign(freshNumber(), {}, crowd);
    const refused = await crowd.api.post('/v1/numbers', { number: freshNumber(), provider: 'twilio', delivery: [] });
    expect([refused.status, refused.body.detail]).toEqual([409, 'A tenant has at most 10000 numbers.']);
  });

  it('lets each of two tenants have a number, and hands each what its own account proves', async () => {
    const number = freshNumber();
    const [mine, theirs] = [await assign(number), await assign(number, {}, rival)];
    await writes(number, 'for the one');
    await writes(number, 'for the other', {}, rival);
    await writes(number, 'for the other again', {}, rival);
    expect(await inboundOf(number)).toMatchObject([{ text: 'for the one', number_id: mine.id, sequence: 1 }]);
    expect(await inboundOf(number, '', rival)).toMatchObject([
      { text: 'for the other again', number_id: theirs.id, sequence: 2 },
      { text: 'for the other', number_id: theirs.id, sequence: 1 },
    ]);
  });

  it.each([
    ['number', { number: '+39' }],
    ['number', { number: 'hello, world' }],
    ['provider', { provider: 'nobody' }],
    ['provider', { provider: 'sendgrid' }],
    ['config_id', { config_id: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' }],
    ['config_id', { provider: 'telegram', number: 'acme_bot' }],
    ['delivery', { delivery: undefined }],
    ['delivery[0].url', { delivery: [{ type: 'webhook', format: 'form' }] }],
    ['delivery[0].url', { delivery: [{ ...HOOK, url: 'http://169.254.169.254/latest' }] }],
    ['delivery[0].url', { delivery: [{ ...HOOK, url: 'ftp://example.com/' }] }],
    ['delivery[0].format', { delivery: [{ ...HOOK, format: 'xml' }] }],
    ['delivery[0].to', { delivery: [{ type: 'email', to: 'a@b@c' }] }],
    ['delivery[1]', { delivery: [HOOK, HOOK] }],
    ['delivery[0].type', { delivery: [{ type: 'pigeon' }] }],
    ['timeout_seconds', { timeout_seconds: 0 }],
    ['max_attempts', { max_attempts: 1000 }],
    ['nonsense', { nonsense: 1 }],
  ])('refuses a wrong %s', async (field, wrong) => {
    const answer = await tenant.api.post('/v1/numbers', {
      number: freshNumber(),
      provider: 'twilio',
      delivery: [],
      ...wrong,
    });
    expect([answer.status, answer.body.errors?.map((one: Wire) => one.field)]).toEqual([400, [field]]);
  });

  it('keeps each message once, byte for byte, with its place and its event', async () => {
    const number = freshNumber();
    const { id } = await assign(number);
    const text = 'a+b&c=d %41 "q" <b>\n\u{1F642} שלום ‘’ €';
    const sid = { MessageSid: `SM${randomBytes(16).toString('hex')}` };
    const answers = await Promise.all([1, 2, 3, 4].map(() => writes(number, text, sid)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await writes(number, 'with a picture', {
      NumMedia: '1',
      MediaUrl0: 'https://api.twilio.com/1',
      MediaContentType0: 'image/png',
    });
    const all = await inboundOf(number);
    expect(all.map((one) => [one.sequence, one.text])).toEqual([
      [2, 'with a picture'],
      [1, text],
    ]);
    expect(all[1]).toMatchObject({
      number_id: id,
      number,
      from: PERSON,
      to: number,
      channel: 'sms',
      gateway: 'twilio',
      config_id: tenant.twilio.id,
      external_id: sid.MessageSid,
      state: 'received',
      deliveries: [],
    });
    expect(all[0].detail).toMatchObject({ media: [{ url: 'https://api.twilio.com/1', content_type: 'image/png' }] });
    const [event] = (await tenant.events('inbound.received')).filter(({ data }) => data.inbound_id === all[1].id);
    expect(event).toMatchObject({ id: all[1].event_id, data: { number, from: PERSON, text, sequence: 1 } });
    expect((await rival.events('inbound.received')).filter(({ data }) => data.number === number)).toEqual([]);
    expect((await tenant.api.get(`/v1/numbers/${id}`)).body.data.last_sequence).toBe(2);
  });

  it('is changed by nothing that is forged, unsigned or another tenant’s', async () => {
    const number = freshNumber();
    await assign(number);
    const before = await counts();
    const url = `${service.url}/webhook/twilio/inbound/${tenant.twilio.id}`;
    const fields = { MessageSid: `SM${randomBytes(16).toString('hex')}`, From: PERSON, To: number, Body: 'x' };
    const forged = [
      await twilioCallback({ url, authToken: rival.twilio.authToken, fields }),
      await twilioCallback({ url, authToken: tenant.twilio.authToken, fields, forge: (it) => void (it.body += '+') }),
      await twilioCallback({
        url,
        authToken: tenant.twilio.authToken,
        fields,
        forge: (it) => void delete it.headers['x-twilio-signature'],
      }),
    ];
    expect(forged.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(await counts()).toEqual(before);
    // A rival that signs properly for its own account cannot write to this number: it is no number of the rival's.
    expect(await writes(number, 'spoofed', {}, rival)).toMatchObject({ status: 200 });
    expect(await inboundOf(number)).toEqual([]);
    expect(await inboundOf(number, '', rival)).toMatchObject([{ state: 'unmatched', number_id: null, sequence: null }]);
  });

  it('keeps what comes to a number that nobody has, and places it when the number is the tenant’s', async () => {
    const number = freshNumber();
    await writes(number, 'too early');
    await writes(number, 'too early as well');
    const list = await tenant.api.get('/v1/inbound?state=unmatched');
    const early = list.body.data.filter((one: Wire) => one.number === number);
    expect(early).toMatchObject([
      { text: 'too early as well', status: 'unmatched' },
      { text: 'too early', status: 'unmatched', deliveries: [] },
    ]);
    const refused = await tenant.api.post(`/v1/inbound/${early[1].id}/redeliver`);
    expect([refused.status, refused.body.code]).toEqual([409, 'conflict']);
    const { id } = await assign(number);
    await writes(number, 'in time');
    expect((await tenant.api.post('/v1/inbound/redeliver', { status: 'unmatched', number })).body.data).toEqual({
      messages: 0,
      deliveries: 0,
    });
    expect((await inboundOf(number)).map((one) => [one.text, one.sequence, one.state, one.number_id])).toEqual([
      ['in time', 1, 'received', id],
      ['too early as well', 3, 'received', id],
      ['too early', 2, 'received', id],
    ]);
  });

  it.each(['reprocess', 'redeliver'])(
    'delivers what came too early by %s, and its callback is matched',
    async (how) => {
      const number = freshNumber();
      const sid = `SM${randomBytes(16).toString('hex')}`;
      const receiver = await ClientReceiver.start((response) => response.end('+OK'));
      try {
        await writes(number, 'too early', { MessageSid: sid });
        await writes(number, 'another');
        const callback = async (): Promise<Wire> =>
          (await tenant.api.get('/v1/provider-events?limit=200')).body.data.find(
            (one: Wire) => one.external_id === sid,
          );
        const { id, matched } = await callback();
        expect(matched).toBe(false);
        // There is no such number yet.
        expect((await tenant.api.post(`/v1/provider-events/${id}/reprocess`)).body.data.state).toBe('unmatched');
        await assign(number, { delivery: [{ type: 'webhook', url: receiver.url, format: 'json' }] });
        const early = (await inboundOf(number)).find((one) => one.external_id === sid)!;
        const path = how === 'reprocess' ? `/v1/provider-events/${id}/reprocess` : `/v1/inbound/${early.id}/redeliver`;
        for (let time = 0; time < 2; time++) {
          expect((await tenant.api.post(path)).status).toBe(how === 'reprocess' ? 200 : 202);
          expect(await callback()).toMatchObject({ matched: true, state: 'matched' });
        }
        await receiver.waitFor(1);
        expect((await tenant.api.get(`/v1/inbound/${early.id}`)).body.data).toMatchObject({
          state: 'received',
          sequence: 1,
        });
        // The other one waits for its own turn.
        expect((await inboundOf(number, '&state=unmatched')).map((one) => one.text)).toEqual(['another']);
      } finally {
        await receiver.close();
      }
    },
  );

  it('lists by sender, number, time and state, a page at a time', async () => {
    const [number, other] = [freshNumber(), freshNumber()];
    await assign(number);
    await assign(other);
    const start = new Date().toISOString();
    for (let n = 1; n <= 5; n++) await writes(number, `n${n}`, { From: n % 2 ? PERSON : '+393339876543' });
    await writes(other, 'elsewhere');
    const texts = async (query: string): Promise<string[]> =>
      (await tenant.api.get(`/v1/inbound?${query}`)).body.data.map((one: Wire) => one.text);
    expect(await texts(`to=${number}`)).toEqual(['n5', 'n4', 'n3', 'n2', 'n1']);
    expect(await texts(`to=${number}&from=%2B393339876543`)).toEqual(['n4', 'n2']);
    expect(
      await texts(`number=${number}&from=${start}&to=${new Date(Date.now() + 60_000).toISOString()}`),
    ).toHaveLength(5);
    expect(await texts(`number=${number}&to=${start}`)).toEqual([]);
    expect(await texts(`number=${number}&received_from=2999-01-01T00:00:00Z`)).toEqual([]);
    expect(await texts(`number=${number}&state=unmatched`)).toEqual([]);
    expect(await texts(`number=${number}&channel=whatsapp`)).toEqual([]);
    expect(await texts(`number=${number}&delivery_status=dead_letter`)).toEqual([]);
    const pages: string[] = [];
    let cursor = '';
    do {
      const { body } = await tenant.api.get(`/v1/inbound?number=${number}&limit=2${cursor && `&cursor=${cursor}`}`);
      pages.push(...body.data.map((one: Wire) => one.text));
      cursor = body.meta.next_cursor ?? '';
    } while (cursor);
    expect(pages).toEqual(['n5', 'n4', 'n3', 'n2', 'n1']);
    expect((await tenant.api.get('/v1/inbound?received_from=2026-01-01T00:00:60Z')).status).toBe(400);
  });

  it('gives out places without a gap over two processes at once', async () => {
    const number = freshNumber();
    await assign(number, { delivery: [] });
    const second = await service.another();
    try {
      const sent = Array.from({ length: 120 }, (_, n) =>
        writes(number, `m${n}`, {}, tenant, n % 2 ? second.url : service.url),
      );
      expect(new Set((await Promise.all(sent)).map(({ status }) => status))).toEqual(new Set([200]));
    } finally {
      await second.stop();
    }
    const all = await inboundOf(number, '&limit=200');
    expect(all.map((one) => one.sequence).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 120 }, (_, index) => index + 1),
    );
    expect(new Set(all.map((one) => one.text)).size).toBe(120);
  });

  it('joins the parts that Vonage hands over one by one', async () => {
    const number = freshNumber();
    await assign(number, { provider: 'nexmo' });
    const part = async (n: number, text: string): Promise<void> => {
      const body = signedReceipt(tenant.vonage.signatureSecret, {
        'api-key': tenant.vonage.apiKey,
        msisdn: PERSON.slice(1),
        to: number.slice(1),
        messageId: randomBytes(8).toString('hex'),
        text,
        type: 'unicode',
        concat: 'true',
        'concat-ref': '77',
        'concat-total': '3',
        'concat-part': String(n),
        'message-timestamp': '2026-11-22 09:00:00',
        timestamp: String(Math.floor(Date.now() / 1000)),
        nonce: randomBytes(4).toString('hex'),
      }).toString();
      const answer = await request(`${service.url}/webhook/vonage/inbound/${tenant.vonage.id}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body,
      });
      expect([answer.statusCode, await answer.body.text()]).toEqual([200, '']);
    };
    await part(3, 'три');
    await part(1, 'один ');
    expect(await inboundOf(number)).toEqual([]);
    await part(2, 'два ');
    expect(await inboundOf(number)).toMatchObject([
      { text: 'один два три', sequence: 1, from: PERSON, detail: { parts: { total: 3 } } },
    ]);
  });

  describe('by Agile Telecom', () => {
    let url: URL;
    let number: string;
    const fields = (over: Record<string, string> = {}): Record<string, string> => ({
      originator: PERSON,
      destination: number,
      date_time: '20261122093015',
      text: 'Ciao + & = \u{1F642}',
      ...over,
    });

    async function post(body: Record<string, string>, at: string | URL = url): Promise<[number, string, unknown]> {
      const answer = await request(at, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(body).toString(),
      });
      return [answer.statusCode, await answer.body.text(), answer.headers['content-type']];
    }

    const TAKEN = [200, '+OK', 'text/plain'];

    beforeAll(async () => {
      const made = await tenant.api.post('/communication/agile/configs/', { display_name: 'SIM', status: 'active' });
      assertStatus(made, 201);
      const { id } = made.body.data;
      const urls = await tenant.api.get(`/communication/agile/configs/${id}/callback-urls`);
      url = new URL(urls.body.data.callback_urls_with_token.inbound);
      expect(url.pathname).toBe(`/webhook/agile/inbound/${id}`);
      service.secrets.add(url.searchParams.get('token')!);
      number = freshNumber();
      await assign(number, { provider: 'agile' });
    });

    it('takes a message once and says +OK, each time', async () => {
      expect(await Promise.all([1, 2, 3].map(() => post(fields())))).toEqual([TAKEN, TAKEN, TAKEN]);
      expect(await post(fields({ date_time: '20261122093016' }))).toEqual(TAKEN);
      const anywhere = new URL(url);
      anywhere.pathname = '/webhook/agile/inbound';
      expect(await post(fields(), anywhere)).toEqual(TAKEN);
      expect(await post(fields({ text: 'third' }), anywhere)).toEqual(TAKEN);
      expect(await inboundOf(number)).toMatchObject([
        { sequence: 3, text: 'third' },
        { sequence: 2 },
        { sequence: 1, text: 'Ciao + & = \u{1F642}', from: PERSON, external_id: null, gateway: 'agile' },
      ]);
    });

    it('believes nobody without the token', async () => {
      const before = await counts();
      for (const token of [undefined, '', 'x', `${url.searchParams.get('token')}x`]) {
        for (const pathname of [url.pathname, '/webhook/agile/inbound']) {
          const forged = new URL(pathname, url);
          if (token !== undefined) forged.searchParams.set('token', token);
          expect((await post(fields({ text: 'forged' }), forged))[0]).toBe(401);
        }
      }
      expect(await counts()).toEqual(before);
    });

    it('sends nothing', async () => {
      const config = url.pathname.split('/').at(-1)!;
      for (const primary of ['agile', config]) {
        const routed = await tenant.api.put('/v1/gateways', { gateways: { sms: { primary } } });
        expect([routed.status, routed.body.errors[0]]).toMatchObject([
          400,
          { field: 'gateways.sms.primary', code: 'inbound_only' },
        ]);
        const sent = await tenant.api.post('/v1/sms/send', { to: PERSON, message: 'x', provider: primary });
        expect([sent.status, sent.body.code]).toEqual([422, 'no_gateway_available']);
      }
      expect((await tenant.api.post('/communication/agile/sms/', { to: PERSON, body: 'x' })).status).toBe(404);
      expect((await tenant.api.post(`/communication/agile/configs/${config}/test`)).body.data.healthy).toBe(true);
    });
  });

  it('shows every try, and begins a new round for dead letters, one or many', async () => {
    const [number, slow] = [freshNumber(), freshNumber()];
    const [broken, sound] = await Promise.all([
      ClientReceiver.start((response) => response.end('sorry')),
      ClientReceiver.start((response) => response.end('+OK')),
    ]);
    try {
      const { id } = await assign(number, {
        delivery: [
          { type: 'webhook', url: broken.url, format: 'form' },
          { type: 'webhook', url: sound.url, format: 'form' },
        ],
        max_attempts: 1,
      });
      const settled = (status: string) => (all: Wire[]) =>
        all.every(({ deliveries }) => deliveries.length > 0 && deliveries.every((one: Wire) => one.status === status));
      for (const text of ['one', 'two', 'three']) await writes(number, text);
      const dead = await eventually(
        () => inboundOf(number, '&delivery_status=dead_letter'),
        (all) => all.length === 3 && all.every(({ deliveries }) => deliveries[1].status === 'succeeded'),
      );
      expect(dead.map(({ status }) => status)).toEqual(['dead_letter', 'dead_letter', 'dead_letter']);
      expect(dead[0].deliveries[0]).toMatchObject({
        url: broken.url,
        format: 'form',
        status: 'dead_letter',
        attempts: 1,
      });
      const shown = await tenant.api.get(`/v1/inbound/${dead[0].id}`);
      expect(shown.body.data.deliveries[0].tries).toMatchObject([
        { result: 'failed', status_code: 200, response: 'sorry', error: 'not_acknowledged' },
      ]);
      expect(shown.body.data.status).toBe('dead_letter');
      expect(shown.body.data.deliveries[1].tries).toMatchObject([{ result: 'succeeded', response: '+OK' }]);

      broken.answer = (response) => response.end('+OK');
      const again = await tenant.api.post(`/v1/inbound/${dead[0].id}/redeliver`);
      expect(again.status).toBe(202);
      const done = await eventually(
        () => tenant.api.get(`/v1/inbound/${dead[0].id}`),
        ({ body }) => settled('succeeded')([body.data]),
      );
      expect(done.body.data.deliveries[0].tries).toMatchObject([{ result: 'failed' }, { result: 'succeeded' }]);
      expect(done.body.data.status).toBe('delivered');
      const many = await tenant.api.post('/v1/inbound/redeliver', { number: id });
      expect([many.status, many.body.data]).toEqual([202, { messages: 2, deliveries: 2 }]);
      await eventually(() => inboundOf(number), settled('succeeded'));
      expect(sound.received).toHaveLength(3);
      // Nothing is dead any more, so one that is asked for by name goes to all.
      await tenant.api.post(`/v1/inbound/${dead[0].id}/redeliver`, {});
      await sound.waitFor(4);
      expect(new Set(sound.received.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
      const nobody = await tenant.api.post(`/v1/inbound/${dead[1].id}/redeliver`, { deliveries: 'dead_letter' });
      expect(nobody.status).toBe(202);

      // Who is told of nothing can still be told later.
      const { id: slowId } = await assign(slow);
      await writes(slow, 'kept');
      const [kept] = await inboundOf(slow);
      expect((await tenant.api.post(`/v1/inbound/${kept.id}/redeliver`)).status).toBe(409);
      await tenant.api.patch(`/v1/numbers/${slowId}`, {
        delivery: [{ type: 'webhook', url: sound.url, format: 'form' }],
      });
      assertStatus(await tenant.api.post(`/v1/inbound/${kept.id}/redeliver`), 202);
      await eventually(() => inboundOf(slow), settled('succeeded'));
      expect(sound.received.at(-1)!.body).toContain('text=kept');
    } finally {
      await broken.close();
      await sound.close();
    }
  });
});
