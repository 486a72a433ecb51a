import { newId } from '../../kernel/ids';
import { statement, type Transaction } from '../database/database';
import type { EventStore } from '../events/event-store';
import { ALERTS, type AlertSeverity, type AlertWord } from './alert-words';

/** Something that needs a person. */
export interface NewAlert {
  clientId: string;
  alert: AlertWord;
  /** Id of what it is about (a config, a receiver), or a number: while it lasts, one alert a tenant, word and subject. */
  subject: string;
  /** For people: one sentence or two. Never a secret, never a message's text. */
  detail: string;
  /** What belongs to this alert alone, snake_case: shown with it and part of its events. Document each member in `AlertEventData`. */
  data?: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  occurredAt: number;
  /** Default: that of the word. */
  severity?: AlertSeverity;
}

/** An alert that is over. What is left out stays as it was when it was raised. */
export interface AlertEnd extends Pick<NewAlert, 'clientId' | 'alert' | 'subject' | 'occurredAt' | 'data'> {
  /** For people: why it is over. */
  detail?: string;
}

/** What every reader of `alerts` reads. */
export interface AlertBaseRow {
  id: string;
  client_id: string;
  alert: AlertWord;
  subject: string;
  severity: AlertSeverity;
  detail: string;
  data: Record<string, unknown>;
  raised_at: Date;
}

const COLUMNS = 'a.id, a.client_id, a.alert, a.subject, a.severity, a.detail, a.data, a.raised_at';

const RAISE = statement(
  'alerts.raise',
  `INSERT INTO alerts AS a (id, client_id, alert, subject, severity, detail, data, raised_at, last_seen_at)
   SELECT n.id, n.client_id, n.alert, n.subject, n.severity, n.detail, n.data, to_timestamp(n.at / 1000.0), to_timestamp(n.at / 1000.0)
   FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::float8[])
     AS n(id, client_id, alert, subject, severity, detail, data, at)
   ON CONFLICT (client_id, alert, subject) WHERE cleared_at IS NULL
   DO UPDATE SET count = a.count + 1, last_seen_at = greatest(a.last_seen_at, excluded.last_seen_at)
   RETURNING ${COLUMNS}`,
);

const CLEAR = statement(
  'alerts.clear',
  // A clock that runs behind must not end an alert before it began.
  `UPDATE alerts a SET cleared_at = greatest(to_timestamp(n.at / 1000.0), a.raised_at), cleared_detail = n.detail
   FROM (
     SELECT o.id, n.detail, n.at
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[]) WITH ORDINALITY AS n(client_id, alert, subject, detail, at, place)
     JOIN alerts o ON o.client_id = n.client_id AND o.alert = n.alert AND o.subject = n.subject AND o.cleared_at IS NULL
     ORDER BY n.place FOR UPDATE OF o) n
   WHERE a.id = n.id
   RETURNING ${COLUMNS}`,
);

const TO_MAIL = statement(
  'alerts.to_mail',
  `INSERT INTO alert_mails (alert_id, step, audience, client_id, due_at)
   SELECT n.id, $3, audience, n.client_id, '-infinity'
   FROM unnest($1::text[], $2::text[]) AS n(id, client_id), unnest(ARRAY['tenant', 'operator']) AS audience`,
);

/**
 * The one way to raise an alert and to end it. Both happen in the transaction of what they tell of, together with their events and the mails to
 * be sent; so they happen once, whatever number of processes see the same thing. Call {@link committed} after the commit.
 */
export class AlertBook {
  constructor(private readonly events: EventStore) {}

  /**
   * Raises what is not raised yet; of what lasts already it notes that it was seen again.
   * @returns those that were raised by this call. In a transaction that raises several, give all in one call: the order of the locks is ours
   */
  async raise(tx: Transaction, alerts: NewAlert | readonly NewAlert[]): Promise<NewAlert[]> {
    const unique = inOrder(alerts);
    if (unique.length === 0) return [];
    const ids = unique.map(() => newId('alert'));
    const rows = await tx.query<AlertBaseRow>(RAISE, [
      ids,
      unique.map(({ clientId }) => clientId),
      unique.map(({ alert }) => alert),
      unique.map(({ subject }) => subject),
      unique.map(({ alert, severity }) => severity ?? ALERTS[alert].severity),
      unique.map(({ detail }) => detail),
      unique.map(({ data }) => JSON.stringify(data ?? {})),
      unique.map(({ occurredAt }) => occurredAt),
    ]);
    const ours = new Map(ids.map((id, index) => [id, unique[index]!]));
    const raised = rows.filter(({ id }) => ours.has(id));
    await this.tell(tx, 'raised', raised, ({ id, detail }) => {
      const { occurredAt } = ours.get(id)!;
      return { detail, occurredAt };
    });
    return raised.map(({ id }) => ours.get(id)!);
  }

  /** Ends what lasts; what does not last is passed over. @returns those that were ended by this call */
  async clear(tx: Transaction, alerts: AlertEnd | readonly AlertEnd[]): Promise<AlertEnd[]> {
    const unique = inOrder(alerts);
    if (unique.length === 0) return [];
    const rows = await tx.query<AlertBaseRow>(CLEAR, [
      unique.map(({ clientId }) => clientId),
      unique.map(({ alert }) => alert),
      unique.map(({ subject }) => subject),
      unique.map(({ detail }) => detail ?? null),
      unique.map(({ occurredAt }) => occurredAt),
    ]);
    const ends = new Map(unique.map((end) => [keyOf(end), end]));
    const endOf = ({ client_id: clientId, alert, subject }: AlertBaseRow) =>
      ends.get(keyOf({ clientId, alert, subject }))!;
    await this.tell(tx, 'cleared', rows, (row) => {
      const { detail, occurredAt, data } = endOf(row);
      return { detail: detail ?? row.detail, occurredAt, data };
    });
    return rows.map(endOf);
  }

  /** Hints that events were written, as `EventSignal.committed` does. */
  committed(clientIds: Iterable<string>): void {
    this.events.signal.committed(clientIds);
  }

  private async tell(
    tx: Transaction,
    step: 'raised' | 'cleared',
    rows: readonly AlertBaseRow[],
    told: (row: AlertBaseRow) => {
      detail: string;
      occurredAt: number;
      data?: Readonly<Record<string, unknown>> | undefined;
    },
  ): Promise<void> {
    if (rows.length === 0) return;
    await this.events.insert(
      tx,
      rows.map((row) => {
        const { detail, occurredAt, data } = told(row);
        const clearedAt = new Date(Math.max(occurredAt, row.raised_at.getTime())).toISOString();
        return {
          clientId: row.client_id,
          type: `alert.${step}` as const,
          occurredAt,
          data: {
            ...row.data,
            ...data,
            alert_id: row.id,
            alert: row.alert,
            subject: row.subject,
            severity: row.severity,
            detail,
            raised_at: row.raised_at.toISOString(),
            cleared_at: step === 'cleared' ? clearedAt : null,
          },
        };
      }),
    );
    await tx.execute(TO_MAIL, [rows.map(({ id }) => id), rows.map(({ client_id }) => client_id), step]);
  }
}

/** Each once, the last one of its kind, in the order in which their rows are locked everywhere. */
function inOrder<T extends AlertEnd>(alerts: T | readonly T[]): T[] {
  const unique = new Map<string, T>();
  for (const alert of [alerts].flat() as T[]) unique.set(keyOf(alert), alert);
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, alert]) => alert);
}

function keyOf({ clientId, alert, subject }: Pick<AlertEnd, 'clientId' | 'alert' | 'subject'>): string {
  return `${clientId} ${alert} ${subject}`;
}
