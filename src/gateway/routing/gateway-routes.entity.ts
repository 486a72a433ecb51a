import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { RoutesByChannel } from './routes';

/** A row of `gateway_routes`: how one tenant's messages find their gateway. */
@Entity('gateway_routes')
export class GatewayRoutesEntity {
  @PrimaryColumn('text', { name: 'client_id' })
  clientId: string;

  /** As the tenant gave it. */
  @Column('jsonb')
  document: RoutesByChannel;

  @Column('int')
  version: number;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;
}
