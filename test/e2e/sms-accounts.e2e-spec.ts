import { eventually } from '../support/api-client';
import { Service, type Tenant } from '../support/e2e-service';

const MAGIC_LATE_BOUNCE = '+15005550011';
const MAGIC_REPLY = '+15005550012';
const MAGIC_SILENT = '+15005550013';
const MAGIC_HANG = '+15005550005';
const MAGIC_MALFORMED = '+15005550007';

describe('Skebby and 46elks, by the stand-ins of the simulator', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    const password = 'password-of-the-account';
    service.secrets.add(password);
    const accounts: Array<[string, object]> = [
      ['skebby', { credentials: { username: 'acme@example.com', password }, sender: 'Acme' }],
      ['elks', { credentials: { api_username: 'u1234', api_password: password }, sender_id: 'Acme' }],
    ];
    for (const [provider, fields] of accounts) {
      const config = await tenant.api.post(`/communication/${provider}/configs`, {
        display_name: provider,
        status: 'active',
        ...fields,
      });
      expect(config.status).toBe(201);
    }
    const routed = await tenant.api.put('/v1/gateways', {
      gateways: { sms: { primary: 'elks', routing: { '+39': 'skebby' }, fallback: ['skebby'] } },
    });
    expect(routed.status).toBe(200);
  });

  afterAll(() => service.stop());

  const received = async (to: string) =>
    (await service.anonymous.get(`/simulator/messages?to=${encodeURIComponent(to)}`)).body.data;

  it.each([
    ['skebby', '+393331234567'],
    ['elks', '+46700000001'],
  ])('%s sends to %s and reports the delivery, proved by the token', async (provider, to) => {
    const id = await tenant.send(to);
    const message = await tenant.until(id, ({ status }) => status === 'delivered');
    expect(message).toMatchObject({ gateway: provider, segments: 1, possible_duplicate: false });
    expect(await received(to)).toEqual([expect.objectContaining({ provider, reference: id, accepted: true })]);
  });

  it.each(['skebby', 'elks'])(
    '%s: a message whose answer was lost is found and not sent twice',
    async (provider) => {
      for (const to of [MAGIC_HANG, MAGIC_MALFORMED]) {
        const before = (await received(to)).length;
        const id = await tenant.send(to, { provider, message: `lost at ${provider}` });
        const message = await tenant.until(id, ({ status }) => status === 'delivered', 30_000);
        expect(message).toMatchObject({ gateway: provider, possible_duplicate: false });
        expect((await received(to)).length - before).toBe(1);
      }
    },
    60_000,
  );

  it.each(['skebby', 'elks'])(
    '%s: a late failure does not take a delivery back, and a reply is kept',
    async (provider) => {
      const bounced = await tenant.send(MAGIC_LATE_BOUNCE, { provider });
      await tenant.until(bounced, ({ events }) => events.length >= 3);
      expect(await tenant.message(bounced)).toMatchObject({ status: 'delivered' });
      const answered = await tenant.send(MAGIC_REPLY, { provider });
      await tenant.until(answered, ({ status }) => status === 'delivered');
    },
  );

  it('a provider that does not report is asked, until the message is final', async () => {
    const { body } = await tenant.api.get('/communication/skebby/configs');
    const change = (quality: string) =>
      tenant.api.patch(`/communication/skebby/configs/${body.data[0].id}`, { message_quality: quality });
    const polls = (id: string) =>
      service.database.database.query('SELECT tries FROM status_polls WHERE message_id = $1', [id]);
    // Of Classic and Basic there are no reports.
    expect((await change('TI')).status).toBe(200);
    try {
      const [delivered, failed] = [
        await tenant.send('+393331234569'),
        await tenant.send('+15005550002', { provider: 'skebby' }),
      ];
      expect(await tenant.until(delivered, ({ final }) => final, 30_000)).toMatchObject({ status: 'delivered' });
      expect(await tenant.until(failed, ({ final }) => final, 30_000)).toMatchObject({
        status: 'undelivered',
        error_code: 'not_delivered',
      });
      await eventually(
        () => polls(delivered),
        (rows) => rows.length === 0,
      );
    } finally {
      expect((await change('GP')).status).toBe(200);
    }
  }, 60_000);

  it('46elks tells the cost in SEK', async () => {
    const id = await tenant.send('+46700000002', { message: 'x'.repeat(161) });
    expect(await tenant.until(id, ({ status }) => status === 'delivered')).toMatchObject({
      segments: 2,
      cost: { amount: '0.7', currency: 'SEK' },
    });
  });

  it('a refresh asks the provider', async () => {
    for (const to of ['+393331234568', '+46700000003']) {
      const id = await tenant.send(to);
      await tenant.until(id, ({ status }) => status === 'delivered');
      const refreshed = await tenant.api.post(`/v1/messages/${id}/refresh`);
      expect([refreshed.status, refreshed.body.data.status]).toEqual([200, 'delivered']);
    }
  });

  describe('numbers in national form', () => {
    it('are completed by the country of the 46elks account', async () => {
      const id = await tenant.send('070-000 00 04');
      expect(await tenant.until(id, ({ status }) => status === 'delivered')).toMatchObject({
        to: '+46700000004',
        gateway: 'elks',
      });
    });

    it('are completed in sends by provider, and in batches', async () => {
      const named = await tenant.api.post('/communication/elks/sms', { to: '070 000 00 05', body: 'x' });
      expect(named.status).toBe(202);
      const batch = await tenant.api.post('/v1/messages/batch', {
        messages: [
          { channel: 'sms', to: '0700000006', message: 'x' },
          { channel: 'sms', to: '0701', message: 'x' },
        ],
      });
      expect(batch.body.data).toMatchObject({ accepted: 1, rejected: 1 });
      const ids = [named.body.data.message_id, batch.body.data.results[0].message_id];
      const found = await Promise.all(ids.map((id) => tenant.message(id)));
      expect(found.map(({ to }) => to)).toEqual(['+46700000005', '+46700000006']);
    });

    it('are routed by what they are completed to', async () => {
      const { body } = await tenant.api.get('/communication/elks/configs');
      const change = (code: string) =>
        tenant.api.patch(`/communication/elks/configs/${body.data[0].id}`, { default_country_code: code });
      expect((await change('+39')).status).toBe(200);
      try {
        const dry = await tenant.api.post('/v1/sms/send', { to: '06 6982 0123', message: 'x', dry_run: true });
        expect(dry.body.data).toMatchObject({ to: '+390669820123', candidates: [{ gateway: 'skebby' }, {}] });
      } finally {
        expect((await change('+46')).status).toBe(200);
      }
    });

    it.each([
      ['that no country has', { to: '0701' }],
      ['when no account names a country', { to: '0701234567', provider: 'skebby' }],
      ['with the prefix of a call abroad', { to: '0046701234567' }],
    ])('are refused %s', async (_, fields) => {
      const refused = await tenant.api.post('/v1/sms/send', { message: 'x', ...fields });
      expect(refused).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', errors: [{ field: 'to', code: 'invalid_phone_number' }] },
      });
    });
  });

  it('shows where Skebby must report, which no request can say, and notes it; a report there counts', async () => {
    const { body } = await tenant.api.get('/communication/skebby/configs');
    const { id, callback_urls: shownToAll } = body.data[0];
    expect(shownToAll).toEqual({});
    const path = `/communication/skebby/configs/${id}/callback-urls`;
    const reader = await tenant.key(['configs:read']);
    expect((await reader.get(path)).status).toBe(403);
    const shown = await tenant.api.get(path);
    expect(shown).toMatchObject({ status: 200, body: { data: { id } } });
    const { status, inbound } = shown.body.data.callback_urls_with_token;
    expect([status, inbound].map((url) => new URL(url).searchParams.get('token')!.length)).toEqual([32, 32]);
    const [entry] = (await tenant.api.get('/v1/audit')).body.data;
    expect(entry).toMatchObject({ action: 'callback_urls.shown', object: id });
    expect(JSON.stringify(entry)).not.toContain(new URL(status).searchParams.get('token'));

    const message = await tenant.send(MAGIC_SILENT, { provider: 'skebby' });
    await tenant.until(message, (one) => one.status === 'sent');
    const report = new URL(status);
    for (const [name, value] of Object.entries({ order_id: message, status: 'UNKNRCPT', recipient: MAGIC_SILENT }))
      report.searchParams.set(name, value);
    expect((await service.anonymous.get(report.pathname + report.search)).status).toBe(200);
    expect(await tenant.until(message, (one) => one.status === 'failed')).toMatchObject({
      error_code: 'invalid_recipient',
    });
  });

  it.each<[string, Record<string, string>]>([
    ['skebby', { sender: '+393331234567', receiver: '+393390000001', text: 'to nobody', timestamp: '1795334400' }],
    ['elks', { id: 'sdeadbeef', from: '+393331234567', to: '+393390000001', message: 'to nobody' }],
  ])(
    'keeps what comes in by %s without a config id, to whatever number, when the token is right',
    async (provider, fields) => {
      const { body } = await tenant.api.get(`/communication/${provider}/configs`);
      const urls = await tenant.api.get(`/communication/${provider}/configs/${body.data[0].id}/callback-urls`);
      const { search } = new URL(urls.body.data.callback_urls_with_token.inbound);
      const comes = (query: string) =>
        fetch(`${service.url}/webhook/${provider}/inbound${query}`, {
          method: 'POST',
          body: new URLSearchParams(fields),
        });
      expect((await comes(`${search}x`)).status).toBe(401);
      expect((await comes(search)).status).toBe(200);
      const kept = await tenant.api.get(`/v1/provider-events?matched=false&provider=${provider}`);
      expect(kept.body.data[0]).toMatchObject({
        kind: 'inbound',
        config_id: body.data[0].id,
        normalized: { kind: 'inbound', text: 'to nobody', to: '+393390000001' },
      });
    },
  );

  it.each(['skebby', 'elks'])('refuses callbacks of %s without the token or with a wrong one', async (provider) => {
    const { body } = await tenant.api.get(`/communication/${provider}/configs`);
    for (const query of ['', '?token=', '?token=wrong', '?token=wrong&token=wrong']) {
      const url = `/webhook/${provider}/status/${body.data[0].id}${query}`;
      expect(await service.anonymous.post(url, {})).toMatchObject({ status: 401, body: { code: 'invalid_signature' } });
    }
  });
});
