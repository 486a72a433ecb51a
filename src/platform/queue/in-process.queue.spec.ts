import { queueContract } from '../../../test/contract/queue.contract';
import { silentLogger } from '../../kernel/logger';
import { InProcessQueue } from './in-process.queue';

describe('InProcessQueue', () => {
  queueContract(() =>
    Promise.resolve({
      open: () => Promise.resolve(new InProcessQueue<string[]>(silentLogger)),
      close: () => Promise.resolve(),
    }),
  );

  it('drops what comes when too much waits, since PostgreSQL has it', async () => {
    const queue = new InProcessQueue<string[]>(silentLogger, 2);
    for (const id of ['a', 'b', 'c']) queue.publish([id]);
    expect(queue.dropped()).toBe(1);
    const got: string[][] = [];
    queue.consume((payload) => got.push(payload));
    expect(got).toEqual([['a'], ['b']]);
    await queue.close();
  });
});
