import { type Database, statement } from '../../platform/database/database';
import { textArray } from '../../platform/database/pg-array';
import type { HealthReport } from '../contracts/gateway';

/** How long a session stays its owner's without a word from it. */
export const LEASE_SECONDS = 15;

export interface LeasedSession {
  configId: string;
  clientId: string;
}

// Renews what is ours and takes what is free, by the clock of the database alone. Ordered, so that two processes cannot wait for each other.
const TAKE = statement(
  'gateway_sessions.take',
  `INSERT INTO gateway_sessions AS s (config_id, client_id, owner, lease_until, state, updated_at)
   SELECT c.id, c.client_id, $1, now() + interval '${LEASE_SECONDS} seconds', 'opening', now() FROM provider_configs c
   WHERE c.status = 'active' AND c.provider = ANY($2::text[]) AND c.id <> ALL($3::text[]) ORDER BY c.id
   ON CONFLICT (config_id) DO UPDATE SET owner = $1, lease_until = excluded.lease_until,
     state = CASE WHEN s.owner = $1 THEN s.state ELSE 'opening' END,
     error = CASE WHEN s.owner = $1 THEN s.error END,
     error_class = CASE WHEN s.owner = $1 THEN s.error_class END
   WHERE s.owner = $1 OR s.lease_until < now() OR $4
   RETURNING s.config_id, s.client_id`,
);

/** Who holds the session of each config, in PostgreSQL. */
export class SessionLeases {
  constructor(private readonly database: Database) {}

  /**
   * Renews an owner's leases and takes those that are free, of active configs.
   * @param providers keys of the providers that have sessions
   * @param except configs that are being closed
   * @param all whatever others hold too: nobody else can be alive
   * @returns everything that the owner has now
   */
  async take(
    owner: string,
    providers: readonly string[],
    except: readonly string[],
    all: boolean,
  ): Promise<LeasedSession[]> {
    const rows = await this.database.query<{ config_id: string; client_id: string }>(TAKE, [
      owner,
      textArray(providers),
      textArray(except),
      all,
    ]);
    return rows.map((row) => ({ configId: row.config_id, clientId: row.client_id }));
  }

  async giveUp(owner: string, configId: string): Promise<void> {
    await this.database.execute('DELETE FROM gateway_sessions WHERE config_id = $1 AND owner = $2', [configId, owner]);
  }

  /** Says what the owner found. */
  async tell(owner: string, configId: string, report: HealthReport): Promise<void> {
    await this.database.execute(
      `UPDATE gateway_sessions SET state = $3, error = $4, error_class = $5, updated_at = now() WHERE config_id = $1 AND owner = $2`,
      [
        configId,
        owner,
        report.healthy ? 'open' : 'failed',
        report.error ?? null,
        report.healthy ? null : (report.errorClass ?? 'transient'),
      ],
    );
  }

  /** What the owner of a config's session found last; undefined when nobody holds it, `opening` before it knows. */
  async find(configId: string): Promise<{ owner: string; report: HealthReport | 'opening' } | undefined> {
    const [row] = await this.database.query<{
      owner: string;
      state: string;
      error: string | null;
      error_class: 'config' | 'transient' | null;
    }>(`SELECT owner, state, error, error_class FROM gateway_sessions WHERE config_id = $1 AND lease_until > now()`, [
      configId,
    ]);
    if (!row) return undefined;
    if (row.state === 'opening') return { owner: row.owner, report: 'opening' };
    if (row.state === 'open') return { owner: row.owner, report: { healthy: true } };
    return {
      owner: row.owner,
      report: { healthy: false, error: row.error ?? '', errorClass: row.error_class ?? 'transient' },
    };
  }
}
