import { GroupCommit } from '../../kernel/group-commit';
import type { AlertBook, NewAlert } from '../../platform/alerts/alert-book';
import { type Database, type Transaction, isDatabaseUnavailable } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { LaneLostError, type DeliveryAttempt, type ReceiverHealth } from '../../platform/delivery/delivery';
import type { InboundItem } from './delivery.rows';
import { SETTLE, TOUCH, type BuriedRow } from './delivery.statements';

/** What became of an item. */
export interface ItemResult {
  item: InboundItem;
  attempt: DeliveryAttempt;
  status: 'succeeded' | 'pending' | 'dead_letter';
  /** Milliseconds; null unless it is pending. */
  nextAttemptAt: number | null;
}

/** Something to write of one receiver: a result, or how far its lane has come. */
export interface Settlement {
  receiverId: string;
  result?: ItemResult;
  /** What has this sequence or a lower one was tried. */
  cursor?: number;
  health: Readonly<ReceiverHealth>;
}

const MOST_AT_ONCE = 500;

/**
 * Writes what came of tries, of all lanes of this process together: one transaction carries what ended while the one before it was under way. A lane
 * begins nothing in place of an item before it is written, so what a crash repeats is what was under way.
 */
export class DeliveryWriter {
  private readonly commits: GroupCommit<Settlement, true>;

  /** @param owner of the lanes */
  constructor(
    private readonly database: Database,
    private readonly owner: string,
    private readonly alerts: AlertBook,
  ) {
    this.commits = new GroupCommit((batch) => this.flush(batch), MOST_AT_ONCE);
  }

  /** Written once however often it is called. @throws LaneLostError when another process has the receiver; errors of the database */
  async write(settlement: Settlement): Promise<void> {
    await this.commits.add(settlement);
  }

  private async flush(batch: Settlement[]): Promise<Array<true | Error>> {
    try {
      return await this.store(batch);
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      // One result that PostgreSQL refuses must not break the lanes of other receivers.
      if (batch.length === 1) return [error as Error];
      const results: Array<true | Error> = [];
      for (const settlement of batch) results.push(...(await this.flush([settlement])));
      return results;
    }
  }

  private async store(batch: readonly Settlement[]): Promise<Array<true | Error>> {
    const { touched: own, raised } = await this.database.flush(async (tx) => {
      const touched = await this.touch(tx, batch);
      const results = batch.filter(({ receiverId, result }) => result !== undefined && touched.has(receiverId));
      if (results.length === 0) return { touched, raised: [] };
      const buried = await tx.query<BuriedRow>(SETTLE, settleValues([...touched], results));
      return {
        touched,
        raised: await this.alerts.raise(
          tx,
          buried.map((row) => deadLetterAlert(row, results)),
        ),
      };
    });
    if (raised.length > 0) this.alerts.committed(raised.map(({ clientId }) => clientId));
    return batch.map(({ receiverId }) => own.has(receiverId) || new LaneLostError());
  }

  private async touch(tx: Transaction, batch: readonly Settlement[]): Promise<Set<string>> {
    const receivers = new Map<string, { cursor: number; health: Readonly<ReceiverHealth>; next: number | null }>();
    for (const { receiverId, result, cursor = 0, health } of batch) {
      const before = receivers.get(receiverId);
      const next = least(before?.next ?? null, result?.nextAttemptAt ?? null);
      receivers.set(receiverId, { cursor: Math.max(cursor, before?.cursor ?? 0), health, next });
    }
    // In the order in which others take these locks, so that nobody waits in a circle.
    const sorted = [...receivers].sort(([a], [b]) => (a < b ? -1 : 1));
    const values = sorted.map(([, value]) => value);
    const rows = await tx.query<{ id: string }>(TOUCH, [
      this.owner,
      textArray(sorted.map(([id]) => id)),
      plainArray(values.map(({ cursor }) => cursor)),
      plainArray(values.map(({ health }) => health.failuresInRow)),
      plainArray(values.map(({ health }) => health.failingSince)),
      plainArray(values.map(({ next }) => next)),
    ]);
    return new Set(rows.map(({ id }) => id));
  }
}

function deadLetterAlert(row: BuriedRow, batch: readonly Settlement[]): NewAlert {
  const { client_id: clientId, number_id, receiver_id, inbound_id } = row;
  const { item, attempt } = batch.find(
    ({ receiverId, result }) => receiverId === receiver_id && result!.item.inboundId === inbound_id,
  )!.result!;
  const number = item.message?.recipient;
  return {
    clientId,
    alert: 'dead_letter',
    subject: receiver_id,
    detail: `A message to ${number ?? 'a number'} could not be handed to this receiver with all its tries (${attempt.error ?? 'refused'}). It is kept: POST /v1/inbound/${inbound_id}/redeliver tries again.`,
    data: { receiver_id, number_id, ...(number !== undefined && { number }), inbound_id },
    occurredAt: attempt.at,
  };
}

function least(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

function settleValues(own: readonly string[], batch: readonly Settlement[]): unknown[] {
  const results = batch.map(({ result }) => result!);
  return [
    own,
    textArray(batch.map(({ receiverId }) => receiverId)),
    textArray(results.map(({ item }) => item.inboundId)),
    textArray(results.map(({ item }) => item.inboundCreatedAt)),
    plainArray(results.map(({ item }) => item.attempts)),
    textArray(results.map(({ status }) => status)),
    plainArray(results.map(({ item }) => item.attempts + 1)),
    plainArray(results.map(({ nextAttemptAt }) => nextAttemptAt)),
    textArray(results.map(({ attempt }) => JSON.stringify([logEntry(attempt)]))),
  ];
}

/** As `attempt_log` holds a try. */
function logEntry(attempt: DeliveryAttempt): object {
  return {
    at: new Date(attempt.at).toISOString(),
    latency_ms: attempt.latencyMs,
    status_code: attempt.statusCode,
    error: attempt.error,
    response: attempt.response,
  };
}
