import { Injectable } from '@nestjs/common';
import type { Channel } from '../../kernel/channel';
import type { Principal } from '../../tenancy/principal';
import { GatewayRates } from '../../gateway/limits/gateway-rates';
import { SuppressionDirectory } from '../suppression/suppression-directory';
import { IntakeService } from './intake.service';
import type { DryRunView } from './dry-run.view';
import type { SendOptionsDto } from './send-options.dto';

/** Says what a send would do and why. Stores nothing, takes no token. */
@Injectable()
export class DryRunService {
  constructor(
    private readonly intake: IntakeService,
    private readonly rates: GatewayRates,
    private readonly suppressions: SuppressionDirectory,
  ) {}

  /** @throws Problem as the send itself would */
  async explain(principal: Principal, channel: Channel, dto: SendOptionsDto): Promise<DryRunView> {
    const descriptor = this.intake.descriptor(channel);
    const assessment = await this.intake.assess(principal, descriptor, dto);
    const { prepared, route } = assessment;
    const { recipient, content } = prepared;
    const suppressed = await this.suppressions.look({ clientId: principal.clientId, channel, recipient, content });
    const paused = (configId: string) => {
      const until = this.rates.pausedUntil(configId);
      return until > 0 ? new Date(until).toISOString() : null;
    };
    return {
      dry_run: true,
      channel,
      client_id: principal.clientId,
      to: prepared.recipient,
      status: assessment.sandbox ? 'simulated' : assessment.sendAt === null ? 'queued' : 'scheduled',
      candidates: assessment.able.map((candidate) => ({
        gateway: candidate.gateway,
        config_id: candidate.configId,
        reason: candidate.reason,
        max_per_second: candidate.config.maxPerSecond,
        paused_until: paused(candidate.configId),
      })),
      skipped: [
        ...route.skipped.map((skip) => ({
          gateway: skip.gateway,
          config_id: skip.configId ?? null,
          reason: skip.reason,
        })),
        ...assessment.unable.map(({ candidate, reason }) => ({
          gateway: candidate.gateway,
          config_id: candidate.configId,
          reason,
        })),
      ],
      encoding: prepared.encoding,
      segments: prepared.segments,
      ucs2_characters: prepared.ucs2Characters,
      send_at: assessment.sendAt === null ? null : new Date(assessment.sendAt).toISOString(),
      expires_at: new Date(assessment.expiresAt).toISOString(),
      on_ambiguous: route.onAmbiguous,
      on_undelivered: assessment.fallbacks.map((fallback) => ({
        channel: fallback.channel,
        to: fallback.recipient,
        after_seconds: fallback.afterSeconds,
        gateways: fallback.candidates.map(({ gateway }) => gateway),
      })),
      quota: { limited: false, remaining: null },
      suppressed: suppressed.length > 0,
      suppressions: suppressed,
      quiet_hours: { applies: false, until: null },
    };
  }
}
