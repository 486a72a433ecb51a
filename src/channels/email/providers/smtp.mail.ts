// nodemailer builds headers and structure, but its stream of the result costs more than all the rest of a send: parts are put together here.
import { randomBytes } from 'node:crypto';
import { domainToASCII } from 'node:url';
import * as base64 from 'nodemailer/lib/base64';
import MailComposer from 'nodemailer/lib/mail-composer';
import { foldLines, hasLongerLines, isPlainText } from 'nodemailer/lib/mime-funcs';
import MimeNode from 'nodemailer/lib/mime-node';
import * as quotedPrintable from 'nodemailer/lib/qp';
import type { EmailAddress, EmailContent } from '../../../gateway/contracts/gateway';
import { isAscii, type SmtpMail } from '../../../platform/smtp/smtp-mail';

/** With its Message-ID, in angle brackets. */
export interface ComposedMail extends SmtpMail {
  messageId: string;
}

export interface MailParts {
  /** Our id. The Message-ID is made from it, so that it is the same at every try. */
  id: string;
  content: EmailContent;
  from: EmailAddress;
  replyTo?: EmailAddress;
  /** Header fields of the service's own, names in their usual form. */
  headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  date: number;
}

/** Builds the mail and its envelope. Bcc recipients are in the envelope only. */
export function composeMail(parts: MailParts): ComposedMail {
  const { content, from, replyTo } = parts;
  const messageId = messageIdOf(parts.id, from.email);
  const recipients = [...content.to, ...(content.cc ?? []), ...(content.bcc ?? [])].map(({ email }) => onWire(email));
  const envelope = { from: onWire(from.email), to: recipients.length > 1 ? [...new Set(recipients)] : recipients };
  const local = replyTo?.email.slice(0, replyTo.email.lastIndexOf('@')) ?? '';
  return {
    envelope,
    messageId,
    bytes: content.attachments || content.headers ? compose(parts, messageId) : write(parts, messageId),
    needsSmtpUtf8: ![envelope.from, ...envelope.to, local].every(isAscii),
  };
}

/** `<our id@the sender's domain>`. */
export function messageIdOf(id: string, sender: string): string {
  return `<${id}@${asciiDomain(sender.slice(sender.lastIndexOf('@') + 1)) || 'localhost'}>`;
}

/** A domain in another script is written in ASCII as long as the local part is, so that it needs no SMTPUTF8. */
export function onWire(address: string): string {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  return isAscii(local) ? `${local}@${asciiDomain(address.slice(at + 1))}` : address;
}

function asciiDomain(domain: string): string {
  return isAscii(domain) ? domain : domainToASCII(domain);
}

const BOUNDARY = randomBytes(5).toString('hex');
let boundaries = 0;

/** Not to be guessed from outside, and another one for each mail. */
function nextBoundary(): string {
  boundaries = (boundaries + 1) % 0x1000000;
  return BOUNDARY + boundaries.toString(16).padStart(6, '0');
}

/** Any mail, by nodemailer's composer. */
function compose(parts: MailParts, messageId: string): Buffer {
  const { content, from, replyTo } = parts;
  const node = new MailComposer({
    from: addressOf(from),
    to: content.to.map(addressOf),
    cc: (content.cc ?? []).map(addressOf),
    ...(replyTo && { replyTo: addressOf(replyTo) }),
    subject: content.subject,
    ...(content.text !== undefined && { text: content.text }),
    ...(content.html !== undefined && { html: content.html }),
    attachments: (content.attachments ?? []).map((attachment) => ({
      filename: attachment.filename,
      contentType: attachment.content_type,
      contentDisposition: 'attachment' as const,
      content: Buffer.from(attachment.content, 'base64'),
    })),
    headers: Object.entries({ ...content.headers, ...parts.headers }).map(([key, value]) => ({ key, value })),
    messageId,
    date: new Date(parts.date),
    baseBoundary: nextBoundary(),
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  const chunks: Array<string | Buffer> = [];
  render(node, chunks);
  if (!chunks.at(-1)!.toString().endsWith('\n')) chunks.push('\r\n');
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)));
}

function addressOf({ email, name }: EmailAddress): { address: string; name: string } {
  return { address: email, name: name ?? '' };
}

function render(node: MimeNode, chunks: Array<string | Buffer>): void {
  chunks.push(`${node.buildHeaders()}\r\n\r\n`);
  const content = node.content as string | Buffer | undefined;
  if (content !== undefined && content.length > 0) chunks.push(encoded(content, node.getTransferEncoding()));
  if (!node.multipart) return;
  node.childNodes.forEach((child, index) => {
    chunks.push(`${index > 0 ? '\r\n' : ''}--${node.boundary}\r\n`);
    render(child, chunks);
  });
  chunks.push(`\r\n--${node.boundary}--\r\n`);
}

function encoded<T extends string | Buffer>(content: T, encoding: string | false): T | string {
  if (encoding === 'base64') return base64.wrap(base64.encode(content));
  // A line break in the text is one on the wire; in base64 it is data.
  const text = typeof content === 'string' ? content.replace(/\r\n|\r|\n/g, '\r\n') : content;
  return encoding === 'quoted-printable' ? quotedPrintable.wrap(quotedPrintable.encode(text)) : (text as T);
}

/** Text, HTML or both without attachments and headers of the tenant's own, which is most mail: the same bytes for a quarter of the work. */
function write({ content, from, replyTo, headers, date }: MailParts, messageId: string): Buffer {
  let head = '';
  for (const name in headers) head += field(name, headers[name]!);
  head += addressField('From', [from]) + addressField('To', content.to);
  if (content.cc && content.cc.length > 0) head += addressField('Cc', content.cc);
  if (replyTo) head += addressField('Reply-To', [replyTo]);
  head += field('Subject', content.subject) + field('Message-ID', messageId);
  head += `Date: ${new Date(date).toUTCString().replace('GMT', '+0000')}\r\n`;
  const texts: Array<[type: string, content: string]> = [];
  if (content.text) texts.push(['text/plain', content.text]);
  if (content.html) texts.push(['text/html', content.html]);
  if (texts.length < 2) return Buffer.from(head + onlyPart(texts[0] ?? ['text/plain', '']));
  const boundary = `--_NmP-${nextBoundary()}-Part_1`;
  let mail = `${head}MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="${boundary}"\r\n\r\n`;
  for (const [index, [type, text]] of texts.entries()) {
    const encoding = encodingOf(type, text);
    mail += `${index > 0 ? '\r\n' : ''}--${boundary}\r\nContent-Type: ${type}; charset=utf-8\r\n`;
    mail += `Content-Transfer-Encoding: ${encoding}\r\n\r\n${encoded(text, encoding)}`;
  }
  return Buffer.from(`${mail}\r\n--${boundary}--\r\n`);
}

function onlyPart([type, text]: [string, string]): string {
  const end = `MIME-Version: 1.0\r\nContent-Type: ${type}; charset=utf-8\r\n\r\n`;
  if (text === '') return `${end}\r\n`;
  const encoding = encodingOf(type, text);
  const body = encoded(text, encoding);
  return `Content-Transfer-Encoding: ${encoding}\r\n${end}${body}${body.endsWith('\n') ? '' : '\r\n'}`;
}

function encodingOf(type: string, text: string): string {
  if (isPlainText(text) && !hasLongerLines(text, 76)) return '7bit';
  return new MimeNode(type).setContent(text).getTransferEncoding() || '7bit';
}

/** Knows how values are written; holds none. */
const WRITER = new MimeNode(false);
/** Needs no coding, and does not look as if it were coded. */
const SIMPLE_VALUE = /^(?!.*=\?)[\x20-\x7e]+$/;
const SIMPLE_ADDRESS = /^[\w.+-]+@[a-z0-9.-]+$/;

function field(name: string, value: string): string {
  const line = `${name}: ${value}`;
  if (line.length <= 76 && SIMPLE_VALUE.test(value)) return value.trim() === '' ? '' : `${line}\r\n`;
  return folded(name, WRITER.encodeHeaderValue(name, value));
}

function addressField(name: string, addresses: readonly EmailAddress[]): string {
  const [only] = addresses;
  if (addresses.length === 1 && SIMPLE_ADDRESS.test(only!.email) && /^[\w ]{0,20}$/.test(only!.name ?? '')) {
    const line = `${name}: ${only!.name ? `${only!.name} <${only!.email}>` : only!.email}`;
    if (line.length <= 76) return `${line}\r\n`;
  }
  return folded(name, WRITER.encodeHeaderValue(name, addresses.map(addressOf)));
}

function folded(name: string, value: string): string {
  return value.trim() === '' ? '' : `${foldLines(`${name}: ${value}`, 76)}\r\n`;
}
