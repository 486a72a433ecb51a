import { Injectable } from '@nestjs/common';
import { ConfigDirectory, type CallbackConfig } from '../../gateway/configs/config-directory';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { isStorableId } from '../../kernel/storable-text';
import { Database } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';

const MOST_IDS = 100;

/** Finds whose secrets may prove a callback. What it goes by is not proved itself, so it decides nothing else. */
@Injectable()
export class CallbackConfigs {
  constructor(
    private readonly directory: ConfigDirectory,
    private readonly database: Database,
  ) {}

  /** The config that the URL names. */
  async byId(definition: ProviderDefinition, configId: string): Promise<CallbackConfig[]> {
    const cached = this.directory.findForCallbackSync(definition.slug, configId);
    return cached ? [cached] : this.directory.findForCallback(definition.slug, { configId });
  }

  /** The configs of the account, or of the messages, that the payload claims to be about. */
  async locate(
    definition: ProviderDefinition,
    claim: { account?: string; externalIds?: string[] },
  ): Promise<CallbackConfig[]> {
    if (claim.account !== undefined) return this.directory.findForCallback(definition.slug, { account: claim.account });
    const externalIds = claim.externalIds?.slice(0, MOST_IDS).filter(isStorableId) ?? [];
    if (externalIds.length === 0) return [];
    const rows = await this.database.query<{ config_id: string }>(
      // Config by config, as the index goes: anybody can make us ask this, so it must not read the whole table.
      `SELECT DISTINCT x.config_id FROM provider_configs c
       JOIN external_ids x ON x.config_id = c.id AND x.external_id = ANY($2::text[])
       WHERE c.provider = $1 LIMIT 20`,
      [definition.key, textArray(externalIds)],
    );
    const found = await Promise.all(rows.map((row) => this.byId(definition, row.config_id)));
    return found.flat();
  }
}
