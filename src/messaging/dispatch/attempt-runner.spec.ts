import { ManualClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
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
  let runner: AttemptRunner;
  let answer: () => Promise<unknown>;
  let suppressed: ReturnType<GatewaySender['suppressed']>;
  let hold: ReturnType<GatewaySender['held']>;

  beforeEach(() => {
    clock = new ManualClock(1_000_000);
    rates = new LocalRates(clock);
    circuits = new CircuitBreakers(clock, { consecutiveFailures: 1 }, () => 0);
    skipped = [];
    candidates = ['cfg_a'];
    suppressed = undefined;
    hold = null;
    const route = () => ({
      candidates: candidates.map((configId) => ({ gateway: 'x', configId }) as unknown as Candidate),
      skipped,
      onAmbiguous: 'failover',
      reconcileSeconds: 10,
    });
    runner = new AttemptRunner(
      { routeSync: route, enter: () => true } as unknown as Router,
      {
        validate: () => [],
        send: () => answer(),
        suppressed: () => suppressed,
        held: () => hold,
      } as unknown as GatewaySender,
      {} as SentLookup,
      rates,
      circuits,
      {} as ConfigLifeCycle,
      clock,
      silentLogger,
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

  it('asks again while another message probes', async () => {
    answer = () => Promise.resolve({ externalId: 'SM1' });
    circuits.failed('cfg_a');
    clock.advance(circuits.openUntil('cfg_a') - clock.now());
    expect(circuits.tryProbe('cfg_a')).toBe(true);
    expect(requeueOf(await runner.run(message(), signal))).toMatchObject({ dueAt: clock.now() + 250 });
    expect(requeueOf(await runner.run(message({ attempts: 1 }), signal))).toMatchObject({ dueAt: clock.now() + 1_250 });
  });
});
