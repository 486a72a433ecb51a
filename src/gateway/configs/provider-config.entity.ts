import type { QueryDeepPartialEntity } from 'typeorm/query-builder/QueryPartialEntity';
import type { Transaction } from '../../platform/database/database';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Channel } from '../../kernel/channel';
import type { Quotas } from '../../tenancy/quotas';
import type { ConfigFault, ConfigStatus } from './provider-config';

/** A row of `provider_configs`. */
@Entity('provider_configs')
export class ProviderConfigEntity {
  @PrimaryColumn('text')
  id: string;

  @Column('text', { name: 'client_id' })
  clientId: string;

  @Column('text')
  provider: string;

  @Column('text')
  channel: Channel;

  @Column('text', { name: 'display_name' })
  displayName: string;

  @Column('text')
  status: ConfigStatus;

  @Column('jsonb')
  settings: Record<string, unknown>;

  @Column('jsonb')
  credentials: Record<string, string>;

  @Column('text', { name: 'account_fingerprint', nullable: true })
  accountFingerprint: string | null;

  /** Sealed. */
  @Column('text', { name: 'callback_token' })
  callbackToken: string;

  @Column('double precision', { name: 'max_per_second', nullable: true })
  maxPerSecond: number | null;

  @Column('jsonb', { nullable: true })
  quotas: Quotas | null;

  @Column('int')
  version: number;

  @Column('jsonb', { name: 'last_error', nullable: true })
  lastError: ConfigFault | null;

  @Column('timestamptz', { name: 'error_since', nullable: true })
  errorSince: Date | null;

  @Column('int', { name: 'error_version', nullable: true })
  errorVersion: number | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;

  @Column('timestamptz', { name: 'activated_at', nullable: true })
  activatedAt: Date | null;
}

// TypeORM's types for writing do not know open-ended JSON columns.
type Columns = QueryDeepPartialEntity<ProviderConfigEntity>;

export async function insertConfig(tx: Transaction, row: ProviderConfigEntity): Promise<void> {
  await tx.manager.insert(ProviderConfigEntity, row as Columns);
}

export async function updateConfig(tx: Transaction, row: ProviderConfigEntity): Promise<void> {
  const { id, clientId, ...columns } = row;
  await tx.manager.update(ProviderConfigEntity, { id, clientId }, columns as Columns);
}

/** Reads a row and keeps others from changing it until the transaction ends. Undefined when no row fits. */
export async function lockConfig(
  tx: Transaction,
  where: { id: string; clientId?: string; provider?: string },
): Promise<ProviderConfigEntity | undefined> {
  // TypeORM's own lock wants a transaction that it has opened itself.
  const locked = await tx.query('SELECT 1 FROM provider_configs WHERE id = $1 FOR UPDATE', [where.id]);
  if (locked.length === 0) return undefined;
  return (await tx.manager.findOne(ProviderConfigEntity, { where })) ?? undefined;
}
