import { randomBytes } from 'node:crypto';
import type { Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';

const ACTIONS = ['activate', 'pause', 'resume', 'decommission'] as const;

/** From each state, where each action leads; absent: 409. */
const LIFE: Record<string, Partial<Record<(typeof ACTIONS)[number], string>>> = {
  draft: { activate: 'active', decommission: 'decommissioned' },
  active: { pause: 'paused', decommission: 'decommissioned' },
  paused: { activate: 'active', resume: 'active', decommission: 'decommissioned' },
  decommissioned: {},
};

describe('provider configs', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    process.env.E2E_TWILIO_TOKEN = randomBytes(16).toString('hex');
    process.env.OTHER_TOKEN = randomBytes(16).toString('hex');
    service = await Service.start();
    service.secrets.add(process.env.E2E_TWILIO_TOKEN).add(process.env.OTHER_TOKEN);
    tenant = await service.tenant();
  }, 60_000);
  afterAll(async () => {
    delete process.env.E2E_TWILIO_TOKEN;
    delete process.env.OTHER_TOKEN;
    await service?.stop();
  });

  const sid = () => `AC${randomBytes(16).toString('hex')}`;
  const create = async (body: object = {}, provider = 'twilio', api = tenant.api) =>
    api.post(`/communication/${provider}/configs`, {
      display_name: 'One',
      credentials: { account_sid: sid(), auth_token: randomBytes(16).toString('hex') },
      from_number: '+15005550006',
      ...body,
    });
  const made = async (body: object = {}): Promise<Wire> => {
    const answer = await create(body);
    assertStatus(answer, 201);
    return answer.body.data;
  };
  const act = (id: string, action: string) => tenant.api.post(`/communication/twilio/configs/${id}/${action}`);

  it('never shows a secret that it was given, and says where it is kept', async () => {
    const token = randomBytes(16).toString('hex');
    const accountSid = sid();
    const answer = await create({ credentials: { account_sid: accountSid, auth_token: token }, max_per_second: 5 });
    assertStatus(answer, 201);
    const { data } = answer.body;
    expect(data).toMatchObject({
      id: expect.stringMatching(/^cfg_/),
      provider: 'twilio',
      channel: 'sms',
      display_name: 'One',
      status: 'draft',
      max_per_second: 5,
      from_number: '+15005550006',
      usage: expect.objectContaining({ sends: 0 }),
    });
    expect(data.credentials.auth_token_ref).toMatch(/^db:sec_/);
    const path = `/communication/twilio/configs/${data.id}`;
    const shown = [
      answer,
      await tenant.api.get(path),
      await tenant.api.get('/communication/twilio/configs'),
      await tenant.api.patch(path, { display_name: 'Two' }),
    ];
    for (const { text } of shown) expect([text.includes(token), text.includes(accountSid)]).toEqual([false, false]);
    const [stored] = await service.database.database.query<{ found: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM secrets s WHERE s::text LIKE $1) OR EXISTS (SELECT 1 FROM provider_configs c WHERE c::text LIKE $1) AS found`,
      [`%${token}%`],
    );
    expect(stored!.found).toBe(false);
  });

  it.each(['draft', 'active', 'paused', 'decommissioned'])(
    'goes from %s only where the life cycle leads',
    async (state) => {
      for (const action of ACTIONS) {
        const { id } = await made();
        const way = {
          draft: [],
          active: ['activate'],
          paused: ['activate', 'pause'],
          decommissioned: ['decommission'],
        }[state]!;
        for (const step of way) assertStatus(await act(id, step), 200);
        const answer = await act(id, action);
        const expected = LIFE[state]![action];
        expect([state, action, answer.status]).toEqual([state, action, expected ? 200 : 409]);
        const read = await tenant.api.get(`/communication/twilio/configs/${id}`);
        expect([state, action, read.body.data.status]).toEqual([state, action, expected ?? state]);
      }
    },
  );

  it('sends with an active config only, and with changed credentials at once', async () => {
    const alone = await service.tenant({ vonage: false });
    const path = `/communication/twilio/configs/${alone.twilio.id}`;
    const send = () => alone.api.post('/v1/sms/send', { to: freshNumber(), message: 'x' });
    assertStatus(await alone.api.post(`${path}/pause`), 200);
    expect((await send()).body.code).toBe('no_gateway_available');
    assertStatus(await alone.api.post(`${path}/resume`), 200);
    const to = freshNumber();
    const token = randomBytes(16).toString('hex');
    service.secrets.add(token);
    const patched = await alone.api.patch(path, { credentials: { auth_token: token }, from_number: '+15005550009' });
    assertStatus(patched, 200);
    await alone.until(await alone.send(to), ({ status }) => status === 'sent');
    const [call] = service.twilio.sends(to);
    expect(call!.form.From).toBe('+15005550009');
    const basic = Buffer.from(String(call!.headers.authorization).slice(6), 'base64').toString();
    expect(basic).toBe(`${alone.twilio.accountSid}:${token}`);
    assertStatus(await alone.api.delete(path), 200);
    expect((await send()).body.code).toBe('no_gateway_available');
    expect((await alone.api.get('/communication/twilio/configs')).body.data).toEqual([]);
    expect((await alone.api.get(path)).body.data.status).toBe('decommissioned');
    expect((await alone.api.patch(path, { display_name: 'x' })).status).toBe(409);
  });

  it('tests an account without sending, and says what is wrong', async () => {
    const alone = await service.tenant();
    const path = `/communication/twilio/configs/${alone.twilio.id}/test`;
    const sends = service.twilio.sends().length;
    expect((await alone.api.post(path)).body.data).toMatchObject({ healthy: true, status: 'active' });
    service.twilio.refusedTokens.add(alone.twilio.authToken);
    const bad = await alone.api.post(path);
    expect([bad.status, bad.body.data.healthy, bad.body.data.error_class]).toEqual([200, false, 'config']);
    expect((await alone.api.get('/v1/gateways/health')).body.data).toContainEqual(
      expect.objectContaining({ config_id: alone.twilio.id, healthy: false }),
    );
    service.twilio.refusedTokens.delete(alone.twilio.authToken);
    expect((await alone.api.post(path)).body.data.healthy).toBe(true);
    expect(service.twilio.sends()).toHaveLength(sends);
  });

  it("lets a tenant name only the operator's secrets that the operator allows it", async () => {
    const created = await service.admin.post('/admin/tenants', { name: 'Refs', allowed_secret_refs: ['env:E2E_*'] });
    service.secrets.add(created.body.data.api_key).add(created.body.data.webhook_signing_secret);
    const api = service.client(created.body.data.api_key);
    const refs = (authTokenRef: string) =>
      create({ credentials: { account_sid: sid(), auth_token_ref: authTokenRef } }, 'twilio', api);
    const allowed = await refs('env:E2E_TWILIO_TOKEN');
    assertStatus(allowed, 201);
    expect(allowed.body.data.credentials.auth_token_ref).toBe('env:E2E_TWILIO_TOKEN');
    assertStatus(await api.post(`/communication/twilio/configs/${allowed.body.data.id}/activate`), 200);
    for (const ref of [
      'env:OTHER_TOKEN',
      'env:UNIMSG_ADMIN_KEY',
      'env:DATABASE_URL',
      'env:PATH',
      'env:E2E_../OTHER_TOKEN',
      'file:/etc/passwd',
      'file:../../etc/passwd',
      'db:sec_01kaqz9yq8e5v6m3c2n1b0a9s8',
      'vault:x',
      'nonsense',
      'env:',
    ]) {
      const refused = await refs(ref);
      expect([ref, refused.status, refused.text.includes(process.env.OTHER_TOKEN!)]).toEqual([ref, 400, false]);
      expect(refused.body.errors[0].field).toBe('credentials.auth_token_ref');
    }
    const mine = await made();
    const stolen = await refs(mine.credentials.auth_token_ref);
    expect(stolen.status).toBe(400);
  });

  it.each([
    ['credentials.account_sid', { credentials: { account_sid: 'AC1/2', auth_token: 'x' } }],
    ['credentials.auth_token_ref', { credentials: { account_sid: `AC${'0'.repeat(32)}` } }],
    ['credentials', { credentials: 'x' }],
    ['credentials.password', { credentials: { account_sid: `AC${'0'.repeat(32)}`, auth_token: 'x', password: 'y' } }],
    ['from_number', { from_number: '12345' }],
    ['supported_countries[1]', { supported_countries: ['IT', 'XX'] }],
    ['supported_countries[0]', { supported_countries: ['UK'] }],
    ['max_per_second', { max_per_second: 0 }],
    ['status', { status: 'paused' }],
    ['status_callback_url', { status_callback_url: 'ftp://x' }],
    ['colour', { colour: 'red' }],
  ])('refuses a bad %s', async (field, body) => {
    const refused = await create(body);
    expect(refused.status).toBe(400);
    expect(refused.body.errors.map((one: Wire) => one.field)).toContain(field);
  });

  it('lists accounts page by page and by state, also under the old name of a provider', async () => {
    const alone = await service.tenant({ twilio: false });
    for (let i = 0; i < 6; i++) await create({ display_name: `n${i}` }, 'twilio', alone.api);
    const seen: string[] = [];
    let cursor = '';
    do {
      const page: Wire = await alone.api.get(`/communication/twilio/configs?limit=4${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.body.data.map((one: Wire) => one.display_name));
      cursor = page.body.meta.next_cursor ?? '';
    } while (cursor);
    expect(seen).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'n5']);
    expect((await alone.api.get('/communication/twilio/configs?status=active')).body.data).toEqual([]);
    const old = await alone.api.get(`/communication/nexmo/configs/${alone.vonage.id}`);
    expect(old.body.data.provider).toBe('vonage');
    expect((await alone.api.get(`/communication/twilio/configs/${alone.vonage.id}`)).status).toBe(404);
    expect((await alone.api.get('/communication/nobody/configs')).status).toBe(404);
  });

  it('takes paths with and without the slash at the end', async () => {
    for (const path of ['/communication/twilio/configs', '/communication/twilio/configs/'])
      expect((await tenant.api.get(path)).status).toBe(200);
  });

  it('counts what an account has sent', async () => {
    const alone = await service.tenant();
    const ids = await Promise.all([alone.send(freshNumber()), alone.send(freshNumber())]);
    for (const id of ids) await alone.until(id, ({ status }) => status === 'sent');
    const path = `/communication/twilio/configs/${alone.twilio.id}/usage`;
    expect((await alone.api.get(path)).body.data).toMatchObject({ sends: 2, failed: 0, segments: 2 });
    const past = await alone.api.get(`${path}?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z`);
    expect(past.body.data.sends).toBe(0);
  });
});
