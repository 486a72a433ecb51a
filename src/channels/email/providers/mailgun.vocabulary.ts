import type { StatusEvent } from '../../../gateway/contracts/callback';
import { errorRows } from '../../../gateway/contracts/error-rows';
import type { ErrorRow } from '../../../gateway/contracts/gateway-error';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';

/**
 * Names of Mailgun's webhooks that are about delivery, or that change nothing. In an event, `failed` and its severity stand for
 * `permanent_fail` and `temporary_fail`; after a temporary one Mailgun tries again by itself.
 */
export const MAILGUN_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  accepted: 'queued',
  delivered: 'delivered',
  temporary_fail: 'sent',
  permanent_fail: 'undelivered',
  rejected: 'failed',
  stored: null,
});

/**
 * Mailgun has no error codes for sends. What stands for them here: a part of the text of an answer; `reason`, or else the code, of a failure
 * in an event (documentation.mailgun.com, 2026-11). The classes are ours.
 */
export const MAILGUN_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    {
      "'to' parameter is not a valid address": 'The address of a recipient is not valid',
      bounce: 'The receiving server refused the mail for good',
      generic: 'The mail could not be delivered',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'suppressed_by_provider' },
    {
      'suppress-bounce': 'Mailgun drops mail to an address that bounced before',
      'suppress-complaint': 'Mailgun drops mail to a recipient who reported spam',
      605: 'Mailgun drops mail to an address that bounced before',
      607: 'Mailgun drops mail to a recipient who reported spam',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'opted_out' },
    { 'suppress-unsubscribe': 'The recipient has unsubscribed' },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed' },
    { 'is not allowed to send': 'The domain or the account may not send' },
  ),
  ...errorRows(
    { class: 'config', code: 'wrong_address' },
    {
      'Domain not found': 'The account has no such domain in this region',
      'Mailgun Magnificent API': 'The base URL lacks the path of the API',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    { espblock: 'The receiving provider blocks this sender' },
  ),
  ...errorRows({ class: 'throttled', code: 'throttled' }, { 'limit exceeded': 'The rate of the account is exceeded' }),
  ...errorRows(
    { class: 'transient', code: 'refused_by_receiver' },
    { old: 'Mailgun tried for too long', 499: 'The receiving server could not be reached' },
  ),
});

/** What a failure in an event says. @param word what is looked up @param providerCode what is shown, where it is another */
export function mailgunError(word: string, text?: string, providerCode = word): NonNullable<StatusEvent['error']> {
  const row = rowOf(MAILGUN_ERRORS, word);
  const message = text?.slice(0, 500) || row?.title;
  return {
    class: row?.class ?? 'ambiguous',
    code: row?.code ?? 'unknown_error',
    providerCode: providerCode.slice(0, 100),
    ...(message && { message }),
  };
}
