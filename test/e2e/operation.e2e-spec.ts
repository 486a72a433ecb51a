import { request } from 'undici';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, Service, type Tenant } from '../support/e2e-service';

const MAGIC = {
  delivered: '+15005550000',
  invalid: '+15005550001',
  undelivered: '+15005550002',
  throttled: '+15005550003',
  malformed: '+15005550007',
  early: '+15005550008',
  disordered: '+15005550009',
  repeated: '+15005550010',
  late: '+15005550011',
  reply: '+15005550012',
  silent: '+15005550013',
  twilioDown: '+15005550014',
};

describe('operation', () => {
  let service: Service;

  beforeAll(async () => {
    service = await Service.start();
  }, 60_000);
  afterAll(() => service?.stop());

  it('is live and ready, and says what it checked', async () => {
    expect((await service.anonymous.get('/health/live')).body).toEqual({ success: true, status: 'ok' });
    const ready = await service.anonymous.get('/health/ready');
    expect([ready.status, ready.body.success, ready.body.status]).toEqual([200, true, 'ok']);
    expect(ready.body.checks).toMatchObject({ database: { status: 'up' }, queue: { status: 'up' } });
  });

  it('tells its metrics in the text format of Prometheus', async () => {
    const tenant = await service.tenant();
    await tenant.until(await tenant.send('+393331234567'), ({ status }) => status === 'sent');
    const metrics = await service.anonymous.get('/metrics');
    expect([metrics.status, String(metrics.headers['content-type']).split(';')[0]]).toEqual([200, 'text/plain']);
    for (const name of [
      'unimsg_messages_accepted_total',
      'unimsg_attempts_total',
      'unimsg_queue_age_seconds',
      'unimsg_callback_lag_seconds',
      'unimsg_event_loop_lag_p99_seconds',
    ])
      expect([name, metrics.text.includes(`# TYPE ${name} `)]).toEqual([name, true]);
    expect(metrics.text).toMatch(/^unimsg_messages_accepted_total\{[^}]*\} [1-9]/m);
    expect(metrics.text).toMatch(/^unimsg_attempts_total\{[^}]*twilio[^}]*\} [1-9]/m);
    expect(metrics.text).toMatch(/delivery_lag/);
    for (const line of metrics.text.trim().split('\n'))
      expect(line).toMatch(/^($|#|[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? (-?[0-9.e+-]+|NaN|\+Inf)$)/);
  });

  it('serves the document and a page to try it', async () => {
    expect(service.contract.document.openapi).toMatch(/^3\.1/);
    const page = await request(`${service.url}/docs`);
    expect(await page.body.text()).toContain('swagger-ui');
  });
});

describe('the simulator', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    // Its stand-in signs Vonage's receipts with the API secret, so such a config has that as its signature secret.
    tenant = await service.tenant({
      vonage: {
        credentials: { api_key: 'abcd1234', api_secret: 'simulated-secret', signature_secret: 'simulated-secret' },
      },
      sms: { primary: 'twilio', fallback: ['vonage'], reconcile_seconds: 1 },
    });
  }, 60_000);
  afterAll(() => service?.stop());

  const final = (message: Wire) => message.final;
  const send = (to: string, more: object = {}) => tenant.send(to, more);

  it.each(['twilio', 'vonage'])('delivers at %s, with callbacks that are signed and applied', async (provider) => {
    const id = await send('+393331234567', { provider });
    const message = await tenant.until(id, final);
    expect(message).toMatchObject({ status: 'delivered', gateway: provider });
    expect(message.events.map((one: Wire) => one.event)).toEqual([
      'message.queued',
      'message.sent',
      'message.delivered',
    ]);
    const listed = await service.anonymous.get(`/simulator/messages?to=${encodeURIComponent('+393331234567')}`);
    expect(listed.body.data).toContainEqual(
      expect.objectContaining({ provider, external_id: message.external_id, reference: id }),
    );
  });

  it('behaves as its magic recipients say', async () => {
    const expected: Array<[string, object]> = [
      [MAGIC.delivered, { status: 'delivered' }],
      [MAGIC.invalid, { status: 'failed', error_code: 'invalid_recipient' }],
      [MAGIC.undelivered, { status: 'undelivered' }],
      [MAGIC.throttled, { status: 'delivered', gateway: 'twilio' }],
      [MAGIC.malformed, { status: 'delivered', gateway: 'twilio', possible_duplicate: false }],
      [MAGIC.early, { status: 'delivered' }],
      [MAGIC.disordered, { status: 'delivered' }],
      [MAGIC.repeated, { status: 'delivered' }],
      [MAGIC.late, { status: 'delivered' }],
      [MAGIC.twilioDown, { status: 'delivered', gateway: 'vonage', possible_duplicate: true }],
    ];
    const messages = await Promise.all(expected.map(async ([to]) => tenant.until(await send(to), final, 20_000)));
    for (const [index, [to, want]] of expected.entries())
      expect([to, messages[index]]).toEqual([to, expect.objectContaining(want)]);
    const silent = await send(MAGIC.silent);
    await tenant.until(silent, ({ status }) => status === 'sent');
    const refreshed = await tenant.api.post(`/v1/messages/${silent}/refresh`);
    expect([refreshed.status, refreshed.body.data.status]).toEqual([200, 'delivered']);
    await send(MAGIC.reply);
    await eventually(
      () => tenant.api.get('/v1/provider-events?limit=200'),
      ({ body }) => body.data.some((one: Wire) => one.kind === 'inbound'),
    );
  }, 30_000);

  it('refuses credentials that say so, as the provider does', async () => {
    const config = await tenant.api.post('/communication/twilio/configs', {
      display_name: 'Wrong',
      credentials: { account_sid: `AC${'1'.repeat(32)}`, auth_token: 'invalid-token' },
      from_number: '+15005550006',
      status: 'active',
    });
    assertStatus(config, 201);
    const id = await send('+393331234567', { provider: config.body.data.id });
    await tenant.until(id, (message) => message.attempts.length === 1);
    const read = await tenant.api.get(`/communication/twilio/configs/${config.body.data.id}`);
    expect(read.body.data).toMatchObject({ status: 'error', last_error: { provider_code: '20003' } });
  });

  it.each([
    ['sms', 'twilio', { credentials: { account_sid: 'ACtest', auth_token: 'x' }, from_number: '+15005550006' }],
    ['sms', 'vonage', { credentials: { api_key: 'my-test-key', api_secret: 'x' }, from: 'Acme' }],
    ['telegram', 'telegram', { credentials: { bot_token: 'test-token' } }],
    [
      'whatsapp',
      'whatsapp',
      {
        credentials: {
          access_token: 'x',
          phone_number_id: 'phone_1',
          business_account_id: 'business-1',
          webhook_verify_token: 'x',
          app_secret: 'x',
        },
      },
    ],
  ])('sends %s by %s with credentials that were made up', async (channel, slug, config) => {
    const made = await tenant.api.post(`/communication/${slug}/configs`, {
      ...config,
      display_name: 'Made up',
      status: 'active',
    });
    assertStatus(made, 201);
    const test = await tenant.api.post(`/communication/${slug}/configs/${made.body.data.id}/test`);
    expect(test.body.data).toMatchObject({ healthy: true });
    const sent = await tenant.api.post(`/v1/${channel}/send`, {
      to: channel === 'telegram' ? '4711' : '+393331234567',
      message: 'x',
      provider: made.body.data.id,
    });
    assertStatus(sent, 202);
    await tenant.until(sent.body.data.message_id, ({ status }) => status === 'delivered' || status === 'sent');
  });

  it('takes bad filters as bad input', async () => {
    for (const query of ['limit=0', 'limit=x', 'colour=red'])
      expect([query, (await service.anonymous.get(`/simulator/messages?${query}`)).status]).toEqual([query, 400]);
  });
});
