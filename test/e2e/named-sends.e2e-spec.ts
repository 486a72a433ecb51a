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
