import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { Secret } from '../../kernel/secret';
import type { CallbackConfig } from '../../gateway/configs/config-directory';
import type {
  CallbackAnswer,
  CallbackClaim,
  CallbackDefinition,
  CallbackRequest,
  CallbackSecrets,
  CallbackShare,
} from '../../gateway/contracts/callback';
import { InvalidSignature } from '../../gateway/contracts/gateway-error';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { CallbackConfigs } from './callback-configs';
import { CallbackMetrics } from './callback-metrics';

const MOST_SHARES = 100;

const NO_SECRETS: CallbackSecrets = { credentials: {}, settings: {}, urlToken: new Secret('') };

/** A config, and what a proved request says about it. */
export interface ProvedCallback {
  config: CallbackConfig;
  request: CallbackRequest;
}

/** One kind of callback of one provider, as a path names it. */
export interface CallbackRoute {
  definition: ProviderDefinition;
  callback: CallbackDefinition;
  configId: string | undefined;
}

/** Decides whose secret proves a request. */
@Injectable()
export class CallbackProof {
  constructor(
    private readonly configs: CallbackConfigs,
    private readonly metrics: CallbackMetrics,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * The config that a request is from, or several with a part of it each. A part that no secret proves is left out.
   * @throws Problem invalid_signature when nothing is proved
   */
  async prove(route: CallbackRoute, request: CallbackRequest): Promise<ProvedCallback[]> {
    const { definition, callback, configId } = route;
    if (configId !== undefined) {
      const { proved, reason } = this.provedBy(callback, request, await this.configs.byId(definition, configId));
      const [config] = proved;
      if (!config) throw this.refused(route, reason);
      return callback.split ? this.handOut(route, request, config) : [{ config, request }];
    }
    const shares = this.sharesOf(route, request);
    if (shares.length === 0) shares.push({ claim: callback.locate(request), request: () => request });
    const proved: ProvedCallback[] = [];
    let reason: string | undefined;
    for (const share of shares) {
      const found = await this.ownerOf(route, request, share.claim);
      if (found.config) proved.push({ config: found.config, request: share.request() });
      else reason ??= found.reason;
    }
    if (proved.length === 0) throw this.refused(route, reason);
    if (proved.length < shares.length) this.leftOut(route);
    return proved;
  }

  /**
   * The answer to a provider's question whether a URL is ours; undefined for an ordinary callback.
   * @throws Problem invalid_signature when the question does not show what it must
   */
  async answer(route: CallbackRoute, request: CallbackRequest): Promise<CallbackAnswer | undefined> {
    const { definition, callback, configId } = route;
    const { challenge } = callback;
    if (!challenge || !isQuestion(challenge, request)) return undefined;
    // A question names no account: whoever's secret fits has asked it.
    const candidates =
      configId === undefined ? await this.configs.newest(definition) : await this.configs.byId(definition, configId);
    const { proved, reason } = this.thoseThat(candidates, (config) => challenge(request, config.secrets));
    if (!proved[0]) throw this.refused(route, reason);
    return challenge(request, proved[0].secrets);
  }

  /**
   * The parts of a request that the named config has proved. It speaks for its own account, and for what nobody here has a config of: a provider
   * may know one URL for several accounts of its owner. What is another config's goes there, if that one's secret proves it too.
   */
  private async handOut(
    route: CallbackRoute,
    request: CallbackRequest,
    named: CallbackConfig,
  ): Promise<ProvedCallback[]> {
    const { definition } = route;
    const shares = this.sharesOf(route, request);
    if (shares.length === 0) return [{ config: named, request }];
    const proved: ProvedCallback[] = [];
    for (const share of shares) {
      const { claim } = share;
      let config: CallbackConfig | undefined = named;
      if (!this.configs.isOf(named, claim)) {
        config = (await this.ownerOf(route, request, claim)).config;
        if (!config && !(await this.configs.hasOwner(definition, claim))) config = named;
      }
      if (config) proved.push({ config, request: share.request() });
    }
    if (proved.length === 0) throw this.refused(route, 'it is about the account of another config');
    if (proved.length < shares.length) this.leftOut(route);
    return proved;
  }

  /** @throws Problem payload_too_large: each share costs queries before anything is proved */
  private sharesOf({ callback }: CallbackRoute, request: CallbackRequest): CallbackShare[] {
    const shares = callback.split?.(request) ?? [];
    if (shares.length > MOST_SHARES)
      throw new Problem('payload_too_large', `One callback may be about at most ${MOST_SHARES} accounts.`);
    return shares;
  }

  /** The config that a claim is about, and that proves the request. */
  private async ownerOf(
    { definition, callback }: CallbackRoute,
    request: CallbackRequest,
    claim: CallbackClaim,
  ): Promise<{ config?: CallbackConfig; reason?: string }> {
    const located = await this.configs.locate(definition, callback, claim);
    let found = this.provedBy(callback, request, located);
    // Also when others have the number that it came to: any tenant can say that a number is his.
    const isOpen = located.length === 0 || claim.recipient !== undefined;
    if (found.proved.length === 0 && callback.unaddressed && isOpen) {
      const possible = await this.configs.possible(definition, callback, request.rawBody.length);
      found = this.provedBy(callback, request, possible);
    }
    const { proved, reason } = found;
    if (proved.length === 0) return { reason };
    return { config: proved.length === 1 ? proved[0] : await this.configs.rightful(definition, claim, proved) };
  }

  private provedBy(callback: CallbackDefinition, request: CallbackRequest, candidates: readonly CallbackConfig[]) {
    return this.thoseThat(candidates, (config) => callback.verify(request, config.secrets, this.clock.now()));
  }

  private thoseThat(
    candidates: readonly CallbackConfig[],
    check: (config: CallbackConfig) => unknown,
  ): { proved: CallbackConfig[]; reason: string | undefined } {
    const proved: CallbackConfig[] = [];
    let reason: string | undefined;
    for (const config of candidates) {
      try {
        check(config);
        proved.push(config);
      } catch (error) {
        if (!(error instanceof InvalidSignature)) throw error;
        reason = error.reason;
      }
    }
    return { proved, reason };
  }

  private leftOut({ definition, configId }: CallbackRoute): void {
    this.logger.warn(
      { provider: definition.key, configId },
      'a part of a callback is another account’s, and not proved for it',
    );
  }

  private refused({ definition, configId }: CallbackRoute, reason = 'no config fits'): Problem {
    this.metrics.refused(definition.key);
    this.logger.warn({ provider: definition.key, configId, reason }, 'callback refused');
    return new Problem('invalid_signature', 'The signature of this callback is missing or wrong.');
  }
}

/** Whether it is a question at all shows without any secret: nothing then, or a refusal. */
function isQuestion(challenge: NonNullable<CallbackDefinition['challenge']>, request: CallbackRequest): boolean {
  try {
    return challenge(request, NO_SECRETS) !== undefined;
  } catch (error) {
    if (error instanceof InvalidSignature) return true;
    throw error;
  }
}
