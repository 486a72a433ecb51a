import { Injectable } from '@nestjs/common';
import type { EngagementEvent, NormalizedEvent } from '../../gateway/contracts/callback';
import { EngagementWriter } from '../../messaging/record/engagement-writer';
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
  constructor(private readonly engagement: EngagementWriter) {}

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
    const messages = new Map(engaged.map((callback, index) => [callback, found[index]]));
    return callbacks.map((callback) => messages.get(callback) !== undefined);
  }
}

/** Whether a callback goes the way of {@link CallbackEffects}, which is longer than that of a plain status. */
export function hasEffects(event: NormalizedEvent | null): event is NormalizedEvent {
  return event?.kind === 'engagement';
}

/** The provider's clock, where it is one. */
function timeOf(event: NormalizedEvent, receivedAt: number): number {
  const at = event.occurredAt;
  return at !== null && Math.abs(at) <= 8.64e15 ? at : receivedAt;
}
