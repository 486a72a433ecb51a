import type { ErrorRow } from '../../../gateway/contracts/gateway-error';
import type { SmtpReply, SmtpStage } from '../../../platform/smtp/smtp-reply';

const recipient: ErrorRow = { class: 'recipient_permanent', code: 'invalid_recipient', title: '' };
const disabled: ErrorRow = { class: 'recipient_permanent', code: 'recipient_disabled', title: '' };
const content: ErrorRow = { class: 'content_permanent', code: 'content_refused', title: '' };
const tooLarge: ErrorRow = { class: 'content_permanent', code: 'too_large', title: '' };
const credentials: ErrorRow = { class: 'config', code: 'bad_credentials', title: '' };
const noTls: ErrorRow = { class: 'config', code: 'tls_not_offered', title: '' };
const server: ErrorRow = { class: 'config', code: 'server_refused', title: '' };
// Only this sender, route or form is refused: other gateways may take the mail, and others of this config's mails may pass.
const sender: ErrorRow = { class: 'config', code: 'sender_refused', scope: 'sender', title: '' };
const policy: ErrorRow = { class: 'config', code: 'policy_refused', scope: 'sender', title: '' };
const protocol: ErrorRow = { class: 'config', code: 'command_refused', scope: 'sender', title: '' };
const addresses: ErrorRow = { class: 'config', code: 'international_address_refused', scope: 'sender', title: '' };
const throttled: ErrorRow = { class: 'throttled', code: 'throttled', title: '' };
const deferred: ErrorRow = { class: 'transient', code: 'deferred', title: '' };
const mailboxFull: ErrorRow = { class: 'transient', code: 'mailbox_full', title: '' };
const unavailable: ErrorRow = { class: 'transient', code: 'provider_unavailable', title: '' };
const network: ErrorRow = { class: 'transient', code: 'network_problem', title: '' };

function rows(table: ReadonlyArray<readonly [ErrorRow, Readonly<Record<string, string>>]>): Record<string, ErrorRow> {
  return Object.fromEntries(
    table.flatMap(([row, titles]) => Object.entries(titles).map(([code, title]) => [code, { ...row, title }])),
  );
}

/**
 * Replies by their enhanced status code (RFC 3463 and its registry) where it has one meaning, else by command and code (RFC 5321 §4.2, RFC
 * 4954). The more specific row counts: command with enhanced code, enhanced code, command with code, command with the code's first digit.
 */
export const SMTP_ERRORS: Readonly<Record<string, ErrorRow>> = rows([
  [
    recipient,
    {
      '5.1.0': 'the address is not right',
      '5.1.1': 'there is no such mailbox',
      '5.1.2': 'the domain of the address is not right',
      '5.1.3': 'the address is malformed',
      '5.1.4': 'the address is ambiguous',
      '5.1.6': 'the mailbox has moved',
      '5.1.10': 'the domain takes no mail (null MX)',
      'RCPT 501': 'the address is malformed',
      'RCPT 521': 'the host takes no mail',
      'RCPT 550': 'there is no such mailbox',
      'RCPT 551': 'the recipient is not local',
      'RCPT 553': 'the mailbox name is not allowed',
      'RCPT 556': 'the domain takes no mail',
    },
  ],
  [disabled, { '5.2.1': 'the mailbox is disabled' }],
  [
    content,
    {
      '5.6.0': 'the content is refused',
      '5.6.1': 'the kind of media is not supported',
      '5.6.2': 'the content would have to be converted, which is forbidden',
      '5.6.3': 'the content would have to be converted, which is not supported',
      '5.6.5': 'the content could not be converted',
      '5.6.6': 'a part of the content is not available',
      'DATA 5.7.0': 'the content is refused by policy',
      'DATA 5.7.1': 'the content is refused by policy',
      'DATA 550': 'the content is refused',
      'DATA 553': 'the content is refused',
      'DATA 554': 'the content is refused',
      'DATA 5xx': 'the content is refused',
    },
  ],
  [
    tooLarge,
    {
      '5.2.3': 'the mail is too large for this mailbox',
      '5.3.4': 'the mail is too large for this server',
      'MAIL 552': 'the mail is too large',
      'DATA 552': 'the mail is too large',
    },
  ],
  [
    credentials,
    {
      '5.7.3': 'the account has no such right',
      '5.7.8': 'the credentials are wrong',
      '5.7.9': 'the authentication mechanism is too weak',
      '5.7.11': 'the authentication mechanism needs encryption',
      '5.7.12': 'the password has to be changed',
      '5.7.13': 'the account is disabled',
      '5.7.14': 'the servers do not trust each other',
      'AUTH 432': 'the password has to be changed',
      'AUTH 530': 'authentication is refused',
      'AUTH 534': 'the authentication mechanism is too weak',
      'AUTH 535': 'the credentials are wrong',
      'AUTH 538': 'the authentication mechanism needs encryption',
      'AUTH 5xx': 'authentication is refused',
      'MAIL 530': 'the server wants authentication or encryption first',
      'MAIL 5.7.0': 'the server wants authentication or encryption first',
      'RCPT 530': 'the server wants authentication or encryption first',
    },
  ],
  [
    server,
    {
      'CONNECT 521': 'the host takes no mail',
      'CONNECT 554': 'the server refuses this client',
      'CONNECT 5xx': 'the server refuses the session',
    },
  ],
  [noTls, { 'STARTTLS 5xx': 'the server does not offer STARTTLS; nothing is sent in clear' }],
  [
    sender,
    {
      '5.1.7': 'the sender address is malformed',
      '5.1.8': 'the domain of the sender address is not right',
      '5.7.27': 'the domain of the sender takes no mail (null MX)',
      'MAIL 5.7.1': 'the sender is not allowed',
      'MAIL 550': 'the sender is not allowed',
      'MAIL 551': 'the sender is not allowed',
      'MAIL 553': 'the sender address is not allowed',
      'MAIL 554': 'the sender is not allowed',
      'MAIL 5xx': 'the sender is refused',
    },
  ],
  [
    policy,
    {
      '5.7.2': 'the sender may not write to this list',
      '5.7.20': 'no DKIM signature passes',
      '5.7.21': 'no acceptable DKIM signature is found',
      '5.7.22': 'no DKIM signature of the author’s domain is found',
      '5.7.23': 'SPF fails',
      '5.7.24': 'SPF cannot be evaluated',
      '5.7.25': 'the reverse name of the client is not right',
      '5.7.26': 'several authentication checks fail',
      '5.7.30': 'REQUIRETLS is not supported on the way',
      'RCPT 5.7.0': 'the server refuses this client or this route',
      'RCPT 5.7.1': 'the server refuses this client or this route',
      'RCPT 554': 'the server refuses this client or this route',
      'DATA untrusted': 'the client or the domain of the sender is not trusted (SPF, DKIM, DMARC or a block list)',
    },
  ],
  [
    protocol,
    {
      '5.5.0': 'a protocol error',
      '5.5.1': 'the command is not valid here',
      '5.5.2': 'a syntax error',
      '5.5.3': 'there are too many recipients',
      '5.5.4': 'a parameter is not valid',
      '5.5.5': 'the protocol version is wrong',
      '5.5.6': 'the authentication line is too long',
      'MAIL 555': 'a parameter of the sender is not supported',
      'RCPT 555': 'a parameter of the recipient is not supported',
      'RCPT 5xx': 'the recipient command is refused',
    },
  ],
  [
    addresses,
    {
      '5.6.7': 'addresses that are not ASCII are not taken',
      '5.6.9': 'headers that are not ASCII are not taken',
      smtputf8: 'the server does not offer SMTPUTF8, which an address that is not ASCII needs',
    },
  ],
  [
    throttled,
    {
      '4.5.3': 'there are too many recipients',
      '4.7.0': 'too much for the server’s policy just now',
      '4.7.28': 'too much mail in a short time',
      '5.7.28': 'too much mail in a short time',
      'CONNECT 421': 'the server takes no more sessions just now',
      'STARTTLS 421': 'the server ends the session',
      'AUTH 421': 'the server ends the session',
      'MAIL 421': 'the server ends the session',
      'RCPT 421': 'the server ends the session',
      'DATA 421': 'the server ends the session',
    },
  ],
  [
    mailboxFull,
    {
      '4.2.2': 'the mailbox is full',
      '5.2.2': 'the mailbox is full',
      'RCPT 452': 'the mailbox or the server is full',
      'RCPT 552': 'the mailbox is full',
    },
  ],
  [
    unavailable,
    {
      '4.3.0': 'the server has a problem',
      '4.3.1': 'the server is full',
      '4.3.2': 'the server takes no mail just now',
      '4.3.5': 'the server is configured wrongly',
      '5.3.0': 'the server has a problem',
      '5.3.1': 'the server is full',
      '5.3.2': 'the server takes no mail just now',
      '5.3.5': 'the server is configured wrongly',
      'AUTH 4.7.0': 'authentication fails for now',
      'AUTH 454': 'authentication fails for now',
      'AUTH 4xx': 'authentication fails for now',
      'STARTTLS 4xx': 'TLS is not available for now',
      'CONNECT 4xx': 'the server takes no mail just now',
    },
  ],
  [
    network,
    {
      '4.4.1': 'the next host does not answer',
      '4.4.2': 'a bad connection',
      '5.4.0': 'a network or routing problem',
      '5.4.1': 'the next host does not answer',
      '5.4.2': 'a bad connection',
      '5.4.3': 'the directory cannot be asked',
      '5.4.4': 'no route is found',
      '5.4.5': 'the mail system is congested',
      '5.4.6': 'the mail goes in circles',
      '5.4.7': 'the mail was not delivered in time',
    },
  ],
  [
    deferred,
    {
      '4.7.1': 'not now (grey-listed)',
      'MAIL 4xx': 'not now',
      'RCPT 450': 'the mailbox is busy or the sender is grey-listed',
      'RCPT 451': 'not now (grey-listed)',
      'RCPT 4xx': 'not now',
      'DATA 450': 'not now',
      'DATA 451': 'the server has a problem',
      'DATA 452': 'the server is full',
      'DATA 4xx': 'not now',
    },
  ],
]);

/** What servers without a code of their own say of a mailbox that is not there. */
const NO_MAILBOX =
  /\b(no such|unknown|invalid|non-?existent) (local )?(user|mailbox|recipient|account|address)|\b(user|mailbox|recipient|account|address)\b.{0,60}\b(unknown|not found|(does not|doesn.t) exist|disabled|inactive)\b/i;

/**
 * Whether a server says for good that a mailbox is not there (any more). A mere 550 may be about the client as well, so its text has to say it.
 * @param reply to RCPT
 */
export function isHardBounce({ code, enhanced, text }: SmtpReply): boolean {
  if (code < 500) return false;
  if (enhanced !== undefined) return enhanced === '5.1.1' || enhanced === '5.2.1';
  return code === 550 && NO_MAILBOX.test(text);
}

/** What the text of a refused mail says when it is not the content that is refused but who brings it. */
const UNTRUSTED =
  /\b(spf|dkim|dmarc|block ?list(ed)?|black ?list(ed)?|dnsbl|rbl|spamhaus|reputation|reverse dns|ptr)\b/i;
/** What servers without a code of their own say when it is too fast. */
const TOO_MANY = /\btoo (many|much|fast)\b|\brate limit/i;

const MAIL_STAGES: ReadonlySet<SmtpStage> = new Set(['MAIL', 'RCPT', 'DATA']);

/** The row of the table that a reply leads to; every refusal has one. */
export function replyRow(stage: SmtpStage, reply: SmtpReply): ErrorRow {
  const { code, enhanced, text } = reply;
  const row = (key: string): ErrorRow | undefined => (Object.hasOwn(SMTP_ERRORS, key) ? SMTP_ERRORS[key] : undefined);
  // A refused mail that names SPF or a block list is refused for its sender, under whatever code.
  if (stage === 'DATA' && code >= 550 && (!enhanced || enhanced.startsWith('5.7.')) && UNTRUSTED.test(text))
    return SMTP_ERRORS['DATA untrusted']!;
  // Before a mail is begun, a protocol error (x.5.x) is the account's or the server's, whoever the sender is.
  const isGeneral = MAIL_STAGES.has(stage) || !enhanced?.includes('.5.');
  // RFC 5321 §3.8: whatever else it says, the server is about to close the connection.
  if (code === 421) return SMTP_ERRORS[`${stage} 421`]!;
  const found = (enhanced && (row(`${stage} ${enhanced}`) ?? (isGeneral && row(enhanced)))) || row(`${stage} ${code}`);
  if (code < 500 && found?.class !== 'throttled' && TOO_MANY.test(text) && stage !== 'AUTH')
    return SMTP_ERRORS['4.7.28']!;
  return found ?? SMTP_ERRORS[`${stage} ${code < 500 ? '4xx' : '5xx'}`]!;
}
