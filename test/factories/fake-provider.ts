import { z } from 'zod';
import type { Gateway, GatewayContext, HealthReport, SendResult } from '../../src/gateway/contracts/gateway';
import { GatewayError } from '../../src/gateway/contracts/gateway-error';
import type { GatewayDeps, ProviderDefinition } from '../../src/gateway/contracts/provider-definition';

/** What the fake account answers; set by a spec. */
export interface FakeAccount {
  health: HealthReport;
  /** Contexts of the health checks so far. */
  checks: GatewayContext[];
  /** Instances made so far, with what they were given. */
  made: GatewayDeps[];
}

export function fakeAccount(): FakeAccount {
  return { health: { healthy: true }, checks: [], made: [] };
}

/** A provider definition whose gateway answers as the spec says; `acme` with the alias `acme_old` unless told otherwise. */
export function fakeProvider(
  overrides: Partial<ProviderDefinition> = {},
  account: FakeAccount = fakeAccount(),
): ProviderDefinition {
  return {
    key: 'acme',
    channel: 'sms',
    slug: 'acme',
    aliases: ['acme-old'],
    title: 'Acme',
    docsUrl: 'https://acme.example/docs',
    baseUrl: { env: 'TWILIO_BASE_URL', default: 'https://api.acme.example' },
    settings: z.strictObject({
      from_number: z
        .string()
        .regex(/^\+\d+$/, 'must be an E.164 number')
        .meta({
          description: 'Sender.',
          example: '+15005550006',
        }),
      quality: z.enum(['high', 'low']).default('high').meta({ description: 'Quality.', example: 'high' }),
      supported_countries: z
        .array(z.string().regex(/^[A-Z]{2}$/, 'must be an ISO country'))
        .optional()
        .meta({ description: 'Countries.', example: ['SE'] }),
    }),
    credentials: {
      account_id: {
        description: 'Account id.',
        secret: true,
        required: true,
        identifiesAccount: true,
        pattern: /^AC\w+$/,
        example: 'AC1',
      },
      api_key: { description: 'API key.', secret: true, required: true, example: 'key-1' },
      signing_key: { description: 'Signs callbacks.', secret: true, required: false, example: 'sign-1' },
      service_id: { description: 'Service.', secret: false, required: false, example: 'SV1' },
    },
    capabilities: {
      status: 'push',
      inbound: true,
      media: false,
      templates: false,
      idempotency: false,
      lookup: false,
      maxBodyLength: 1600,
    },
    limits: { defaultPerSecond: 100, timeoutMs: 10_000, window: 10 },
    create: (deps) => {
      account.made.push(deps);
      return new FakeGateway(account);
    },
    callbacks: {
      status: {
        authentication: 'signature',
        needsUrlToken: (credentials) => credentials.signing_key === undefined,
        scheme: 'none',
        locate: () => ({}),
        verify: () => {},
        parse: () => [],
        answer: { status: 200 },
      },
      inbound: {
        authentication: 'url_token',
        scheme: 'none',
        locate: () => ({}),
        verify: () => {},
        parse: () => [],
        answer: { status: 200 },
      },
    },
    statuses: { sent: 'sent', delivered: 'delivered' },
    errors: {},
    simulator: { account: () => ({ credentials: {} }), handle: async () => ({ status: 404, body: '' }) },
    ...overrides,
  };
}

class FakeGateway implements Gateway {
  constructor(private readonly account: FakeAccount) {}

  validate(): [] {
    return [];
  }

  async send(): Promise<SendResult> {
    throw new GatewayError({ class: 'transient', code: 'unavailable', message: 'the fake provider sends nothing' });
  }

  async healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    this.account.checks.push(ctx);
    return this.account.health;
  }
}
