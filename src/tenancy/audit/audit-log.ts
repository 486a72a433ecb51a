import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { Database } from '../../platform/database/database';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import type { AuditAction } from './audit-actions';

/** One thing to note. Never holds a secret. */
export interface NewAuditEntry {
  /** Null: it concerns the whole installation. */
  clientId: string | null;
  /** The id of the API key that asked, `operator` for who has the operator's key, `command` for a command of the operator. */
  actor: string;
  action: AuditAction;
  /** Id of what was changed, or of what the secret belongs to. */
  object: string;
  requestId: string | null;
  /** Where the request came from; null for a command. */
  ip: string | null;
  detail?: Readonly<Record<string, unknown>>;
}

export interface AuditEntry extends NewAuditEntry {
  /** `aud_…` */
  id: string;
  at: Date;
}

/** What a list of entries can be narrowed by. */
export interface AuditFilter {
  clientId?: string;
  action?: string;
  actor?: string;
  object?: string;
  /** Milliseconds since the epoch: from this time on. */
  from?: number;
  /** Before this time. */
  to?: number;
  limit: number;
  cursor?: string;
}

interface Row {
  id: string;
  client_id: string | null;
  actor: string;
  action: AuditAction;
  object: string;
  at: Date;
  request_id: string | null;
  ip: string | null;
  detail: Record<string, unknown> | null;
}

const LIST = 'audit';

/** Notes who changed what, and who was shown a secret. Entries are neither changed nor deleted. */
@Injectable()
export class AuditLog {
  constructor(
    private readonly database: Database,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async record(entry: NewAuditEntry): Promise<void> {
    await this.database.execute(
      `INSERT INTO audit_entries (id, client_id, actor, action, object, at, request_id, ip, detail)
       VALUES ($1, $2, $3, $4, $5, to_timestamp($6 / 1000.0), $7, $8, $9)`,
      [
        newId('audit'),
        entry.clientId,
        entry.actor,
        entry.action,
        entry.object,
        this.clock.now(),
        entry.requestId,
        entry.ip,
        entry.detail === undefined ? null : JSON.stringify(entry.detail),
      ],
    );
  }

  /** Newest first. Without a tenant: everybody's. @throws Problem for a cursor of another list */
  async list(filter: AuditFilter): Promise<{ entries: AuditEntry[]; next: string | null }> {
    const conditions: string[] = [];
    const values: unknown[] = [];
    const add = (column: string, value: unknown, comparison = '='): void => {
      if (value === undefined) return;
      values.push(value);
      const parameter = `$${values.length}`;
      conditions.push(`${column} ${comparison} ${column === 'at' ? `to_timestamp(${parameter} / 1000.0)` : parameter}`);
    };
    add('client_id', filter.clientId);
    add('action', filter.action);
    add('actor', filter.actor);
    add('object', filter.object);
    add('at', filter.from, '>=');
    add('at', filter.to, '<');
    if (filter.cursor !== undefined) add('id', decodeCursor(filter.cursor, LIST, 1)[0], '<');
    values.push(filter.limit + 1);
    const sql = `SELECT id, client_id, actor, action, object, at, request_id, host(ip) AS ip, detail FROM audit_entries
      ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''} ORDER BY id DESC LIMIT $${values.length}`;
    const rows =
      filter.clientId === undefined
        ? await this.database.query<Row>(sql, values)
        : await this.database.tenant(filter.clientId, (tx) => tx.query<Row>(sql, values));
    const entries = rows.slice(0, filter.limit).map(entryOf);
    return { entries, next: rows.length > filter.limit ? encodeCursor(LIST, entries.at(-1)!.id) : null };
  }
}

function entryOf(row: Row): AuditEntry {
  return {
    id: row.id,
    clientId: row.client_id,
    actor: row.actor,
    action: row.action,
    object: row.object,
    at: row.at,
    requestId: row.request_id,
    ip: row.ip,
    ...(row.detail !== null && { detail: row.detail }),
  };
}
