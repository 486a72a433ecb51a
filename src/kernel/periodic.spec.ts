import { Periodic } from './periodic';

/** Work that ends when it is told to. */
function gate(): { work: () => Promise<void>; begun: () => number; open: () => void } {
  let begun = 0;
  let release = (): void => {};
  return {
    work: () =>
      new Promise<void>((resolve) => {
        begun += 1;
        release = resolve;
      }),
    begun: () => begun,
    open: () => release(),
  };
}

describe('Periodic', () => {
  it('begins nothing before it is started, and says that it is not stopping', () => {
    const { work, begun } = gate();
    const task = new Periodic('task', 1, work);
    task.wake();
    expect(begun()).toBe(0);
    expect(task.stopping).toBe(false);
  });

  it('tells the running turn that it is stopping, waits for it and begins no other', async () => {
    const { work, begun, open } = gate();
    const task = new Periodic('task', 60_000, work);
    task.start({ now: true });
    task.wake();
    expect(task.stopping).toBe(false);
    let ended = false;
    const end = task.stop().then(() => (ended = true));
    expect(task.stopping).toBe(true);
    await Promise.resolve();
    expect(ended).toBe(false);
    open();
    await end;
    task.wake();
    expect(begun()).toBe(1);
  });

  it('runs again after a restart, and is not stopping then', async () => {
    const { work, begun, open } = gate();
    const task = new Periodic('task', 60_000, work);
    task.start({ now: true });
    open();
    await task.stop();
    task.start({ now: true });
    expect(task.stopping).toBe(false);
    expect(begun()).toBe(2);
    open();
    await task.stop();
  });

  it('follows a turn that was woken meanwhile with one more, also after a failure', async () => {
    let begun = 0;
    const task: Periodic = new Periodic('task', 60_000, () => {
      begun += 1;
      if (begun === 1) {
        task.wake();
        task.wake();
        return Promise.reject(new Error('failed'));
      }
      return Promise.resolve();
    });
    task.start({ now: true });
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    await task.stop();
    expect(begun).toBe(2);
  });
});
