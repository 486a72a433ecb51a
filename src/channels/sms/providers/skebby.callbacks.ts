import { createHash } from 'node:crypto';
import type {
  CallbackDefinition,
  CallbackRequest,
  InboundEvent,
  NormalizedEvent,
} from '../../../gateway/contracts/callback';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { verifyUrlToken } from '../../../gateway/contracts/url-token';
import { decodeForm, formValue, type FormField } from '../../../kernel/form';
import { storableText } from '../../../kernel/storable-text';
import { errorOf, statusOf } from './skebby.vocabulary';

type Values = (name: string) => string | undefined;

// Quirk: whether reports come by GET or as a POSTed form is not documented and may be set in the panel; all forms are read (2026-11).
function valuesOf(request: CallbackRequest): Values {
  const fields: FormField[] = request.method === 'GET' ? [...request.query] : bodyFields(request);
  return (name) => {
    const value = formValue(fields, name);
    return value === undefined ? undefined : storableText(value);
  };
}

function bodyFields(request: CallbackRequest): FormField[] {
  const object = jsonObject(request.rawBody);
  if (object === undefined) return decodeForm(request.rawBody.toString('utf8'));
  return Object.entries(object).flatMap(([name, value]) => {
    const text = textOf(value);
    return text === undefined ? [] : [[name, text] as const];
  });
}

function parseStatus(request: CallbackRequest): NormalizedEvent[] {
  const value = valuesOf(request);
  const order = value('order_id');
  const word = value('status');
  if (!order || !word) throw new Error('Skebby: the delivery report has no order_id or no status');
  const status = statusOf(word);
  // Quirk: delivery_date has no documented time zone, so it is not taken for a time (2026-11).
  const event = {
    eventId: `${order}:${word}`,
    externalId: order,
    // The order id is our own message id.
    ...(order.startsWith('msg_') && { messageId: order }),
    occurredAt: null,
    rawWord: word,
  };
  if (status === null) return [{ kind: 'ignored', ...event }];
  const error = errorOf(word);
  return [{ kind: 'status', ...event, status: status ?? null, ...(error && { error }) }];
}

const REPEATS_MS = 24 * 3_600_000;

// Quirk: an inbound message has no id; equal sender, receiver, time and text are the same message (2026-11).
function parseInbound(request: CallbackRequest): InboundEvent[] {
  const value = valuesOf(request);
  const from = value('sender');
  const to = value('receiver');
  const text = value('text');
  if (!from || !to || text === undefined) {
    throw new Error('Skebby: the inbound message has no sender, receiver or text');
  }
  const stamp = value('timestamp') ?? '';
  const parts = [from, to, stamp, value('date') ?? '', value('time') ?? '', text];
  const type = value('smsType');
  return [
    {
      kind: 'inbound',
      eventId: createHash('sha256').update(JSON.stringify(parts)).digest('hex'),
      repeatsFor: REPEATS_MS,
      occurredAt: /^\d{10}$/.test(stamp) ? Number(stamp) * 1000 : /^\d{13}$/.test(stamp) ? Number(stamp) : null,
      rawWord: type || 'inbound',
      from: international(from),
      to: international(to),
      text,
      ...(type && { detail: { type } }),
    },
  ];
}

/** Numbers with and without `+` are the same; short codes and names stay as they are. */
function international(address: string): string {
  return /^[1-9]\d{8,14}$/.test(address) ? `+${address}` : address;
}

/** @param recipientField names whom a message from a person is to */
const callback = (parse: CallbackDefinition['parse'], recipientField?: string): CallbackDefinition => ({
  authentication: 'url_token',
  scheme:
    'Not signed: the token in the URL that is entered in the account’s panel (there is none a message): https://developers.skebby.it',
  locate(request) {
    const value = valuesOf(request);
    const order = value('order_id');
    const recipient = recipientField === undefined ? undefined : value(recipientField);
    return { ...(order && { externalIds: [order] }), ...(recipient && { recipient: international(recipient) }) };
  },
  unaddressed: true,
  verify: verifyUrlToken,
  parse,
  answer: { status: 200 },
});

export const skebbyStatus = callback(parseStatus);
export const skebbyInbound = callback(parseInbound, 'receiver');
