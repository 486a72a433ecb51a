import type { Channel } from '../kernel/channel';
import type { BudgetDirectory, DegradedGateway } from './budget/budget-directory';
import { drawOf, orderByBudget } from './budget/budget.policy';
import type { ConfigDirectory } from './configs/config-directory';
import type { ProviderConfig } from './configs/provider-config';
import type { CircuitBreakers } from './limits/circuit-breakers';
import type { QuotaLedger } from './quotas/quota-ledger';
import { isInCountries } from './routing/country';
import type { OnAmbiguous } from './routing/routes';
import type { TenantGateways } from './routing/tenant-gateways';

export interface RouteRequest {
  channel: Channel;
  /** The recipient in the channel's canonical form; E.164 with `+` for numbers. */
  to: string;
  /** A provider key, slug or alias, or `cfg_…`: then no other gateway is used. */
  provider?: string | null;
  /** The config that the message was accepted for, or has gone on to: its place in that one's quota is taken already. */
  lane?: string;
  /** Decides which few messages test a gateway that has lost its place. */
  messageId?: string;
}

/** A gateway that may be asked, with the rule that chose it: `provider`, `routing[+39]`, `primary`, `fallback[0]`. */
export interface Candidate {
  /** The provider key. */
  gateway: string;
  configId: string;
  reason: string;
  config: ProviderConfig;
  /** It burns its error budget: see `orderByBudget`. */
  degraded?: DegradedGateway;
}

/** A gateway that is passed over. */
export interface Skip {
  /** The provider key, or the name that the route or request uses when there is no such provider. */
  gateway: string;
  configId?: string;
  /**
   * `unknown_provider`, `unknown_config`, `wrong_channel`, `no_config`, `config_draft`, `config_paused`, `config_error`,
   * `config_decommissioned`, `country_not_supported`, `circuit_open` or `quota_exceeded`.
   */
  reason: string;
  /** It may be usable in a while without anyone changing a setting: the config is in error, its circuit is open, or its quota is used up. */
  temporary: boolean;
  /** The config, where it is temporary. */
  config?: ProviderConfig;
}

/** A config that refuses new messages because its hard quota is used up: see `when_exceeded`. */
interface Exhausted {
  config: ProviderConfig;
  /** The candidates that the rules name before it: a message that can go by one of them is not refused. */
  ahead: readonly Candidate[];
}

/** Why a config is passed over whose hard quota is used up. */
export const QUOTA_EXCEEDED = 'quota_exceeded';

/** Which gateways a message may take, in order, each once. */
export interface Route {
  candidates: Candidate[];
  skipped: Skip[];
  /** Those of `skipped` that refuse a new message, in order; left out when there are none. One that is accepted already passes over them. */
  exhausted?: Exhausted[];
  onAmbiguous: OnAmbiguous;
  reconcileSeconds: number;
}

/** Decides which gateways a message may take. Asks the tenant's snapshot; no query when it is cached. */
export class Router {
  constructor(
    private readonly directory: ConfigDirectory,
    private readonly circuits: CircuitBreakers,
    private readonly quotas: Pick<QuotaLedger, 'configUsedUp' | 'enter'>,
    private readonly budgets: Pick<BudgetDirectory, 'of' | 'isEmpty'>,
  ) {}

  async route(clientId: string, request: RouteRequest): Promise<Route> {
    const snapshot = this.directory.snapshotSync(clientId) ?? (await this.directory.snapshot(clientId));
    return this.in(snapshot, request);
  }

  /** As {@link route}, without a promise; undefined when the tenant's snapshot is not cached. */
  routeSync(clientId: string, request: RouteRequest): Route | undefined {
    const snapshot = this.directory.snapshotSync(clientId);
    return snapshot && this.in(snapshot, request);
  }

  /**
   * For a message that goes on to another config: takes its place in that one's quotas.
   * @returns false when there is none left: it cannot go there
   */
  enter(clientId: string, configId: string, messageId: string): boolean | Promise<boolean> {
    const config = this.directory.snapshotSync(clientId)?.config(configId);
    return config?.quotas ? this.quotas.enter(config, messageId) : true;
  }

  private in(snapshot: TenantGateways, request: RouteRequest): Route {
    const plan = snapshot.plan(request.channel, request.to, request.provider ?? undefined);
    const route: Route = {
      candidates: [],
      skipped: [],
      onAmbiguous: plan.onAmbiguous,
      reconcileSeconds: plan.reconcileSeconds,
    };
    for (const step of plan.steps) {
      if (!('config' in step)) {
        const { gateway, configId, skip, temporary } = step;
        const config = temporary && configId !== undefined ? snapshot.config(configId) : undefined;
        route.skipped.push({
          gateway,
          ...(configId !== undefined && { configId }),
          reason: skip,
          temporary,
          ...(config && { config }),
        });
        continue;
      }
      const { gateway, config, reason } = step;
      const configId = config.id;
      if (config.countries !== null && !isInCountries(request.to, config.countries))
        route.skipped.push({ gateway, configId, reason: 'country_not_supported', temporary: false });
      else if (!this.circuits.canTry(configId))
        route.skipped.push({ gateway, configId, reason: 'circuit_open', temporary: true, config });
      else if (config.quotas !== null && configId !== request.lane && this.quotas.configUsedUp(config)) {
        route.skipped.push({ gateway, configId, reason: QUOTA_EXCEEDED, temporary: true, config });
        if (config.quotas.when_exceeded !== 'failover')
          (route.exhausted ??= []).push({ config, ahead: [...route.candidates] });
      } else route.candidates.push({ gateway, configId, reason, config });
    }
    if (!this.budgets.isEmpty) this.order(route, request.messageId);
    return route;
  }

  private order(route: Route, messageId: string | undefined): void {
    for (const candidate of route.candidates) {
      const degraded = this.budgets.of(candidate.configId);
      if (degraded) candidate.degraded = degraded;
    }
    route.candidates = orderByBudget(
      route.candidates,
      ({ degraded }) => degraded?.weight,
      messageId === undefined ? null : ({ configId }) => drawOf(messageId, configId),
    );
  }
}
