import type { Clock } from '../../kernel/clock';
import type { Database, Transaction } from '../../platform/database/database';
import type { AlertBook } from '../../platform/alerts/alert-book';
import type { EventStore, NewEvent } from '../../platform/events/event-store';
import type { ConfigDirectory } from './config-directory';
import type { ConfigFault, ConfigStatus } from './provider-config';
import { lockConfig, updateConfig, type ProviderConfigEntity } from './provider-config.entity';

/**
 * The steps of a config's life that the service takes by itself: `active → error` when its credentials fail, `error → active` when they
 * work again. Each step is one transition however many attempts report it, and its events are written with it.
 */
export class ConfigLifeCycle {
  constructor(
    private readonly database: Database,
    private readonly events: EventStore,
    private readonly alerts: AlertBook,
    private readonly directory: ConfigDirectory,
    private readonly clock: Clock,
  ) {}

  /**
   * Puts an active config into `error`.
   * @param version the one whose credentials failed: a config that was changed meanwhile is left alone
   * @returns whether this call made the step
   */
  async markError(configId: string, version: number, fault: ConfigFault): Promise<boolean> {
    return this.step(configId, version, ['active'], async (tx, config, now) => {
      enterError(config, fault, new Date(now));
      await updateConfig(tx, config);
      await this.tell(tx, config, 'config.error', now);
      const { clientId, id, provider, channel } = config;
      await this.alerts.raise(tx, {
        clientId,
        alert: 'config_error',
        subject: id,
        detail: fault.message,
        data: { config_id: id, gateway: provider, channel },
        occurredAt: now,
      });
    });
  }

  /**
   * Takes a config in `error` back to `active`.
   * @param version the one that was found to work
   * @returns whether this call made the step
   */
  async markRecovered(configId: string, version: number): Promise<boolean> {
    return this.step(configId, version, ['error'], async (tx, config, now) => {
      leaveError(config, 'active', new Date(now));
      await updateConfig(tx, config);
      await this.tellLeftError(tx, config, now);
    });
  }

  private async step(
    configId: string,
    version: number,
    from: readonly ConfigStatus[],
    change: (tx: Transaction, config: ProviderConfigEntity, now: number) => Promise<void>,
  ): Promise<boolean> {
    const clientId = await this.database.transaction(async (tx) => {
      const config = await lockConfig(tx, { id: configId });
      if (!config || config.version !== version || !from.includes(config.status)) return undefined;
      await change(tx, config, this.clock.now());
      await this.directory.publish(tx, config.clientId);
      return config.clientId;
    });
    if (clientId === undefined) return false;
    this.directory.forget(clientId);
    this.committed(clientId);
    return true;
  }

  /** For a step of the tenant's that left `error`: the alert is over. In the caller's transaction, after the step. */
  async tellLeftError(tx: Transaction, config: ProviderConfigEntity, occurredAt = this.clock.now()): Promise<void> {
    // One that is decommissioned did not recover; its alert is over all the same.
    if (config.status === 'active') await this.tell(tx, config, 'config.recovered', occurredAt);
    await this.alerts.clear(tx, { clientId: config.clientId, alert: 'config_error', subject: config.id, occurredAt });
  }

  private async tell(
    tx: Transaction,
    config: ProviderConfigEntity,
    type: NewEvent['type'],
    occurredAt: number,
  ): Promise<void> {
    await this.events.insert(tx, [{ clientId: config.clientId, type, occurredAt, data: configEvent(config) }]);
  }

  /** Call after the commit of a change that may have written events. */
  committed(clientId: string): void {
    this.events.signal.committed([clientId]);
  }
}

function enterError(config: ProviderConfigEntity, fault: ConfigFault, now: Date): void {
  config.status = 'error';
  config.lastError = fault;
  config.errorSince = now;
  config.errorVersion = config.version;
  config.updatedAt = now;
}

/** `last_error` stays, so that the tenant can still read what it was. */
export function leaveError(config: ProviderConfigEntity, to: ConfigStatus, now: Date): void {
  config.status = to;
  config.errorSince = null;
  config.errorVersion = null;
  config.updatedAt = now;
}

function configEvent(config: ProviderConfigEntity): object {
  return {
    config_id: config.id,
    gateway: config.provider,
    channel: config.channel,
    display_name: config.displayName,
    status: config.status,
    error: config.status === 'error' && config.lastError ? faultView(config.lastError) : null,
  };
}

/** As it is shown. */
export function faultView(fault: ConfigFault): { code: string; message: string; provider_code: string | null } {
  return { code: fault.code, message: fault.message, provider_code: fault.providerCode ?? null };
}
