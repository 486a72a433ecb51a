import { once, EventEmitter } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '../../src/kernel/clock';
import { newId } from '../../src/kernel/ids';
import { silentLogger } from '../../src/kernel/logger';
import type { Secret } from '../../src/kernel/secret';
import { Database, type PreparedStatement } from '../../src/platform/database/database';
import { DeliveryMetrics } from '../../src/platform/delivery/delivery-metrics';
import type { LaneProfile } from '../../src/platform/delivery/delivery.lane';
import type { LaneRunnerOptions } from '../../src/platform/delivery/lane.runner';
import { newSigningSecret } from '../../src/platform/delivery/standard-webhooks';
import { AlertBook } from '../../src/platform/alerts/alert-book';
import { EventSignal, EventStore, type EventType } from '../../src/platform/events/event-store';
import type { Resolve } from '../../src/platform/http-client/bounded-lookup';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { MetricsRegistry } from '../../src/platform/observability/metrics-registry';
import { SecretBox } from '../../src/platform/secrets/secret-box';
import { secretContext } from '../../src/webhook/endpoints/endpoint.row';
import { WebhookDeliveryService } from '../../src/webhook/endpoints/webhook-delivery.service';
import { WebhookSender } from '../../src/webhook/endpoints/webhook-sender';
import { createTestDatabase, type TestDatabase } from './test-database';

/** A delivery as a client's server received it. */
export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** Value of `webhook-id`. */
  id: string;
}

/** How the receiver answers; not answering is a hang. */
export type Answer = (response: ServerResponse, request: Received) => void;

export const answerWith =
  (status: number, body = '', headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(status, headers).end(body);

/** A client's server on loopback. */
export class Receiver {
  readonly received: Received[] = [];
  answer: Answer = answerWith(200, 'ok');
  private readonly arrived = new EventEmitter();
  private readonly server = createServer((request, response) => void this.take(request, response));

  static async start(answer?: Answer): Promise<Receiver> {
    const receiver = new Receiver();
    if (answer) receiver.answer = answer;
    receiver.server.listen(0, '127.0.0.1');
    await once(receiver.server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  get ids(): string[] {
    return this.received.map(({ id }) => id);
  }

  /** Resolves when as many have come. */
  async waitFor(count: number): Promise<void> {
    while (this.received.length < count) await once(this.arrived, 'request');
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const received: Received = {
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(parts).toString('utf8'),
      id: String(request.headers['webhook-id']),
    };
    this.received.push(received);
    this.arrived.emit('request');
    this.answer(response, received);
  }
}

export interface BedEndpoint {
  id: string;
  secret: Secret;
}

/** One event to write. */
export interface BedEvent {
  type?: EventType;
  messageId?: string;
  data?: object;
}

export interface BedServiceOptions extends LaneRunnerOptions {
  profile?: LaneProfile;
  /** Another way to the same database, for faults. */
  database?: Database;
  resolve?: Resolve;
  /** False: it is told of no events, as in another process. */
  signal?: boolean;
  /** It cannot be stopped, as a process that died. */
  abandoned?: boolean;
}

/** Events, endpoints and delivery services on one database, without the HTTP application. */
export class WebhookBed {
  readonly clock = new ManualClock(Date.now());
  readonly signal = new EventSignal();
  readonly events = new EventStore(this.signal);
  readonly box = new SecretBox(`k1:${Buffer.alloc(32, 7).toString('base64')}`);
  readonly metrics = new DeliveryMetrics(new MetricsRegistry());
  /** Looks for work that services have ended. */
  looks = 0;
  private readonly clients: UndiciHttpClient[] = [];
  private readonly services: WebhookDeliveryService[] = [];

  private constructor(readonly test: TestDatabase) {}

  static async start(): Promise<WebhookBed> {
    return new WebhookBed(await createTestDatabase());
  }

  get database(): Database {
    return this.test.database;
  }

  sender(resolve?: Resolve): WebhookSender {
    const http = new UndiciHttpClient({ guard: new SsrfGuard(['127.0.0.0/8'], resolve) });
    this.clients.push(http);
    return new WebhookSender(http, this.box, this.clock);
  }

  /** A worker. */
  service(options: BedServiceOptions = {}): WebhookDeliveryService {
    const service = new WebhookDeliveryService(
      {
        database: options.database ?? this.countingDatabase(),
        events: options.signal === false ? new EventStore(new EventSignal()) : this.events,
        alerts: new AlertBook(this.events),
        sender: this.sender(options.resolve),
        clock: this.clock,
        metrics: this.metrics,
        logger: silentLogger,
      },
      { pollMs: 25, ...options },
    );
    if (!options.abandoned) this.services.push(service);
    return service;
  }

  /** Waits until whatever a service can find now has been found: a look that began after the call has ended. */
  async looked(): Promise<void> {
    const from = this.looks;
    await until(() => Promise.resolve(this.looks >= from + 2));
  }

  private countingDatabase(): Database {
    const database = new Database(this.database.dataSource);
    const query = database.query.bind(database) as Database['query'];
    database.query = async <Row>(text: string | PreparedStatement, values?: readonly unknown[]): Promise<Row[]> => {
      const rows = await query<Row>(text, values);
      if (typeof text !== 'string' && text.name === 'webhooks.take') this.looks++;
      return rows;
    };
    return database;
  }

  async endpoint(
    clientId: string,
    url: string,
    options: { events?: string[]; format?: 'json' | 'form'; enabled?: boolean } = {},
  ): Promise<BedEndpoint> {
    const id = newId('webhookEndpoint');
    const secret = newSigningSecret();
    await this.database.execute(
      `INSERT INTO webhook_endpoints (id, client_id, url, events, enabled, format, secret, cursor_tx, cursor_seq, cursor_floor, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, pg_snapshot_xmin(pg_current_snapshot()), 0, now(), now(), now())`,
      [
        id,
        clientId,
        url,
        options.events ?? ['*'],
        options.enabled ?? true,
        options.format ?? 'json',
        this.box.seal(secret.reveal(), secretContext(id)),
      ],
    );
    return { id, secret };
  }

  /** Writes events in one transaction and answers their ids. */
  async emit(clientId: string, events: BedEvent[]): Promise<string[]> {
    const ids = events.map(() => newId('event'));
    await this.database.transaction((tx) =>
      this.events.insert(
        tx,
        events.map((event, index) => ({
          id: ids[index]!,
          clientId,
          type: event.type ?? 'message.delivered',
          occurredAt: this.clock.now(),
          messageId: event.messageId,
          data: event.data ?? { message_id: event.messageId ?? null, status: 'delivered' },
        })),
      ),
    );
    this.signal.committed([clientId]);
    return ids;
  }

  deliveries(endpointId: string) {
    return this.database.query<{
      id: string;
      event_id: string;
      status: string;
      attempts: number;
      next_in_ms: number | null;
      attempt_log: Array<{ at: string; latency_ms: number; status_code?: number; error?: string; response?: string }>;
    }>(
      `SELECT id, event_id, status, attempts, (extract(epoch FROM next_attempt_at) * 1000)::float8 - $2::float8 AS next_in_ms, attempt_log
       FROM webhook_deliveries WHERE endpoint_id = $1 ORDER BY event_tx, event_seq`,
      [endpointId, this.clock.now()],
    );
  }

  /** Waits until as many deliveries of the endpoint are in the status. */
  async settled(endpointId: string, status: string, count: number): Promise<void> {
    await until(async () => (await this.deliveries(endpointId)).filter((row) => row.status === status).length >= count);
  }

  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop(0)));
    await Promise.all(this.clients.map((client) => client.close()));
    await this.test.drop();
  }
}

/** Waits on a condition of the database; the test's own time-out bounds it. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
