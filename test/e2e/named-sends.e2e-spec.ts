import { eventually } from '../support/api-client';
import { sampleConfig } from '../support/config-samples';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

/** Sends, lists and reads of api chapter “Provider-named sends”, for SMS at providers that are looked at request by request. */
describe('/communication/{provider}/sms', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());

  const send = (provider: string, body: object, headers?: Record<string, string>) =>
    tenant.api.post(`/communication/${provider}/sms/`, body, headers);
  const read = async (provider: string, id: string) => {
    const answer = await tenant.api.get(`/communication/${provider}/sms/${id}`);
    assertStatus(answer, 200);
    return answer.body.data;
  };
  const list = async (provider: string, query = '', api = tenant.api): Promise<string[]> => {
    const answer = await api.get(`/communication/${provider}/sms?${query}`);
    assertStatus(answer, 200);
    return answer.body.data.map((message: { message_id: string }) => message.message_id);
  };

  it('sends by the provider of the path, whatever the routes say, and reads as an SmsMessage', async () => {
    const to = freshNumber();
    const sent = await send('vonage', {
      to,
      body: 'Grüße €',
      from_number: 'Shop',
      reference: 'order-1',
      metadata: { a: 'b' },
      tags: ['t'],
      priority: 'high',
    });
    assertStatus(sent, 202);
    const id = sent.body.data.message_id;
    expect(sent.body.data).toMatchObject({ status: 'queued', channel: 'sms', segments: 1 });
    const message = await tenant.until(id, ({ status }) => status === 'sent');
    const record = await read('vonage', id);
    expect(record).toMatchObject({
      message_id: id,
      client_id: tenant.clientId,
      provider: 'vonage',
      config_id: tenant.vonage.id,
      direction: 'outbound',
      from_number: 'Shop',
      to,
      body: 'Grüße €',
      segments: 1,
      encoding: 'gsm7',
      status: 'sent',
      external_id: message.external_id,
      reference: 'order-1',
      metadata: { a: 'b' },
      tags: ['t'],
      priority: 'high',
      sent_at: message.events.at(-1).at,
      delivered_at: null,
    });
    expect(record.attempts).toEqual(message.attempts);
    expect(record.events).toEqual(message.events);
    for (const name of ['content', 'gateway', 'cost', 'from']) expect(record).not.toHaveProperty(name);
    expect(service.vonage.sends(to)).toHaveLength(1);
    expect(service.twilio.sends(to)).toHaveLength(0);
  });

  it('hands the text and the sender on as they were given', async () => {
    const to = freshNumber();
    const sent = await send('twilio', { to, body: 'x', from_number: '+46701234567' });
    assertStatus(sent, 202);
    await tenant.until(sent.body.data.message_id, ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)[0]!.form).toMatchObject({ To: to, From: '+46701234567', Body: 'x' });
  });

  it('shows cost and times once they are known', async () => {
    const to = freshNumber();
    const sent = await send('twilio', { to, body: 'x' });
    const id = sent.body.data.message_id;
    await tenant.until(id, ({ status }) => status === 'sent');
    const taken = service.twilio.taken(to)!;
    await twilioCallback({
      url: taken.statusCallback,
      authToken: tenant.twilio.authToken,
      fields: statusFields(taken, 'delivered'),
    });
    await tenant.until(id, ({ status }) => status === 'delivered');
    const record = await read('twilio', id);
    const [listed] = (await tenant.api.get(`/communication/twilio/sms?to=${encodeURIComponent(to)}`)).body.data;
    expect(record.status).toBe('delivered');
    expect(Date.parse(record.delivered_at)).toBeGreaterThanOrEqual(Date.parse(record.sent_at) - 1000);
    expect(listed).toMatchObject({ sent_at: record.sent_at, delivered_at: record.delivered_at });
    const cost = (await tenant.message(id)).cost;
    expect([record.cost_amount, record.cost_currency]).toEqual(
      cost === null ? [null, null] : [cost.amount, cost.currency],
    );
  });

  it('answers under an alias and without a trailing slash too', async () => {
    const to = freshNumber();
    const sent = await tenant.api.post('/communication/nexmo/sms', { to, body: 'x' });
    assertStatus(sent, 202);
    expect((await read('nexmo', sent.body.data.message_id)).provider).toBe('vonage');
    expect(await list('vonage', `to=${encodeURIComponent(to)}`)).toEqual([sent.body.data.message_id]);
  });

  it('picks among several accounts, and sends by no other than the one that is asked for', async () => {
    const second = await tenant.api.post('/communication/twilio/configs', {
      display_name: 'Second',
      credentials: { account_sid: `AC${'7'.repeat(32)}`, auth_token: 'second-token' },
      from_number: '+15005550007',
      status: 'active',
    });
    assertStatus(second, 201);
    const config = second.body.data.id;
    const to = freshNumber();
    const sent = await send('twilio', { to, body: 'x', config_id: config });
    assertStatus(sent, 202);
    const message = await tenant.until(sent.body.data.message_id, ({ status }) => status === 'sent');
    expect(message.config_id).toBe(config);
    expect(service.twilio.sends(to)[0]!.form).toMatchObject({ From: '+15005550007' });
    expect(await list('twilio', `config_id=${config}`)).toEqual([message.message_id]);
    assertStatus(await tenant.api.post(`/communication/twilio/configs/${config}/decommission`), 200);
    const refused = await send('twilio', { to, body: 'x', config_id: config });
    expect([refused.status, refused.body.code]).toEqual([422, 'no_gateway_available']);
    expect(refused.body.errors.map(({ field }: { field: string }) => field)).toEqual(['config_id']);
  });

  it('refuses a config of another provider, of another tenant, or of nobody', async () => {
    const other = await service.tenant();
    for (const config of [tenant.vonage.id, other.twilio.id, 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8', 'twilio']) {
      const refused = await send('twilio', { to: freshNumber(), body: 'x', config_id: config });
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request']);
      expect(refused.body.errors).toEqual([
        { field: 'config_id', code: 'unknown_config', message: 'is not one of your Twilio configs' },
      ]);
    }
  });

  it.each([
    ['to', { to: undefined }],
    ['to', { to: 'hello' }],
    ['body', { body: undefined }],
    ['body', { body: '' }],
    ['body', { body: '  ' }],
    ['body', { body: 'x'.repeat(1601) }],
    ['from_number', { from_number: 'Bad_sender' }],
    ['from_number', { from_number: 'x'.repeat(17) }],
    ['message', { message: 'x' }],
    ['from', { from: 'Acme' }],
    ['provider', { provider: 'vonage' }],
    ['metadata.a', { metadata: { a: 1 } }],
    ['send_at', { send_at: '2020-01-01T00:00:00Z' }],
    ['idempotency_key', { idempotency_key: '' }],
  ])('refuses a bad %s in the words of the path: %j', async (field, change) => {
    const refused = await send('twilio', { to: '+393331234567', body: 'x', ...change });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request']);
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toEqual([field]);
    expect(refused.body.detail.split(/[ :]/)[0]).toBe(field);
  });

  it('is idempotent by body and header, and conflicts with another body', async () => {
    const to = freshNumber();
    const first = await send('twilio', { to, body: 'x', idempotency_key: `${to}-a` });
    const again = await send('twilio', { to, body: 'x' }, { 'idempotency-key': `${to}-a` });
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.body.data).toEqual(first.body.data);
    const conflict = await send('twilio', { to, body: 'y', idempotency_key: `${to}-a` });
    expect([conflict.status, conflict.body.code]).toEqual([422, 'idempotency_conflict']);
    const elsewhere = await send('vonage', { to, body: 'x', idempotency_key: `${to}-a` });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([422, 'idempotency_conflict']);
    await tenant.until(first.body.data.message_id, ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)).toHaveLength(1);
  });

  it('waits, simulates and explains as every send does, with the record of its kind', async () => {
    const to = freshNumber();
    const waited = await send('twilio', { to, body: 'x' }, { prefer: 'wait=10' });
    assertStatus(waited, 200);
    expect(waited.body.data).toMatchObject({
      to,
      body: 'x',
      provider: 'twilio',
      direction: 'outbound',
      status: 'sent',
    });

    const simulated = await send('twilio', { to: freshNumber(), body: 'x', sandbox: true });
    assertStatus(simulated, 200);
    expect(simulated.body.data).toMatchObject({ status: 'simulated', would_use_gateway: 'twilio' });
    expect(await read('twilio', simulated.body.data.message_id)).toMatchObject({ status: 'simulated', body: 'x' });

    const dry = await send('vonage', { to: freshNumber(), body: 'x', dry_run: true });
    assertStatus(dry, 200);
    expect(dry.body.data).toMatchObject({ dry_run: true, candidates: [{ gateway: 'vonage' }] });
  });

  it('lists what the provider took, on whatever path it was sent, and what waits for it alone', async () => {
    const fresh = await service.tenant();
    const routed = await fresh.send(freshNumber());
    await fresh.until(routed, ({ status }) => status === 'sent');
    const later = { send_at: new Date(Date.now() + 3600_000).toISOString() };
    const forced = await fresh.send(freshNumber(), { provider: fresh.twilio.id, ...later });
    const other = await fresh.send(freshNumber(), { provider: 'vonage', ...later });
    const open = await fresh.send(freshNumber(), later);
    expect(await list('twilio', '', fresh.api)).toEqual([forced, routed]);
    expect(await list('vonage', '', fresh.api)).toEqual([other]);
    for (const [provider, id] of [
      ['vonage', routed],
      ['twilio', other],
      ['twilio', open],
      ['twilio', 'nonsense'],
      ['twilio', 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8'],
    ] as const) {
      const missing = await fresh.api.get(`/communication/${provider}/sms/${id}`);
      expect([id, missing.status, missing.body.code]).toEqual([id, 404, 'not_found']);
    }
    expect((await tenant.api.get(`/communication/twilio/sms/${routed}`)).status).toBe(404);
    expect(await list('twilio', '')).not.toContain(routed);
    expect(await list('twilio', 'status=scheduled', fresh.api)).toEqual([forced]);
  });

  it('pages with a cursor of its own list', async () => {
    const fresh = await service.tenant();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift(await fresh.send(freshNumber(), { provider: 'twilio' }));
    const seen: string[] = [];
    let cursor: string | null = '';
    do {
      const answer = await fresh.api.get(`/communication/twilio/sms?limit=2${cursor && `&cursor=${cursor}`}`);
      assertStatus(answer, 200);
      seen.push(...answer.body.data.map(({ message_id: id }: { message_id: string }) => id));
      cursor = answer.body.meta.next_cursor as string | null;
      if (cursor !== null) expect((await fresh.api.get(`/communication/vonage/sms?cursor=${cursor}`)).status).toBe(400);
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    expect((await fresh.api.get('/communication/twilio/sms?channel=sms')).status).toBe(400);
    expect((await fresh.api.get('/communication/twilio/sms?limit=0')).status).toBe(400);
  });

  it('needs the scopes of sending and reading', async () => {
    const reader = await tenant.key(['messages:read']);
    const sender = await tenant.key(['messages:send']);
    expect((await reader.post('/communication/twilio/sms', { to: freshNumber(), body: 'x' })).status).toBe(403);
    expect((await sender.get('/communication/twilio/sms')).status).toBe(403);
    assertStatus(await sender.post('/communication/twilio/sms', { to: freshNumber(), body: 'x' }), 202);
    assertStatus(await reader.get('/communication/twilio/sms'), 200);
    expect((await service.anonymous.get('/communication/twilio/sms')).status).toBe(401);
  });

  it('kept to its document, and logged no fault', () => {
    expect(service.recorder.answers.length).toBeGreaterThan(0);
    expect(service.errorLines()).toEqual([]);
  });
});

/** Every provider that this build has, tried by what the document says of it, against the simulator. */
describe('/communication/{provider}/… of every provider', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
  }, 60_000);
  afterAll(() => service?.stop());

  const operations = () => service.contract.operations;
  const sends = () =>
    operations().filter(
      ({ method, path }) => method === 'POST' && /^\/communication\/[^/]+\/(?!configs)[^{]+$/.test(path),
    );

  it('sends, lists and reads, with the fields of its kind', async () => {
    const providers = new Set(
      operations().flatMap(({ path }) => /^\/communication\/([^/]+)\/configs$/.exec(path)?.[1] ?? []),
    );
    const configs = new Map<string, string>();
    for (const operation of operations()) {
      const [, slug] = /^\/communication\/([^/]+)\/configs$/.exec(operation.path) ?? [];
      if (operation.method !== 'POST' || slug === undefined) continue;
      const made = await tenant.api.post(operation.path, { ...sampleConfig(operation), status: 'active' });
      assertStatus(made, 201);
      configs.set(slug, made.body.data.id);
    }
    expect([...configs.keys()].sort()).toEqual([...providers].sort());
    // Nobody is left without a path of its own, but the one by whom messages only come in.
    expect(providers.delete('agile')).toBe(true);
    expect(new Set(sends().map(({ path }) => path.split('/')[2]!))).toEqual(providers);
    for (const { path, definition } of sends()) {
      const slug = path.split('/')[2]!;
      const { value: body } = definition.requestBody!.content['application/json']!.examples!.simple!;
      // Aliases share the provider: the config is named, so that each path has its own.
      const sent = await tenant.api.post(path, { ...body, config_id: configs.get(slug) }, { prefer: 'wait=20' });
      if (sent.status !== 200) throw new Error(`${path}: ${sent.text}`);
      const { message_id: id, status, config_id: taker } = sent.body.data;
      expect([path, sent.status, ['sent', 'delivered', 'read'].includes(status), taker]).toEqual([
        path,
        200,
        true,
        configs.get(slug),
      ]);
      const read = await tenant.api.get(`${path}/${id}`);
      assertStatus(read, 200);
      const listed = await tenant.api.get(`${path}?config_id=${configs.get(slug)}`);
      assertStatus(listed, 200);
      expect(listed.body.data.map((one: { message_id: string }) => one.message_id)).toContain(id);
      for (const [name, value] of Object.entries(body)) {
        // WhatsApp's own send calls its text otherwise than its record does.
        const shown = read.body.data[path.endsWith('whatsapp/messages') && name === 'message' ? 'body_text' : name];
        if (name === 'to' && Array.isArray(shown)) expect(shown).toEqual([{ email: (value as string[])[0] }]);
        else expect([path, name, shown]).toEqual([path, name, value]);
      }
    }
  }, 120_000);

  it('tells what a WhatsApp message is, and keeps the kinds apart', async () => {
    const types: Array<[string, object, object]> = [
      [
        'messages/template',
        { template_name: 'order_shipped', template_language: 'en_US', template_parameters: ['Ann'] },
        {
          message_type: 'template',
          template_name: 'order_shipped',
          template_language: 'en_US',
          template_parameters: ['Ann'],
          body_text: null,
        },
      ],
      ['messages/text', { body_text: 'Hello' }, { message_type: 'text', body_text: 'Hello', template_name: null }],
      [
        'messages',
        { media: { url: 'https://cdn.example.com/a.pdf', caption: 'Bill' } },
        { message_type: 'media', media_url: 'https://cdn.example.com/a.pdf', body_text: 'Bill' },
      ],
    ];
    const ids: string[] = [];
    for (const [path, body, expected] of types) {
      const sent = await tenant.api.post(`/communication/whatsapp/${path}`, {
        to: '+15005550015',
        sandbox: true,
        ...body,
      });
      assertStatus(sent, 200);
      const read = await tenant.api.get(`/communication/whatsapp/${path}/${sent.body.data.message_id}`);
      assertStatus(read, 200);
      expect(read.body.data).toMatchObject({ provider: 'meta_cloud', read_at: null, status: 'simulated', ...expected });
      ids.push(sent.body.data.message_id);
    }
    const list = async (path: string) => {
      const { body } = await tenant.api.get(`/communication/whatsapp/${path}?status=simulated`);
      return body.data.map((one: { message_id: string }) => one.message_id);
    };
    expect(await list('messages/template')).toEqual([ids[0]]);
    expect(await list('messages/text')).toEqual([ids[1]]);
    expect(await list('messages')).toEqual([...ids].reverse());
    expect((await tenant.api.get(`/communication/whatsapp/messages/text/${ids[0]}`)).status).toBe(404);
    const named = await tenant.api.post('/communication/whatsapp/messages/template', {
      to: '+15005550015',
      template_name: 'x',
      template_language: '?',
    });
    expect(named.body.errors.map(({ field }: { field: string }) => field)).toEqual(['template_language']);
  });

  it('shows when a WhatsApp message was read', async () => {
    const sent = await tenant.api.post('/communication/whatsapp/messages/text', {
      to: '+15005550015',
      body_text: 'Hello',
    });
    assertStatus(sent, 202);
    const message = await tenant.until(sent.body.data.message_id, ({ status }) => status === 'read');
    const { body } = await tenant.api.get(`/communication/whatsapp/messages/text/${message.message_id}`);
    const at = message.events.find(({ event }: { event: string }) => event === 'message.read').at;
    expect(body.data).toMatchObject({ status: 'read', read_at: at, delivered_at: expect.any(String) });
  });

  it('shows what was done with an email, and its files without what is in them', async () => {
    const sent = await tenant.api.post('/communication/sendgrid/emails/', {
      to: [{ email: 'engaged@simulator.test', name: 'Jane' }],
      cc: 'team@example.com',
      subject: 'Grüße',
      body_html: '<a href="https://example.com">x</a>',
      tracking: { opens: true, clicks: true },
      headers: { 'X-Order': '1' },
      attachments: [{ filename: 'a.txt', content_type: 'text/plain', content: 'SGVsbG8=' }],
    });
    assertStatus(sent, 202);
    const path = `/communication/sendgrid/emails/${sent.body.data.message_id}`;
    const { data } = (
      await eventually(
        () => tenant.api.get(path),
        ({ body }) => body.data.engagement?.clicks > 0,
      )
    ).body;
    expect(data).toMatchObject({
      provider: 'sendgrid',
      to: [{ email: 'engaged@simulator.test', name: 'Jane' }],
      cc: [{ email: 'team@example.com' }],
      bcc: [],
      from: null,
      subject: 'Grüße',
      body_text: null,
      body_html: '<a href="https://example.com">x</a>',
      headers: { 'X-Order': '1' },
      attachments: [{ filename: 'a.txt', content_type: 'text/plain', size: 5 }],
      bounce_type: null,
      engagement: { bounces: 0, first_opened_at: expect.any(String) },
    });
    const bare = await tenant.api.post('/communication/sendgrid/emails', { to: ['a@example.com'], subject: 'x' });
    expect(bare.body.errors.map(({ field }: { field: string }) => field)).toEqual(['body_text']);
  });

  it('kept to its document, and logged no fault', () => {
    expect(service.recorder.answers.length).toBeGreaterThan(0);
    expect(service.errorLines()).toEqual([]);
  });
});
