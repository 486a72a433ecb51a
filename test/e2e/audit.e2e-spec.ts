import type { ApiClient } from '../support/api-client';
import { assertStatus, Service, type Tenant } from '../support/e2e-service';

/** Fields of an answer that hold a secret. */
const SECRET_FIELDS = ['api_key', 'secret', 'webhook_signing_secret'];

describe('the audit log', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
  }, 60_000);
  afterAll(() => service?.stop());

  const entries = async (api: ApiClient, path = '/v1/audit') => {
    const answer = await api.get(path);
    assertStatus(answer, 200);
    return answer.body.data;
  };

  it('has an entry for every answer that shows a secret, never its value, newest first', async () => {
    const shown: string[] = [];
    const key = await tenant.api.post('/v1/api-keys', { name: 'one', scopes: ['keys:write', 'webhooks:write'] });
    assertStatus(key, 201);
    const keyId = key.body.data.id;
    service.secrets.add(key.body.data.api_key);
    const api = service.client(key.body.data.api_key);
    const webhook = await api.post('/v1/webhooks', { url: 'http://127.0.0.1:9/', events: ['*'] });
    const rotated = await api.post(`/v1/webhooks/${webhook.body.data.id}/rotate-secret`);
    const signing = await service.admin.post(`/admin/tenants/${tenant.clientId}/signing-secret/rotate`);
    const further = await service.admin.post(`/admin/tenants/${tenant.clientId}/api-keys`, {
      name: 'two',
      scopes: ['messages:read'],
    });
    for (const answer of [webhook, rotated, signing, further]) {
      for (const field of SECRET_FIELDS) if (answer.body.data[field]) service.secrets.add(answer.body.data[field]);
      shown.push(answer.body.data.id ?? answer.body.data.client_id);
    }
    const list = await entries(api);
    const told = list.map(({ action, actor, object }: Record<string, string>) => [action, actor, object]);
    expect(told.slice(0, 5)).toEqual([
      ['api_key.shown', 'operator', shown[3]],
      ['signing_secret.shown', 'operator', tenant.clientId],
      ['webhook_secret.shown', keyId, shown[1]],
      ['webhook_secret.shown', keyId, shown[0]],
      ['api_key.shown', expect.stringMatching(/^key_/), keyId],
    ]);
    expect(told.at(-1)).toEqual(['tenant_secrets.shown', 'operator', tenant.clientId]);
    expect(list[0]).toEqual({
      id: expect.stringMatching(/^aud_/),
      client_id: tenant.clientId,
      actor: 'operator',
      action: 'api_key.shown',
      object: shown[3],
      at: expect.stringMatching(/Z$/),
      request_id: further.headers['x-request-id'],
      detail: null,
    });
    const text = JSON.stringify(list);
    for (const secret of service.secrets) expect(text).not.toContain(secret);
  });

  it('has none for what shows no secret, or was refused', async () => {
    const before = (await entries(tenant.api)).length;
    await tenant.api.get('/v1/api-keys');
    await tenant.api.get('/v1/webhooks');
    assertStatus(await tenant.api.post('/v1/api-keys', { name: '', scopes: [] }), 400);
    assertStatus(await tenant.api.post('/v1/webhooks/whe_01kaqz9yq8e5v6m3c2n1b0a9s8/rotate-secret'), 404);
    expect((await entries(tenant.api)).length).toBe(before);
  });

  it('shows a tenant its own entries, and the operator all of them', async () => {
    const other = await service.tenant({ twilio: false, vonage: false, sms: null });
    const mine = await entries(other.api);
    expect(mine.map((entry: { client_id: string }) => entry.client_id)).toEqual([other.clientId]);
    const all = await entries(service.admin, '/admin/audit?limit=200');
    expect(new Set(all.map((entry: { client_id: string }) => entry.client_id))).toEqual(
      new Set([tenant.clientId, other.clientId]),
    );
    expect(await entries(service.admin, `/admin/audit?client_id=${other.clientId}`)).toEqual(mine);
    const reader = await tenant.key(['messages:read']);
    expect((await reader.get('/v1/audit')).status).toBe(403);
    expect((await tenant.api.get('/admin/audit')).status).toBe(401);
  });

  it('pages, and can be narrowed', async () => {
    const all = await entries(tenant.api, '/v1/audit?limit=200');
    const first = await tenant.api.get('/v1/audit?limit=2');
    const second = await tenant.api.get(`/v1/audit?limit=200&cursor=${first.body.meta.next_cursor}`);
    expect([...first.body.data, ...second.body.data]).toEqual(all);
    const only = await entries(tenant.api, '/v1/audit?action=webhook_secret.shown');
    expect(only).toEqual(all.filter(({ action }: { action: string }) => action === 'webhook_secret.shown'));
    expect(only.length).toBeGreaterThan(0);
    expect(await entries(tenant.api, '/v1/audit?actor=operator')).toEqual(
      all.filter(({ actor }: { actor: string }) => actor === 'operator'),
    );
    for (const query of ['action=nonsense', 'cursor=x', 'client_id=x'])
      expect([query, (await tenant.api.get(`/v1/audit?${query}`)).status]).toEqual([query, 400]);
  });

  it('cannot be changed', async () => {
    const { database } = service.database;
    for (const sql of ["UPDATE audit_entries SET actor = 'nobody'", 'DELETE FROM audit_entries'])
      await expect(database.execute(sql)).rejects.toThrow('neither changed nor deleted');
  });
});
