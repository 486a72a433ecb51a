import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../kernel/clock';
import type { DeliveryAttempt } from '../../platform/delivery/delivery';
import { anySuccessStatus, DeliveryClient, type DeliveryRules } from '../../platform/delivery/delivery-client';
import { signedHeaders, signingKey } from '../../platform/delivery/standard-webhooks';
import type { HttpClient } from '../../platform/http-client/http-client';
import type { SecretBox } from '../../platform/secrets/secret-box';
import { secretContext, type EndpointRow } from './endpoint.row';
import { CONTENT_TYPES, webhookBody, type OutgoingEvent, type WebhookFormat } from './webhook-event';

const RULES: DeliveryRules = { timeoutMs: 15_000, refusal: anySuccessStatus };

/** What is needed to post to an endpoint; made once, used for many events. */
export interface WebhookTarget {
  url: string;
  format: WebhookFormat;
  keys: ReadonlyArray<{ key: KeyObject; until: number | null }>;
}

/** Signs events and posts them to clients. */
export class WebhookSender {
  private readonly client: DeliveryClient;

  /** @param http the guarded client: addresses come from tenants */
  constructor(
    http: HttpClient,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {
    this.client = new DeliveryClient(http, clock);
  }

  /** Opens the endpoint's secrets. */
  target(row: EndpointRow): WebhookTarget {
    const open = (sealed: string) => signingKey(this.box.open(sealed, secretContext(row.id)));
    const keys = [{ key: open(row.secret), until: null as number | null }];
    if (row.previous_secret !== null && row.previous_secret_until !== null) {
      keys.push({ key: open(row.previous_secret), until: row.previous_secret_until });
    }
    return { url: row.url, format: row.format, keys };
  }

  send(target: WebhookTarget, event: OutgoingEvent): Promise<DeliveryAttempt> {
    const now = this.clock.now();
    const keys: KeyObject[] = [];
    for (const { key, until } of target.keys) if (until === null || until > now) keys.push(key);
    const body = webhookBody(event, target.format);
    const headers: Record<string, string> = signedHeaders(event.id, now, body, keys);
    headers['content-type'] = CONTENT_TYPES[target.format];
    headers['user-agent'] = 'UniMsg-Webhooks/1';
    return this.client.post({ url: target.url, headers, body }, RULES);
  }
}
