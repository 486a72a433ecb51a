import { Problem } from '../../kernel/problem';
import type { UsedUp } from './quota-hints';

/** A 429 that names the quota and says when it is there again. */
export function quotaExceeded({ scope, period, limit, end }: UsedUp, now: number): Problem {
  const field = scope === '' ? `quotas.${period}` : `configs.${scope}.quotas.${period}`;
  const whose = scope === '' ? 'the tenant' : `the config ${scope}`;
  const message = `the ${period} quota of ${whose} is used up: ${limit} messages; it resets at ${new Date(end).toISOString()}`;
  return new Problem('quota_exceeded', `${message[0]!.toUpperCase()}${message.slice(1)}.`, {
    errors: [{ field, code: 'quota_exceeded', message }],
    headers: { 'Retry-After': String(Math.max(1, Math.ceil((end - now) / 1000))) },
  });
}
