import { createHmac } from 'node:crypto';
import { request } from 'undici';
import { eventually, type ApiAnswer, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';

interface Account {
  id: string;
  numberId: string;
  businessId: string;
  appSecret: string;
  verifyToken: string;
}

let accounts = 0;

describe('WhatsApp', () => {
  let service: Service;
  let tenant: Tenant;
  let other: Tenant;
  let meta: Account;
  let others: Account;
  let twilio: string;

  async function metaAccount(owner: Tenant, over: { credentials?: object; [name: string]: unknown } = {}) {
    const n = ++accounts;
    const account: Account = {
      id: '',
      numberId: String(106_540_352_242_000 + n),
      businessId: String(419_561_257_915_000 + n),
      appSecret: `app-secret-${n}-0123456789abcdef`,
      verifyToken: `verify-token-${n}-0123456789`,
    };
    const config = await owner.api.post('/communication/whatsapp/configs/', {
      display_name: 'WhatsApp',
      status: 'active',
      display_phone_number: '+1 555 078 3881',
      default_language_code: 'en_US',
      ...over,
      credentials: {
        access_token: `access-token-${n}-0123456789`,
        phone_number_id: account.numberId,
        business_account_id: account.businessId,
        webhook_verify_token: account.verifyToken,
        app_secret: account.appSecret,
        ...over.credentials,
      },
    });
    assertStatus(config, 201);
    for (const secret of [account.appSecret, account.verifyToken, `access-token-${n}-0123456789`])
      service.secrets.add(secret);
    return { ...account, id: config.body.data.id as string };
  }

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    other = await service.tenant({ twilio: false, vonage: false, sms: null });
    meta = await metaAccount(tenant);
    others = await metaAccount(other);
    const config = await tenant.api.post('/communication/twilio-whatsapp/configs/', {
      status: 'active',
      credentials: { account_sid: `AC${'e'.repeat(32)}`, auth_token: 'twilio-token-0123456789' },
      from_number: '+15005550006',
    });
    assertStatus(config, 201);
    twilio = config.body.data.id;
    for (const one of [tenant, other])
      assertStatus(await one.api.put('/v1/gateways', { gateways: { whatsapp: { primary: 'meta_cloud' } } }), 200);
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  async function send(body: object, from = tenant): Promise<string> {
    const sent = await from.api.post('/v1/whatsapp/send', body);
    assertStatus(sent, 202);
    expect(sent.body.data).toMatchObject({ channel: 'whatsapp', status: 'queued', segments: null });
    return sent.body.data.message_id;
  }
  const received = async (to: string): Promise<Wire> =>
    (await service.anonymous.get(`/simulator/messages?to=${encodeURIComponent(to)}`)).body.data[0];
  const providerEvents = async (who = tenant): Promise<Wire[]> =>
    (await who.api.get('/v1/provider-events?limit=200')).body.data;
  const contentSid = `HX${'a'.repeat(32)}`;

  describe.each(['meta_cloud', 'twilio_whatsapp'])('by %s', (provider) => {
    const template =
      provider === 'meta_cloud'
        ? { name: 'order_shipped', language: 'en_US', parameters: ['Ann', '8121'] }
        : { name: contentSid, language: 'en', parameters: ['Ann', '8121'] };

    it('a message is sent, delivered and read, and says when', async () => {
      const to = '+15005550015';
      const id = await send({ to, message: 'Your parcel is here.', provider });
      const message = await tenant.until(id, ({ status }) => status === 'read');
      expect(message).toMatchObject({ final: true, gateway: provider, content: { text: 'Your parcel is here.' } });
      expect(message.events.map((one: Wire) => one.event)).toEqual([
        'message.queued',
        'message.sent',
        'message.delivered',
        'message.read',
      ]);
      const events = await tenant.events('message.read');
      expect(events.filter(({ data }) => data.message_id === id)).toHaveLength(1);
      expect(await received(to)).toMatchObject({ provider, reference: id, body: 'Your parcel is here.' });
    });

    it('a template is delivered with its values', async () => {
      const to = freshNumber();
      const id = await send({ to, template, provider });
      await tenant.until(id, ({ status }) => status === 'delivered');
      expect((await received(to)).body).toBe(
        provider === 'meta_cloud' ? 'order_shipped (en_US) | Ann | 8121' : `${contentSid}{"1":"Ann","2":"8121"}`,
      );
    });

    it('a document is delivered with its caption', async () => {
      const to = freshNumber();
      const media = { url: 'https://cdn.example.com/invoice.pdf', caption: 'Your invoice' };
      const id = await send({ to, media, provider });
      const message = await tenant.until(id, ({ status }) => status === 'delivered');
      expect(message.content).toEqual({ media });
      expect((await received(to)).body).toBe('Your invoice');
    });

    it('free text outside the window fails with window_closed, a template is delivered', async () => {
      const to = '+15005550016';
      const text = await send({ to, message: 'Hello?', provider });
      const failed = await tenant.until(text, ({ final }) => final);
      expect(failed).toMatchObject({
        status: provider === 'meta_cloud' ? 'failed' : 'undelivered',
        error_code: 'window_closed',
      });
      const id = await send({ to, template, provider });
      await tenant.until(id, ({ status }) => status === 'delivered');
    });

    it('a recipient that is not there, a refusal and an answer are told', async () => {
      const refused = await send({ to: '+15005550001', message: 'x', provider });
      const reason = provider === 'meta_cloud' ? 'recipient_unreachable' : 'invalid_recipient';
      await tenant.until(refused, (one) => one.status === 'failed' && one.error_code === reason);
      const undelivered = await send({ to: '+15005550002', message: 'x', provider });
      await tenant.until(undelivered, ({ final }) => final);
      const answered = await send({ to: '+15005550012', message: 'How are you?', provider });
      await tenant.until(answered, ({ status }) => status === 'delivered');
      const inbound = await eventually(
        async () =>
          (await providerEvents()).find((one) => one.provider === provider && one.normalized.kind === 'inbound'),
        (one) => one !== undefined,
      );
      expect(inbound.normalized).toMatchObject({
        from: '+15005550012',
        text: 'Re: How are you?',
        detail: { profile_name: 'Ann Simulated' },
      });
    });

    it('callbacks that overtake the answer, come twice or in another order end the same', async () => {
      for (const to of ['+15005550008', '+15005550009', '+15005550010']) {
        const id = await send({ to, message: `to ${to}`, provider });
        await tenant.until(id, ({ status }) => status === 'delivered');
      }
    });
  });

  it('sends two tenants’ messages from their own numbers only', async () => {
    const [mine, theirs] = [freshNumber(), freshNumber()];
    const ids = await Promise.all([send({ to: mine, message: 'a' }), send({ to: theirs, message: 'b' }, other)]);
    await tenant.until(ids[0]!, ({ status }) => status === 'delivered');
    await other.until(ids[1]!, ({ status }) => status === 'delivered');
    assertStatus(await tenant.api.get(`/v1/messages/${ids[1]}`), 404);
  });

  it.each([
    ['nothing to say', {}, 'message', 'required'],
    ['a blank text', { message: '  ' }, 'message', 'required'],
    ['two things to say', { message: 'x', media: { url: 'https://a.example/a.jpg' } }, 'message', 'conflict'],
    ['a long text', { message: 'x'.repeat(4097) }, 'message', 'invalid_value'],
    ['a template without a name', { template: { language: 'en' } }, 'template.name', 'required'],
    [
      'a parameter that is a number',
      { template: { name: 'a', parameters: [1] } },
      'template.parameters',
      'invalid_type',
    ],
    ['media that are no address', { media: { url: 'nonsense' } }, 'media.url', 'invalid_url'],
    ['media of another scheme', { media: { url: 'ftp://a.example/a' } }, 'media.url', 'invalid_url'],
    ['an unknown field', { message: 'x', template_name: 'y' }, 'template_name', 'unknown_field'],
    ['a sender that is not the config’s', { message: 'x', from: '+46701234567' }, 'from', 'invalid_sender'],
    ['a bad sender', { message: 'x', from: 'Acme' }, 'from', 'invalid_phone_number'],
    ['a bad recipient', { message: 'x', to: '12' }, 'to', 'invalid_phone_number'],
  ])('refuses %s', async (_, body, field, code) => {
    const answer = await tenant.api.post('/v1/whatsapp/send', { to: freshNumber(), ...body });
    assertStatus(answer, 400);
    expect(answer.body.errors.map((one: Wire) => [one.field.replace(/\[\d+\]$/, ''), one.code])).toContainEqual([
      field,
      code,
    ]);
  });

  it('is an item of a batch, and tells what it would do', async () => {
    const batch = await tenant.api.post('/v1/messages/batch', {
      messages: [
        { channel: 'whatsapp', to: freshNumber(), template: { name: 'hello' } },
        { channel: 'whatsapp', to: freshNumber() },
      ],
    });
    assertStatus(batch, 202);
    expect(batch.body.data).toMatchObject({ accepted: 1, rejected: 1 });
    const dry = await tenant.api.post('/v1/whatsapp/send', { to: freshNumber(), message: 'x', dry_run: true });
    assertStatus(dry, 200);
    expect(dry.body.data.candidates).toMatchObject([{ gateway: 'meta_cloud', config_id: meta.id }]);
  });

  describe('the verification question of Meta', () => {
    const question = (token: string, path = '', challenge = '1158201444') =>
      request(
        `${service.url}/webhook/whatsapp/events${path}?hub.mode=subscribe&hub.challenge=${challenge}&hub.verify_token=${token}`,
      );

    it.each([
      ['with a config id', () => `/${meta.id}`],
      ['without one', () => ''],
    ])('%s is answered with the challenge as plain text', async (_, path) => {
      const answer = await question(meta.verifyToken, path());
      expect([answer.statusCode, await answer.body.text()]).toEqual([200, '1158201444']);
      expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    });

    it.each([
      ['a wrong token', () => ['wrong', '']],
      ['a wrong token for a config', () => ['wrong', `/${meta.id}`]],
      ['no token', () => ['', `/${meta.id}`]],
      ['another config’s token', () => [others.verifyToken, `/${meta.id}`]],
      ['a config that is none', () => [meta.verifyToken, '/cfg_01kaqz9yq8e5v6m3c2n1b0a9s8']],
    ])('with %s is refused', async (_, given) => {
      const [token, path] = given();
      const answer = await question(token!, path);
      expect(answer.statusCode).toBe(401);
      expect(((await answer.body.json()) as Wire).code).toBe('invalid_signature');
    });
  });

  describe('webhooks of Meta', () => {
    const change = (account: Account, value: object) => ({
      field: 'messages',
      value: {
        messaging_product: 'whatsapp',
        metadata: { display_phone_number: '15550783881', phone_number_id: account.numberId },
        ...value,
      },
    });
    const entry = (account: Account, ...changes: object[]) => ({ id: account.businessId, changes });
    const status = (externalId: string, word: string, more: object = {}) => ({
      statuses: [{ id: externalId, status: word, timestamp: '1763800000', recipient_id: '393331234567', ...more }],
    });
    const text = (id: string, body: string) => ({
      contacts: [{ profile: { name: 'Ann' }, wa_id: '393331234567' }],
      messages: [{ from: '393331234567', id, timestamp: '1763800000', type: 'text', text: { body } }],
    });

    async function post(
      entries: object[],
      how: { secret?: string; path?: string; forge?: (headers: Record<string, string>, body: string) => string } = {},
    ): Promise<{ status: number; code?: string }> {
      const body = JSON.stringify({ object: 'whatsapp_business_account', entry: entries });
      const digest = createHmac('sha256', how.secret ?? meta.appSecret)
        .update(body)
        .digest('hex');
      const headers: Record<string, string> = {
        'content-type': 'application/json',
        'x-hub-signature-256': `sha256=${digest}`,
      };
      const sent = how.forge?.(headers, body) ?? body;
      const answer = await request(`${service.url}/webhook/whatsapp/${how.path ?? `events/${meta.id}`}`, {
        method: 'POST',
        headers,
        body: sent,
      });
      const said = await answer.body.text();
      return { status: answer.statusCode, ...(said.startsWith('{') && { code: JSON.parse(said).code as string }) };
    }

    async function sent(owner = tenant): Promise<{ id: string; externalId: string }> {
      const id = await send({ to: '+15005550013', message: `x ${Math.random()}`, provider: 'meta_cloud' }, owner);
      const { external_id: externalId } = await owner.until(id, (one) => one.status === 'sent');
      return { id, externalId };
    }

    it.each(['events', 'status', 'inbound'])('are taken as %s, with and without a config id', async (kind) => {
      for (const path of [`${kind}/${meta.id}`, kind]) {
        const { id, externalId } = await sent();
        expect(await post([entry(meta, change(meta, status(externalId, 'read')))], { path })).toEqual({ status: 200 });
        const message = await tenant.message(id);
        expect(message.status).toBe('read');
        expect(message.events.at(-1)).toMatchObject({ event: 'message.read', at: '2025-11-22T08:26:40.000Z' });
      }
    });

    it('that are not signed, or by somebody else, change nothing', async () => {
      const { id, externalId } = await sent();
      const entries = [entry(meta, change(meta, status(externalId, 'delivered')))];
      const forgeries: Array<Parameters<typeof post>[1]> = [
        { secret: 'wrong' },
        { secret: others.appSecret },
        { path: `events/${others.id}` },
        { path: 'events', secret: others.appSecret },
        { path: 'events/cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' },
        { path: `events/${twilio}` },
        { forge: (headers, body) => (delete headers['x-hub-signature-256'], body) },
        { forge: (headers, body) => ((headers['x-hub-signature-256'] = ''), body) },
        { forge: (headers, body) => ((headers['x-hub-signature-256'] = 'sha256='), body) },
        { forge: (_, body) => body.replace('delivered', 'read') },
        { forge: (_, body) => `${body} ` },
        { forge: () => '' },
      ];
      for (const forgery of forgeries)
        expect([forgery, await post(entries, forgery)]).toEqual([forgery, { status: 401, code: 'invalid_signature' }]);
      expect((await tenant.message(id)).status).toBe('sent');
      expect((await providerEvents()).filter((one) => one.external_id === externalId)).toEqual([]);
    });

    it('are stored once, and move nothing backwards', async () => {
      const { id, externalId } = await sent();
      for (const word of ['read', 'delivered', 'read', 'sent', 'read'])
        expect(await post([entry(meta, change(meta, status(externalId, word)))])).toEqual({ status: 200 });
      expect((await tenant.message(id)).status).toBe('read');
      expect((await providerEvents()).filter((one) => one.external_id === externalId)).toHaveLength(3);
    });

    it('with an unknown word or message are kept', async () => {
      const { id, externalId } = await sent();
      const entries = [
        entry(meta, change(meta, status(externalId, 'teleported'))),
        entry(meta, change(meta, status('wamid.nobody', 'read'))),
      ];
      expect(await post(entries)).toEqual({ status: 200 });
      expect((await tenant.message(id)).status).toBe('sent');
      const events = await providerEvents();
      expect(events.find((one) => one.external_id === 'wamid.nobody')).toMatchObject({ matched: false });
      expect(events.find((one) => one.external_id === externalId)).toMatchObject({ matched: false });
    });

    it('may hold many entries', async () => {
      const messages = await Promise.all(Array.from({ length: 6 }, () => sent()));
      const entries = messages.map(({ externalId }, index) =>
        entry(
          meta,
          change(meta, status(externalId, index % 2 ? 'delivered' : 'read')),
          change(meta, text(`wamid.t${index}`, `t${index}`)),
        ),
      );
      expect(await post(entries)).toEqual({ status: 200 });
      for (const [index, { id }] of messages.entries())
        expect((await tenant.message(id)).status).toBe(index % 2 ? 'delivered' : 'read');
      const ids = (await providerEvents()).map((one) => one.external_id);
      for (let index = 0; index < messages.length; index++) expect(ids).toContain(`wamid.t${index}`);
    });

    it('of one app that serves several tenants go to each what is its own', async () => {
      const shared = 'shared-app-secret-0123456789abcdef';
      service.secrets.add(shared);
      const mine = await metaAccount(tenant, { credentials: { app_secret: shared } });
      const theirs = await metaAccount(other, { credentials: { app_secret: shared } });
      const stranger = await metaAccount(other);
      const entries = [
        entry(mine, change(mine, text('wamid.mine', 'for the one'))),
        entry(theirs, change(theirs, text('wamid.theirs', 'for the other'))),
        entry(theirs, { field: 'account_update', value: { event: 'THEIRS_ONLY' } }),
        // The same app cannot speak for a number that another app's secret proves.
        entry(stranger, change(stranger, text('wamid.stranger', 'for nobody'))),
      ];
      for (const path of ['events', `events/${mine.id}`])
        expect(await post(entries, { secret: shared, path })).toEqual({ status: 200 });
      const [ours, their] = [await providerEvents(tenant), await providerEvents(other)];
      expect(ours.filter((one) => one.external_id === 'wamid.mine')).toMatchObject([{ config_id: mine.id }]);
      expect(their.filter((one) => one.external_id === 'wamid.theirs')).toMatchObject([{ config_id: theirs.id }]);
      expect(their.filter((one) => /THEIRS_ONLY/.test(one.raw_body))).toMatchObject([{ config_id: theirs.id }]);
      const kept = JSON.stringify([...ours, ...their]);
      expect(kept.includes('wamid.stranger')).toBe(false);
      for (const foreign of ['wamid.theirs', 'THEIRS_ONLY'])
        expect([foreign, JSON.stringify(ours).includes(foreign)]).toEqual([foreign, false]);
      expect(JSON.stringify(their).includes('wamid.mine')).toBe(false);
      // All of it is somebody else's.
      const alone = [entry(stranger, change(stranger, text('wamid.stranger', 'for nobody')))];
      for (const path of ['events', `events/${mine.id}`])
        expect((await post(alone, { secret: shared, path })).status).toBe(401);
    });

    it('about very many numbers are refused before anything is looked up', async () => {
      const entries = Array.from({ length: 101 }, (_, n) => {
        const stranger: Account = { ...meta, numberId: `8${n}` };
        return entry(stranger, change(stranger, text(`wamid.many${n}`, 'x')));
      });
      expect(await post(entries, { path: 'events', secret: 'nobody' })).toEqual({
        status: 413,
        code: 'payload_too_large',
      });
    });

    it('about a number that has no config go to the config whose URL was called', async () => {
      const unknown: Account = { ...meta, numberId: '999999999999' };
      expect(await post([entry(unknown, change(unknown, text('wamid.second', 'to a second number')))])).toEqual({
        status: 200,
      });
      expect((await providerEvents()).find((one) => one.external_id === 'wamid.second')).toMatchObject({
        config_id: meta.id,
      });
    });

    it('cannot move another tenant’s message, whatever they say', async () => {
      const { id, externalId } = await sent(other);
      const lies = [
        entry(meta, change(meta, status(externalId, 'read', { biz_opaque_callback_data: id }))),
        entry(meta, change(meta, status('wamid.other', 'read', { biz_opaque_callback_data: id }))),
      ];
      expect(await post(lies)).toEqual({ status: 200 });
      expect((await other.message(id)).status).toBe('sent');
    });
  });

  it('shows a config without its secrets, with the URLs to give to Meta', async () => {
    const answer: ApiAnswer = await tenant.api.get(`/communication/whatsapp/configs/${meta.id}`);
    assertStatus(answer, 200);
    expect(answer.body.data).toMatchObject({
      status: 'active',
      display_phone_number: '+1 555 078 3881',
      default_language_code: 'en_US',
      credentials: { phone_number_id: meta.numberId, business_account_id: meta.businessId },
    });
    expect(answer.text).toContain(`/webhook/whatsapp/events/${meta.id}`);
    for (const secret of [meta.appSecret, meta.verifyToken, 'access-token']) expect(answer.text).not.toContain(secret);
    const tested = await tenant.api.post(`/communication/whatsapp/configs/${meta.id}/test`);
    expect(tested.body.data).toMatchObject({ healthy: true });
  });
});
