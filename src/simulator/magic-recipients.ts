import type { SimulatedBehaviour } from '../gateway/contracts/simulator';
import type { Channel } from '../kernel/channel';

/** A recipient that makes the stand-ins behave in a certain way. */
export interface MagicRecipient {
  channel: Channel;
  recipient: string;
  behaviour: SimulatedBehaviour;
  /** The only provider whose stand-in behaves so; at the others the message is delivered. */
  onlyAt?: string;
  description: string;
}

/** Every magic recipient (api documentation, "Simulator"). Any other recipient is delivered. */
export const MAGIC_RECIPIENTS: readonly MagicRecipient[] = [
  sms('+15005550000', 'delivered', 'Delivered, as any ordinary number is.'),
  sms('+15005550001', 'invalid_recipient', 'Refused as an invalid number (Twilio 21211, Vonage status 6).'),
  sms('+15005550002', 'undelivered', 'Accepted, then reported undelivered.'),
  sms(
    '+15005550003',
    'throttled',
    'Throttled at the first try of each message, Retry-After 2 s where the provider has it; then delivered.',
  ),
  sms('+15005550004', 'server_error', 'HTTP 500 at every provider.'),
  sms('+15005550005', 'hang_after_accepting', 'Accepted, but the answer never comes; callbacks do.'),
  sms('+15005550006', 'connection_reset', 'The connection is reset after the request was read; nothing was accepted.'),
  sms('+15005550007', 'malformed_body', 'Accepted, with an answer that cannot be read; callbacks come.'),
  sms('+15005550008', 'callback_before_response', 'The callbacks overtake the answer.'),
  sms('+15005550009', 'callbacks_out_of_order', 'The callback for delivered comes before the one for sent.'),
  sms('+15005550010', 'repeated_callback', 'The callback for delivered comes three times.'),
  sms('+15005550011', 'late_bounce', 'Reported delivered and, half a second later, undelivered.'),
  sms('+15005550012', 'inbound_reply', 'Delivered, then answered by an inbound message.'),
  sms('+15005550013', 'no_callback', 'Accepted without callbacks; a look-up says delivered.'),
  { ...sms('+15005550014', 'server_error', 'HTTP 500 at Twilio only; the others deliver.'), onlyAt: 'twilio' },
];

const BY_RECIPIENT = new Map(MAGIC_RECIPIENTS.map((magic) => [magic.recipient, magic]));

/** What a recipient asks of a provider's stand-in. */
export function behaviourFor(recipient: string, provider: string): SimulatedBehaviour {
  const magic = BY_RECIPIENT.get(recipient);
  if (magic === undefined || (magic.onlyAt !== undefined && magic.onlyAt !== provider)) return 'delivered';
  return magic.behaviour;
}

/** The table in Markdown, for the OpenAPI document. */
export function magicRecipientsTable(): string {
  const rows = MAGIC_RECIPIENTS.map(
    ({ channel, recipient, description }) => `| ${channel} | \`${recipient}\` | ${description} |`,
  );
  return ['| channel | recipient | what happens |', '| --- | --- | --- |', ...rows].join('\n');
}

function sms(recipient: string, behaviour: SimulatedBehaviour, description: string): MagicRecipient {
  return { channel: 'sms', recipient, behaviour, description };
}
