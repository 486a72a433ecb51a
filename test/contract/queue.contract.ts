import type { JobQueue } from '../../src/platform/queue/job-queue';

/** What a queue driver's spec supplies. */
export interface QueueHarness {
  /** Two handles on one queue: as two processes have. The in-process driver has only one. */
  open(): Promise<JobQueue<string[]>>;
  close(): Promise<void>;
}

/** The promises of the `JobQueue` port; each driver runs them. */
export function queueContract(makeHarness: () => Promise<QueueHarness>): void {
  let harness: QueueHarness;
  const opened: Array<JobQueue<string[]>> = [];

  async function open(): Promise<JobQueue<string[]>> {
    const queue = await harness.open();
    opened.push(queue);
    return queue;
  }

  beforeEach(async () => {
    harness = await makeHarness();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((queue) => queue.close()));
    await harness.close();
  });

  it('hands every payload to the consumer, unchanged and in order', async () => {
    const queue = await open();
    const got: string[][] = [];
    const all = new Promise<void>((resolve) =>
      queue.consume((payload) => {
        got.push(payload);
        if (got.length === 200) resolve();
      }),
    );
    const sent = Array.from({ length: 200 }, (_, index) => [`msg_${index}`, 'ü€😀', '']);
    for (const payload of sent) queue.publish(payload);
    await all;
    expect(got).toEqual(sent);
  });

  it('keeps what is published before anyone consumes', async () => {
    const queue = await open();
    queue.publish(['early']);
    const got = await new Promise<string[]>((resolve) => queue.consume(resolve));
    expect(got).toEqual(['early']);
  });

  it('goes on after a consumer that throws', async () => {
    const queue = await open();
    const got = new Promise<string[]>((resolve) =>
      queue.consume((payload) => {
        if (payload[0] === 'bad') throw new Error('consumer fault');
        resolve(payload);
      }),
    );
    queue.publish(['bad']);
    queue.publish(['good']);
    expect(await got).toEqual(['good']);
  });

  it('counts what waits, and says nothing was dropped while it is in reach', async () => {
    const queue = await open();
    expect(await queue.waiting()).toBe(0);
    expect(queue.dropped()).toBe(0);
  });

  it('publishes without throwing after it is closed, and counts what it drops', async () => {
    const queue = await open();
    await queue.close();
    expect(() => queue.publish(['late'])).not.toThrow();
    expect(queue.dropped()).toBe(1);
  });
}
