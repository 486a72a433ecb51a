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
    const list = await entries(api, '/v1/audit?limit=200');
    const told = list
      .filter(({ action }: { action: string }) => action.endsWith('.shown'))
      .map(({ action, actor, object }: Record<string, string>) => [action, actor, object]);
    expect(told).toEqual([
      ['api_key.shown', 'operator', shown[3]],
      ['signing_secret.shown', 'operator', tenant.clientId],
      ['webhook_secret.shown', keyId, shown[1]],
      ['webhook_secret.shown', keyId, shown[0]],
      ['api_key.shown', expect.stringMatching(/^key_/), keyId],
      ['tenant_secrets.shown', 'operator', tenant.clientId],
    ]);
    expect(list.find(({ action }: { action: string }) => action === 'api_key.shown')).toEqual({
      id: expect.stringMatching(/^aud_/),
      client_id: tenant.clientId,
      actor: 'operator',
      action: 'api_key.shown',
      object: shown[3],
      at: expect.stringMatching(/Z$/),
      request_id: further.headers['x-request-id'],
      ip: '127.0.0.1',
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
    expect(new Set(mine.map((entry: { client_id: string }) => entry.client_id))).toEqual(new Set([other.clientId]));
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
    expect(await entries(tenant.api, `/v1/audit?object=${tenant.clientId}`)).toEqual(
      all.filter(({ object }: { object: string }) => object === tenant.clientId),
    );
    const [newest, oldest] = [all[0].at, all.at(-1).at];
    expect(await entries(tenant.api, `/v1/audit?limit=200&from=${oldest}&to=${newest}`)).toEqual(
      all.filter(({ at }: { at: string }) => at < newest),
    );
    expect(await entries(tenant.api, `/v1/audit?from=${newest}`)).toEqual(
      all.filter(({ at }: { at: string }) => at >= newest),
    );
    for (const query of ['action=nonsense', 'cursor=x', 'client_id=x', 'from=today', `from=${newest}&to=${oldest}`])
      expect([query, (await tenant.api.get(`/v1/audit?${query}`)).status]).toEqual([query, 400]);
  });

  it('notes every kind of change: who, from where, what, and which fields, never a value', async () => {
    const owner = await service.tenant({ sms: null });
    const { api, clientId } = owner;
    const webhook = await api.post('/v1/webhooks', { url: 'http://127.0.0.1:9/', events: ['*'], enabled: false });
    service.secrets.add(webhook.body.data.secret);
    const hook = webhook.body.data.id;
    assertStatus(await api.call('PATCH', `/v1/webhooks/${hook}`, { body: { description: 'mine' } }), 200);
    const rotated = await api.post(`/v1/webhooks/${hook}/rotate-secret`);
    service.secrets.add(rotated.body.data.secret);
    assertStatus(await api.delete(`/v1/webhooks/${hook}`), 200);
    const config = `/communication/twilio/configs/${owner.twilio.id}`;
    const body = { display_name: 'T2', credentials: { auth_token: 'fedcba9876543210fedcba9876543210' } };
    service.secrets.add(body.credentials.auth_token);
    assertStatus(await api.call('PATCH', config, { body }), 200);
    for (const step of ['pause', 'resume', 'decommission']) assertStatus(await api.post(`${config}/${step}`), 200);
    assertStatus(await api.post(`/communication/vonage/configs/${owner.vonage.id}/pause`), 200);
    assertStatus(await api.post(`/communication/vonage/configs/${owner.vonage.id}/activate`), 200);
    assertStatus(await api.put('/v1/gateways', { gateways: { sms: { primary: 'vonage' } } }), 200);
    const key = await api.post('/v1/api-keys', { name: 'one', scopes: ['messages:read'] });
    service.secrets.add(key.body.data.api_key);
    assertStatus(await api.delete(`/v1/api-keys/${key.body.data.id}`), 200);
    const recipient = '+393331234567';
    const entered = await api.post('/v1/suppressions', { channel: 'sms', recipient });
    assertStatus(await api.delete(`/v1/suppressions/${entered.body.data.id}`), 200);
    const many = await api.post('/v1/suppressions', { suppressions: [{ channel: 'sms', recipient }, {}] });
    assertStatus(many, 200);
    assertStatus(await api.delete(`/v1/suppressions?channel=sms&recipient=%2B393331234567`), 200);
    assertStatus(await api.call('PATCH', '/v1/settings', { body: { retention: { body_days: 7 } } }), 200);
    const renamed = { name: 'Renamed', quotas: { daily: 10 }, settings: { time_zone: 'Europe/Rome' } };
    assertStatus(await service.admin.call('PATCH', `/admin/tenants/${clientId}`, { body: renamed }), 200);
    const signing = await service.admin.post(`/admin/tenants/${clientId}/signing-secret/rotate`);
    service.secrets.add(signing.body.data.webhook_signing_secret);

    const list = (await entries(api, '/v1/audit?limit=200')).reverse();
    const changes = list
      .filter(({ action }: { action: string }) => !action.endsWith('.shown'))
      .map((one: Record<string, unknown>) => [one.action, one.object, one.detail]);
    const by = (name: string) => expect.stringMatching(new RegExp(`^${name}_`));
    expect(changes).toEqual([
      ['tenant.created', clientId, { fields: ['name', 'slug'] }],
      ['config.created', owner.twilio.id, expect.anything()],
      ['config.created', owner.vonage.id, expect.anything()],
      ['webhook.created', hook, { fields: ['url', 'events', 'enabled'] }],
      ['webhook.updated', hook, { fields: ['description'] }],
      ['webhook_secret.rotated', hook, null],
      ['webhook.deleted', hook, null],
      ['config.updated', owner.twilio.id, { fields: ['display_name', 'credentials.auth_token'] }],
      ['config.paused', owner.twilio.id, null],
      ['config.resumed', owner.twilio.id, null],
      ['config.decommissioned', owner.twilio.id, null],
      ['config.paused', owner.vonage.id, null],
      ['config.activated', owner.vonage.id, null],
      ['gateways.updated', clientId, { fields: ['gateways.sms'] }],
      ['api_key.created', key.body.data.id, { fields: ['name', 'scopes'] }],
      ['api_key.deleted', key.body.data.id, null],
      ['suppression.entered', by('sup'), { fields: ['channel', 'recipient'] }],
      ['suppression.deleted', entered.body.data.id, null],
      ['suppression.entered', clientId, { fields: ['suppressions'], created: 1, updated: 0, rejected: 1 }],
      ['suppression.deleted', by('sup'), null],
      ['settings.updated', clientId, { fields: ['retention.body_days'] }],
      ['tenant.updated', clientId, { fields: ['name', 'quotas.daily', 'settings.time_zone'] }],
      ['signing_secret.rotated', clientId, null],
    ]);
    expect(new Set(list.map(({ ip }: { ip: string }) => ip))).toEqual(new Set(['127.0.0.1']));
    const actors = new Map(list.map(({ action, actor }: Record<string, string>) => [action, actor]));
    expect(actors.get('config.updated')).toMatch(/^key_/);
    expect(actors.get('tenant.updated')).toBe('operator');
    const text = JSON.stringify(list);
    for (const secret of [...service.secrets, recipient, 'Renamed']) expect(text).not.toContain(secret);
  });

  it('is neither changed, nor deleted, nor emptied by the service’s own role', async () => {
    const { database } = service.database;
    const attempts = [
      "UPDATE audit_entries SET actor = 'nobody'",
      'DELETE FROM audit_entries',
      'TRUNCATE audit_entries',
    ];
    const before = await database.query<{ n: number }>('SELECT count(*)::int AS n FROM audit_entries');
    for (const sql of attempts) await expect(database.execute(sql)).rejects.toThrow('permission denied');
    // Whoever owns the table can take its rights back; the triggers stand behind them.
    await database.execute('GRANT UPDATE, DELETE, TRUNCATE ON audit_entries TO CURRENT_USER');
    try {
      for (const sql of attempts) await expect(database.execute(sql)).rejects.toThrow('neither changed nor deleted');
    } finally {
      await database.execute('REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM CURRENT_USER');
    }
    expect(await database.query('SELECT count(*)::int AS n FROM audit_entries')).toEqual(before);
  });
});
