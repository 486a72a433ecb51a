import { randomInt } from 'node:crypto';
import { ManualClock } from '../../src/kernel/clock';
import { idTime, newId } from '../../src/kernel/ids';
import { silentLogger } from '../../src/kernel/logger';
import { InboundSignal } from '../../src/messaging/inbound/inbound-signal';
import { InboundDeliveryMetrics } from '../../src/numbers/delivery/inbound-delivery-metrics';
import { InboundDeliveryService } from '../../src/numbers/delivery/inbound-delivery.service';
import { InboundSender } from '../../src/numbers/delivery/inbound-sender';
import type { ReceiverProfile } from '../../src/numbers/delivery/receiver-lane';
import { AlertBook } from '../../src/platform/alerts/alert-book';
import type { Database } from '../../src/platform/database/database';
import { DeliveryClient } from '../../src/platform/delivery/delivery-client';
import type { LaneRunnerOptions } from '../../src/platform/delivery/lane.runner';
import { newSigningSecret } from '../../src/platform/delivery/standard-webhooks';
import { EventSignal, EventStore } from '../../src/platform/events/event-store';
import { Dialer } from '../../src/platform/http-client/dialer';
import type { Resolve } from '../../src/platform/http-client/bounded-lookup';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { MailStandIn } from '../../src/platform/mailer/mail-stand-in';
import { Mailer } from '../../src/platform/mailer/mailer';
import { MetricsRegistry } from '../../src/platform/observability/metrics-registry';
import type { TenantDirectory } from '../../src/tenancy/tenant-directory';
import { createTestDatabase, type TestDatabase } from './test-database';

export interface BedNumber {
  id: string;
  number: string;
  /** In the order of the options. */
  receivers: string[];
}

export type BedReceiver = { url: string; format?: 'form' | 'json' } | { email: string };

export interface BedMessage {
  from?: string;
  text?: string;
  /** Milliseconds. */
  occurredAt?: number;
}

export interface BedDelivery {
  inbound_id: string;
  receiver_id: string;
  sequence: number;
  status: 'pending' | 'succeeded' | 'dead_letter';
  attempts: number;
  /** From now; null: no try is planned. */
  next_in_ms: number | null;
  attempt_log: Array<{ at: string; latency_ms: number; status_code?: number; error?: string; response?: string }>;
}

export interface BedServiceOptions extends LaneRunnerOptions {
  profile?: ReceiverProfile;
  /** Another way to the same database, for faults. */
  database?: Database;
  resolve?: Resolve;
  /** Port of the mail server; missing: there is none. */
  smtpPort?: number;
  /** False: it is told of no messages, as in another process. */
  signal?: boolean;
  exclusive?: boolean;
  buryEveryMs?: number;
}

const START = Date.parse('2026-11-20T10:00:00Z');

/** Numbers, receivers, inbound messages and delivery services on one database, without the HTTP application. */
export class InboundBed {
  readonly clock = new ManualClock(START);
  readonly signal = new InboundSignal();
  readonly secret = newSigningSecret();
  readonly eventSignal = new EventSignal();
  readonly alerts = new AlertBook(new EventStore(this.eventSignal));
  readonly registry = new MetricsRegistry();
  private readonly metrics = new InboundDeliveryMetrics(this.registry);
  private readonly closing: Array<() => unknown> = [];
  private readonly services: InboundDeliveryService[] = [];

  private constructor(readonly test: TestDatabase) {}

  static async start(): Promise<InboundBed> {
    return new InboundBed(await createTestDatabase());
  }

  get database(): Database {
    return this.test.database;
  }

  /** A worker, started. */
  async service(options: BedServiceOptions = {}): Promise<InboundDeliveryService> {
    const http = new UndiciHttpClient({
      guard: new SsrfGuard(['127.0.0.0/8'], options.resolve),
      connectionsPerOrigin: 1024,
    });
    const smtp =
      options.smtpPort === undefined ? undefined : { host: '127.0.0.1', port: options.smtpPort, tls: 'none' as const };
    const dialer = new Dialer(new SsrfGuard(['127.0.0.0/8']));
    const mailer = new Mailer('in.example', smtp, new MailStandIn(), dialer, this.clock);
    this.closing.push(
      () => http.close(),
      () => mailer.close(),
    );
    const tenants = { webhookSigningSecret: () => Promise.resolve(this.secret) } as unknown as TenantDirectory;
    const service = new InboundDeliveryService(
      {
        database: options.database ?? this.database,
        signal: options.signal === false ? new InboundSignal() : this.signal,
        sender: new InboundSender(new DeliveryClient(http, this.clock), mailer, tenants, this.clock),
        alerts: this.alerts,
        clock: this.clock,
        metrics: this.metrics,
        logger: silentLogger,
        exclusive: options.exclusive ?? false,
      },
      { pollMs: 25, ...options },
    );
    this.services.push(service);
    await service.start();
    return service;
  }

  async number(
    receivers: readonly BedReceiver[],
    settings: { timeoutSeconds?: number; retryDelaySeconds?: number; maxAttempts?: number } = {},
  ): Promise<BedNumber> {
    const id = newId('number');
    const number = `+4670${String(randomInt(1e7)).padStart(7, '0')}`;
    const { timeoutSeconds = 30, retryDelaySeconds = 900, maxAttempts = 3 } = settings;
    await this.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, timeout_seconds, retry_delay_seconds, max_attempts, created_at, updated_at)
       VALUES ($1, 'acme_1', $2, 'sms', 'twilio', $3, $4, $5, now(), now())`,
      [id, number, timeoutSeconds, retryDelaySeconds, maxAttempts],
    );
    const ids: string[] = [];
    for (const receiver of receivers) ids.push(await this.receiver(id, receiver));
    return { id, number, receivers: ids };
  }

  /** A further receiver; it gets what comes from now on. */
  async receiver(numberId: string, receiver: BedReceiver): Promise<string> {
    const id = newId('numberReceiver');
    const [url, format, email] =
      'email' in receiver ? [null, null, receiver.email] : [receiver.url, receiver.format ?? 'form', null];
    await this.database.execute(
      `INSERT INTO number_receivers (id, client_id, number_id, type, url, format, email, cursor_sequence, created_at, updated_at)
       SELECT $1, 'acme_1', id, $3, $4, $5, $6, sequence, now(), now() FROM numbers WHERE id = $2`,
      [id, numberId, email === null ? 'webhook' : 'email', url, format, email],
    );
    return id;
  }

  /** Messages arrive at the number, in one transaction. Answers their ids. */
  async arrive(number: BedNumber, messages: readonly BedMessage[] = [{}], tell = true): Promise<string[]> {
    const ids = messages.map(() => newId('inbound'));
    await this.database.transaction(async (tx) => {
      const [row] = await tx.query<{ before: number }>(
        `UPDATE numbers SET sequence = sequence + $2 WHERE id = $1 RETURNING (sequence - $2)::float8 AS before`,
        [number.id, messages.length],
      );
      await tx.execute(
        `INSERT INTO inbound_messages (id, created_at, client_id, number_id, channel, provider, config_id, external_id, sender, recipient, text,
           occurred_at, received_at, sequence, state, event_id)
         SELECT m.id, to_timestamp(m.at / 1000), 'acme_1', $1, 'sms', 'twilio', 'cfg_1', 'SM' || m.id, m.sender, $2, m.text,
           to_timestamp(m.occurred / 1000), to_timestamp($8::float8 / 1000), $3 + m.place, 'received', m.event_id
         FROM unnest($4::text[], $5::float8[], $6::text[], $7::text[], $9::float8[], $10::text[]) WITH ORDINALITY
           AS m(id, at, sender, text, occurred, event_id, place)`,
        [
          number.id,
          number.number,
          row!.before,
          ids,
          ids.map((id) => idTime(id, 'inbound')),
          messages.map(({ from = '+46700000001' }) => from),
          messages.map(({ text = 'hello' }) => text),
          this.clock.now(),
          messages.map(({ occurredAt = this.clock.now() }) => occurredAt),
          ids.map(() => newId('event')),
        ],
      );
      await tx.execute(
        `INSERT INTO inbound_deliveries (id, created_at, client_id, inbound_id, inbound_created_at, number_id, receiver_id, type, sequence, status, updated_at)
         SELECT 'ind_' || m.id || r.id, now(), m.client_id, m.id, m.created_at, m.number_id, r.id, r.type, m.sequence, 'pending', now()
         FROM inbound_messages m JOIN number_receivers r ON r.number_id = m.number_id AND r.removed_at IS NULL WHERE m.id = ANY ($1)`,
        [ids],
      );
    });
    if (tell) this.signal.committed(new Set([number.id]));
    return ids;
  }

  /** As the API does it: a new round that begins now. */
  async redeliver(inboundId: string, receiverId: string): Promise<void> {
    const at = this.clock.now();
    await this.database.transaction(async (tx) => {
      await tx.execute(
        `UPDATE inbound_deliveries SET status = 'pending', attempts = 0, next_attempt_at = to_timestamp($3::float8 / 1000)
         WHERE inbound_id = $1 AND receiver_id = $2`,
        [inboundId, receiverId, at],
      );
      await tx.execute(
        `UPDATE number_receivers SET next_retry_at = least(next_retry_at, to_timestamp($2::float8 / 1000)) WHERE id = $1`,
        [receiverId, at],
      );
    });
  }

  deliveries(receiverId: string): Promise<BedDelivery[]> {
    return this.database.query<BedDelivery>(
      `SELECT inbound_id, receiver_id, sequence::float8 AS sequence, status, attempts, attempt_log,
         (extract(epoch FROM next_attempt_at) * 1000)::float8 - $2::float8 AS next_in_ms
       FROM inbound_deliveries WHERE receiver_id = $1 ORDER BY sequence`,
      [receiverId, this.clock.now()],
    );
  }

  /** How many deliveries of all receivers are in a status. */
  async count(status: BedDelivery['status']): Promise<number> {
    const [row] = await this.database.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM inbound_deliveries WHERE status = $1',
      [status],
    );
    return row!.n;
  }

  /** Ends the services and empties the tables. */
  async reset(): Promise<void> {
    await Promise.all(this.services.splice(0).map((service) => service.stop(0)));
    await Promise.all(this.closing.splice(0).map((close) => close()));
    await this.database.execute(
      'TRUNCATE inbound_deliveries, inbound_messages, number_receivers, numbers, receiver_minutes, alerts, alert_mails, events',
    );
    this.clock.set(START);
  }

  async close(): Promise<void> {
    await this.reset();
    await this.test.drop();
  }
}
