import { errorRows } from '../../../gateway/contracts/error-rows';
import type { StatusEvent } from '../../../gateway/contracts/callback';
import type { ErrorRow } from '../../../gateway/contracts/gateway-error';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';

/** Words of `event` that are about delivery, or that change nothing. What recipients do is engagement. */
export const SENDGRID_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  processed: 'sent',
  deferred: 'sent',
  delivered: 'delivered',
  bounce: 'undelivered',
  dropped: 'failed',
  cancel_drop: 'failed',
  group_resubscribe: null,
  account_status_change: null,
});

/**
 * SendGrid has no error codes. What stands for them here: the field that an answer names, without its indexes; texts that it documents; the
 * `reason` of a drop; the `bounce_classification` or else the `type` of a bounce (twilio.com/docs/sendgrid, 2026-11). The classes are ours.
 */
export const SENDGRID_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    {
      'personalizations.to.email': 'The address of a recipient is not valid',
      'Invalid Address': 'The address does not exist',
      'Mailbox Unavailable': 'The mailbox cannot be reached',
      Invalid: 'The address is not valid',
      bounce: 'The receiving server refused the mail for good',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'suppressed_by_provider' },
    {
      'Bounced Address': 'SendGrid drops mail to an address that bounced before',
      'Spam Reporting Address': 'SendGrid drops mail to a recipient who reported spam',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'opted_out' },
    { 'Unsubscribed Address': 'The recipient has unsubscribed' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_content' },
    { 'Invalid SMTPAPI header': 'The X-SMTPAPI header is not valid' },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'content_filtered' },
    { 'Spam Content': 'SendGrid took the mail for spam', Content: 'The receiving server refused the content' },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    {
      from: 'The sender is not a verified identity',
      'from.email': 'The address of the sender is not valid',
      Reputation: 'The receiving server refused the sender for its reputation',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'no_credit' },
    {
      'Maximum credits exceeded': 'The account has no credits left',
      'Recipient List over Package Quota': 'The account has no credits left',
    },
  ),
  ...errorRows(
    { class: 'throttled', code: 'throttled_by_receiver' },
    { 'Frequency or Volume Too High': 'The receiving server got too much mail from this sender' },
  ),
  ...errorRows(
    { class: 'transient', code: 'refused_by_receiver' },
    {
      Technical: 'The receiving server had a technical fault',
      Unclassified: 'The receiving server gave a reason that SendGrid does not know',
      blocked: 'The receiving server refused this mail',
    },
  ),
});

/** What a bounce or drop says. @param word what is looked up @param providerCode what is shown, where it is another */
export function sendgridError(word: string, text?: string, providerCode = word): NonNullable<StatusEvent['error']> {
  const row = rowOf(SENDGRID_ERRORS, word);
  const message = text?.slice(0, 500) || row?.title;
  return {
    class: row?.class ?? 'ambiguous',
    code: row?.code ?? 'unknown_error',
    providerCode: providerCode.slice(0, 100),
    ...(message && { message }),
  };
}
