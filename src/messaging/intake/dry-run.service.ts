import { Injectable } from '@nestjs/common';
import type { Channel } from '../../kernel/channel';
import type { Principal } from '../../tenancy/principal';
import { DegradedView } from '../../gateway/budget/degraded.view';
import { QUOTA_EXCEEDED } from '../../gateway/router';
import { QuotaReader } from '../../gateway/quotas/quota-reader';
import type { QuotaView } from '../../gateway/quotas/quota.view';
import { GatewayRates } from '../../gateway/limits/gateway-rates';
import { SuppressionDirectory } from '../suppression/suppression-directory';
import type { ChannelDescriptor } from '../channel-registry';
import { IntakeService, MOST_REROUTES } from './intake.service';
import type { DryRunQuotaView, DryRunView } from './dry-run.view';
import type { SendOptionsDto } from './send-options.dto';

/** Says what a send would do and why. Stores nothing, takes no token. */
@Injectable()
export class DryRunService {
  constructor(
    private readonly intake: IntakeService,
    private readonly rates: GatewayRates,
    private readonly suppressions: SuppressionDirectory,
    private readonly quotas: QuotaReader,
  ) {}

  /** @throws Problem 400 for what is wrong with the request itself; all else that would refuse the send is the verdict */
  async explain(principal: Principal, channel: Channel, dto: SendOptionsDto): Promise<DryRunView> {
    const descriptor = this.intake.descriptor(channel);
    const { assessment, quotas } = await this.assess(principal, descriptor, dto);
    const { prepared, route } = assessment;
    const { recipient, content } = prepared;
    const suppressed = await this.suppressions.look({ clientId: principal.clientId, channel, recipient, content });
    const refusal = await this.intake.refusal(principal, assessment);
    const paused = (configId: string) => {
      const until = this.rates.pausedUntil(configId);
      return until > 0 ? new Date(until).toISOString() : null;
    };
    return {
      dry_run: true,
      channel,
      client_id: principal.clientId,
      to: prepared.recipient,
      status: refusal
        ? 'refused'
        : assessment.sandbox
          ? 'simulated'
          : assessment.sendAt === null
            ? 'queued'
            : 'scheduled',
      refusal: refusal ? { code: refusal.code, detail: refusal.detail } : null,
      candidates: assessment.able.map((candidate) => ({
        gateway: candidate.gateway,
        config_id: candidate.configId,
        reason: candidate.reason,
        max_per_second: candidate.config.maxPerSecond,
        rate_available: this.rates.available(candidate.config),
        paused_until: paused(candidate.configId),
        degraded: candidate.degraded ? DegradedView.of(candidate.degraded) : null,
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
      quota: quotaOf(quotas),
      quotas,
      suppressed: suppressed.length > 0,
      suppressions: suppressed,
      quiet_hours: {
        applies: assessment.quietUntil !== null,
        until: assessment.quietUntil === null ? null : new Date(assessment.quietUntil).toISOString(),
      },
    };
  }

  /** With the quotas that the message would count for. Reading one that is used up lets the route pass its config over, as a send would find out. */
  private async assess(principal: Principal, descriptor: ChannelDescriptor, dto: SendOptionsDto) {
    const { clientId } = principal;
    const ofTenant = await this.quotas.ofTenant(clientId);
    for (let tries = 1; ; tries++) {
      const assessment = await this.intake.assess(principal, descriptor, dto);
      const { exhausted, able, route } = assessment;
      const first = exhausted ? undefined : able[0];
      const skipped = route.skipped.filter(({ reason }) => reason === QUOTA_EXCEEDED);
      const asked = exhausted ? [exhausted.id] : (first ? [first] : skipped).map(({ configId }) => configId!);
      const ofConfigs = await Promise.all(asked.map((configId) => this.quotas.ofConfig(clientId, configId)));
      const full = ofConfigs.flat().some(({ mode, remaining }) => mode === 'hard' && remaining === 0);
      if (!first || !full || tries === MOST_REROUTES) return { assessment, quotas: [...ofTenant, ...ofConfigs.flat()] };
    }
  }
}

const NO_QUOTA: Omit<DryRunQuotaView, 'limited'> = {
  limit: null,
  used: null,
  remaining: null,
  period: null,
  resets_at: null,
  burn_rate: null,
  projected_exhaustion_at: null,
};

/** The quota that leaves the fewest messages. */
function quotaOf(quotas: readonly QuotaView[]): DryRunQuotaView {
  const [first] = quotas.toSorted((one, other) => one.remaining - other.remaining);
  const { limit, used, remaining, period, resets_at, burn_rate, projected_exhaustion_at } = first ?? NO_QUOTA;
  return {
    limited: first !== undefined,
    limit,
    used,
    remaining,
    period,
    resets_at,
    burn_rate,
    projected_exhaustion_at,
  };
}
