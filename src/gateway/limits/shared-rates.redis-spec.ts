import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { systemClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import { SharedRates } from './shared-rates';

const url = process.env.UNIMSG_TEST_REDIS_URL;
if (!url) throw new Error('UNIMSG_TEST_REDIS_URL is not set; this spec needs a Redis server');

describe('SharedRates', () => {
  const clients: Redis[] = [];
  const prefix = `test:${randomBytes(6).toString('hex')}:`;
  const worker = async () => {
    const redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 0, lazyConnect: true });
    redis.on('error', () => {});
    await redis.connect();
    clients.push(redis);
    return { redis, rates: new SharedRates(redis, systemClock, silentLogger, prefix) };
  };

  afterAll(() => Promise.all(clients.filter((redis) => redis.status === 'ready').map((redis) => redis.quit())));

  /** Takes as fast as it may until the time is over; answers when each token was taken. */
  const drain = async (rates: SharedRates, id: string, perSecond: number, ms: number): Promise<number[]> => {
    const taken: number[] = [];
    const until = Date.now() + ms;
    while (Date.now() < until) {
      const wait = rates.take({ id, perSecond });
      if (wait === 0) taken.push(Date.now());
      else await delay(Math.min(wait, until - Date.now()));
    }
    return taken;
  };

  it.each([5, 40, 200])('lets three workers together through at a limit of %d a second', async (perSecond) => {
    const workers = await Promise.all([worker(), worker(), worker()]);
    const id = `cfg_${perSecond}`;
    const taken = (await Promise.all(workers.map(({ rates }) => drain(rates, id, perSecond, 2_000)))).flat();
    taken.sort((a, b) => a - b);
    // A leased token may be used a moment later than it was given: up to one lease a worker on top.
    const lease = Math.ceil(Math.max(1, Math.floor(perSecond / 20)) / 2);
    for (const [i, at] of taken.entries()) {
      const within = taken.slice(i).filter((other) => other < at + 1_000).length;
      expect(within).toBeLessThanOrEqual(perSecond + 3 * lease);
    }
    expect(taken.length).toBeGreaterThanOrEqual(perSecond * 2 * 0.8);
    expect(taken.length).toBeLessThanOrEqual(perSecond * 2 * 1.1 + 3);
  });

  it('tells the others of a pause', async () => {
    const [first, second] = await Promise.all([worker(), worker()]);
    first.rates.pause('cfg_paused', Date.now() + 5_000);
    expect(first.rates.take({ id: 'cfg_paused', perSecond: null })).toBeGreaterThan(4_000);
    await first.redis.ping();
    second.rates.take({ id: 'cfg_paused', perSecond: 10 });
    await second.redis.ping();
    expect(second.rates.take({ id: 'cfg_paused', perSecond: 10 })).toBeGreaterThan(4_000);
    expect(second.rates.pausedUntil('cfg_paused')).toBeGreaterThan(Date.now() + 4_000);
  });

  it('goes on by its own limit while Redis is away', async () => {
    const { redis, rates } = await worker();
    const ended = new Promise((resolve) => redis.once('end', resolve));
    redis.disconnect();
    await ended;
    const taken = await drain(rates, 'cfg_alone', 40, 1_000);
    expect(taken.length).toBeGreaterThanOrEqual(25);
    expect(taken.length).toBeLessThanOrEqual(42);
  });
});
