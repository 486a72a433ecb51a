import type { IgnoredEvent, InboundEvent } from '../../../gateway/contracts/callback';
import { textOf } from '../../../gateway/contracts/provider-answer';
import { objectOf, objects, timeOf, type Json, type MetaChange } from './meta-cloud.payload';

/** Kinds of message whose content is a file, kept at Meta for some days and fetched by its id. */
const FILE_KINDS: ReadonlySet<string> = new Set(['image', 'video', 'audio', 'document', 'sticker']);

/** What a person wrote to the business. What Meta itself says in a conversation (a number that changed) is no message. */
export function inboundEvent(message: Json, { value }: MetaChange): InboundEvent | IgnoredEvent {
  const id = textOf(message.id);
  const type = textOf(message.type) ?? 'unknown';
  if (!id) throw new Error('Meta: a message has no id');
  const event = { eventId: id, externalId: id, occurredAt: timeOf(message.timestamp) };
  if (type === 'system') return { kind: 'ignored', ...event, rawWord: 'system' };
  // Quirk: people who hide their number behind a user name come with `user_id` and without `from` (types of whatsapp-api-js, 2026-11).
  const from = textOf(message.from);
  const user = from ?? textOf(message.user_id) ?? textOf(message.from_user_id);
  const contact = objects(value.contacts).find((one) => textOf(one.wa_id) === from) ?? objects(value.contacts)[0];
  const sender = user ?? textOf(contact?.wa_id) ?? textOf(contact?.user_id);
  if (sender === undefined) throw new Error('Meta: a message has no sender');
  const to = textOf(objectOf(value.metadata)?.display_phone_number) ?? '';
  const name = textOf(objectOf(contact?.profile)?.name);
  return {
    kind: 'inbound',
    ...event,
    rawWord: type,
    from: number(sender),
    to: number(to),
    text: textIn(message, type),
    detail: { type, ...(name !== undefined && { profile_name: name }), ...detailOf(message, type) },
  };
}

/** What a person would read: the text, the caption, or the button that was pressed. */
function textIn(message: Json, type: string): string {
  const part = objectOf(message[type]);
  if (type === 'interactive') {
    const reply = replyOf(part);
    return textOf(reply?.title) ?? textOf(reply?.body) ?? '';
  }
  const name = { text: 'body', button: 'text', reaction: 'emoji', order: 'text', location: 'name' }[type] ?? 'caption';
  return textOf(part?.[name]) ?? '';
}

function detailOf(message: Json, type: string): Record<string, unknown> {
  const part = objectOf(message[type]);
  const context = objectOf(message.context);
  const referral = objectOf(message.referral);
  const errors = objects(message.errors);
  return {
    ...(FILE_KINDS.has(type) &&
      part && { media: [pick(part, { id: 'id', mime_type: 'content_type', sha256: 'sha256', filename: 'filename' })] }),
    ...(type === 'button' && part && { button: pick(part, { text: 'text', payload: 'payload' }) }),
    ...(type === 'interactive' && { reply: { type: textOf(part?.type) ?? null, ...replyOf(part) } }),
    ...((type === 'reaction' || type === 'location' || type === 'order') && part && { [type]: part }),
    ...(type === 'contacts' && { contacts: objects(message.contacts) }),
    ...(context && { context: pick(context, { id: 'message_id', from: 'from', forwarded: 'forwarded' }) }),
    ...(referral && { referral }),
    ...(errors.length > 0 && { errors }),
  };
}

/** The part that an interactive message names by its own type: `button_reply`, `list_reply`, `nfm_reply`. */
function replyOf(interactive: Json | undefined): Json | undefined {
  return objectOf(interactive?.[textOf(interactive.type) ?? '']);
}

function pick(from: Json, names: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, ours]) => (from[name] === undefined ? [] : [[ours, from[name]]])),
  );
}

/** Meta writes numbers without their `+`. */
function number(text: string): string {
  return /^\d+$/.test(text) ? `+${text}` : text;
}
