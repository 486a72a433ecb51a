import { isEmailAddress, emailKey } from '../../kernel/email-address';
import type { EmailAddress, EmailContent } from '../../gateway/contracts/gateway';
import type { FieldError } from '../../kernel/problem';
import { isPlainObject } from '../../platform/http/json-body';
import { MAX_HEADERS, MAX_LIST, MAX_RECIPIENTS } from './email-limits';
import type { SendEmailDto } from './send-email.dto';

const MAX_NAME = 255;
const MAX_HEADER_VALUE = 998;

/** What ends a header line, or what no header may hold: controls, and the line and paragraph separators. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** Of what RFC 5322 §2.2 allows in field names, what is no syntax anywhere. */
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,76}$/;

const TOKEN = "[\\w!#$&^.+'*`|~%-]+";
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?: ?; ?${TOKEN}=(?:${TOKEN}|"[^"\\\\]*"))*$`);

/** Names that have a field of their own in the request, or that the service, the provider or the servers on the way set. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'to',
  'from',
  'subject',
  'reply-to',
  'cc',
  'bcc',
  'sender',
  'date',
  'message-id',
  'mime-version',
  'received',
  'return-path',
  'delivered-to',
  'authentication-results',
  'domainkey-signature',
  'x-mailgun-variables',
  'x-mailgun-recipient-variables',
]);
const OWN_PREFIXES = ['content-', 'resent-', 'dkim-', 'arc-', 'x-sg-', 'x-smtpapi'];

/**
 * The content of a send, checked whole: addresses, and everything that becomes part of a header, so that no value can add a header or a
 * recipient of its own.
 */
export function emailContent(dto: SendEmailDto): { content: EmailContent; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const report: Report = (field, code, message) => errors.push({ field, code, message: `${field} ${message}` });
  const content: EmailContent = {
    to: addressList(dto.to, 'to', report),
    subject: dto.subject,
    ...(dto.text !== undefined && { text: dto.text }),
    ...(dto.html !== undefined && { html: dto.html }),
    ...(dto.template_id !== undefined && { template_id: dto.template_id }),
    ...(dto.template_data !== undefined && { template_data: dto.template_data }),
    ...(dto.from !== undefined && { from: addressOf(dto.from, 'from', report) }),
    ...(dto.reply_to !== undefined && { reply_to: addressOf(dto.reply_to, 'reply_to', report) }),
    ...(dto.cc !== undefined && { cc: addressList(dto.cc, 'cc', report) }),
    ...(dto.bcc !== undefined && { bcc: addressList(dto.bcc, 'bcc', report) }),
    ...(dto.headers !== undefined && { headers: dto.headers }),
    ...(dto.attachments !== undefined && { attachments: dto.attachments.map((one) => ({ ...one })) }),
    ...(dto.tracking !== undefined && { tracking: { ...dto.tracking } }),
  };
  checkBody(dto, report);
  checkHeaders(dto, report);
  dto.attachments?.forEach((attachment, index) => checkAttachment(attachment, `attachments[${index}]`, report));
  checkRecipients(content, report);
  return { content, errors };
}

type Report = (field: string, code: string, message: string) => void;

function addressList(value: unknown, field: string, report: Report): EmailAddress[] {
  if (!Array.isArray(value)) return [addressOf(value, field, report)];
  if (value.length === 0) report(field, 'too_few', 'must have at least 1 recipient');
  if (value.length > MAX_LIST) {
    report(field, 'too_many', `must have at most ${MAX_LIST} recipients`);
    return [];
  }
  return value.map((item: unknown, index) => addressOf(item, `${field}[${index}]`, report));
}

function addressOf(value: unknown, field: string, report: Report): EmailAddress {
  if (typeof value === 'string') return { email: checkedAddress(value, field, report) };
  if (!isPlainObject(value)) {
    report(field, 'invalid_type', 'must be an address or an object with email and name');
    return { email: '' };
  }
  for (const key of Object.keys(value)) {
    if (key !== 'email' && key !== 'name')
      report(`${field}.${key.slice(0, 64)}`, 'unknown_field', 'is not a known field');
  }
  const { email, name } = value as { email?: unknown; name?: unknown };
  if (email === undefined || email === null) report(`${field}.email`, 'required', 'is required');
  else if (typeof email !== 'string') report(`${field}.email`, 'invalid_type', 'must be a string');
  else checkedAddress(email, `${field}.email`, report);
  const address = { email: typeof email === 'string' ? email : '' };
  if (name === undefined || name === null || name === '') return address;
  if (typeof name !== 'string') report(`${field}.name`, 'invalid_type', 'must be a string');
  else if (CONTROL.test(name))
    report(`${field}.name`, 'invalid_characters', 'must not hold line breaks or control characters');
  else if (name.length > MAX_NAME) report(`${field}.name`, 'too_long', `must have at most ${MAX_NAME} characters`);
  else return { ...address, name };
  return address;
}

function checkedAddress(email: string, field: string, report: Report): string {
  if (!isEmailAddress(email)) report(field, 'invalid_email', 'must be an email address such as jane@example.com');
  return email;
}

function checkBody(dto: SendEmailDto, report: Report): void {
  if (CONTROL.test(dto.subject)) {
    report('subject', 'invalid_characters', 'must not hold line breaks or control characters');
  } else if (dto.subject.trim() === '') report('subject', 'required', 'must not be blank');
  if (dto.template_id !== undefined) {
    if (CONTROL.test(dto.template_id)) report('template_id', 'invalid_characters', 'must not hold control characters');
    for (const { field, code, message } of bodyBesideTemplate(dto))
      report(field, code, message.slice(field.length + 1));
    return;
  }
  if (dto.template_data !== undefined) report('template_data', 'not_allowed', 'needs a template_id');
  if (dto.text === undefined && dto.html === undefined) {
    report('text', 'required', 'is required where there is neither HTML nor a template');
  }
}

/** A template is all of a mail's body. */
export function bodyBesideTemplate(dto: SendEmailDto): FieldError[] {
  const beside = (['text', 'html'] as const).filter((field) => dto[field] !== undefined);
  if (beside.length === 0) return [];
  const message = `template_id must not be given together with ${beside.join(' and ')}`;
  return [{ field: 'template_id', code: 'not_allowed', message }];
}

function checkHeaders({ headers = {}, tracking }: SendEmailDto, report: Report): void {
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) return report('headers', 'too_many', `must have at most ${MAX_HEADERS} members`);
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    const field = `headers.${name.slice(0, 76)}`;
    const lower = name.toLowerCase();
    if (!HEADER_NAME.test(name)) {
      // The name itself may be what is wrong, so it is not repeated.
      report('headers', 'invalid_key', 'must have names of 1 to 76 ASCII letters, digits and hyphens');
    } else if (OWN_HEADERS.has(lower) || OWN_PREFIXES.some((prefix) => lower.startsWith(prefix))) {
      report(field, 'not_allowed', 'is set by the service');
    } else if (seen.has(lower)) report(field, 'duplicate', 'is given twice');
    else if (tracking?.unsubscribe === true && /^list-unsubscribe(-post)?$/.test(lower)) {
      report(field, 'not_allowed', 'is set by the service when tracking.unsubscribe is on');
    } else if (typeof value !== 'string') report(field, 'invalid_type', 'must be a string');
    else if (CONTROL.test(value))
      report(field, 'invalid_characters', 'must not hold line breaks or control characters');
    else if (value.trim() === '') report(field, 'empty', 'must not be blank');
    else if (value.length > MAX_HEADER_VALUE)
      report(field, 'too_long', `must have at most ${MAX_HEADER_VALUE} characters`);
    seen.add(lower);
  }
}

function checkAttachment(
  attachment: { filename: string; content_type: string; content: string },
  field: string,
  report: Report,
): void {
  const { filename, content_type: type, content } = attachment;
  if (CONTROL.test(filename)) {
    report(`${field}.filename`, 'invalid_characters', 'must not hold line breaks or control characters');
  } else if (/[/\\]/.test(filename)) report(`${field}.filename`, 'invalid_characters', 'must not hold a path');
  if (CONTROL.test(type) || !MEDIA_TYPE.test(type) || /^multipart\//i.test(type)) {
    report(`${field}.content_type`, 'invalid_value', 'must be a media type such as application/pdf');
  }
  if (!isBase64(content)) {
    report(`${field}.content`, 'invalid_base64', 'must be base64 with padding, on one line');
  }
}

/** A search for what does not belong: a pattern of the whole text would keep a place to go back to for each of its millions of characters. */
function isBase64(text: string): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.slice(0, text.length - padding);
  return text.length % 4 === 0 && digits !== '' && !/[^A-Za-z0-9+/]/.test(digits);
}

function checkRecipients({ to, cc = [], bcc = [] }: EmailContent, report: Report): void {
  const lists = { to, cc, bcc };
  const total = to.length + cc.length + bcc.length;
  if (total > MAX_RECIPIENTS) {
    const last = bcc.length > 0 ? 'bcc' : 'cc';
    report(last, 'too_many', `must have at most ${MAX_RECIPIENTS} recipients together with the other lists`);
    return;
  }
  const seen = new Set<string>();
  for (const [field, list] of Object.entries(lists)) {
    list.forEach(({ email }, index) => {
      if (email === '') return;
      const key = emailKey(email);
      // Providers refuse the whole mail for it, and servers would deliver it twice.
      if (seen.has(key)) report(`${field}[${index}]`, 'duplicate', 'is a recipient already');
      seen.add(key);
    });
  }
}
