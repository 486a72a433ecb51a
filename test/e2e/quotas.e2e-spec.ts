import type { RunningProcess } from '../../src/process';
import type { ApiAnswer, ApiClient } from '../support/api-client';
import { Service, assertStatus, freshNumber, type Tenant } from '../support/e2e-service';
import { answers as answering } from '../support/scripted-provider';
import { until } from '../support/until';

const LIMIT = 200;
const SENDS = 1_000;
const TOLD = 'usage.quota_warning,usage.quota_exceeded';

describe('quotas', () => {
  let service: Service;
  let second: RunningProcess;

  beforeAll(async () => {
    service = await Service.start();
    second = await service.another();
  }, 60_000);

  afterAll(async () => {
    await second?.stop();
    await service?.stop();
  });

  const limit = async (tenant: Tenant, quotas: object | null): Promise<void> =>
    assertStatus(await service.admin.patch(`/admin/tenants/${tenant.clientId}`, { quotas }), 200);
  const limitConfig = async (tenant: Tenant, config: 'twilio' | 'vonage', quotas: object | null): Promise<void> =>
    assertStatus(await tenant.api.patch(`/communication/${config}/configs/${tenant[config].id}`, { quotas }), 200);
  const post = (client: ApiClient, more: object = {}) =>
    client.post('/v1/sms/send', { to: freshNumber(), message: 'hello', ...more });
  const dryRun = async (client: ApiClient) => (await post(client, { dry_run: true })).body.data;
  const quotas = async (tenant: Tenant) => (await tenant.api.get('/v1/quotas')).body.data;
  const used = async (tenant: Tenant) => (await quotas(tenant)).map((quota: { used: number }) => quota.used);
  const statuses = (answers: ApiAnswer[]) => {
    const counts: Record<number, number> = {};
    for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  };
  const count = async (sql: string, ...values: unknown[]): Promise<number> =>
    (await service.database.database.query<{ n: number }>(`SELECT count(*)::int AS n ${sql}`, values))[0]!.n;
  const stored = (tenant: Tenant) => count('FROM messages WHERE client_id = $1', tenant.clientId);
  /** The same tenant at the other process, once that one has learnt of a quota. */
  const elsewhere = async (tenant: Tenant, daily: number): Promise<ApiClient> => {
    const client = tenant.api.at(second.url);
    await until('the other process knows the quota', async () => (await dryRun(client)).quotas[0]?.limit === daily);
    return client;
  };

  test('let exactly so many of many concurrent sends to two processes pass, and tell of it once', async () => {
    const tenant = await service.tenant();
    await limit(tenant, { daily: LIMIT });
    const other = await elsewhere(tenant, LIMIT);
    const body = (index: number) => ({ to: freshNumber(), message: 'hello', idempotency_key: `k${index}` });
    const bodies = Array.from({ length: SENDS }, (_, index) => body(index));
    const answers = await Promise.all(
      bodies.map((one, index) => (index % 2 === 0 ? tenant.api : other).post('/v1/sms/send', one)),
    );
    expect(statuses(answers)).toEqual({ 202: LIMIT, 429: SENDS - LIMIT });
    expect(await stored(tenant)).toBe(LIMIT);
    expect(await count('FROM idempotency_keys WHERE client_id = $1', tenant.clientId)).toBe(LIMIT);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.body).toMatchObject({
      code: 'quota_exceeded',
      errors: [{ field: 'quotas.daily', code: 'quota_exceeded' }],
    });
    const [quota] = await quotas(tenant);
    expect((await tenant.api.get('/v1/quotas')).body.meta).toEqual({ next_cursor: null, limit: 200 });
    expect(quota).toMatchObject({
      scope: 'tenant',
      period: 'daily',
      mode: 'hard',
      limit: LIMIT,
      used: LIMIT,
      remaining: 0,
    });
    const wait = Number(refused.headers['retry-after']) * 1000;
    expect(Math.abs(Date.parse(quota.resets_at) - Date.now() - wait)).toBeLessThan(30_000);

    const told = await tenant.events(TOLD);
    expect(new Set(told.map(({ event }) => event)).size).toBe(2);
    expect(told).toHaveLength(2);
    for (const { data } of told) expect(data).toMatchObject({ scope: 'tenant', period: 'daily', limit: LIMIT });

    // What was accepted is answered again, also when nothing is left; what was refused used up no key.
    const first = answers.findIndex(({ status }) => status === 202);
    const lost = answers.findIndex(({ status }) => status === 429);
    const again = await tenant.api.post('/v1/sms/send', bodies[first]);
    expect([again.status, again.body.data.message_id]).toEqual([202, answers[first]!.body.data.message_id]);
    assertStatus(await tenant.api.post('/v1/sms/send', bodies[lost]), 429);
    await limit(tenant, { daily: LIMIT + 1 });
    assertStatus(await tenant.api.post('/v1/sms/send', bodies[lost]), 202);
    expect(await used(tenant)).toEqual([LIMIT + 1]);
  }, 60_000);

  test('count what was accepted before they were set, and go on after a restart', async () => {
    const tenant = await service.tenant();
    for (let sent = 0; sent < 3; sent++) await tenant.send(freshNumber());
    await limit(tenant, { daily: 5, monthly: 100 });
    expect(await used(tenant)).toEqual([3, 3]);
    await tenant.send(freshNumber());
    // Away for a while: what was sent meanwhile counts once it is back.
    await limit(tenant, null);
    expect(await quotas(tenant)).toEqual([]);
    await tenant.send(freshNumber());
    await limit(tenant, { daily: 6 });
    expect(await used(tenant)).toEqual([5]);
    await service.restart();
    await tenant.send(freshNumber());
    assertStatus(await post(tenant.api), 429);
    expect(await dryRun(tenant.api)).toMatchObject({
      status: 'refused',
      refusal: { code: 'quota_exceeded' },
      quota: { limited: true, limit: 6, used: 6, remaining: 0, period: 'daily' },
    });
  }, 60_000);

  test('count neither sandbox sends, nor dry runs, nor repeats, nor what is refused', async () => {
    const tenant = await service.tenant();
    await limit(tenant, { monthly: 2 });
    const body = { to: freshNumber(), message: 'hello', idempotency_key: 'once' };
    const same = await Promise.all(Array.from({ length: 20 }, () => tenant.api.post('/v1/sms/send', body)));
    expect(new Set(same.map((answer) => answer.body.data.message_id)).size).toBe(1);
    assertStatus(await post(tenant.api, { sandbox: true }), 200);
    assertStatus(await post(tenant.api, { dry_run: true }), 200);
    assertStatus(await post(tenant.api, { to: 'nobody' }), 400);
    expect(await used(tenant)).toEqual([1]);
    await tenant.send(freshNumber());
    assertStatus(await post(tenant.api), 429);
    assertStatus(await post(tenant.api, { sandbox: true }), 200);
    expect(await used(tenant)).toEqual([2]);
  });

  test('refuse the items of a batch one by one, in order', async () => {
    const tenant = await service.tenant();
    await limit(tenant, { daily: 3 });
    const items = Array.from({ length: 6 }, (_, index) => ({
      channel: 'sms',
      to: index === 1 ? 'nobody' : freshNumber(),
      message: 'hello',
    }));
    const { status, body } = await tenant.api.post('/v1/messages/batch', { messages: items });
    expect(status).toBe(202);
    expect(body.data).toMatchObject({ accepted: 3, rejected: 3 });
    expect(body.data.results.map((result: { error?: { code: string } }) => result.error?.code ?? 'accepted')).toEqual([
      'accepted',
      'invalid_request',
      'accepted',
      'accepted',
      'quota_exceeded',
      'quota_exceeded',
    ]);
  });

  test('that are soft refuse nothing and tell of it', async () => {
    const tenant = await service.tenant();
    await limit(tenant, { daily: 5, mode: 'soft' });
    for (let sent = 0; sent < 4; sent++) await tenant.send(freshNumber());
    expect((await tenant.events(TOLD)).map(({ event }) => event)).toEqual(['usage.quota_warning']);
    for (let sent = 0; sent < 4; sent++) await tenant.send(freshNumber());
    expect((await tenant.events(TOLD)).map(({ event }) => event)).toEqual([
      'usage.quota_warning',
      'usage.quota_exceeded',
    ]);
    expect((await quotas(tenant))[0]).toMatchObject({ mode: 'soft', limit: 5, used: 8, remaining: 0 });
  });

  test('of a config refuse what would take it, whatever the routes name after it', async () => {
    const tenant = await service.tenant();
    await limitConfig(tenant, 'twilio', { daily: 2 });
    for (let index = 0; index < 2; index++) await tenant.send(freshNumber());
    const refused = await post(tenant.api);
    expect([refused.status, refused.body.code, refused.body.errors[0].field]).toEqual([
      429,
      'quota_exceeded',
      `configs.${tenant.twilio.id}.quotas.daily`,
    ]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    // The process that has not seen it yet finds out.
    const other = tenant.api.at(second.url);
    assertStatus(await post(other), 429);
    const refusal = { code: 'quota_exceeded', detail: refused.body.detail };
    expect(await dryRun(other)).toMatchObject({
      status: 'refused',
      refusal,
      skipped: [{ gateway: 'twilio', reason: 'quota_exceeded' }],
      quotas: [{ scope: 'config', config_id: tenant.twilio.id, remaining: 0 }],
    });
    const preview = await other.post('/v1/gateways/preview', { channel: 'sms', to: freshNumber() });
    expect(preview.body.data).toMatchObject({
      candidates: [{ gateway: 'vonage' }],
      skipped: [{ gateway: 'twilio', reason: 'quota_exceeded', temporary: true }],
      refusal,
    });
    // What need not take it is not refused, and neither is what was promised before.
    assertStatus(await post(tenant.api, { provider: 'vonage' }), 202);
    assertStatus(await post(tenant.api, { sandbox: true }), 200);
    const follower = freshNumber();
    const item = { channel: 'sms', after_seconds: 1, to: follower, message: 'hello' };
    await tenant.send(freshNumber(), { provider: 'vonage', on_undelivered: [item] });
    await until('the one that follows is sent by the next gateway', async () => {
      const found = await tenant.api.get(`/v1/messages?to=${follower}`);
      return found.body.data[0]?.gateway === 'vonage';
    });
    await limitConfig(tenant, 'twilio', { daily: 2, when_exceeded: 'failover' });
    assertStatus(await post(tenant.api), 202);
  }, 60_000);

  test('of a config that says so pass it over, and refuse when no gateway is left', async () => {
    const tenant = await service.tenant();
    await limitConfig(tenant, 'twilio', { daily: 2, when_exceeded: 'failover' });
    await limitConfig(tenant, 'vonage', { daily: 3 });
    const sent: string[] = [];
    for (let index = 0; index < 5; index++) sent.push(await tenant.send(freshNumber()));
    const gateways = await Promise.all(
      sent.map(async (id) => (await tenant.until(id, ({ status }) => status === 'sent')).gateway),
    );
    expect(gateways).toEqual(['twilio', 'twilio', 'vonage', 'vonage', 'vonage']);
    const refused = await post(tenant.api);
    expect([refused.status, refused.body.code, refused.body.errors[0].field]).toEqual([
      429,
      'quota_exceeded',
      expect.stringMatching(/^configs[.]cfg_\w+[.]quotas[.]daily$/),
    ]);
    const preview = await tenant.api.at(second.url).post('/v1/gateways/preview', { channel: 'sms', to: freshNumber() });
    expect(preview.body.data).toMatchObject({
      candidates: [],
      skipped: [
        { gateway: 'twilio', reason: 'quota_exceeded', temporary: true },
        { gateway: 'vonage', reason: 'quota_exceeded', temporary: true },
      ],
    });
    expect(await dryRun(tenant.api.at(second.url))).toMatchObject({ status: 'refused', candidates: [] });
    expect(await quotas(tenant)).toMatchObject([
      { scope: 'config', config_id: tenant.twilio.id, limit: 2, used: 2 },
      { scope: 'config', config_id: tenant.vonage.id, limit: 3, used: 3 },
    ]);
    await limitConfig(tenant, 'twilio', null);
    assertStatus(await post(tenant.api, { provider: 'twilio' }), 202);
    assertStatus(await post(tenant.api, { provider: 'vonage' }), 429);
  });

  test('of a config hold for many concurrent sends over two processes', async () => {
    const tenant = await service.tenant();
    await limit(tenant, { daily: 90 });
    await limitConfig(tenant, 'twilio', { monthly: 50, when_exceeded: 'failover' });
    const other = await elsewhere(tenant, 90);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => post(index % 2 === 0 ? tenant.api : other)),
    );
    expect(statuses(answers)).toEqual({ 202: 90, 429: 110 });
    expect(await used(tenant)).toEqual([90, 50]);
    await until(
      'all are sent',
      async () => (await count(`FROM messages WHERE client_id = $1 AND status = 'sent'`, tenant.clientId)) === 90,
    );
    expect(await count(`FROM messages WHERE client_id = $1 AND gateway = 'twilio'`, tenant.clientId)).toBe(50);
  }, 60_000);

  test('of a config hold for messages that come to it by failover', async () => {
    const tenant = await service.tenant();
    await limitConfig(tenant, 'vonage', { daily: 2 });
    const expires = { expires_at: new Date(Date.now() + 3_000).toISOString() };
    const ids = await Promise.all(
      Array.from({ length: 6 }, () => {
        const to = freshNumber();
        service.twilio.on(to, answering(503, { code: 20503, message: 'away', status: 503 }));
        return tenant.send(to, expires);
      }),
    );
    const ended = await Promise.all(
      ids.map((id) => tenant.until(id, ({ status }) => status === 'sent' || status === 'failed')),
    );
    expect(ended.filter(({ status }) => status === 'sent').map(({ gateway }) => gateway)).toEqual(['vonage', 'vonage']);
    expect(await quotas(tenant)).toMatchObject([{ limit: 2, used: 2 }]);
  });
});
