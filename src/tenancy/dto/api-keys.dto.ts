import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsOptional,
  IsRFC3339,
  IsString,
  Matches,
  MaxLength,
} from 'class-validator';
import type { ApiKeyEntity } from '../api-key.entity';
import { SCOPES, type Scope } from '../principal';

export class CreateApiKeyDto {
  @ApiProperty({ description: 'What it is for.', minLength: 1, maxLength: 100, example: 'shop backend' })
  @IsString()
  @Matches(/\S/, { message: 'name must not be blank' })
  @MaxLength(100)
  name: string;

  @ApiProperty({
    description: 'What it may do: nothing that the calling key may not.',
    enum: SCOPES,
    enumName: 'Scope',
    isArray: true,
    example: ['messages:send', 'messages:read'],
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  scopes: Scope[];

  @ApiPropertyOptional({
    description: 'Everything that it sends is simulated. A sandbox key can make sandbox keys only.',
    default: false,
    example: false,
  })
  @IsOptional()
  @IsBoolean()
  sandbox?: boolean;

  @ApiPropertyOptional({
    description:
      'When it stops working; in the future, and not after the calling key does. Left out: with the calling key; never when that has no end.',
    format: 'date-time',
    example: '2027-01-31T12:00:00Z',
  })
  @IsOptional()
  @IsString()
  @IsRFC3339()
  expires_at?: string;
}

export class ApiKeyView {
  @ApiProperty({ description: 'Id of the key, not the key itself.', example: 'key_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'What it is for.', example: 'shop backend' })
  name: string;

  @ApiProperty({
    description: 'What it may do.',
    enum: SCOPES,
    enumName: 'Scope',
    isArray: true,
    example: ['messages:send'],
  })
  scopes: Scope[];

  @ApiProperty({ description: 'Everything that it sends is simulated.', example: false })
  sandbox: boolean;

  @ApiProperty({
    description: 'When it stops working; null: never.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: null,
  })
  expires_at: string | null;

  @ApiProperty({ description: 'When it was made.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({
    description: 'When it was last used, to a minute or two; null: not yet.',
    type: String,
    format: 'date-time',
    nullable: true,
    example: '2026-02-01T08:30:00.000Z',
  })
  last_used_at: string | null;

  static of(key: ApiKeyEntity): ApiKeyView {
    return {
      id: key.id,
      name: key.name,
      scopes: key.scopes,
      sandbox: key.sandbox,
      expires_at: key.expiresAt?.toISOString() ?? null,
      created_at: key.createdAt.toISOString(),
      last_used_at: key.lastUsedAt?.toISOString() ?? null,
    };
  }
}

/** The only answer that shows the key. */
export class CreatedApiKeyView extends ApiKeyView {
  @ApiProperty({ description: 'The key. It is shown only here; a hash of it is kept.', example: 'um_0r9W…' })
  api_key: string;
}

export class DeletedApiKeyView {
  @ApiProperty({ description: 'Id of the key.', example: 'key_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  id: string;

  @ApiProperty({ description: 'Always true.', enum: [true], example: true })
  deleted: true;
}
