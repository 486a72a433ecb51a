import type { Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';

describe('gateways: which way a message goes', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());

  const put = (sms: unknown, api = tenant.api) => api.put('/v1/gateways', { gateways: { sms } });
  const preview = async (to: string, more: object = {}): Promise<Wire> => {
    const answer = await tenant.api.post('/v1/gateways/preview', { channel: 'sms', to, ...more });
    assertStatus(answer, 200);
    return answer.body.data;
  };
  const reasons = ({ candidates }: Wire) => candidates.map((one: Wire) => `${one.gateway} ${one.reason}`);

  it('keeps the document as it was given', async () => {
    const sms = {
      primary: 'twilio',
      fallback: ['nexmo'],
      routing: { '+39': 'vonage', '*': 'twilio' },
      on_ambiguous: 'hold',
      reconcile_seconds: 30,
    };
    const stored = await put(sms);
    expect(stored.body.data).toEqual({ client_id: tenant.clientId, gateways: { sms } });
    expect((await tenant.api.get('/v1/gateways')).body.data).toEqual(stored.body.data);
    assertStatus(await tenant.api.put('/v1/gateways', stored.body.data), 200);
  });

  it('takes the longest prefix, then primary, then fallback, each once', async () => {
    const second = await tenant.api.post('/communication/twilio/configs', {
      display_name: 'Second',
      credentials: { account_sid: tenant.twilio.accountSid, auth_token: tenant.twilio.authToken },
      from_number: '+15005550007',
      status: 'active',
    });
    assertStatus(second, 201);
    const secondId = second.body.data.id;
    assertStatus(
      await put({
        primary: 'twilio',
        fallback: ['vonage', secondId, 'twilio'],
        routing: { '+39': 'vonage', '+39333': secondId, '+4': 'nexmo', '*': 'twilio' },
      }),
      200,
    );
    expect(reasons(await preview('+393331234567'))).toEqual([
      'twilio routing[+39333]',
      'twilio primary',
      'vonage fallback[0]',
    ]);
    expect(reasons(await preview('+393451234567'))).toEqual([
      'vonage routing[+39]',
      'twilio primary',
      'twilio fallback[1]',
    ]);
    expect(reasons(await preview('+46701234567'))).toEqual([
      'vonage routing[+4]',
      'twilio primary',
      'twilio fallback[1]',
    ]);
    expect(reasons(await preview('+12025550123'))).toEqual([
      'twilio routing[*]',
      'vonage fallback[0]',
      'twilio fallback[1]',
    ]);
    const [first] = (await preview('+393331234567')).candidates;
    expect(first.config_id).toBe(secondId);
    // What is previewed is what is done.
    const to = freshNumber('+39333');
    await tenant.until(await tenant.send(to), ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)[0]!.form.From).toBe('+15005550007');
    const forced = await preview('+393331234567', { provider: 'nexmo' });
    expect(reasons(forced)).toEqual(['vonage provider']);
    expect((await preview('+393331234567', { provider: tenant.twilio.id })).candidates).toEqual([
      { gateway: 'twilio', config_id: tenant.twilio.id, reason: 'provider' },
    ]);
  });

  it('forces one gateway by provider, old name and config, and tries no other', async () => {
    const alone = await service.tenant();
    for (const [provider, gateway] of [
      ['vonage', 'vonage'],
      ['nexmo', 'vonage'],
      [alone.vonage.id, 'vonage'],
      ['twilio', 'twilio'],
    ]) {
      const to = freshNumber();
      const message = await alone.until(await alone.send(to, { provider }), ({ status }) => status === 'sent');
      expect([provider, message.gateway]).toEqual([provider, gateway]);
    }
  });

  it('passes over what cannot be used, and says why', async () => {
    const alone = await service.tenant({ twilio: { supported_countries: ['SE', 'NO'] } });
    const of = async (to: string) => (await alone.api.post('/v1/gateways/preview', { channel: 'sms', to })).body.data;
    expect(await of('+393331234567')).toEqual({
      candidates: [{ gateway: 'vonage', config_id: alone.vonage.id, reason: 'fallback[0]' }],
      skipped: [{ gateway: 'twilio', config_id: alone.twilio.id, reason: 'country_not_supported', temporary: false }],
    });
    expect((await of('+46701234567')).candidates).toHaveLength(2);
    const to = freshNumber();
    await alone.until(await alone.send(to), ({ gateway }) => gateway === 'vonage');
    expect(service.twilio.sends(to)).toHaveLength(0);
    const refused = await alone.api.post('/v1/sms/send', { to, message: 'x', provider: 'twilio' });
    expect([refused.status, refused.body.code]).toEqual([422, 'no_gateway_available']);
    expect(refused.body.detail).toContain('country_not_supported');
    assertStatus(await alone.api.post(`/communication/vonage/configs/${alone.vonage.id}/pause`), 200);
    expect((await of('+46701234567')).skipped).toEqual([
      expect.objectContaining({ gateway: 'vonage', reason: 'config_paused' }),
    ]);
    const dry = await alone.api.post('/v1/sms/send', { to: '+46701234567', message: 'x', dry_run: true });
    expect(dry.body.data.candidates).toHaveLength(1);
    expect(JSON.stringify(dry.body.data)).toContain('config_paused');
    expect((await of('+393331234567')).candidates).toEqual([]);
  });

  it('says in a dry run why nothing can take a message, as the send would be refused', async () => {
    const alone = await service.tenant({ twilio: { supported_countries: ['SE'], max_per_second: 60 } });
    const body = { to: '+393331234567', message: 'x', provider: 'twilio' };
    const explained = async (more: object) => {
      const refused = await alone.api.post('/v1/sms/send', { ...body, ...more });
      const dry = await alone.api.post('/v1/sms/send', { ...body, ...more, dry_run: true });
      assertStatus(dry, 200);
      expect(dry.body.data.refusal).toEqual({ code: refused.body.code, detail: refused.body.detail });
      return dry.body.data as Wire;
    };
    expect(await explained({})).toMatchObject({
      status: 'refused',
      refusal: { code: 'no_gateway_available' },
      candidates: [],
      skipped: [{ gateway: 'twilio', config_id: alone.twilio.id, reason: 'country_not_supported' }],
      segments: 1,
    });
    const follows = [{ channel: 'whatsapp', after_seconds: 5, to: body.to, message: 'x' }];
    const item = await explained({ provider: undefined, on_undelivered: follows });
    expect(item).toMatchObject({ status: 'refused', candidates: [{ gateway: 'vonage' }] });
    expect(item.refusal.detail).toContain('on_undelivered[0]');
    const wrong = await alone.api.post('/v1/sms/send', { ...body, message: '', dry_run: true });
    expect([wrong.status, wrong.body.errors[0].field]).toEqual([400, 'message']);
  });

  it('says in a dry run how many sends the rates allow at the moment', async () => {
    const alone = await service.tenant({ twilio: { max_per_second: 60 } });
    const dry = await alone.api.post('/v1/sms/send', { to: '+393331234567', message: 'x', dry_run: true });
    expect(dry.body.data.candidates[0]).toMatchObject({ gateway: 'twilio', max_per_second: 60, rate_available: 3 });
  });

  it.each([
    ['gateways', {}],
    ['gateways', { gateways: [] }],
    ['gateways.sms.primary', { gateways: { sms: {} } }],
    ['gateways.sms.primary', { gateways: { sms: { primary: 'pigeon' } } }],
    ['gateways.sms.primary', { gateways: { sms: { primary: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' } } }],
    ['gateways.sms.fallback[1]', { gateways: { sms: { primary: 'twilio', fallback: ['vonage', 'sendgrid'] } } }],
    ['gateways.sms.fallback[1]', { gateways: { sms: { primary: 'twilio', fallback: ['vonage', 'vonage'] } } }],
    ['gateways.sms.routing', { gateways: { sms: { primary: 'twilio', routing: { '39': 'twilio' } } } }],
    ['gateways.sms.routing.+39', { gateways: { sms: { primary: 'twilio', routing: { '+39': 'pigeon' } } } }],
    ['gateways.sms.on_ambiguous', { gateways: { sms: { primary: 'twilio', on_ambiguous: 'guess' } } }],
    ['gateways.sms.reconcile_seconds', { gateways: { sms: { primary: 'twilio', reconcile_seconds: -1 } } }],
    ['gateways.sms.colour', { gateways: { sms: { primary: 'twilio', colour: 'red' } } }],
    ['gateways.pigeon', { gateways: { pigeon: { primary: 'twilio' } } }],
    ['gateways.email.primary', { gateways: { email: { primary: 'twilio' } } }],
    ['client_id', { client_id: 'other_0123456789ab', gateways: {} }],
  ])('refuses a document with a bad %s and keeps the one before', async (field, document) => {
    const before = (await tenant.api.get('/v1/gateways')).text;
    const refused = await tenant.api.put('/v1/gateways', document);
    expect(refused.status).toBe(400);
    const fields = refused.body.errors.map((one: Wire) => one.field);
    expect([fields, fields.some((one: string) => one.startsWith(field))]).toEqual([fields, true]);
    expect((await tenant.api.get('/v1/gateways')).text).toBe(before);
  });

  it('reads the recipient of a preview as that of a send', async () => {
    for (const to of ['+39 333 123 4567', '+39 (333) 123-45.67'])
      expect([to, reasons(await preview(to))]).toEqual([to, reasons(await preview('+393331234567'))]);
  });

  it('takes no target without an active config', async () => {
    const alone = await service.tenant();
    assertStatus(await alone.api.post(`/communication/vonage/configs/${alone.vonage.id}/pause`), 200);
    const refused = await put({ primary: 'twilio', fallback: ['vonage'] }, alone.api);
    expect([refused.status, refused.body.errors[0].field]).toEqual([400, 'gateways.sms.fallback[0]']);
    assertStatus(await put({ primary: 'twilio' }, alone.api), 200);
  });

  it('previews nothing for a recipient that is none', async () => {
    for (const body of [
      { channel: 'sms', to: 'x' },
      { channel: 'sms', to: '+3' },
      { channel: 'sms', to: '+9991234567' },
      { channel: 'whatsapp', to: '0701234567' },
      { channel: 'sms' },
      { to: '+393331234567' },
      { channel: 'pigeon', to: 'x' },
    ])
      expect((await tenant.api.post('/v1/gateways/preview', body)).status).toBe(400);
    const nothing = await tenant.api.post('/v1/gateways/preview', { channel: 'email', to: 'a@example.com' });
    expect(nothing.body.data).toEqual({ candidates: [], skipped: [] });
  });
});
