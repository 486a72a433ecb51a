import { ApiProperty } from '@nestjs/swagger';
import { TENANT_STATUSES, type TenantEntity, type TenantStatus } from '../tenant.entity';
import { SettingsView } from '../settings/settings.view';
import { tenantSettings } from '../tenant-settings';
import { QuotasDto } from './tenants.dto';

const CLIENT_ID = 'acme_4k2jx81m0qv7e3hz';
const API_KEY = 'um_0r9W…';
const SIGNING_SECRET = 'whsec_MfKQ…';

export class TenantView {
  @ApiProperty({ description: 'Id of the tenant.', example: CLIENT_ID })
  client_id: string;

  @ApiProperty({ description: 'Name for people.', example: 'Acme Ltd' })
  name: string;

  @ApiProperty({ description: 'First part of the `client_id`.', example: 'acme' })
  slug: string;

  @ApiProperty({ description: 'A suspended tenant is answered 403.', enum: TENANT_STATUSES, example: 'active' })
  status: TenantStatus;

  @ApiProperty({ description: 'Most messages in a period; a period without a figure has no limit.', type: QuotasDto })
  quotas: QuotasDto;

  @ApiProperty({
    description: "Which of the operator's secrets the tenant's provider configs may name.",
    type: [String],
    example: ['env:ACME_*'],
  })
  allowed_secret_refs: string[];

  @ApiProperty({ description: 'What the tenant has set for itself.', type: SettingsView })
  settings: SettingsView;

  @ApiProperty({ description: 'When it was made.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ description: 'When it was last changed.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  updated_at: string;

  static of(tenant: TenantEntity): TenantView {
    return {
      client_id: tenant.clientId,
      name: tenant.name,
      slug: tenant.slug,
      status: tenant.status,
      quotas: tenant.quotas,
      allowed_secret_refs: tenant.allowedSecretRefs,
      settings: SettingsView.of(tenantSettings(tenant.settings)),
      created_at: tenant.createdAt.toISOString(),
      updated_at: tenant.updatedAt.toISOString(),
    };
  }
}

/** The only answer that shows a tenant's first key. */
export class CreatedTenantView {
  @ApiProperty({ description: 'Id of the tenant.', example: CLIENT_ID })
  client_id: string;

  @ApiProperty({ description: 'Name for people.', example: 'Acme Ltd' })
  name: string;

  @ApiProperty({ description: 'First API key, with every scope. It is shown only here.', example: API_KEY })
  api_key: string;

  @ApiProperty({
    description: 'Proves deliveries to the tenant outside `/v1/webhooks` (Standard Webhooks). It is shown only here.',
    example: SIGNING_SECRET,
  })
  webhook_signing_secret: string;

  @ApiProperty({ description: 'When it was made.', format: 'date-time', example: '2026-01-31T12:00:00.000Z' })
  created_at: string;
}

export class SigningSecretView {
  @ApiProperty({ description: 'Id of the tenant.', example: CLIENT_ID })
  client_id: string;

  @ApiProperty({
    description: 'The new secret. It is shown only here; the old one signs no more.',
    example: SIGNING_SECRET,
  })
  webhook_signing_secret: string;
}

export class MeView {
  @ApiProperty({ description: 'Id of the tenant that the key belongs to.', example: CLIENT_ID })
  client_id: string;

  @ApiProperty({ description: 'Name of the tenant.', example: 'Acme Ltd' })
  name: string;

  @ApiProperty({ description: 'What the key may do.', type: [String], example: ['messages:send', 'messages:read'] })
  scopes: string[];
}
