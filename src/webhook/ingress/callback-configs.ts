import { Injectable } from '@nestjs/common';
import { ConfigDirectory, type CallbackConfig } from '../../gateway/configs/config-directory';
import { accountFingerprint } from '../../gateway/configs/config-secrets';
import type { CallbackClaim, CallbackDefinition } from '../../gateway/contracts/callback';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { Problem } from '../../kernel/problem';
import { messageIdTime } from '../../kernel/ids';
import { isStorableId } from '../../kernel/storable-text';
import { inboundAddress } from '../../messaging/inbound/inbound-address';
import { Database } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';

/** Ids of a payload that are looked up, and configs of its provider that they are looked for in: anybody can make us ask. */
const MOST_IDS = 10;
const MOST_SEARCHED = 2_000;
/** Configs of one provider that a question without a config id is put to: those that were changed last, one of which is being set up. */
const MOST_ASKED = 200;
const MOST_LOCATED = 20;
/** Bytes that are hashed, and configs that are tried, to find out who signed a callback that says nothing of whose it is. */
const MOST_HASHED = 4 * 1024 * 1024;
const MOST_SIGNERS = 50;

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

  /** The configs of the account, of the number or of the messages that the payload claims to be about: of the first of them that we know. */
  async locate(
    definition: ProviderDefinition,
    { unaddressed }: CallbackDefinition,
    claim: CallbackClaim,
  ): Promise<CallbackConfig[]> {
    const { account, credential, recipient, messageIds, externalIds } = claim;
    if (account !== undefined) {
      const found = await this.directory.findForCallback(definition.slug, { account });
      if (found.length > 0 || !unaddressed) return found;
    }
    const ways = [
      credential && (() => this.idsBy(definition, credential)),
      recipient !== undefined && (() => this.idsByNumber(definition, recipient)),
      messageIds && (() => this.idsByMessages(messageIds)),
      externalIds && (() => this.idsByExternalIds(definition, externalIds)),
    ];
    for (const way of ways) {
      const found = way ? await this.byIds(definition, await way()) : [];
      if (found.length > 0) return found;
    }
    return [];
  }

  /**
   * Of configs that all prove a callback (of one account, or with one secret) the one that it is for: that of the messages it is about, or of the
   * tenant that has the number it came to; else an active one, the newest, and a decommissioned one last.
   */
  async rightful(
    definition: ProviderDefinition,
    { externalIds, recipient }: CallbackClaim,
    proved: readonly CallbackConfig[],
  ): Promise<CallbackConfig> {
    const ids = textArray(proved.map(({ config }) => config.id));
    const senders = externalIds
      ? await this.database.query<{ id: string }>(
          'SELECT DISTINCT config_id AS id FROM external_ids WHERE config_id = ANY($1::text[]) AND external_id = ANY($2::text[])',
          [ids, textArray(firstOf(externalIds))],
        )
      : [];
    const receivers = recipient === undefined ? [] : await this.idsByNumber(definition, recipient, ids);
    const merit = ({ config: { id, status } }: CallbackConfig): number =>
      8 * Number(senders.some((row) => row.id === id)) +
      4 * Number(receivers.some((row) => row.id === id)) +
      (status === 'active' ? 2 : status === 'decommissioned' ? 0 : 1);
    return [...proved].sort(
      (a, b) => merit(b) - merit(a) || b.config.createdAt.getTime() - a.config.createdAt.getTime(),
    )[0]!;
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

  /**
   * The configs of a provider that were changed last, for a question that says nothing of whose it is; without those whose secrets cannot be read right
   * now, which must not keep it from the others.
   */
  async newest(definition: ProviderDefinition, most = MOST_ASKED): Promise<CallbackConfig[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM provider_configs WHERE provider = $1 AND status <> 'decommissioned' ORDER BY updated_at DESC LIMIT $2`,
      [definition.key, most],
    );
    const found = await Promise.allSettled(rows.map(({ id }) => this.byId(definition, id)));
    return found.flatMap((one) => {
      if (one.status === 'fulfilled') return one.value;
      if (one.reason instanceof Problem) return [];
      throw one.reason;
    });
  }

  /** As {@link newest}, for a callback that says nothing of whose it is: so many that a stranger's long body is not hashed for each of them. */
  async possible(
    definition: ProviderDefinition,
    { authentication }: CallbackDefinition,
    bytes: number,
  ): Promise<CallbackConfig[]> {
    if (authentication !== 'signature') return this.newest(definition);
    return this.newest(definition, Math.min(MOST_SIGNERS, Math.max(1, Math.floor(MOST_HASHED / (bytes + 1)))));
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

  /** The configs of the tenants that have the number, or the one that a number names. @param among array of the ids that are looked at; null: all */
  private async idsByNumber(
    definition: ProviderDefinition,
    recipient: string,
    among: string | null = null,
  ): Promise<Array<{ id: string }>> {
    const number = inboundAddress(definition.channel, recipient);
    if (!isStorableId(number)) return [];
    return this.database.query<{ id: string }>(
      `SELECT c.id FROM numbers n JOIN provider_configs c ON c.client_id = n.client_id AND c.provider = n.provider
       WHERE n.number = $2 AND n.channel = $3 AND n.provider = $1 AND (n.config_id IS NULL OR n.config_id = c.id)
         AND ($5::text[] IS NULL OR c.id = ANY ($5))
       ORDER BY c.status = 'active' DESC, c.id DESC LIMIT $4`,
      [definition.key, number, definition.channel, MOST_LOCATED, among],
    );
  }

  private async idsByMessages(messageIds: readonly string[]): Promise<Array<{ id: string }>> {
    const ids = firstOf(messageIds).filter((id) => messageIdTime(id) !== null);
    if (ids.length === 0) return [];
    return this.database.query<{ id: string }>(
      `SELECT DISTINCT m.config_id AS id FROM unnest($1::text[], $2::float8[]) AS i(id, at)
       JOIN messages m ON m.id = i.id AND m.created_at = to_timestamp(i.at / 1000.0) WHERE m.config_id IS NOT NULL`,
      [textArray(ids), plainArray(ids.map(messageIdTime))],
    );
  }

  private async idsByExternalIds(
    definition: ProviderDefinition,
    externalIds: readonly string[],
  ): Promise<Array<{ id: string }>> {
    const ids = firstOf(externalIds);
    if (ids.length === 0) return [];
    return this.database.query<{ id: string }>(
      // Config by config, as the index goes: it must not read the whole table.
      `SELECT DISTINCT x.config_id AS id FROM (SELECT id FROM provider_configs WHERE provider = $1 ORDER BY id DESC LIMIT $3) c
       JOIN external_ids x ON x.config_id = c.id AND x.external_id = ANY($2::text[]) LIMIT $4`,
      [definition.key, textArray(ids), MOST_SEARCHED, MOST_LOCATED],
    );
  }

  private async byIds(definition: ProviderDefinition, rows: ReadonlyArray<{ id: string }>): Promise<CallbackConfig[]> {
    const found = await Promise.all(rows.map(({ id }) => this.byId(definition, id)));
    return found.flat();
  }
}

/** The ids of a payload that are looked up. */
function firstOf(ids: readonly string[]): string[] {
  return ids.filter(isStorableId).slice(0, MOST_IDS);
}
