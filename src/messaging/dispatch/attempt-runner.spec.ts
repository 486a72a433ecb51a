import { ManualClock } from '../../kernel/clock';
import { type Logger, silentLogger } from '../../kernel/logger';
import type { ConfigLifeCycle } from '../../gateway/configs/config-life-cycle';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import { CircuitBreakers } from '../../gateway/limits/circuit-breakers';
import { LocalRates } from '../../gateway/limits/gateway-rates';
import type { Candidate, Router, Skip } from '../../gateway/router';
import type { ClaimedMessage, DispatchOutcome } from '../record/message.types';
import { AttemptRunner } from './attempt-runner';
import type { GatewaySender } from './gateway-sender';
import type { SentLookup } from './sent-lookup';

const signal = new AbortController().signal;

describe('AttemptRunner', () => {
  let clock: ManualClock;
  let rates: LocalRates;
  let circuits: CircuitBreakers;
  let skipped: Skip[];
  let candidates: string[];
  let unable: string[];
  let runner: AttemptRunner;
  let answer: () => Promise<unknown>;
  let suppressed: ReturnType<GatewaySender['suppressed']>;
  let hold: ReturnType<GatewaySender['held']>;
  let find: SentLookup['find'];
  let fault: Error | undefined;
  const logged: string[] = [];

  beforeEach(() => {
    clock = new ManualClock(1_000_000);
    rates = new LocalRates(clock);
    circuits = new CircuitBreakers(clock, { consecutiveFailures: 1 }, () => 0);
    skipped = [];
    candidates = ['cfg_a'];
    unable = [];
    suppressed = undefined;
    hold = null;
    fault = undefined;
    logged.length = 0;
    const route = () => {
      if (fault) throw fault;
      return {
        candidates: candidates.map((configId) => ({ gateway: 'x', configId }) as unknown as Candidate),
        skipped,
        onAmbiguous: 'failover',
        reconcileSeconds: 10,
      };
    };
    runner = new AttemptRunner(
      { routeSync: route, enter: () => true } as unknown as Router,
      {
        validate: (_: ClaimedMessage, { configId, config }: Candidate) =>
          unable.includes(configId ?? config.id) ? [{ field: 'text', code: 'too_long', message: 'is too long' }] : [],
        send: () => answer(),
        suppressed: () => suppressed,
        held: () => hold,
      } as unknown as GatewaySender,
      { find: (...args: Parameters<SentLookup['find']>) => find(...args) } as SentLookup,
      rates,
      circuits,
      {} as ConfigLifeCycle,
      clock,
      { ...silentLogger, warn: () => logged.push('warn'), error: () => logged.push('error') } as Logger,
    );
  });

  const message = (change: Partial<ClaimedMessage> = {}) =>
    ({
      id: 'msg_1',
      clientId: 't',
      channel: 'sms',
      recipient: '+393331234567',
      provider: null,
      expiresAt: clock.now() + 3_600_000,
      attempts: 0,
      attempted: false,
      lane: 'cfg_a',
      rounds: 0,
      tried: [],
      unknown: null,
      ...change,
    }) as ClaimedMessage;

  const throttled = (retryAfterMs?: number) => () =>
    Promise.resolve(new GatewayError({ class: 'throttled', code: 'throttled', message: 'slower', retryAfterMs }));

  function requeueOf(outcome: DispatchOutcome) {
    if (outcome.next.type !== 'requeue') throw new Error(`is ${outcome.next.type}`);
    return outcome.next.requeue;
  }

  it('keeps a message that cannot be routed, and calls it an error only when the database is there', async () => {
    answer = () => Promise.reject(new Error('called'));
    const givenUp = Object.assign(new Error('terminating connection due to idle-in-transaction timeout'), {
      code: '25P03',
    });
    for (const [cause, level] of [
      [givenUp, 'warn'],
      [new TypeError('a bug'), 'error'],
    ] as const) {
      fault = cause;
      logged.length = 0;
      const outcome = await runner.run(message({ rounds: 2, tried: ['cfg_b'] }), signal);
      expect(outcome.attempt).toBeUndefined();
      expect(requeueOf(outcome)).toMatchObject({ lane: 'cfg_a', rounds: 2, tried: ['cfg_b'], waitingOn: 'retry' });
      expect(requeueOf(outcome).dueAt).toBeGreaterThan(clock.now());
      expect(logged).toEqual([level]);
    }
  });

  it('keeps a message for the end of the quiet hours, and expires at once one that does not live so long', async () => {
    answer = () => Promise.reject(new Error('called'));
    const until = clock.now() + 1_800_000;
    const quiet = { until, reason: 'quiet_hours' as const };
    for (const held of [quiet, Promise.resolve(quiet)]) {
      hold = held;
      const waiting = requeueOf(await runner.run(message({ rounds: 2, tried: ['cfg_b'] }), signal));
      expect(waiting).toMatchObject({
        dueAt: until,
        waitingOn: 'quiet_hours',
        lane: 'cfg_a',
        rounds: 2,
        tried: ['cfg_b'],
      });
      const late = await runner.run(message({ expiresAt: until }), signal);
      expect(late).toMatchObject({ next: { type: 'final', status: 'expired', errorCode: 'quiet_hours' } });
      expect(late.attempt).toBeUndefined();
    }
  });

  it('keeps the messages of a suspended tenant until they run out', async () => {
    answer = () => Promise.reject(new Error('called'));
    const until = clock.now() + 30_000;
    hold = { until, reason: 'suspended' };
    expect(requeueOf(await runner.run(message(), signal))).toMatchObject({ dueAt: until, waitingOn: 'retry' });
    const late = await runner.run(message({ expiresAt: until - 1 }), signal);
    expect(requeueOf(late)).toMatchObject({ dueAt: until - 1, waitingOn: 'retry' });
    expect(late.attempt).toBeUndefined();
  });

  it('fails a message to somebody on the list, and calls nobody', async () => {
    answer = () => Promise.reject(new Error('called'));
    suppressed = Promise.resolve({ recipient: '+393331234567', reason: 'stop' });
    expect(await runner.run(message(), signal)).toMatchObject({
      next: { type: 'final', status: 'failed', errorCode: 'suppressed' },
    });
    expect((await runner.run(message(), signal)).attempt).toBeUndefined();
    suppressed = Promise.resolve(undefined);
    answer = () => Promise.resolve({ externalId: 'SM1' });
    expect(await runner.run(message(), signal)).toMatchObject({ next: { type: 'sent', externalId: 'SM1' } });
  });

  it('pauses once for calls that are throttled together, and longer when it goes on', async () => {
    answer = throttled();
    await Promise.all(Array.from({ length: 50 }, () => runner.run(message(), signal)));
    expect(rates.pausedUntil('cfg_a') - clock.now()).toBe(1_000);
    clock.advance(1_000);
    await Promise.all(Array.from({ length: 50 }, () => runner.run(message(), signal)));
    expect(rates.pausedUntil('cfg_a') - clock.now()).toBe(2_000);
  });

  it('waits for the gateway that is free first when all pause', async () => {
    candidates = ['cfg_a', 'cfg_b'];
    rates.pause('cfg_b', clock.now() + 10_000);
    answer = throttled(60_000);
    const requeue = requeueOf(await runner.run(message(), signal));
    expect(requeue).toMatchObject({ lane: 'cfg_b', dueAt: clock.now() + 10_000, waitingOn: 'gateway_rate', tried: [] });
  });

  it('waits for the circuit that may be probed first when all are open', async () => {
    candidates = [];
    circuits.failed('cfg_a');
    clock.advance(4_000);
    circuits.failed('cfg_b');
    skipped = ['cfg_b', 'cfg_a'].map((configId) => ({
      gateway: 'x',
      configId,
      reason: 'circuit_open',
      temporary: true,
    }));
    const requeue = requeueOf(await runner.run(message(), signal));
    expect(requeue).toMatchObject({ dueAt: circuits.openUntil('cfg_a'), waitingOn: 'circuit_open', rounds: 0 });
  });

  it('leaves the probe of an open circuit to messages that have not failed yet', async () => {
    candidates = [];
    skipped = [{ gateway: 'x', configId: 'cfg_a', reason: 'circuit_open', temporary: true }];
    circuits.failed('cfg_a');
    const fresh = requeueOf(await runner.run(message(), signal));
    const failedBefore = requeueOf(await runner.run(message({ attempts: 3 }), signal));
    expect(fresh.dueAt).toBe(circuits.openUntil('cfg_a'));
    expect(failedBefore).toMatchObject({ dueAt: fresh.dueAt! + 1_000, waitingOn: 'circuit_open' });
  });

  it('asks again in about two seconds while another message probes', async () => {
    answer = () => Promise.resolve({ externalId: 'SM1' });
    circuits.failed('cfg_a');
    clock.advance(circuits.openUntil('cfg_a') - clock.now());
    expect(circuits.tryProbe('cfg_a')).toBe(true);
    const wait = async (change?: Partial<ClaimedMessage>) =>
      requeueOf(await runner.run(message(change), signal)).dueAt - clock.now();
    const waits = await Promise.all(Array.from({ length: 20 }, () => wait()));
    for (const one of waits) expect([one >= 1_500, one <= 2_500]).toEqual([true, true]);
    expect(new Set(waits).size).toBeGreaterThan(1);
    expect(await wait({ attempts: 1 })).toBeGreaterThanOrEqual(2_500);
  });

  it('asks only gateways that can carry the message, and notes no attempt of the others', async () => {
    answer = () => Promise.resolve({ externalId: 'SM1' });
    candidates = ['cfg_a', 'cfg_b'];
    unable = ['cfg_a'];
    const moved = await runner.run(message(), signal);
    expect(moved).toMatchObject({
      next: { type: 'requeue', requeue: { lane: 'cfg_b', dueAt: clock.now(), tried: [] } },
    });
    expect(moved.attempt).toBeUndefined();
    const sent = await runner.run(message({ lane: 'cfg_b' }), signal);
    expect(sent).toMatchObject({ attempt: { config_id: 'cfg_b', outcome: 'accepted' }, next: { type: 'sent' } });
  });

  it('comes back to the able ones when they have failed', async () => {
    candidates = ['cfg_a', 'cfg_b'];
    unable = ['cfg_a'];
    answer = () => Promise.resolve(new GatewayError({ class: 'transient', code: 'not_reached', message: 'away' }));
    const requeue = requeueOf(await runner.run(message({ lane: 'cfg_b' }), signal));
    expect(requeue).toMatchObject({ lane: 'cfg_b', rounds: 1, tried: [], waitingOn: 'retry' });
  });

  it('fails a message that no gateway can carry, and waits for one that may', async () => {
    answer = () => Promise.reject(new Error('called'));
    unable = ['cfg_a'];
    const ended = await runner.run(message(), signal);
    expect(ended.next).toEqual({
      type: 'final',
      status: 'failed',
      errorCode: 'too_long',
      errorMessage: 'text: is too long',
    });
    expect(ended.attempt).toBeUndefined();
    circuits.failed('cfg_b');
    const config = { id: 'cfg_b', provider: 'y' } as Candidate['config'];
    skipped = [{ gateway: 'y', configId: 'cfg_b', reason: 'circuit_open', temporary: true, config }];
    const waiting = requeueOf(await runner.run(message(), signal));
    expect(waiting).toMatchObject({ dueAt: circuits.openUntil('cfg_b'), waitingOn: 'circuit_open' });
    unable = ['cfg_a', 'cfg_b'];
    expect((await runner.run(message(), signal)).next).toMatchObject({ type: 'final', errorCode: 'too_long' });
  });

  it('expires a message that was only told to wait, at its time and not before', async () => {
    const expiresAt = clock.now() + 3_000;
    const inVain = async (change?: Partial<ClaimedMessage>) =>
      (await runner.run(message({ expiresAt, ...change }), signal)).next;
    const waits = { type: 'requeue', requeue: { dueAt: expiresAt } };
    answer = throttled(4_000);
    expect(await inVain()).toMatchObject(waits);
    expect(await inVain()).toMatchObject(waits);
    candidates = ['cfg_b'];
    answer = throttled(60_000);
    expect(await inVain({ lane: 'cfg_b' })).toMatchObject(waits);
    candidates = [];
    expect(await inVain({ rounds: 5 })).toMatchObject(waits);
    skipped = [{ gateway: 'x', configId: 'cfg_a', reason: 'circuit_open', temporary: true }];
    circuits.failed('cfg_a');
    expect(await inVain()).toMatchObject(waits);
    clock.advance(3_000);
    expect(await inVain({ attempts: 2 })).toMatchObject({ type: 'final', status: 'expired', errorCode: 'expired' });
  });

  it('fails a message that a gateway has failed as soon as its next wait would outlast it', async () => {
    const expiresAt = clock.now() + 3_000;
    const failed = { type: 'final', status: 'failed', errorCode: 'all_gateways_failed' };
    const tried = { expiresAt, attempts: 1, attempted: true };
    answer = () => Promise.resolve(new GatewayError({ class: 'transient', code: 'not_reached', message: 'away' }));
    expect((await runner.run(message({ expiresAt, rounds: 5 }), signal)).next).toMatchObject(failed);
    answer = throttled(4_000);
    expect((await runner.run(message(tried), signal)).next).toMatchObject(failed);
    clock.advance(3_000);
    expect((await runner.run(message(tried), signal)).next).toMatchObject(failed);
  });

  it('takes no word of a provider for it that it may be asked again at once', async () => {
    answer = throttled(0);
    const pauses = [];
    for (let times = 0; times < 3; times++) {
      const { dueAt } = requeueOf(await runner.run(message(), signal));
      pauses.push(dueAt - clock.now());
      clock.advance(dueAt - clock.now());
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000]);
  });

  describe('a message of unknown fate', () => {
    const unknown = () => ({ since: clock.now() - 20_000, configId: 'cfg_a', reconcileUntil: clock.now() - 1 });

    it('is sent again when its provider does not have it', async () => {
      candidates = ['cfg_a', 'cfg_b'];
      find = () => Promise.resolve(undefined);
      const outcome = await runner.run(message({ unknown: unknown(), attempted: true }), signal);
      expect(outcome.possibleDuplicate).toBe(true);
      expect(requeueOf(outcome)).toMatchObject({ lane: 'cfg_b', unknown: null });
    });

    it('stays one while it cannot be looked up for a reason of ours, until it expires', async () => {
      candidates = ['cfg_a', 'cfg_b'];
      find = () => Promise.reject(new Error('Connection terminated'));
      const fate = unknown();
      const outcome = await runner.run(message({ unknown: fate, attempted: true }), signal);
      expect(outcome.possibleDuplicate).toBeUndefined();
      expect(requeueOf(outcome)).toMatchObject({ lane: 'cfg_a', unknown: fate, waitingOn: 'retry' });
      const late = message({ unknown: fate, attempted: true, expiresAt: clock.now() });
      expect((await runner.run(late, signal)).next).toMatchObject({ type: 'final', errorCode: 'outcome_unknown' });
      const ending = new AbortController();
      ending.abort();
      expect(requeueOf(await runner.run(late, ending.signal))).toMatchObject({ unknown: fate });
    });
  });
});
