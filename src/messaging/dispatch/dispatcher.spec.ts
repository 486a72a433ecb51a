import type { AppConfig } from '../../config/app-config';
import { systemClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import type { JobQueue, ReadyGroup } from '../../platform/queue/job-queue';
import type { MessageWriter } from '../record/message-writer';
import type { AttemptRunner } from './attempt-runner';
import type { ClaimStore } from './claim-store';
import { Dispatcher } from './dispatcher';
import type { LaneGate } from './lane-gate';

describe('Dispatcher', () => {
  it('does not let a lane that opens soon wait for one that is closed for longer', async () => {
    const begun = performance.now();
    const opens: Record<string, number> = { slow: 10_000, quick: 30 };
    const seen = new Set<string>();
    const isOpen = (lane: string) => performance.now() - begun >= opens[lane]!;
    let took = Number.POSITIVE_INFINITY;
    let claimed = () => {};
    const claim = new Promise<void>((resolve) => (claimed = resolve));
    let hint: (groups: ReadyGroup[]) => void = () => {};
    const gate = {
      enter(_: string, lane: string) {
        seen.add(lane);
        return isOpen(lane);
      },
      leave() {},
      isElsewhere: () => false,
      ownLanes: () => [],
      opensIn: () => {
        const closed = [...seen].filter((lane) => !isOpen(lane)).map((lane) => opens[lane]!);
        return closed.length > 0 ? Math.min(...closed) : undefined;
      },
    };
    const claims = {
      beat: () => Promise.resolve(),
      sweep: () => new Promise(() => {}),
      claim() {
        took = performance.now() - begun;
        claimed();
        return Promise.resolve([]);
      },
    };
    const dispatcher = new Dispatcher(
      claims as unknown as ClaimStore,
      {} as AttemptRunner,
      {} as MessageWriter,
      gate as unknown as LaneGate,
      { consume: (handler: typeof hint) => (hint = handler) } as unknown as JobQueue<ReadyGroup[]>,
      { workerConcurrency: 10 } as AppConfig,
      systemClock,
      silentLogger,
    );
    await dispatcher.start();
    hint([{ clientId: 'a', lane: 'slow', priority: 1, ids: ['m1'] }]);
    hint([{ clientId: 'b', lane: 'quick', priority: 1, ids: ['m2'] }]);
    await claim;
    // The refill looks every half second too; what the timer does has to come before.
    expect(took).toBeLessThan(480);
  });
});
