import type { CallbackDefinition, CallbackRequest, InboundEvent, NormalizedEvent } from '../../contracts/callback';
import type { ErrorRow } from '../../contracts/gateway-error';
import { rowOf } from '../../contracts/provider-answer';
import type { FormField } from '../../../kernel/form';
import { formValue } from '../../../kernel/form';
import { storableText } from '../../../kernel/storable-text';
import { formFields, verifyTwilio } from './twilio.signature';
import { TWILIO_STATUSES, twilioError } from './twilio.vocabulary';

/** What differs between the channels that Twilio reports about. */
export interface TwilioReports {
  errors: Readonly<Record<string, ErrorRow>>;
  /** What comes before each number, and is no part of it. */
  prefix?: string;
  /** Further fields of an inbound message, for its detail. */
  describe?: (value: (name: string) => string | undefined) => Record<string, unknown>;
}

function parseStatus({ errors }: TwilioReports, request: CallbackRequest): NormalizedEvent[] {
  const fields = fieldsOf(request);
  const sid = formValue(fields, 'MessageSid') ?? formValue(fields, 'SmsSid');
  const word = formValue(fields, 'MessageStatus') ?? formValue(fields, 'SmsStatus');
  if (!sid || !word) throw new Error('Twilio: the status callback has no MessageSid or no MessageStatus');
  const messageId = request.query.get('message_id');
  const event = {
    // Not I-Twilio-Idempotency-Token: only the fields are signed, and the fact is the message reaching the status.
    eventId: `${sid}:${word}`,
    externalId: sid,
    ...(messageId !== null && { messageId }),
    occurredAt: null,
    rawWord: word,
  };
  const status = rowOf(TWILIO_STATUSES, word);
  if (status === null) return [{ kind: 'ignored', ...event }];
  const code = formValue(fields, 'ErrorCode');
  return [
    {
      kind: 'status',
      ...event,
      status: status ?? null,
      ...(code && code !== '0' && { error: twilioError(errors, code) }),
    },
  ];
}

function parseInbound({ prefix = '', describe }: TwilioReports, request: CallbackRequest): InboundEvent[] {
  const fields = fieldsOf(request);
  const value = (name: string): string | undefined => formValue(fields, name);
  const sid = value('MessageSid') ?? value('SmsMessageSid') ?? value('SmsSid');
  const from = value('From');
  const to = value('To');
  if (!sid || !from || !to) throw new Error('Twilio: the inbound message has no MessageSid, From or To');
  const media = fields
    .filter(([name]) => /^MediaUrl\d+$/.test(name))
    .map(([name, url]) => ({ url, content_type: value(`MediaContentType${name.slice(8)}`) ?? null }));
  const optOut = value('OptOutType');
  const segments = Number(value('NumSegments'));
  return [
    {
      kind: 'inbound',
      eventId: sid,
      externalId: sid,
      occurredAt: null,
      rawWord: 'received',
      from: withoutPrefix(from, prefix),
      to: withoutPrefix(to, prefix),
      text: value('Body') ?? '',
      detail: {
        ...(media.length > 0 && { media }),
        ...(optOut && { opt_out_type: optOut }),
        ...(segments > 0 && { segments }),
        ...describe?.(value),
      },
    },
  ];
}

function withoutPrefix(address: string, prefix: string): string {
  return address.startsWith(prefix) ? address.slice(prefix.length) : address;
}

/** For a GET the fields are in the query. */
function fieldsOf(request: CallbackRequest): FormField[] {
  const fields = request.method === 'GET' ? [...request.query] : formFields(request);
  return fields.map(([name, value]) => [name, storableText(value)] as const);
}

/** @param recipientOf whom a message from a person is to */
const callback = (
  parse: CallbackDefinition['parse'],
  recipientOf: (fields: readonly FormField[]) => string | undefined,
): CallbackDefinition => ({
  authentication: 'signature',
  scheme: 'X-Twilio-Signature, HMAC-SHA1 under the auth token: https://www.twilio.com/docs/usage/security',
  locate(request) {
    const fields = fieldsOf(request);
    const account = formValue(fields, 'AccountSid');
    const sid = formValue(fields, 'MessageSid') ?? formValue(fields, 'SmsSid');
    const recipient = recipientOf(fields);
    return { ...(account && { account }), ...(sid && { externalIds: [sid] }), ...(recipient && { recipient }) };
  },
  verify: verifyTwilio,
  parse,
  // Empty TwiML: for an inbound message it means "no reply", for a status it is not read.
  answer: { status: 200, contentType: 'text/xml', body: '<Response></Response>' },
});

/** How Twilio reports about the messages of one channel. */
export function twilioCallbacks(reports: TwilioReports): { status: CallbackDefinition; inbound: CallbackDefinition } {
  return {
    status: callback(
      (request) => parseStatus(reports, request),
      () => undefined,
    ),
    inbound: callback(
      (request) => parseInbound(reports, request),
      (fields) => withoutPrefix(formValue(fields, 'To') ?? '', reports.prefix ?? ''),
    ),
  };
}
