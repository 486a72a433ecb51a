// Calls the API through platform/http-client: there is no maintained SDK for Node.
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
import { ProviderApi } from '../../../gateway/contracts/provider-api';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { measureSms } from '../../../kernel/gsm';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { skebbyInbound, skebbyStatus } from './skebby.callbacks';
import { SkebbySessions } from './skebby.sessions';
import { skebbySimulator } from './skebby.simulator';
import { errorOf, rowOfReason, SKEBBY_ERRORS, SKEBBY_STATUSES, statusOf } from './skebby.vocabulary';
import { supportedCountries } from './sms-settings';

const MAX_LENGTH = { gsm7: 1000, ucs2: 450 };

const RULES: AnswerRules = { title: 'Skebby', errors: SKEBBY_ERRORS };

/** A number, or a registered alias of up to 11 characters. */
const SENDER = /^(\+?[1-9]\d{4,14}|(?=.*[A-Za-z])[A-Za-z0-9 ._-]{1,11})$/;

const QUALITIES = ['GP', 'TI', 'SI'] as const;
/** The only quality that has no sender of one's own and no long texts. */
const BASIC = 'SI';

class SkebbyGateway implements Gateway {
  private readonly api: ProviderApi;
  private readonly sessions: SkebbySessions;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
    this.sessions = new SkebbySessions(this.api, () => deps.baseUrl);
  }

  validate(message: OutboundMessage, settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from } = message as OutboundMessage<'sms'>;
    const issues: ValidationIssue[] = [];
    const issue = (field: string, code: string, text: string): void => void issues.push({ field, code, message: text });
    if (content.text === '') issue('message', 'required', 'must not be empty');
    const isBasic = settings.message_quality === BASIC;
    const { encoding, segments } = measureSms(content.text);
    if (content.text.length > MAX_LENGTH[encoding]) {
      const kind = encoding === 'gsm7' ? '' : ', as this text is not all in the GSM alphabet';
      issue('message', 'too_long', `Skebby takes at most ${MAX_LENGTH[encoding]} characters${kind}`);
    } else if (isBasic && segments > 1) {
      issue('message', 'too_long', 'must fit into one SMS for Skebby in quality SI');
    }
    if (from !== null && isBasic) {
      issue('from', 'sender_not_supported', 'cannot be chosen for Skebby in quality SI');
    } else if (from !== null && !SENDER.test(from)) {
      issue('from', 'invalid_sender', 'must be a number or an alias of up to 11 characters for Skebby');
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { content } = message as OutboundMessage<'sms'>;
    const quality = textOf(ctx.settings.message_quality);
    const sender = quality === BASIC ? undefined : (message.from ?? textOf(ctx.settings.sender));
    const body = {
      message_type: quality,
      message: content.text,
      recipient: [message.to],
      ...(sender !== undefined && { sender }),
      // Quirk: with encoding=gsm, the default, characters outside GSM 03.38 are replaced (smsend/REST-API, 2026-11).
      encoding: measureSms(content.text).encoding === 'ucs2' ? 'ucs2' : 'gsm',
      // Ours, so that an order of unknown fate can be looked up and a report finds its message.
      order_id: message.id,
      // Makes total_sent count credits, which are parts, in place of recipients.
      returnCredits: true,
    };
    const response = await this.call('POST', '/sms', ctx, JSON.stringify(body));
    const answer = jsonObject(response.body);
    const result = textOf(answer?.result);
    if (response.status === 201 && result !== undefined) {
      const total = answer!.total_sent;
      if (result !== 'OK' || total === 0) throw this.notTaken(response, result, ctx);
      if (typeof total !== 'number' || !(total > 0)) throw this.api.unreadable(response);
      return { externalId: textOf(answer!.order_id) || message.id, segments: Math.ceil(total) };
    }
    if (response.status >= 200 && response.status <= 299) throw this.api.unreadable(response);
    throw this.refusal(response, ctx);
  }

  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const response = await this.call('GET', `/sms/${encodeURIComponent(externalId)}`, ctx);
    if (response.status === 404) return null;
    if (response.status !== 200) throw this.refusal(response, ctx);
    // Orders of ours have one recipient.
    const recipients = jsonObject(response.body)?.recipients;
    const first = (Array.isArray(recipients) ? recipients[0] : undefined) as Record<string, unknown> | null | undefined;
    const word = textOf(first?.status);
    if (word === undefined) throw this.api.unreadable(response);
    const { code, providerCode, message } = errorOf(word) ?? {};
    return {
      externalId,
      status: statusOf(word) ?? null,
      rawWord: word,
      ...(code !== undefined && { error: { code, providerCode, message } }),
    };
  }

  /** By the order id, which is our message id: exact. */
  async findSent(message: OutboundMessage, _since: number, ctx: GatewayContext): Promise<StatusReport[]> {
    const report = await this.getStatus(message.id, ctx);
    return report === null ? [] : [report];
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const response = await this.call('GET', '/status?getMoney=true&typeAliases=true', ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      if (jsonObject(response.body) === undefined) throw this.api.unreadable(response);
      return undefined;
    });
  }

  async release(configId: string): Promise<void> {
    this.sessions.release(configId);
  }

  /**
   * Signs in when there is no token yet, and once more when the token is refused. A 401 says that nothing was taken, so the request that
   * follows it is the only one that can have an effect.
   */
  private async call(method: 'GET' | 'POST', path: string, ctx: GatewayContext, body?: string): Promise<HttpResponse> {
    for (let isRepeat = false; ; isRepeat = true) {
      const session = await this.sessions.get(ctx);
      const request = {
        method,
        url: `${this.deps.baseUrl}/API/v1.0/REST${path}`,
        headers: {
          user_key: session.userKey,
          Access_token: session.accessToken,
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body }),
      };
      const response = await this.api.call(request, ctx, body === undefined ? 'read' : 'send');
      if (response.status !== 401) return response;
      await this.sessions.drop(ctx, session);
      if (isRepeat) return response;
    }
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const answer = jsonObject(response.body);
    const plain = response.body.toString('utf8').trim();
    const text = textOf(answer?.result) ?? textOf(answer?.message) ?? (plain || undefined);
    const row = response.status === 400 ? rowOfReason(text) : undefined;
    return this.api.refusal(response, ctx, { row, text });
  }

  /** A 201 that says that the order was not taken: for the same reasons as a 400. */
  private notTaken(response: HttpResponse, result: string, ctx: GatewayContext): GatewayError {
    const row = rowOfReason(`${result} ${textOf(jsonObject(response.body)?.message) ?? ''}`);
    return this.api.refusal(response, ctx, { row, text: result });
  }
}

/** Skebby REST API, SMS. */
export const skebby: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'skebby',
  channel: 'sms',
  slug: 'skebby',
  aliases: [],
  title: 'Skebby',
  docsUrl: 'https://developers.skebby.it',
  baseUrl: { env: 'SKEBBY_BASE_URL', default: 'https://api.skebby.it' },
  settings: z.strictObject({
    sender: z.string().regex(SENDER, 'must be a number or an alias of up to 11 characters').optional().meta({
      description:
        'Sender when the request names none: an alias that Skebby has approved, or a number. Absent: the account’s default. Not used in quality SI, which has no sender of one’s own.',
      example: 'AcmeInc',
    }),
    message_quality: z.enum(QUALITIES).default('GP').meta({
      description:
        'GP: Classic+, with delivery reports; TI: Classic; SI: Basic, without sender of one’s own and one SMS long at most.',
      example: 'GP',
    }),
    supported_countries: supportedCountries,
  }),
  credentials: {
    username: {
      description: 'Username of the account.',
      secret: true,
      required: true,
      identifiesAccount: true,
      example: 'acme@example.com',
    },
    password: {
      description: 'Password of the account.',
      secret: true,
      required: true,
      example: 'correct-horse-battery',
    },
  },
  capabilities: {
    // Quirk: the URL for reports is entered by hand, and only Classic+ has reports, so that they cannot be counted on (2026-11).
    status: 'pull',
    inbound: true,
    media: false,
    templates: false,
    idempotency: false,
    lookup: true,
    maxBodyLength: MAX_LENGTH.gsm7,
  },
  // Rate limits are not published.
  limits: { defaultPerSecond: null, timeoutMs: 10_000, window: 50 },
  create: (deps) => new SkebbyGateway(deps),
  callbacks: { status: skebbyStatus, inbound: skebbyInbound },
  statuses: SKEBBY_STATUSES,
  errors: SKEBBY_ERRORS,
  simulator: skebbySimulator,
});
