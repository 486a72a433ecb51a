import { Injectable } from '@nestjs/common';
import type { EngagementEvent, InboundEvent, NormalizedEvent } from '../../gateway/contracts/callback';
import { ProviderRegistry } from '../../gateway/provider-registry';
import type { Channel } from '../../kernel/channel';
import { EngagementWriter } from '../../messaging/record/engagement-writer';
import { optOutWord } from '../../messaging/suppression/opt-out-words';
import {
  isPhoneChannel,
  maySuppress,
  suppressedAddress,
  type NewSuppression,
} from '../../messaging/suppression/suppression';
import { SuppressionDirectory } from '../../messaging/suppression/suppression-directory';
import { feedSuppressions, restoreRecipient } from '../../messaging/suppression/suppression-statements';
import type { Transaction } from '../../platform/database/database';

/** A callback with more to it than a status, and the message that it is about as far as it is known. */
export interface EffectfulCallback {
  clientId: string;
  /** Provider key. */
  provider: string;
  event: NormalizedEvent;
  messageId: string | null;
  /** Milliseconds since the epoch. */
  receivedAt: number;
}

/** What callbacks lead to besides a status. Each comes here once: its key was taken in the same transaction. */
@Injectable()
export class CallbackEffects {
  constructor(
    private readonly engagement: EngagementWriter,
    private readonly providers: ProviderRegistry,
    private readonly suppressions: SuppressionDirectory,
  ) {}

  /** Call after the commit: what the tenant sends next from this process knows of a STOP before the other processes hear of it. */
  committed(
    callbacks: ReadonlyArray<Pick<EffectfulCallback, 'clientId' | 'provider'> & { event: NormalizedEvent | null }>,
  ): void {
    for (const { clientId, provider, event } of callbacks) {
      const wish = event?.kind === 'inbound' ? this.wishOf(provider, event) : undefined;
      if (wish?.word === 'stop') this.suppressions.added(clientId, wish.channel, wish.recipient);
    }
  }

  /** Answers one a callback: whether its message is there and is the tenant's. */
  async applyIn(tx: Transaction, callbacks: readonly EffectfulCallback[]): Promise<boolean[]> {
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
    for (const callback of callbacks)
      if (callback.event.kind === 'inbound') await this.applyOptOut(tx, callback, callback.event);
    const messages = new Map(engaged.map((callback, index) => [callback, found[index]]));
    await feedSuppressions(
      tx,
      callbacks.flatMap((callback) => unwantedBy(callback, messages.get(callback)?.recipient)),
    );
    return callbacks.map((callback) => messages.get(callback) !== undefined);
  }

  /** STOP and START of a person, by the provider's own reading where it has one. The wish holds for all that the tenant sends by the channel. */
  private async applyOptOut(tx: Transaction, callback: EffectfulCallback, event: InboundEvent): Promise<void> {
    const wish = this.wishOf(callback.provider, event);
    if (!wish) return;
    const { clientId } = callback;
    const { channel, recipient } = wish;
    if (wish.word === 'start') return restoreRecipient(tx, clientId, channel, recipient);
    const detail = event.text.trim().slice(0, 100);
    await feedSuppressions(tx, [{ clientId, channel, recipient, reason: 'stop', source: 'inbound', detail }]);
  }

  private wishOf(
    provider: string,
    event: InboundEvent,
  ): { word: 'stop' | 'start'; channel: Channel; recipient: string } | undefined {
    const channel = this.providers.get(provider)?.channel;
    if (channel === undefined || !isPhoneChannel(channel)) return undefined;
    const word = optOutOf(event);
    const recipient = suppressedAddress(channel, event.from);
    return word === undefined || recipient === null ? undefined : { word, channel, recipient };
  }
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
 * Whom an engagement of an email puts on the list. A person that the provider names is put there at once, also when the message is not known (yet);
 * where it names nobody, it is the recipient of the message.
 */
function unwantedBy(
  { clientId, event, messageId }: EffectfulCallback,
  recipient: string | undefined,
): NewSuppression[] {
  if (event.kind !== 'engagement') return [];
  const reason =
    event.type === 'complained'
      ? 'complaint'
      : event.type === 'unsubscribed'
        ? 'unsubscribe'
        : event.type === 'bounced' && event.bounceType === 'hard'
          ? 'hard_bounce'
          : undefined;
  const address = suppressedAddress('email', event.recipient ?? recipient ?? '');
  if (reason === undefined || address === null) return [];
  const detail = typeof event.detail?.reason === 'string' ? event.detail.reason.slice(0, 255) : event.rawWord;
  return [
    {
      clientId,
      channel: 'email',
      recipient: address,
      reason,
      source: 'provider',
      detail,
      messageId: recipient === undefined ? null : messageId,
    },
  ];
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
