import type { Clock } from '../../kernel/clock';
import type { Database, Transaction } from '../../platform/database/database';
import type { EventStore, NewEvent } from '../../platform/events/event-store';
import type { ConfigDirectory } from './config-directory';
import type { ConfigFault, ConfigStatus } from './provider-config';
import { lockConfig, updateConfig, type ProviderConfigEntity } from './provider-config.entity';

/** Name of the alert that a config in `error` raises. */
export const CONFIG_ALERT = 'config_error';

/**
 * The steps of a config's life that the service takes by itself: `active → error` when its credentials fail, `error → active` when they
 * work again. Each step is one transition however many attempts report it, and its events are written with it.
 */
export class ConfigLifeCycle {
  constructor(
    private readonly database: Database,
    private readonly events: EventStore,
    private readonly directory: ConfigDirectory,
    private readonly clock: Clock,
  ) {}

  /**
   * Puts an active config into `error`.
   * @param version the one whose credentials failed: a config that was changed meanwhile is left alone
   * @returns whether this call made the step
   */
  async markError(configId: string, version: number, fault: ConfigFault): Promise<boolean> {
    return this.step(configId, version, ['active'], (config, now) => {
      enterError(config, fault, now);
      return [
        { clientId: config.clientId, type: 'config.error', data: configEvent(config) },
        { clientId: config.clientId, type: 'alert.raised', data: alertEvent(config, fault) },
      ];
    });
  }

  /**
   * Takes a config in `error` back to `active`.
   * @param version the one that was found to work
   * @returns whether this call made the step
   */
  async markRecovered(configId: string, version: number): Promise<boolean> {
    return this.step(configId, version, ['error'], (config, now) => {
      leaveError(config, 'active', now);
      return recoveryEvents(config);
    });
  }

  private async step(
    configId: string,
    version: number,
    from: readonly ConfigStatus[],
    change: (config: ProviderConfigEntity, now: Date) => Array<Omit<NewEvent, 'occurredAt'>>,
  ): Promise<boolean> {
    const clientId = await this.database.transaction(async (tx) => {
      const config = await lockConfig(tx, { id: configId });
      if (!config || config.version !== version || !from.includes(config.status)) return undefined;
      const now = this.clock.now();
      const events = change(config, new Date(now));
      await updateConfig(tx, config);
      await this.events.insert(
        tx,
        events.map((event) => ({ ...event, occurredAt: now })),
      );
      await this.directory.publish(tx, config.clientId);
      return config.clientId;
    });
    if (clientId === undefined) return false;
    this.directory.forget(clientId);
    this.committed(clientId);
    return true;
  }

  /** For a step of the tenant's that left `error`: the alert is over. In the caller's transaction, after the step. */
  async tellLeftError(tx: Transaction, config: ProviderConfigEntity): Promise<void> {
    const occurredAt = this.clock.now();
    await this.events.insert(
      tx,
      recoveryEvents(config).map((event) => ({ ...event, occurredAt })),
    );
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

function recoveryEvents(config: ProviderConfigEntity): Array<Omit<NewEvent, 'occurredAt'>> {
  const { clientId } = config;
  const cleared: Omit<NewEvent, 'occurredAt'> = {
    clientId,
    type: 'alert.cleared',
    data: alertEvent(config, config.lastError),
  };
  // One that is decommissioned did not recover; its alert is over all the same.
  if (config.status !== 'active') return [cleared];
  return [{ clientId, type: 'config.recovered', data: configEvent(config) }, cleared];
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

function alertEvent(config: ProviderConfigEntity, fault: ConfigFault | null): object {
  return {
    alert: CONFIG_ALERT,
    // The same while it lasts: the alert that is cleared is the one that was raised.
    subject: config.id,
    config_id: config.id,
    gateway: config.provider,
    channel: config.channel,
    detail: fault?.message ?? '',
  };
}
