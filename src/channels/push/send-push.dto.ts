import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUrl,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { SendOptionsDto } from '../../messaging/intake/send-options.dto';

export const PLATFORMS = ['ios', 'android', 'web'] as const;

/** FCM keeps no message longer: four weeks. */
const LONGEST_TTL_SECONDS = 2_419_200;

/** One device. */
export class PushTargetDto {
  @ApiProperty({
    description: 'The token that the app got for this device. In the simulator, magic tokens choose what happens.',
    example: 'simulator-delivered',
    minLength: 1,
    maxLength: 512,
  })
  @IsString()
  @Length(1, 512)
  // Printable and without spaces; never a topic.
  @Matches(/^(?!\/topics\/)[\x21-\x7e]+$/, { message: 'device_token must be a device token, without spaces' })
  device_token: string;

  @ApiPropertyOptional({
    description: 'What kind of device it is, for your records: each kind is told what it needs in any case.',
    enum: PLATFORMS,
    example: 'android',
  })
  @IsOptional()
  @IsIn(PLATFORMS)
  platform?: (typeof PLATFORMS)[number];

  @ApiPropertyOptional({
    description: 'Your own id of the same device or player, for your records: the device is reached by its token.',
    example: 'player-8121',
    maxLength: 128,
  })
  @IsOptional()
  @IsString()
  @Length(1, 128)
  player_id?: string;
}

/** `POST /v1/push/send` */
export class SendPushDto extends SendOptionsDto {
  @ApiPropertyOptional({ description: 'The device. This or `topic`.', type: PushTargetDto })
  @IsOptional()
  @ValidateNested()
  @Type(() => PushTargetDto)
  target?: PushTargetDto;

  @ApiPropertyOptional({
    description: 'All devices that have subscribed to this topic. This or `target`.',
    example: 'news',
    minLength: 1,
    maxLength: 300,
  })
  @IsOptional()
  @IsString()
  @Length(1, 300)
  @Matches(/^(\/topics\/)?[A-Za-z0-9\-_.~%]+$/, {
    message: 'topic must consist of letters, digits and - _ . ~ %',
  })
  topic?: string;

  @ApiPropertyOptional({ description: 'The first line.', example: 'Your parcel', maxLength: 1024 })
  @IsOptional()
  @IsString()
  @Length(1, 1024)
  title?: string;

  @ApiPropertyOptional({ description: 'The text.', example: 'It is at the door.', maxLength: 4096 })
  @IsOptional()
  @IsString()
  @Length(1, 4096)
  body?: string;

  @ApiPropertyOptional({
    description: 'Address of an image to show, http or https.',
    example: 'https://cdn.example.com/parcel.jpg',
    maxLength: 2048,
  })
  @IsOptional()
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false })
  @MaxLength(2048)
  image_url?: string;

  @ApiPropertyOptional({
    description:
      'Pairs of strings for the app. Without `title` and `body` nothing is shown: the app is woken with the data alone.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { order_id: '8121' },
  })
  @IsOptional()
  @IsObject()
  data?: Record<string, string>;

  @ApiPropertyOptional({
    description:
      'How long the push service keeps it for a device that is away, seconds; 0: now or never. Default: the config’s `default_ttl_seconds`, else until the message expires.',
    type: 'integer',
    minimum: 0,
    maximum: LONGEST_TTL_SECONDS,
    example: 3600,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(LONGEST_TTL_SECONDS)
  ttl_seconds?: number;

  @ApiPropertyOptional({
    description: 'A later notification with the same key takes the place of this one.',
    example: 'order-8121',
    maxLength: 64,
  })
  @IsOptional()
  @IsString()
  @Length(1, 64)
  collapse_key?: string;

  @ApiPropertyOptional({
    description: 'The number on the app’s icon; 0 takes it away. Not on the web.',
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    example: 3,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(1_000_000)
  badge_count?: number;

  @ApiPropertyOptional({
    description: 'The sound: `default`, or a file of the app. Not on the web.',
    example: 'default',
    maxLength: 128,
  })
  @IsOptional()
  @IsString()
  @Length(1, 128)
  sound?: string;

  @ApiPropertyOptional({
    description:
      'What a tap opens: an intent action on Android, a category on iOS, and on the web an address, where it is one with https.',
    example: 'OPEN_ORDER',
    maxLength: 1024,
  })
  @IsOptional()
  @IsString()
  @Length(1, 1024)
  click_action?: string;
}
