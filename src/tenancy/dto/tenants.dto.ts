import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';
import { Nullable } from '../../platform/http/nullable.decorator';
import { UpdateSettingsDto } from '../settings/settings.dto';
import { MOST_QUOTA, QUOTA_MODES, type QuotaMode } from '../quotas';
import { TENANT_STATUSES, type TenantQuotas, type TenantStatus } from '../tenant.entity';

/** What comes in; capitals are lowered. */
const SLUG = /^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/;
const SECRET_REF = /^(env|file|vault|azure-keyvault):\S+$/;

export class QuotasDto implements TenantQuotas {
  @ApiPropertyOptional({
    description: 'Most messages a day of the tenant’s time zone. Left out: no limit.',
    type: 'integer',
    minimum: 0,
    maximum: MOST_QUOTA,
    example: 10000,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MOST_QUOTA)
  daily?: number;

  @ApiPropertyOptional({
    description: 'Most messages a calendar month of the tenant’s time zone. Left out: no limit.',
    type: 'integer',
    minimum: 0,
    maximum: MOST_QUOTA,
    example: 200000,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MOST_QUOTA)
  monthly?: number;

  @ApiPropertyOptional({
    description:
      '`hard` (the default): what is over a quota is refused with 429 `quota_exceeded`. `soft`: it is accepted, and the events `usage.quota_warning` (80 %) and `usage.quota_exceeded` (100 %) tell of it; a hard quota has them too.',
    enum: QUOTA_MODES,
    example: 'hard',
  })
  @IsOptional()
  @IsIn(QUOTA_MODES)
  mode?: QuotaMode;
}

export class CreateTenantDto {
  @ApiProperty({ description: 'Name for people.', minLength: 1, maxLength: 100, example: 'Acme Ltd' })
  @IsString()
  @Matches(/\S/, { message: 'name must not be blank' })
  @MaxLength(100)
  name: string;

  @ApiPropertyOptional({
    description: 'First part of the `client_id`, in small letters. Default: made from the name.',
    pattern: SLUG.source,
    example: 'acme',
  })
  @IsOptional()
  @IsString()
  @Matches(SLUG, { message: 'slug must begin with a letter or digit and have at most 48 letters, digits, _ and -' })
  slug?: string;

  @ApiPropertyOptional({
    description:
      "Which of the operator's secrets the tenant's provider configs may name; `*` stands for any text. Default: none.",
    type: [String],
    maxItems: 200,
    example: ['env:ACME_*', 'file:acme/*'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(200)
  @IsString({ each: true })
  @MaxLength(256, { each: true })
  @Matches(SECRET_REF, { each: true, message: 'must be a reference such as env:ACME_* or file:acme/*' })
  allowed_secret_refs?: string[];
}

export class UpdateTenantDto {
  @ApiPropertyOptional({ description: 'Name for people.', minLength: 1, maxLength: 100, example: 'Acme Ltd' })
  @IsOptional()
  @IsString()
  @Matches(/\S/, { message: 'name must not be blank' })
  @MaxLength(100)
  name?: string;

  @ApiPropertyOptional({
    description:
      'A suspended tenant is answered 403 on every call; what it had accepted waits until it is active again or expires, and nothing of it is deleted.',
    enum: TENANT_STATUSES,
    example: 'suspended',
  })
  @IsOptional()
  @IsIn(TENANT_STATUSES)
  status?: TenantStatus;

  @ApiPropertyOptional({ description: 'Replaces all quotas; null takes them away.', type: QuotasDto, nullable: true })
  @Nullable()
  @ValidateNested()
  @Type(() => QuotasDto)
  quotas?: QuotasDto | null;

  @ApiPropertyOptional({
    description: "Replaces the list of the operator's secrets that the tenant may name.",
    type: [String],
    maxItems: 200,
    example: ['env:ACME_*'],
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(200)
  @IsString({ each: true })
  @MaxLength(256, { each: true })
  @Matches(SECRET_REF, { each: true, message: 'must be a reference such as env:ACME_* or file:acme/*' })
  allowed_secret_refs?: string[];

  @ApiPropertyOptional({
    description: 'The tenant’s own settings, as in `PATCH /v1/settings`.',
    type: UpdateSettingsDto,
  })
  @IsOptional()
  @ValidateNested()
  @Type(() => UpdateSettingsDto)
  settings?: UpdateSettingsDto;
}
