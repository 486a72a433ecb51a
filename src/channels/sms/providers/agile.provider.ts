// Takes messages in and sends none, so nothing of the API is called.
import { createHash } from 'node:crypto';
import { DateTime } from 'luxon';
import { z } from 'zod';
import type { CallbackDefinition, CallbackRequest, InboundEvent } from '../../../gateway/contracts/callback';
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { Gateway } from '../../../gateway/contracts/gateway';
import type { ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import { verifyUrlToken } from '../../../gateway/contracts/url-token';
import { decodeForm, encodeForm, formValue } from '../../../kernel/form';
import { storableText } from '../../../kernel/storable-text';
import { isTimeZone } from '../../../kernel/time-zone';

const DEFAULT_ZONE = 'Europe/Rome';
const REPEATS_MS = 24 * 3_600_000;

type Values = (name: string) => string | undefined;

function valuesOf(request: CallbackRequest): Values {
  const fields = decodeForm(request.rawBody.toString('utf8'));
  return (name) => {
    const value = formValue(fields, name);
    return value === undefined ? undefined : storableText(value);
  };
}

// Quirk: a message has no id; what is not answered with `+OK` comes twice more, 15 minutes apart. Equal sender, number, time and text within a day
// are the same message (agiletelecom.com inbound SMS guide, 2026-11).
function parseInbound(request: CallbackRequest, settings: Readonly<Record<string, unknown>> = {}): InboundEvent[] {
  const value = valuesOf(request);
  const from = value('originator');
  const to = value('destination');
  const text = value('text');
  const stamp = value('date_time') ?? '';
  if (!from || !to || text === undefined) {
    throw new Error('Agile Telecom: the message has no originator, destination or text');
  }
  return [
    {
      kind: 'inbound',
      eventId: createHash('sha256')
        .update(JSON.stringify([from, to, stamp, text]))
        .digest('hex'),
      repeatsFor: REPEATS_MS,
      occurredAt: timeOf(stamp, settings.time_zone),
      rawWord: 'inbound',
      from: international(from),
      to: international(to),
      text,
      ...(stamp && { detail: { date_time: stamp } }),
    },
  ];
}

/** Quirk: `date_time` is YYYYMMDDHHMMSS without a zone; it is taken for local time in Italy unless the config says otherwise (2026-11). */
function timeOf(stamp: string, zone: unknown): number | null {
  if (!/^\d{14}$/.test(stamp)) return null;
  const at = DateTime.fromFormat(stamp, 'yyyyMMddHHmmss', { zone: typeof zone === 'string' ? zone : DEFAULT_ZONE });
  return at.isValid ? at.toMillis() : null;
}

/** Numbers with and without `+` are the same; short codes and names stay as they are. */
function international(address: string): string {
  return /^[1-9]\d{8,14}$/.test(address) ? `+${address}` : address;
}

const inbound: CallbackDefinition = {
  authentication: 'url_token',
  scheme:
    'Not signed: the token in the URL that is given to Agile Telecom: https://www.agiletelecom.com/en/documentation/agile/guides/inbound-sms-guide',
  locate(request) {
    const destination = valuesOf(request)('destination');
    return destination ? { recipient: international(destination) } : {};
  },
  unaddressed: true,
  verify: verifyUrlToken,
  parse: parseInbound,
  // Quirk: exactly this body, as plain text, within 30 s; anything else is a failure (agiletelecom.com inbound SMS guide, 2026-11).
  answer: { status: 200, contentType: 'text/plain', body: '+OK' },
};

const REFUSAL = 'Agile Telecom takes messages in and sends none';

const gateway: Gateway = {
  validate: () => [{ field: 'provider', code: 'inbound_only', message: REFUSAL }],
  send: () => Promise.reject(new GatewayError({ class: 'config', code: 'inbound_only', message: REFUSAL })),
  // There is nothing to ask: the token is ours.
  healthCheck: () => Promise.resolve({ healthy: true }),
};

/** Agile Telecom, SMS that come in. */
export const agile: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'agile',
  channel: 'sms',
  slug: 'agile',
  aliases: [],
  title: 'Agile Telecom',
  docsUrl: 'https://www.agiletelecom.com/en/documentation/agile/guides/inbound-sms-guide',
  baseUrl: null,
  inboundOnly: true,
  settings: z.strictObject({
    time_zone: z
      .string()
      .max(64)
      .refine(isTimeZone, 'must be an IANA time zone')
      .default(DEFAULT_ZONE)
      .meta({ description: 'The time zone of `date_time`, IANA.', example: DEFAULT_ZONE }),
  }),
  credentials: {},
  capabilities: {
    status: 'none',
    inbound: true,
    media: false,
    templates: false,
    idempotency: false,
    lookup: false,
    maxBodyLength: 0,
  },
  limits: { defaultPerSecond: null, timeoutMs: 30_000, window: 1 },
  create: () => gateway,
  callbacks: { inbound },
  statuses: {},
  errors: {},
  simulator: {
    account: () => ({ credentials: {} }),
    handle: () => ({ status: 404, body: '' }),
    inbound({ from, to, text }, { settings, callbackUrl }, port) {
      const zone = typeof settings.time_zone === 'string' ? settings.time_zone : DEFAULT_ZONE;
      const stamp = DateTime.fromMillis(port.now(), { zone }).toFormat('yyyyMMddHHmmss');
      return [
        {
          url: callbackUrl('inbound'),
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: encodeForm({ originator: from, destination: to, date_time: stamp, text }),
          word: 'inbound',
        },
      ];
    },
  },
});
