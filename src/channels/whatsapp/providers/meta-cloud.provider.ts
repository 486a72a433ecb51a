// Calls the Graph API through platform/http-client: Meta maintains no SDK for Node.
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
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { ProviderApi } from '../../../gateway/contracts/provider-api';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { metaCallback } from './meta-cloud.callbacks';
import { META_TEXT_LENGTH, metaIssues, metaMessage } from './meta-cloud.message';
import { objectOf, objects } from './meta-cloud.payload';
import { metaSimulator } from './meta-cloud.simulator';
import { META_ERRORS, META_STATUSES } from './meta-cloud.vocabulary';

/** Served until 8 October 2027 (developers.facebook.com/docs/graph-api/changelog/versions, 2026-11). */
const DEFAULT_API_VERSION = 'v23.0';

const RULES = { title: 'Meta', errors: META_ERRORS };

/** An id is a part of a path, and at Meta itself digits; made-up ones are as good. */
const ID = /^[\w-]{1,64}$/;

const HEALTH_FIELDS = 'id,display_phone_number,verified_name,quality_rating';

class MetaCloudGateway implements Gateway {
  private readonly api: ProviderApi;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
  }

  validate(message: OutboundMessage, settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    return metaIssues(message as OutboundMessage<'whatsapp'>, settings);
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const body = JSON.stringify(metaMessage(message as OutboundMessage<'whatsapp'>, ctx.settings));
    const response = await this.call('POST', '/messages', ctx, body);
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const id = textOf(objects(jsonObject(response.body)?.messages)[0]?.id);
    // Quirk: a wamid means accepted, no more; that the recipient is not on WhatsApp comes by webhook (facebook/openapi v23.0, 2025-11).
    if (!id) throw this.api.unreadable(response);
    return { externalId: id };
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const response = await this.call('GET', `?fields=${encodeURIComponent(HEALTH_FIELDS)}`, ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      const id = textOf(jsonObject(response.body)?.id);
      if (id === undefined) throw this.api.unreadable(response);
      return id === ctx.credentials.phone_number_id?.reveal() ? undefined : 'the phone number id is of something else';
    });
  }

  private call(method: 'GET' | 'POST', path: string, ctx: GatewayContext, body?: string): Promise<HttpResponse> {
    const version = textOf(ctx.settings.api_version) ?? DEFAULT_API_VERSION;
    const number = encodeURIComponent(ctx.credentials.phone_number_id?.reveal() ?? '');
    const request = {
      method,
      url: `${this.deps.baseUrl}/${version}/${number}${path}`,
      headers: {
        authorization: `Bearer ${ctx.credentials.access_token?.reveal() ?? ''}`,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    };
    return this.api.call(request, ctx, body === undefined ? 'read' : 'send');
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const error = objectOf(jsonObject(response.body)?.error);
    const code = textOf(error?.code);
    const details = textOf(objectOf(error?.error_data)?.details);
    const text = [textOf(error?.message), details].filter((part) => part !== undefined).join(': ');
    return this.api.refusal(response, ctx, {
      code,
      ...(text !== '' && { text }),
      ...(code === '100' && concernsSender(error!.error_subcode, text) && { row: '33' }),
    });
  }
}

/** Quirk: a wrong phone number id is an "invalid parameter" too; its subcode 33 or its text tells (facebook/openapi v23.0, 2025-11). */
function concernsSender(subcode: unknown, text: string): boolean {
  return textOf(subcode) === '33' || /phone.?number.?id/i.test(text);
}

/** Meta's WhatsApp Cloud API. */
export const metaCloud: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'meta_cloud',
  channel: 'whatsapp',
  slug: 'whatsapp',
  aliases: [],
  title: 'WhatsApp (Meta Cloud API)',
  docsUrl: 'https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform',
  baseUrl: { env: 'META_BASE_URL', default: 'https://graph.facebook.com' },
  settings: z.strictObject({
    display_phone_number: z
      .string()
      .regex(/^\+?[\d ().-]{7,25}$/, 'must be a phone number')
      .optional()
      .meta({
        description: 'The business number as people see it; what a request may name as `from`.',
        example: '+1 555 078 3881',
      }),
    business_name: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'The verified name that people see. For your own use.', example: 'Acme Parcels' }),
    default_language_code: z
      .string()
      .regex(/^[a-z]{2,3}([_-][A-Za-z]{2,4})?$/, 'must be a language code such as en_US')
      .optional()
      .meta({ description: 'Language of templates when a request names none.', example: 'en_US' }),
    api_version: z
      .string()
      .regex(/^v\d{1,3}\.\d$/, 'must be a version such as v23.0')
      .optional()
      .meta({
        description: `Version of the Graph API. Absent: ${DEFAULT_API_VERSION}. Each one is served for about two years.`,
        example: DEFAULT_API_VERSION,
      }),
  }),
  credentials: {
    access_token: {
      description: 'Token of a system user with the permission whatsapp_business_messaging.',
      secret: true,
      required: true,
      example: 'EAABwzLixnjYBO0123456789',
    },
    phone_number_id: {
      description: 'Id of the sending number at Meta (not the number itself).',
      secret: false,
      required: true,
      identifiesAccount: true,
      pattern: ID,
      example: '106540352242922',
    },
    business_account_id: {
      description: 'Id of the WhatsApp business account that the number belongs to.',
      secret: false,
      required: true,
      pattern: ID,
      example: '419561257915477',
    },
    webhook_verify_token: {
      description: 'A text of your own that is set with the webhook at Meta; answers its verification request.',
      secret: true,
      required: true,
      example: 'a-long-random-text',
    },
    app_secret: {
      description: 'Secret of the app at Meta; proves its webhooks.',
      secret: true,
      required: true,
      example: '0123456789abcdef0123456789abcdef',
    },
  },
  capabilities: {
    status: 'push',
    inbound: true,
    media: true,
    templates: true,
    idempotency: false,
    lookup: false,
    maxBodyLength: META_TEXT_LENGTH,
  },
  // Quirk: 80 messages a second and number, in and out together; Meta raises it to 1000 by itself
  // (developers.facebook.com/documentation/business-messaging/whatsapp/throughput, 2026-11).
  limits: { defaultPerSecond: 80, timeoutMs: 10_000, window: 100 },
  create: (deps) => new MetaCloudGateway(deps),
  callbacks: { events: metaCallback, status: metaCallback, inbound: metaCallback },
  statuses: META_STATUSES,
  errors: META_ERRORS,
  simulator: metaSimulator,
});
