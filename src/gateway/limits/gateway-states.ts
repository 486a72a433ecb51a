import type { Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import type { Database } from '../../platform/database/database';
import type { CircuitBreakers, CircuitState } from './circuit-breakers';
import type { GatewayRates } from './gateway-rates';

/** What keeps a config from being called, over all processes. */
export interface GatewayState {
  circuit: CircuitState;
  /** Milliseconds since the epoch; null when its rate is not blocked. */
  rateBlockedUntil: number | null;
}

interface StateRow {
  configId: string;
  circuit: CircuitState;
  circuitOpenUntil: number;
  rateBlockedUntil: number;
}

const REPORT_EVERY_MS = 1_000;
/** A state that lasts is told again, so that readers can tell it from one of a process that died. */
const REPEAT_MS = 10_000;
const STALE_MS = 30_000;
const RANK: Readonly<Record<CircuitState, number>> = { closed: 0, half_open: 1, open: 2 };

/** Tells the other processes which circuits are open and which configs are paused here, and answers what they told. */
export class GatewayStates {
  readonly processId = newId('worker');
  private readonly reporter: Periodic;
  private readonly stopListening: () => void;
  private reported = '[]';
  private reportedAt = 0;

  constructor(
    private readonly database: Database,
    private readonly circuits: CircuitBreakers,
    private readonly rates: GatewayRates,
    private readonly clock: Clock,
    logger: Logger,
  ) {
    this.reporter = new Periodic('gateway-states', REPORT_EVERY_MS, () => this.report(), logger);
    this.stopListening = circuits.onChange(() => this.reporter.wake());
  }

  start(): void {
    this.reporter.start();
  }

  async stop(): Promise<void> {
    this.stopListening();
    await this.reporter.stop();
    if (this.reported !== '[]')
      await this.database.execute('DELETE FROM gateway_states WHERE process_id = $1', [this.processId]);
    this.reported = '[]';
  }

  /** Writes what changed since the last report; nothing when nothing did. */
  async report(): Promise<void> {
    const rows = this.current();
    const text = JSON.stringify(rows);
    const now = this.clock.now();
    if (text === this.reported && (rows.length === 0 || now - this.reportedAt < REPEAT_MS)) return;
    await this.database.transaction(async (tx) => {
      await tx.execute(
        `DELETE FROM gateway_states WHERE (process_id = $1 AND NOT (config_id = ANY ($2))) OR reported_at < to_timestamp($3 / 1000.0)`,
        [this.processId, rows.map((row) => row.configId), now - 60 * STALE_MS],
      );
      if (rows.length === 0) return;
      await tx.execute(
        `INSERT INTO gateway_states (config_id, process_id, client_id, circuit, circuit_open_until, rate_blocked_until, reported_at)
         SELECT c.id, $1, c.client_id, s.circuit, to_timestamp(nullif(s.open_until, 0) / 1000.0),
           to_timestamp(nullif(s.blocked_until, 0) / 1000.0), to_timestamp($2 / 1000.0)
         FROM unnest($3::text[], $4::text[], $5::float8[], $6::float8[]) AS s(config_id, circuit, open_until, blocked_until)
         JOIN provider_configs c ON c.id = s.config_id
         ON CONFLICT (config_id, process_id) DO UPDATE SET circuit = excluded.circuit,
           circuit_open_until = excluded.circuit_open_until, rate_blocked_until = excluded.rate_blocked_until,
           reported_at = excluded.reported_at`,
        [
          this.processId,
          now,
          rows.map((row) => row.configId),
          rows.map((row) => row.circuit),
          rows.map((row) => row.circuitOpenUntil),
          rows.map((row) => row.rateBlockedUntil),
        ],
      );
    });
    this.reported = text;
    this.reportedAt = now;
  }

  /** By config id, of one tenant; a config that is not in it is closed and not blocked. */
  async ofTenant(clientId: string): Promise<Map<string, GatewayState>> {
    const now = this.clock.now();
    const states = new Map<string, GatewayState>();
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<{ config_id: string; circuit: CircuitState; open_until: Date | null; blocked_until: Date | null }>(
        `SELECT config_id, circuit, circuit_open_until AS open_until, rate_blocked_until AS blocked_until
         FROM gateway_states WHERE client_id = $1 AND process_id <> $2 AND reported_at > to_timestamp($3 / 1000.0)`,
        [clientId, this.processId, now - STALE_MS],
      ),
    );
    for (const row of rows) {
      const over = row.circuit === 'open' && row.open_until !== null && row.open_until.getTime() <= now;
      merge(states, row.config_id, over ? 'half_open' : row.circuit, row.blocked_until?.getTime() ?? 0, now);
    }
    for (const row of this.current()) merge(states, row.configId, row.circuit, row.rateBlockedUntil, now);
    return states;
  }

  private current(): StateRow[] {
    const paused = new Map(this.rates.paused());
    return [...new Set([...this.circuits.notClosed(), ...paused.keys()])].sort().map((configId) => ({
      configId,
      circuit: this.circuits.state(configId),
      circuitOpenUntil: this.circuits.openUntil(configId),
      rateBlockedUntil: paused.get(configId) ?? 0,
    }));
  }
}

/** The worst of what the processes say. */
function merge(
  states: Map<string, GatewayState>,
  configId: string,
  circuit: CircuitState,
  blockedUntil: number,
  now: number,
): void {
  const known = states.get(configId) ?? { circuit: 'closed', rateBlockedUntil: null };
  const blocked = Math.max(known.rateBlockedUntil ?? 0, blockedUntil > now ? blockedUntil : 0);
  states.set(configId, {
    circuit: RANK[circuit] > RANK[known.circuit] ? circuit : known.circuit,
    rateBlockedUntil: blocked || null,
  });
}
