import { simulatedServiceAccount } from '../../src/channels/push/providers/fcm.simulator';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, Service, type Tenant } from '../support/e2e-service';

const DEAD = 'simulator-invalid-recipient';

describe('push', () => {
  let service: Service;
  let tenant: Tenant;
  let other: Tenant;
  let devices = 0;

  const freshDevice = (): string => `device-${++devices}:APA91b${'x'.repeat(60)}`;
  const keyOf = (json: string): string => (JSON.parse(json) as { private_key: string }).private_key.split('\n')[5]!;

  async function account(owner: Tenant, project: string, more: object = {}): Promise<string> {
    const json = simulatedServiceAccount(project);
    service.secrets.add(keyOf(json));
    const config = await owner.api.post('/communication/fcm/configs/', {
      status: 'active',
      credentials: { service_account_json: json, project_id: project },
      ...more,
    });
    assertStatus(config, 201);
    expect(config.body.data.credentials).toEqual({
      service_account_json_ref: expect.stringMatching(/^db:/),
      project_id: project,
    });
    return config.body.data.id;
  }

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    other = await service.tenant({ twilio: false, vonage: false, sms: null });
    await account(tenant, 'acme-app');
    await account(other, 'other-app');
    for (const one of [tenant, other]) {
      const push = { primary: 'fcm', on_ambiguous: 'hold', reconcile_seconds: 0 };
      assertStatus(await one.api.put('/v1/gateways', { gateways: { push } }), 200);
    }
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  async function send(body: object, from = tenant): Promise<string> {
    const sent = await from.api.post('/v1/push/send', body);
    assertStatus(sent, 202);
    expect(sent.body.data).toMatchObject({ channel: 'push', status: 'queued', segments: null });
    return sent.body.data.message_id;
  }
  const settled = (id: string, from = tenant) =>
    from.until(id, ({ status }) => status !== 'queued' && status !== 'sending');
  const received = async (to: string): Promise<Wire[]> =>
    (await service.anonymous.get(`/simulator/messages?provider=fcm&to=${encodeURIComponent(to)}`)).body.data;
  const fields = (answer: { body: Wire }) =>
    answer.body.errors.map(({ field, code }: { field: string; code: string }) => `${field} ${code}`);

  it('sends a notification to a device, with a token of the own service account', async () => {
    const token = freshDevice();
    const id = await send({
      target: { device_token: token, platform: 'android', player_id: 'player-1' },
      title: 'Your parcel',
      body: 'It is at the door. 😀',
      image_url: 'https://cdn.example.com/parcel.jpg',
      data: { order_id: '8121' },
      ttl_seconds: 3600,
      badge_count: 1,
      sound: 'default',
      click_action: 'OPEN_ORDER',
      priority: 'high',
    });
    const message = await settled(id);
    expect(message).toMatchObject({
      status: 'sent',
      final: true,
      to: token,
      gateway: 'fcm',
      external_id: expect.stringMatching(/^projects\/acme-app\/messages\//),
      attempts: [{ outcome: 'accepted' }],
    });
    expect(await received(token)).toMatchObject([
      { body: 'Your parcel\nIt is at the door. 😀', reference: id, external_id: message.external_id },
    ]);
  });

  it('sends to a topic, and data alone', async () => {
    const topic = `news-${++devices}`;
    const message = await settled(await send({ topic, data: { sync: '1' }, collapse_key: 'sync' }));
    expect(message).toMatchObject({ status: 'sent', to: `/topics/${topic}` });
    expect(await received(`/topics/${topic}`)).toMatchObject([{ body: '{"sync":"1"}', reference: null }]);
  });

  it("keeps two tenants' projects apart", async () => {
    const token = freshDevice();
    const [mine, theirs] = await Promise.all([
      send({ target: { device_token: token }, title: 'a' }).then((id) => settled(id)),
      send({ target: { device_token: token }, title: 'b' }, other).then((id) => settled(id, other)),
    ]);
    expect(mine.external_id).toMatch(/^projects\/acme-app\//);
    expect(theirs.external_id).toMatch(/^projects\/other-app\//);
  });

  it('fails for a dead token, tells of it, and sends nothing more to that device', async () => {
    const target = { device_token: DEAD };
    const id = await send({ target, title: 'x' });
    const message = await settled(id);
    expect(message).toMatchObject({
      status: 'failed',
      error_code: 'unregistered_device',
      attempts: [{ outcome: 'recipient_permanent', error_code: 'UNREGISTERED' }],
    });
    const told = (await tenant.events('message.failed')).find(({ data }) => data.message_id === id);
    expect(told!.data).toMatchObject({ channel: 'push', to: DEAD, error_code: 'unregistered_device' });
    const listed = await tenant.api.get(`/v1/suppressions?channel=push&recipient=${DEAD}`);
    expect(listed.body.data).toMatchObject([{ channel: 'push', recipient: DEAD, reason: 'unregistered' }]);
    const again = await settled(await send({ target, title: 'y' }));
    expect(again).toMatchObject({ status: 'failed', error_code: 'suppressed', attempts: [] });
    expect((await received(DEAD)).map(({ body }) => body)).toEqual(['x']);
    // Another tenant's app may still know the device.
    const theirs = await settled(await send({ target, title: 'z' }, other), other);
    expect(theirs.error_code).toBe('unregistered_device');
  });

  it('waits as told when the project is throttled', async () => {
    const message = await settled(await send({ target: { device_token: 'simulator-throttled' }, title: 'x' }));
    expect(message.attempts.map(({ outcome }: Wire) => outcome)).toEqual(['throttled', 'accepted']);
  });

  it('does not know what an internal error means, and holds the message as the channel says', async () => {
    const message = await settled(await send({ target: { device_token: 'simulator-server-error' }, title: 'x' }));
    expect(message).toMatchObject({
      status: 'failed',
      error_code: 'outcome_unknown',
      attempts: [{ outcome: 'unknown', error_code: 'INTERNAL' }],
    });
  });

  const target = { device_token: 'a-device' };
  it.each<[string, object, string[]]>([
    ['no address', { title: 'x' }, ['target required']],
    ['two addresses', { target, topic: 'news', title: 'x' }, ['target conflict', 'topic conflict']],
    ['a player without token', { target: { player_id: 'p' }, title: 'x' }, ['target.device_token required']],
    ['a token with spaces', { target: { device_token: 'a b' }, title: 'x' }, ['target.device_token invalid_format']],
    ['another platform', { target: { ...target, platform: 'tv' }, title: 'x' }, ['target.platform invalid_value']],
    ['a topic that is none', { topic: 'all news', title: 'x' }, ['topic invalid_format']],
    ['nothing to say', { target }, ['title required']],
    ['no data', { target, data: {} }, ['title required']],
    ['a number as data', { target, data: { a: 1 } }, ['data.a invalid_type']],
    ['a reserved name', { target, data: { 'google.x': '1' } }, ['data.google.x reserved']],
    ['a sound for nothing', { target, data: { a: '1' }, sound: 'default' }, ['sound needs_notification']],
    ['more than 4 KiB', { target, title: 'x', data: { a: 'x'.repeat(4095) } }, ['data too_large']],
    ['more than 2 KiB to a topic', { topic: 'news', body: 'x'.repeat(2049) }, ['body too_large']],
    ['five weeks', { target, title: 'x', ttl_seconds: 3_000_000 }, ['ttl_seconds too_large']],
  ])('refuses %s', async (_, body, expected) => {
    const answer = await tenant.api.post('/v1/push/send', body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(fields(answer)).toEqual(expected);
  });

  it('hands a sandbox message to nobody', async () => {
    const token = freshDevice();
    const answer = await tenant.api.post('/v1/push/send', {
      target: { device_token: token },
      title: 'x',
      sandbox: true,
    });
    expect([answer.status, answer.body.data.status, answer.body.data.would_use_gateway]).toEqual([
      200,
      'simulated',
      'fcm',
    ]);
    expect(await received(token)).toEqual([]);
  });

  it('says what would happen, and takes part in a batch beside other channels', async () => {
    const token = freshDevice();
    const push = { target: { device_token: token }, title: 'x' };
    const dry = await tenant.api.post('/v1/push/send', { ...push, dry_run: true });
    expect([dry.status, dry.body.data.candidates.map(({ gateway }: Wire) => gateway)]).toEqual([200, ['fcm']]);
    expect(await received(token)).toEqual([]);
    const batch = await tenant.api.post('/v1/messages/batch', {
      messages: [
        { channel: 'push', ...push },
        { channel: 'telegram', to: '5', message: 'x' },
        { channel: 'push', title: 'x' },
      ],
    });
    expect([batch.status, batch.body.data.accepted]).toEqual([202, 1]);
    expect(batch.body.data.results.map(({ error }: Wire) => error?.code)).toEqual([
      undefined,
      'no_gateway_available',
      'invalid_request',
    ]);
    await settled(batch.body.data.results[0].message_id);
    expect(await received(token)).toHaveLength(1);
  });

  it('has FCM check messages only, where the config says so', async () => {
    const id = await account(other, 'staging-app', { validate_only: true });
    const token = freshDevice();
    for (let time = 0; time < 2; time++) {
      const message = await settled(
        await send({ target: { device_token: token }, title: 'x', provider: id }, other),
        other,
      );
      expect(message).toMatchObject({ status: 'sent', external_id: 'projects/staging-app/messages/fake_message_id' });
    }
    expect(await received(token)).toEqual([]);
  });

  it('refuses what is no service account, and repeats nothing of it', async () => {
    for (const json of ['s3cret', '{"apiKey":"s3cret"}']) {
      const answer = await tenant.api.post('/communication/fcm/configs/', {
        credentials: { service_account_json: json },
      });
      expect([answer.status, fields(answer)]).toEqual([400, ['credentials.service_account_json invalid_format']]);
      expect(answer.text).not.toContain('s3cret');
    }
  });

  it('puts a config whose service account Google refuses into error', async () => {
    const third = await service.tenant({ twilio: false, vonage: false, sms: null });
    const json = JSON.parse(simulatedServiceAccount('gone-app')) as Record<string, string>;
    const made = await third.api.post('/communication/fcm/configs/', {
      status: 'active',
      credentials: { service_account_json: JSON.stringify({ ...json, client_email: 'invalid@gone-app.example' }) },
    });
    assertStatus(made, 201);
    const { id } = made.body.data;
    const test = await third.api.post(`/communication/fcm/configs/${id}/test`);
    expect(test.body.data).toMatchObject({ healthy: false, error_class: 'config' });
    assertStatus(await third.api.put('/v1/gateways', { gateways: { push: { primary: 'fcm' } } }), 200);
    await send({ target: { device_token: freshDevice() }, title: 'x' }, third);
    const config = await eventually(
      async () => (await third.api.get(`/communication/fcm/configs/${id}`)).body.data,
      ({ status }) => status === 'error',
    );
    expect(config.last_error).toMatchObject({ code: 'bad_credentials', provider_code: 'invalid_grant' });
  });
});
