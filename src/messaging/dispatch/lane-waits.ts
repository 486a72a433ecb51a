import { Injectable } from '@nestjs/common';
import type { WaitingOn } from '../../kernel/channel';
import { CircuitBreakers } from '../../gateway/limits/circuit-breakers';
import { Database } from '../../platform/database/database';
import { LaneGate } from './lane-gate';

/** Says why a lane does not take its due messages: from this process's own view, else from what workers report. */
@Injectable()
export class LaneWaits {
  constructor(
    private readonly gate: LaneGate,
    private readonly circuits: CircuitBreakers,
    private readonly database: Database,
  ) {}

  async reason(lane: string): Promise<WaitingOn | null> {
    if (this.circuits.state(lane) === 'open') return 'circuit_open';
    if (this.gate.isClosed(lane)) return 'gateway_rate';
    const rows = await this.database.query<{ circuit: boolean; rate: boolean }>(
      `SELECT coalesce(bool_or(circuit_open_until > now()), false) AS circuit, coalesce(bool_or(rate_blocked_until > now()), false) AS rate
       FROM gateway_states WHERE config_id = $1`,
      [lane],
    );
    if (rows[0]?.circuit) return 'circuit_open';
    return rows[0]?.rate ? 'gateway_rate' : null;
  }
}
