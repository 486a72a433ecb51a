import type { GatewayContext, HealthReport, OutboundMessage, SendResult, StatusReport } from '../../contracts/gateway';
import type { ErrorRow, GatewayError } from '../../contracts/gateway-error';
import { jsonObject, rowOf, textOf } from '../../contracts/provider-answer';
import { basicAuth, ProviderApi } from '../../contracts/provider-api';
import type { GatewayDeps } from '../../contracts/provider-definition';
import type { MessageStatus } from '../../../kernel/channel';
import { encodeForm } from '../../../kernel/form';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { ownStatusCallback, withOverrides } from './twilio.signature';
import { TWILIO_STATUSES, twilioError } from './twilio.vocabulary';

const MAX_VALIDITY_SECONDS = 36_000;

// A clock that differs from Twilio's by more than this makes a look-up miss, which is the safe side.
const CLOCK_SKEW_MS = 5000;

/** What differs between the channels that Twilio's message API serves. */
export interface TwilioChannel {
  /** For texts. */
  title: string;
  errors: Readonly<Record<string, ErrorRow>>;
  /** Comes before each number: nothing for SMS, `whatsapp:`. */
  prefix: string;
}

/** The parameters that say what is sent. */
export type TwilioContent = Partial<Record<'Body' | 'MediaUrl' | 'ContentSid' | 'ContentVariables', string>>;

/** Twilio's message API, the same for every channel that goes by it. Holds nothing of a tenant. */
export class TwilioClient {
  private readonly api: ProviderApi;

  constructor(
    private readonly deps: GatewayDeps,
    private readonly channel: TwilioChannel,
  ) {
    this.api = new ProviderApi(deps, channel);
  }

  /** @throws GatewayError */
  async send(message: OutboundMessage, content: TwilioContent, ctx: GatewayContext): Promise<SendResult> {
    const form = encodeForm({
      To: this.channel.prefix + message.to,
      ...this.senderOf(message, ctx),
      ...content,
      StatusCallback: statusCallback(message, ctx),
      ValidityPeriod: validityPeriod(message.expiresAt - this.api.clock.now()),
    });
    const response = await this.call('POST', '/Messages.json', ctx, form);
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const body = jsonObject(response.body);
    const sid = body?.sid;
    if (typeof sid !== 'string' || sid === '') throw this.api.unreadable(response);
    const status = rowOf(TWILIO_STATUSES, textOf(body!.status));
    return {
      externalId: sid,
      ...(isFinal(status) && { status }),
      ...detailsOf(body!),
    };
  }

  /** @throws GatewayError */
  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const response = await this.call('GET', `/Messages/${encodeURIComponent(externalId)}.json`, ctx);
    if (response.status === 404) return null;
    if (response.status !== 200) throw this.refusal(response, ctx);
    const report = this.reportOf(jsonObject(response.body));
    if (report === null) throw this.api.unreadable(response);
    return report;
  }

  /**
   * Messages to the recipient since then that may be this one.
   * @param isSame whether a message of the list says the same
   * @throws GatewayError
   */
  async findSent(
    message: OutboundMessage,
    isSame: (item: Readonly<Record<string, unknown>>) => boolean,
    since: number,
    ctx: GatewayContext,
  ): Promise<StatusReport[]> {
    const earliest = Math.floor((since - CLOCK_SKEW_MS) / 1000) * 1000;
    const to = this.channel.prefix + message.to;
    const query = encodeForm({
      To: to,
      From: this.senderOf(message, ctx).From,
      'DateSent>': new Date(earliest).toISOString().replace('.000', ''),
      PageSize: 50,
    });
    const response = await this.call('GET', `/Messages.json?${query}`, ctx);
    if (response.status !== 200) throw this.refusal(response, ctx);
    const list = jsonObject(response.body)?.messages;
    if (!Array.isArray(list)) throw this.api.unreadable(response);
    return (list as Array<Record<string, unknown> | null>).flatMap((item) => {
      if (item === null || item.to !== to || item.direction === 'inbound') return [];
      return Date.parse(textOf(item.date_created) ?? '') >= earliest && isSame(item) ? (this.reportOf(item) ?? []) : [];
    });
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const response = await this.call('GET', '.json', ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      const status = textOf(jsonObject(response.body)?.status);
      if (status === undefined) throw this.api.unreadable(response);
      return status === 'active' ? undefined : `the account is ${status}`;
    });
  }

  /** The request's sender, else the Messaging Service, which picks one, else the config's number. A service goes along with a chosen sender. */
  private senderOf(message: OutboundMessage, ctx: GatewayContext): { From?: string; MessagingServiceSid?: string } {
    const service = ctx.credentials.messaging_service_sid?.reveal();
    const from = message.from ?? (service ? undefined : textOf(ctx.settings.from_number));
    return {
      ...(from !== undefined && { From: this.channel.prefix + from }),
      ...(service && { MessagingServiceSid: service }),
    };
  }

  private reportOf(body: Record<string, unknown> | undefined): StatusReport | null {
    const word = textOf(body?.status);
    const sid = textOf(body?.sid);
    if (body === undefined || word === undefined || sid === undefined) return null;
    const code = textOf(body.error_code);
    return {
      externalId: sid,
      status: rowOf(TWILIO_STATUSES, word) ?? null,
      rawWord: word,
      ...(code !== undefined && { error: twilioError(this.channel.errors, code) }),
      ...detailsOf(body),
    };
  }

  private call(method: 'GET' | 'POST', path: string, ctx: GatewayContext, form?: string): Promise<HttpResponse> {
    const account = ctx.credentials.account_sid?.reveal() ?? '';
    const token = ctx.credentials.auth_token?.reveal() ?? '';
    const request = {
      method,
      url: `${this.deps.baseUrl}/2010-04-01/Accounts/${encodeURIComponent(account)}${path}`,
      headers: {
        authorization: basicAuth(account, token),
        accept: 'application/json',
        ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form !== undefined && { body: form }),
    };
    return this.api.call(request, ctx, form === undefined ? 'read' : 'send');
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const body = jsonObject(response.body);
    // Newer answers are RFC 9457 problems.
    const text = textOf(body?.message) ?? textOf(body?.detail) ?? textOf(body?.title);
    return this.api.refusal(response, ctx, { code: textOf(body?.code), text });
  }
}

function statusCallback(message: OutboundMessage, ctx: GatewayContext): string {
  return withOverrides(ownStatusCallback(ctx.settings) ?? ctx.callbackUrl('status', message.id));
}

/** Seconds that Twilio may keep the message; undefined when it is its default. */
function validityPeriod(remainingMs: number): number | undefined {
  const seconds = Math.max(1, Math.floor(remainingMs / 1000));
  return seconds < MAX_VALIDITY_SECONDS ? seconds : undefined;
}

function isFinal(status: MessageStatus | null | undefined): status is MessageStatus {
  return status === 'delivered' || status === 'undelivered' || status === 'failed' || status === 'read';
}

/** Quirk: `num_segments` is a string, "0" until a Messaging Service has chosen; `price` is null at first and negative later (twilio-oai, 2026-04). */
function detailsOf(body: Record<string, unknown>): Pick<SendResult, 'segments' | 'cost'> {
  const segments = Number(textOf(body.num_segments));
  const price = textOf(body.price);
  const unit = textOf(body.price_unit);
  return {
    ...(segments > 0 && { segments }),
    ...(price !== undefined &&
      unit !== undefined && { cost: { amount: price.replace(/^-/, ''), currency: unit.toUpperCase() } }),
  };
}
