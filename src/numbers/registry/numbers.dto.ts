import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { CHANNELS, type Channel } from '../../kernel/channel';
import {
  RECEIVER_FORMATS,
  RECEIVER_TYPES,
  type ReceiverFormat,
  type ReceiverType,
} from '../../messaging/inbound/inbound.types';
import { PageQueryDto } from '../../platform/http/cursor';
import { Nullable } from '../../platform/http/nullable.decorator';
import { PhoneFilter } from '../../platform/http/query-text';

/** Most receivers of a number. */
export const MOST_RECEIVERS = 10;
const DEFAULTS = { timeout: 30, delay: 900, attempts: 3 } as const;

const DESCRIPTION = { description: 'What it is for.', maxLength: 500, example: 'support' };
const TIMEOUT = {
  description: 'How long a webhook receiver may take to answer, seconds.',
  type: 'integer',
  minimum: 1,
  maximum: 120,
  example: DEFAULTS.timeout,
} as const;
const DELAY = {
  description: 'How long after a failed try the next one is made, seconds.',
  type: 'integer',
  minimum: 1,
  maximum: 86_400,
  example: DEFAULTS.delay,
} as const;
const ATTEMPTS = {
  description: 'Tries in all before a delivery is a dead letter, which is kept and can be redelivered.',
  type: 'integer',
  minimum: 1,
  maximum: 20,
  example: DEFAULTS.attempts,
} as const;
const CONFIG = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';

/** Who is told of a message: a URL or a mailbox. */
export class NumberDeliveryDto {
  @ApiPropertyOptional({
    description: 'Id of a receiver that the number has, to change that one. For changes only.',
    example: 'nrc_01kaqz9yq8e5v6m3c2n1b0a9s8',
    maxLength: 64,
  })
  @IsOptional()
  @IsString()
  @MaxLength(64)
  id?: string;

  @ApiProperty({ description: 'How it is told.', enum: RECEIVER_TYPES, example: 'webhook' })
  @IsIn(RECEIVER_TYPES)
  type: ReceiverType;

  @ApiPropertyOptional({
    description:
      'For `webhook`, required: http or https, without user name. An address that leads to an internal network is refused, here and again at each connection.',
    format: 'uri',
    maxLength: 2048,
    example: 'https://example.com/sms',
  })
  @IsOptional()
  @IsString()
  @Length(1, 2048)
  url?: string;

  @ApiPropertyOptional({
    description:
      'For `webhook`. `form`: urlencoded `originator`, `destination`, `date_time` and `text`; taken when the body of the answer is `+OK`, whatever its status. `json`: the event `inbound.received`; taken when the answer is a 2xx.',
    enum: RECEIVER_FORMATS,
    default: 'json',
    example: 'form',
  })
  @IsOptional()
  @IsIn(RECEIVER_FORMATS)
  format?: ReceiverFormat;

  @ApiPropertyOptional({
    description: 'For `email`, required: the address.',
    maxLength: 254,
    example: 'support@example.com',
  })
  @IsOptional()
  @IsString()
  @Length(3, 254)
  to?: string;
}

const DELIVERY = {
  description:
    'Who is told of each message; each receiver is served by itself, in the order of the messages. Empty: messages are kept, and can be read.',
  type: [NumberDeliveryDto] as [typeof NumberDeliveryDto],
  maxItems: MOST_RECEIVERS,
  example: [
    { type: 'webhook', url: 'https://example.com/sms', format: 'form' },
    { type: 'email', to: 'support@example.com' },
  ],
};

export class CreateNumberDto {
  @ApiProperty({
    description:
      'The number that people write to: E.164, or a short code; for Telegram the name or the id of the bot. You may have it once a channel, and at most 10,000 numbers.',
    minLength: 1,
    maxLength: 64,
    example: '+393399957000',
  })
  @IsString()
  @Length(1, 64)
  number: string;

  @ApiProperty({
    description: 'The provider that messages come by: its key, or another of its names.',
    minLength: 1,
    maxLength: 64,
    example: 'twilio',
  })
  @IsString()
  @Length(1, 64)
  provider: string;

  @ApiPropertyOptional({
    description:
      'Only messages by this config of yours count. Default: by any of the provider’s; for Telegram the only one there is, as its messages do not say which bot they are to.',
    maxLength: 64,
    example: CONFIG,
  })
  @IsOptional()
  @IsString()
  @MaxLength(64)
  config_id?: string;

  @ApiProperty(DELIVERY)
  @IsArray()
  @ArrayMaxSize(MOST_RECEIVERS)
  @ValidateNested({ each: true })
  @Type(() => NumberDeliveryDto)
  delivery: NumberDeliveryDto[];

  @ApiPropertyOptional(DESCRIPTION)
  @IsOptional()
  @IsString()
  @MaxLength(500)
  description?: string;

  @ApiPropertyOptional({ ...TIMEOUT, default: DEFAULTS.timeout })
  @IsOptional()
  @IsInt()
  @Min(TIMEOUT.minimum)
  @Max(TIMEOUT.maximum)
  timeout_seconds?: number;

  @ApiPropertyOptional({ ...DELAY, default: DEFAULTS.delay })
  @IsOptional()
  @IsInt()
  @Min(DELAY.minimum)
  @Max(DELAY.maximum)
  retry_delay_seconds?: number;

  @ApiPropertyOptional({ ...ATTEMPTS, default: DEFAULTS.attempts })
  @IsOptional()
  @IsInt()
  @Min(ATTEMPTS.minimum)
  @Max(ATTEMPTS.maximum)
  max_attempts?: number;
}

export class UpdateNumberDto {
  @ApiPropertyOptional({
    description: 'Another provider of the same channel, where the number was moved to; its sequence goes on.',
    minLength: 1,
    maxLength: 64,
    example: 'vonage',
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  provider?: string;

  @ApiPropertyOptional({
    description: 'Only messages by this config of yours count; null: by any of the provider’s.',
    type: String,
    nullable: true,
    maxLength: 64,
    example: CONFIG,
  })
  @Nullable()
  @IsString()
  @MaxLength(64)
  config_id?: string | null;

  @ApiPropertyOptional({
    ...DELIVERY,
    description:
      'The whole list as it shall be. A receiver is kept by its `id`, or when nothing of it changes; else one of the same type that is no longer named is changed into a new one, so what waits there goes to the new address. What waits for one that is removed becomes a dead letter.',
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MOST_RECEIVERS)
  @ValidateNested({ each: true })
  @Type(() => NumberDeliveryDto)
  delivery?: NumberDeliveryDto[];

  @ApiPropertyOptional({
    ...DESCRIPTION,
    description: 'What it is for; null clears it.',
    type: String,
    nullable: true,
  })
  @Nullable()
  @IsString()
  @MaxLength(500)
  description?: string | null;

  @ApiPropertyOptional(TIMEOUT)
  @IsOptional()
  @IsInt()
  @Min(TIMEOUT.minimum)
  @Max(TIMEOUT.maximum)
  timeout_seconds?: number;

  @ApiPropertyOptional(DELAY)
  @IsOptional()
  @IsInt()
  @Min(DELAY.minimum)
  @Max(DELAY.maximum)
  retry_delay_seconds?: number;

  @ApiPropertyOptional(ATTEMPTS)
  @IsOptional()
  @IsInt()
  @Min(ATTEMPTS.minimum)
  @Max(ATTEMPTS.maximum)
  max_attempts?: number;
}

/** `GET /v1/numbers` */
export class ListNumbersQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only this number.', maxLength: 64, example: '+393399957000' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  @PhoneFilter()
  number?: string;

  @ApiPropertyOptional({ description: 'Only this channel.', enum: CHANNELS, example: 'sms' })
  @IsOptional()
  @IsIn(CHANNELS)
  channel?: Channel;

  @ApiPropertyOptional({ description: 'Only this provider.', maxLength: 64, example: 'twilio' })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  provider?: string;
}
