import { Inject, Injectable } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../../config/app-config';
import type { Channel } from '../../kernel/channel';
import { messageIdTime } from '../../kernel/ids';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import { Problem } from '../../kernel/problem';
import { Database } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import { TenantDirectory } from '../../tenancy/tenant-directory';
import { TemplatesService } from '../templates.service';
import { Breather } from './breather';
import { NotificationCancellation } from './notification-cancellation';
import { NotificationSender, type Claimed, type MadeItem, type Work } from './notification-sender';
import {
  BEGIN,
  CLAIM,
  COMPLETE,
  DELETE_OLD,
  ITEMS_OF,
  RELEASE,
  SETTLE_RECIPIENTS,
  WITH_WORK,
  WRITE_ITEMS,
} from './notification.statements';
import { sendsOf } from './recipient-sends';

const EVERY_MS = 500;
const SWEEP_MS = 600_000;
/** Chunks of one notification that a process has in hand. */
const PARALLEL = 3;

/** Makes the messages of notifications. Any number of processes may run it; whatever dies, each message is made once. */
@Injectable()
export class NotificationRunner {
  private readonly task: Periodic;
  private readonly sweep: Periodic;
  private first = true;

  constructor(
    private readonly database: Database,
    private readonly templates: TemplatesService,
    private readonly sender: NotificationSender,
    private readonly cancellation: NotificationCancellation,
    private readonly tenants: TenantDirectory,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.task = new Periodic('notifications', EVERY_MS, () => this.run(), logger);
    this.sweep = new Periodic('old notifications', SWEEP_MS, () => this.database.execute(DELETE_OLD), logger);
  }

  start(): void {
    this.task.start({ now: true });
    this.sweep.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.task.stop(), this.sweep.stop()]);
  }

  /** There is something to do. In a process that does not do it, nothing happens. */
  wake(): void {
    this.task.wake();
  }

  /** Works until nothing is due. */
  async run(): Promise<void> {
    // The embedded database belongs to this process alone, so at its start nobody has anything in hand.
    if (this.first && this.config.embedded) await this.database.execute(RELEASE);
    this.first = false;
    await this.cancellation.run();
    while (!this.task.stopping) {
      const work = await this.database.query<Work>(WITH_WORK);
      for (const one of work) {
        if (this.task.stopping) return;
        await this.attend(one);
      }
      await this.database.execute(COMPLETE);
      if (work.length === 0) return;
    }
  }

  /** Does not throw: one that fails must not keep the others. What it had in hand is taken up when its lease is over. */
  private async attend(work: Work): Promise<void> {
    const chunks = await Promise.allSettled(Array.from({ length: PARALLEL }, () => this.chunk(work)));
    for (const chunk of chunks)
      if (chunk.status === 'rejected')
        this.logger.warn(
          { err: chunk.reason as unknown, notificationId: work.id },
          'part of a notification is tried again',
        );
  }

  private async chunk(work: Work): Promise<void> {
    const claimed = await this.database.query<Claimed>(CLAIM, [work.id]);
    if (claimed.length === 0) return;
    await this.database.execute(BEGIN, [work.id]);
    const done = await this.doneBefore(work, claimed);
    const template = await this.templates.pinned(work.client_id, work.template_id, work.template_version);
    const { status } = await this.tenants.get(work.client_id);
    const blocked =
      status === 'suspended' ? new Problem('forbidden', 'The tenant is suspended.', { status: 503 }) : undefined;
    const breather = new Breather();
    const making: Array<Promise<MadeItem>> = [];
    for (const recipient of claimed) {
      const { position, body, recipient_id: id, locale } = recipient;
      const channels = recipient.channels.filter((channel) => !done.has(`${position}/${channel}`));
      for (const send of sendsOf(template, work.prefix, work.options, { id, locale, ...body }, channels)) {
        making.push(this.sender.make(work, recipient, send, blocked));
        await breather.breathe();
      }
    }
    const items = await Promise.all(making);
    await this.sender.nameEarlier(work, claimed, items);
    await this.write(work, claimed, items);
  }

  /** Which messages are made or refused already. */
  private async doneBefore(work: Work, claimed: readonly Claimed[]): Promise<Set<string>> {
    const rows = await this.database.query<{ position: number; channel: Channel }>(ITEMS_OF, [
      work.id,
      plainArray(claimed.map(({ position }) => position)),
    ]);
    return new Set(rows.map(({ position, channel }) => `${position}/${channel}`));
  }

  private async write(work: Work, claimed: readonly Claimed[], made: readonly MadeItem[]): Promise<void> {
    const items = made.filter((item) => item.outcome !== 'later');
    const due = new Map<number, number>();
    for (const { position, dueAt } of made.filter((item) => item.outcome === 'later'))
      due.set(position, Math.max(due.get(position) ?? 0, dueAt));
    await this.database.flush(async (tx) => {
      // First the notification, then its recipients, as who cancels it does: else the two could wait for each other.
      await tx.execute(WRITE_ITEMS, [
        work.id,
        work.client_id,
        plainArray(items.map(({ position }) => position)),
        textArray(items.map(({ channel }) => channel)),
        textArray(items.map(({ outcome }) => outcome)),
        textArray(items.map(({ messageId }) => messageId)),
        plainArray(items.map(({ messageId }) => (messageId === null ? null : messageIdTime(messageId)))),
        jsonArray(items.map(({ error }) => error)),
      ]);
      await tx.execute(SETTLE_RECIPIENTS, [
        work.id,
        plainArray(claimed.map(({ position }) => position)),
        plainArray(claimed.map(({ position }) => due.get(position))),
      ]);
    });
  }
}
