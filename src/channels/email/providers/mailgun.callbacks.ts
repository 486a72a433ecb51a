import type {
  BounceType,
  CallbackDefinition,
  CallbackRequest,
  EngagementType,
  NormalizedEvent,
} from '../../../gateway/contracts/callback';
import { jsonObject, rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import { engagement, MESSAGE_ID_VARIABLE, RECIPIENT_VARIABLE, recipientStatus, type EventFacts } from '../email-events';
import { verifyMailgun } from './mailgun.signature';
import { MAILGUN_ERRORS, MAILGUN_STATUSES, mailgunError } from './mailgun.vocabulary';

type Json = Record<string, unknown>;

const ENGAGEMENTS: Readonly<Record<string, EngagementType>> = Object.freeze({
  opened: 'opened',
  clicked: 'clicked',
  complained: 'complained',
  unsubscribed: 'unsubscribed',
});

function parse(request: CallbackRequest): NormalizedEvent[] {
  const data = eventData(request);
  if (!data) throw new Error('Mailgun: the callback has no event-data');
  return readMailgunEvent(data);
}

/** What one event says, of a callback or of the events API. @throws Error when it is none */
export function readMailgunEvent(data: Json): NormalizedEvent[] {
  const name = textOf(data.event);
  if (!name) throw new Error('Mailgun: an event has no name');
  const word = name === 'failed' ? `${textOf(data.severity) === 'temporary' ? 'temporary' : 'permanent'}_fail` : name;
  const facts = factsOf(data, word);
  const recipient = textOf(data.recipient) || undefined;
  const did = rowOf(ENGAGEMENTS, word);
  if (did) return [engagement(facts, did, { recipient, machine: isMachine(data), detail: detailOf(data) })];
  const status = rowOf(MAILGUN_STATUSES, word);
  if (status === null) return [{ kind: 'ignored', ...facts }];
  const primary = textOf(member(data, 'user-variables')[RECIPIENT_VARIABLE]);
  const error = errorOf(data, word);
  const reported = recipientStatus(facts, recipient, primary, { status: status ?? null, ...(error && { error }) });
  const bounceType = bounceTypeOf(data, word);
  if (!bounceType) return [reported];
  const delivery = member(data, 'delivery-status');
  const detail = { reason: textOf(delivery.message) || textOf(delivery.description) || textOf(data.reason) };
  return [reported, engagement(facts, 'bounced', { recipient, bounceType, detail, suffix: ':bounced' })];
}

function factsOf(data: Json, word: string): EventFacts {
  const externalId = mailgunMessageId(textOf(member(member(data, 'message'), 'headers')['message-id']));
  const messageId = textOf(member(data, 'user-variables')[MESSAGE_ID_VARIABLE]);
  const seconds = Number(textOf(data.timestamp));
  const occurredAt = seconds > 0 ? Math.round(seconds * 1000) : null;
  const id = textOf(data.id);
  if (!id) throw new Error('Mailgun: an event has no id');
  // Quirk: ids are unique within a day only (documentation.mailgun.com, events, 2026-11).
  const day = occurredAt === null ? '' : `/${Math.floor(occurredAt / 86_400_000)}`;
  return {
    eventId: id + day,
    ...(externalId && { externalId }),
    ...(messageId && { messageId }),
    occurredAt,
    rawWord: word,
  };
}

/** Quirk: the answer to a send has the id in angle brackets, events have it without (documentation.mailgun.com, 2026-11). */
export function mailgunMessageId(id: string | undefined): string | undefined {
  return id?.trim().replace(/^<(.*)>$/s, '$1') || undefined;
}

function isMachine(data: Json): boolean {
  const bot = member(data, 'client-info').bot;
  return bot === true || (typeof bot === 'string' && bot !== '');
}

function detailOf(data: Json): Json {
  return { url: textOf(data.url), ip: textOf(data.ip), user_agent: textOf(member(data, 'client-info')['user-agent']) };
}

/** The enhanced status code, such as 5.1.1; Mailgun gives it as a member or within the message. */
function enhancedCode(delivery: Json): string | undefined {
  const said = [textOf(delivery['enhanced-code']), textOf(delivery['bounce-code']), textOf(delivery.message)];
  return said.map((text) => /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(text ?? '')?.[0]).find((code) => code !== undefined);
}

/** Undefined when nothing came back: the mail was accepted, or Mailgun never tried since the recipient had unsubscribed or complained. */
function bounceTypeOf(data: Json, word: string): BounceType | undefined {
  if (word === 'temporary_fail') return 'soft';
  if (word !== 'permanent_fail') return undefined;
  const delivery = member(data, 'delivery-status');
  const reason = textOf(data.reason);
  const code = textOf(delivery.code);
  if (reason === 'suppress-unsubscribe' || reason === 'suppress-complaint' || code === '607') return undefined;
  if (reason === 'old' || code === '499') return 'soft';
  if (reason === 'espblock' || enhancedCode(delivery)?.startsWith('5.7.')) return 'blocked';
  return textOf(delivery['bounce-type']) === 'soft' ? 'soft' : 'hard';
}

function errorOf(data: Json, word: string) {
  if (word === 'rejected') {
    const reject = member(data, 'reject');
    const reason = textOf(reject.reason) ?? 'rejected';
    return mailgunError(
      /not allowed to send|test purposes only/i.test(reason) ? 'is not allowed to send' : reason,
      textOf(reject.description) || reason,
      reason,
    );
  }
  if (word !== 'permanent_fail') return undefined;
  const delivery = member(data, 'delivery-status');
  const reason = textOf(data.reason);
  const code = textOf(delivery.code);
  const text = textOf(delivery.message) || textOf(delivery.description);
  const blocked = enhancedCode(delivery)?.startsWith('5.7.') === true;
  const known = rowOf(MAILGUN_ERRORS, code) ? code! : blocked ? 'espblock' : (reason ?? 'generic');
  return mailgunError(known, text, enhancedCode(delivery) ?? code ?? known);
}

function member(of: Json, name: string): Json {
  const value = of[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function eventData(request: CallbackRequest): Json | undefined {
  const data = jsonObject(request.rawBody)?.['event-data'];
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Json) : undefined;
}

/** The domain that the mail was sent by is the part after `@` of its id. */
function locate(request: CallbackRequest): ReturnType<CallbackDefinition['locate']> {
  const data = eventData(request);
  if (!data) return {};
  const externalId = mailgunMessageId(textOf(member(member(data, 'message'), 'headers')['message-id']));
  const messageId = textOf(member(data, 'user-variables')[MESSAGE_ID_VARIABLE]);
  const account = externalId?.slice(externalId.lastIndexOf('@') + 1);
  return {
    ...(account && account !== externalId && { account }),
    ...(messageId && { messageIds: [messageId] }),
    ...(externalId && { externalIds: [externalId] }),
  };
}

/** The webhooks of a domain, which may all have one URL. */
export const mailgunEvents: CallbackDefinition = {
  authentication: 'signature',
  needsUrlToken: (credentials) => !credentials.webhook_signing_key,
  scheme:
    'HMAC-SHA256 over time stamp and token: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks',
  locate,
  unaddressed: true,
  verify: verifyMailgun,
  parse,
  answer: { status: 200 },
};
