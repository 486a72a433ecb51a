import { createHash } from 'node:crypto';
import type {
  CallbackDefinition,
  CallbackRequest,
  IgnoredEvent,
  NormalizedEvent,
  StatusEvent,
} from '../../../gateway/contracts/callback';
import { rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import { canonicalJson } from '../../../kernel/canonical-json';
import { inboundEvent } from './meta-cloud.inbound';
import {
  changesOf,
  objectOf,
  objects,
  piecesOf,
  sharesOf,
  timeOf,
  type Json,
  type MetaChange,
} from './meta-cloud.payload';
import { answerMetaChallenge, verifyMeta } from './meta-cloud.signature';
import { META_STATUSES, metaError } from './meta-cloud.vocabulary';

const MESSAGE_ID = /^msg_[a-z0-9_]{1,36}$/;

function parse(request: CallbackRequest): NormalizedEvent[] {
  const changes = changesOf(request);
  if (changes === undefined) throw new Error('Meta: the body is no webhook of a WhatsApp business account');
  return changes.flatMap(eventsOf);
}

function eventsOf(change: MetaChange): NormalizedEvent[] {
  // Other fields tell of the account, of templates, or repeat what the business itself wrote on a phone (message echoes).
  if (change.field !== 'messages') return [ignored(change, change.field || 'unknown', change.value)];
  const events = [
    ...objects(change.value.statuses).map(statusEvent),
    ...objects(change.value.messages).map((message) => inboundEvent(message, change)),
    ...objects(change.value.errors).map((error) => ignored(change, 'error', error)),
  ];
  return events.length > 0 ? events : [ignored(change, 'messages', change.value)];
}

function statusEvent(status: Json): StatusEvent | IgnoredEvent {
  const id = textOf(status.id);
  const word = textOf(status.status);
  if (!id || !word) throw new Error('Meta: a status has no id or no word');
  const ours = textOf(status.biz_opaque_callback_data);
  // In a group each member reports for himself.
  const member = textOf(status.group_id) && (textOf(status.recipient_participant_id) ?? textOf(status.recipient_id));
  const event = {
    // Meta gives its reports no id: the fact is the message reaching the status.
    eventId: [id, word, ...(member ? [member] : [])].join(':'),
    externalId: id,
    ...(ours !== undefined && MESSAGE_ID.test(ours) && { messageId: ours }),
    occurredAt: timeOf(status.timestamp),
    rawWord: word,
  };
  const known = rowOf(META_STATUSES, word);
  if (known === null) return { kind: 'ignored', ...event };
  const error = objects(status.errors)[0];
  const code = textOf(error?.code);
  return {
    kind: 'status',
    ...event,
    status: known ?? null,
    ...(code !== undefined && {
      error: metaError(code, textOf(objectOf(error!.error_data)?.details) ?? titleOf(error!)),
    }),
  };
}

function titleOf(error: Json): string | undefined {
  return textOf(error.title) ?? textOf(error.message);
}

function ignored(change: MetaChange, rawWord: string, value: Json): IgnoredEvent {
  const fact = canonicalJson([change.businessAccount, change.phoneNumberId, change.field, change.time, value]);
  const id = textOf(value.id) ?? textOf(objects(value.message_echoes)[0]?.id);
  return {
    kind: 'ignored',
    eventId: `${rawWord}:${createHash('sha256').update(fact).digest('hex')}`,
    ...(id !== undefined && { externalId: id }),
    occurredAt: timeOf(change.time),
    rawWord,
  };
}

/** Meta knows one URL for everything, so each kind takes everything. */
export const metaCallback: CallbackDefinition = {
  authentication: 'signature',
  scheme:
    'X-Hub-Signature-256, HMAC-SHA256 of the raw body under the app secret: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint',
  locate(request) {
    const changes = changesOf(request) ?? [];
    const account = changes.find((change) => change.phoneNumberId !== undefined)?.phoneNumberId;
    const externalIds = changes.flatMap(({ value }) =>
      [...objects(value.statuses), ...objects(value.messages), ...objects(value.message_echoes)].flatMap(
        ({ id }) => textOf(id) ?? [],
      ),
    );
    return { ...(account !== undefined && { account }), ...(externalIds.length > 0 && { externalIds }) };
  },
  split: sharesOf,
  verify: verifyMeta,
  pieces: piecesOf,
  parse,
  challenge: answerMetaChallenge,
  answer: { status: 200 },
};
