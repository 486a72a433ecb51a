import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { isStorableId } from '../../kernel/storable-text';
import type { SendResult, ValidationIssue } from '../../gateway/contracts/gateway';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import { GatewayCalls } from '../../gateway/gateway-calls';
import { GatewayFactory } from '../../gateway/gateway-factory';
import { CircuitBreakers } from '../../gateway/limits/circuit-breakers';
import type { Candidate } from '../../gateway/router';
import type { ClaimedMessage } from '../record/message.types';
import { SuppressionDirectory, type Addressed, type Suppressed } from '../suppression/suppression-directory';
import { DispatchMetrics } from './dispatch-metrics';
import { FAILOVER_POLICY } from './failover.policy';
import { MessageHolds, type Hold } from './message-holds';
import { outboundMessage } from './outbound-message';

/** Calls one gateway once, and keeps its circuit and metrics. */
@Injectable()
export class GatewaySender {
  constructor(
    private readonly gateways: GatewayFactory,
    private readonly calls: GatewayCalls,
    private readonly circuits: CircuitBreakers,
    private readonly metrics: DispatchMetrics,
    private readonly suppressions: SuppressionDirectory,
    private readonly holds: MessageHolds,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The first of the message's recipients whom nothing may be sent to. A promise only when somebody may be. */
  suppressed(message: Addressed): undefined | Promise<Suppressed | undefined> {
    if (this.suppressions.isClear(message)) return undefined;
    return this.suppressions.find(message).then(([first]) => first);
  }

  /** What holds the message back, whoever would take it; null: nothing does. */
  held(message: ClaimedMessage): Hold | null | Promise<Hold | null> {
    return this.holds.of(message);
  }

  /** What the gateway cannot do with the message. */
  validate(message: ClaimedMessage, candidate: Pick<Candidate, 'gateway' | 'config'>): ValidationIssue[] {
    const gateway = this.gateways.create(message.channel, candidate.gateway);
    return gateway.validate(outboundMessage(message), candidate.config.settings);
  }

  /** What the provider answered, or why it did not take the message. Does not throw. */
  async send(message: ClaimedMessage, candidate: Candidate, signal: AbortSignal): Promise<SendResult | GatewayError> {
    const startedAt = this.clock.now();
    const { configId, gateway: provider, config } = candidate;
    try {
      const options = { messageId: message.id, attempt: message.attempts + 1, signal };
      const ctx = this.calls.contextForSync(config, options) ?? (await this.calls.contextFor(config, options));
      const result = await this.gateways.create(message.channel, provider).send(outboundMessage(message), ctx);
      if (![result.externalId, ...(result.externalIds ?? [])].every(isStorableId)) throw unstorableAnswer();
      this.circuits.succeeded(configId);
      this.metrics.attempt(config, 'accepted', false, this.clock.now() - startedAt);
      return result;
    } catch (error) {
      const failure = asGatewayError(error);
      const rule = FAILOVER_POLICY[failure.class];
      this.metrics.attempt(config, rule.outcome, rule.burnsBudget, this.clock.now() - startedAt);
      if (rule.tripsCircuit) this.circuits.failed(configId);
      // A provider that refuses this recipient or content works; one that throttles, or does not know the account, says nothing of its health.
      else if (rule.then === 'fail') this.circuits.succeeded(configId);
      else this.circuits.released(configId);
      return failure;
    }
  }
}

/** The provider may have taken the message, under an id that cannot be kept. */
function unstorableAnswer(): GatewayError {
  return new GatewayError({
    class: 'ambiguous',
    code: 'unreadable_answer',
    message: 'The provider answered with an id that cannot be one.',
  });
}

/** A gateway that throws anything else has a fault, and whether its request left is not known. */
function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  return new GatewayError({
    class: 'ambiguous',
    code: 'gateway_fault',
    message: 'The gateway failed in an unexpected way.',
    cause: error,
  });
}
