import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { AlertBook } from '../../platform/alerts/alert-book';
import type { Transaction } from '../../platform/database/database';
import type { InboundMessage } from './inbound.types';

/** For so long further messages to the same number write nothing: everybody who answers a sender that takes no answers makes one. */
const QUIET_MS = 10_000;
const MOST_NUMBERS = 10_000;

/** Raises the alert about messages to numbers that the tenant does not have, with the message. It is ended where numbers are known. */
@Injectable()
export class UnmatchedAlerts {
  private readonly told = new LRUCache<string, true>({ max: MOST_NUMBERS, ttl: QUIET_MS });

  constructor(private readonly alerts: AlertBook) {}

  /** Answers what to give to {@link committed} after the commit. */
  async raiseIn(tx: Transaction, messages: readonly InboundMessage[]): Promise<string[]> {
    const first = new Map<string, InboundMessage>();
    for (const message of messages) {
      const key = keyOf(message);
      if (message.state === 'unmatched' && !first.has(key) && !this.told.has(key)) first.set(key, message);
    }
    if (first.size === 0) return [];
    await this.alerts.raise(
      tx,
      [...first.values()].map((message) => {
        const { clientId, recipient, id, provider, channel, configId, receivedAt } = message;
        const to = recipient === '' ? 'an account of yours' : recipient;
        return {
          clientId,
          alert: 'inbound_unmatched',
          subject: subjectOf(message),
          detail: `A message came to ${to}, for which you have no number. It is kept: add the number (POST /v1/numbers), then deliver it again (POST /v1/inbound/{id}/redeliver).`,
          data: { number: recipient, inbound_id: id, gateway: provider, channel, config_id: configId },
          occurredAt: receivedAt,
        };
      }),
    );
    return [...first.keys()];
  }

  committed(keys: readonly string[]): void {
    for (const key of keys) this.told.set(key, true);
  }
}

/** Where messages do not say whom they are to, the config tells it. */
function subjectOf({ recipient, configId }: InboundMessage): string {
  return recipient === '' ? configId : recipient;
}

function keyOf(message: InboundMessage): string {
  return `${message.clientId} ${message.channel} ${subjectOf(message)}`;
}
