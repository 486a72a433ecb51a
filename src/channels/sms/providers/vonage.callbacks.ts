import type {
  CallbackDefinition,
  CallbackRequest,
  InboundEvent,
  NormalizedEvent,
} from '../../../gateway/contracts/callback';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import { formValue } from '../../../kernel/form';
import { storableText } from '../../../kernel/storable-text';
import { verifyVonage, vonageFields } from './vonage.signature';
import { VONAGE_STATUSES, receiptError } from './vonage.vocabulary';

type Values = (name: string) => string | undefined;

function valuesOf(request: CallbackRequest): Values {
  const fields = vonageFields(request);
  return (name) => {
    const value = formValue(fields, name);
    return value === undefined ? undefined : storableText(value);
  };
}

/** Quirk: in a receipt `msisdn` is the recipient and `to` is our sender; in an inbound message it is the other way round (2026-11). */
function parseStatus(request: CallbackRequest): NormalizedEvent[] {
  const value = valuesOf(request);
  const externalId = value('messageId') ?? value('message-id');
  const word = value('status')?.toLowerCase();
  if (!externalId || !word) throw new Error('Vonage: the delivery receipt has no messageId or no status');
  // The body is signed, the query need not be: our reference in the body goes first.
  const messageId = value('client-ref') || request.query.get('message_id');
  const event = {
    eventId: `${externalId}:${word}`,
    externalId,
    ...(messageId && { messageId }),
    occurredAt: timeOf(value('message-timestamp')),
    rawWord: word,
  };
  const status = rowOf(VONAGE_STATUSES, word);
  if (status === null) return [{ kind: 'ignored', ...event }];
  const error = receiptError(value('err-code'));
  return [{ kind: 'status', ...event, status: status ?? null, ...(error && { error }) }];
}

function parseInbound(request: CallbackRequest): InboundEvent[] {
  const value = valuesOf(request);
  const id = value('messageId') ?? value('message-id');
  const from = value('msisdn');
  const to = value('to');
  if (!id || !from || !to) throw new Error('Vonage: the inbound message has no messageId, msisdn or to');
  const type = value('type');
  const keyword = value('keyword');
  const data = value('data');
  const udh = value('udh');
  const part = partOf(value);
  return [
    {
      kind: 'inbound',
      eventId: id,
      externalId: id,
      occurredAt: timeOf(value('message-timestamp')),
      rawWord: type ?? 'text',
      from: withPlus(from),
      to: withPlus(to),
      text: value('text') ?? '',
      ...(part && { part }),
      detail: { ...(type && { type }), ...(keyword && { keyword }), ...(data && { data }), ...(udh && { udh }) },
    },
  ];
}

/** Quirk: the parts of a long inbound message come one by one, in any order, each with its own id; joining is ours (2026-11). */
function partOf(value: Values): InboundEvent['part'] {
  const reference = value('concat-ref');
  const total = Number(value('concat-total'));
  const number = Number(value('concat-part'));
  if (value('concat') !== 'true' || reference === undefined) return undefined;
  const inRange = Number.isInteger(total) && Number.isInteger(number) && number >= 1 && number <= total && total <= 255;
  return inRange ? { reference, number, total } : undefined;
}

/** Vonage writes international numbers as digits only. Short codes and names stay as they are. */
function withPlus(address: string): string {
  return /^[1-9]\d{6,14}$/.test(address) ? `+${address}` : address;
}

/** `2020-01-01 12:00:00`, with a space or a T, is UTC. */
function timeOf(text: string | undefined): number | null {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)/.exec(text ?? '');
  const at = match ? Date.parse(`${match[1]}T${match[2]}Z`) : NaN;
  return Number.isNaN(at) ? null : at;
}

/** @param recipientField names whom a message from a person is to */
const callback = (parse: CallbackDefinition['parse'], recipientField?: string): CallbackDefinition => ({
  authentication: 'signature',
  needsUrlToken: (credentials) => !credentials.signature_secret,
  scheme:
    'With a signature secret: Bearer token (JWT HS256 with payload_hash), or the sig parameter (HMAC-SHA256, HMAC-SHA512, or what signature_method names): ' +
    'https://developer.vonage.com/en/getting-started/concepts/signing-messages. Without one: the token in the URL.',
  locate(request) {
    const fields = vonageFields(request);
    const account = formValue(fields, 'api-key');
    const id = formValue(fields, 'messageId') ?? formValue(fields, 'message-id');
    const recipient = recipientField === undefined ? undefined : formValue(fields, recipientField);
    return {
      ...(account && { account }),
      ...(id && { externalIds: [id] }),
      ...(recipient && { recipient: withPlus(recipient) }),
    };
  },
  unaddressed: true,
  verify: verifyVonage,
  parse,
  answer: { status: 200 },
});

export const vonageStatus = callback(parseStatus);
export const vonageInbound = callback(parseInbound, 'to');
