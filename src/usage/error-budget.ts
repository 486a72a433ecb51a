import type { UsageFigures } from '../gateway/usage/usage-figures';
import type { ErrorBudgetView } from '../gateway/usage/usage.view';

/** How far back an error budget looks. */
export const BUDGET_DAYS = 30;
/** Below this share of the budget the state is amber. */
const AMBER_BELOW = 0.25;

/**
 * How much of what may fail has not failed yet.
 * @param objective share of sends that must not fail, above 0 and below 1
 */
export function errorBudget(
  { sends, failed }: Pick<UsageFigures, 'sends' | 'failed'>,
  objective: number,
): ErrorBudgetView {
  const remaining = sends === 0 ? 1 : Math.max(0, 1 - failed / (sends * (1 - objective)));
  // Rounded first, so that the state is that of the figure which is shown.
  const shown = Math.round(remaining * 10_000) / 10_000;
  const state = shown === 0 ? 'red' : shown < AMBER_BELOW ? 'amber' : 'green';
  return { objective, remaining: shown, state, window_days: BUDGET_DAYS };
}
