import type { InboundPart } from '../../gateway/contracts/callback';
import { statement, type Transaction } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';

/** How long parts wait for the others, milliseconds, from the first that came. */
export const PARTS_WAIT_MS = 10 * 60_000;
/** Stands for parts that never came. */
export const MISSING_MARK = '[…]';

/** What one part brought. Times in milliseconds. */
export interface HeldPart {
  text: string;
  occurredAt: number;
  receivedAt: number;
  externalId: string | null;
  detail: Record<string, unknown> | null;
  head?: number;
  tail?: number;
}

/** What parts of one message have in common. */
export interface PartSetKey {
  configId: string;
  sender: string;
  recipient: string;
  reference: string;
  total: number;
}

export interface ReceivedPart extends PartSetKey {
  clientId: string;
  provider: string;
  part: HeldPart & Pick<InboundPart, 'number'>;
}

/** A message put together from its parts. */
export interface JoinedMessage extends Omit<HeldPart, 'head' | 'tail'> {
  set: PartSetKey & { clientId: string; provider: string };
}

interface SetRow {
  client_id: string;
  provider: string;
  config_id: string;
  sender: string;
  recipient: string;
  reference: string;
  total: number;
  parts: Record<string, HeldPart>;
  joined: boolean;
  expires_at: number;
}

const COLUMNS = `p.client_id, p.provider, p.config_id, p.sender, p.recipient, p.reference, p.total, p.parts, p.joined,
  (extract(epoch FROM p.expires_at) * 1000)::float8 AS expires_at`;

// Takes the lock of each set, in one order, so that of two processes with the last two parts one sees what the other has written.
const HOLD = statement(
  'inbound_parts.hold',
  `INSERT INTO inbound_parts AS p (config_id, sender, recipient, reference, total, client_id, provider, parts, joined, expires_at)
   SELECT config_id, sender, recipient, reference, total, client_id, provider, '{}', false, to_timestamp(expires_at / 1000)
   FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::float8[])
     AS i(config_id, sender, recipient, reference, total, client_id, provider, expires_at)
   ORDER BY 1, 2, 3, 4, 5
   ON CONFLICT (config_id, sender, recipient, reference, total) DO UPDATE SET provider = excluded.provider
   RETURNING ${COLUMNS}`,
);

const WRITE = statement(
  'inbound_parts.write',
  `UPDATE inbound_parts p SET parts = i.parts, joined = i.joined, expires_at = to_timestamp(i.expires_at / 1000)
   FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::jsonb[], $7::bool[], $8::float8[])
     AS i(config_id, sender, recipient, reference, total, parts, joined, expires_at)
   WHERE p.config_id = i.config_id AND p.sender = i.sender AND p.recipient = i.recipient AND p.reference = i.reference AND p.total = i.total`,
);

const OVERDUE = statement(
  'inbound_parts.overdue',
  `WITH overdue AS MATERIALIZED (
     SELECT config_id, sender, recipient, reference, total FROM inbound_parts
     WHERE expires_at <= to_timestamp($1::float8 / 1000) ORDER BY 1, 2, 3, 4, 5 LIMIT $2 FOR UPDATE SKIP LOCKED
   )
   DELETE FROM inbound_parts p USING overdue o
   WHERE p.config_id = o.config_id AND p.sender = o.sender AND p.recipient = o.recipient AND p.reference = o.reference AND p.total = o.total
   RETURNING ${COLUMNS}`,
);

/**
 * Keeps parts, in the order in which they came; answers the messages that are whole now, beside what is left of a message whose reference the sender
 * has begun to use for another one.
 */
export async function holdParts(tx: Transaction, received: readonly ReceivedPart[]): Promise<JoinedMessage[]> {
  const first = new Map<string, ReceivedPart>();
  for (const one of received) if (!first.has(keyOf(one))) first.set(keyOf(one), one);
  const sets = [...first.values()];
  const rows = await tx.query<SetRow>(HOLD, [
    ...keyColumns(sets),
    textArray(sets.map((set) => set.clientId)),
    textArray(sets.map((set) => set.provider)),
    plainArray(sets.map((set) => set.part.receivedAt + PARTS_WAIT_MS)),
  ]);
  const held = new Map(rows.map((row) => [keyOf(setOf(row)), row]));
  const done: JoinedMessage[] = [];
  for (const one of received) done.push(...take(held.get(keyOf(one))!, one));
  const changed = [...held.values()];
  await tx.execute(WRITE, [
    ...keyColumns(changed.map(setOf)),
    jsonArray(changed.map((row) => row.parts)),
    plainArray(changed.map((row) => row.joined)),
    plainArray(changed.map((row) => row.expires_at)),
  ]);
  return done;
}

/** Takes out what has waited long enough; answers what is there of each message, and how many rows that were. */
export async function takeOverdueParts(
  tx: Transaction,
  now: number,
  limit: number,
): Promise<{ messages: JoinedMessage[]; taken: number }> {
  const rows = await tx.query<SetRow>(OVERDUE, [now, limit]);
  return { messages: rows.filter((row) => !row.joined).map(join), taken: rows.length };
}

/** Puts one part to its set; answers what is complete, or is given up, by it. */
function take(row: SetRow, { part: { number, ...part }, total }: ReceivedPart): JoinedMessage[] {
  const done: JoinedMessage[] = [];
  const same = row.parts[number];
  if (same && isRepeat(same, part) && part.receivedAt < row.expires_at) return done;
  if (row.joined || same) {
    // Senders count references in a circle: this is another message by the same one.
    if (!row.joined) done.push(join(row));
    row.parts = {};
    row.joined = false;
    row.expires_at = part.receivedAt + PARTS_WAIT_MS;
  }
  row.parts[number] = part;
  if (Object.keys(row.parts).length === total) {
    done.push(join(row));
    row.joined = true;
    row.expires_at = Math.max(row.expires_at, part.receivedAt + PARTS_WAIT_MS);
  }
  return done;
}

function isRepeat(a: HeldPart, b: HeldPart): boolean {
  return a.text === b.text && a.head === b.head && a.tail === b.tail && a.detail?.data === b.detail?.data;
}

function join(row: SetRow): JoinedMessage {
  const parts = Object.entries(row.parts)
    .map(([number, part]) => ({ number: Number(number), part }))
    .sort((a, b) => a.number - b.number);
  const missing = Array.from({ length: row.total }, (_, index) => index + 1).filter((n) => !(n in row.parts));
  const all = parts.map(({ part }) => part);
  const data = all.map((part) => part.detail?.data);
  return {
    set: { ...setOf(row), clientId: row.client_id, provider: row.provider },
    text: joinedText(row),
    occurredAt: Math.min(...all.map((part) => part.occurredAt)),
    receivedAt: Math.max(...all.map((part) => part.receivedAt)),
    externalId: all[0]!.externalId,
    detail: {
      ...all[0]!.detail,
      ...(data.length > 1 && data.every((one) => typeof one === 'string') && { data: data.join('') }),
      parts: { total: row.total, ...(missing.length > 0 && { missing }) },
    },
  };
}

function joinedText(row: SetRow): string {
  let text = '';
  let before: HeldPart | undefined;
  for (let number = 1; number <= row.total; number++) {
    const part = row.parts[number];
    // A character that was cut through is whole again when both halves are there.
    if (before?.tail !== undefined || part?.head !== undefined) {
      const whole = before?.tail !== undefined && part?.head !== undefined;
      text += whole ? String.fromCharCode(before!.tail!, part!.head!) : '\ufffd';
    }
    if (part) text += part.text;
    else if (number === 1 || before) text += MISSING_MARK;
    before = part;
  }
  return before?.tail === undefined ? text : `${text}\ufffd`;
}

function setOf(row: SetRow): PartSetKey {
  const { config_id: configId, sender, recipient, reference, total } = row;
  return { configId, sender, recipient, reference, total };
}

function keyOf({ configId, sender, recipient, reference, total }: PartSetKey): string {
  return JSON.stringify([configId, sender, recipient, reference, total]);
}

function keyColumns(sets: readonly PartSetKey[]): unknown[] {
  return [
    textArray(sets.map((set) => set.configId)),
    textArray(sets.map((set) => set.sender)),
    textArray(sets.map((set) => set.recipient)),
    textArray(sets.map((set) => set.reference)),
    plainArray(sets.map((set) => set.total)),
  ];
}
