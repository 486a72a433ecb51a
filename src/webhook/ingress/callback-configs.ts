import { Injectable } from '@nestjs/common';
import { ConfigDirectory, type CallbackConfig } from '../../gateway/configs/config-directory';
import { accountFingerprint } from '../../gateway/configs/config-secrets';
import type { CallbackClaim } from '../../gateway/contracts/callback';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { isStorableId } from '../../kernel/storable-text';
import { inboundAddress } from '../../messaging/inbound/inbound-address';
import { Database } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';

const MOST_IDS = 100;
/** Configs of one provider that a question without a config id is put to: those that were changed last, one of which is being set up. */
const MOST_ASKED = 200;
const MOST_LOCATED = 20;

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
  async locate(definition: ProviderDefinition, claim: CallbackClaim): Promise<CallbackConfig[]> {
    if (claim.account !== undefined) return this.directory.findForCallback(definition.slug, { account: claim.account });
    if (claim.credential !== undefined) return this.byIds(definition, await this.idsBy(definition, claim.credential));
    if (claim.recipient !== undefined)
      return this.byIds(definition, await this.idsByNumber(definition, claim.recipient));
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

  /** Whether a payload is about this config's account. One that names no account may be about any. */
  isOf({ config }: CallbackConfig, { account, credential }: CallbackClaim): boolean {
    if (account !== undefined) return config.accountFingerprint === accountFingerprint(account);
    return credential === undefined || config.credentials[credential.name] === credential.value;
  }

  /** Whether there is a config of the account that a payload is about, also one whose secrets do not resolve right now. */
  async hasOwner(definition: ProviderDefinition, { account, credential }: CallbackClaim): Promise<boolean> {
    if (account === undefined) return credential !== undefined && (await this.idsBy(definition, credential)).length > 0;
    const rows = await this.database.query(
      'SELECT 1 FROM provider_configs WHERE provider = $1 AND account_fingerprint = $2 LIMIT 1',
      [definition.key, accountFingerprint(account)],
    );
    return rows.length > 0;
  }

  /** The configs of a provider that were changed last, for a question that says nothing of whose it is. */
  async newest(definition: ProviderDefinition): Promise<CallbackConfig[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM provider_configs WHERE provider = $1 AND status <> 'decommissioned' ORDER BY updated_at DESC LIMIT $2`,
      [definition.key, MOST_ASKED],
    );
    return this.byIds(definition, rows);
  }

  private async idsBy(
    definition: ProviderDefinition,
    { name, value }: { name: string; value: string },
  ): Promise<Array<{ id: string }>> {
    if (!isStorableId(value)) return [];
    return this.database.query<{ id: string }>(
      'SELECT id FROM provider_configs WHERE provider = $1 AND credentials ->> $2 = $3 ORDER BY id LIMIT $4',
      [definition.key, name, value, MOST_LOCATED],
    );
  }

  /** The configs of the tenant that has the number, or the one that the number names. */
  private async idsByNumber(definition: ProviderDefinition, recipient: string): Promise<Array<{ id: string }>> {
    const number = inboundAddress(definition.channel, recipient);
    if (!isStorableId(number)) return [];
    return this.database.query<{ id: string }>(
      `SELECT c.id FROM numbers n JOIN provider_configs c ON c.client_id = n.client_id AND c.provider = n.provider
       WHERE n.number = $2 AND n.channel = $3 AND n.provider = $1 AND (n.config_id IS NULL OR n.config_id = c.id) ORDER BY c.id LIMIT $4`,
      [definition.key, number, definition.channel, MOST_LOCATED],
    );
  }

  private async byIds(definition: ProviderDefinition, rows: ReadonlyArray<{ id: string }>): Promise<CallbackConfig[]> {
    const found = await Promise.all(rows.map(({ id }) => this.byId(definition, id)));
    return found.flat();
  }
}
