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
import { TENANT_STATUSES, type TenantQuotas, type TenantStatus } from '../tenant.entity';

const SLUG = /^[a-z][a-z0-9-]{0,31}$/;
const SECRET_REF = /^(env|file|vault|azure-keyvault):\S+$/;
const MOST_MESSAGES = 1_000_000_000_000;

export class QuotasDto implements TenantQuotas {
  @ApiPropertyOptional({
    description: 'Most messages a day (UTC). Left out: no limit.',
    type: 'integer',
    minimum: 0,
    maximum: MOST_MESSAGES,
    example: 10000,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MOST_MESSAGES)
  daily?: number;

  @ApiPropertyOptional({
    description: 'Most messages a calendar month (UTC). Left out: no limit.',
    type: 'integer',
    minimum: 0,
    maximum: MOST_MESSAGES,
    example: 200000,
  })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(MOST_MESSAGES)
  monthly?: number;
}

export class CreateTenantDto {
  @ApiProperty({ description: 'Name for people.', minLength: 1, maxLength: 100, example: 'Acme Ltd' })
  @IsString()
  @Matches(/\S/, { message: 'name must not be blank' })
  @MaxLength(100)
  name: string;

  @ApiPropertyOptional({
    description: 'First part of the `client_id`. Default: made from the name.',
    pattern: SLUG.source,
    example: 'acme',
  })
  @IsOptional()
  @IsString()
  @Matches(SLUG, { message: 'slug must begin with a letter and have at most 32 of a-z, 0-9 and -' })
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
    description: 'A suspended tenant is answered 403 on every call; nothing of it is deleted.',
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
