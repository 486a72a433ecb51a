import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import Bull from 'bull';
import { queueContract } from '../../../test/contract/queue.contract';
import { silentLogger } from '../../kernel/logger';
import { type BullJob, BullQueue } from './bull.queue';
import { bullOptions } from './queue.module';

const redisUrl = process.env.UNIMSG_TEST_REDIS_URL!;

async function open(name: string): Promise<{ bull: Bull.Queue<BullJob<string[]>>; queue: BullQueue<string[]> }> {
  const bull = new Bull<BullJob<string[]>>(name, bullOptions(redisUrl));
  // Bull's own `isReady` does not wait for the connection.
  if (bull.client.status !== 'ready') await once(bull.client, 'ready');
  return { bull, queue: new BullQueue<string[]>(bull, silentLogger) };
}

describe('BullQueue', () => {
  queueContract(() => {
    const name = `test-${randomBytes(6).toString('hex')}`;
    return Promise.resolve({ open: async () => (await open(name)).queue, close: () => Promise.resolve() });
  });

  it('shares the work between two processes: each payload goes to one of them', async () => {
    const name = `test-${randomBytes(6).toString('hex')}`;
    const [a, b] = [await open(name), await open(name)];
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      for (const { queue } of [a, b]) {
        queue.consume(([id]) => {
          got.push(id!);
          if (got.length === 100) resolve();
        });
      }
    });
    for (let index = 0; index < 100; index++) a.queue.publish([String(index)]);
    await all;
    expect(new Set(got).size).toBe(100);
    await Promise.all([a.queue.close(), b.queue.close()]);
  });

  it('hands over here what this process wants of its own, and shares the rest', async () => {
    const name = `test-${randomBytes(6).toString('hex')}`;
    const [a, b] = [await open(name), await open(name)];
    const [own, shared] = await new Promise<[string[], string[]]>((resolve) => {
      const kept: string[] = [];
      a.queue.consume(
        ([id]) => kept.push(id!),
        ([id]) => id === 'mine',
      );
      void a.bull.pause(true).then(() => {
        b.queue.consume((payload) => resolve([kept, payload]));
        a.queue.publish(['mine']);
        a.queue.publish(['ours']);
      });
    });
    expect([own, shared]).toEqual([['mine'], ['ours']]);
    await Promise.all([a.queue.close(), b.queue.close()]);
  });

  it('goes on after everything in Redis was deleted', async () => {
    const { bull, queue } = await open(`test-${randomBytes(6).toString('hex')}`);
    const got: string[] = [];
    let wake = () => {};
    queue.consume(([id]) => {
      got.push(id!);
      wake();
    });
    const next = () => new Promise<void>((resolve) => (wake = resolve));
    const first = next();
    queue.publish(['before']);
    await first;
    await bull.client.flushall();
    const second = next();
    queue.publish(['after']);
    await second;
    expect(got).toEqual(['before', 'after']);
    await queue.close();
  });

  it('passes over a job that is not there any more when its turn comes', async () => {
    const { bull, queue } = await open(`test-${randomBytes(6).toString('hex')}`);
    await bull.client.lpush(bull.toKey('wait'), 'gone');
    const got = new Promise<unknown>((resolve) => queue.consume(resolve));
    queue.publish(['kept']);
    expect(await got).toEqual(['kept']);
    await queue.close();
  });

  it('drops hints at once while Redis is away, and takes them again when it is back', async () => {
    const { bull, queue } = await open(`test-${randomBytes(6).toString('hex')}`);
    const closed = once(bull.client, 'close');
    bull.client.disconnect(true);
    await closed;
    queue.publish(['lost']);
    expect(queue.dropped()).toBe(1);
    await once(bull.client, 'ready');
    const got = new Promise<string[]>((resolve) => queue.consume(resolve));
    queue.publish(['kept']);
    expect(await got).toEqual(['kept']);
    await queue.close();
  });

  it('closes when Redis was never there', async () => {
    const bull = new Bull<BullJob<string[]>>('test-nowhere', bullOptions('redis://127.0.0.1:1'));
    const queue = new BullQueue<string[]>(bull, silentLogger);
    queue.consume(() => {});
    await once(bull, 'error');
    expect(await queue.waiting()).toBeNull();
    queue.publish(['lost']);
    expect(queue.dropped()).toBe(1);
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      await queue.close();
      await new Promise(setImmediate);
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});
