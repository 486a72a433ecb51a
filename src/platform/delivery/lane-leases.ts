import { statement, type Database, type PreparedStatement } from '../database/database';
import type { LaneLeases, LeasedLane, LeaseRequest } from './lane.runner';

/**
 * Lanes whose leases stand in the rows of their receivers, in `lane_owner` and `lane_until`. What a lane has to do, and so which are worth taking,
 * is each table's own.
 * @typeParam Row what `take` returns of a leased row
 */
export abstract class TableLaneLeases<Row extends object> implements LaneLeases {
  private readonly renewal: PreparedStatement;
  private readonly ending: PreparedStatement;

  /**
   * @param takeLanes takes `$1` owner, `$2` milliseconds until the lease ends, `$3` the time in milliseconds, `$4` ids to leave out, `$5` groups or
   *   null, `$6` and `$7` the most of healthy and of failing receivers, `$8` failures in a row of a failing one; returns the rows now leased
   */
  constructor(
    private readonly database: Database,
    table: 'number_receivers' | 'webhook_endpoints',
    private readonly takeLanes: PreparedStatement,
  ) {
    this.renewal = statement(
      `${table}.renew`,
      `UPDATE ${table} SET lane_until = now() + $3::float8 * interval '1 millisecond'
       WHERE id = ANY ($2) AND lane_owner = $1 RETURNING id`,
    );
    this.ending = statement(
      `${table}.release`,
      `UPDATE ${table} SET lane_owner = NULL, lane_until = NULL WHERE id = $2 AND lane_owner = $1`,
    );
  }

  async take(request: LeaseRequest): Promise<LeasedLane[]> {
    const rows = await this.database.query<Row>(this.takeLanes, [
      request.owner,
      request.ttlMs,
      request.now,
      request.except,
      request.groups,
      request.healthy,
      request.failing,
      request.failingAfter,
    ]);
    return this.lanesOf(rows, request);
  }

  async renew(owner: string, ids: readonly string[], ttlMs: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(this.renewal, [owner, ids, ttlMs]);
    return rows.map(({ id }) => id);
  }

  async release(owner: string, id: string): Promise<void> {
    await this.database.execute(this.ending, [owner, id]);
  }

  /** Lanes over rows that were just leased to the request's owner. */
  protected abstract lanesOf(rows: readonly Row[], request: LeaseRequest): LeasedLane[];
}
