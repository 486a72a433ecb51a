import { Injectable } from '@nestjs/common';
import type { Transaction } from '../../platform/database/database';
import { tenantSettings, type TenantSettings } from '../tenant-settings';

/** Acts on a change of a tenant's settings, in its transaction. */
export type SettingsListener = (
  tx: Transaction,
  clientId: string,
  before: TenantSettings,
  after: TenantSettings,
) => Promise<void>;

/** Where upper layers say that they must act on a change of settings; whoever changes them knows none of these. */
@Injectable()
export class SettingsListeners {
  private readonly listeners: SettingsListener[] = [];

  add(listener: SettingsListener): void {
    this.listeners.push(listener);
  }

  async changed(
    tx: Transaction,
    clientId: string,
    before: Readonly<Record<string, unknown>>,
    after: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    for (const listener of this.listeners) await listener(tx, clientId, tenantSettings(before), tenantSettings(after));
  }
}
