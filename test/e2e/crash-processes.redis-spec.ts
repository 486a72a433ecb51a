import { ChildService, freePort } from '../support/child-service';
import { FakeTwilio } from '../support/fake-twilio';
import { OwnPostgres } from '../support/own-postgres';
import { OwnRedis } from '../support/own-redis';
import { ADMIN_KEY, call, createTenant, SendLoad, settle } from '../support/send-load';
import { until } from '../support/until';
import { Receiver } from '../support/webhook-bed';

/** Several processes on one PostgreSQL and one Redis. */
describe('several processes', () => {
  let postgres: OwnPostgres;
  let redis: OwnRedis;
  let databaseUrl: string;
  let fake: FakeTwilio;
  let url: string;

  async function environment(role: string, port?: number): Promise<Record<string, string>> {
    return {
      UNIMSG_ROLE: role,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      HOST: '127.0.0.1',
      PORT: String(port ?? (await freePort())),
      UNIMSG_PUBLIC_URL: url,
      UNIMSG_ADMIN_KEY: ADMIN_KEY,
      UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
      UNIMSG_RATE_LIMIT: '0',
      UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
      TWILIO_BASE_URL: fake.url,
    };
  }
  const query = <Row>(text: string) => OwnPostgres.query<Row>(databaseUrl, text);
  const workers = async () => (await query('SELECT id FROM workers')).length;
  const tell = (what: string, figures: object) => process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);
  const seconds = (since: number) => Math.round((performance.now() - since) / 100) / 10;

  beforeEach(async () => {
    [postgres, redis, fake] = await Promise.all([OwnPostgres.start(), OwnRedis.start(), FakeTwilio.start()]);
    databaseUrl = await postgres.createDatabase();
    url = `http://127.0.0.1:${await freePort()}`;
  });

  afterEach(async () => {
    await ChildService.killAll();
    await Promise.all([fake.close(), redis.down(), postgres.remove()]);
  });

  it('share the work by role: a killed worker is replaced, and each ends cleanly', async () => {
    fake.reports = true;
    const receiver = await Receiver.start();
    // All at once on an empty database: they take turns with the migrations.
    const [api, worker, scheduler] = await Promise.all([
      ChildService.start(await environment('api', Number(new URL(url).port))),
      ChildService.start(await environment('worker')),
      ChildService.start(await environment('scheduler')),
    ]);
    const key = await createTenant(url);
    await call(url, key, 'POST', '/v1/webhooks', { url: receiver.url, events: ['message.delivered'] });
    const load = new SendLoad(url, key, { tag: 'roles', pauseMs: 30 });
    await load.more(100);
    await until('messages are announced', () => receiver.received.length > 50);
    await worker.kill();
    const killedAt = performance.now();
    await load.more(50);
    const second = await ChildService.start(await environment('worker'));
    await until('the dead worker is taken over', async () => (await workers()) === 1, 30_000);
    const takenOver = seconds(killedAt);
    await load.more(50);
    await load.stop();
    const account = await settle(url, key, load, fake);
    const told = () =>
      new Set(
        receiver.received.map(({ body }) => (JSON.parse(body) as { data: { message_id: string } }).data.message_id),
      );
    await until('all are told as delivered', () => {
      const known = told();
      return [...load.accepted.keys()].every((id) => known.has(id));
    });
    tell('worker killed', { ...account, taken_over_s: takenOver });
    expect(account).toMatchObject({ lost: [], unseen: [], strange: [], unflagged: [], doubled: 0 });

    // What is under way is finished, in every role.
    fake.latencyMs = 1_000;
    const waiting = fetch(`${url}/v1/sms/send`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: 'wait=20' },
      body: JSON.stringify({ to: '+46709999999', message: 'wait for me' }),
    });
    await until('the provider has it', () => fake.counts().has('wait for me'));
    const stopped = await Promise.all([api.stop(), second.stop(), scheduler.stop()]);
    expect(stopped).toEqual(Array.from({ length: 3 }, () => ({ code: 0, signal: null })));
    const answered = await waiting;
    expect(answered.status).toBe(200);
    expect(await answered.json()).toMatchObject({ data: { status: 'sent', attempts: [{ outcome: 'accepted' }] } });
    expect(await workers()).toBe(0);
    expect(await query('SELECT 1 FROM message_queue')).toEqual([]);
    expect(await query('SELECT 1 FROM webhook_endpoints WHERE lane_owner IS NOT NULL')).toEqual([]);
    expect(await query(`SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'unimsg%'`)).toEqual([]);
    for (const process of [api, second, scheduler]) expect([process.stderr, ...process.errors()]).toEqual(['']);
    await receiver.close();
  }, 90_000);

  it('take over from a worker that was frozen, and its late results do no harm', async () => {
    fake.lists = false;
    fake.latencyMs = 400;
    const steady = await ChildService.start(await environment('all', Number(new URL(url).port)));
    const frozen = await ChildService.start(await environment('all'));
    const key = await createTenant(url);
    const load = new SendLoad(url, key, { tag: 'frozen', clients: 24, pauseMs: 50 });
    await until('both have messages in hand', async () => {
      const held = await query<{ n: number }>(
        'SELECT count(*)::int AS n FROM message_queue WHERE claimed_by IS NOT NULL GROUP BY claimed_by',
      );
      return held.length === 2 && held.every(({ n }) => n >= 5);
    });
    frozen.signal('SIGSTOP');
    const frozenAt = performance.now();
    await until('the frozen worker is taken over', async () => (await workers()) === 1, 40_000);
    const takenOver = seconds(frozenAt);
    await load.more(50);
    frozen.signal('SIGCONT');
    await until('it is back', async () => (await workers()) === 2);
    await load.more(50);
    await load.stop();
    const account = await settle(url, key, load, fake, 40_000);
    const lost = await query(
      `SELECT id FROM messages WHERE attempts @> '[{"outcome":"unknown","reason":"worker_lost"}]'`,
    );
    tell('worker frozen', { ...account, taken_over_s: takenOver, worker_lost: lost.length });
    expect(account).toMatchObject({ lost: [], unseen: [], strange: [], unflagged: [] });
    expect(lost.length).toBeGreaterThan(0);
    // Only what it held when it froze.
    expect(account.flagged).toBeLessThanOrEqual(lost.length);
    expect(await query(`SELECT id FROM messages WHERE status <> 'sent'`)).toEqual([]);
    expect(await Promise.all([steady.stop(), frozen.stop()])).toEqual(
      Array.from({ length: 2 }, () => ({ code: 0, signal: null })),
    );
    expect(await workers()).toBe(0);
    expect([...steady.errors(), ...frozen.errors()]).toEqual([]);
  }, 90_000);
});
