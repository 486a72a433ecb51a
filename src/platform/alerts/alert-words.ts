/** How urgent an alert is. `critical`: something does not work; `warning`: it works, but a person should look. */
export const ALERT_SEVERITIES = ['warning', 'critical'] as const;
export type AlertSeverity = (typeof ALERT_SEVERITIES)[number];

/** What can be raised: how urgent it is, and, for the documentation, what it says, what its `subject` is and when it is over. */
export const ALERTS = {
  config_error: {
    title: 'Provider account fails',
    severity: 'critical',
    means: 'A provider account refuses our credentials, so nothing is sent by it.',
    subject: 'the config',
    over: 'it works again, or is decommissioned',
  },
  webhook_disabled: {
    title: 'Webhook endpoint disabled',
    severity: 'critical',
    means: 'Every delivery to a webhook endpoint failed for 5 days, so it was disabled.',
    subject: 'the endpoint',
    over: 'it is enabled again or deleted',
  },
  error_budget_burning: {
    title: 'Gateway fails too often',
    severity: 'warning',
    means:
      'Messages fail by a gateway so often that its error budget burns: 6 times faster than the objective allows over 5 minutes, or twice over an hour. Others are asked before it, unless all of them do.',
    subject: 'the config',
    over: 'it has its place back, after a step each 5 minutes without trouble, or is out of use',
  },
  receiver_slow: {
    title: 'Receiver is slow',
    severity: 'warning',
    means: 'A receiver of inbound messages took longer than 5 seconds to answer.',
    subject: 'the receiver',
    over: 'it has answered within 5 seconds for 5 minutes, had nothing to answer for 15, or is removed',
  },
  delivery_error_rate: {
    title: 'Deliveries fail',
    severity: 'critical',
    means:
      'More than 1 % of the last 15 minutes’ delivery tries to a receiver of inbound messages failed (at least 20 tries).',
    subject: 'the receiver',
    over: 'the rate of the last 15 minutes is 1 % or less, or it is removed',
  },
  sequence_gap: {
    title: 'Messages missing at a provider',
    severity: 'warning',
    means: 'A provider that counts what it hands over (Telegram) left numbers out: messages did not come.',
    subject: 'the config',
    over: 'they have come, or 24 hours later',
  },
  dead_letter: {
    title: 'Inbound messages not delivered',
    severity: 'critical',
    means: 'Inbound messages could not be delivered with all their tries; they are kept.',
    subject: 'the receiver',
    over: 'all of them are delivered and nothing waits for another try, or the receiver is removed',
  },
  inbound_unmatched: {
    title: 'Messages to an unknown number',
    severity: 'warning',
    means: 'Messages came to a number that nobody has; they are kept as `unmatched`.',
    subject: 'the number written to; the config where messages do not tell it (Telegram)',
    over: 'the number is added, or none came for 24 hours',
  },
} as const satisfies Record<
  string,
  { title: string; severity: AlertSeverity; means: string; subject: string; over: string }
>;

/** Stable word of an alert. */
export type AlertWord = keyof typeof ALERTS;
export const ALERT_WORDS = Object.keys(ALERTS) as [AlertWord, ...AlertWord[]];

/** The table in Markdown. */
export function alertsTable(): string {
  const rows = Object.entries(ALERTS).map(
    ([word, { severity, means, subject, over }]) => `| \`${word}\` | ${severity} | ${means} | ${subject} | ${over} |`,
  );
  return [
    '| alert | severity | what it means | subject | it is over when |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
