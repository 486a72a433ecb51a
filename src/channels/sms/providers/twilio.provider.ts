// Calls the API through platform/http-client: the SDK's client costs ten times as much, and hides whether a failed request was written.
import { z } from 'zod';
import type {
  Gateway,
  GatewayContext,
  HealthReport,
  OutboundMessage,
  SendResult,
  StatusReport,
  ValidationIssue,
} from '../../../gateway/contracts/gateway';
import type { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { basicAuth, ProviderApi } from '../../../gateway/contracts/provider-api';
import { jsonObject, rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import type { MessageStatus } from '../../../kernel/channel';
import { encodeForm } from '../../../kernel/form';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { E164, supportedCountries } from './sms-settings';
import { twilioInbound, twilioStatus } from './twilio.callbacks';
import { twilioSimulator } from './twilio.simulator';
import { TWILIO_ERRORS, TWILIO_STATUSES, twilioError } from './twilio.vocabulary';

const MAX_BODY_LENGTH = 1600;
const MAX_VALIDITY_SECONDS = 36_000;

// Quirk: Twilio tries a callback again only after connection trouble, once, unless the URL's fragment asks for more: 5 tries, on every kind of
// failure (twilio.com/docs/usage/webhooks/webhooks-connection-overrides, 2026-11). The fragment is not sent to us.
const CALLBACK_OVERRIDES = '#rc=5&rp=all';

// A clock that differs from Twilio's by more than this makes a look-up miss, which is the safe side.
const CLOCK_SKEW_MS = 5000;

const RULES: AnswerRules = { title: 'Twilio', errors: TWILIO_ERRORS };

/** Twilio takes E.164 numbers, short codes and alphanumeric senders (11 ASCII letters, digits and spaces, not digits only). */
const SENDER = /^(\+[1-9]\d{1,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/;

class TwilioGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from } = message as OutboundMessage<'sms'>;
    const issues: ValidationIssue[] = [];
    if (content.text === '') issues.push({ field: 'message', code: 'required', message: 'must not be empty' });
    if (content.text.length > MAX_BODY_LENGTH) {
      issues.push({
        field: 'message',
        code: 'too_long',
        message: `Twilio takes at most ${MAX_BODY_LENGTH} characters`,
      });
    }
    if (from !== null && !SENDER.test(from)) {
      const allowed = 'an E.164 number, a short code or up to 11 letters, digits and spaces';
      issues.push({ field: 'from', code: 'invalid_sender', message: `must be ${allowed} for Twilio` });
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { content } = message as OutboundMessage<'sms'>;
    const form = encodeForm({
      To: message.to,
      ...senderOf(message, ctx),
      Body: content.text,
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

  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const response = await this.call('GET', `/Messages/${encodeURIComponent(externalId)}.json`, ctx);
    if (response.status === 404) return null;
    if (response.status !== 200) throw this.refusal(response, ctx);
    const report = reportOf(jsonObject(response.body));
    if (report === null) throw this.api.unreadable(response);
    return report;
  }

  /** By recipient, sender, time and text: Twilio keeps no reference of ours. The newest match, so an equal message of a moment ago can stand in. */
  async findSent(message: OutboundMessage, since: number, ctx: GatewayContext): Promise<StatusReport[]> {
    const { content } = message as OutboundMessage<'sms'>;
    const earliest = Math.floor((since - CLOCK_SKEW_MS) / 1000) * 1000;
    const query = encodeForm({
      To: message.to,
      From: senderOf(message, ctx).From,
      'DateSent>': new Date(earliest).toISOString().replace('.000', ''),
      PageSize: 50,
    });
    const response = await this.call('GET', `/Messages.json?${query}`, ctx);
    if (response.status !== 200) throw this.refusal(response, ctx);
    const list = jsonObject(response.body)?.messages;
    if (!Array.isArray(list)) throw this.api.unreadable(response);
    return (list as Array<Record<string, unknown> | null>).flatMap((item) => {
      const created = Date.parse(textOf(item?.date_created) ?? '');
      const isMatch =
        item?.body === content.text && item.to === message.to && item.direction !== 'inbound' && created >= earliest;
      return isMatch ? (reportOf(item) ?? []) : [];
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

/** The request's sender, else the Messaging Service, which picks one, else the config's number. A service goes along with a chosen sender. */
function senderOf(message: OutboundMessage, ctx: GatewayContext): { From?: string; MessagingServiceSid?: string } {
  const service = ctx.credentials.messaging_service_sid?.reveal();
  const from = message.from ?? (service ? undefined : textOf(ctx.settings.from_number));
  return { ...(from !== undefined && { From: from }), ...(service && { MessagingServiceSid: service }) };
}

function statusCallback(message: OutboundMessage, ctx: GatewayContext): string {
  const url = textOf(ctx.settings.status_callback_url) ?? ctx.callbackUrl('status', message.id);
  return url.includes('#') ? url : url + CALLBACK_OVERRIDES;
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

function reportOf(body: Record<string, unknown> | undefined): StatusReport | null {
  const word = textOf(body?.status);
  const sid = textOf(body?.sid);
  if (body === undefined || word === undefined || sid === undefined) return null;
  const code = textOf(body.error_code);
  return {
    externalId: sid,
    status: rowOf(TWILIO_STATUSES, word) ?? null,
    rawWord: word,
    ...(code !== undefined && { error: twilioError(code) }),
    ...detailsOf(body),
  };
}

/** Twilio Programmable Messaging, SMS. */
export const twilio: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'twilio',
  channel: 'sms',
  slug: 'twilio',
  aliases: [],
  title: 'Twilio',
  docsUrl: 'https://www.twilio.com/docs/messaging/api/message-resource',
  baseUrl: { env: 'TWILIO_BASE_URL', default: 'https://api.twilio.com' },
  settings: z.strictObject({
    from_number: z.string().regex(E164, 'must be an E.164 number such as +15005550006').meta({
      description: 'Sender when the request names none and there is no Messaging Service. E.164.',
      example: '+15005550006',
    }),
    status_callback_url: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
      .max(2000)
      .optional()
      .meta({
        description:
          'Where Twilio reports instead of UniMsg, for a proxy that hands the requests on unchanged to the callback URL of this config. Absent: UniMsg itself.',
        example: 'https://hooks.example.com/twilio',
      }),
    supported_countries: supportedCountries,
  }),
  credentials: {
    account_sid: {
      description: 'Account SID, AC and 32 hexadecimal digits.',
      secret: true,
      required: true,
      identifiesAccount: true,
      pattern: /^AC[0-9a-fA-F]{32}$/,
      example: 'AC0123456789abcdef0123456789abcdef',
    },
    auth_token: {
      description: 'Auth token of the account. Also proves the callbacks.',
      secret: true,
      required: true,
      example: '0123456789abcdef0123456789abcdef',
    },
    messaging_service_sid: {
      description: 'Messaging Service that picks the sender, MG and 32 hexadecimal digits.',
      secret: false,
      required: false,
      pattern: /^MG[0-9a-fA-F]{32}$/,
      example: 'MG0123456789abcdef0123456789abcdef',
    },
  },
  capabilities: {
    status: 'push',
    inbound: true,
    media: false,
    templates: false,
    idempotency: false,
    lookup: true,
    maxBodyLength: MAX_BODY_LENGTH,
  },
  limits: { defaultPerSecond: null, timeoutMs: 10_000, window: 100 },
  create: (deps) => new TwilioGateway(deps),
  callbacks: { status: twilioStatus, inbound: twilioInbound },
  statuses: TWILIO_STATUSES,
  errors: TWILIO_ERRORS,
  simulator: twilioSimulator,
});
