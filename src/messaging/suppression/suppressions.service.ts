import { Injectable } from '@nestjs/common';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { Problem } from '../../kernel/problem';
import { ChangeFeed } from '../../platform/database/change-feed';
import { Database } from '../../platform/database/database';
import { ERASED_PREFIX, PersonHashes } from '../../tenancy/person-hashes';
import {
  LONGEST_DETAIL,
  SUPPRESSION_REASONS,
  suppressedAddress,
  type NewSuppression,
  type SuppressionReason,
  type SuppressionSource,
} from './suppression';
import { CsvBroken, csvLines, parseCsv, readCsv, withoutFormulaMark, type CsvRecord } from './suppression-csv';
import { SuppressionDirectory } from './suppression-directory';
import { distinctSuppressions, ENTER, SUPPRESSIONS_CHANGED, suppressionParameters } from './suppression-statements';
import type { SuppressionImportView, SuppressionRefusalView, SuppressionView } from './suppression.view';

interface Row {
  id: string;
  channel: string;
  recipient: string;
  reason: string;
  source: string;
  detail: string | null;
  message_id: string | null;
  created_at: Date;
}

export interface SuppressionFilter {
  channel?: Channel;
  recipient?: string;
  reason?: SuppressionReason;
}

const COLUMNS = 'id, channel, recipient, reason, source, detail, message_id, created_at';
const CSV_COLUMNS = ['channel', 'recipient', 'reason', 'source', 'detail', 'created_at'] as const;
/** Rows of one statement. */
const CHUNK = 1_000;
/** More entries than this are told of as "many". */
const TOLD_ONE_BY_ONE = 100;
const SHOWN_ERRORS = 100;

/** A line of an import, before anything of it is known to be right. */
interface Line {
  line: number;
  channel?: unknown;
  recipient?: unknown;
  reason?: unknown;
  detail?: unknown;
}

/** The list as its tenant keeps it. */
@Injectable()
export class SuppressionsService {
  constructor(
    private readonly database: Database,
    private readonly directory: SuppressionDirectory,
    private readonly feed: ChangeFeed,
    private readonly hashes: PersonHashes,
  ) {}

  /** Newest first. `before`: the last id of the page before. */
  async list(
    clientId: string,
    filter: SuppressionFilter,
    before: string | null,
    limit: number,
  ): Promise<SuppressionView[]> {
    const spelled =
      filter.recipient === undefined ? [] : await this.allSpellings(clientId, filter.channel, filter.recipient);
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<Row>(
        `SELECT ${COLUMNS} FROM suppressions
         WHERE client_id = $1 AND ($2::text IS NULL OR channel = $2) AND ($3::text IS NULL OR recipient = ANY($4::text[]))
           AND ($5::text IS NULL OR reason = $5) AND ($6::text IS NULL OR id < $6)
         ORDER BY id DESC LIMIT $7`,
        [clientId, filter.channel ?? null, filter.recipient ?? null, spelled, filter.reason ?? null, before, limit],
      ),
    );
    return rows.map(viewOf);
  }

  /** The whole list as CSV, read piece by piece. */
  async *csv(clientId: string, filter: SuppressionFilter): AsyncGenerator<string> {
    yield csvLines([CSV_COLUMNS]);
    for (let before: string | null = null; ;) {
      const views: SuppressionView[] = await this.list(clientId, filter, before, CHUNK);
      if (views.length > 0) yield csvLines(views.map((view) => CSV_COLUMNS.map((column) => view[column])));
      if (views.length < CHUNK) return;
      before = views.at(-1)!.id;
    }
  }

  /** Enters one recipient; who is on the list gets the new reason. @throws Problem naming the field */
  async enter(clientId: string, entry: Omit<Line, 'line'>): Promise<{ created: boolean; view: SuppressionView }> {
    const read = readLine(clientId, { line: 1, ...entry }, 'api');
    if ('code' in read) throw Problem.field(read.field, read.code, read.message);
    const [row] = await this.write(clientId, [read]);
    return { created: row!.created, view: viewOf(row!) };
  }

  /** Enters many; a wrong one does not keep the others off the list. */
  async enterMany(clientId: string, entries: readonly unknown[]): Promise<SuppressionImportView> {
    return this.enterLines(
      clientId,
      entries.map((entry, index) => ({
        ...(typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : {}),
        line: index + 1,
      })),
      'api',
    );
  }

  /** @throws Problem when the first line does not name the columns, or a line cannot be read */
  async import(clientId: string, csv: string): Promise<SuppressionImportView> {
    let records: CsvRecord[];
    try {
      records = parseCsv(csv);
    } catch (error) {
      if (!(error instanceof CsvBroken)) throw error;
      throw Problem.field('csv', 'invalid_csv', `line ${error.line} ${error.message}`);
    }
    const [head, ...rest] = records;
    const columns = columnsOf(head);
    return this.enterLines(
      clientId,
      rest.map((record) => lineOf(record, columns)),
      'import',
    );
  }

  /**
   * As {@link import}, of any length, in pieces: what is read is entered, whatever comes behind it. A line that cannot be read ends it and is the last of
   * the errors.
   * @throws Problem when the first line does not name the columns
   */
  async importStream(clientId: string, bytes: AsyncIterable<Buffer>): Promise<SuppressionImportView> {
    const total: SuppressionImportView = { created: 0, updated: 0, rejected: 0, errors: [] };
    const add = (part: SuppressionImportView) => {
      total.created += part.created;
      total.updated += part.updated;
      total.rejected += part.rejected;
      total.errors.push(...part.errors.slice(0, SHOWN_ERRORS - total.errors.length));
    };
    let columns: string[] | undefined;
    let refused: Problem | undefined;
    let lines: Line[] = [];
    const flush = async () => {
      const piece = lines;
      lines = [];
      if (piece.length > 0) add(await this.enterLines(clientId, piece, 'import'));
    };
    try {
      for await (const record of readCsv(bytes)) {
        if (refused !== undefined) continue;
        if (columns === undefined) {
          try {
            columns = columnsOf(record);
          } catch (error) {
            refused = error as Problem;
          }
          continue;
        }
        lines.push(lineOf(record, columns));
        if (lines.length === CHUNK) await flush();
      }
      await flush();
    } catch (error) {
      if (!(error instanceof CsvBroken)) throw error;
      await flush();
      const message = `line ${error.line} ${error.message}; nothing behind it was read`;
      if (columns === undefined) refused ??= Problem.field('csv', 'invalid_csv', message);
      add({
        created: 0,
        updated: 0,
        rejected: 1,
        errors: [{ line: error.line, field: 'csv', code: 'invalid_csv', message: `csv ${message}` }],
      });
    }
    if (refused === undefined && columns === undefined) columnsOf(undefined);
    if (refused !== undefined) throw refused;
    return total;
  }

  /** @throws Problem not_found */
  async remove(clientId: string, by: { id: string } | { channel: Channel; recipient: string }): Promise<string> {
    const [column, values] =
      'id' in by
        ? ['id = $2', [by.id]]
        : [
            'channel = $2 AND recipient = ANY($3::text[])',
            [by.channel, await this.allSpellings(clientId, by.channel, by.recipient)],
          ];
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<{ id: string }>(`DELETE FROM suppressions WHERE client_id = $1 AND ${column as string} RETURNING id`, [
        clientId,
        ...(values as unknown[]),
      ]),
    );
    // No cache to tell: what a filter holds is asked of the table.
    if (rows.length === 0) throw Problem.notFound('suppression');
    return rows[0]!.id;
  }

  /** How an entry may be spelt that a request names, that of a person who was erased included. */
  private async allSpellings(clientId: string, channel: Channel | undefined, recipient: string): Promise<string[]> {
    const known = spellings(channel, recipient);
    const hash = await this.hashes.known(clientId);
    // As it is shown.
    const shown = recipient.startsWith(ERASED_PREFIX) ? [recipient] : [];
    return [...known, ...shown, ...(hash ? known.map(hash) : [])];
  }

  private async enterLines(
    clientId: string,
    lines: readonly Line[],
    source: SuppressionSource,
  ): Promise<SuppressionImportView> {
    const errors: SuppressionRefusalView[] = [];
    const entries: NewSuppression[] = [];
    for (const line of lines) {
      const read = readLine(clientId, line, source);
      if ('code' in read) errors.push(read);
      else entries.push(read);
    }
    const rows = entries.length > 0 ? await this.write(clientId, entries) : [];
    const created = rows.filter((row) => row.created).length;
    return {
      created,
      updated: rows.length - created,
      rejected: errors.length,
      errors: errors.slice(0, SHOWN_ERRORS),
    };
  }

  private async write(
    clientId: string,
    entries: readonly NewSuppression[],
  ): Promise<Array<Row & { created: boolean }>> {
    const distinct = distinctSuppressions(entries);
    const many = distinct.length > TOLD_ONE_BY_ONE;
    const written = await this.database.tenant(clientId, async (tx) => {
      const rows: Array<Row & { created: boolean }> = [];
      for (let at = 0; at < distinct.length; at += CHUNK)
        rows.push(
          ...(await tx.query<Row & { created: boolean }>(ENTER, suppressionParameters(distinct.slice(at, at + CHUNK)))),
        );
      if (many) await this.feed.publish(tx, SUPPRESSIONS_CHANGED, clientId);
      else
        for (const { channel, recipient } of distinct)
          await this.feed.publish(tx, SUPPRESSIONS_CHANGED, `${clientId}/${channel}/${recipient}`);
      return rows;
    });
    if (many) this.directory.forget(clientId);
    else for (const { channel, recipient } of distinct) this.directory.added(clientId, channel, recipient);
    return written;
  }
}

/** @throws Problem for a first line without the columns that must be there */
function columnsOf(head: CsvRecord | undefined): string[] {
  const columns = (head?.fields ?? []).map((name) => name.trim().toLowerCase());
  for (const name of ['channel', 'recipient'])
    if (!columns.includes(name))
      throw Problem.field('csv', 'missing_column', `has no column ${name} in its first line`);
  return columns;
}

function lineOf({ line, fields }: CsvRecord, columns: readonly string[]): Line {
  const value = (name: string) => withoutFormulaMark(fields[columns.indexOf(name)]?.trim() ?? '') || undefined;
  const [channel, recipient, reason, detail] = ['channel', 'recipient', 'reason', 'detail'].map(value);
  return { line, channel, recipient, reason, detail };
}

/** How an entry may be spelt that a request names; a recipient without channel may be one of several kinds. */
function spellings(channel: Channel | undefined, recipient: string): string[] {
  const channels = channel === undefined ? CHANNELS : [channel];
  return [...new Set(channels.flatMap((one) => suppressedAddress(one, recipient) ?? []))];
}

function readLine(clientId: string, entry: Line, source: SuppressionSource): NewSuppression | SuppressionRefusalView {
  const { line, channel, recipient, reason } = entry;
  const refusal = (field: string, code: string, message: string) => ({
    line,
    field,
    code,
    message: `${field} ${message}`,
  });
  const known = new Set(['line', 'channel', 'recipient', 'reason', 'detail']);
  const unknown = Object.keys(entry).find((name) => !known.has(name));
  if (unknown !== undefined) return refusal(unknown.slice(0, 64), 'unknown_field', 'is not a known field');
  if (channel === undefined) return refusal('channel', 'required', 'is required');
  if (!CHANNELS.includes(channel as Channel))
    return refusal('channel', 'invalid_value', `must be one of ${CHANNELS.join(', ')}`);
  if (typeof recipient !== 'string') return refusal('recipient', 'required', 'is required');
  const address = suppressedAddress(channel as Channel, recipient);
  if (address === null || /\p{Cc}/u.test(address))
    return refusal('recipient', 'invalid_recipient', `is no recipient of the channel ${channel as string}`);
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > LONGEST_DETAIL))
    return refusal('reason', 'too_long', `must be a text of at most ${LONGEST_DETAIL} characters`);
  if (entry.detail !== undefined && (typeof entry.detail !== 'string' || entry.detail.length > LONGEST_DETAIL))
    return refusal('detail', 'too_long', `must be a text of at most ${LONGEST_DETAIL} characters`);
  const isKnown = reason === undefined || SUPPRESSION_REASONS.includes(reason as SuppressionReason);
  // Other services have other words; who imports their lists keeps them.
  const detail = isKnown
    ? entry.detail
    : [reason, entry.detail].filter(Boolean).join(': ').slice(0, LONGEST_DETAIL).toWellFormed();
  // As a decoder leaves what is not UTF-8; and what PostgreSQL cannot keep.
  if ([address, detail].some((text) => text?.includes('\ufffd') || text?.includes('\0')))
    return refusal(entry.detail === undefined ? 'recipient' : 'detail', 'invalid_encoding', 'is not a text in UTF-8');
  return {
    clientId,
    channel: channel as Channel,
    recipient: address,
    reason: isKnown && reason !== undefined ? (reason as SuppressionReason) : 'manual',
    source,
    detail: detail ?? null,
  };
}

function viewOf(row: Row): SuppressionView {
  return {
    id: row.id,
    channel: row.channel,
    recipient: row.recipient,
    reason: row.reason,
    source: row.source,
    detail: row.detail,
    message_id: row.message_id,
    created_at: row.created_at.toISOString(),
  };
}
