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

/**
 * The part of each number in a webhook: one app has one webhook for all business accounts that it serves. What is about a business account as a
 * whole goes with the account's first number, or alone.
 */
export function sharesOf(request: CallbackRequest): CallbackShare[] {
  const shares = new Map<string, { claim: CallbackClaim; entries: Json[] }>();
  for (const entry of entriesOf(request) ?? []) {
    const changes = objects(entry.changes);
    const numbers = changes.map((change) => changeOf(entry, change).phoneNumberId);
    const first = numbers.find((number) => number !== undefined);
    for (const number of new Set(numbers.map((one) => one ?? first))) {
      const business = textOf(entry.id) ?? '';
      const claim =
        number === undefined ? { credential: { name: 'business_account_id', value: business } } : { account: number };
      const key = JSON.stringify(claim);
      const share: { claim: CallbackClaim; entries: Json[] } = shares.get(key) ?? { claim, entries: [] };
      share.entries.push({ ...entry, changes: changes.filter((_, index) => (numbers[index] ?? first) === number) });
      shares.set(key, share);
    }
  }
  // Nothing to take out, so the bytes stay as they came.
  if (shares.size === 1) return [...shares.values()].map(({ claim }) => ({ claim, request }));
  return [...shares.values()].map(({ claim, entries }) => {
    const body = JSON.stringify({ object: 'whatsapp_business_account', entry: entries });
    return { claim, request: { ...request, rawBody: Buffer.from(body) } };
  });
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
