import { Inject, Injectable } from '@nestjs/common';
import type { Channel } from '../../kernel/channel';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { IntakeService, type Acceptance } from '../../messaging/intake/intake.service';
import { MessageInserter } from '../../messaging/intake/message-inserter';
import type { SendOptionsDto } from '../../messaging/intake/send-options.dto';
import { validateBody } from '../../platform/http/validation';
import type { Principal } from '../../tenancy/principal';
import type { Outcome } from './dto/notifications.dto';
import type { NotificationOptions, RecipientSend } from './recipient-sends';

/** What could not be accepted by then is not: its time is over, and the keys that keep it from being sent twice go after a day. */
const GIVE_UP_MS = 23 * 3_600_000;
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** A quota that is used up may be raised. */
const LONGEST_TOLD_PAUSE_MS = 3_600_000;
/** A machine can be too busy for a template, but not again and again. */
const MOST_RENDERINGS = 5;

/** A notification that has messages to make. */
export interface Work {
  id: string;
  client_id: string;
  template_id: string;
  template_version: number;
  prefix: string;
  options: NotificationOptions;
  created_at: Date;
}

/** A recipient that this process has in hand. */
export interface Claimed {
  position: number;
  recipient_id: string;
  locale: string | null;
  channels: Channel[];
  body: { addresses: Partial<Record<Channel, unknown>>; data: Record<string, unknown> };
  /** This time included. */
  tries: number;
}

/** What came of one recipient on one channel. */
interface SettledItem {
  position: number;
  channel: Channel;
  outcome: Outcome;
  messageId: string | null;
  error: { code: string; detail: string } | null;
}

/** `later`: nothing came of it yet, and it may be tried again from then on. */
export type MadeItem = SettledItem | { position: number; channel: Channel; outcome: 'later'; dueAt: number };

/** Makes one message of a notification. */
@Injectable()
export class NotificationSender {
  constructor(
    private readonly intake: IntakeService,
    private readonly inserter: MessageInserter,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Never throws: a refusal that may pass is for later, any other is what came of it.
   * @param blocked why nothing of this tenant is made right now
   */
  async make(work: Work, recipient: Claimed, send: RecipientSend, blocked?: Problem): Promise<MadeItem> {
    const { position } = recipient;
    const { channel } = send;
    if (blocked !== undefined) return this.later(work, recipient, channel, blocked);
    // It could be rendered when the notification was taken.
    if (send.errors !== undefined) {
      const [error] = send.errors;
      const problem = new Problem('invalid_request', error!.message, { status: 422 });
      const isBusy = error!.code === 'too_complex' && recipient.tries < MOST_RENDERINGS;
      return isBusy ? this.later(work, recipient, channel, problem) : rejected(position, channel, problem);
    }
    if (this.clock.now() > work.created_at.getTime() + GIVE_UP_MS)
      return rejected(position, channel, new Problem('conflict', 'It could not be accepted within a day.'));
    const { client_id: clientId, options } = work;
    const principal: Principal = { clientId, keyId: 'notification', scopes: [], sandbox: options.sandbox_key === true };
    try {
      const { data, replayed } = await this.accept(principal, channel, send.body);
      const outcome = replayed ? 'replayed' : 'accepted';
      return { position, channel, outcome, messageId: data.message_id, error: null };
    } catch (error) {
      if (!(error instanceof Problem)) {
        this.logger.error({ err: error, notificationId: work.id }, 'a message of a notification could not be made');
        return this.later(work, recipient, channel, new Problem('internal', 'Something went wrong on our side.'));
      }
      if (error.code === 'idempotency_conflict')
        return { position, channel, outcome: 'already_sent', messageId: null, error: null };
      const isForLater = error.status === 429 || error.status >= 500;
      return isForLater ? this.later(work, recipient, channel, error) : rejected(position, channel, error);
    }
  }

  /** Fills in which messages have the keys of those that were not sent again. */
  async nameEarlier(work: Work, claimed: readonly Claimed[], items: readonly MadeItem[]): Promise<void> {
    const again = items.filter((item): item is SettledItem => item.outcome === 'already_sent');
    if (again.length === 0) return;
    const ids = new Map(claimed.map(({ position, recipient_id: id }) => [position, id]));
    const keyOf = ({ position, channel }: MadeItem) => `${work.prefix}:${ids.get(position)}:${channel}`;
    const holders = await this.inserter.holders(work.client_id, again.map(keyOf));
    for (const item of again) item.messageId = holders.get(keyOf(item)) ?? null;
  }

  private async accept(principal: Principal, channel: Channel, body: Record<string, unknown>): Promise<Acceptance> {
    const { dto } = this.intake.descriptor(channel);
    try {
      return await this.intake.accept(principal, channel, validateBody(dto, body) as SendOptionsDto);
    } catch (error) {
      // Its time came while this service was away: it was taken for then, so it goes now.
      if (!(error instanceof Problem) || !isLate(error)) throw error;
      const { send_at: _, ...rest } = body;
      return this.intake.accept(principal, channel, validateBody(dto, rest) as SendOptionsDto);
    }
  }

  private later(work: Work, { position, tries }: Claimed, channel: Channel, problem: Problem): MadeItem {
    const told = Number(problem.options.headers?.['Retry-After'] ?? 0) * 1000;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10));
    const dueAt = this.clock.now() + Math.max(pause, Math.min(told, LONGEST_TOLD_PAUSE_MS));
    if (dueAt > work.created_at.getTime() + GIVE_UP_MS) return rejected(position, channel, problem);
    return { position, channel, outcome: 'later', dueAt };
  }
}

function rejected(position: number, channel: Channel, { code, detail }: Problem): MadeItem {
  return { position, channel, outcome: 'rejected', messageId: null, error: { code, detail: detail.slice(0, 1_000) } };
}

function isLate({ options }: Problem): boolean {
  return options.errors?.some(({ field, code }) => field === 'send_at' && code === 'in_the_past') === true;
}
