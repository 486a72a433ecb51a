import { randomBytes } from 'node:crypto';
import { sendgrid } from '../../src/channels/email/providers/sendgrid.provider';
import type { ApiAnswer, Wire } from '../support/api-client';
import { assertStatus, Service, type Tenant } from '../support/e2e-service';
import { json, ScriptedServer } from '../support/scripted-server';
import { until } from '../support/until';

jest.setTimeout(60_000);

/** The stand-ins' verification key: the example of the field. */
const SIMULATOR_KEY = sendgrid.credentials.webhook_signing_key!.example;

describe('email', () => {
  let service: Service;
  let tenant: Tenant;
  let configs: Record<string, string>;
  let domain: string;

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on' });
    tenant = await service.tenant({ sms: null, twilio: false, vonage: false });
    const sendgridKey = `SG.${randomBytes(16).toString('hex')}`;
    const mailgunKey = randomBytes(16).toString('hex');
    const signingKey = randomBytes(16).toString('hex');
    for (const secret of [sendgridKey, mailgunKey, signingKey]) service.secrets.add(secret);
    domain = `${randomBytes(6).toString('hex')}.example.com`;
    configs = {
      sendgrid: await config('sendgrid', {
        credentials: { api_key: sendgridKey, webhook_signing_key: SIMULATOR_KEY },
        from_email: 'orders@example.com',
        from_name: 'Example Shop',
        enable_open_tracking: true,
      }),
      mailgun: await config('mailgun', {
        credentials: { api_key: mailgunKey, webhook_signing_key: signingKey, domain, region: 'eu' },
        from_email: `orders@${domain}`,
      }),
    };
    assertStatus(
      await tenant.api.put('/v1/gateways', { gateways: { email: { primary: 'sendgrid', fallback: ['mailgun'] } } }),
      200,
    );
  });

  afterAll(() => service.stop());

  async function config(provider: string, body: object): Promise<string> {
    const made = await tenant.api.post(`/communication/${provider}/configs`, {
      display_name: provider,
      status: 'active',
      ...body,
    });
    assertStatus(made, 201);
    return made.body.data.id as string;
  }

  const post = (body: object): Promise<ApiAnswer> =>
    tenant.api.post('/v1/email/send', { subject: 'Hello', text: 'Your order is here.', ...body });

  async function send(body: object): Promise<string> {
    const sent = await post(body);
    assertStatus(sent, 202);
    return sent.body.data.message_id as string;
  }

  async function received(to: string, provider: string): Promise<Wire> {
    let found: Wire;
    await until('the stand-in has the mail', async () => {
      const { body } = await service.anonymous.get(
        `/simulator/messages?to=${encodeURIComponent(to)}&provider=${provider}`,
      );
      found = body.data[0] as Wire;
      return found !== undefined;
    });
    return found;
  }

  it.each(['sendgrid', 'mailgun'])('sends and hears of the delivery by %s', async (provider) => {
    const to = `ada-${provider}@example.net`;
    const id = await send({ to, provider });
    const message = await tenant.until(id, ({ status }) => status === 'delivered');
    expect(message).toMatchObject({
      channel: 'email',
      to,
      gateway: provider,
      config_id: configs[provider],
      segments: null,
    });
    expect(message.attempts).toHaveLength(1);
    const worthMs = Date.parse(message.expires_at as string) - Date.parse(message.created_at as string);
    expect(Math.round(worthMs / 60_000)).toBe(24 * 60);
    expect(await received(to, provider)).toMatchObject({ reference: id, body: 'Your order is here.' });
  });

  it('shows a callback that signs itself without its signature', async () => {
    const id = await send({ to: 'signed@example.net', provider: 'mailgun' });
    await tenant.until(id, ({ status }) => status === 'delivered');
    const { body } = await tenant.api.get('/v1/provider-events?provider=mailgun&limit=200');
    const own = (body.data as Wire[]).find((one) => one.message_id === id)!;
    expect(JSON.parse(own.raw_body)).toMatchObject({
      signature: { timestamp: expect.any(String), token: '…', signature: '…' },
      'event-data': { event: expect.any(String) },
    });
  });

  describe('a template of one’s own', () => {
    const letter = {
      subject: 'Order {{ order.number }}',
      text: 'Hi {{ name }}, thanks.',
      html: '<p>Hi {{ name }}, thanks.</p>',
    };
    const template = async (channels: object = { email: letter }): Promise<string> => {
      const made = await tenant.api.post('/v1/templates', { name: 'Order', channels, variables: ['name'] });
      assertStatus(made, 201);
      return made.body.data.id as string;
    };
    const data = { name: 'Ada & Co', order: { number: 8121 } };
    const write = (body: object) => tenant.api.post('/v1/email/send', body);
    const contentOf = async (id: string) => (await tenant.message(id)).content;

    it('is rendered when the message is accepted; a subject of the request comes before its own', async () => {
      const id = await template();
      const body = { to: 'own-template@example.net', template_id: id, template_data: data, provider: 'sendgrid' };
      const sent = await write({ ...body, idempotency_key: 'own template' });
      assertStatus(sent, 202);
      const messageId = sent.body.data.message_id as string;
      expect(await contentOf(messageId)).toEqual({
        to: [{ email: body.to }],
        subject: 'Order 8121',
        text: 'Hi Ada & Co, thanks.',
        html: '<p>Hi Ada &amp; Co, thanks.</p>',
      });
      await tenant.until(messageId, ({ status }) => status === 'delivered');
      expect(await received(body.to, 'sendgrid')).toMatchObject({ body: 'Hi Ada & Co, thanks.' });
      const own = await write({ ...body, subject: 'My own' });
      expect(await contentOf(own.body.data.message_id)).toMatchObject({
        subject: 'My own',
        text: 'Hi Ada & Co, thanks.',
      });
      assertStatus(await tenant.api.delete(`/v1/templates/${id}`), 200);
      const again = await write({ ...body, idempotency_key: 'own template' });
      expect([again.status, again.body.data.message_id]).toEqual([202, messageId]);
    });

    it('works in a batch, at a provider, as what follows, and in a dry run', async () => {
      const item = { to: 'many@example.net', template_id: await template(), template_data: data };
      const batch = await tenant.api.post('/v1/messages/batch', {
        messages: [
          { channel: 'email', ...item },
          { channel: 'email', ...item, template_data: {} },
        ],
      });
      const [first, second] = batch.body.data.results;
      expect(await contentOf(first.message_id)).toMatchObject({ subject: 'Order 8121' });
      expect(second.error.errors[0]).toMatchObject({
        field: 'messages[1].template_data.name',
        code: 'missing_variable',
      });
      const named = await tenant.api.post('/communication/mailgun/emails/', item);
      assertStatus(named, 202);
      expect(await contentOf(named.body.data.message_id)).toMatchObject({ html: '<p>Hi Ada &amp; Co, thanks.</p>' });
      const follows = [{ channel: 'email', after_seconds: 60, ...item }];
      assertStatus(await post({ to: 'first@example.net', on_undelivered: follows }), 202);
      const wrong = await post({
        to: 'first@example.net',
        on_undelivered: [{ ...follows[0], template_id: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' }],
      });
      expect([wrong.status, wrong.body.errors[0].field]).toEqual([422, 'on_undelivered[0].template_id']);
      const dry = await write({ ...item, dry_run: true });
      expect(dry.body.data).toMatchObject({ status: 'queued', candidates: [{ gateway: 'sendgrid' }, {}] });
    });

    it('is refused when it is none, has no email, or misses a variable, and names the field', async () => {
      const to = 'nobody@example.net';
      const id = await template();
      const other = await service.tenant({ twilio: false, vonage: false, sms: null });
      const refusals: Array<[object, string, string, number]> = [
        [{ template_id: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' }, 'template_id', 'not_found', 422],
        [{ template_id: 'tpl_x' }, 'template_id', 'not_found', 422],
        [{ template_id: await template({ sms: { message: 'x' } }) }, 'template_id', 'not_in_template', 422],
        [{ template_id: id, template_data: { order: {} } }, 'template_data.name', 'missing_variable', 422],
        [{ template_id: id, text: 'x', template_data: data }, 'template_id', 'not_allowed', 400],
        [{ template_id: 'd-1' }, 'subject', 'required', 400],
      ];
      for (const [body, field, code, status] of refusals) {
        const refused = await write({ to, ...body });
        expect([body, refused.status, refused.body.errors[0]]).toMatchObject([body, status, { field, code }]);
      }
      const stolen = await other.api.post('/v1/email/send', { to, template_id: id, template_data: data });
      expect([stolen.status, stolen.body.errors[0].field]).toEqual([422, 'template_id']);
    });
  });

  it.each(['sendgrid', 'mailgun'])('hands on names, subjects and addresses of any script by %s', async (provider) => {
    const to = `jörg-${provider}@bücher.example`;
    const text = 'Grüße 🚀 用户';
    const id = await send({ to: [{ email: to, name: 'Jörg "J" Müller, Köln' }], subject: 'Ünï 🚀', text, provider });
    await tenant.until(id, ({ status }) => status === 'delivered');
    expect(await received(to, provider)).toMatchObject({ to, body: text, reference: id });
  });

  it.each(['sendgrid', 'mailgun'])('tells what recipients do, and what came back, by %s', async (provider) => {
    // With a tag, since what came back once is suppressed from then on.
    const at = (name: string) => `${name}+${provider}@simulator.test`;
    const html = '<a href="https://example.com/orders/1">order</a>';
    const [engaged, complained, unsubscribed, hard, soft, refused] = await Promise.all(
      ['engaged', 'complained', 'unsubscribed', 'hard-bounce', 'soft-bounce', 'invalid-recipient'].map((name) =>
        send({ to: { email: at(name) }, html, provider }),
      ),
    );
    const opened = await tenant.until(engaged!, ({ engagement }) => engagement.clicks === 1);
    expect(opened).toMatchObject({ status: 'delivered', engagement: { opens: 1, clicks: 1, bounces: 0 } });
    expect((opened.events as Wire[]).find(({ event }) => event === 'email.clicked')!.detail).toMatchObject({
      url: 'https://example.com/orders/1',
    });
    await tenant.until(complained!, ({ engagement }) => engagement.complaints === 1);
    await tenant.until(unsubscribed!, ({ engagement }) => engagement.unsubscribes === 1);
    const bounced = await tenant.until(hard!, ({ engagement }) => engagement.bounces === 1);
    expect(bounced).toMatchObject({ engagement: { bounce_type: 'hard' } });
    expect(await tenant.until(hard!, ({ final }) => final === true)).toMatchObject({ status: 'undelivered' });
    const deferred = await tenant.until(soft!, ({ engagement }) => engagement.bounces === 1);
    expect(deferred).toMatchObject({ status: 'sent', engagement: { bounce_type: 'soft' } });
    const failed = await tenant.until(refused!, ({ final }) => final === true);
    expect(failed).toMatchObject({ status: 'failed', error_code: 'invalid_recipient' });
  });

  it.each(['sendgrid', 'mailgun'])('sends once what %s took without saying so', async (provider) => {
    const to = `malformed-body+${provider}@simulator.test`;
    const message = await tenant.until(await send({ to, provider }), ({ status }) => status === 'delivered');
    expect(message).toMatchObject({ gateway: provider, possible_duplicate: false });
    expect(message.attempts).toHaveLength(1);
    const { body } = await service.anonymous.get(`/simulator/messages?to=${encodeURIComponent(to)}`);
    expect(body.data).toHaveLength(1);
  });

  it('counts each recipient’s doings, and takes the status of the first', async () => {
    const to = ['first@example.net', 'second@example.net'];
    const id = await send({ to, cc: 'third@example.net', bcc: ['fourth@example.net'], provider: 'sendgrid' });
    const message = await tenant.until(id, ({ status }) => status === 'delivered');
    expect(message.to).toBe('first@example.net');
    expect(message.content).toMatchObject({ to: [{ email: 'first@example.net' }, { email: 'second@example.net' }] });
  });

  it('shows the files of a mail by name, type and size, never their bytes', async () => {
    const bytes = randomBytes(1_500_001);
    const attachments = [
      { filename: 'Räch"nung.pdf', content_type: 'application/pdf', content: bytes.toString('base64') },
      { filename: 'a.txt', content_type: 'text/plain', content: 'aGk=' },
    ];
    const id = await send({ to: 'files@example.net', attachments, provider: 'mailgun' });
    const message = await tenant.until(id, ({ status }) => status === 'delivered');
    const shown = [
      { filename: 'Räch"nung.pdf', content_type: 'application/pdf', size: bytes.length },
      { filename: 'a.txt', content_type: 'text/plain', size: 2 },
    ];
    expect(message.content.attachments).toEqual(shown);
    const list = await tenant.api.get('/v1/messages?to=files@example.net');
    expect(list.body.data[0].content.attachments).toEqual(shown);
  });

  it.each<[string, object, string, string]>([
    ['a header in the subject', { subject: 'Hi\r\nBcc: x@example.com' }, 'subject', 'invalid_characters'],
    ['a header in a name', { to: { email: 'a@example.com', name: 'A\nBcc: x' } }, 'to.name', 'invalid_characters'],
    ['a header in a header', { headers: { 'X-A': 'b\r\nBcc: x' } }, 'headers.X-A', 'invalid_characters'],
    ['a header of the service', { headers: { Bcc: 'x@example.com' } }, 'headers.Bcc', 'not_allowed'],
    ['a bad address', { to: 'nobody' }, 'to', 'invalid_email'],
    ['a recipient twice', { cc: 'A@example.com' }, 'cc[0]', 'duplicate'],
    [
      'bad base64',
      { attachments: [{ filename: 'a', content_type: 'a/b', content: '!!!!' }] },
      'attachments[0].content',
      'invalid_base64',
    ],
    [
      'a path',
      { attachments: [{ filename: 'a/b', content_type: 'a/b', content: 'aGk=' }] },
      'attachments[0].filename',
      'invalid_characters',
    ],
  ])('refuses %s before any provider sees it', async (_, body, field, code) => {
    const answer = await post({ to: 'a@example.com', ...body });
    assertStatus(answer, 400);
    expect(answer.body.errors).toEqual([expect.objectContaining({ field, code })]);
  });

  it('takes 10 MiB and no more', async () => {
    const file = (bytes: number) => [
      { filename: 'a.bin', content_type: 'application/octet-stream', content: Buffer.alloc(bytes).toString('base64') },
    ];
    const large = await post({ to: 'large@example.net', attachments: file(7 * 1024 * 1024), sandbox: true });
    assertStatus(large, 200);
    expect(large.body.data.would_use_gateway).toBe('sendgrid');
    const answer = await post({ to: 'large@example.net', attachments: file(8 * 1024 * 1024) });
    assertStatus(answer, 413);
    expect(answer.body.code).toBe('payload_too_large');
    // Only attachments make a mail that large.
    for (const attachments of [undefined, []])
      assertStatus(await post({ to: 'large@example.net', html: 'x'.repeat(1024 * 1024), attachments }), 413);
    const { body } = await post({ to: 'large@example.net', html: 'x'.repeat(1000 * 1024), sandbox: true });
    expect(body.data.status).toBe('simulated');
  });

  it('refuses what no gateway can carry, and names the field', async () => {
    const answer = await post({
      to: ['a@example.com', 'b@example.com'],
      tracking: { unsubscribe: true },
      provider: 'mailgun',
    });
    assertStatus(answer, 400);
    expect(answer.body.errors).toEqual([expect.objectContaining({ field: 'tracking.unsubscribe' })]);
  });

  it('keeps each event of a batch with its own part of the body, and refuses a batch without end', async () => {
    const apiKey = `SG.${randomBytes(16).toString('hex')}`;
    service.secrets.add(apiKey);
    // Of an account that does not sign.
    const made = await tenant.api.post('/communication/sendgrid/configs', {
      credentials: { api_key: apiKey },
      from_email: 'orders@example.com',
    });
    assertStatus(made, 201);
    const urls = await tenant.api.get(`/communication/sendgrid/configs/${made.body.data.id}/callback-urls`);
    assertStatus(urls, 200);
    const named = new URL(urls.body.data.callback_urls_with_token.events);
    service.secrets.add(named.searchParams.get('token')!);
    // Nobody knows the messages, so without a config id only the token tells whose they are.
    const anywhere = new URL(`/webhook/sendgrid/events${named.search}`, named);
    const batch = (count: number) =>
      Array.from({ length: count }, (_, n) => ({
        event: 'delivered',
        email: `batch-${n}@example.net`,
        sg_event_id: `batch-${n}`,
        sg_message_id: `batch-${n}.recvd-1`,
        timestamp: 1_795_334_400,
      }));
    assertStatus(await service.anonymous.post(`${anywhere.pathname}${anywhere.search}`, batch(3)), 200);
    const kept = (await tenant.api.get('/v1/provider-events?provider=sendgrid&matched=false')).body.data as Wire[];
    const mine = kept.filter((one) => String(one.external_id).startsWith('batch-'));
    expect(mine.map((one) => JSON.parse(one.raw_body))).toEqual(
      expect.arrayContaining(batch(3).map((event) => [event])),
    );
    expect(mine).toHaveLength(3);
    for (const { id } of mine) {
      const again = await tenant.api.post(`/v1/provider-events/${id}/reprocess`);
      expect([again.status, again.body.data.state]).toEqual([200, 'unmatched']);
    }

    // A row of one event that is kept with a body of several, as it was once: nobody is taken for it.
    const [first, second] = mine as [Wire, Wire];
    const others = JSON.stringify([
      { event: 'open', sg_event_id: 'x' },
      { event: 'click', sg_event_id: 'y' },
    ]);
    const change = (id: string, body: string, eventId: string | null, state: string | null) =>
      service.database.database.execute(
        `UPDATE provider_events SET raw_body = $2, event_id = coalesce($3, event_id), state = coalesce($4, state),
           normalized = CASE WHEN $4::text IS NULL THEN normalized END WHERE id = $1`,
        [id, Buffer.from(body), eventId, state],
      );
    await change(first.id, others, null, null);
    const left = await tenant.api.post(`/v1/provider-events/${first.id}/reprocess`);
    expect(left.body.data).toMatchObject({ state: 'unmatched', normalized: first.normalized });
    // One that could not be read is all that it says today, each once.
    const id = await send({ to: 'reread@example.net', provider: 'sendgrid' });
    await tenant.until(id, ({ status }) => status === 'delivered');
    const clicks = ['a', 'b', 'c'].map((n) => ({ event: 'click', sg_event_id: `again-${n}`, unimsg_message_id: id }));
    await change(second.id, JSON.stringify(clicks), 'unparsable:x', 'unparsable');
    for (let time = 0; time < 2; time++)
      assertStatus(await tenant.api.post(`/v1/provider-events/${second.id}/reprocess`), 200);
    expect((await tenant.message(id)).engagement).toMatchObject({ clicks: 3 });

    const tiny = Array.from({ length: 10_001 }, () => ({ event: 'open' }));
    const refused = await service.anonymous.post(`${named.pathname}${named.search}`, tiny);
    expect([refused.status, refused.body.code]).toEqual([413, 'payload_too_large']);
  });

  it('refuses forged callbacks of both providers', async () => {
    const event = [{ event: 'delivered', email: 'a@example.com', sg_event_id: 'x', timestamp: 1 }];
    for (const kind of ['events', 'status']) {
      assertStatus(await service.anonymous.post(`/webhook/sendgrid/${kind}/${configs.sendgrid}`, event), 401);
      assertStatus(
        await service.anonymous.post(`/webhook/mailgun/${kind}/${configs.mailgun}`, {
          signature: {},
          'event-data': {},
        }),
        401,
      );
    }
  });
});

describe('unsubscribing from an email', () => {
  let service: Service;
  let server: ScriptedServer;

  beforeAll(async () => {
    server = await ScriptedServer.start(json(200, { id: '<1@mg.example.com>', message: 'Queued. Thank you.' }));
    service = await Service.start({ MAILGUN_BASE_URL: server.origin });
  });
  afterAll(async () => {
    await service.stop();
    await server.close();
  });

  it('takes one click on the link in the mail, and counts it once', async () => {
    const tenant = await service.tenant({ sms: null, twilio: false, vonage: false });
    const api_key = randomBytes(16).toString('hex');
    service.secrets.add(api_key);
    const made = await tenant.api.post('/communication/mailgun/configs', {
      display_name: 'Mailgun',
      status: 'active',
      credentials: { api_key, domain: 'mg.example.com' },
      from_email: 'orders@mg.example.com',
    });
    assertStatus(made, 201);
    assertStatus(await tenant.api.put('/v1/gateways', { gateways: { email: { primary: 'mailgun' } } }), 200);
    const mail = { to: 'ada@example.net', subject: 'News', text: 'News', tracking: { unsubscribe: true } };
    const sent = await tenant.api.post('/v1/email/send', mail);
    assertStatus(sent, 202);
    const id = sent.body.data.message_id as string;
    await tenant.until(id, ({ status }) => status === 'sent');
    const { body } = server.requests.find(({ method }) => method === 'POST')!;
    expect(body).toContain('name="h:List-Unsubscribe-Post"\r\n\r\nList-Unsubscribe=One-Click\r\n');
    const link = /name="h:List-Unsubscribe"\r\n\r\n<([^>]+)>/.exec(body)![1]!;
    expect(link.startsWith(`${service.url}/unsubscribe/`)).toBe(true);

    const asked = await fetch(link);
    expect([asked.status, asked.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await asked.text()).toContain('<form method="post">');
    expect((await tenant.message(id)).engagement.unsubscribes).toBe(0);

    const wrong = [
      `${link}x`,
      link.replace(id, `${id.slice(0, -1)}0`),
      `${service.url}/unsubscribe/x`,
      `${service.url}/unsubscribe/a.b.c`,
    ];
    for (const url of wrong.filter((one) => one !== link)) {
      expect((await fetch(url, { method: 'POST' })).status).toBe(404);
      expect((await fetch(url)).status).toBe(404);
    }
    expect((await tenant.message(id)).engagement.unsubscribes).toBe(0);

    const oneClick = { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) };
    for (let time = 0; time < 2; time++) expect((await fetch(link, oneClick)).status).toBe(200);
    expect(await tenant.message(id)).toMatchObject({ status: 'sent', engagement: { unsubscribes: 1 } });
    expect((await tenant.events('email.unsubscribed')).map(({ data }) => data.message_id)).toEqual([id]);
  });
});
