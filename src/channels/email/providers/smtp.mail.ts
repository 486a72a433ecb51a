// nodemailer builds headers and structure. Its stream of the result costs more than all the rest of a send, so the parts are put together here.
import { domainToASCII } from 'node:url';
import MailComposer from 'nodemailer/lib/mail-composer';
import type MimeNode from 'nodemailer/lib/mime-node';
import * as base64 from 'nodemailer/lib/base64';
import * as quotedPrintable from 'nodemailer/lib/qp';
import type { EmailAddress, EmailContent } from '../../../gateway/contracts/gateway';

/** What goes to the server. */
export interface ComposedMail {
  /** Addresses as they go over the wire. */
  envelope: { from: string; to: string[] };
  /** With angle brackets. */
  messageId: string;
  /** The mail, lines ending in CR LF, without dot-stuffing. */
  bytes: Buffer;
  /** Whether an address of the envelope or a header needs SMTPUTF8. */
  needsSmtpUtf8: boolean;
}

export interface MailParts {
  /** Our id. The Message-ID is made from it, so that it is the same at every try. */
  id: string;
  content: EmailContent;
  from: EmailAddress;
  replyTo?: EmailAddress;
  /** Header fields of the service's own. */
  headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  date: number;
}

/** Builds the mail and its envelope. Bcc recipients are in the envelope only. */
export function composeMail(parts: MailParts): ComposedMail {
  const { content, from, replyTo } = parts;
  const messageId = messageIdOf(parts.id, from.email);
  const node = new MailComposer({
    from: addressOf(from),
    to: content.to.map(addressOf),
    cc: (content.cc ?? []).map(addressOf),
    bcc: (content.bcc ?? []).map(addressOf),
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
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  const envelope = node.getEnvelope();
  const recipients = envelope.to;
  const sender = envelope.from || '';
  const bytes = render(node);
  const addresses = [sender, ...recipients, replyTo?.email.split('@')[0] ?? ''];
  return {
    envelope: { from: sender, to: recipients },
    messageId,
    bytes,
    needsSmtpUtf8: addresses.some((address) => !isAscii(address)),
  };
}

/** `<our id@the sender's domain>`. */
export function messageIdOf(id: string, sender: string): string {
  const domain = sender.slice(sender.lastIndexOf('@') + 1);
  return `<${id}@${domainToASCII(domain) || 'localhost'}>`;
}

export function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

function addressOf({ email, name }: EmailAddress): { address: string; name: string } {
  return { address: email, name: name ?? '' };
}

/** As nodemailer's own stream writes it (a spec compares them). */
function render(node: MimeNode): Buffer {
  const chunks: Array<string | Buffer> = [];
  write(node, chunks);
  const last = chunks.at(-1)!;
  if (!last.toString().endsWith('\n')) chunks.push('\r\n');
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === 'string' ? Buffer.from(chunk) : chunk)));
}

function write(node: MimeNode, chunks: Array<string | Buffer>): void {
  chunks.push(`${node.buildHeaders()}\r\n\r\n`);
  const content = node.content as string | Buffer | undefined;
  if (content !== undefined && content.length > 0) chunks.push(encoded(content, node.getTransferEncoding()));
  if (!node.multipart) return;
  node.childNodes.forEach((child, index) => {
    chunks.push(`${index > 0 ? '\r\n' : ''}--${node.boundary}\r\n`);
    write(child, chunks);
  });
  chunks.push(`\r\n--${node.boundary}--\r\n`);
}

function encoded(content: string | Buffer, encoding: string | false): string | Buffer {
  if (encoding === 'base64') return base64.wrap(base64.encode(content));
  // A line break in the text is one on the wire; in base64 it is data.
  const text = typeof content === 'string' ? content.replace(/\r\n|\r|\n/g, '\r\n') : content;
  return encoding === 'quoted-printable' ? quotedPrintable.wrap(quotedPrintable.encode(text)) : text;
}
