import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import type { Secret } from '../../kernel/secret';
import { Database, type Transaction } from '../../platform/database/database';
import type { DeliveryAttempt } from '../../platform/delivery/delivery';
import { newSigningSecret } from '../../platform/delivery/standard-webhooks';
import { AlertBook } from '../../platform/alerts/alert-book';
import { EventStore } from '../../platform/events/event-store';
import { SsrfGuard } from '../../platform/http-client/ssrf-guard';
import { SecretBox } from '../../platform/secrets/secret-box';
import { lockTenant } from '../../tenancy/tenant-lock';
import { ENDPOINT_COLUMNS, secretContext, takesAll, type EndpointRow } from './endpoint.row';
import type { WebhookFormat } from './webhook-event';
import { WebhookSender } from './webhook-sender';

/** Most endpoints of a tenant. */
export const MOST_ENDPOINTS = 100;
/** How long the old secret signs beside the new one. */
const ROTATION_MS = 24 * 3600_000;

/** What a client says of an endpoint. */
export interface EndpointSettings {
  url: string;
  events: string[];
  description: string | null;
  enabled: boolean;
  format: WebhookFormat;
}

/** The endpoints of tenants: where they are and which secret proves us to them. */
@Injectable()
export class WebhookEndpointsService {
  constructor(
    private readonly database: Database,
    private readonly guard: SsrfGuard,
    private readonly box: SecretBox,
    private readonly events: EventStore,
    private readonly alerts: AlertBook,
    private readonly sender: WebhookSender,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** It gets the events that are created from now on. @throws Problem about `url`, or conflict when there are too many */
  async create(clientId: string, settings: EndpointSettings): Promise<{ row: EndpointRow; secret: Secret }> {
    await this.guard.check(settings.url);
    const id = newId('webhookEndpoint');
    const secret = newSigningSecret();
    const row = await this.database.tenant(clientId, async (tx) => {
      await lockTenant(tx, clientId);
      const [count] = await tx.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM webhook_endpoints WHERE client_id = $1',
        [clientId],
      );
      if (count!.count >= MOST_ENDPOINTS) {
        throw new Problem('conflict', `A tenant has at most ${MOST_ENDPOINTS} webhook endpoints.`);
      }
      const [created] = await tx.query<EndpointRow>(
        `INSERT INTO webhook_endpoints AS e (id, client_id, url, events, description, enabled, format, secret, cursor_tx, cursor_seq, cursor_floor,
           disabled_at, disabled_reason, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, pg_snapshot_xmin(pg_current_snapshot()), 0, now(),
           CASE WHEN $6 THEN NULL ELSE now() END, CASE WHEN $6 THEN NULL ELSE 'request' END, now(), now())
         RETURNING ${ENDPOINT_COLUMNS}`,
        [
          id,
          clientId,
          settings.url,
          eventsOf(settings.events),
          settings.description,
          settings.enabled,
          settings.format,
          this.box.seal(secret.reveal(), secretContext(id)),
        ],
      );
      return created!;
    });
    return { row, secret };
  }

  /** Newest first. */
  async list(clientId: string, before: string | undefined, limit: number): Promise<EndpointRow[]> {
    return this.database.tenant(clientId, (tx) =>
      tx.query<EndpointRow>(
        `SELECT ${ENDPOINT_COLUMNS} FROM webhook_endpoints e
         WHERE e.client_id = $1 AND ($2::text IS NULL OR e.id < $2) ORDER BY e.id DESC LIMIT $3`,
        [clientId, before ?? null, limit],
      ),
    );
  }

  /** @throws Problem not_found */
  async get(clientId: string, id: string): Promise<EndpointRow> {
    return this.database.tenant(clientId, (tx) => this.find(tx, clientId, id, ''));
  }

  /** @throws Problem not_found, or about `url` */
  async update(clientId: string, id: string, changes: Partial<EndpointSettings>): Promise<EndpointRow> {
    if (changes.url !== undefined) await this.guard.check(changes.url);
    const { row, cleared } = await this.database.tenant(clientId, async (tx) => {
      const old = await this.find(tx, clientId, id, 'FOR UPDATE');
      const enabled = changes.enabled ?? old.enabled;
      const [updated] = await tx.query<EndpointRow>(
        `UPDATE webhook_endpoints e SET url = $3, events = $4, description = $5, format = $6, enabled = $7, updated_at = clock_timestamp(),
           disabled_at = CASE WHEN $7 THEN NULL ELSE coalesce(disabled_at, now()) END,
           disabled_reason = CASE WHEN $7 THEN NULL ELSE coalesce(disabled_reason, 'request') END,
           failures_in_row = CASE WHEN $8 THEN 0 ELSE failures_in_row END,
           failing_since = CASE WHEN $8 THEN NULL ELSE failing_since END
         WHERE e.client_id = $1 AND e.id = $2 RETURNING ${ENDPOINT_COLUMNS}`,
        [
          clientId,
          id,
          changes.url ?? old.url,
          changes.events === undefined ? old.events : eventsOf(changes.events),
          changes.description === undefined ? old.description : changes.description,
          changes.format ?? old.format,
          enabled,
          enabled && !old.enabled,
        ],
      );
      const over = enabled && old.disabled_reason === 'failing';
      const cleared = over && (await this.endAlert(tx, clientId, id, 'The webhook endpoint was enabled again.'));
      return { row: updated!, cleared };
    });
    if (cleared) this.events.signal.committed([clientId]);
    return row;
  }

  /** Its deliveries can be read no more. @throws Problem not_found */
  async delete(clientId: string, id: string): Promise<void> {
    const cleared = await this.database.tenant(clientId, async (tx) => {
      const gone = await tx.execute('DELETE FROM webhook_endpoints WHERE client_id = $1 AND id = $2', [clientId, id]);
      if (gone === 0) throw Problem.notFound('webhook endpoint');
      return this.endAlert(tx, clientId, id, 'The webhook endpoint was deleted.');
    });
    if (cleared) this.events.signal.committed([clientId]);
  }

  /** Answers whether there was one. */
  private async endAlert(tx: Transaction, clientId: string, id: string, detail: string): Promise<boolean> {
    const occurredAt = this.clock.now();
    const ended = await this.alerts.clear(tx, { clientId, alert: 'webhook_disabled', subject: id, detail, occurredAt });
    return ended.length > 0;
  }

  /** Both secrets sign for a day. @throws Problem not_found */
  async rotate(clientId: string, id: string): Promise<{ row: EndpointRow; secret: Secret }> {
    const secret = newSigningSecret();
    const row = await this.database.tenant(clientId, async (tx) => {
      const [updated] = await tx.query<EndpointRow>(
        `UPDATE webhook_endpoints e SET previous_secret = secret, previous_secret_until = to_timestamp($4::float8 / 1000), secret = $3,
           updated_at = clock_timestamp()
         WHERE e.client_id = $1 AND e.id = $2 RETURNING ${ENDPOINT_COLUMNS}`,
        [clientId, id, this.box.seal(secret.reveal(), secretContext(id)), this.clock.now() + ROTATION_MS],
      );
      if (updated === undefined) throw Problem.notFound('webhook endpoint');
      return updated;
    });
    return { row, secret };
  }

  /** Posts a signed event at once, also to an endpoint that is disabled; nothing of it is kept. @throws Problem not_found */
  async test(clientId: string, id: string): Promise<{ eventId: string; attempt: DeliveryAttempt }> {
    const row = await this.get(clientId, id);
    const eventId = newId('event');
    const attempt = await this.sender.send(this.sender.target(row), {
      id: eventId,
      type: 'webhook.test',
      createdAt: new Date(this.clock.now()).toISOString(),
      data: JSON.stringify({ webhook_id: id, detail: 'A test of this webhook endpoint.' }),
    });
    return { eventId, attempt };
  }

  private async find(tx: Transaction, clientId: string, id: string, lock: '' | 'FOR UPDATE'): Promise<EndpointRow> {
    const [row] = await tx.query<EndpointRow>(
      `SELECT ${ENDPOINT_COLUMNS} FROM webhook_endpoints e WHERE e.client_id = $1 AND e.id = $2 ${lock}`,
      [clientId, id],
    );
    if (row === undefined) throw Problem.notFound('webhook endpoint');
    return row;
  }
}

function eventsOf(events: readonly string[]): string[] {
  return takesAll(events) ? ['*'] : [...events];
}
