import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import type { NormalizedEvent } from '../../gateway/contracts/callback';
import type { ReportSink, SessionReport } from '../../gateway/contracts/report-sink';
import { ReportOutlet } from '../../gateway/sessions/report-outlet';
import { storableEvents } from './callback-events';
import { CallbackMetrics } from './callback-metrics';
import { CallbackStore } from './callback-store';
import { KnownIds } from './known-ids';
import { UNPARSABLE } from './received-event';

/** What is kept besides the bytes: there is no request. */
const NO_REQUEST = { method: 'POST', query: '', headers: {} };

/** Keeps what providers tell over sessions as it keeps their callbacks. The session proved who tells it. */
@Injectable()
export class SessionReports implements ReportSink, OnModuleInit {
  constructor(
    private readonly outlet: ReportOutlet,
    private readonly store: CallbackStore,
    private readonly ids: KnownIds,
    private readonly metrics: CallbackMetrics,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.outlet.connect(this);
  }

  async deliver(report: SessionReport): Promise<void> {
    const { clientId, configId, provider, kind, raw } = report;
    const receivedAt = this.clock.now();
    const base = { clientId, configId, provider, kind, receivedAt, request: NO_REQUEST, rawBody: raw };
    const events = this.readable(report);
    if (!events) {
      this.logger.error({ provider, kind, config_id: configId }, 'report of a session could not be read');
      const digest = createHash('sha256').update(raw).digest('hex');
      await this.store.store({ ...base, event: null, eventId: UNPARSABLE + digest });
    } else {
      const known = await this.ids.choose(configId, events);
      for (const event of known) if (event.kind === 'status' && event.status === null) this.metrics.unmapped(provider);
      await Promise.all(known.map((event) => this.store.store({ ...base, event, eventId: event.eventId })));
    }
    this.metrics.received(provider, kind, this.clock.now() - receivedAt);
  }

  private readable({ events }: SessionReport): NormalizedEvent[] | undefined {
    try {
      return events ? storableEvents(events) : undefined;
    } catch {
      return undefined;
    }
  }
}
