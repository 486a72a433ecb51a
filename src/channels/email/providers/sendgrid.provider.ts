// The SDK (@sendgrid/mail) builds the body; the call goes through platform/http-client, since the SDK's has no time-out and hides a failure's class.
import { z } from 'zod';
import type {
  Gateway,
  GatewayContext,
  HealthReport,
  OutboundMessage,
  SendResult,
  ValidationIssue,
} from '../../../gateway/contracts/gateway';
import type { GatewayError } from '../../../gateway/contracts/gateway-error';
import { ProviderApi } from '../../../gateway/contracts/provider-api';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { jsonObject, rowOf, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { flag, fromEmail, fromName, replyToEmail, settingOf } from '../email-settings';
import { sizeIssues } from '../email-size';
import { sendgridEvents } from './sendgrid.callbacks';
import { isDynamicTemplate, sendgridBody } from './sendgrid.mail';
import { signingKeyFault } from './sendgrid.signature';
import { sendgridSimulator } from './sendgrid.simulator';
import { SENDGRID_ERRORS, SENDGRID_STATUSES } from './sendgrid.vocabulary';

/** The whole mail with its attachments (twilio.com/docs/sendgrid, 2026-11). */
const MAX_BYTES = 30 * 1024 * 1024;
const MAX_SUBSTITUTION_BYTES = 10_000;

const RULES: AnswerRules = {
  title: 'SendGrid',
  errors: SENDGRID_ERRORS,
  httpStatus: {
    406: { class: 'config', code: 'wrong_address', title: 'the API does not answer in this form' },
  },
};

class SendgridGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content } = message as OutboundMessage<'email'>;
    const { template_id: template, template_data: data } = content;
    const issues = sizeIssues(content, MAX_BYTES, RULES.title);
    if (template === undefined || isDynamicTemplate(template) || !data) return issues;
    for (const [name, value] of Object.entries(data)) {
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') continue;
      const message = 'must be a text or a number, unless the SendGrid template is a dynamic one (d-…)';
      issues.push({ field: `template_data.${name.slice(0, 64)}`, code: 'invalid_type', message });
    }
    if (Buffer.byteLength(JSON.stringify(data)) > MAX_SUBSTITUTION_BYTES) {
      const message = `must have at most ${MAX_SUBSTITUTION_BYTES} bytes for SendGrid`;
      issues.push({ field: 'template_data', code: 'too_large', message });
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const body = await sendgridBody(message as OutboundMessage<'email'>, ctx);
    const response = await this.call('POST', '/v3/mail/send', ctx, body);
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const externalId = response.headers['x-message-id'];
    if (externalId) return { externalId };
    // Quirk: in sandbox mode the answer is 200 without an id, and nothing is reported (twilio.com/docs/sendgrid, sandbox mode, 2026-11).
    if (settingOf(ctx.settings, 'sandbox_mode') && response.status === 200)
      return { externalId: `sandbox-${message.id}` };
    throw this.api.unreadable(response);
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const response = await this.call('GET', '/v3/scopes', ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      const scopes = jsonObject(response.body)?.scopes;
      if (!Array.isArray(scopes)) throw this.api.unreadable(response);
      return scopes.includes('mail.send') ? undefined : 'the API key may not send (it lacks the scope mail.send)';
    });
  }

  private call(method: 'GET' | 'POST', path: string, ctx: GatewayContext, body?: string): Promise<HttpResponse> {
    const headers = {
      authorization: `Bearer ${ctx.credentials.api_key?.reveal() ?? ''}`,
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const url = `${this.deps.baseUrl}${path}`;
    const request = { method, url, headers, ...(body !== undefined && { body }) };
    return this.api.call(request, ctx, body === undefined ? 'read' : 'send');
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const errors = errorsOf(response);
    const code = errors.map(codeOf).find((one) => one !== undefined);
    const text = errors.map(({ message }) => message).join('; ');
    const retryAfterMs = response.status === 429 ? this.untilReset(response) : undefined;
    return this.api.refusal(response, ctx, { code, ...(text && { text }), retryAfterMs });
  }

  /** Quirk: no Retry-After is promised; when the rate starts anew is in `X-RateLimit-Reset`, seconds since the epoch (2026-11). */
  private untilReset({ headers }: HttpResponse): number | undefined {
    const reset = headers['x-ratelimit-reset'];
    if (headers['retry-after'] !== undefined || reset === undefined || !/^\d{9,11}$/.test(reset)) return undefined;
    return Math.max(0, Number(reset) * 1000 - this.api.clock.now());
  }
}

interface SaidError {
  message: string;
  field: string | undefined;
}

function errorsOf(response: HttpResponse): SaidError[] {
  const list = jsonObject(response.body)?.errors;
  if (!Array.isArray(list)) return [];
  return (list as Array<Record<string, unknown> | null>).map((item) => ({
    message: textOf(item?.message) ?? '',
    field: textOf(item?.field),
  }));
}

/** The key in the error table of what an error names; undefined when the HTTP status says more. */
function codeOf({ message, field }: SaidError): string | undefined {
  if (/maximum credits exceeded/i.test(message)) return 'Maximum credits exceeded';
  const name = field?.replaceAll(/(\.\d+|\[\d+\])/g, '');
  return rowOf(SENDGRID_ERRORS, name) ? name : undefined;
}

/** Twilio SendGrid, Mail Send v3. */
export const sendgrid: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'sendgrid',
  channel: 'email',
  slug: 'sendgrid',
  aliases: [],
  title: 'SendGrid',
  docsUrl: 'https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send',
  baseUrl: { env: 'SENDGRID_BASE_URL', default: 'https://api.sendgrid.com' },
  settings: z.strictObject({
    from_email: fromEmail,
    from_name: fromName,
    reply_to_email: replyToEmail,
    enable_open_tracking: flag('Track opens when the request does not say. Absent: as the account does.', true),
    enable_click_tracking: flag('Track clicks when the request does not say. Absent: as the account does.', true),
    enable_unsubscribe_tracking: flag(
      'Let SendGrid add a way to unsubscribe, with List-Unsubscribe and one click, when the request does not say. Absent: as the account does.',
      false,
    ),
    ip_pool_name: z.string().min(2).max(64).optional().meta({
      description: 'IP pool of the account that mails go out from.',
      example: 'transactional',
    }),
    sandbox_mode: flag('SendGrid checks each mail and sends none. Nothing is reported of such a mail.', false),
  }),
  credentials: {
    api_key: {
      description: 'API key with the scope mail.send.',
      secret: true,
      required: true,
      identifiesAccount: true,
      example: 'SG.0123456789abcdefghijkl.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG',
    },
    webhook_signing_key: {
      description:
        'Verification key of the signed event webhook, as SendGrid shows it or as PEM. Absent: callbacks are proved by the token in their URL. The example is the one of the simulator.',
      secret: true,
      required: false,
      check: signingKeyFault,
      example:
        'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJqJwBYoUljDZrxmmeR6nQemJsxwCx89mzliMeEIt48rs7ZvyHLM1Vj/RE/l2zpY8LyVHd0zoY3GoZR19JmY7OA==',
    },
  },
  capabilities: {
    status: 'push',
    inbound: false,
    media: true,
    templates: true,
    idempotency: false,
    lookup: false,
    maxBodyLength: MAX_BYTES,
  },
  limits: { defaultPerSecond: null, timeoutMs: 20_000, window: 100 },
  create: (deps) => new SendgridGateway(deps),
  callbacks: { status: sendgridEvents, events: sendgridEvents },
  statuses: SENDGRID_STATUSES,
  errors: SENDGRID_ERRORS,
  simulator: sendgridSimulator,
});
