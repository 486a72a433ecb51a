import { idTime, newId } from '../../kernel/ids';
import type { Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import type { DeliveryAttempt, DeliveryItem, DeliveryResult } from '../../platform/delivery/delivery';
import type { EventRow } from '../feed/event-reader';
import { INSERT, SETTLE } from './delivery.statements';
import type { WebhookAttemptView } from './dto/webhooks.view';
import type { LaneRow } from './endpoint.row';

/** An event on its way to one endpoint. */
export interface WebhookItem extends DeliveryItem {
  readonly eventId: string;
  /** As PostgreSQL writes it: to the microsecond. */
  readonly eventCreatedAt: string;
  readonly tx: string;
  readonly seq: string;
  readonly type: string;
  /** JSON text; null: the event is gone (retention). */
  readonly data: string | null;
  /** The row of a retry. */
  readonly delivery?: { id: string; createdAt: string };
}

export interface DueRow extends EventRow {
  delivery_id: string;
  delivery_created_at: string;
  attempts: number;
}

export function itemOf(row: EventRow, attempts: number): WebhookItem {
  return {
    orderKey: row.message_id,
    attempts,
    eventId: row.id,
    eventCreatedAt: row.created_at,
    tx: row.tx,
    seq: row.seq,
    type: row.type,
    data: row.data,
  };
}

/** One try as it is stored and shown. */
export function attemptView(attempt: DeliveryAttempt): WebhookAttemptView {
  return {
    at: new Date(attempt.at).toISOString(),
    latency_ms: attempt.latencyMs,
    status_code: attempt.statusCode,
    error: attempt.error,
    response: attempt.response,
  };
}

/** Writes what came of first tries. */
export async function insertResults(
  tx: Transaction,
  endpoint: LaneRow,
  results: ReadonlyArray<DeliveryResult<WebhookItem>>,
): Promise<void> {
  await tx.execute(INSERT, insertValues(endpoint, results));
}

/** Writes what came of retries. */
export async function settleResults(
  tx: Transaction,
  endpointId: string,
  results: ReadonlyArray<DeliveryResult<WebhookItem>>,
): Promise<void> {
  await tx.execute(SETTLE, settleValues(endpointId, results));
}

interface Stored {
  status: string;
  attempts: number;
  next: number | null;
  log: string;
}

function storedOf(result: DeliveryResult<WebhookItem>): Stored {
  const { attempts } = result.item;
  if (result.outcome === 'blocked') return { status: 'pending', attempts, next: Number.POSITIVE_INFINITY, log: '[]' };
  const tried = attempts + (result.attempt === null ? 0 : 1);
  const next = result.outcome === 'pending' ? result.nextAttemptAt : null;
  return {
    status: result.outcome,
    attempts: tried,
    next,
    log: result.attempt === null ? '[]' : JSON.stringify([attemptView(result.attempt)]),
  };
}

function insertValues(row: LaneRow, results: ReadonlyArray<DeliveryResult<WebhookItem>>): unknown[] {
  const ids = results.map(() => newId('webhookDelivery'));
  const stored = results.map(storedOf);
  return [
    row.client_id,
    row.id,
    textArray(ids),
    plainArray(ids.map((id) => idTime(id, 'webhookDelivery'))),
    textArray(results.map(({ item }) => item.eventId)),
    textArray(results.map(({ item }) => item.eventCreatedAt)),
    textArray(results.map(({ item }) => item.tx)),
    textArray(results.map(({ item }) => item.seq)),
    textArray(results.map(({ item }) => item.type)),
    textArray(results.map(({ item }) => item.orderKey)),
    textArray(stored.map(({ status }) => status)),
    plainArray(stored.map(({ attempts }) => attempts)),
    plainArray(stored.map(({ next }) => next)),
    textArray(stored.map(({ log }) => log)),
  ];
}

function settleValues(endpointId: string, results: ReadonlyArray<DeliveryResult<WebhookItem>>): unknown[] {
  const stored = results.map(storedOf);
  return [
    endpointId,
    textArray(results.map(({ item }) => item.delivery!.id)),
    textArray(results.map(({ item }) => item.delivery!.createdAt)),
    plainArray(results.map(({ item }) => item.attempts)),
    textArray(stored.map(({ status }) => status)),
    plainArray(stored.map(({ attempts }) => attempts)),
    plainArray(stored.map(({ next }) => next)),
    textArray(stored.map(({ log }) => log)),
  ];
}
