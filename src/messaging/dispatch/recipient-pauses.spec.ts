import type { ConfigLifeCycle } from '../../gateway/configs/config-life-cycle';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import { CircuitBreakers } from '../../gateway/limits/circuit-breakers';
import { LocalRates } from '../../gateway/limits/gateway-rates';
import type { Candidate, Router } from '../../gateway/router';
import { ManualClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import type { ClaimedMessage } from '../record/message.types';
import { AttemptRunner } from './attempt-runner';
import type { GatewaySender } from './gateway-sender';
import type { SentLookup } from './sent-lookup';

const signal = new AbortController().signal;

/** A provider that throttles each recipient for itself, and does not say whether it means the whole account. */
describe('pauses of one recipient', () => {
  let clock: ManualClock;
  let rates: LocalRates;
  let candidates: string[];
  let asked: string[];
  let flooded: Map<string, number>;
  let runner: AttemptRunner;

  beforeEach(() => {
    clock = new ManualClock(1_000_000);
    rates = new LocalRates(clock);
    candidates = ['cfg_a'];
    asked = [];
    flooded = new Map();
    const sender = {
      validate: () => [],
      suppressed: () => undefined,
      held: () => null,
      send: async (message: ClaimedMessage, candidate: Candidate) => {
        asked.push(`${candidate.configId} ${message.recipient}`);
        const seconds = flooded.get(`${candidate.configId} ${message.recipient}`);
        if (seconds === undefined) return { externalId: '1:1' };
        return new GatewayError({
          class: 'throttled',
          scope: 'recipient',
          code: 'throttled',
          message: 'slower',
          retryAfterMs: seconds * 1000,
        });
      },
    };
    const route = () => ({
      candidates: candidates.map((configId) => ({ gateway: 'x', configId }) as unknown as Candidate),
      skipped: [],
      onAmbiguous: 'failover',
      reconcileSeconds: 10,
    });
    runner = new AttemptRunner(
      { routeSync: route, enter: () => true } as unknown as Router,
      sender as unknown as GatewaySender,
      {} as SentLookup,
      rates,
      new CircuitBreakers(clock, {}, () => 0),
      {} as ConfigLifeCycle,
      clock,
      silentLogger,
    );
  });

  const run = async (recipient: string, change: Partial<ClaimedMessage> = {}) => {
    const message = {
      id: 'msg_1',
      clientId: 't',
      channel: 'telegram',
      recipient,
      provider: null,
      expiresAt: clock.now() + 3_600_000,
      attempts: 0,
      attempted: false,
      lane: 'cfg_a',
      rounds: 0,
      tried: [],
      unknown: null,
      ...change,
    } as unknown as ClaimedMessage;
    return (await runner.run(message, signal)).next;
  };
  const waitsUntil = (dueAt: number) => ({
    type: 'requeue',
    requeue: { lane: 'cfg_a', dueAt, waitingOn: 'gateway_rate', tried: [], rounds: 0 },
  });

  it('holds back this recipient as long as told, without asking again, and nobody else', async () => {
    flooded.set('cfg_a chat1', 3);
    const until = clock.now() + 3_000;
    expect(await run('chat1')).toMatchObject(waitsUntil(until));
    clock.advance(1_000);
    expect(await run('chat1')).toMatchObject(waitsUntil(until));
    expect(await run('chat2')).toMatchObject({ type: 'sent' });
    expect(asked).toEqual(['cfg_a chat1', 'cfg_a chat2']);
    expect(rates.pausedUntil('cfg_a')).toBe(0);
    flooded.clear();
    clock.advance(2_000);
    expect(await run('chat1')).toMatchObject({ type: 'sent' });
  });

  it('does the same for a long pause', async () => {
    flooded.set('cfg_a chat1', 40);
    const until = clock.now() + 40_000;
    expect(await run('chat1')).toMatchObject(waitsUntil(until));
    expect(await run('chat1')).toMatchObject(waitsUntil(until));
    expect(asked).toEqual(['cfg_a chat1']);
  });

  it('goes to the next gateway for a long pause, and waits there for nobody', async () => {
    candidates = ['cfg_a', 'cfg_b'];
    flooded.set('cfg_a chat1', 40);
    expect(await run('chat1')).toMatchObject({ type: 'requeue', requeue: { lane: 'cfg_b', dueAt: clock.now() } });
    expect(await run('chat1', { lane: 'cfg_b' })).toMatchObject({ type: 'sent', configId: 'cfg_b' });
  });

  it('takes two recipients in a row for the whole account', async () => {
    flooded.set('cfg_a chat1', 3).set('cfg_a chat2', 4);
    await run('chat1');
    await run('chat2');
    expect(rates.pausedUntil('cfg_a')).toBe(clock.now() + 4_000);
    expect(await run('chat3')).toMatchObject(waitsUntil(clock.now() + 4_000));
    expect(asked).toEqual(['cfg_a chat1', 'cfg_a chat2']);
  });

  it('does not when a success lies between them, or it is the same one', async () => {
    flooded.set('cfg_a chat1', 3).set('cfg_a chat2', 3);
    await run('chat1');
    await run('chat3');
    await run('chat2');
    clock.advance(3_000);
    await run('chat2');
    expect(asked).toEqual(['chat1', 'chat3', 'chat2', 'chat2'].map((chat) => `cfg_a ${chat}`));
    expect(rates.pausedUntil('cfg_a')).toBe(0);
  });
});
