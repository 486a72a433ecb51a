/** When a failed delivery is tried again. */
export interface RetryLadder {
  /** The wait after the first, second, … failed try. A failure after the last one makes a dead letter. */
  readonly delaysMs: readonly number[];
  /** Share by which a wait is made longer or shorter at random, so that what failed together does not come back together. */
  readonly jitter: number;
}

/**
 * Milliseconds to wait after a failed try; null when there is no further one.
 * @param failures failed tries so far, this one included
 * @param random 0 to 1
 */
export function retryDelay(ladder: RetryLadder, failures: number, random: number = Math.random()): number | null {
  const delay = ladder.delaysMs[failures - 1];
  if (delay === undefined) return null;
  return Math.round(delay * (1 + ladder.jitter * (2 * random - 1)));
}
