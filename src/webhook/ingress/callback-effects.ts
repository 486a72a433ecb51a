import { Injectable } from '@nestjs/common';
import type { EngagementEvent, InboundEvent, NormalizedEvent } from '../../gateway/contracts/callback';
import { ProviderRegistry } from '../../gateway/provider-registry';
import type { Channel } from '../../kernel/channel';
import { arrivedParameters } from '../../messaging/inbound/inbound-statements';
import { InboundWriter, type InboundOutcome, type ReceivedInbound } from '../../messaging/inbound/inbound-writer';
import { EngagementWriter } from '../../messaging/record/engagement-writer';
import { optOutWord } from '../../messaging/suppression/opt-out-words';
import {
  isPhoneChannel,
  maySuppress,
  suppressedAddress,
  type NewSuppression,
  type SuppressionReason,
} from '../../messaging/suppression/suppression';
import { SuppressionDirectory } from '../../messaging/suppression/suppression-directory';
import { feedSuppressions, restoreRecipient } from '../../messaging/suppression/suppression-statements';
import type { Transaction } from '../../platform/database/database';
import { PersonHashes } from '../../tenancy/person-hashes';
import type { ReceivedEvent } from './received-event';

/** A callback with more to it than a status, and the message that it is about as far as it is known. */
export interface EffectfulCallback {
  clientId: string;
  configId: string;
  /** Provider key. */
  provider: string;
  event: NormalizedEvent;
  messageId: string | null;
  /** Milliseconds since the epoch. */
  receivedAt: number;
  /** It came before its message was known; what needs no message was done then. */
  again?: boolean;
}

/** What became of callbacks. */
export interface CallbackOutcome {
  /** One a callback: whether the message that it is about, or the number that it came to, is there and is the tenant's. */
  known: boolean[];
  /** What came from people, if anything did. */
  inbound?: InboundOutcome;
  /** Who is on a list now, for {@link CallbackEffects.committed}. */
  suppressed: NewSuppression[];
}

/** What callbacks lead to besides a status. Each comes here once: its key was taken in the same transaction. */
@Injectable()
export class CallbackEffects {
  constructor(
    private readonly engagement: EngagementWriter,
    private readonly providers: ProviderRegistry,
    private readonly suppressions: SuppressionDirectory,
    private readonly inbound: InboundWriter,
    private readonly hashes: PersonHashes,
  ) {}

  /** Whether a callback is a whole message from a person, who wants nothing but to be read. */
  isPlainMessage({ event, provider }: ReceivedEvent): boolean {
    if (event?.kind !== 'inbound' || (event.part !== undefined && event.part.total > 1) || event.to === '')
      return false;
    const channel = this.providers.get(provider)?.channel;
    return channel !== undefined && isPhoneChannel(channel) && optOutOf(event) === undefined;
  }

  /** What the statement that stores plain messages wants to know of them. */
  messageParameters(received: readonly ReceivedEvent[]): unknown[] {
    return arrivedParameters(this.inbound.prepare(received as readonly ReceivedInbound[]));
  }

  async applyIn(tx: Transaction, callbacks: readonly EffectfulCallback[]): Promise<CallbackOutcome> {
    const engaged = callbacks.filter(({ event, messageId }) => event.kind === 'engagement' && messageId !== null);
    const found = await this.engagement.applyIn(
      tx,
      engaged.map(({ clientId, provider, event, messageId, receivedAt }) => ({
        messageId: messageId!,
        clientId,
        gateway: provider,
        event: event as EngagementEvent,
        occurredAt: timeOf(event, receivedAt),
      })),
    );
    const messages = new Map(engaged.map((callback, index) => [callback, found[index]]));
    const suppressed: NewSuppression[] = [];
    let entered = 0;
    for (const callback of callbacks) {
      const channel = this.providers.get(callback.provider)?.channel;
      if (channel === undefined) continue;
      const { event, clientId } = callback;
      const unwanted =
        event.kind === 'inbound'
          ? unwantedBySender(callback, channel, event)
          : unwantedByEngagement(callback, channel, messages.get(callback)?.recipient);
      const back = event.kind === 'inbound' ? wantedAgain(channel, event) : undefined;
      if (unwanted) suppressed.push(unwanted);
      if (!back) continue;
      // In their order: whoever writes STOP and START means the last of them.
      await feedSuppressions(tx, suppressed.slice(entered));
      entered = suppressed.length;
      const hash = await this.hashes.known(clientId);
      const spellings = [back.recipient, ...(hash ? [hash(back.recipient)] : [])];
      await restoreRecipient(tx, clientId, channel, spellings, back.reason);
    }
    await feedSuppressions(tx, suppressed.slice(entered));
    const fromPeople = callbacks.filter(isFromPerson);
    // Last, as it takes the locks of numbers, which others wait for.
    const inbound = fromPeople.length > 0 ? await this.inbound.writeIn(tx, fromPeople) : undefined;
    const matched = new Map(
      fromPeople.map((callback, index) => [callback as EffectfulCallback, inbound!.known[index]]),
    );
    const known = callbacks.map((callback) => matched.get(callback) ?? messages.get(callback) !== undefined);
    return { known, suppressed, ...(inbound && { inbound }) };
  }

  /**
   * A message from a person that came before: its place, where its number is the tenant's by now. What the person wants was heeded then.
   * @returns `known` empty when there is no such message (any more)
   */
  placeIn(tx: Transaction, callback: ReceivedInbound): Promise<CallbackOutcome> {
    return this.inbound.placeIn(tx, callback).then((inbound) => ({ known: inbound.known, suppressed: [], inbound }));
  }

  /** Call after plain messages are committed. */
  messagesCommitted(clientIds: Set<string>, numberIds: Set<string>): void {
    this.inbound.committed({ known: [], clientIds, numberIds, unmatched: new Set(), alerted: [] });
  }

  /**
   * Call after the commit: what the tenant sends next from this process knows of it before the other processes hear of it, and messages from people
   * go on to those that they are for.
   */
  committed({ suppressed, inbound }: Pick<CallbackOutcome, 'suppressed' | 'inbound'>): void {
    for (const { clientId, channel, recipient } of suppressed) this.suppressions.added(clientId, channel, recipient);
    if (inbound) this.inbound.committed(inbound);
  }
}

function isFromPerson(callback: EffectfulCallback): callback is EffectfulCallback & ReceivedInbound {
  return callback.event.kind === 'inbound' && callback.again !== true;
}

/** STOP of a person, by the provider's own reading where it has one. The wish holds for all that the tenant sends by the channel. */
function unwantedBySender(
  { clientId }: EffectfulCallback,
  channel: Channel,
  event: InboundEvent,
): NewSuppression | undefined {
  if (!isPhoneChannel(channel) || optOutOf(event) !== 'stop') return undefined;
  const recipient = suppressedAddress(channel, event.from);
  const detail = event.text.trim().slice(0, 100);
  return recipient === null ? undefined : { clientId, channel, recipient, reason: 'stop', source: 'inbound', detail };
}

/** START of a person; and whoever writes to a bot has it blocked no more. */
function wantedAgain(
  channel: Channel,
  event: InboundEvent,
): { recipient: string; reason: SuppressionReason } | undefined {
  const recipient = suppressedAddress(channel, event.from);
  if (recipient === null) return undefined;
  if (channel === 'telegram') return { recipient, reason: 'unsubscribe' };
  return isPhoneChannel(channel) && optOutOf(event) === 'start' ? { recipient, reason: 'stop' } : undefined;
}

function optOutOf(event: InboundEvent): 'stop' | 'start' | undefined {
  const type = event.detail?.opt_out_type;
  if (typeof type === 'string') {
    const word = type.toLowerCase();
    return word === 'stop' || word === 'start' ? word : undefined;
  }
  return event.part === undefined || event.part.total === 1 ? optOutWord(event.text) : undefined;
}

/**
 * Whom an engagement puts on the list. A person that the provider names is put there at once, also when the message is not known (yet); where it
 * names nobody, it is the recipient of the message.
 */
function unwantedByEngagement(
  { clientId, event, messageId, again }: EffectfulCallback,
  channel: Channel,
  recipient: string | undefined,
): NewSuppression | undefined {
  if (event.kind !== 'engagement' || (again && event.recipient !== undefined)) return undefined;
  const reason =
    event.type === 'complained'
      ? 'complaint'
      : event.type === 'unsubscribed'
        ? 'unsubscribe'
        : event.type === 'bounced' && event.bounceType === 'hard'
          ? 'hard_bounce'
          : undefined;
  const address = suppressedAddress(channel, event.recipient ?? recipient ?? '');
  if (reason === undefined || address === null) return undefined;
  const detail = typeof event.detail?.reason === 'string' ? event.detail.reason.slice(0, 255) : event.rawWord;
  return {
    clientId,
    channel,
    recipient: address,
    reason,
    source: 'provider',
    detail,
    messageId: recipient === undefined ? null : messageId,
  };
}

/** Whether a callback is one for {@link CallbackEffects}. */
export function hasEffects(event: NormalizedEvent | null): event is EngagementEvent | InboundEvent {
  return event?.kind === 'engagement' || event?.kind === 'inbound';
}

/** Whether a callback changes more than messages, in one transaction with them: that takes the longer way. */
export function takesLongWay(event: NormalizedEvent | null): boolean {
  return hasEffects(event) || (event?.kind === 'status' && maySuppress(event.error?.code));
}

/** The provider's clock, where it is one. */
function timeOf(event: NormalizedEvent, receivedAt: number): number {
  const at = event.occurredAt;
  return at !== null && Math.abs(at) <= 8.64e15 ? at : receivedAt;
}
