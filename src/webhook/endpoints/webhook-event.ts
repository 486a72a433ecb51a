/** An event as it is handed to a client, by webhook or by the feed. */
export interface OutgoingEvent {
  id: string;
  type: string;
  /** RFC 3339. */
  createdAt: string;
  /** JSON text of the data, as PostgreSQL writes it. */
  data: string;
}

export const WEBHOOK_FORMATS = ['json', 'form'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

export const CONTENT_TYPES: Readonly<Record<WebhookFormat, string>> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
};

/** The body of a delivery. The data is already JSON, so it is put in as it is. */
export function webhookBody(event: OutgoingEvent, format: WebhookFormat): string {
  if (format === 'form') return formBody(event);
  return `{"event":${JSON.stringify(event.type)},"data":${event.data},"id":${JSON.stringify(event.id)},"created_at":"${event.createdAt}"}`;
}

const OWN_FIELDS = new Set(['event', 'id', 'created_at']);

/**
 * The same, flat: `event`, `id`, `created_at`, then the fields of `data` by their own names. A value that is an object or a list is JSON text, null is
 * empty, and a field of `data` that is called like one of the first three becomes `data_<name>`.
 */
function formBody(event: OutgoingEvent): string {
  const form = new URLSearchParams({ event: event.type, id: event.id, created_at: event.createdAt });
  for (const [name, value] of Object.entries(JSON.parse(event.data) as Record<string, unknown>)) {
    const text = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
    form.append(OWN_FIELDS.has(name) ? `data_${name}` : name, text);
  }
  return form.toString();
}
