import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kernel/clock';
import type { ProviderConfig } from '../configs/provider-config';
import { GatewayError } from '../contracts/gateway-error';
import type { GatewayCalls } from '../gateway-calls';
import type { GatewayFactory } from '../gateway-factory';
import type { SessionStates } from '../sessions/session-states';

/** What a config's provider said of the account. */
export interface HealthCheck {
  healthy: boolean;
  /** Why not; without secrets. */
  error?: string;
  /** `config`: the credentials are refused or do not resolve; `transient`: the provider could not be asked. */
  errorClass?: 'config' | 'transient';
  latencyMs: number;
  /** Milliseconds since the epoch. */
  checkedAt: number;
}

const KEEP_MS = 10_000;
const LONGEST_CHECK_MS = 5_000;

/** Asks providers whether an account works. Sends nothing and changes nothing. */
export class GatewayHealth {
  private readonly kept = new LRUCache<string, Promise<HealthCheck>>({ max: 5_000, ttl: KEEP_MS });

  constructor(
    private readonly gateways: GatewayFactory,
    private readonly calls: GatewayCalls,
    private readonly clock: Clock,
    private readonly sessions?: SessionStates,
  ) {}

  /** What was found in the last seconds, else a new check; callers at the same time share one. */
  async recent(config: ProviderConfig): Promise<HealthCheck> {
    const key = `${config.id}:${config.version}`;
    const kept = this.kept.get(key);
    if (kept) return kept;
    const check = this.check(config);
    this.kept.set(key, check);
    return check;
  }

  /** Asks the provider now. Does not throw. */
  async check(config: ProviderConfig): Promise<HealthCheck> {
    const startedAt = this.clock.now();
    const from = performance.now();
    const result = (report: Omit<HealthCheck, 'latencyMs' | 'checkedAt'>): HealthCheck => ({
      ...report,
      latencyMs: Math.round(performance.now() - from),
      checkedAt: startedAt,
    });
    try {
      const told = await this.sessions?.elsewhere(config);
      if (told) return result(told);
      const context = await this.calls.contextFor(config, {
        signal: AbortSignal.timeout(LONGEST_CHECK_MS),
        timeoutMs: LONGEST_CHECK_MS,
      });
      const gateway = this.gateways.create(config.channel, config.provider);
      if (gateway.open && this.sessions?.isMine(config)) {
        await gateway.open(context);
        return result({ healthy: true });
      }
      return result(await gateway.healthCheck(context));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return result({
        healthy: false,
        error: error.message,
        errorClass: error.class === 'config' ? 'config' : 'transient',
      });
    }
  }
}
