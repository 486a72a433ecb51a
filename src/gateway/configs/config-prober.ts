import type { Clock } from '../../kernel/clock';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import type { ChangeFeed } from '../../platform/database/change-feed';
import type { Database } from '../../platform/database/database';
import { GATEWAYS_CHANGED, type ConfigDirectory } from './config-directory';
import type { ConfigLifeCycle } from './config-life-cycle';
import type { ConfigSubscriber } from './config-subscriber';
import type { GatewayHealth } from '../health/gateway-health';

const MOST_AT_ONCE = 10;
const MOST_A_TURN = 1_000;

interface Due {
  id: string;
  client_id: string;
}

/** What the prober stands on. */
export interface ConfigProberDeps {
  database: Database;
  directory: ConfigDirectory;
  health: GatewayHealth;
  lifeCycle: ConfigLifeCycle;
  subscriber: Pick<ConfigSubscriber, 'subscribe'>;
  feed: ChangeFeed;
  clock: Clock;
  logger: Logger;
}

/**
 * Asks the providers of configs in `error` again and again, and takes those that work back into service. One that its tenant has just
 * changed is asked at once.
 */
export class ConfigProber {
  private readonly turns: Periodic;
  private stopListening: (() => void) | undefined;

  constructor(
    private readonly deps: ConfigProberDeps,
    private readonly probeSeconds: number,
  ) {
    this.turns = new Periodic('config-prober', probeSeconds * 1000, () => this.probe(), deps.logger);
  }

  start(): void {
    const wake = (): void => this.turns.wake();
    this.stopListening ??= this.deps.feed.on(GATEWAYS_CHANGED, wake, wake);
    this.turns.start();
  }

  async stop(): Promise<void> {
    this.stopListening?.();
    this.stopListening = undefined;
    await this.turns.stop();
  }

  /** One turn. Answers how many configs came back. */
  async probe(): Promise<number> {
    // A config that has just failed gets its time: a check that passes at once would only make it go back and forth.
    const since = this.deps.clock.now() - this.probeSeconds * 900;
    const due = await this.deps.database.query<Due>(
      `SELECT id, client_id FROM provider_configs
       WHERE status = 'error' AND (error_since <= to_timestamp($1 / 1000.0) OR error_version IS DISTINCT FROM version)
       ORDER BY error_since LIMIT $2`,
      [since, MOST_A_TURN],
    );
    let recovered = 0;
    const next = due.values();
    const lane = async (): Promise<void> => {
      for (const one of next) if (await this.probeOne(one)) recovered++;
    };
    await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, due.length) }, lane));
    return recovered;
  }

  private async probeOne(due: Due): Promise<boolean> {
    const config = await this.deps.directory.config(due.client_id, due.id);
    if (config?.status !== 'error') return false;
    const check = await this.deps.health.check(config);
    // An account that works is of no use while its provider does not know where to report.
    if (check.healthy && !(await this.deps.subscriber.subscribe(config)))
      return this.deps.lifeCycle.markRecovered(config.id, config.version);
    this.deps.logger.debug({ config_id: config.id, error_class: check.errorClass }, 'config is still in error');
    // Asked once for its change; from now on with the others.
    await this.deps.database.execute(
      `UPDATE provider_configs SET error_version = version WHERE id = $1 AND version = $2 AND status = 'error'`,
      [config.id, config.version],
    );
    return false;
  }
}
