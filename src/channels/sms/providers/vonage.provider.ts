// Calls the API through platform/http-client: @vonage/sms has no time-out, takes no HTTP agent and reports partial failures as total ones.
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
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { basicAuth, ProviderApi } from '../../../gateway/contracts/provider-api';
import { jsonObject, rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { encodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { MAX_CONCURRENT, maxConcurrent, supportedCountries } from './sms-settings';
import { vonageInbound, vonageStatus } from './vonage.callbacks';
import { VONAGE_SIGNATURE_METHODS, vonageMethod } from './vonage.signature';
import { vonageSimulator } from './vonage.simulator';
import { receiptError, VONAGE_ERRORS, VONAGE_STATUSES } from './vonage.vocabulary';

/** Calls under way at once, unless the config says otherwise. */
const WINDOW = 100;
const MAX_BODY_LENGTH = 3200;
const TTL_MS = { least: 20_000, most: 604_800_000 };

const DEFAULT_BASE_URL = 'https://rest.nexmo.com';
/** Reports live on another host than the SMS API; an operator's base URL replaces both. */
const REPORTS_BASE_URL = 'https://api.nexmo.com';

const RULES: AnswerRules = { title: 'Vonage', errors: VONAGE_ERRORS };

/** A number of up to 15 digits, or a name of up to 11 letters and digits: Vonage drops spaces from names. */
const SENDER = /^(\+?\d{1,15}|(?=.*[A-Za-z])[A-Za-z0-9]{1,11})$/;

interface SubmittedPart {
  status: string;
  id: string | undefined;
  errorText: string | undefined;
  price: string | undefined;
}

class VonageGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from, to } = message as OutboundMessage<'sms'>;
    const issues: ValidationIssue[] = [];
    if (content.text === '') issues.push({ field: 'message', code: 'required', message: 'must not be empty' });
    if (content.text.length > MAX_BODY_LENGTH) {
      issues.push({
        field: 'message',
        code: 'too_long',
        message: `Vonage takes at most ${MAX_BODY_LENGTH} characters`,
      });
    }
    if (!/^\+\d{7,15}$/.test(to)) {
      issues.push({ field: 'to', code: 'invalid_phone_number', message: 'must have 7 to 15 digits for Vonage' });
    }
    if (from !== null && !SENDER.test(from)) {
      const allowed = 'a number of up to 15 digits or up to 11 letters and digits';
      issues.push({ field: 'from', code: 'invalid_sender', message: `must be ${allowed} for Vonage` });
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { content } = message as OutboundMessage<'sms'>;
    const remaining = message.expiresAt - this.api.clock.now();
    const response = await this.api.call(
      {
        method: 'POST',
        url: `${this.deps.baseUrl}/sms/json`,
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: encodeForm({
          api_key: ctx.credentials.api_key?.reveal(),
          api_secret: ctx.credentials.api_secret?.reveal(),
          from: digitsOnly(message.from ?? textOf(ctx.settings.from) ?? ''),
          to: digitsOnly(message.to),
          text: content.text,
          // Quirk: with type=text, characters outside GSM 03.38 are lost without an error (developer.vonage.com, 2026-11).
          type: measureSms(content.text).encoding === 'ucs2' ? 'unicode' : 'text',
          ttl: Math.min(Math.max(Math.floor(remaining), TTL_MS.least), TTL_MS.most),
          callback: ctx.callbackUrl('status', message.id),
          'client-ref': message.id,
        }),
      },
      ctx,
      'send',
    );
    // Quirk: the status is 200 for refusals too; each part says how it went (Nexmo/api-specification sms.yml, 2021-07).
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const parts = partsOf(response);
    if (parts === null) throw this.api.unreadable(response);
    const failed = parts.filter((part) => part.status !== '0');
    if (failed.length === parts.length) throw this.partRefusal(failed[0]!, response, ctx);
    if (failed.length > 0) throw partlyTaken(failed[0]!, parts.length - failed.length, parts.length);
    const externalIds = parts.map((part) => part.id).filter((id) => id !== undefined);
    if (externalIds.length < parts.length) throw this.api.unreadable(response);
    const cost = totalPrice(parts);
    return { externalId: externalIds[0]!, externalIds, segments: parts.length, ...(cost && { cost }) };
  }

  /** By the Reports API, which not every account has; the delivery receipts are the usual way. */
  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const key = ctx.credentials.api_key?.reveal() ?? '';
    const query = encodeForm({ account_id: key, product: 'SMS', direction: 'outbound', id: externalId });
    const secret = ctx.credentials.api_secret?.reveal() ?? '';
    const { baseUrl } = this.deps;
    const host = baseUrl === DEFAULT_BASE_URL ? REPORTS_BASE_URL : baseUrl;
    const response = await this.read(`${host}/v2/reports/records?${query}`, ctx, {
      authorization: basicAuth(key, secret),
    });
    if (response.status !== 200) throw this.refusal(response, ctx);
    const records = jsonObject(response.body)?.records;
    if (!Array.isArray(records)) throw this.api.unreadable(response);
    const record = (records as Array<Record<string, unknown> | null>).find(
      (item) => textOf(item?.message_id) === externalId,
    );
    const word = textOf(record?.status)?.toLowerCase();
    if (!record || word === undefined) return null;
    const error = receiptError(textOf(record.error_code));
    return { externalId, status: rowOf(VONAGE_STATUSES, word) ?? null, rawWord: word, ...(error && { error }) };
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const query = encodeForm({
        api_key: ctx.credentials.api_key?.reveal(),
        api_secret: ctx.credentials.api_secret?.reveal(),
      });
      const response = await this.read(`${this.deps.baseUrl}/account/get-balance?${query}`, ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      if (textOf(jsonObject(response.body)?.value) === undefined) throw this.api.unreadable(response);
      return undefined;
    });
  }

  private read(url: string, ctx: GatewayContext, headers: Record<string, string> = {}): Promise<HttpResponse> {
    return this.api.call({ method: 'GET', url, headers: { accept: 'application/json', ...headers } }, ctx, 'read');
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const body = jsonObject(response.body);
    const text = textOf(body?.['error-code-label']) ?? textOf(body?.detail) ?? textOf(body?.title);
    return this.api.refusal(response, ctx, { text });
  }

  private partRefusal(part: SubmittedPart, response: HttpResponse, ctx: GatewayContext): GatewayError {
    const { status: code, errorText: text } = part;
    // Quirk: one code for every parameter; only the text tells that it is the recipient (2026-11).
    const rules = (code === '2' || code === '3') && namesRecipient(text) ? RECIPIENT_RULES : RULES;
    return this.api.refusal(response, ctx, { code, text }, rules);
  }
}

const RECIPIENT_RULES: AnswerRules = {
  title: RULES.title,
  errors: Object.fromEntries(
    ['2', '3'].map((code) => [
      code,
      {
        class: 'recipient_permanent' as const,
        code: 'invalid_recipient',
        title: 'The recipient is not a valid number',
      },
    ]),
  ),
};

/** Whether a text such as `Missing to param` or `Invalid value for param: to` is about the recipient. */
function namesRecipient(text: string | undefined): boolean {
  return text !== undefined && /\bto[`'"]?\s+(param|address)|\bparam(eter)?s?:?\s*[`'"(]?to\b|[`'"]to[`'"]/i.test(text);
}

/** The parts of a submission; null when the answer is not one. */
function partsOf(response: HttpResponse): SubmittedPart[] | null {
  const messages = jsonObject(response.body)?.messages;
  if (!Array.isArray(messages) || messages.length === 0) return null;
  const parts: SubmittedPart[] = [];
  for (const item of messages as Array<Record<string, unknown> | null>) {
    const status = textOf(item?.status);
    if (status === undefined) return null;
    parts.push({
      status,
      id: textOf(item?.['message-id']),
      errorText: textOf(item?.['error-text']),
      price: textOf(item?.['message-price']),
    });
  }
  return parts;
}

function partlyTaken(part: SubmittedPart, taken: number, total: number): GatewayError {
  return new GatewayError({
    class: 'ambiguous',
    code: 'partly_taken',
    message: `Vonage: took ${taken} of ${total} parts`,
    providerCode: part.status,
    ...(part.errorText !== undefined && { providerText: part.errorText }),
  });
}

/** Sum of the parts' prices, in euros, to the last digit; undefined when a part has none. */
function totalPrice(parts: SubmittedPart[]): Money | undefined {
  const DIGITS = 10;
  let sum = 0n;
  for (const { price } of parts) {
    const match = /^(\d{1,9})(?:\.(\d{1,10}))?$/.exec(price ?? '');
    if (!match) return undefined;
    sum += BigInt(match[1]! + (match[2] ?? '').padEnd(DIGITS, '0'));
  }
  const digits = sum.toString().padStart(DIGITS + 1, '0');
  const fraction = digits.slice(-DIGITS).replace(/0+$/, '');
  return { amount: digits.slice(0, -DIGITS) + (fraction && `.${fraction}`), currency: 'EUR' };
}

/** Vonage wants numbers without `+`; names stay as they are. */
function digitsOnly(address: string): string {
  return address.startsWith('+') ? address.slice(1) : address;
}

/** Vonage (Nexmo) SMS API. */
export const vonage: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'vonage',
  channel: 'sms',
  slug: 'vonage',
  aliases: ['nexmo'],
  title: 'Vonage',
  docsUrl: 'https://developer.vonage.com/en/api/sms',
  baseUrl: { env: 'VONAGE_BASE_URL', default: DEFAULT_BASE_URL },
  settings: z.strictObject({
    from: z.string().regex(SENDER, 'must be a number of up to 15 digits or up to 11 letters and digits').meta({
      description: 'Sender when the request names none: a number, or up to 11 letters and digits.',
      example: 'AcmeInc',
    }),
    supported_countries: supportedCountries,
    [MAX_CONCURRENT]: maxConcurrent(WINDOW),
  }),
  credentials: {
    api_key: {
      description: 'API key: a word, at Vonage itself of 8 letters and digits.',
      secret: true,
      required: true,
      identifiesAccount: true,
      pattern: /^[\w-]{1,64}$/,
      example: 'abcd1234',
    },
    api_secret: { description: 'API secret.', secret: true, required: true, example: 'abcdef0123456789' },
    signature_secret: {
      description:
        'Signature secret of the account. With it only signed callbacks count; without it the token in the callback URL does.',
      secret: true,
      required: false,
      example: 'aa11bb22cc33dd44ee55ff66aa77bb88cc99dd00',
    },
    signature_method: {
      description: `How the account signs the sig parameter: ${VONAGE_SIGNATURE_METHODS.join(', ')}, or as the SDKs name it, such as SHA256HMAC. Absent: sha256, sha512 or md5hash, which accounts have at first.`,
      secret: false,
      required: false,
      check: (value) => (vonageMethod(value) ? undefined : `must be one of ${VONAGE_SIGNATURE_METHODS.join(', ')}`),
      example: 'sha256',
    },
  },
  capabilities: {
    status: 'push',
    inbound: true,
    media: false,
    templates: false,
    idempotency: false,
    lookup: false,
    maxBodyLength: MAX_BODY_LENGTH,
  },
  limits: { defaultPerSecond: 30, timeoutMs: 10_000, window: WINDOW, windowSetting: MAX_CONCURRENT },
  create: (deps) => new VonageGateway(deps),
  callbacks: { status: vonageStatus, inbound: vonageInbound },
  statuses: VONAGE_STATUSES,
  errors: VONAGE_ERRORS,
  simulator: vonageSimulator,
});
