import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { Problem } from '../../kernel/problem';
import { ConfigDirectory } from '../../gateway/configs/config-directory';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import { GatewayCalls } from '../../gateway/gateway-calls';
import { GatewayFactory } from '../../gateway/gateway-factory';

/** Asks a provider about a message that it took. */
@Injectable()
export class ProviderInquiry {
  constructor(
    private readonly gateways: GatewayFactory,
    private readonly calls: GatewayCalls,
    private readonly directory: ConfigDirectory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Null when the provider does not know the id. @throws Problem */
  async ask(clientId: string, configId: string, externalId: string, messageId: string) {
    const config = await this.directory.config(clientId, configId);
    if (!config) throw new Problem('conflict', 'The config that took this message is gone.');
    const gateway = this.gateways.create(config.channel, config.provider);
    if (!gateway.getStatus)
      throw new Problem(
        'conflict',
        `${config.provider} has no look-up for messages; its callbacks tell what becomes of them.`,
      );
    try {
      const ctx = await this.calls.contextFor(config, { messageId, signal: AbortSignal.timeout(60_000) });
      const report = await gateway.getStatus(externalId, ctx);
      if (!report) return null;
      return {
        messageId,
        clientId: config.clientId,
        configId,
        gateway: config.provider,
        externalId,
        status: report.status,
        occurredAt: this.clock.now(),
        error: report.error,
        cost: report.cost,
        segments: report.segments,
      };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      throw new Problem('all_gateways_failed', `${config.provider} could not be asked: ${error.code}.`, {
        cause: error,
      });
    }
  }
}
