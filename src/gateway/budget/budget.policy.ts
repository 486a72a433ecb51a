/** What came of a gateway's calls and messages in a window of time. */
export interface Outcomes {
  /** Calls that said something of the gateway: it took the message, refused it for its recipient or content, or failed. */
  calls: number;
  /** Of those, the ones that failed by its own fault: `transient`, `unknown` and `config`. */
  faults: number;
  /** Messages whose end the provider reported. */
  reports: number;
  /** Of those, the ones that did not arrive. */
  undelivered: number;
}

/** The windows that the rule looks at, each up to now. */
export interface Windows {
  lastMinute: Outcomes;
  last5Minutes: Outcomes;
  lastHour: Outcomes;
}

/** What is normal for a gateway. */
export interface Expectation {
  /** Share of messages that must not fail, 0 to 1. */
  objective: number;
  /** Share of messages that usually do not arrive by it, through no fault of its own (wrong numbers, say). */
  usuallyUndelivered: number;
}

/** A gateway that is not at its full weight. */
export interface Degraded {
  /** Place in {@link STEPS}. */
  step: number;
  /** How many times faster than allowed its budget burnt when that was last looked at. */
  burnRate: number;
  /** Since when it has not been at its full weight. */
  since: number;
  stepSince: number;
  /** How long each step takes; doubled with each relapse. */
  dwellMs: number;
}

/** Share of messages for which a degraded gateway keeps its place, from the first step of its way back to the last. The first one is the probe. */
export const STEPS = [0.05, 0.25, 0.5] as const;

/**
 * A gateway loses its place when its budget burns fast in a long window, and still does in a short one, as in multi-window alerts: the long one tells
 * trouble from bad luck, the short one lets it go soon after the trouble is over.
 */
export const BURN_RULES = [
  { long: 'last5Minutes', short: 'lastMinute', burnRate: 6 },
  { long: 'lastHour', short: 'last5Minutes', burnRate: 2 },
] as const satisfies ReadonlyArray<{ long: keyof Windows; short: keyof Windows; burnRate: number }>;

/** Fewer than these in a window say nothing. */
const LEAST_LONG = 20;
const LEAST_SHORT = 5;
/** No step back is made while the budget burns at this rate or faster. */
const RETURN_BURN_RATE = 1;

export const FIRST_DWELL_MS = 5 * 60_000;
export const LONGEST_DWELL_MS = 40 * 60_000;

/**
 * How many times faster than the objective allows a budget burns: 1 uses it up exactly.
 * @param least with fewer calls, or reports, these say nothing
 */
export function burnRate(outcomes: Outcomes, { objective, usuallyUndelivered }: Expectation, least: number): number {
  const { calls, faults, reports, undelivered } = outcomes;
  const failing = calls >= Math.max(1, least) ? faults / calls : 0;
  const lost = reports >= Math.max(1, least) ? Math.max(0, undelivered / reports - usuallyUndelivered) : 0;
  // 1 - 0.95 is a little more than 0.05.
  return Math.round((Math.max(failing, lost) / (1 - objective)) * 1e6) / 1e6;
}

/**
 * What becomes of a gateway.
 * @param before null: it is at its full weight
 * @returns null: it is at its full weight now
 */
export function judge(before: Degraded | null, windows: Windows, expected: Expectation, now: number): Degraded | null {
  const isBurning = BURN_RULES.some(
    ({ long, short, burnRate: fast }) =>
      burnRate(windows[long], expected, LEAST_LONG) >= fast && burnRate(windows[short], expected, LEAST_SHORT) >= fast,
  );
  const recent = burnRate(windows.last5Minutes, expected, 1);
  const shown = Math.max(recent, burnRate(windows.lastHour, expected, 1));
  if (before === null)
    return isBurning ? { step: 0, burnRate: shown, since: now, stepSince: now, dwellMs: FIRST_DWELL_MS } : null;
  const burning = { ...before, burnRate: isBurning ? shown : recent };
  if (isBurning) {
    const dwellMs = before.step > 0 ? Math.min(before.dwellMs * 2, LONGEST_DWELL_MS) : before.dwellMs;
    return { ...burning, step: 0, stepSince: now, dwellMs };
  }
  if (now - before.stepSince < before.dwellMs || recent >= RETURN_BURN_RATE) return burning;
  return before.step + 1 < STEPS.length ? { ...burning, step: before.step + 1, stepSince: now } : null;
}

/** A number from 0 to 1 that is always the same for one message and gateway, and evenly spread over messages. */
export function drawOf(messageId: string, configId: string): number {
  let hash = 0x811c9dc5;
  for (const text of [messageId, configId]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/**
 * The order in which gateways are asked: degraded ones go behind the others, but for the share of messages that tests them. When all are degraded the
 * order stands: what hits all of them is hardly a fault of one.
 * @param weightOf undefined: at its full weight
 * @param draw see {@link drawOf}; null: what happens to most messages
 */
export function orderByBudget<T>(
  gateways: readonly T[],
  weightOf: (gateway: T) => number | undefined,
  draw: ((gateway: T) => number) | null,
): T[] {
  const behind = gateways.filter((gateway) => {
    const weight = weightOf(gateway);
    return weight !== undefined && (draw ? draw(gateway) : 0.5) >= weight;
  });
  if (behind.length === 0 || gateways.every((gateway) => weightOf(gateway) !== undefined)) return [...gateways];
  return [...gateways.filter((gateway) => !behind.includes(gateway)), ...behind];
}
