import type { Logger } from '../../kernel/logger';
import { newId } from '../../kernel/ids';
import { Periodic } from '../../kernel/periodic';
import type { ChangeFeed } from '../../platform/database/change-feed';
import { GATEWAYS_CHANGED, type ConfigDirectory } from '../configs/config-directory';
import type { ConfigLifeCycle } from '../configs/config-life-cycle';
import type { HealthReport } from '../contracts/gateway';
import { GatewayError } from '../contracts/gateway-error';
import type { GatewayCalls } from '../gateway-calls';
import type { GatewayFactory } from '../gateway-factory';
import type { ProviderRegistry } from '../provider-registry';
import type { LaneOwnership } from './lane-ownership';
import { LEASE_SECONDS, type LeasedSession, type SessionLeases } from './session-leases';

const TURN_MS = 2_000;
const LAPSE_LOOK_MS = 250;
/** A lease that could not be renewed for so long is given up: what is left of it is the time to unbind before the next owner binds. */
const KEEP_MS = (LEASE_SECONDS - 5) * 1000;
const OPEN_TIMEOUT_MS = 10_000;

/** What the keeper stands on. */
export interface SessionKeeperDeps {
  leases: SessionLeases;
  ownership: LaneOwnership;
  registry: ProviderRegistry;
  directory: ConfigDirectory;
  gateways: GatewayFactory;
  calls: GatewayCalls;
  lifeCycle: ConfigLifeCycle;
  feed: ChangeFeed;
  logger: Logger;
  /** The database is this process's alone. */
  embedded: boolean;
}

/**
 * Holds the sessions of active configs whose provider allows one set of connections: each is leased by one process at a time, opened so that reports
 * come in before anything is sent, and closed when the config or this process ends, or when the lease cannot be renewed. What a dead owner had is
 * taken by another process when its lease is over.
 */
export class SessionKeeper {
  readonly owner = newId('worker');
  private readonly turns: Periodic;
  private readonly lapses: Periodic;
  private readonly opening = new Map<string, Promise<void>>();
  private readonly closing = new Map<string, Promise<void>>();
  /** What was told last of each session. */
  private readonly told = new Map<string, string>();
  private readonly abort = new AbortController();
  private first = true;
  private stopListening: (() => void) | undefined;

  constructor(private readonly deps: SessionKeeperDeps) {
    this.turns = new Periodic('gateway sessions', TURN_MS, () => this.turn(), deps.logger);
    this.lapses = new Periodic('lapsed gateway sessions', LAPSE_LOOK_MS, () => this.lapse(), deps.logger);
  }

  /** Takes what is free before it resolves, so that the lanes are open when the dispatcher begins. */
  async start(): Promise<void> {
    const wake = (): void => this.turns.wake();
    this.stopListening ??= this.deps.feed.on(GATEWAYS_CHANGED, wake, wake);
    await this.turn().catch((error: unknown) =>
      this.deps.logger.warn({ err: error }, 'gateway sessions not taken yet'),
    );
    this.turns.start();
    this.lapses.start();
  }

  /** Unbinds and gives everything up, so that others need not wait. */
  async stop(): Promise<void> {
    this.stopListening?.();
    this.stopListening = undefined;
    await Promise.all([this.turns.stop(), this.lapses.stop()]);
    this.abort.abort();
    for (const configId of this.deps.ownership.held()) this.close(configId);
    await Promise.all(this.closing.values());
  }

  /** One turn: renews, takes, opens, closes. Does not wait for the providers. */
  async turn(): Promise<void> {
    const { leases, ownership, registry, embedded } = this.deps;
    const providers = registry
      .all()
      .filter((definition) => definition.session !== undefined)
      .map(({ key }) => key);
    if (providers.length === 0) return;
    const from = performance.now();
    const held = await leases.take(this.owner, providers, [...this.closing.keys()], this.first && embedded);
    this.first = false;
    const until = from + KEEP_MS;
    if (until <= performance.now()) return;
    for (const { configId } of held) ownership.hold(configId, until);
    const ours = new Set(held.map(({ configId }) => configId));
    for (const configId of ownership.held()) if (!ours.has(configId)) this.close(configId);
    for (const session of held) this.open(session);
  }

  /** Closes sessions whose lease was not renewed in time. */
  private async lapse(): Promise<void> {
    const { ownership, logger } = this.deps;
    for (const configId of ownership.held()) {
      if (ownership.mine(configId)) continue;
      logger.warn({ config_id: configId }, 'lease of a gateway session could not be renewed');
      this.close(configId);
    }
  }

  private open(session: LeasedSession): void {
    const { configId } = session;
    if (this.opening.has(configId) || this.closing.has(configId)) return;
    const opening = this.openOne(session)
      .catch((error: unknown) => this.deps.logger.warn({ err: error, config_id: configId }, 'session not looked after'))
      .finally(() => this.opening.delete(configId));
    this.opening.set(configId, opening);
  }

  private async openOne({ configId, clientId }: LeasedSession): Promise<void> {
    const { directory, gateways, calls, ownership, lifeCycle } = this.deps;
    const config = await directory.config(clientId, configId);
    if (config?.status !== 'active' || !ownership.mine(configId)) return;
    try {
      const ctx = await calls.contextFor(config, { signal: this.abort.signal, timeoutMs: OPEN_TIMEOUT_MS });
      if (!ownership.mine(configId)) return;
      await gateways.create(config.channel, config.provider).open?.(ctx);
      await this.tell(configId, { healthy: true });
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const isConfig = error.class === 'config';
      await this.tell(configId, {
        healthy: false,
        error: error.message,
        errorClass: isConfig ? 'config' : 'transient',
      });
      if (isConfig && error.scope === 'account')
        await lifeCycle.markError(configId, config.version, {
          code: error.code,
          message: error.message,
          ...(error.providerCode !== undefined && { providerCode: error.providerCode }),
        });
    }
  }

  private async tell(configId: string, report: HealthReport): Promise<void> {
    const text = JSON.stringify(report);
    if (this.told.get(configId) === text || !this.deps.ownership.mine(configId)) return;
    await this.deps.leases.tell(this.owner, configId, report);
    this.told.set(configId, text);
    this.deps.logger.info(
      { config_id: configId, ...report },
      report.healthy ? 'gateway session open' : 'gateway session down',
    );
  }

  /** From now on no message is begun on it. The lease is given up only when the provider has seen us leave. */
  private close(configId: string): void {
    if (this.closing.has(configId)) return;
    this.deps.ownership.drop(configId);
    this.told.delete(configId);
    const closing = this.closeOne(configId)
      .catch((error: unknown) => this.deps.logger.warn({ err: error, config_id: configId }, 'session not given up'))
      .finally(() => {
        this.closing.delete(configId);
        this.turns.wake();
      });
    this.closing.set(configId, closing);
  }

  private async closeOne(configId: string): Promise<void> {
    const { registry, gateways, leases } = this.deps;
    const holders = registry.all().filter((definition) => definition.session !== undefined);
    await Promise.all(holders.map(async ({ channel, key }) => gateways.create(channel, key).release?.(configId)));
    await leases.giveUp(this.owner, configId);
  }
}
