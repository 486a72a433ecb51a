// Calls the API through platform/http-client: there is no official SDK for Node.
import { z } from 'zod';
import type {
  Gateway,
  GatewayContext,
  HealthReport,
  Money,
  OutboundMessage,
  SendResult,
  StatusReport,
  ValidationIssue,
} from '../../../gateway/contracts/gateway';
import type { GatewayError } from '../../../gateway/contracts/gateway-error';
import { basicAuth, ProviderApi } from '../../../gateway/contracts/provider-api';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { jsonObject, rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { encodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import { isCallingCode } from '../../../kernel/phone-number';
import { asUri } from '../../../kernel/uri';
import { isLongerThan } from '../../../kernel/text-length';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { elksInbound, elksStatus, elksTime, NOT_DELIVERED } from './elks.callbacks';
import { elksSimulator } from './elks.simulator';
import { ELKS_ERRORS, ELKS_STATUSES, rowOfText } from './elks.vocabulary';
import { E164 } from './sms-settings';

/** 46elks documents no longest text; this is what the channel takes. */
const MAX_BODY_LENGTH = 1600;
const LOOKUP_LIMIT = 100;
// A clock that differs from 46elks' by more than this makes a look-up miss, which is the safe side.
const CLOCK_SKEW_MS = 5000;

const RULES: AnswerRules = { title: '46elks', errors: ELKS_ERRORS };

/** A number, or 3 to 11 letters and digits of which the first is a letter. */
const SENDER = /^(\+[1-9]\d{5,14}|[A-Za-z][A-Za-z0-9]{2,10})$/;

class ElksGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from, to } = message as OutboundMessage<'sms'>;
    const issues: ValidationIssue[] = [];
    if (content.text === '') issues.push({ field: 'message', code: 'required', message: 'must not be empty' });
    if (isLongerThan(content.text, MAX_BODY_LENGTH)) {
      const text = `46elks takes at most ${MAX_BODY_LENGTH} characters`;
      issues.push({ field: 'message', code: 'too_long', message: text });
    }
    if (!E164.test(to)) issues.push({ field: 'to', code: 'invalid_phone_number', message: 'must be an E.164 number' });
    if (from !== null && !SENDER.test(from)) {
      const allowed = 'an E.164 number, or 3 to 11 letters and digits, the first a letter,';
      issues.push({ field: 'from', code: 'invalid_sender', message: `must be ${allowed} for 46elks` });
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { content } = message as OutboundMessage<'sms'>;
    const response = await this.call('POST', '/sms', ctx, {
      from: message.from ?? textOf(ctx.settings.sender_id),
      to: message.to,
      message: content.text,
      whendelivered: whenDelivered(message, ctx),
    });
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const body = jsonObject(response.body);
    const id = textOf(body?.id);
    if (!id) throw this.api.unreadable(response);
    const status = rowOf(ELKS_STATUSES, textOf(body!.status));
    return {
      externalId: id,
      ...((status === 'delivered' || status === 'undelivered') && { status }),
      ...detailsOf(body!),
    };
  }

  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const response = await this.call('GET', `/sms/${encodeURIComponent(externalId)}`, ctx);
    if (response.status === 404) return null;
    if (response.status !== 200) throw this.refusal(response, ctx);
    const report = reportOf(jsonObject(response.body));
    if (report === null) throw this.api.unreadable(response);
    return report;
  }

  /**
   * By recipient, text and time, in the account's history: 46elks keeps no reference of ours. An equal message of a moment ago looks the same.
   */
  async findSent(message: OutboundMessage, since: number, ctx: GatewayContext): Promise<StatusReport[]> {
    const { content } = message as OutboundMessage<'sms'>;
    const response = await this.call('GET', `/sms?${encodeForm({ to: message.to, limit: LOOKUP_LIMIT })}`, ctx);
    if (response.status !== 200) throw this.refusal(response, ctx);
    const list = jsonObject(response.body)?.data;
    if (!Array.isArray(list)) throw this.api.unreadable(response);
    return (list as Array<Record<string, unknown> | null>).flatMap((item) => {
      const created = elksTime(textOf(item?.created));
      const isMatch =
        item?.message === content.text &&
        item.to === message.to &&
        item.direction !== 'incoming' &&
        created !== null &&
        created >= since - CLOCK_SKEW_MS;
      return isMatch ? (reportOf(item) ?? []) : [];
    });
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const response = await this.call('GET', '/me', ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      if (jsonObject(response.body) === undefined) throw this.api.unreadable(response);
      return undefined;
    });
  }

  private call(
    method: 'GET' | 'POST',
    path: string,
    ctx: GatewayContext,
    form?: Record<string, string | undefined>,
  ): Promise<HttpResponse> {
    const { api_username: username, api_password: password } = ctx.credentials;
    const request = {
      method,
      url: `${this.deps.baseUrl}/a1${path}`,
      headers: {
        authorization: basicAuth(username?.reveal() ?? '', password?.reveal() ?? ''),
        accept: 'application/json',
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form && { body: encodeForm(form) }),
    };
    return this.api.call(request, ctx, form ? 'send' : 'read');
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const text = response.body.toString('utf8').trim();
    const row = response.status === 400 ? rowOfText(text) : undefined;
    return this.api.refusal(response, ctx, { row, text: text || undefined });
  }
}

/** Our callback URL; or the config's own with our message id and token added, so that a proxy can hand the report on. */
function whenDelivered(message: OutboundMessage, ctx: GatewayContext): string {
  const ours = ctx.callbackUrl('status', message.id);
  const theirs = textOf(ctx.settings.dlr_callback_url);
  if (theirs === undefined) return ours;
  const url = new URL(theirs);
  for (const [name, value] of new URL(ours).searchParams) url.searchParams.set(name, value);
  return asUri(url.href);
}

/** Quirk: `cost` is an integer of 1/10000 of the account's currency, which an answer does not name; accounts are in SEK (46elks.com/docs/send-sms, 2026-11). */
function costOf(cost: unknown): Money | undefined {
  if (typeof cost !== 'number' || !Number.isSafeInteger(cost) || cost < 0) return undefined;
  const digits = String(cost).padStart(5, '0');
  const fraction = digits.slice(-4).replace(/0+$/, '');
  return { amount: digits.slice(0, -4) + (fraction && `.${fraction}`), currency: 'SEK' };
}

function detailsOf(body: Record<string, unknown>): Pick<SendResult, 'segments' | 'cost'> {
  const segments = Number(textOf(body.parts));
  const cost = costOf(body.cost);
  return { ...(segments > 0 && { segments }), ...(cost && { cost }) };
}

function reportOf(body: Record<string, unknown> | undefined): StatusReport | null {
  const word = textOf(body?.status);
  const id = textOf(body?.id);
  if (body === undefined || word === undefined || id === undefined) return null;
  const status = rowOf(ELKS_STATUSES, word) ?? null;
  const { code, message } = NOT_DELIVERED;
  return {
    externalId: id,
    status,
    rawWord: word,
    ...(status === 'undelivered' && { error: { code, message } }),
    ...detailsOf(body),
  };
}

/** 46elks, SMS. */
export const elks: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'elks',
  channel: 'sms',
  slug: 'elks',
  aliases: ['46elks'],
  title: '46elks',
  docsUrl: 'https://46elks.com/docs/send-sms',
  baseUrl: { env: 'ELKS_BASE_URL', default: 'https://api.46elks.com' },
  settings: z.strictObject({
    sender_id: z
      .string()
      .min(1)
      .refine(
        (text) => E164.test(text) || (text.length <= 11 && measureSms(text).encoding === 'gsm7'),
        'must have at most 11 characters of the GSM alphabet, or be an E.164 number',
      )
      .meta({
        description:
          'Sender when the request names none: at most 11 GSM characters, or a number of yours, E.164. 46elks wants 3 to 11 letters and digits, the first a letter; networks may refuse others.',
        example: 'UniMsg',
      }),
    default_country_code: z.string().refine(isCallingCode, 'must be a calling code such as +46').default('+46').meta({
      description:
        'Calling code that completes numbers in national form (with a leading 0): recipients, and the parties of inbound messages.',
      example: '+46',
    }),
    dlr_callback_url: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
      .max(2000)
      .optional()
      .meta({
        description:
          'Where 46elks reports instead of UniMsg, for a proxy that hands the requests on to the callback URL of this config; `message_id` and `token` are added to its query and must be kept. Absent: UniMsg itself.',
        example: 'https://hooks.example.com/elks',
      }),
  }),
  credentials: {
    api_username: {
      description: 'API username.',
      secret: true,
      required: true,
      identifiesAccount: true,
      example: 'u0123456789abcdef0123456789abcdef',
    },
    api_password: {
      description: 'API password.',
      secret: true,
      required: true,
      example: '0123456789ABCDEF0123456789ABCDEF',
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
  // Quirk: 100 SMS a minute and account are the default; more are queued in order, without a 429 (46elks.com/docs/overview, 2026-11).
  limits: { defaultPerSecond: null, timeoutMs: 10_000, window: 50 },
  create: (deps) => new ElksGateway(deps),
  callbacks: { status: elksStatus, inbound: elksInbound },
  statuses: ELKS_STATUSES,
  errors: ELKS_ERRORS,
  simulator: elksSimulator,
});
