import type { CallbackRequest } from '../../../gateway/contracts/callback';
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

/** Every change in a webhook; undefined when the body is not one. Does not throw. */
export function changesOf(request: CallbackRequest): MetaChange[] | undefined {
  const body = jsonObject(request.rawBody);
  if (body?.object !== 'whatsapp_business_account' || !Array.isArray(body.entry)) return undefined;
  return objects(body.entry).flatMap((entry) =>
    objects(entry.changes).map((change) => {
      const value = objectOf(change.value) ?? {};
      return {
        businessAccount: textOf(entry.id),
        phoneNumberId: textOf(objectOf(value.metadata)?.phone_number_id),
        field: textOf(change.field) ?? '',
        value,
        time: entry.time,
      };
    }),
  );
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
