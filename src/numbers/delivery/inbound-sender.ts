import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../kernel/clock';
import { inboundEventData } from '../../messaging/inbound/inbound-event';
import type { InboundMessage } from '../../messaging/inbound/inbound.types';
import type { DeliveryAttempt } from '../../platform/delivery/delivery';
import { anySuccessStatus, type DeliveryClient, KEPT_BYTES } from '../../platform/delivery/delivery-client';
import { signedHeaders, signingKey } from '../../platform/delivery/standard-webhooks';
import type { HttpResponse } from '../../platform/http-client/http-client';
import type { Mailer } from '../../platform/mailer/mailer';
import type { TenantDirectory } from '../../tenancy/tenant-directory';
import type { InboundItem } from './delivery.rows';
import { inboundMail } from './inbound-mail';
import type { ReceiverRow } from './receiver.row';

/** Who mails what came in. */
const MAIL_FROM = 'smsin';

/** `+OK` and nothing else, white space around it apart; the status is not looked at. */
const ACKNOWLEDGED = /^[ \t\r\n\v\f]*\+OK[ \t\r\n\v\f]*$/;

/** The rule of `form` receivers: null for an answer that takes the message. */
export function acknowledgement({ body }: Pick<HttpResponse, 'body'>): string | null {
  return body.length <= KEPT_BYTES && ACKNOWLEDGED.test(body.toString('latin1')) ? null : 'not_acknowledged';
}

/** The fields of a `form` delivery, in this order. */
export function formBody({ sender, recipient, text, occurredAt }: InboundMessage): string {
  return new URLSearchParams({
    originator: sender,
    destination: recipient,
    date_time: new Date(occurredAt).toISOString(),
    text,
  }).toString();
}

/** The event of the webhooks chapter. */
export function jsonBody(message: InboundMessage): string {
  return JSON.stringify({
    event: 'inbound.received',
    data: inboundEventData(message),
    id: message.eventId,
    created_at: new Date(message.receivedAt).toISOString(),
  });
}

/** Hands a message to a receiver, once a call. */
export class InboundSender {
  constructor(
    private readonly client: DeliveryClient,
    private readonly mailer: Mailer,
    private readonly tenants: TenantDirectory,
    private readonly clock: Clock,
  ) {}

  /** The key that deliveries of a tenant are signed with. */
  async key(clientId: string): Promise<KeyObject> {
    return signingKey(await this.tenants.webhookSigningSecret(clientId));
  }

  /** A failure is an answer, not an error. */
  async send(receiver: ReceiverRow, item: InboundItem, key: KeyObject): Promise<DeliveryAttempt> {
    if (item.message === null) return { at: this.clock.now(), latencyMs: 0, error: 'message_expired' };
    if (receiver.type === 'email') return this.mail(receiver, item, item.message);
    const isForm = receiver.format === 'form';
    const body = isForm ? formBody(item.message) : jsonBody(item.message);
    // Receivers of both kinds of webhook know an event by one id.
    const id = isForm ? item.inboundId : item.message.eventId;
    const headers: Record<string, string> = {
      ...signedHeaders(id, this.clock.now(), body, [key]),
      'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json',
      'user-agent': 'UniMsg-Inbound/1',
      'x-unimsg-sequence': String(item.sequence),
      'x-unimsg-attempt': String(item.tries + 1),
    };
    return this.client.post(
      { url: receiver.url!, headers, body },
      { timeoutMs: receiver.timeout_seconds * 1000, refusal: isForm ? acknowledgement : anySuccessStatus },
    );
  }

  private async mail(receiver: ReceiverRow, item: InboundItem, message: InboundMessage): Promise<DeliveryAttempt> {
    const outcome = await this.mailer.send({
      ...inboundMail(message),
      owner: receiver.client_id,
      from: { email: this.mailer.address(MAIL_FROM) },
      to: receiver.email!,
      messageId: this.mailer.messageId(`${item.inboundId}.${receiver.id}`),
      headers: {
        'X-UniMsg-Inbound-Id': item.inboundId,
        'X-UniMsg-Sequence': String(item.sequence),
        'X-UniMsg-Attempt': String(item.tries + 1),
      },
    });
    return {
      at: outcome.at,
      latencyMs: outcome.latencyMs,
      ...(outcome.replyCode !== undefined && { statusCode: outcome.replyCode }),
      ...(!outcome.sent && { error: outcome.error }),
      ...(outcome.reply !== undefined && { response: outcome.reply }),
    };
  }
}
