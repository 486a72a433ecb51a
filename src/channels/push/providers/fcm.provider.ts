// Calls HTTP v1 through platform/http-client: firebase-admin's sender has one fixed host, and repeats by itself what may have been taken.
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
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import type { HttpResponse } from '../../../platform/http-client/http-client';
import { type AccessToken, AccessTokens, readServiceAccount } from './fcm.access-tokens';
import { fcmMessage, pushIssues } from './fcm.message';
import { fcmSimulator } from './fcm.simulator';
import { FCM_ERRORS, INVALID_TOKEN_ROW, TARGET_QUOTA_ROW } from './fcm.vocabulary';

const RULES: AnswerRules = { title: 'FCM', errors: FCM_ERRORS };

/** Nobody subscribes to it, and a check sends nothing to it. */
const HEALTH_TOPIC = 'unimsg-health';

class FcmGateway implements Gateway {
  private readonly api: ProviderApi;
  private readonly tokens: AccessTokens;

  constructor(private readonly deps: GatewayDeps) {
    this.api = new ProviderApi(deps, RULES);
    this.tokens = new AccessTokens(deps);
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    return pushIssues((message as OutboundMessage<'push'>).content);
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { default_ttl_seconds: ttl, default_priority: priority, validate_only: validateOnly } = ctx.settings;
    const defaults = {
      ttlSeconds: typeof ttl === 'number' ? ttl : undefined,
      priority: priority === 'high' ? ('high' as const) : ('normal' as const),
    };
    const body = {
      message: fcmMessage(message as OutboundMessage<'push'>, defaults, this.api.clock.now()),
      ...(validateOnly === true && { validateOnly: true }),
    };
    const response = await this.post(JSON.stringify(body), ctx);
    if (response.status < 200 || response.status > 299) throw this.refusal(response, ctx);
    const name = jsonObject(response.body)?.name;
    if (typeof name !== 'string' || name === '') throw this.api.unreadable(response);
    return { externalId: name };
  }

  /** A token proves the account; a message that is only validated proves the project, the API and the permission. */
  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.api.health(async () => {
      const body = { message: { topic: HEALTH_TOPIC, data: { check: '1' } }, validateOnly: true };
      const response = await this.post(JSON.stringify(body), ctx);
      if (response.status !== 200) throw this.refusal(response, ctx);
      return undefined;
    });
  }

  async release(configId: string): Promise<void> {
    this.tokens.release(configId);
  }

  private async post(body: string, ctx: GatewayContext): Promise<HttpResponse> {
    const token = await this.tokens.get(ctx);
    const response = await this.postWith(token, body, ctx);
    if (response.status !== 401 || fcmErrorOf(response)?.errorCode !== undefined) return response;
    this.tokens.drop(ctx, token);
    // A kept token may have been revoked. The refused request has sent nothing.
    return token.fresh ? response : this.postWith(await this.tokens.get(ctx), body, ctx);
  }

  private postWith(token: AccessToken, body: string, ctx: GatewayContext): Promise<HttpResponse> {
    const project = ctx.credentials.project_id?.reveal() ?? token.projectId;
    return this.api.call(
      {
        method: 'POST',
        url: `${this.deps.baseUrl}/v1/projects/${encodeURIComponent(project)}/messages:send`,
        headers: {
          authorization: `Bearer ${token.value}`,
          accept: 'application/json',
          'content-type': 'application/json',
        },
        body,
      },
      ctx,
      'send',
    );
  }

  private refusal(response: HttpResponse, ctx: GatewayContext): GatewayError {
    const error = fcmErrorOf(response);
    const code = error?.errorCode ?? error?.status;
    return this.api.refusal(response, ctx, { code, row: error && rowFor(code, error), text: error?.message });
  }
}

interface FcmError {
  /** Of the FcmError among the details. */
  errorCode: string | undefined;
  /** The canonical one. */
  status: string | undefined;
  message: string | undefined;
  details: ReadonlyArray<Record<string, unknown>>;
}

function fcmErrorOf(response: HttpResponse): FcmError | undefined {
  const error = jsonObject(response.body)?.error;
  if (typeof error !== 'object' || error === null) return undefined;
  const { status, message, details } = error as Record<string, unknown>;
  const list = (Array.isArray(details) ? details : []).filter(
    (one): one is Record<string, unknown> => typeof one === 'object' && one !== null,
  );
  const own = list.find((one) => textOf(one['@type'])?.endsWith('google.firebase.fcm.v1.FcmError'));
  return { errorCode: textOf(own?.errorCode), status: textOf(status), message: textOf(message), details: list };
}

/** The row of a code that means several things. */
function rowFor(code: string | undefined, error: FcmError): string | undefined {
  if (code === 'INVALID_ARGUMENT') {
    const isToken =
      listed(error, 'fieldViolations').some(({ field }) => field === 'message.token') ||
      (error.errorCode !== undefined && /registration token/i.test(error.message ?? ''));
    return isToken ? INVALID_TOKEN_ROW : code;
  }
  if (code === 'QUOTA_EXCEEDED' || code === 'RESOURCE_EXHAUSTED') {
    // Quirk: the code is the same for the project, a device and a topic; a google.rpc.QuotaFailure says which (firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, 2026-11).
    const texts = listed(error, 'violations').map(
      ({ subject, description }) => `${textOf(subject)} ${textOf(description)}`,
    );
    return texts.some((text) => /\b(device|topic)/i.test(text)) ? TARGET_QUOTA_ROW : code;
  }
  return code;
}

function listed({ details }: FcmError, name: string): ReadonlyArray<Record<string, unknown>> {
  return details
    .flatMap((one) => (Array.isArray(one[name]) ? (one[name] as unknown[]) : []))
    .filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null);
}

/** Firebase Cloud Messaging, HTTP v1. */
export const fcm: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'fcm',
  channel: 'push',
  slug: 'fcm',
  aliases: [],
  title: 'Firebase Cloud Messaging',
  docsUrl: 'https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send',
  baseUrl: { env: 'FCM_BASE_URL', default: 'https://fcm.googleapis.com' },
  furtherUrls: { oauth: { env: 'GOOGLE_OAUTH_BASE_URL', default: 'https://oauth2.googleapis.com' } },
  settings: z.strictObject({
    default_ttl_seconds: z.number().int().min(0).max(2_419_200).optional().meta({
      description:
        'How long FCM keeps a message for a device that is away, where the request does not say. Absent: until the message expires.',
      example: 86_400,
    }),
    default_priority: z.enum(['high', 'normal']).optional().meta({
      description: 'Urgency for the device where the request names no priority. Absent: normal.',
      example: 'normal',
    }),
    validate_only: z.boolean().optional().meta({
      description: 'FCM checks messages and delivers none: for a staging account.',
      example: false,
    }),
  }),
  credentials: {
    service_account_json: {
      description: 'JSON key of a service account that may send (role Firebase Cloud Messaging API Admin).',
      secret: true,
      required: true,
      check(value) {
        try {
          readServiceAccount(value);
          return undefined;
        } catch (error) {
          return (error as Error).message;
        }
      },
      example:
        '{"type":"service_account","project_id":"acme-app","private_key_id":"…","private_key":"…","client_email":"…"}',
    },
    project_id: {
      description: 'Id of the Firebase project. Absent: the one of the service account.',
      secret: false,
      required: false,
      pattern: /^[a-z0-9:.-]{1,64}$/,
      example: 'acme-app',
    },
  },
  capabilities: {
    status: 'none',
    inbound: false,
    media: true,
    templates: false,
    idempotency: false,
    lookup: false,
    maxBodyLength: 4096,
  },
  // 600,000 messages a minute and project (firebase.google.com/docs/cloud-messaging/throttling-and-quotas, 2026-11).
  limits: { defaultPerSecond: 10_000, timeoutMs: 15_000, window: 100 },
  create: (deps) => new FcmGateway(deps),
  callbacks: {},
  statuses: {},
  errors: FCM_ERRORS,
  simulator: fcmSimulator,
});
