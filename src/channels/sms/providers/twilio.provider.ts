// Calls the API through platform/http-client: the SDK's client costs ten times as much, and hides whether a failed request was written.
import { isLongerThan } from '../../../kernel/text-length';
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
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { twilioCallbacks } from '../../../gateway/vendors/twilio/twilio.callbacks';
import { TwilioClient } from '../../../gateway/vendors/twilio/twilio.client';
import { TWILIO_CREDENTIALS } from '../../../gateway/vendors/twilio/twilio.credentials';
import { twilioStandIn } from '../../../gateway/vendors/twilio/twilio.simulator';
import { TWILIO_ERRORS, TWILIO_STATUSES } from '../../../gateway/vendors/twilio/twilio.vocabulary';
import { E164, MAX_CONCURRENT, maxConcurrent, supportedCountries } from './sms-settings';

/** Calls under way at once, unless the config says otherwise. */
const WINDOW = 100;
const MAX_BODY_LENGTH = 1600;

/** Twilio takes E.164 numbers, short codes and alphanumeric senders (11 ASCII letters, digits and spaces, not digits only). */
const SENDER = /^(\+[1-9]\d{1,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/;

class TwilioGateway implements Gateway {
  private readonly client: TwilioClient;

  constructor(deps: GatewayDeps) {
    this.client = new TwilioClient(deps, { title: 'Twilio', errors: TWILIO_ERRORS, prefix: '' });
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from } = message as OutboundMessage<'sms'>;
    const issues: ValidationIssue[] = [];
    if (content.text === '') issues.push({ field: 'message', code: 'required', message: 'must not be empty' });
    if (isLongerThan(content.text, MAX_BODY_LENGTH)) {
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

  send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const { content } = message as OutboundMessage<'sms'>;
    return this.client.send(message, { Body: content.text }, ctx);
  }

  getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    return this.client.getStatus(externalId, ctx);
  }

  /** By recipient, sender, time and text: Twilio keeps no reference of ours. The newest match, so an equal message of a moment ago can stand in. */
  findSent(message: OutboundMessage, since: number, ctx: GatewayContext): Promise<StatusReport[]> {
    const { content } = message as OutboundMessage<'sms'>;
    return this.client.findSent(message, (item) => item.body === content.text, since, ctx);
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.client.healthCheck(ctx);
  }
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
    [MAX_CONCURRENT]: maxConcurrent(WINDOW),
  }),
  credentials: TWILIO_CREDENTIALS,
  capabilities: {
    status: 'push',
    inbound: true,
    media: false,
    templates: false,
    idempotency: false,
    lookup: true,
    maxBodyLength: MAX_BODY_LENGTH,
  },
  limits: { defaultPerSecond: null, timeoutMs: 10_000, window: WINDOW, windowSetting: MAX_CONCURRENT },
  create: (deps) => new TwilioGateway(deps),
  callbacks: twilioCallbacks({ errors: TWILIO_ERRORS }),
  statuses: TWILIO_STATUSES,
  errors: TWILIO_ERRORS,
  simulator: twilioStandIn({ provider: 'twilio', prefix: '', undeliveredCode: '30003' }),
});
