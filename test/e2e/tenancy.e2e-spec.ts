import { eventually } from '../support/api-client';
import type { Operation } from '../support/api-contract';
import { freshNumber, Service, type Tenant } from '../support/e2e-service';
import {
  adminOperations,
  bodyFor,
  makeObjects,
  pathWith,
  SEND,
  tenantOperations,
  type PathIds,
} from '../support/route-samples';

const ALL = [
  'messages:send',
  'messages:read',
  'configs:write',
  'configs:read',
  'webhooks:write',
  'webhooks:read',
  'usage:read',
  'keys:write',
];

/** Scopes of which a key needs one, by the contract. Empty: any valid key. Throws for a route that it does not know. */
function scopesFor({ method, path }: Operation): string[] {
  const read = method === 'GET';
  if (path === '/v1/me') return [];
  if (path === '/v1/events') return ['messages:read', 'webhooks:read'];
  if (path.startsWith('/v1/api-keys') || path === '/v1/audit' || path.startsWith('/v1/privacy')) return ['keys:write'];
  if (path.startsWith('/v1/webhooks')) return [read ? 'webhooks:read' : 'webhooks:write'];
  if (path.startsWith('/v1/inbound')) return [read ? 'messages:read' : 'webhooks:write'];
  if (path === '/v1/provider-events') return ['messages:read'];
  if (path.startsWith('/v1/provider-events/')) return ['configs:write'];
  if (path.endsWith('/usage')) return ['usage:read'];
  // They hold the secret that proves callbacks.
  if (path.endsWith('/callback-urls')) return ['configs:write'];
  if (path === '/v1/gateways/preview') return ['configs:read'];
  if (/^\/communication\/[^/]+\/(?!configs)/.test(path)) return [read ? 'messages:read' : 'messages:send'];
  if (
    path.startsWith('/communication/') ||
    path.startsWith('/v1/gateways') ||
    path.startsWith('/v1/numbers') ||
    path === '/v1/settings'
  )
    return [read ? 'configs:read' : 'configs:write'];
  if (path.endsWith('/refresh')) return ['messages:read'];
  if (path.endsWith('/preview')) return ['messages:read'];
  if (path.startsWith('/v1/templates') || path.startsWith('/v1/notifications'))
    return [read ? 'messages:read' : 'messages:send'];
  if (path.startsWith('/v1/suppressions')) return [read ? 'messages:read' : 'messages:send'];
  if (path.startsWith('/v1/messages') || SEND.test(path)) return [read ? 'messages:read' : 'messages:send'];
  if (path.startsWith('/v1/alerts') || path === '/v1/quotas') return ['usage:read'];
  if (path.startsWith('/v1/usage')) return [read ? 'usage:read' : 'configs:write'];
  throw new Error(`no scope known for ${method} ${path}`);
}

const UNKNOWN: PathIds = {
  client_id: 'nobody_0123456789abcdef',
  message_id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  twilio: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  vonage: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  webhook: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8',
  delivery_id: 'whd_01kaqz9yq8e5v6m3c2n1b0a9s8',
  api_key: 'key_01kaqz9yq8e5v6m3c2n1b0a9s8',
  provider_event: 'pev_01kaqz9yq8e5v6m3c2n1b0a9s8',
  suppression: 'sup_01kaqz9yq8e5v6m3c2n1b0a9s8',
  erasure: 'ers_01kaqz9yq8e5v6m3c2n1b0a9s8',
  alert: 'alr_01kaqz9yq8e5v6m3c2n1b0a9s8',
  number: 'num_01kaqz9yq8e5v6m3c2n1b0a9s8',
  inbound: 'inb_01kaqz9yq8e5v6m3c2n1b0a9s8',
  report_schedule: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8',
  usage_report: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  operator_schedule: 'sch_01kaqz9yq8e5v6m3c2n1b0a9s8',
  operator_report: 'rpt_01kaqz9yq8e5v6m3c2n1b0a9s8',
  template: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8',
  notification: 'ntf_01kaqz9yq8e5v6m3c2n1b0a9s8',
  token: 'x',
};

describe('authentication and tenancy', () => {
  let service: Service;
  let mine: Tenant;
  let other: Tenant;
  let ids: PathIds;
  let operations: Operation[];

  beforeAll(async () => {
    service = await Service.start();
    mine = await service.tenant({ name: 'Mine' });
    other = await service.tenant({ name: 'Other' });
    ids = await makeObjects(service, mine);
    operations = tenantOperations(service.contract.operations);
  }, 60_000);
  afterAll(() => service?.stop());

  /** Everything that the owner can see of its objects. */
  async function picture(): Promise<string> {
    const answers = await Promise.all(
      operations
        .filter(({ method, path }) => method === 'GET' && !/health|\/me$|callback-urls$/.test(path))
        .map(({ path }) => mine.api.get(pathWith(path, ids))),
    );
    return answers
      .map(({ text }) => text.replace(/"(last_used_at|checked_at|from|to|request_id)":"[^"]*"/g, ''))
      .join('\n');
  }

  it("answers 404 to another tenant's ids on every route, and changes nothing", async () => {
    const withIds = operations.filter(({ path }) => path.includes('{'));
    expect(withIds.length).toBeGreaterThan(30);
    const before = await picture();
    for (const operation of withIds) {
      const answer = await other.api.call(operation.method, pathWith(operation.path, ids), {
        body: bodyFor(operation),
      });
      expect([operation.operationId, answer.status, answer.body.code]).toEqual([
        operation.operationId,
        404,
        'not_found',
      ]);
      // An id that is nobody's reads the same: nobody learns that this one exists.
      const unknown = await other.api.call(operation.method, pathWith(operation.path, UNKNOWN), {
        body: bodyFor(operation),
      });
      const { request_id: _1, ...shown } = answer.body;
      const { request_id: _2, ...shownUnknown } = unknown.body;
      expect(shown).toEqual(shownUnknown);
    }
    const webhook = await other.api.post('/v1/webhooks', { url: 'http://127.0.0.1:9/', events: ['message.read'] });
    service.secrets.add(webhook.body.data.secret);
    const mixed = await other.api.post(`/v1/webhooks/${webhook.body.data.id}/deliveries/${ids.delivery_id}/replay`);
    expect(mixed.status).toBe(404);
    expect(await picture()).toBe(before);
  });

  it('shows nothing of another tenant in any list, and takes no config of another tenant in a route', async () => {
    const lists = operations.filter(({ method, path }) => method === 'GET' && !path.includes('{'));
    for (const { path, operationId } of lists) {
      const { text } = await other.api.get(path);
      for (const id of [...Object.values(ids), mine.twilio.accountSid])
        expect([operationId, text.includes(id)]).toEqual([operationId, false]);
    }
    const stolen = await other.api.put('/v1/gateways', { gateways: { sms: { primary: ids.twilio } } });
    expect(stolen.status).toBe(400);
    const foreign = await other.api.post('/v1/sms/send', { to: '+393331234567', message: 'x', provider: ids.twilio });
    expect([foreign.status, foreign.body.code]).toEqual([422, 'no_gateway_available']);
    const named = await other.api.put('/v1/gateways', { client_id: mine.clientId, gateways: {} });
    expect([named.status, named.body.errors[0].field]).toEqual([400, 'client_id']);
  });

  it('asks for the scope of the contract on every route, and for no other', async () => {
    const only = new Map<string, Awaited<ReturnType<Tenant['key']>>>();
    const allBut = new Map<string, Awaited<ReturnType<Tenant['key']>>>();
    for (const scope of ALL) {
      only.set(scope, await mine.key([scope]));
      allBut.set(scope, await mine.key(ALL.filter((one) => one !== scope)));
    }
    const neither = await mine.key(ALL.filter((one) => one !== 'messages:read' && one !== 'webhooks:read'));
    for (const operation of operations) {
      const call = (api: typeof neither) =>
        api.call(operation.method, pathWith(operation.path, UNKNOWN), {
          body: operation.definition.requestBody?.content['application/json'] ? { no_such_field: 1 } : undefined,
        });
      const needed = scopesFor(operation);
      const name = operation.operationId;
      expect([
        name,
        (await service.anonymous.call(operation.method, pathWith(operation.path, UNKNOWN), {})).status,
      ]).toEqual([name, 401]);
      for (const scope of needed)
        expect([name, scope, [401, 403].includes((await call(only.get(scope)!)).status)]).toEqual([name, scope, false]);
      const without = needed.length === 0 ? undefined : needed.length === 1 ? allBut.get(needed[0]!)! : neither;
      if (without) {
        const refused = await call(without);
        expect([name, refused.status, refused.body.code]).toEqual([name, 403, 'forbidden']);
      }
    }
  });

  it("keeps the operator's routes for the operator, and the operator off the tenants' routes", async () => {
    const admin = adminOperations(service.contract.operations);
    expect(admin.length).toBeGreaterThanOrEqual(6);
    for (const operation of admin) {
      for (const api of [mine.api, service.anonymous]) {
        const answer = await api.call(operation.method, pathWith(operation.path, ids), { body: bodyFor(operation) });
        expect([operation.operationId, answer.status]).toEqual([operation.operationId, 401]);
      }
    }
    for (const path of ['/v1/me', '/v1/messages']) expect((await service.admin.get(path)).status).toBe(401);
    expect((await service.admin.get(`/admin/tenants/${mine.clientId}`)).body.data.name).toBe('Mine');
  });

  it('takes the key in either header, and no other key', async () => {
    const me = await mine.api.get('/v1/me');
    expect(me.body.data).toEqual({ client_id: mine.clientId, name: 'Mine', scopes: expect.arrayContaining(ALL) });
    const as = (headers: Record<string, string>) => service.anonymous.with(headers).get('/v1/me');
    expect((await as({ 'x-api-key': mine.apiKey })).status).toBe(200);
    expect((await as({ 'x-api-key': mine.apiKey, authorization: `Bearer ${other.apiKey}` })).status).toBe(401);
    for (const authorization of [
      '',
      'Bearer',
      'Bearer ',
      `Basic ${mine.apiKey}`,
      'Bearer um_wrong',
      `Bearer ${mine.apiKey}x`,
    ]) {
      const refused = await as({ authorization });
      expect([authorization, refused.status, refused.body.code]).toEqual([authorization, 401, 'unauthorized']);
    }
  });

  it('shows a key once, gives it no more than its maker has, and ends it by deletion and by time', async () => {
    const made = await mine.api.post('/v1/api-keys', { name: 'short', scopes: ['messages:read'] });
    expect(made.body.data.api_key).toMatch(/^um_/);
    service.secrets.add(made.body.data.api_key);
    const short = service.client(made.body.data.api_key);
    expect((await short.get('/v1/messages')).status).toBe(200);
    expect((await mine.api.get('/v1/api-keys?limit=200')).text).not.toContain(made.body.data.api_key);
    expect((await mine.api.delete(`/v1/api-keys/${made.body.data.id}`)).status).toBe(200);
    expect((await short.get('/v1/messages')).status).toBe(401);
    expect((await mine.api.delete(`/v1/api-keys/${made.body.data.id}`)).status).toBe(404);

    const maker = await mine.key(['keys:write', 'messages:read']);
    const more = await maker.post('/v1/api-keys', { name: 'more', scopes: ['messages:send'] });
    expect([400, 403]).toContain(more.status);

    const expiring = await mine.key(['messages:read'], { expires_at: new Date(Date.now() + 1500).toISOString() });
    expect((await expiring.get('/v1/messages')).status).toBe(200);
    await eventually(
      () => expiring.get('/v1/messages'),
      ({ status }) => status === 401,
    );
  });

  it('refuses a suspended tenant everywhere, at once, and takes it back', async () => {
    const tenant = await service.tenant();
    expect((await tenant.api.get('/v1/me')).status).toBe(200);
    await service.admin.patch(`/admin/tenants/${tenant.clientId}`, { status: 'suspended' });
    for (const operation of operations) {
      const answer = await tenant.api.call(operation.method, pathWith(operation.path, ids), {
        body: bodyFor(operation),
      });
      expect([operation.operationId, answer.status, answer.body.code]).toEqual([
        operation.operationId,
        403,
        'forbidden',
      ]);
    }
    await service.admin.patch(`/admin/tenants/${tenant.clientId}`, { status: 'active' });
    expect((await tenant.api.get('/v1/me')).status).toBe(200);
  });

  it('sends nothing more for a suspended tenant, and keeps what it had accepted', async () => {
    const tenant = await service.tenant();
    const to = freshNumber();
    const id = await tenant.send(to, { send_at: new Date(Date.now() + 3_600_000).toISOString() });
    await service.admin.patch(`/admin/tenants/${tenant.clientId}`, { status: 'suspended' });
    const database = service.database.database;
    await database.execute('UPDATE message_queue SET due_at = now() WHERE message_id = $1', [id]);
    const [row] = await eventually(
      () =>
        database.query<{ waiting_on: string }>(
          `SELECT waiting_on FROM message_queue WHERE message_id = $1 AND due_at > now() + interval '10 seconds'`,
          [id],
        ),
      (rows) => rows.length > 0,
    );
    expect(row!.waiting_on).toBe('retry');
    expect(service.twilio.taken(to)).toBeUndefined();
    await service.admin.patch(`/admin/tenants/${tenant.clientId}`, { status: 'active' });
    expect(await tenant.message(id)).toMatchObject({ attempts: [], final: false });
  });

  it('limits the rate of a key, says so in headers, and leaves other keys alone', async () => {
    const process = await service.another({ UNIMSG_RATE_LIMIT: '5', UNIMSG_ROLE: 'all' });
    try {
      const api = mine.api.at(process.url);
      const answers = await Promise.all(Array.from({ length: 30 }, () => api.get('/v1/me')));
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length).toBeGreaterThanOrEqual(10);
      expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(10);
      expect(refused[0]!.body.code).toBe('rate_limited');
      expect(Number(refused[0]!.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(refused[0]!.headers['ratelimit']).toBeDefined();
      expect(answers[0]!.headers['ratelimit-policy']).toBeDefined();
      expect((await other.api.at(process.url).get('/v1/me')).status).toBe(200);
    } finally {
      await process.stop();
    }
  });
});
