import type { Type } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { PageQueryDto } from '../../platform/http/cursor';
import { QuotasDto } from '../../tenancy/dto/tenants.dto';
import { WHEN_EXCEEDED, type Quotas, type WhenExceeded } from '../../tenancy/quotas';
import type { CallbackKind } from '../contracts/gateway';
import type { ProviderDefinition } from '../contracts/provider-definition';
import type { UsageFigures } from '../usage/usage-figures';
import { UsageFiguresView } from '../usage/usage.view';
import { settingsSchema } from './config-input';
import { faultView } from './config-life-cycle';
import { CONFIG_STATUSES, type ConfigStatus, type ProviderConfig } from './provider-config';

const ID = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const TIME = '2026-01-15T09:30:00.000Z';

/** The parameters of a list of configs. */
export class ListConfigsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Only configs in this state. Without it: all but the decommissioned.',
    enum: CONFIG_STATUSES,
    enumName: 'ConfigStatus',
    example: 'active',
  })
  @IsOptional()
  @IsIn(CONFIG_STATUSES)
  status?: ConfigStatus;
}

/** Why a config is, or was last, in `error`. */
export class ConfigErrorView {
  @ApiProperty({ description: 'Stable machine word.', example: 'bad_credentials' })
  code: string;

  @ApiProperty({ description: 'The same for people.', example: 'Authenticate' })
  message: string;

  @ApiProperty({ description: "The provider's own code.", type: 'string', nullable: true, example: '20003' })
  provider_code: string | null;
}

/** What a health check found. */
export class ConfigTestView {
  @ApiProperty({ description: 'The provider answers, and knows the account.', example: true })
  healthy: boolean;

  @ApiProperty({ description: 'How long it took to answer, in milliseconds.', type: 'integer', example: 84 })
  latency_ms: number;

  @ApiProperty({ description: 'When it was asked.', format: 'date-time', example: TIME })
  checked_at: string;

  @ApiPropertyOptional({
    description: 'What is wrong, when it is not healthy.',
    example: 'Twilio refuses the credentials',
  })
  error?: string;

  @ApiPropertyOptional({
    description: '`config`: the account is at fault; `transient`: the provider could not be asked.',
    enum: ['config', 'transient'],
    example: 'config',
  })
  error_class?: 'config' | 'transient';

  @ApiProperty({
    description: 'State of the config after the test.',
    enum: CONFIG_STATUSES,
    enumName: 'ConfigStatus',
    example: 'active',
  })
  status: ConfigStatus;
}

/** Where a provider reports, with what proves it. */
export class CallbackUrlsView {
  @ApiProperty({ description: 'Id of the config.', example: ID })
  id: string;

  @ApiProperty({
    description:
      'The URL by kind of callback. A `token` in one proves callbacks of a provider that does not sign: give it to nobody else.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { status: `https://unimsg.example.com/webhook/skebby/status/${ID}?token=0q1w2e3r4t5y6u7i` },
  })
  callback_urls_with_token: Partial<Record<CallbackKind, string>>;
}

/** The quotas of a config. */
export class ConfigQuotasView extends QuotasDto {
  @ApiPropertyOptional({
    description:
      'What a send finds that would take this account when its hard quota is used up: `refuse` (the default): 429 `quota_exceeded`; `failover`: the next gateway.',
    enum: WHEN_EXCEEDED,
    example: 'refuse',
  })
  when_exceeded?: WhenExceeded;
}

/** What every config shows; each provider's view adds its own settings. */
export class ConfigView {
  @ApiProperty({ description: 'Id of the config.', example: ID })
  id: string;

  @ApiProperty({ description: 'Key of the provider.', example: 'twilio' })
  provider: string;

  @ApiProperty({ description: 'The channel that it serves.', enum: CHANNELS, enumName: 'Channel', example: 'sms' })
  channel: Channel;

  @ApiProperty({ description: 'Your own name for this account.', example: 'Sweden, marketing' })
  display_name: string;

  @ApiProperty({
    description: 'Only an `active` config sends.',
    enum: CONFIG_STATUSES,
    enumName: 'ConfigStatus',
    example: 'active',
  })
  status: ConfigStatus;

  @ApiProperty({
    description: "Most requests a second; null: the provider's default.",
    type: 'number',
    nullable: true,
    example: 10,
  })
  max_per_second: number | null;

  @ApiProperty({
    description:
      'Most messages that it may be given in a period; null: no limit. `GET /v1/quotas` says how far they are used.',
    type: ConfigQuotasView,
    nullable: true,
  })
  quotas: Readonly<Quotas> | null;

  @ApiProperty({ description: 'Grows with each change.', type: 'integer', example: 1 })
  version: number;

  @ApiProperty({
    description: 'What it has sent in the last 30 days; `…/{id}/usage` shows other periods, quota and error budget.',
    type: UsageFiguresView,
  })
  usage: UsageFiguresView;

  @ApiProperty({
    description:
      'Where the provider reports, by kind; for its console, where one has to enter them. Kinds that need a token are left out; `…/{id}/callback-urls` has them all.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { status: `https://unimsg.example.com/webhook/twilio/status/${ID}` },
  })
  callback_urls: Partial<Record<CallbackKind, string>>;

  @ApiPropertyOptional({ description: 'Why it is, or was last, in `error`.', type: ConfigErrorView })
  last_error?: ConfigErrorView;

  @ApiProperty({ description: 'When it was made.', format: 'date-time', example: TIME })
  created_at: string;

  @ApiProperty({ description: 'When it was changed last.', format: 'date-time', example: TIME })
  updated_at: string;

  @ApiProperty({
    description: 'When it was first active.',
    type: 'string',
    format: 'date-time',
    nullable: true,
    example: TIME,
  })
  activated_at: string | null;

  /** By field name for plain values, `<field>_ref` for secrets. */
  credentials: Readonly<Record<string, string>>;

  static of(
    config: ProviderConfig,
    usage: UsageFigures,
    callbackUrls: Partial<Record<CallbackKind, string>>,
  ): ConfigView {
    return {
      // First, so that no setting can hide what every config shows.
      ...config.settings,
      id: config.id,
      provider: config.provider,
      channel: config.channel,
      display_name: config.displayName,
      status: config.status,
      credentials: config.credentials,
      max_per_second: config.maxPerSecond,
      quotas: config.quotas,
      version: config.version,
      usage: UsageFiguresView.of(usage),
      callback_urls: callbackUrls,
      ...(config.lastError && { last_error: faultView(config.lastError) }),
      created_at: config.createdAt.toISOString(),
      updated_at: config.updatedAt.toISOString(),
      activated_at: config.activatedAt?.toISOString() ?? null,
    };
  }
}

/** The documented view of one provider's configs: the common fields, its credentials as they are shown, and its settings. */
export function configViewOf(definition: ProviderDefinition): Type<ConfigView> {
  const name = pascal(definition.key);
  class Credentials {}
  Object.defineProperty(Credentials, 'name', { value: `${name}ConfigCredentials` });
  for (const [field, about] of Object.entries(definition.credentials)) {
    const shown = about.secret ? `${field}_ref` : field;
    const description = about.secret ? `Where the secret is kept. ${about.description}` : about.description;
    const example = about.secret ? 'db:sec_01kaqz9yq8e5v6m3c2n1b0a9s8' : about.example;
    declare(Credentials, shown, { type: 'string', description, example, required: about.required });
  }
  class View extends ConfigView {}
  Object.defineProperty(View, 'name', { value: `${name}Config` });
  declare(View, 'credentials', { type: Credentials, description: 'The account; never a secret.', required: true });
  const schema = settingsSchema(definition);
  for (const [field, property] of Object.entries(schema.properties ?? {})) {
    declare(View, field, {
      ...(property as object),
      required: schema.required?.includes(field) ?? false,
    } as ApiPropertyOptions);
  }
  return View;
}

function declare(view: Function, field: string, options: ApiPropertyOptions): void {
  // Without a type the decorator looks for one in the metadata of a property that no source declares.
  Reflect.defineMetadata('design:type', Object, view.prototype as object, field);
  ApiProperty(options)(view.prototype as object, field);
}

/** `twilio_whatsapp` → `TwilioWhatsapp`. */
export function pascal(key: string): string {
  return key.replace(/(?:^|[_-])([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
