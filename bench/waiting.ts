import type { Service } from './service';

const LOOK_MS = 200;

/** Resolves when nothing waits to be sent any more. */
export async function drained(service: Service): Promise<void> {
  while ((await waitingMessages(service)) > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

export async function waitingMessages(service: Service): Promise<number> {
  const [row] = await service.database.query<{ n: number }>('SELECT count(*)::int AS n FROM message_queue');
  return row!.n;
}

/** The messages that the load generator sent, apart from those that were filled in. */
export async function storedSends(service: Service): Promise<{ messages: number; references: number; keys: number }> {
  const [row] = await service.database.query<{ messages: number; references: number; keys: number }>(
    `SELECT count(*)::int AS messages, count(DISTINCT reference)::int AS "references",
       (SELECT count(*)::int FROM idempotency_keys WHERE key LIKE 'bench-%') AS keys
     FROM messages WHERE reference LIKE 'order-%'`,
  );
  return row!;
}
