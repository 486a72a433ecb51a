import { ChildService, freePort } from '../support/child-service';
import { FakeTwilio } from '../support/fake-twilio';
import { OwnPostgres } from '../support/own-postgres';
import { OwnRedis } from '../support/own-redis';
import { ADMIN_KEY, call, createTenant, SendLoad, sentLongBefore, settle } from '../support/send-load';
import { until } from '../support/until';
import { Receiver } from '../support/webhook-bed';

/** The service as a real process on PostgreSQL and Redis servers that fail. */
describe('on servers of their own', () => {
  let postgres: OwnPostgres;
  let redis: OwnRedis;
  let databaseUrl: string;
  let fake: FakeTwilio;
  let port: number;
  let url: string;

  const environment = (more: Record<string, string> = {}): Record<string, string> => ({
    DATABASE_URL: databaseUrl,
    HOST: '127.0.0.1',
    PORT: String(port),
    UNIMSG_ADMIN_KEY: ADMIN_KEY,
    UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    UNIMSG_RATE_LIMIT: '0',
    UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
    TWILIO_BASE_URL: fake.url,
    ...more,
  });
  const tell = (what: string, figures: object) => process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);
  const seconds = (since: number) => Math.round((performance.now() - since) / 100) / 10;

  beforeAll(async () => {
    postgres = await OwnPostgres.start();
    redis = await OwnRedis.start();
  });

  afterAll(async () => {
    await redis.down();
    await postgres.remove();
  });

  beforeEach(async () => {
    databaseUrl = await postgres.createDatabase();
    fake = await FakeTwilio.start();
    port = await freePort();
    url = `http://127.0.0.1:${port}`;
  });

  afterEach(async () => {
    await ChildService.killAll();
    await fake.close();
  });

  describe.each(['in-process', 'bull'])('with the %s queue', (driver) => {
    it('loses nothing when it is killed three times under load, and takes over by the heartbeat', async () => {
      const env = environment(driver === 'bull' ? { REDIS_URL: redis.url } : {});
      // One driver with a provider that can be asked what it took, one with a provider that cannot.
      fake.lists = driver === 'bull';
      let service = await ChildService.start(env);
      const key = await createTenant(url);
      const load = new SendLoad(url, key, { tag: driver });
      const kills: number[] = [];
      while (kills.length < 3) {
        await load.more(150);
        kills.push(Date.now());
        await service.kill();
        service = await ChildService.start(env);
      }
      await load.more(50);
      await load.stop();
      const killedAt = performance.now();
      const account = await settle(url, key, load, fake, 40_000);
      tell(`killed thrice, ${driver}`, { ...account, recovered_s: seconds(killedAt) });
      expect(account).toMatchObject({ lost: [], unseen: [], strange: [], unflagged: [] });
      expect(account.flagged).toBeLessThan(account.accepted / 4);
      expect(sentLongBefore(kills, fake)).toEqual([]);
      if (fake.lists) expect(account.doubled).toBe(0);
      else expect(account.doubled).toBeGreaterThan(0);
      expect(service.errors()).toEqual([]);
      expect(await service.stop()).toEqual({ code: 0, signal: null });
    }, 90_000);
  });

  it('goes on without Redis: emptied, killed and frozen under load', async () => {
    const service = await ChildService.start(environment({ REDIS_URL: redis.url }));
    const key = await createTenant(url);
    const load = new SendLoad(url, key, { tag: 'redis' });
    await load.more(100);
    for (let i = 0; i < 3; i++) {
      await redis.flushAll();
      await load.more(50);
    }
    await redis.down();
    const sentBefore = fake.taken.length;
    await load.more(200);
    await until('messages go out while Redis is away', () => fake.taken.length > sentBefore + 150);
    await until('readiness says so', async () => (await fetch(`${url}/health/ready`)).status === 503);
    await redis.up();
    const upAt = performance.now();
    // A hint is there in milliseconds; the look at the table that stands in for it comes after two seconds.
    await until('hints are back', async () => {
      const text = `hint ${fake.taken.length}`;
      const sentAt = performance.now();
      await call(url, key, 'POST', '/v1/sms/send', { to: '+46701999999', message: text });
      await until('sent', () => fake.counts().has(text), 10_000);
      return performance.now() - sentAt < 1_000;
    });
    const hints = seconds(upAt);
    redis.freeze();
    const frozenBefore = fake.taken.length;
    await load.more(100);
    await until('messages go out while Redis hangs', () => fake.taken.length > frozenBefore + 50);
    redis.thaw();
    await load.more(50);
    await load.stop();
    const account = await settle(url, key, load, fake);
    tell('Redis lost', {
      ...account,
      strange: account.strange.length,
      longestGapMs: load.longestGapMs,
      hints_s: hints,
    });
    expect(account).toMatchObject({ lost: [], unseen: [], doubled: 0, flagged: 0 });
    expect(load.refusals).toEqual([]);
    expect(load.unanswered).toBe(0);
    await redis.down();
    // Also while Redis is away.
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await redis.up();
  }, 90_000);

  it('waits for PostgreSQL: stopped and crashed under load', async () => {
    fake.reports = true;
    const receiver = await Receiver.start();
    const service = await ChildService.start(environment());
    const key = await createTenant(url);
    await call(url, key, 'POST', '/v1/webhooks', { url: receiver.url, events: ['message.delivered'] });
    const load = new SendLoad(url, key, { tag: 'postgres' });
    const recoveries: number[] = [];
    for (const mode of ['fast', 'immediate', 'fast', 'immediate'] as const) {
      await load.more(100);
      const refused = load.refusals.length;
      await postgres.down(mode);
      await until('sends are refused', () => load.refusals.length > refused);
      await postgres.up();
      const upAt = performance.now();
      await load.more(1);
      recoveries.push(seconds(upAt));
    }
    await load.more(50);
    await load.stop();
    const account = await settle(url, key, load, fake, 40_000);
    const ids = [...load.accepted.keys()];
    const told = () =>
      new Set(
        receiver.received.map(({ body }) => (JSON.parse(body) as { data: { message_id: string } }).data.message_id),
      );
    await until(
      'all are told as delivered',
      () => {
        const known = told();
        return ids.every((id) => known.has(id));
      },
      40_000,
    );
    tell('PostgreSQL restarted', {
      ...account,
      refusals: load.refusals.length,
      recoveries_s: recoveries,
      told: told().size,
    });
    await receiver.close();
    expect(account).toMatchObject({ lost: [], unseen: [], strange: [], unflagged: [], doubled: 0 });
    expect(load.unanswered).toBe(0);
    for (const refusal of load.refusals) {
      expect(refusal).toMatchObject({
        status: 503,
        contentType: expect.stringContaining('application/problem+json') as string,
        retryAfter: expect.stringMatching(/^\d+$/) as string,
        body: { success: false, code: 'internal', status: 503 },
      });
    }
    const twice = await OwnPostgres.query(
      databaseUrl,
      `SELECT id FROM messages WHERE jsonb_array_length(attempts) <> (SELECT count(DISTINCT a) FROM jsonb_array_elements(attempts) a)`,
    );
    expect(twice).toEqual([]);
    expect(service.exit).toBeUndefined();
    expect(service.stderr).toBe('');
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  }, 90_000);
});
