import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../../kernel/logger';
import { ConfigDirectory } from '../../gateway/configs/config-directory';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import { GatewayCalls } from '../../gateway/gateway-calls';
import { GatewayFactory } from '../../gateway/gateway-factory';
import type { ClaimedMessage, DispatchOutcome } from '../record/message.types';
import { ClaimStore } from './claim-store';
import { outboundMessage } from './outbound-message';

/** Asks a provider whether it has a message whose fate is unknown. */
@Injectable()
export class SentLookup {
  constructor(
    private readonly directory: ConfigDirectory,
    private readonly gateways: GatewayFactory,
    private readonly calls: GatewayCalls,
    private readonly claims: ClaimStore,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * What the message is when the provider has it; undefined when the provider cannot be asked, does not know it or does not say.
   * @throws whatever else kept it from being asked, the end of this process among it: that says nothing of the message
   */
  async find(
    message: ClaimedMessage,
    unknown: NonNullable<ClaimedMessage['unknown']>,
    signal: AbortSignal,
  ): Promise<DispatchOutcome['next'] | undefined> {
    try {
      const config = await this.directory.config(message.clientId, unknown.configId);
      if (!config) return undefined;
      const gateway = this.gateways.create(message.channel, config.provider);
      if (!gateway.findSent) return undefined;
      const ctx = await this.calls.contextFor(config, { messageId: message.id, attempt: message.attempts, signal });
      const found = await gateway.findSent(outboundMessage(message), unknown.since, ctx);
      const report = await this.claims.takeExternalId(config.id, message.id, found);
      if (!report) return undefined;
      return {
        type: 'sent',
        gateway: config.provider,
        configId: config.id,
        externalId: report.externalId,
        status: report.status === null || report.status === 'queued' ? 'sent' : report.status,
        cost: report.cost,
        segments: report.segments,
      };
    } catch (error) {
      if (!(error instanceof GatewayError) || signal.aborted) throw error;
      // Not finding out is an answer too; the next look comes when the time is over.
      this.logger.info(
        { err: error, messageId: message.id, configId: unknown.configId },
        'look-up of a message of unknown fate failed',
      );
      return undefined;
    }
  }
}
