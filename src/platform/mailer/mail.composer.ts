import MailComposer from 'nodemailer/lib/mail-composer';
import { isAscii, type SmtpMail } from '../smtp/smtp-mail';
import type { Mail } from './mail';

/**
 * The mail as it goes to the server. Header values are encoded and folded by nodemailer, so none of them can begin another header; files and URLs are
 * never read.
 * @param date milliseconds since the epoch
 */
export async function composeMail(mail: Mail, date: number): Promise<SmtpMail> {
  const bytes = await new MailComposer({
    from: { address: mail.from.email, name: mail.from.name ?? '' },
    to: { address: mail.to, name: '' },
    subject: oneLine(mail.subject),
    text: lines(mail.text),
    ...(mail.html !== undefined && { html: lines(mail.html) }),
    attachments: (mail.attachments ?? []).map(({ filename, contentType, content }) => ({
      filename: oneLine(filename),
      contentType,
      contentDisposition: 'attachment' as const,
      content: typeof content === 'string' ? Buffer.from(content) : content,
    })),
    headers: Object.entries({ 'Auto-Submitted': 'auto-generated', ...mail.headers }).map(([key, value]) => ({
      key,
      value: oneLine(value),
    })),
    messageId: `<${mail.messageId}>`,
    date: new Date(date),
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
    .compile()
    .build();
  return {
    envelope: { from: mail.from.email, to: [mail.to] },
    bytes,
    needsSmtpUtf8: !isAscii(mail.from.email) || !isAscii(mail.to),
  };
}

function lines(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\r\n');
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, ' ');
}
