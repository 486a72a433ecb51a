import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { ConfigDirectory } from '../../gateway/configs/config-directory';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { inboundAddress } from '../../messaging/inbound/inbound-address';
import { isPhoneChannel } from '../../messaging/suppression/suppression';
import { isPossiblePhoneNumber } from '../../kernel/phone-number';
import { Database, type Transaction } from '../../platform/database/database';
import { SsrfGuard } from '../../platform/http-client/ssrf-guard';
import { NUMBER_COLUMNS, type NumberReceiverRow, type NumberRow } from './number.rows';
import {
  addReceivers,
  changeReceiver,
  planReceivers,
  readReceivers,
  receiversOf,
  removeReceivers,
} from './number-receivers';
import type { CreateNumberDto, UpdateNumberDto } from './numbers.dto';

/** A number with who is told of its messages. */
export interface NumberWithReceivers {
  row: NumberRow;
  receivers: NumberReceiverRow[];
}

export interface NumberFilter {
  number?: string;
  channel?: string;
  provider?: string;
  /** Id of the last one of the page before. */
  before?: string;
  limit: number;
}

/** Of a tenant. */
const MOST_NUMBERS = 10_000;

const SHORT_CODE = /^\d{3,8}$/;
const SENDER_NAME = /^(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}$/;
const BOT = /^(?:\d{5,20}|@?[A-Za-z]\w{3,31})$/;

/** The numbers of tenants. */
@Injectable()
export class NumbersService {
  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly configs: ConfigDirectory,
    private readonly guard: SsrfGuard,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws Problem 400 naming the field; conflict when the tenant has the number already, or too many */
  async create(clientId: string, body: CreateNumberDto): Promise<NumberWithReceivers> {
    const definition = this.providerOf(body.provider);
    const number = numberOf(definition, body.number);
    const configId = await this.configOf(clientId, definition, body.config_id ?? null);
    const wanted = await readReceivers(this.guard, body.delivery, false);
    // Whether others have the number as well is neither asked nor told: messages go by the account that proves them.
    return this.database.tenant(clientId, async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('numbers:' || $1, 0))`, [clientId]);
      const [had] = await tx.query<{ taken: boolean; count: number }>(
        `SELECT EXISTS (SELECT 1 FROM numbers WHERE client_id = $1 AND number = $2 AND channel = $3) AS taken,
           (SELECT count(*)::int FROM numbers WHERE client_id = $1) AS count`,
        [clientId, number, definition.channel],
      );
      if (had!.taken) throw new Problem('conflict', `You have this number already, for ${definition.channel}.`);
      if (had!.count >= MOST_NUMBERS) throw new Problem('conflict', `A tenant has at most ${MOST_NUMBERS} numbers.`);
      await this.expectFree(tx, clientId, definition, configId, null);
      const [row] = await tx.query<NumberRow>(
        `INSERT INTO numbers AS n (id, client_id, number, channel, provider, config_id, description, timeout_seconds, retry_delay_seconds, max_attempts,
           created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now(), now()) RETURNING ${NUMBER_COLUMNS}`,
        [
          newId('number'),
          clientId,
          number,
          definition.channel,
          definition.key,
          configId,
          body.description ?? null,
          body.timeout_seconds ?? 30,
          body.retry_delay_seconds ?? 900,
          body.max_attempts ?? 3,
        ],
      );
      await addReceivers(tx, row!, wanted);
      return { row: row!, receivers: await receiversOf(tx, [row!.id]) };
    });
  }

  /** Newest first. */
  async list(clientId: string, filter: NumberFilter): Promise<NumberWithReceivers[]> {
    const provider = filter.provider === undefined ? null : (this.registry.find(filter.provider)?.key ?? '');
    return this.database.tenant(clientId, async (tx) => {
      const rows = await tx.query<NumberRow>(
        `SELECT ${NUMBER_COLUMNS} FROM numbers n
         WHERE n.client_id = $1 AND ($2::text IS NULL OR n.id < $2) AND ($3::text[] IS NULL OR n.number = ANY ($3)) AND ($4::text IS NULL OR n.channel = $4)
           AND ($5::text IS NULL OR n.provider = $5)
         ORDER BY n.id DESC LIMIT $6`,
        [
          clientId,
          filter.before ?? null,
          filter.number === undefined ? null : spellings(filter.number),
          filter.channel ?? null,
          provider,
          filter.limit,
        ],
      );
      const receivers = await receiversOf(
        tx,
        rows.map((row) => row.id),
      );
      return rows.map((row) => ({ row, receivers: receivers.filter((one) => one.number_id === row.id) }));
    });
  }

  /** @throws Problem not_found */
  async get(clientId: string, id: string): Promise<NumberWithReceivers> {
    return this.database.tenant(clientId, async (tx) => {
      const row = await this.find(tx, clientId, id, '');
      return { row, receivers: await receiversOf(tx, [id]) };
    });
  }

  /** @throws Problem not_found, 400 naming the field */
  async update(clientId: string, id: string, changes: UpdateNumberDto): Promise<NumberWithReceivers> {
    const { row: before } = await this.get(clientId, id);
    const definition = this.providerOf(changes.provider ?? before.provider);
    if (definition.channel !== before.channel)
      throw Problem.field('provider', 'wrong_channel', `must be a provider for ${before.channel}`);
    const moved = definition.key !== before.provider;
    const configId =
      changes.config_id === undefined && !moved
        ? before.config_id
        : await this.configOf(clientId, definition, changes.config_id ?? null);
    const wanted = changes.delivery && (await readReceivers(this.guard, changes.delivery, true));
    return this.database.tenant(clientId, async (tx) => {
      const old = await this.find(tx, clientId, id, 'FOR UPDATE');
      await this.expectFree(tx, clientId, definition, configId, id);
      const [row] = await tx.query<NumberRow>(
        `UPDATE numbers n SET provider = $3, config_id = $4, description = $5, timeout_seconds = $6, retry_delay_seconds = $7, max_attempts = $8,
           updated_at = clock_timestamp() WHERE n.client_id = $1 AND n.id = $2 RETURNING ${NUMBER_COLUMNS}`,
        [
          clientId,
          id,
          definition.key,
          configId,
          changes.description === undefined ? old.description : changes.description,
          changes.timeout_seconds ?? old.timeout_seconds,
          changes.retry_delay_seconds ?? old.retry_delay_seconds,
          changes.max_attempts ?? old.max_attempts,
        ],
      );
      if (wanted) {
        const plan = planReceivers(await receiversOf(tx, [id], 'FOR UPDATE'), wanted);
        for (const { row: receiver, to } of plan.change) await changeReceiver(tx, receiver.id, to);
        await removeReceivers(
          tx,
          clientId,
          plan.remove.map((receiver) => receiver.id),
          this.clock.now(),
        );
        await addReceivers(tx, row!, plan.add);
      }
      return { row: row!, receivers: await receiversOf(tx, [id]) };
    });
  }

  /** Its messages stay, and can be read. @throws Problem not_found */
  async delete(clientId: string, id: string): Promise<void> {
    await this.database.tenant(clientId, async (tx) => {
      await this.find(tx, clientId, id, 'FOR UPDATE');
      const receivers = await receiversOf(tx, [id], 'FOR UPDATE');
      await removeReceivers(
        tx,
        clientId,
        receivers.map((receiver) => receiver.id),
        this.clock.now(),
      );
      await tx.execute('DELETE FROM numbers WHERE client_id = $1 AND id = $2', [clientId, id]);
    });
  }

  private async find(tx: Transaction, clientId: string, id: string, lock: '' | 'FOR UPDATE'): Promise<NumberRow> {
    const [row] = await tx.query<NumberRow>(
      `SELECT ${NUMBER_COLUMNS} FROM numbers n WHERE n.client_id = $1 AND n.id = $2 ${lock}`,
      [clientId, id],
    );
    if (row === undefined) throw Problem.notFound('number');
    return row;
  }

  private providerOf(name: string): ProviderDefinition {
    const definition = this.registry.find(name);
    if (definition?.capabilities.inbound) return definition;
    const known = this.registry.all().filter(({ capabilities }) => capabilities.inbound);
    const names = known.map(({ key }) => key).join(', ');
    throw Problem.field('provider', 'unknown_provider', `must be one that people can write to: ${names}`);
  }

  /** The config that messages must come by. Where messages do not say whom they are to, only the config tells it. */
  private async configOf(
    clientId: string,
    definition: ProviderDefinition,
    given: string | null,
  ): Promise<string | null> {
    const snapshot = await this.configs.snapshot(clientId);
    if (given !== null) {
      const config = snapshot.config(given);
      if (config?.provider !== definition.key || config.status === 'decommissioned')
        throw Problem.field('config_id', 'unknown_config', `is no config of yours for ${definition.title}`);
      return given;
    }
    if (isPhoneChannel(definition.channel)) return null;
    const all = [...snapshot.allConfigs()].filter(
      ({ provider, status }) => provider === definition.key && status !== 'decommissioned',
    );
    if (all.length !== 1)
      throw Problem.field('config_id', 'required', `is required: you have ${all.length} configs for it`);
    return all[0]!.id;
  }

  /** A bot is one number, whatever it is called. */
  private async expectFree(
    tx: Transaction,
    clientId: string,
    definition: ProviderDefinition,
    configId: string | null,
    id: string | null,
  ): Promise<void> {
    if (configId === null || isPhoneChannel(definition.channel)) return;
    const rows = await tx.query(
      'SELECT 1 FROM numbers WHERE client_id = $1 AND config_id = $2 AND id IS DISTINCT FROM $3',
      [clientId, configId, id],
    );
    if (rows.length > 0) throw new Problem('conflict', 'This config has its number already.');
  }
}

/** The number in its one spelling. @throws Problem 400 */
function numberOf({ channel }: ProviderDefinition, text: string): string {
  const number = inboundAddress(channel, text);
  if (!isPhoneChannel(channel)) {
    if (BOT.test(number)) return number.replace('@', '');
    throw Problem.field('number', 'invalid_number', 'must be the name or the id of a bot');
  }
  if (isPossiblePhoneNumber(number) || SHORT_CODE.test(number) || SENDER_NAME.test(number)) return number;
  throw Problem.field('number', 'invalid_phone_number', 'must be an E.164 number or a short code');
}

/** How a number in a query may be written in a row. A `+` that is not escaped comes as a space. */
export function spellings(text: string): string[] {
  return [...new Set([text.trim(), inboundAddress('sms', text), `+${text.trim()}`])];
}
