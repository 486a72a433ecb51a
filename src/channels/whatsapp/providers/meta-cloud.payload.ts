import type { CallbackClaim, CallbackRequest, CallbackShare } from '../../../gateway/contracts/callback';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';

export type Json = Readonly<Record<string, unknown>>;

/** One change of one entry of a webhook, with where it belongs. */
export interface MetaChange {
  /** `entry[].id`: the WhatsApp business account. */
  businessAccount: string | undefined;
  /** `value.metadata.phone_number_id`; changes of the account itself have none. */
  phoneNumberId: string | undefined;
  field: string;
  value: Json;
  /** `entry[].time`, seconds; missing in most webhooks. */
  time: unknown;
}

const parsed = new WeakMap<CallbackRequest, Json | null>();

/** The entries of a webhook, read once a request; undefined when the body is none. Does not throw. */
function entriesOf(request: CallbackRequest): Json[] | undefined {
  let body = parsed.get(request);
  if (body === undefined) {
    body = jsonObject(request.rawBody) ?? null;
    parsed.set(request, body);
  }
  return body?.object === 'whatsapp_business_account' && Array.isArray(body.entry) ? objects(body.entry) : undefined;
}

/** Every change in a webhook; undefined when the body is not one. Does not throw. */
export function changesOf(request: CallbackRequest): MetaChange[] | undefined {
  return entriesOf(request)?.flatMap((entry) => objects(entry.changes).map((change) => changeOf(entry, change)));
}

function changeOf(entry: Json, change: Json): MetaChange {
  const value = objectOf(change.value) ?? {};
  return {
    businessAccount: textOf(entry.id),
    phoneNumberId: textOf(objectOf(value.metadata)?.phone_number_id),
    field: textOf(change.field) ?? '',
    value,
    time: entry.time,
  };
}

/** Ids that a claim names; more tell no more. */
const MOST_IDS = 10;
/** Members of a change's value that are lists of what happened. */
const LISTS = ['statuses', 'messages', 'errors'] as const;

/** What a share of a webhook is put together from. */
interface Share {
  claim: CallbackClaim & { externalIds: string[] };
  entries: Json[];
}

/**
 * The part of each number in a webhook: one app has one webhook for all business accounts that it serves. What is about a business account as a
 * whole goes with the account's first number, or alone. One pass: whoever sent it is not proved yet.
 */
export function sharesOf(request: CallbackRequest): CallbackShare[] {
  const shares = new Map<string, Share>();
  for (const entry of entriesOf(request) ?? []) {
    const changes = objects(entry.changes).map((change) => ({ change, ...changeOf(entry, change) }));
    const first = changes.find(({ phoneNumberId }) => phoneNumberId !== undefined)?.phoneNumberId;
    const parts = new Map<Share, Json[]>();
    for (const { change, phoneNumberId = first, businessAccount = '', value } of changes) {
      const key = phoneNumberId === undefined ? `business ${businessAccount}` : `number ${phoneNumberId}`;
      const share = shares.get(key) ?? { claim: claimOf(phoneNumberId, businessAccount), entries: [] };
      shares.set(key, share);
      const { externalIds } = share.claim;
      for (const { id } of objects(value.statuses).slice(0, MOST_IDS - externalIds.length))
        externalIds.push(...(textOf(id) === undefined ? [] : [textOf(id)!]));
      share.claim.recipient ??= textOf(objectOf(value.metadata)?.display_phone_number);
      const part = parts.get(share);
      if (part) part.push(change);
      else parts.set(share, [change]);
    }
    for (const [share, part] of parts) share.entries.push({ ...entry, changes: part });
  }
  const only = shares.size === 1;
  return [...shares.values()].map(({ claim, entries }) => ({
    claim,
    // Where there is nothing to take out, the bytes stay as they came.
    request: () => (only ? request : { ...request, rawBody: bodyOf(entries) }),
  }));
}

function claimOf(phoneNumberId: string | undefined, businessAccount: string): Share['claim'] {
  return phoneNumberId === undefined
    ? { credential: { name: 'business_account_id', value: businessAccount }, externalIds: [] }
    : { account: phoneNumberId, externalIds: [] };
}

/** Each report, message and error of a webhook as a webhook of its own, and each change that has none. */
export function* piecesOf(request: CallbackRequest): Iterable<CallbackRequest> {
  const all = entriesOf(request) ?? [];
  const changes = all.flatMap((entry) => objects(entry.changes).map((change) => ({ entry, change })));
  const count = (value: Json): number =>
    Math.max(
      1,
      LISTS.reduce((sum, list) => sum + objects(value[list]).length, 0),
    );
  if (changes.reduce((sum, { change }) => sum + count(objectOf(change.value) ?? {}), 0) <= 1) return yield request;
  for (const { entry, change } of changes) {
    const piece = (value: Json): CallbackRequest => ({
      ...request,
      rawBody: bodyOf([{ ...entry, changes: [{ ...change, value }] }]),
    });
    const { contacts, statuses, messages, errors, ...rest } = objectOf(change.value) ?? {};
    const lists = { statuses, messages, errors };
    const people = objects(contacts);
    const byId = new Map(people.map((person) => [textOf(person.wa_id), person]));
    if (LISTS.every((list) => objects(lists[list]).length === 0)) yield piece(objectOf(change.value) ?? {});
    for (const list of LISTS) {
      for (const item of objects(lists[list])) {
        const person = byId.get(textOf(item.from) ?? textOf(item.recipient_id)) ?? people[0];
        yield piece({ ...rest, ...(person && { contacts: [person] }), [list]: [item] });
      }
    }
  }
}

function bodyOf(entry: readonly Json[]): Buffer {
  return Buffer.from(JSON.stringify({ object: 'whatsapp_business_account', entry }));
}

/** The members of an array that are objects; none when it is no array. */
export function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(objectOf).filter((item) => item !== undefined) : [];
}

export function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** Milliseconds since the epoch of a time stamp in seconds, which Meta writes as a text; null when it is none. */
export function timeOf(value: unknown): number | null {
  const text = textOf(value);
  return text !== undefined && /^\d{9,11}$/.test(text) ? Number(text) * 1000 : null;
}
