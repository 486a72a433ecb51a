import { until } from '../../../test/support/until';
import type { AppConfig } from '../../config/app-config';
import { systemClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import type { JobQueue, ReadyGroup } from '../../platform/queue/job-queue';
import type { MessageWriter } from '../record/message-writer';
import type { ClaimedMessage, DispatchOutcome } from '../record/message.types';
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

  it('keeps the last places for tenants with little in hand', async () => {
    let hint: (groups: ReadyGroup[]) => void = () => {};
    const ends: Array<() => void> = [];
    const begun: string[] = [];
    const claims = {
      beat: () => Promise.resolve(),
      sweep: () => new Promise(() => {}),
      claim: (_: string, ids: string[]) =>
        Promise.resolve(ids.map((id) => ({ id, clientId: id.split('_')[0]!, unknown: null }) as ClaimedMessage)),
    };
    const runner = {
      run: (message: ClaimedMessage) => {
        begun.push(message.clientId);
        return new Promise((resolve) =>
          ends.push(() => resolve({ message, next: { type: 'sent' } } as unknown as DispatchOutcome)),
        );
      },
    };
    const dispatcher = new Dispatcher(
      claims as unknown as ClaimStore,
      runner as unknown as AttemptRunner,
      { apply: () => Promise.resolve(true) } as unknown as MessageWriter,
      {
        enter: () => true,
        leave() {},
        isElsewhere: () => false,
        ownLanes: () => [],
        opensIn: () => undefined,
      } as unknown as LaneGate,
      { consume: (handler: typeof hint) => (hint = handler) } as unknown as JobQueue<ReadyGroup[]>,
      { workerConcurrency: 100 } as AppConfig,
      systemClock,
      silentLogger,
    );
    await dispatcher.start();
    const ready = async (clientId: string, count: number) => {
      const ids = Array.from({ length: count }, (_, n) => `${clientId}_${n}`);
      hint([{ clientId, lane: `cfg_${clientId}`, priority: 1, ids }]);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const inHand = (clientId: string) => begun.filter((one) => one === clientId).length;
    await ready('hangs', 300);
    expect(inHand('hangs')).toBe(80);
    await ready('other', 3);
    expect(inHand('other')).toBe(3);
    for (const end of ends.splice(0, 4)) end();
    await until('there is more than the last part free', () => inHand('hangs') === 81);
    expect(dispatcher.inFlight).toBe(80);
  });

  describe('with a claim whose answer does not come', () => {
    let hint: (groups: ReadyGroup[]) => void;
    let answers: Array<{ resolve: (messages: ClaimedMessage[]) => void; reject: (error: Error) => void }>;
    let released: string[][];
    let dispatcher: Dispatcher;
    const ready = (id: string) => hint([{ clientId: 'a', lane: 'cfg_a', priority: 1, ids: [id] }]);

    beforeEach(async () => {
      jest.useFakeTimers();
      answers = [];
      released = [];
      const claims = {
        beat: () => Promise.resolve(),
        sweep: () => Promise.resolve([]),
        claim: () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
        // PostgreSQL has committed the claim: the row is held in this process's name.
        heldFor: () => Promise.resolve(['m1']),
        release: (_: string, ids: string[]) => (released.push(ids), Promise.resolve()),
        leave: () => Promise.resolve(),
      };
      dispatcher = new Dispatcher(
        claims as unknown as ClaimStore,
        {} as AttemptRunner,
        { drain: () => Promise.resolve() } as unknown as MessageWriter,
        {
          enter: () => true,
          leave() {},
          isElsewhere: () => false,
          ownLanes: () => [],
          opensIn: () => undefined,
        } as unknown as LaneGate,
        { consume: (handler: typeof hint) => (hint = handler) } as unknown as JobQueue<ReadyGroup[]>,
        { workerConcurrency: 10 } as AppConfig,
        systemClock,
        silentLogger,
      );
      await dispatcher.start();
    });

    afterEach(() => jest.useRealTimers());

    it('does not give back what it may be about to begin', async () => {
      ready('m1');
      await jest.advanceTimersByTimeAsync(35_000);
      expect(answers).toHaveLength(1);
      expect(released.flat()).toEqual([]);
      answers[0]!.resolve([]);
      await jest.advanceTimersByTimeAsync(16_000);
      expect(released).toEqual([['m1']]);
    });

    it('gives back what a failed claim may have taken, and not while it is asked for again', async () => {
      ready('m1');
      answers[0]!.reject(new Error('Connection terminated'));
      await jest.advanceTimersByTimeAsync(600);
      ready('m1');
      await jest.advanceTimersByTimeAsync(10_000);
      expect(answers).toHaveLength(2);
      expect(released.flat()).toEqual([]);
      answers[1]!.resolve([]);
      await jest.advanceTimersByTimeAsync(2_100);
      expect(released).toEqual([['m1']]);
    });
  });
});
