import type {
  BounceType,
  EngagementEvent,
  EngagementType,
  NormalizedEvent,
  StatusEvent,
} from '../../gateway/contracts/callback';
import type { OutboundMessage } from '../../gateway/contracts/gateway';
import { emailKey } from '../../kernel/email-address';

/** Our own values that go with a mail and come back with each event of it. Names that no provider has. */
export const MESSAGE_ID_VARIABLE = 'unimsg_message_id';
/** The address whose status is the message's; only with a mail that has several recipients. */
export const RECIPIENT_VARIABLE = 'unimsg_recipient';

/** What to attach to a mail so that its events can be told apart. */
export function mailVariables(message: OutboundMessage<'email'>): Record<string, string> {
  const { to, cc, bcc } = message.content;
  const several = to.length + (cc?.length ?? 0) + (bcc?.length ?? 0) > 1;
  return { [MESSAGE_ID_VARIABLE]: message.id, ...(several && { [RECIPIENT_VARIABLE]: message.to }) };
}

/** The parts that the events of one fact share. */
export type EventFacts = Pick<StatusEvent, 'eventId' | 'externalId' | 'messageId' | 'occurredAt' | 'rawWord'>;

/**
 * A status of one recipient. A message has one status, that of its first recipient: what is said of another recipient of the same mail is
 * kept and changes nothing.
 */
export function recipientStatus(
  facts: EventFacts,
  recipient: string | undefined,
  primary: string | undefined,
  status: Pick<StatusEvent, 'status' | 'error'>,
): NormalizedEvent {
  const other = primary !== undefined && recipient !== undefined && emailKey(primary) !== emailKey(recipient);
  return other ? { kind: 'ignored', ...facts } : { kind: 'status', ...facts, ...status };
}

/** What a recipient did, whichever it was. @param suffix tells it from the status in the same provider event */
export function engagement(
  facts: EventFacts,
  type: EngagementType,
  more: {
    recipient?: string | undefined;
    machine?: boolean;
    bounceType?: BounceType;
    detail?: Record<string, unknown>;
    suffix?: string;
  },
): EngagementEvent {
  const { recipient, machine, bounceType, detail = {}, suffix = '' } = more;
  const known = Object.fromEntries(Object.entries(detail).filter(([, value]) => value !== undefined));
  return {
    kind: 'engagement',
    ...facts,
    eventId: `${facts.eventId}${suffix}`,
    type,
    ...(machine === true && { machine }),
    ...(bounceType && { bounceType }),
    ...(recipient !== undefined && { recipient }),
    ...(Object.keys(known).length > 0 && { detail: known }),
  };
}
