import { Injectable } from '@nestjs/common';
import { Problem } from '../kernel/problem';
import type { AlertBaseRow } from '../platform/alerts/alert-book';
import type { AlertWord } from '../platform/alerts/alert-words';
import { Database } from '../platform/database/database';

/** What a list of alerts can be narrowed by. */
export interface AlertFilter {
  /** Undefined: of all tenants. */
  clientId?: string | undefined;
  state?: 'open' | 'cleared' | undefined;
  alert?: AlertWord | undefined;
  subject?: string | undefined;
  /** Only older than the alert of this id. */
  before?: string | undefined;
  limit: number;
}

export interface AlertRow extends AlertBaseRow {
  count: number;
  last_seen_at: Date;
  cleared_at: Date | null;
  cleared_detail: string | null;
}

const COLUMNS =
  'id, client_id, alert, subject, severity, detail, data, count, raised_at, last_seen_at, cleared_at, cleared_detail';

/** Reads alerts for their tenant and for the operator. */
@Injectable()
export class AlertReader {
  constructor(private readonly database: Database) {}

  /** Newest first. */
  async list(filter: AlertFilter): Promise<AlertRow[]> {
    const conditions: string[] = [];
    const values: unknown[] = [];
    const add = (condition: string, value: unknown): void => {
      if (value === undefined) return;
      values.push(value);
      conditions.push(`${condition} $${values.length}`);
    };
    add('client_id =', filter.clientId);
    add('alert =', filter.alert);
    add('subject =', filter.subject);
    add('id <', filter.before);
    if (filter.state !== undefined) conditions.push(`cleared_at IS ${filter.state === 'open' ? '' : 'NOT '}NULL`);
    values.push(filter.limit);
    const sql = `SELECT ${COLUMNS} FROM alerts ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY id DESC LIMIT $${values.length}`;
    return filter.clientId === undefined
      ? this.database.query<AlertRow>(sql, values)
      : this.database.tenant(filter.clientId, (tx) => tx.query<AlertRow>(sql, values));
  }

  /** @throws Problem not_found */
  async get(clientId: string, id: string): Promise<AlertRow> {
    const [row] = await this.database.tenant(clientId, (tx) =>
      tx.query<AlertRow>(`SELECT ${COLUMNS} FROM alerts WHERE client_id = $1 AND id = $2`, [clientId, id]),
    );
    if (row === undefined) throw Problem.notFound('alert');
    return row;
  }
}
