import { createHash } from 'node:crypto';
import type {
  BounceType,
  CallbackDefinition,
  CallbackRequest,
  EngagementType,
  NormalizedEvent,
} from '../../../gateway/contracts/callback';
import { rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import { engagement, MESSAGE_ID_VARIABLE, RECIPIENT_VARIABLE, recipientStatus, type EventFacts } from '../email-events';
import { verifySendgrid } from './sendgrid.signature';
import { SENDGRID_ERRORS, SENDGRID_STATUSES, sendgridError } from './sendgrid.vocabulary';

type Event = Record<string, unknown>;

/** No id has so many. */
const MOST_PARTS = 8;

const ENGAGEMENTS: Readonly<Record<string, EngagementType>> = Object.freeze({
  open: 'opened',
  click: 'clicked',
  spamreport: 'complained',
  unsubscribe: 'unsubscribed',
  group_unsubscribe: 'unsubscribed',
});

function parse(request: CallbackRequest): NormalizedEvent[] {
  return eventsOf(request).flatMap((event) => {
    const word = textOf(event.event);
    if (!word) throw new Error('SendGrid: an event has no name');
    return read(event, word);
  });
}

function read(event: Event, word: string): NormalizedEvent[] {
  const facts = factsOf(event, word);
  const recipient = textOf(event.email) || undefined;
  const did = rowOf(ENGAGEMENTS, word);
  if (did) {
    // Only what is true counts: the field comes with opens that a proxy made, such as Apple's.
    const machine = event.sg_machine_open === true || event.sg_machine_open === 'true';
    return [engagement(facts, did, { recipient, machine, detail: detailOf(event) })];
  }
  const status = rowOf(SENDGRID_STATUSES, word);
  if (status === null) return [{ kind: 'ignored', ...facts }];
  const primary = textOf(event[RECIPIENT_VARIABLE]);
  const error = errorOf(event, word);
  const reported = recipientStatus(facts, recipient, primary, { status: status ?? null, ...(error && { error }) });
  const bounceType = word === 'deferred' ? 'soft' : word === 'bounce' ? bounceTypeOf(event) : undefined;
  if (!bounceType) return [reported];
  const detail = { reason: textOf(event.reason) ?? textOf(event.response), status: textOf(event.status) };
  return [reported, engagement(facts, 'bounced', { recipient, bounceType, detail, suffix: ':bounced' })];
}

function factsOf(event: Event, word: string): EventFacts {
  const providerId = textOf(event.sg_message_id);
  const messageId = textOf(event[MESSAGE_ID_VARIABLE]);
  const seconds = Number(textOf(event.timestamp));
  return {
    eventId: textOf(event.sg_event_id) || digestOf(event),
    ...(providerId && idsOf(providerId)),
    ...(messageId && { messageId }),
    occurredAt: seconds > 0 ? Math.round(seconds * 1000) : null,
    rawWord: word,
  };
}

/** Old events have no id of their own; what stays the same in a repeat stands for it. */
function digestOf(event: Event): string {
  const parts = ['sg_message_id', 'event', 'email', 'timestamp', 'url'].map((name) => textOf(event[name]) ?? '');
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

/**
 * `X-Message-Id` of the answer to the send, which one call has for all its recipients.
 * Quirk: `sg_message_id` is that id, a dot and where the mail went through; in old ids both have dots (twilio.com/docs/sendgrid, glossary, 2026-11).
 * Where that way is not one of those known, the id is whichever part before a dot we know.
 */
function idsOf(providerId: string): { externalId: string; idForms?: string[] } {
  const way = /\.(?:filter|recvd|geopod)[-\w]*/.exec(providerId);
  if (way !== null && way.index > 0) return { externalId: providerId.slice(0, way.index) };
  const parts = providerId.split('.');
  const forms = parts.slice(0, MOST_PARTS).map((_, index) => parts.slice(0, index + 1).join('.'));
  const idForms = [...new Set([...forms, providerId])].filter((form) => form !== '');
  return { externalId: idForms[0]!, ...(idForms.length > 1 && { idForms }) };
}

function bounceTypeOf(event: Event): BounceType {
  const type = textOf(event.type);
  if (type === 'blocked') return 'blocked';
  if (type === 'bounce') return 'hard';
  // Quirk: old payloads have no type; then the status code tells (docs of 2021).
  return textOf(event.status)?.startsWith('4') ? 'soft' : 'hard';
}

function errorOf(event: Event, word: string) {
  const reason = textOf(event.reason);
  if (word === 'dropped') return sendgridError(reason ?? 'dropped', textOf(event.message) ?? reason);
  if (word !== 'bounce') return undefined;
  const classification = textOf(event.bounce_classification);
  const known = rowOf(SENDGRID_ERRORS, classification)
    ? classification!
    : bounceTypeOf(event) === 'hard'
      ? 'bounce'
      : 'blocked';
  return sendgridError(known, reason, textOf(event.status) || known);
}

function detailOf(event: Event): Record<string, unknown> {
  return {
    url: textOf(event.url),
    ip: textOf(event.ip),
    user_agent: textOf(event.useragent),
    group_id: textOf(event.asm_group_id),
  };
}

/** @throws Error when the body is not a list of events */
function eventsOf(request: CallbackRequest): Event[] {
  const list: unknown = JSON.parse(request.rawBody.toString('utf8'));
  if (!Array.isArray(list)) throw new Error('SendGrid: the body is not a list');
  for (const event of list as unknown[]) {
    if (typeof event !== 'object' || event === null || Array.isArray(event))
      throw new Error('SendGrid: an event is no object');
  }
  return list as Event[];
}

function locate(request: CallbackRequest): ReturnType<CallbackDefinition['locate']> {
  try {
    const events = eventsOf(request);
    const ids = valuesOf(events, 'sg_message_id').map(idsOf);
    const externalIds = new Set(ids.flatMap(({ externalId, idForms }) => idForms ?? [externalId]));
    const messageIds = new Set(valuesOf(events, MESSAGE_ID_VARIABLE));
    return {
      ...(externalIds.size > 0 && { externalIds: [...externalIds] }),
      ...(messageIds.size > 0 && { messageIds: [...messageIds] }),
    };
  } catch {
    return {};
  }
}

function valuesOf(events: readonly Event[], name: string): string[] {
  return events.map((event) => textOf(event[name]) ?? '').filter((value) => value !== '');
}

/** Each event of a batch as a request of its own. */
function* pieces(request: CallbackRequest): Iterable<CallbackRequest> {
  let events: Event[];
  try {
    events = eventsOf(request);
  } catch {
    events = [];
  }
  // The bytes stay as they came where there is nothing to take apart.
  if (events.length <= 1) yield request;
  else for (const event of events) yield { ...request, rawBody: Buffer.from(JSON.stringify([event])) };
}

/** The event webhook, which has one URL for everything. */
export const sendgridEvents: CallbackDefinition = {
  authentication: 'signature',
  needsUrlToken: (credentials) => !credentials.webhook_signing_key,
  scheme:
    'Signed Event Webhook, ECDSA P-256: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features',
  locate,
  unaddressed: true,
  verify: verifySendgrid,
  pieces,
  parse,
  answer: { status: 200 },
};
