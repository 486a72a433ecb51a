import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { CHANNELS, PRIORITIES, type Channel, type Priority } from '../../../kernel/channel';
import { PageQueryDto } from '../../../platform/http/cursor';
import { isPlainObject } from '../../../platform/http/json-body';

export const MOST_RECIPIENTS = 10_000;
/** With both, the separators and the longest channel, a key has the 255 characters that a key may have. */
const LONGEST_PREFIX = 128;
const LONGEST_ID = 116;
export const NOTIFICATION_STATUSES = ['queued', 'processing', 'completed', 'canceling', 'canceled'] as const;
export type NotificationStatus = (typeof NOTIFICATION_STATUSES)[number];
export const OUTCOMES = ['accepted', 'replayed', 'already_sent', 'rejected'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A text, or an object whose members the channel looks at. */
const isAddress = (value: unknown): boolean => (typeof value === 'string' && value !== '') || isPlainObject(value);
const isChat = (value: unknown): boolean => (typeof value === 'string' && value !== '') || Number.isSafeInteger(value);

/** Where a recipient is reached, by channel. */
export class NotificationAddressesDto {
  @ApiPropertyOptional({ description: 'The number for SMS, E.164.', example: '+46701234567', maxLength: 32 })
  @IsOptional()
  @IsString()
  @Length(1, 32)
  sms?: string;

  @ApiPropertyOptional({ description: 'The number at WhatsApp, E.164.', example: '+46701234567', maxLength: 32 })
  @IsOptional()
  @IsString()
  @Length(1, 32)
  whatsapp?: string;

  @ApiPropertyOptional({
    description: 'The email address, or `{email, name?}`.',
    example: 'asa@example.com',
    oneOf: [
      { type: 'string', maxLength: 254 },
      {
        type: 'object',
        required: ['email'],
        properties: {
          email: { type: 'string', description: 'The address.', example: 'asa@example.com' },
          name: { type: 'string', description: 'The display name.', example: 'Åsa Ek' },
        },
      },
    ],
  })
  @IsOptional()
  @ValidateBy({
    name: 'isAddress',
    validator: {
      validate: isAddress,
      defaultMessage: () => 'email must be an address, or an object with email and name',
    },
  })
  email?: unknown;

  @ApiPropertyOptional({
    description: 'The chat at Telegram: its id, or `@name` of a channel.',
    oneOf: [{ type: 'string', minLength: 1, maxLength: 64 }, { type: 'integer' }],
    example: '5005550000',
  })
  @IsOptional()
  @ValidateBy({
    name: 'isChat',
    validator: { validate: isChat, defaultMessage: () => 'telegram must be a chat id or @channel' },
  })
  telegram?: string | number;

  @ApiPropertyOptional({
    description: 'The device token for push, or `{device_token, platform?, player_id?}`.',
    example: 'simulator-delivered',
    oneOf: [
      { type: 'string', minLength: 1, maxLength: 512 },
      {
        type: 'object',
        required: ['device_token'],
        properties: {
          device_token: { type: 'string', description: 'The token.', example: 'simulator-delivered' },
          platform: {
            type: 'string',
            enum: ['ios', 'android', 'web'],
            description: 'The kind of device.',
            example: 'ios',
          },
          player_id: { type: 'string', description: 'Your own id of the device.', example: 'player-8121' },
        },
      },
    ],
  })
  @IsOptional()
  @ValidateBy({
    name: 'isAddress',
    validator: {
      validate: isAddress,
      defaultMessage: () => 'push must be a device token, or an object with device_token',
    },
  })
  push?: unknown;
}

export class NotificationRecipientDto {
  @ApiProperty({
    description: 'Your own id of the recipient, once a notification; it is the `reference` of the messages.',
    example: 'player-8121',
    minLength: 1,
    maxLength: LONGEST_ID,
  })
  @IsString()
  @Length(1, LONGEST_ID)
  id: string;

  @ApiPropertyOptional({
    description: 'The language, BCP 47. Default: what `channels` of the template says.',
    example: 'sv-SE',
    maxLength: 35,
  })
  @IsOptional()
  @IsString()
  @MaxLength(35)
  locale?: string;

  @ApiProperty({
    description: 'Where the recipient is reached. Gets a message on each of these channels that the template has.',
    type: NotificationAddressesDto,
  })
  @IsDefined()
  @ValidateNested()
  @Type(() => NotificationAddressesDto)
  channels: NotificationAddressesDto;

  @ApiPropertyOptional({
    description: 'Values of the template’s variables, at most 32 KiB as JSON.',
    type: 'object',
    additionalProperties: true,
    example: { name: 'Åsa' },
  })
  @IsOptional()
  @IsObject()
  data?: Record<string, unknown>;
}

/** `POST /v1/notifications` */
export class NotificationDto {
  @ApiProperty({ description: 'The template.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8', maxLength: 64 })
  @IsString()
  @Length(1, 64)
  template_id: string;

  @ApiPropertyOptional({
    description: 'A version of it. Default: the newest.',
    type: 'integer',
    minimum: 1,
    example: 3,
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(2_147_483_647)
  template_version?: number;

  @ApiProperty({
    description: `Who gets it, 1 to ${MOST_RECIPIENTS}.`,
    type: [NotificationRecipientDto],
    minItems: 1,
    maxItems: MOST_RECIPIENTS,
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MOST_RECIPIENTS)
  @ValidateNested({ each: true })
  @Type(() => NotificationRecipientDto)
  recipients: NotificationRecipientDto[];

  @ApiPropertyOptional({
    description: 'Only by these channels; a recipient needs one of them. Default: all that the template has.',
    enum: CHANNELS,
    isArray: true,
    minItems: 1,
    example: ['email', 'sms'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(CHANNELS.length)
  @ArrayUnique()
  @IsIn(CHANNELS, { each: true })
  channels?: Channel[];

  @ApiProperty({
    description:
      'Each message has the idempotency key `<prefix>:<recipient id>:<channel>`, so the same job can be run again: who has got his message gets no second one, for as long as keys are kept.',
    example: 'game-reminder-2026-03-01',
    minLength: 1,
    maxLength: LONGEST_PREFIX,
  })
  @IsString()
  @Length(1, LONGEST_PREFIX)
  idempotency_prefix: string;

  @ApiPropertyOptional({
    description: 'Values of variables for all recipients; a recipient’s own come first. At most 32 KiB as JSON.',
    type: 'object',
    additionalProperties: true,
    example: { starts_at: '2026-03-01T18:30:00Z' },
  })
  @IsOptional()
  @IsObject()
  data?: Record<string, unknown>;

  @ApiPropertyOptional({
    description: 'When to send, up to 35 days ahead. The messages are `scheduled` until then.',
    example: '2026-12-01T08:30:00Z',
    format: 'date-time',
  })
  @IsOptional()
  @IsString()
  send_at?: string;

  @ApiPropertyOptional({
    description:
      'When it loses its worth: what is not sent by then is `expired`. Default: as for a send of the channel.',
    example: '2026-12-01T18:30:00Z',
    format: 'date-time',
  })
  @IsOptional()
  @IsString()
  expires_at?: string;

  @ApiPropertyOptional({
    description: 'Order among your own waiting messages.',
    enum: PRIORITIES,
    example: 'normal',
    default: 'normal',
  })
  @IsOptional()
  @IsIn(PRIORITIES)
  priority?: Priority;

  @ApiPropertyOptional({
    description: 'Of each message: at most 20 pairs of strings, echoed in answers and events.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { job: 'reminder' },
  })
  @IsOptional()
  @IsObject()
  metadata?: Record<string, string>;

  @ApiPropertyOptional({
    description: 'Of each message: at most 10 labels (≤ 64 characters each) to find messages by.',
    type: [String],
    example: ['reminders'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(10)
  @IsString({ each: true })
  @Length(1, 64, { each: true })
  tags?: string[];

  @ApiPropertyOptional({
    description: 'Store the messages as `simulated`, hand them to no provider.',
    example: false,
  })
  @IsOptional()
  @IsBoolean()
  sandbox?: boolean;

  @ApiPropertyOptional({
    description:
      '`refuse`: one wrong address or missing value refuses the whole notification, and nothing is sent. `skip`: what cannot be sent is `rejected`, the rest goes out.',
    enum: ['refuse', 'skip'],
    default: 'refuse',
    example: 'refuse',
  })
  @IsOptional()
  @IsIn(['refuse', 'skip'])
  on_invalid?: 'refuse' | 'skip';
}

export class ListNotificationsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Only those in this status.',
    enum: NOTIFICATION_STATUSES,
    example: 'processing',
  })
  @IsOptional()
  @IsIn(NOTIFICATION_STATUSES)
  status?: NotificationStatus;

  @ApiPropertyOptional({
    description: 'Only those of this prefix.',
    example: 'game-reminder-2026-03-01',
    maxLength: LONGEST_PREFIX,
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_PREFIX)
  idempotency_prefix?: string;
}

export class ListRecipientsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only this recipient.', example: 'player-8121', maxLength: LONGEST_ID })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_ID)
  recipient_id?: string;

  @ApiPropertyOptional({ description: 'Only recipients with such a message.', enum: OUTCOMES, example: 'rejected' })
  @IsOptional()
  @IsIn(OUTCOMES)
  outcome?: Outcome;
}
