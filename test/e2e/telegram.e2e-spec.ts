import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, logLines, Service, type Tenant } from '../support/e2e-service';

const MAGIC = {
  delivered: '5005550000',
  unknown: '5005550001',
  throttled: '5005550003',
  down: '5005550004',
  reply: '5005550012',
};

describe('Telegram', () => {
  let service: Service;
  let tenant: Tenant;
  let other: Tenant;
  let config: string;
  let chats = 700_000_000;

  const freshToken = (): string => {
    const token = `${++chats}:AA${randomBytes(24).toString('base64url')}`;
    service.secrets.add(token);
    return token;
  };

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    other = await service.tenant({ twilio: false, vonage: false, sms: null });
    for (const one of [tenant, other]) {
      const telegram = { primary: 'telegram_bot', bot_token: freshToken(), on_ambiguous: 'hold', reconcile_seconds: 0 };
      assertStatus(await one.api.put('/v1/gateways', { gateways: { telegram } }), 200);
    }
    config = (await tenant.api.get('/communication/telegram/configs/')).body.data[0].id;
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => {
    expect(service.errorLines()).toEqual([]);
    for (const secret of service.secrets) expect(logLines.some((line) => line.includes(secret))).toBe(false);
  });

  async function send(body: object, from = tenant): Promise<string> {
    const sent = await from.api.post('/v1/telegram/send', body);
    assertStatus(sent, 202);
    expect(sent.body.data).toMatchObject({ channel: 'telegram', status: 'queued', segments: null });
    return sent.body.data.message_id;
  }
  const settled = (id: string, from = tenant) =>
    from.until(id, ({ status }) => status !== 'queued' && status !== 'sending');
  const received = async (to: string | number): Promise<Wire[]> =>
    (await service.anonymous.get(`/simulator/messages?provider=telegram_bot&to=${encodeURIComponent(to)}`)).body.data;
  const providerEvents = async (who = tenant): Promise<Wire[]> =>
    (await who.api.get('/v1/provider-events?limit=200&provider=telegram_bot')).body.data;
  const fields = (answer: { body: Wire }) =>
    answer.body.errors.map(({ field, code }: { field: string; code: string }) => `${field} ${code}`);

  it('takes the bot token with the routes, makes an active config of it and never shows it again', async () => {
    const read = await tenant.api.get('/v1/gateways');
    expect(read.body.data.gateways).toEqual({
      telegram: { primary: 'telegram_bot', bot_token: 'encrypted', on_ambiguous: 'hold', reconcile_seconds: 0 },
    });
    // As it was read it may be given back.
    assertStatus(await tenant.api.put('/v1/gateways', { gateways: read.body.data.gateways }), 200);
    const configs = (await tenant.api.get('/communication/telegram/configs/')).body.data;
    expect(configs).toHaveLength(1);
    expect(configs[0]).toMatchObject({
      status: 'active',
      callback_urls: { events: `${service.url}/webhook/telegram/events/${config}` },
    });
    expect(configs[0].credentials).toEqual({ bot_token_ref: expect.stringMatching(/^db:/) });
  });

  it('sends a text, and is done when Telegram has it', async () => {
    const to = String(++chats);
    const message = await settled(await send({ to, message: '<b>Hi</b> 😀', parse_mode: 'HTML' }));
    expect(message).toMatchObject({
      status: 'sent',
      final: true,
      to,
      gateway: 'telegram_bot',
      external_id: `${to}:${(message.external_id as string).split(':')[1]}`,
      attempts: [{ outcome: 'accepted', config_id: config }],
    });
    expect(await received(to)).toMatchObject([{ body: '<b>Hi</b> 😀', external_id: message.external_id }]);
  });

  it('takes a chat id as a number, a channel by its name, and a file with both texts under it', async () => {
    const group = -1_000_000_000_000 - ++chats;
    await settled(await send({ to: group, message: 'to a group' }));
    expect(await received(group)).toMatchObject([{ body: 'to a group' }]);
    const url = 'https://cdn.example.com/parcel.jpg';
    await settled(await send({ to: '@acme_e2e', message: 'Look', media: { url, caption: 'Your parcel' } }));
    expect(await received('@acme_e2e')).toMatchObject([{ body: `${url}\nLook\n\nYour parcel` }]);
    await settled(await send({ to: '@acme_e2e_2', media: { url }, disable_notification: true }));
    expect(await received('@acme_e2e_2')).toMatchObject([{ body: url }]);
  });

  it.each<[string, object, string[]]>([
    ['nothing to say', { to: '5' }, ['message required']],
    ['a blank text', { to: '5', message: ' ' }, ['message required']],
    ['a long text', { to: '5', message: 'x'.repeat(4097) }, ['message invalid_value']],
    [
      'a long caption',
      { to: '5', message: 'x'.repeat(1000), media: { url: 'https://x.example/a.jpg', caption: 'y'.repeat(30) } },
      ['message too_long'],
    ],
    ['a name without @', { to: 'acme', message: 'x' }, ['to invalid_chat']],
    ['a phone number', { to: '+46700000000', message: 'x' }, ['to invalid_chat']],
    ['a fraction', { to: 5.5, message: 'x' }, ['to invalid_value']],
    ['another parse mode', { to: '5', message: 'x', parse_mode: 'html' }, ['parse_mode invalid_value']],
    ['an address that is none', { to: '5', media: { url: 'ftp://x.example/a' } }, ['media.url invalid_url']],
    ['a field of another channel', { to: '5', message: 'x', from: 'Acme' }, ['from unknown_field']],
  ])('refuses %s', async (_, body, expected) => {
    const answer = await tenant.api.post('/v1/telegram/send', body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(fields(answer)).toEqual(expected);
  });

  it('sends nothing for a sandbox message, and nothing twice for one key', async () => {
    const to = String(++chats);
    const body = { to, message: 'x' };
    const simulated = await tenant.api.post('/v1/telegram/send', { ...body, sandbox: true });
    expect([simulated.status, simulated.body.data.would_use_gateway]).toEqual([200, 'telegram_bot']);
    const key = { 'idempotency-key': `telegram-${to}` };
    const ids = await Promise.all([1, 2, 3].map(() => tenant.api.post('/v1/telegram/send', body, key)));
    expect(new Set(ids.map(({ body: answer }) => answer.data.message_id)).size).toBe(1);
    await settled(ids[0]!.body.data.message_id);
    expect(await received(to)).toHaveLength(1);
  });

  it('fails for an unknown chat at once, and keeps what Telegram said', async () => {
    const message = await settled(await send({ to: MAGIC.unknown, message: 'x' }));
    expect(message).toMatchObject({
      status: 'failed',
      error_code: 'unknown_chat',
      attempts: [{ outcome: 'recipient_permanent', error_code: '400', error_message: 'Bad Request: chat not found' }],
    });
  });

  it('waits for a chat that is throttled as long as told, and meanwhile writes to others', async () => {
    const waiting = await send({ to: MAGIC.throttled, message: `slow ${++chats}` });
    await tenant.until(waiting, ({ waiting_on: reason }) => reason === 'gateway_rate');
    const to = String(++chats);
    const quick = await settled(await send({ to, message: 'quick' }));
    expect(quick.status).toBe('sent');
    const slow = await settled(waiting);
    expect(slow.attempts.map(({ outcome }: Wire) => outcome)).toEqual(['throttled', 'accepted']);
    const [first, second] = slow.attempts as [Wire, Wire];
    expect(Date.parse(second.started_at) - Date.parse(first.finished_at)).toBeGreaterThanOrEqual(1_990);
    expect(Date.parse(quick.attempts[0].finished_at)).toBeLessThan(Date.parse(second.started_at));
  });

  it('does not know what a 500 means, and holds the message as the channel says', async () => {
    const message = await settled(await send({ to: MAGIC.down, message: 'x' }));
    expect(message).toMatchObject({
      status: 'failed',
      error_code: 'outcome_unknown',
      attempts: [{ outcome: 'unknown', error_code: '500' }],
    });
  });

  it('receives what people write, through the webhook that it has set with its own secret', async () => {
    const text = `Are you at home? ${++chats}`;
    await settled(await send({ to: MAGIC.reply, message: text }));
    const event = await eventually(
      async () => (await providerEvents()).find(({ normalized }) => normalized?.text === `Re: ${text}`),
      (found) => found !== undefined,
    );
    expect(event).toMatchObject({
      kind: 'events',
      config_id: config,
      normalized: { kind: 'inbound', from: MAGIC.reply, text: `Re: ${text}`, detail: { sender: { is_bot: false } } },
    });
    expect((await providerEvents(other)).some(({ normalized }) => normalized?.text === `Re: ${text}`)).toBe(false);
  });

  it.each([
    ['without a secret', {}],
    ['with an empty secret', { 'x-telegram-bot-api-secret-token': '' }],
    ['with another secret', { 'x-telegram-bot-api-secret-token': 'a'.repeat(32) }],
  ])('believes no update %s', async (_, headers) => {
    const before = (await providerEvents()).length;
    const body = JSON.stringify({ update_id: 1, message: { message_id: 1, date: 1, chat: { id: 1 }, text: 'forged' } });
    for (const path of [`/webhook/telegram/events/${config}`, '/webhook/telegram/events']) {
      const answer = await request(service.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
      expect(answer.statusCode).toBe(401);
      expect(JSON.parse(await answer.body.text()).code).toBe('invalid_signature');
    }
    expect(await providerEvents()).toHaveLength(before);
  });

  it('takes each update once, writes no more to who has blocked the bot, and again once the person writes', async () => {
    const secret = `own-secret_${++chats}`;
    service.secrets.add(secret);
    const made = await tenant.api.post('/communication/telegram/configs/', {
      status: 'active',
      credentials: { bot_token: freshToken(), webhook_secret: secret },
    });
    assertStatus(made, 201);
    const { id } = made.body.data;
    const person = ++chats;
    const chat = { id: person, type: 'private' };
    const updates = async (update: object, path = `events/${id}`) => {
      const answer = await request(`${service.url}/webhook/telegram/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': secret },
        body: JSON.stringify(update),
      });
      expect([answer.statusCode, await answer.body.text()]).toEqual([200, '']);
    };
    const blocked = {
      update_id: 4711,
      my_chat_member: { chat, from: { id: person }, date: 1_795_334_400, new_chat_member: { status: 'kicked' } },
    };
    // Each kind takes everything, and without a config id the secret tells whose it is.
    for (const path of [`events/${id}`, `inbound/${id}`, 'events', 'inbound']) await updates(blocked, path);
    const events = (await providerEvents()).filter(({ config_id: of }) => of === id);
    expect(events).toMatchObject([{ normalized: { type: 'unsubscribed', recipient: String(person) } }]);
    const body = { to: person, message: 'x' };
    expect(await settled(await send(body))).toMatchObject({ status: 'failed', error_code: 'suppressed', attempts: [] });
    await updates({
      update_id: 4712,
      message: { message_id: 1, date: 1_795_334_500, chat, from: { id: person }, text: '/start' },
    });
    expect(await settled(await send(body))).toMatchObject({ status: 'sent' });
    expect(await received(person)).toHaveLength(1);
  });

  it('keeps a config whose token Telegram refuses, in error, until it gets a good one', async () => {
    const token = `${++chats}:invalid${randomBytes(16).toString('hex')}`;
    service.secrets.add(token);
    const made = await tenant.api.post('/communication/telegram/configs/', {
      status: 'active',
      credentials: { bot_token: token },
    });
    assertStatus(made, 201);
    expect(made.body.data).toMatchObject({
      status: 'error',
      last_error: { code: 'bad_credentials', message: 'Unauthorized', provider_code: '401' },
    });
    const { id } = made.body.data;
    const test = await tenant.api.post(`/communication/telegram/configs/${id}/test`);
    expect(test.body.data).toMatchObject({ healthy: false, error_class: 'config', status: 'error' });
    assertStatus(
      await tenant.api.patch(`/communication/telegram/configs/${id}`, { credentials: { bot_token: freshToken() } }),
      200,
    );
    await eventually(
      async () => (await tenant.api.get(`/communication/telegram/configs/${id}`)).body.data.status,
      (status) => status === 'active',
    );
    const types = (await tenant.events()).filter(({ data }) => data.config_id === id).map(({ event }) => event);
    expect(types).toEqual(['config.error', 'alert.raised', 'config.recovered', 'alert.cleared']);
  });

  it('refuses a token that cannot be one, and makes nothing of it', async () => {
    const stranger = await service.tenant({ twilio: false, vonage: false, sms: null });
    const answer = await stranger.api.put('/v1/gateways', {
      gateways: { telegram: { primary: 'telegram_bot', bot_token: 'not a token' } },
    });
    expect([answer.status, fields(answer)]).toEqual([400, ['gateways.telegram.bot_token invalid_format']]);
    expect((await stranger.api.get('/communication/telegram/configs/')).body.data).toEqual([]);
  });

  it('tells Telegram again where to report when it has started anew', async () => {
    // The stand-in forgets what it was told, as a bot does whose webhook somebody else has taken.
    await service.restart();
    const text = `Still there? ${++chats}`;
    await eventually(
      async () => {
        await settled(await send({ to: MAGIC.reply, message: text }));
        return (await providerEvents()).some(({ normalized }) => normalized?.text === `Re: ${text}`);
      },
      (arrived) => arrived,
    );
  });
});
