// Calls the API through platform/http-client: the SDK (mailgun.js) turns every network failure into a 400 and hides the headers of answers.
import { hash } from 'node:crypto';
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
import type { StatusEvent } from '../../../gateway/contracts/callback';
import type { GatewayError } from '../../../gateway/contracts/gateway-error';
import { basicAuth, ProviderApi } from '../../../gateway/contracts/provider-api';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { encodeForm } from '../../../kernel/form';
import { encodeMultipart } from '../../../kernel/multipart';
import { Secret } from '../../../kernel/secret';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { MESSAGE_ID_VARIABLE } from '../email-events';
import { flag, fromEmail, fromName } from '../email-settings';
import { sizeIssues } from '../email-size';
import { listUnsubscribeIssues } from '../list-unsubscribe';
import { mailgunEvents, mailgunMessageId, readMailgunEvent } from './mailgun.callbacks';
import { mailgunFields, options } from './mailgun.mail';
import { mailgunSimulator } from './mailgun.simulator';
import { MAILGUN_ERRORS, MAILGUN_STATUSES } from './mailgun.vocabulary';

const MAX_BYTES = 25 * 1024 * 1024;
/** Of all `o:`, `h:`, `v:` and `t:` fields together. */
const MAX_OPTION_BYTES = 16 * 1024;
const MOST_EVENTS = 300;
// A clock that differs from Mailgun's by more than this makes a look-up miss, which is the safe side.
const CLOCK_SKEW_MS = 5000;

const RULES: AnswerRules = { title: 'Mailgun', errors: MAILGUN_ERRORS };

type Json = Record<string, unknown>;

class MailgunGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const mail = message as OutboundMessage<'email'>;
    const { content } = mail;
    const issues = [...sizeIssues(content, MAX_BYTES, RULES.title), ...listUnsubscribeIssues(content, RULES.title)];
    if (optionBytes(mail, settings) > MAX_OPTION_BYTES) {
      const field = content.template_data ? 'template_data' : 'headers';
      const text = `must have at most ${MAX_OPTION_BYTES} bytes, headers and template data together, for Mailgun`;
      issues.push({ field, code: 'too_large', message: text });
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    // Follows from the id, which nobody knows before the content is fixed.
    const boundary = `unimsg-${hash('sha256', message.id).slice(0, 40)}`;
    const body = encodeMultipart(mailgunFields(message as OutboundMessage<'email'>, ctx), boundary);
    const response = await this.call(`/v3/${domainOf(ctx)}/messages`, ctx, {
      body,
      contentType: `multipart/form-data; boundary=${boundary}`,
    });
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const externalId = mailgunMessageId(textOf(jsonObject(response.body)?.id));
    if (externalId !== undefined) return { externalId };
    // Quirk: a base URL without the API's path answers 200 and this text (mailgun.js, 2026-11).
    if (response.body.includes('Mailgun Magnificent API')) {
      throw this.api.refusal(response, ctx, { code: 'Mailgun Magnificent API' });
    }
    throw this.api.unreadable(response);
  }

  /** By the events API; a domain sending key may not ask it. Events show up there with some delay, so callbacks are the usual way. */
  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const events = await this.events({ 'message-id': externalId, limit: MOST_EVENTS }, ctx);
    return reportOf(externalId, events);
  }

  /** By recipient and time; our id among the variables tells which one it is. */
  async findSent(message: OutboundMessage, since: number, ctx: GatewayContext): Promise<StatusReport[]> {
    const begin = Math.floor((since - CLOCK_SKEW_MS) / 1000);
    const events = await this.events({ begin, ascending: 'yes', recipient: message.to, limit: MOST_EVENTS }, ctx);
    const byId = new Map<string, Json[]>();
    for (const event of events) {
      const id = mailgunMessageId(textOf(member(member(event, 'message'), 'headers')['message-id']));
      if (id === undefined || textOf(member(event, 'user-variables')[MESSAGE_ID_VARIABLE]) !== message.id) continue;
      byId.set(id, [...(byId.get(id) ?? []), event]);
    }
    return [...byId].flatMap(([id, own]) => reportOf(id, own) ?? []);
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const response = await this.call(`/v4/domains/${domainOf(ctx)}`, ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      const state = textOf(member(jsonObject(response.body) ?? {}, 'domain').state);
      if (state === undefined) throw this.api.unreadable(response);
      return state === 'active' ? undefined : `the domain is ${state}`;
    });
  }

  private async events(query: Record<string, string | number>, ctx: GatewayContext): Promise<Json[]> {
    const response = await this.call(`/v3/${domainOf(ctx)}/events?${encodeForm(query)}`, ctx);
    if (response.status !== 200) throw this.refusal(response, ctx);
    const items = jsonObject(response.body)?.items;
    if (!Array.isArray(items)) throw this.api.unreadable(response);
    return (items as unknown[]).filter((item): item is Json => typeof item === 'object' && item !== null);
  }

  private call(path: string, ctx: GatewayContext, send?: { body: Buffer; contentType: string }): Promise<HttpResponse> {
    // The region is the domain's; the other one does not know it.
    const base = ctx.credentials.region?.reveal() === 'eu' ? this.deps.furtherUrl('eu') : this.deps.baseUrl;
    const headers = {
      authorization: basicAuth('api', ctx.credentials.api_key?.reveal() ?? ''),
      accept: 'application/json',
      ...(send && { 'content-type': send.contentType }),
    };
    const request = { method: send ? ('POST' as const) : ('GET' as const), url: base + path, headers };
    return this.api.call({ ...request, ...(send && { body: send.body }) }, ctx, send ? 'send' : 'read');
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const body = jsonObject(response.body);
    const text = textOf(body?.message) ?? textOf(body?.error);
    return this.api.refusal(response, ctx, { code: codeOf(response.status, text), text, retryAfterMs: pauseIn(text) });
  }
}

/** The key in the error table that a text stands for; undefined when the HTTP status says more. */
function codeOf(status: number, text = ''): string | undefined {
  if (/'?\bto'? parameter is not a valid address/i.test(text)) return "'to' parameter is not a valid address";
  if (/limit exceeded/i.test(text)) return status === 429 || status === 420 ? 'limit exceeded' : undefined;
  // With a 429 too the text begins so; then it is the rate.
  if (/not allowed to send/i.test(text) && (status === 400 || status === 403)) return 'is not allowed to send';
  return /domain not found/i.test(text) && status === 404 ? 'Domain not found' : undefined;
}

/** `… limit exceeded, try again after 120 seconds` */
function pauseIn(text = ''): number | undefined {
  const seconds = /try again after (\d{1,5}) seconds/i.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** The furthest that the events of one mail say of its first recipient; null when there are none. */
function reportOf(externalId: string, events: readonly Json[]): StatusReport | null {
  const rank = ['accepted', 'temporary_fail', 'rejected', 'permanent_fail', 'delivered'];
  let best: StatusEvent | undefined;
  for (const event of events) {
    if (textOf(event.event) === undefined || textOf(event.id) === undefined) continue;
    const status = readMailgunEvent(event).find((one) => one.kind === 'status');
    if (status && rank.indexOf(status.rawWord) >= rank.indexOf(best?.rawWord ?? '')) best = status;
  }
  return best
    ? { externalId, status: best.status, rawWord: best.rawWord, ...(best.error && { error: best.error }) }
    : null;
}

function optionBytes(message: OutboundMessage<'email'>, settings: Readonly<Record<string, unknown>>): number {
  // Ids and URLs of a call that is not made yet, at their longest.
  const ctx = {
    settings,
    configId: 'x'.repeat(30),
    callbackToken: new Secret('x'),
    callbackUrl: () => `${'x'.repeat(200)}/webhook/x`,
  };
  const { template_data: data } = message.content;
  const variables = data ? Buffer.byteLength(JSON.stringify(data)) : 0;
  return options({ ...message, id: message.id.padEnd(40, 'x') }, ctx).reduce(
    (sum, [name, value]) => sum + name.length + Buffer.byteLength(value),
    variables,
  );
}

function domainOf(ctx: GatewayContext): string {
  return encodeURIComponent(ctx.credentials.domain?.reveal() ?? '');
}

function member(of: Json, name: string): Json {
  const value = of[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** Mailgun, Messages v3. */
export const mailgun: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'mailgun',
  channel: 'email',
  slug: 'mailgun',
  aliases: [],
  title: 'Mailgun',
  docsUrl: 'https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages',
  baseUrl: { env: 'MAILGUN_BASE_URL', default: 'https://api.mailgun.net' },
  furtherUrls: { eu: { env: 'MAILGUN_BASE_URL', default: 'https://api.eu.mailgun.net' } },
  settings: z.strictObject({
    from_email: fromEmail,
    from_name: fromName,
    enable_tracking: flag('Track opens and clicks when the request does not say. Absent: as the domain does.', true),
    enable_click_tracking: flag('The same for clicks alone; goes before `enable_tracking`.', false),
    test_mode: flag('Mailgun takes each mail, charges it, and delivers none.', false),
  }),
  credentials: {
    api_key: {
      description:
        'API key of the account. A sending key of the domain sends too, but cannot be tested nor look up statuses.',
      secret: true,
      required: true,
      example: '0123456789abcdef0123456789abcdef-01234567-89abcdef',
    },
    webhook_signing_key: {
      description: 'HTTP webhook signing key of the account. Absent: callbacks are proved by the token in their URL.',
      secret: true,
      required: false,
      example: '0123456789abcdef0123456789abcdef',
    },
    domain: {
      description: 'Sending domain.',
      secret: false,
      required: true,
      identifiesAccount: true,
      pattern: /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/,
      example: 'mg.example.com',
    },
    region: {
      description: 'Where the domain is: `us` or `eu`. Absent: `us`.',
      secret: false,
      required: false,
      pattern: /^(eu|us)$/,
      example: 'eu',
    },
  },
  capabilities: {
    status: 'push',
    inbound: false,
    media: true,
    templates: true,
    idempotency: false,
    lookup: true,
    maxBodyLength: MAX_BYTES,
  },
  limits: { defaultPerSecond: null, timeoutMs: 20_000, window: 100 },
  create: (deps) => new MailgunGateway(deps),
  callbacks: { status: mailgunEvents, events: mailgunEvents },
  statuses: MAILGUN_STATUSES,
  errors: MAILGUN_ERRORS,
  simulator: mailgunSimulator,
});
