import type { SimulatedBehaviour } from '../gateway/contracts/simulator';
import type { Channel } from '../kernel/channel';

/** A recipient that makes the stand-ins behave in a certain way. */
export interface MagicRecipient {
  channel: Channel;
  recipient: string;
  behaviour: SimulatedBehaviour;
  /** The only providers whose stand-ins behave so; at the others the message is delivered. */
  onlyAt?: readonly string[];
  description: string;
}

/** Behaviours of every channel, in the order of the magic numbers: `+15005550000`, `+15005550001`, … */
const COMMON: ReadonlyArray<[SimulatedBehaviour, string]> = [
  ['delivered', 'Delivered, as any ordinary recipient is.'],
  ['invalid_recipient', 'Refused as a recipient that does not exist.'],
  ['undelivered', 'Accepted, then reported undelivered.'],
  [
    'throttled',
    'Throttled at the first try of each message, Retry-After 2 s where the provider has it; then delivered.',
  ],
  ['server_error', 'HTTP 500, or the provider’s likeness of it.'],
  ['hang_after_accepting', 'Accepted, but the answer never comes; callbacks do.'],
  ['connection_reset', 'The connection is reset after the request was read; nothing was accepted.'],
  ['malformed_body', 'Accepted, with an answer that cannot be read; callbacks come.'],
  ['callback_before_response', 'The callbacks overtake the answer.'],
  ['callbacks_out_of_order', 'The callback for delivered comes before the one for sent.'],
  ['repeated_callback', 'The callback for delivered comes three times.'],
  ['late_bounce', 'Reported delivered and, half a second later, undelivered.'],
  ['inbound_reply', 'Delivered, then answered by an inbound message.'],
  ['no_callback', 'Accepted without callbacks; a look-up, where there is one, says delivered.'],
];

const EMAIL_ONLY: ReadonlyArray<[SimulatedBehaviour, string]> = [
  ['engaged', 'Delivered, opened, and a link clicked.'],
  ['complained', 'Delivered, then marked as spam.'],
  ['unsubscribed', 'Delivered, then unsubscribed.'],
  ['hard_bounce', 'Bounced for good: no such mailbox.'],
  ['soft_bounce', 'Bounced for now: mailbox full.'],
];

const WHATSAPP_PROVIDERS = ['meta_cloud', 'twilio_whatsapp'];

const WHATSAPP_ONLY: ReadonlyArray<[string, SimulatedBehaviour, string]> = [
  ['+15005550015', 'read', 'Delivered, then read.'],
  [
    '+15005550016',
    'window_closed',
    'Has not written for 24 hours: a template is delivered, anything else fails with `window_closed`.',
  ],
];

/** Every magic recipient (api documentation, "Simulator"). Any other recipient is delivered. */
export const MAGIC_RECIPIENTS: readonly MagicRecipient[] = [
  ...numbers('sms', COMMON),
  {
    channel: 'sms',
    recipient: '+15005550014',
    behaviour: 'server_error',
    description: 'HTTP 500 at Twilio only; the others deliver.',
    onlyAt: ['twilio'],
  },
  ...numbers('whatsapp', COMMON),
  ...WHATSAPP_ONLY.map(([recipient, behaviour, description]) => ({
    ...magic('whatsapp', recipient, behaviour, description),
    onlyAt: WHATSAPP_PROVIDERS,
  })),
  ...[...COMMON, ...EMAIL_ONLY].map(([behaviour, description]) =>
    magic('email', `${behaviour.replaceAll('_', '-')}@simulator.test`, behaviour, description),
  ),
  ...COMMON.map(([behaviour, description], index) =>
    magic('telegram', String(5_005_550_000 + index), behaviour, description),
  ),
  ...COMMON.filter(([behaviour]) => behaviour !== 'inbound_reply').map(([behaviour, description]) =>
    magic('push', `simulator-${behaviour.replaceAll('_', '-')}`, behaviour, description),
  ),
];

const BY_RECIPIENT = new Map(MAGIC_RECIPIENTS.map((one) => [one.recipient, one]));

/** What a recipient asks of a provider's stand-in. */
export function behaviourFor(recipient: string, provider: string): SimulatedBehaviour {
  // A tag makes an address that no suppression is for yet: `hard-bounce+2@simulator.test`.
  const found = BY_RECIPIENT.get(recipient.toLowerCase().replace(/\+[^@]*(?=@simulator\.test$)/, ''));
  if (found === undefined || (found.onlyAt !== undefined && !found.onlyAt.includes(provider))) return 'delivered';
  return found.behaviour;
}

/** What a provider shows by its reports alone; where none come, these recipients are as any other. */
const BY_REPORTS: ReadonlySet<SimulatedBehaviour> = new Set([
  'undelivered',
  'callback_before_response',
  'callbacks_out_of_order',
  'repeated_callback',
  'late_bounce',
  'no_callback',
]);
/** Channels all of whose providers report nothing after they took a message. */
const WITHOUT_REPORTS: ReadonlySet<Channel> = new Set(['telegram', 'push']);
const NO_REPORTS_NOTE =
  '\\* Telegram and FCM report nothing of a message after they took it, and neither does SMTP of a mail: the message stays `sent`, and what is only reported has no effect there.';

/** The table in Markdown, for the OpenAPI document: a row what happens, a column the recipients that ask for it. */
export function magicRecipientsTable(): string {
  const onlyWhatsApp = new Set(WHATSAPP_ONLY.map(([recipient]) => recipient));
  const rows = new Map<string, Map<string, string>>();
  for (const { channel, recipient, behaviour, description } of MAGIC_RECIPIENTS) {
    const row = rows.get(description) ?? new Map<string, string>();
    const column = channel === 'whatsapp' ? 'sms' : channel;
    const isOnlyReported = WITHOUT_REPORTS.has(channel) && BY_REPORTS.has(behaviour);
    const mark = onlyWhatsApp.has(recipient) ? ' (WhatsApp)' : isOnlyReported ? ' \\*' : '';
    rows.set(description, row.set(column, `\`${recipient}\`${mark}`));
  }
  const columns = ['sms', 'email', 'telegram', 'push'];
  const lines = [...rows].map(
    ([description, row]) => `| ${description} | ${columns.map((column) => row.get(column) ?? '').join(' | ')} |`,
  );
  return [
    '| what happens | SMS, WhatsApp | email | Telegram chat | push device token |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
    NO_REPORTS_NOTE,
  ].join('\n');
}

function magic(
  channel: Channel,
  recipient: string,
  behaviour: SimulatedBehaviour,
  description: string,
): MagicRecipient {
  return { channel, recipient, behaviour, description };
}

function numbers(channel: Channel, behaviours: typeof COMMON): MagicRecipient[] {
  return behaviours.map(([behaviour, description], index) =>
    magic(channel, `+150055500${String(index).padStart(2, '0')}`, behaviour, description),
  );
}
