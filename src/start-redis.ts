import Redis from 'ioredis';
import { StartRefused } from './start-refused';

const OLDEST: readonly [number, number] = [6, 2];
const CHECK_MS = 3_000;

/**
 * Refuses a Redis that is too old. One that does not answer is not refused: the service runs without it, and finds it when it is back.
 * @throws StartRefused
 */
export async function checkRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CHECK_MS,
    commandTimeout: CHECK_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectionName: 'unimsg-start',
  });
  redis.on('error', () => undefined);
  let about: string;
  try {
    await redis.connect();
    about = await redis.info('server');
  } catch {
    return;
  } finally {
    redis.disconnect();
  }
  const version = /^redis_version:((\d+)\.(\d+)\S*)/m.exec(about);
  if (version === null) return;
  const [, text, major, minor] = version;
  if (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])) return;
  throw new StartRefused(`REDIS_URL: Redis ${OLDEST.join('.')} or later is needed, and this is ${text}.`);
}
