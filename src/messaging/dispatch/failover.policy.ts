import type { ErrorClass } from '../../gateway/contracts/gateway-error';
import type { AttemptOutcome } from '../record/message.types';

/** What a failed attempt leads to. One row a class; the same table as in the contract. */
export interface FailoverRule {
  /** How the attempt is shown. */
  outcome: Exclude<AttemptOutcome, 'accepted'>;
  /**
   * - `fail`: the message is `failed`, no other gateway is tried
   * - `next_gateway`: the next candidate is tried at once; after the last one the message is retried later
   * - `pause`: this gateway pauses as told; a pause of over {@link LONGEST_WAIT_MS} goes to the next gateway, a shorter one is waited for
   * - `reconcile`: look for the message first, then the channel's `on_ambiguous`
   */
  then: 'fail' | 'next_gateway' | 'pause' | 'reconcile';
  /** The config goes to `error` (when the whole account is at fault). */
  disablesConfig: boolean;
  /** Counts towards opening the gateway's circuit. */
  tripsCircuit: boolean;
  /** Whether it counts as the gateway's fault in its error budget; null: it says nothing of that. */
  burnsBudget: boolean | null;
}

export const FAILOVER_POLICY: Readonly<Record<ErrorClass, FailoverRule>> = {
  recipient_permanent: {
    outcome: 'recipient_permanent',
    then: 'fail',
    disablesConfig: false,
    tripsCircuit: false,
    burnsBudget: false,
  },
  content_permanent: {
    outcome: 'content_permanent',
    then: 'fail',
    disablesConfig: false,
    tripsCircuit: false,
    burnsBudget: false,
  },
  config: { outcome: 'config', then: 'next_gateway', disablesConfig: true, tripsCircuit: false, burnsBudget: true },
  throttled: { outcome: 'throttled', then: 'pause', disablesConfig: false, tripsCircuit: false, burnsBudget: null },
  transient: {
    outcome: 'transient',
    then: 'next_gateway',
    disablesConfig: false,
    tripsCircuit: true,
    burnsBudget: true,
  },
  ambiguous: { outcome: 'unknown', then: 'reconcile', disablesConfig: false, tripsCircuit: true, burnsBudget: true },
};

/** A gateway that is free within this time is waited for; else the next one is tried. */
export const LONGEST_WAIT_MS = 5_000;

/** The pause when a provider throttles and does not say for how long; doubled while it goes on. */
export const DEFAULT_PAUSE_MS = 1_000;
export const LONGEST_PAUSE_MS = 60_000;

const FIRST_RETRY_MS = 2_000;
const RETRY_FACTOR = 3;
const LONGEST_RETRY_MS = 5 * 60_000;

/**
 * How long a message waits after every candidate failed: 2 s, 6 s, 18 s, 54 s, 162 s, then 5 min, each ± 25 % so that messages that failed
 * together do not come back together.
 * @param round 1 after the first round of candidates
 * @param random 0 ≤ random < 1
 */
export function retryDelayMs(round: number, random: number): number {
  const base = Math.min(FIRST_RETRY_MS * RETRY_FACTOR ** (round - 1), LONGEST_RETRY_MS);
  return Math.round(base * (0.75 + random / 2));
}
