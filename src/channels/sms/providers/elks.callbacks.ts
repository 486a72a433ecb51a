import type {
  CallbackDefinition,
  CallbackRequest,
  InboundEvent,
  NormalizedEvent,
} from '../../../gateway/contracts/callback';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import { verifyUrlToken } from '../../../gateway/contracts/url-token';
import { decodeForm, formValue } from '../../../kernel/form';
import { readNationalNumber, withCallingCode } from '../../../kernel/phone-number';
import { storableText } from '../../../kernel/storable-text';
import { ELKS_STATUSES } from './elks.vocabulary';

type Values = (name: string) => string | undefined;

function valuesOf(request: CallbackRequest): Values {
  const fields = decodeForm(request.rawBody.toString('utf8'));
  return (name) => {
    const value = formValue(fields, name);
    return value === undefined ? undefined : storableText(value);
  };
}

function parseStatus(request: CallbackRequest): NormalizedEvent[] {
  const value = valuesOf(request);
  const id = value('id');
  const word = value('status');
  if (!id || !word) throw new Error('46elks: the delivery report has no id or no status');
  const messageId = request.query.get('message_id');
  const status = rowOf(ELKS_STATUSES, word) ?? null;
  return [
    {
      kind: 'status',
      eventId: `${id}:${word}`,
      externalId: id,
      ...(messageId && { messageId }),
      occurredAt: elksTime(value('delivered')),
      rawWord: word,
      status,
      // Quirk: a failure carries no reason (46elks.com/docs/sms-delivery-reports, 2026-11).
      ...(status === 'undelivered' && { error: NOT_DELIVERED }),
    },
  ];
}

/** What is known of a message that 46elks reports as failed. */
export const NOT_DELIVERED = {
  class: 'transient',
  code: 'not_delivered',
  message: 'The network did not deliver the message; 46elks gives no reason',
} as const;

function parseInbound(request: CallbackRequest, settings: Readonly<Record<string, unknown>> = {}): InboundEvent[] {
  const value = valuesOf(request);
  const id = value('id');
  const from = value('from');
  const to = value('to');
  if (!id || !from || !to) throw new Error('46elks: the inbound message has no id, from or to');
  return [
    {
      kind: 'inbound',
      eventId: id,
      externalId: id,
      occurredAt: elksTime(value('created')),
      rawWord: value('direction') || 'incoming',
      from: international(from, settings.default_country_code),
      to: international(to, settings.default_country_code),
      text: value('message') ?? '',
    },
  ];
}

/** E.164, as 46elks writes numbers; one in national form is completed. Names and short codes stay as they are. */
function international(address: string, callingCode: unknown): string {
  const national = typeof callingCode === 'string' ? readNationalNumber(address) : undefined;
  return (national !== undefined && withCallingCode(national, callingCode as string)) || address;
}

/** Quirk: times are UTC, in ISO form without a zone (46elks.com/docs/show-sms-id, 2026-11). Null when there is none. */
export function elksTime(text: string | undefined): number | null {
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?Z?$/.exec(text ?? '');
  const at = match ? Date.parse(`${match[1]}T${match[2]}${(match[3] ?? '').slice(0, 4)}Z`) : NaN;
  return Number.isNaN(at) ? null : at;
}

/** @param recipientField names whom a message from a person is to */
const callback = (parse: CallbackDefinition['parse'], recipientField?: string): CallbackDefinition => ({
  authentication: 'url_token',
  scheme:
    'Not signed: the token in the URL. Addresses to let in at a firewall: https://46elks.com/docs/verify-callback-origin',
  locate(request) {
    const value = valuesOf(request);
    const id = value('id');
    const recipient = recipientField === undefined ? undefined : value(recipientField);
    return { ...(id && { externalIds: [id] }), ...(recipient && { recipient }) };
  },
  unaddressed: true,
  verify: verifyUrlToken,
  parse,
  // Quirk: a body would be sent back as an SMS reply, so there is none; anything but 200 to 204 is tried again (46elks.com/docs/receive-sms, 2026-11).
  answer: { status: 200 },
});

export const elksStatus = callback(parseStatus);
export const elksInbound = callback(parseInbound, 'to');
