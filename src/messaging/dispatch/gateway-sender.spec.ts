import { systemClock } from '../../kernel/clock';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import type { GatewayCalls } from '../../gateway/gateway-calls';
import type { GatewayFactory } from '../../gateway/gateway-factory';
import { CircuitBreakers } from '../../gateway/limits/circuit-breakers';
import type { Candidate } from '../../gateway/router';
import type { ClaimedMessage } from '../record/message.types';
import type { SuppressionDirectory } from '../suppression/suppression-directory';
import type { DispatchMetrics } from './dispatch-metrics';
import { GatewaySender } from './gateway-sender';
import type { MessageHolds } from './message-holds';

describe('GatewaySender', () => {
  function send(answer: () => Promise<unknown>): Promise<unknown> {
    const sender = new GatewaySender(
      { create: () => ({ send: answer }) } as unknown as GatewayFactory,
      { contextForSync: () => ({}) } as unknown as GatewayCalls,
      new CircuitBreakers(systemClock),
      { attempt() {} } as unknown as DispatchMetrics,
      {} as SuppressionDirectory,
      {} as MessageHolds,
      systemClock,
    );
    const candidate = { gateway: 'x', configId: 'cfg_a', config: {} } as unknown as Candidate;
    return sender.send({ content: {} } as ClaimedMessage, candidate, new AbortController().signal);
  }

  it.each(['SM\0', 'S'.repeat(3_000), '\ud800'])(
    'takes an answer with an id that cannot be stored for ambiguous',
    async (id) => {
      for (const result of [{ externalId: id }, { externalId: 'SM1', externalIds: ['SM1', id] }]) {
        expect(await send(() => Promise.resolve(result))).toMatchObject({
          class: 'ambiguous',
          code: 'unreadable_answer',
        });
      }
    },
  );

  it('takes a fault of the gateway for ambiguous', async () => {
    const failure = await send(() => Promise.reject(new TypeError('x is not a function')));
    expect(failure).toBeInstanceOf(GatewayError);
    expect(failure).toMatchObject({ class: 'ambiguous', code: 'gateway_fault' });
  });
});
