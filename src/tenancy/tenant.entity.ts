import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { SealedColumn } from '../platform/secrets/resealer';
import { PERSON_HASHES_SEALED } from './person-hashes';
import type { Quotas } from './quotas';

export const TENANT_STATUSES = ['active', 'suspended'] as const;
export type TenantStatus = (typeof TENANT_STATUSES)[number];

export type TenantQuotas = Quotas;

@Entity({ name: 'tenants' })
export class TenantEntity {
  @PrimaryColumn({ name: 'client_id', type: 'text' })
  clientId: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'text' })
  slug: string;

  @Column({ type: 'text' })
  status: TenantStatus;

  @Column({ type: 'jsonb' })
  quotas: TenantQuotas;

  @Column({ name: 'allowed_secret_refs', type: 'text', array: true })
  allowedSecretRefs: string[];

  /** Sealed; see `signingSecretContext`. */
  @Column({ name: 'webhook_signing_secret', type: 'text' })
  webhookSigningSecret: string;

  @Column({ type: 'jsonb' })
  settings: Record<string, unknown>;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  @Column({ name: 'updated_at', type: 'timestamptz' })
  updatedAt: Date;
}

/** Where a sealed signing secret belongs, for `SecretBox`. */
export function signingSecretContext(clientId: string): string {
  return `tenants.webhook_signing_secret:${clientId}`;
}

/** What tenancy seals. */
export const TENANCY_SEALED: readonly SealedColumn[] = [
  {
    table: 'tenants',
    key: 'client_id',
    column: 'webhook_signing_secret',
    context: ({ clientId }) => signingSecretContext(clientId),
  },
  PERSON_HASHES_SEALED,
];
