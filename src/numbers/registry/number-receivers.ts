import { isEmailAddress } from '../../kernel/email-address';
import { newId } from '../../kernel/ids';
import type { FieldError } from '../../kernel/problem';
import type { ReceiverFormat, ReceiverType } from '../../messaging/inbound/inbound.types';
import type { Transaction } from '../../platform/database/database';
import { invalidFields } from '../../platform/http/validation';
import type { SsrfGuard } from '../../platform/http-client/ssrf-guard';
import { NUMBER_RECEIVER_COLUMNS, type NumberReceiverRow } from './number.rows';
import type { NumberDeliveryDto } from './numbers.dto';

/** A receiver as a client wants it. */
export interface WantedReceiver {
  id?: string;
  type: ReceiverType;
  url: string | null;
  format: ReceiverFormat | null;
  email: string | null;
}

/** What was given, checked. @throws Problem 400 that names every wrong field */
export async function readReceivers(
  guard: SsrfGuard,
  given: readonly NumberDeliveryDto[],
  mayNameIds: boolean,
): Promise<WantedReceiver[]> {
  const errors: FieldError[] = [];
  const wanted = given.map((one, index) => readOne(one, `delivery[${index}]`, mayNameIds, errors));
  const seen = new Set<string>();
  wanted.forEach((one, index) => {
    const key = one.id === undefined ? identity(one) : `id ${one.id}`;
    if (seen.has(key) || (one.id !== undefined && seen.has(identity(one))))
      errors.push(error(`delivery[${index}]`, 'duplicate', 'is there twice'));
    seen.add(key).add(identity(one));
  });
  if (errors.length > 0) throw invalidFields(errors);
  await Promise.all(
    wanted.flatMap(({ url }, index) => (url === null ? [] : [guard.check(url, `delivery[${index}].url`)])),
  );
  return wanted;
}

function readOne(one: NumberDeliveryDto, path: string, mayNameIds: boolean, errors: FieldError[]): WantedReceiver {
  const refuse = (field: string, code: string, message: string): void => {
    errors.push(error(`${path}.${field}`, code, message));
  };
  if (one.id !== undefined && !mayNameIds) refuse('id', 'unknown_field', 'is given by UniMsg');
  if (one.type === 'webhook') {
    if (one.url === undefined) refuse('url', 'required', 'is required for a webhook');
    if (one.to !== undefined) refuse('to', 'unknown_field', 'does not go with a webhook');
  } else {
    if (one.to === undefined) refuse('to', 'required', 'is required for an email');
    else if (!isEmailAddress(one.to)) refuse('to', 'invalid_email', 'must be one email address');
    if (one.url !== undefined) refuse('url', 'unknown_field', 'does not go with an email');
    if (one.format !== undefined) refuse('format', 'unknown_field', 'does not go with an email');
  }
  const webhook = one.type === 'webhook';
  return {
    ...(one.id !== undefined && { id: one.id }),
    type: one.type,
    url: webhook ? (one.url ?? '') : null,
    format: webhook ? (one.format ?? 'json') : null,
    email: webhook ? null : (one.to ?? ''),
  };
}

function error(field: string, code: string, message: string): FieldError {
  return { field, code, message: `${field} ${message}` };
}

function identity({ type, url, format, email }: Pick<WantedReceiver, 'type' | 'url' | 'format' | 'email'>): string {
  return JSON.stringify([type, url, format, email]);
}

/** What has to be done so that a number has the receivers that are wanted. */
export interface ReceiverChanges {
  keep: NumberReceiverRow[];
  change: Array<{ row: NumberReceiverRow; to: WantedReceiver }>;
  add: WantedReceiver[];
  remove: NumberReceiverRow[];
}

/**
 * By id; else what is the same stays; else one that is not wanted any more becomes a new one of its type, so that what waits there goes to the
 * new address.
 * @throws Problem 400 for an id that is no receiver of the number, or is of another type
 */
export function planReceivers(
  present: readonly NumberReceiverRow[],
  wanted: readonly WantedReceiver[],
): ReceiverChanges {
  const changes: ReceiverChanges = { keep: [], change: [], add: [], remove: [] };
  const left = new Set(present);
  const open: WantedReceiver[] = [];
  const put = (row: NumberReceiverRow, to: WantedReceiver): void => {
    left.delete(row);
    if (identity(row) === identity(to)) changes.keep.push(row);
    else changes.change.push({ row, to });
  };
  wanted.forEach((one, index) => {
    if (one.id === undefined) return;
    const row = present.find(({ id }) => id === one.id);
    if (row?.type !== one.type || !left.has(row))
      throw invalidFields([error(`delivery[${index}].id`, 'unknown_receiver', `is no ${one.type} receiver of it`)]);
    put(row, one);
  });
  for (const one of wanted) {
    if (one.id !== undefined) continue;
    const same = [...left].find((row) => identity(row) === identity(one));
    if (same) put(same, one);
    else open.push(one);
  }
  for (const one of open) {
    const other = [...left].find(({ type }) => type === one.type);
    if (other) put(other, one);
    else changes.add.push(one);
  }
  changes.remove.push(...left);
  return changes;
}

/** Oldest first. A lock is taken after that of the number's row, and in this order, so that nobody waits in a circle. */
export async function receiversOf(
  tx: Transaction,
  numberIds: readonly string[],
  lock: '' | 'FOR UPDATE' = '',
): Promise<NumberReceiverRow[]> {
  return tx.query<NumberReceiverRow>(
    `SELECT ${NUMBER_RECEIVER_COLUMNS} FROM number_receivers r
     WHERE r.number_id = ANY($1::text[]) AND r.removed_at IS NULL ORDER BY r.id ${lock}`,
    [numberIds],
  );
}

/** They get the messages that come from now on. Call with the lock of the number's row. */
export async function addReceivers(
  tx: Transaction,
  number: { id: string; client_id: string; sequence: number },
  wanted: readonly WantedReceiver[],
): Promise<void> {
  for (const { type, url, format, email } of wanted) {
    await tx.execute(
      `INSERT INTO number_receivers (id, client_id, number_id, type, url, format, email, cursor_sequence, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now(), now())`,
      [newId('numberReceiver'), number.client_id, number.id, type, url, format, email, number.sequence],
    );
  }
}

/** What has failed so far says nothing of the new address. */
export async function changeReceiver(tx: Transaction, id: string, to: WantedReceiver): Promise<void> {
  await tx.execute(
    `UPDATE number_receivers SET url = $2, format = $3, email = $4, failures_in_row = 0, failing_since = NULL, updated_at = clock_timestamp()
     WHERE id = $1`,
    [id, to.url, to.format, to.email],
  );
}

/** What waits for them is a dead letter then: kept, and redelivered to those that the number has. Call with their locks. */
export async function removeReceivers(
  tx: Transaction,
  clientId: string,
  ids: readonly string[],
  now: number,
): Promise<void> {
  if (ids.length === 0) return;
  await tx.execute(
    `UPDATE number_receivers SET removed_at = to_timestamp($2::float8 / 1000), next_retry_at = NULL, lane_owner = NULL, lane_until = NULL,
       updated_at = clock_timestamp() WHERE id = ANY($1::text[])`,
    [ids, now],
  );
  const log = [{ at: new Date(now).toISOString(), latency_ms: 0, error: 'receiver_removed' }];
  await tx.execute(
    `UPDATE inbound_deliveries SET status = 'dead_letter', next_attempt_at = NULL, attempt_log = attempt_log || $3::jsonb, updated_at = now()
     WHERE client_id = $1 AND receiver_id = ANY($2::text[]) AND status = 'pending'`,
    [clientId, ids, JSON.stringify(log)],
  );
}
