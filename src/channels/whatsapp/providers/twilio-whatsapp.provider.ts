// Calls the API through platform/http-client, as Twilio's SMS provider does: the SDK hides whether a failed request was written.
import { z } from 'zod';
import type {
  Gateway,
  GatewayContext,
  HealthReport,
  OutboundMessage,
  SendResult,
  StatusReport,
  ValidationIssue,
  WhatsAppContent,
} from '../../../gateway/contracts/gateway';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { twilioCallbacks } from '../../../gateway/vendors/twilio/twilio.callbacks';
import { TwilioClient, type TwilioContent } from '../../../gateway/vendors/twilio/twilio.client';
import { TWILIO_CREDENTIALS } from '../../../gateway/vendors/twilio/twilio.credentials';
import { twilioStandIn } from '../../../gateway/vendors/twilio/twilio.simulator';
import { TWILIO_STATUSES } from '../../../gateway/vendors/twilio/twilio.vocabulary';
import { asUri } from '../../../kernel/uri';
import { isLongerThan } from '../../../kernel/text-length';
import { TWILIO_WHATSAPP_ERRORS } from './twilio-whatsapp.vocabulary';
import { E164 } from './whatsapp-settings';

const MAX_BODY_LENGTH = 1600;
const CONTENT_SID = /^HX[0-9a-fA-F]{32}$/;

/** Comes before each number in Twilio's API, and in its callbacks. */
const PREFIX = 'whatsapp:';

class TwilioWhatsAppGateway implements Gateway {
  private readonly client: TwilioClient;

  constructor(deps: GatewayDeps) {
    this.client = new TwilioClient(deps, {
      title: 'Twilio WhatsApp',
      errors: TWILIO_WHATSAPP_ERRORS,
      prefix: PREFIX,
    });
  }

  validate(message: OutboundMessage, _settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from } = message as OutboundMessage<'whatsapp'>;
    const { text, template, media } = content;
    const issues: ValidationIssue[] = [];
    const add = (field: string, code: string, text: string) => issues.push({ field, code, message: text });
    if (text === '') add('message', 'required', 'must not be empty');
    if (text !== undefined && isLongerThan(text, MAX_BODY_LENGTH))
      add('message', 'too_long', `Twilio takes at most ${MAX_BODY_LENGTH} characters`);
    if (media?.caption !== undefined && isLongerThan(media.caption, MAX_BODY_LENGTH))
      add('media.caption', 'too_long', `Twilio takes at most ${MAX_BODY_LENGTH} characters`);
    if (template !== undefined && !CONTENT_SID.test(template.name))
      add('template.name', 'invalid_template', 'must be a Content SID (HX and 32 hexadecimal digits) at Twilio');
    if (template?.media_url !== undefined)
      add('template.media_url', 'not_supported', 'is one of the parameters of the template at Twilio');
    if (from !== null && !E164.test(from)) add('from', 'invalid_sender', 'must be an E.164 number for Twilio');
    return issues;
  }

  send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    return this.client.send(message, twilioContent((message as OutboundMessage<'whatsapp'>).content), ctx);
  }

  getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    return this.client.getStatus(externalId, ctx);
  }

  /** By recipient, sender, time and text. What a template came out as is not known here, so any message of that time may be it. */
  findSent(message: OutboundMessage, since: number, ctx: GatewayContext): Promise<StatusReport[]> {
    const { text, media } = (message as OutboundMessage<'whatsapp'>).content;
    const said = text ?? media?.caption;
    return this.client.findSent(message, (item) => said === undefined || item.body === said, since, ctx);
  }

  healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    return this.client.healthCheck(ctx);
  }
}

function twilioContent({ text, template, media }: WhatsAppContent): TwilioContent {
  if (template !== undefined) {
    const variables = Object.fromEntries(template.parameters.map((value, index) => [String(index + 1), value]));
    return {
      ContentSid: template.name,
      ...(template.parameters.length > 0 && { ContentVariables: JSON.stringify(variables) }),
    };
  }
  if (media !== undefined)
    return { ...(media.caption !== undefined && { Body: media.caption }), MediaUrl: asUri(media.url) };
  return { Body: text! };
}

/** What WhatsApp adds to an inbound message. */
function describeInbound(value: (name: string) => string | undefined): Record<string, unknown> {
  const [name, waId] = [value('ProfileName'), value('WaId')];
  const [button, payload] = [value('ButtonText'), value('ButtonPayload')];
  const [replied, latitude, longitude] = [value('OriginalRepliedMessageSid'), value('Latitude'), value('Longitude')];
  return {
    ...(name && { profile_name: name }),
    ...(waId && { wa_id: waId }),
    ...(button && { button: { text: button, ...(payload && { payload }) } }),
    ...(replied && { context: { message_id: replied } }),
    ...(latitude &&
      longitude && {
        location: {
          latitude: Number(latitude),
          longitude: Number(longitude),
          ...(value('Label') && { name: value('Label') }),
          ...(value('Address') && { address: value('Address') }),
        },
      }),
    ...(value('Forwarded') === 'true' && { forwarded: true }),
  };
}

/** WhatsApp through Twilio's message API. */
export const twilioWhatsapp: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'twilio_whatsapp',
  channel: 'whatsapp',
  slug: 'twilio-whatsapp',
  aliases: [],
  title: 'WhatsApp (Twilio)',
  docsUrl: 'https://www.twilio.com/docs/whatsapp/api',
  baseUrl: { env: 'TWILIO_BASE_URL', default: 'https://api.twilio.com' },
  settings: z.strictObject({
    from_number: z.string().regex(E164, 'must be an E.164 number such as +15005550006').meta({
      description:
        'WhatsApp sender when the request names none and there is no Messaging Service. E.164, without `whatsapp:`.',
      example: '+15005550006',
    }),
  }),
  credentials: TWILIO_CREDENTIALS,
  capabilities: {
    status: 'push',
    inbound: true,
    media: true,
    templates: true,
    idempotency: false,
    lookup: true,
    maxBodyLength: MAX_BODY_LENGTH,
  },
  // Quirk: 80 messages a second and sender; more queue at Twilio for 4 hours, then fail with 63018 (twilio.com/docs/api/errors/63018, 2026-11).
  limits: { defaultPerSecond: 80, timeoutMs: 10_000, window: 100 },
  create: (deps) => new TwilioWhatsAppGateway(deps),
  callbacks: twilioCallbacks({ errors: TWILIO_WHATSAPP_ERRORS, prefix: PREFIX, describe: describeInbound }),
  statuses: TWILIO_STATUSES,
  errors: TWILIO_WHATSAPP_ERRORS,
  simulator: twilioStandIn({ provider: 'twilio_whatsapp', prefix: PREFIX, undeliveredCode: '63024' }),
});
