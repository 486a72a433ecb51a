import type { Logger } from '../../kernel/logger';
import { Periodic } from '../../kernel/periodic';
import type { ChangeFeed } from '../../platform/database/change-feed';
import type { Database } from '../../platform/database/database';
import { STEPS } from './budget.policy';

/** Topic of the change feed; its ids are client ids. */
export const BUDGETS_CHANGED = 'gateway_budgets';

/** A gateway that has lost its place for most messages; frozen. */
export interface DegradedGateway {
  /** Share of messages for which it keeps its place, 0 to 1. */
  readonly weight: number;
  readonly burnRate: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

const EVERY_MS = 10_000;

interface Row {
  config_id: string;
  step: number;
  burn_rate: number;
  since: Date;
}

/** Answers from memory which gateways burn their error budget; told of changes by the change feed. They are few. */
export class BudgetDirectory {
  private degraded: ReadonlyMap<string, DegradedGateway> = new Map();
  private readonly task: Periodic;

  constructor(
    private readonly database: Database,
    feed: Pick<ChangeFeed, 'on'>,
    logger: Logger,
  ) {
    this.task = new Periodic('gateway budgets', EVERY_MS, () => this.load(), logger);
    feed.on(
      BUDGETS_CHANGED,
      () => this.task.wake(),
      () => this.task.wake(),
    );
  }

  start(): void {
    this.task.start({ now: true });
  }

  async stop(): Promise<void> {
    await this.task.stop();
  }

  /** Undefined: at its full weight. */
  of(configId: string): DegradedGateway | undefined {
    return this.degraded.get(configId);
  }

  /** Whether there is nothing to look for. */
  get isEmpty(): boolean {
    return this.degraded.size === 0;
  }

  async load(): Promise<void> {
    const rows = await this.database.query<Row>('SELECT config_id, step, burn_rate, since FROM gateway_budgets');
    this.degraded = new Map(
      rows.map(({ config_id, step, burn_rate, since }) => [
        config_id,
        Object.freeze({ weight: STEPS[step] ?? 1, burnRate: burn_rate, since: since.getTime() }),
      ]),
    );
  }
}
