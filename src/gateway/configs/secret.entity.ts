import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A row of `secrets`: one sealed value of one config. */
@Entity('secrets')
export class SecretEntity {
  @PrimaryColumn('text')
  id: string;

  @Column('text', { name: 'client_id' })
  clientId: string;

  @Column('text', { name: 'config_id' })
  configId: string;

  @Column('text')
  sealed: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;
}
