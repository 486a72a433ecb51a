import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { GatewayError } from '../contracts/gateway-error';
import type { Database } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';
import type { GatewayCalls } from '../gateway-calls';
import type { GatewayFactory } from '../gateway-factory';
import type { ProviderRegistry } from '../provider-registry';
import type { ConfigDirectory } from './config-directory';
import type { ConfigLifeCycle } from './config-life-cycle';
import type { ConfigFault, ProviderConfig } from './provider-config';

const LONGEST_CALL_MS = 10_000;
const EVERY_MS = 60_000;
const MOST_AT_ONCE = 5;

/** What the subscriber stands on. */
export interface ConfigSubscriberDeps {
  database: Database;
  registry: ProviderRegistry;
  directory: ConfigDirectory;
  gateways: GatewayFactory;
  calls: GatewayCalls;
  lifeCycle: ConfigLifeCycle;
  logger: Logger;
}

/**
 * Tells providers where to report, for those whose API sets that (`Gateway.subscribe`): when a config becomes active, when its credentials change,
 * and once a start for each active config, since the callback URL may be another one by then.
 */
export class ConfigSubscriber {
  /** Configs that this process has told, by their version. */
  private readonly told = new Map<string, number>();
  private readonly turns: Periodic;

  constructor(private readonly deps: ConfigSubscriberDeps) {
    this.turns = new Periodic('config-subscriber', EVERY_MS, () => this.catchUp(), deps.logger);
  }

  start(): void {
    this.turns.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.turns.stop();
  }

  /** Undefined when the provider knows now, or need not be told; else why it could not be. */
  async subscribe(config: ProviderConfig): Promise<ConfigFault | undefined> {
    return (await this.attempt(config))?.fault;
  }

  /**
   * Call after the commit of a change that made a config active, or changed what its account is. A config whose provider refuses goes to `error`, and
   * comes back once it does not; one whose provider could not be told for now stays as it is, and is told in a later turn.
   * @returns the config as it is then
   */
  async established(config: ProviderConfig): Promise<ProviderConfig> {
    if (config.status !== 'active') return config;
    if (!(await this.tell(config))) return config;
    return (await this.deps.directory.config(config.clientId, config.id)) ?? config;
  }

  /** Tells of the active configs that this process has not told of yet. */
  async catchUp(): Promise<void> {
    const providers = this.deps.registry
      .all()
      .filter(({ channel, key }) => this.deps.gateways.create(channel, key).subscribe !== undefined)
      .map(({ key }) => key);
    if (providers.length === 0) return;
    const rows = await this.deps.database.query<{ id: string; client_id: string; version: number }>(
      `SELECT id, client_id, version FROM provider_configs WHERE status = 'active' AND provider = ANY($1::text[])`,
      [textArray(providers)],
    );
    const due = rows.filter(({ id, version }) => this.told.get(id) !== version).values();
    const lane = async (): Promise<void> => {
      for (const { id, client_id: clientId } of due) {
        const config = await this.deps.directory.config(clientId, id);
        if (config?.status === 'active') await this.tell(config);
      }
    };
    await Promise.all(Array.from({ length: MOST_AT_ONCE }, lane));
  }

  /**
   * What fails for a while only is tried again in the next turn: the subscription of before may still hold, and the account can send without.
   * @returns whether the config was marked to be in error
   */
  private async tell(config: ProviderConfig): Promise<boolean> {
    const failed = await this.attempt(config);
    if (failed === undefined) return false;
    this.deps.logger.warn({ config_id: config.id, reason: failed.fault.code }, 'provider not told where to report');
    if (failed.temporary) return false;
    await this.deps.lifeCycle.markError(config.id, config.version, failed.fault);
    return true;
  }

  private async attempt(config: ProviderConfig): Promise<{ fault: ConfigFault; temporary: boolean } | undefined> {
    const gateway = this.deps.gateways.create(config.channel, config.provider);
    if (!gateway.subscribe) return undefined;
    try {
      const options = { signal: AbortSignal.timeout(LONGEST_CALL_MS), timeoutMs: LONGEST_CALL_MS };
      await gateway.subscribe(await this.deps.calls.contextFor(config, options));
      this.told.set(config.id, config.version);
      return undefined;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const fault = {
        code: error.code,
        message: error.providerText ?? error.message,
        ...(error.providerCode !== undefined && { providerCode: error.providerCode }),
      };
      return { fault, temporary: error.class !== 'config' };
    }
  }
}
