import type { Channel } from '../../kernel/channel';
import type { InboundMessage } from '../../messaging/inbound/inbound.types';

const KINDS: Readonly<Record<Channel, string>> = {
  sms: 'SMS',
  whatsapp: 'WhatsApp message',
  telegram: 'Telegram message',
  email: 'Email',
  push: 'Message',
};

/** What a person reads. */
export interface InboundMail {
  subject: string;
  text: string;
  html: string;
}

/**
 * An inbound message as a mail. What others wrote stands in the text as it is, and in HTML escaped: it can begin neither a line of the head nor an
 * element.
 */
export function inboundMail({ channel, sender, recipient, text, occurredAt }: InboundMessage): InboundMail {
  const from = oneLine(sender);
  const to = oneLine(recipient);
  const at = `${new Date(occurredAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const rows = [
    ['From', from],
    ['To', to],
    ['Date/Time', at],
  ] as const;
  return {
    subject: `${KINDS[channel]} from ${from} to ${to}`,
    text: `${rows.map(([name, value]) => `${name}: ${value}\n`).join('')}Body:\n\n${text}\n`,
    html: `<!doctype html>
<html><head><meta charset="utf-8"></head><body>
<table cellpadding="4" style="font-family:sans-serif;font-size:14px;text-align:left">
${rows.map(([name, value]) => `<tr><th>${name}</th><td dir="auto">${escaped(value)}</td></tr>\n`).join('')}<tr><th valign="top">Body</th><td dir="auto" style="white-space:pre-wrap">${escaped(text).replace(/\r\n|\r|\n/g, '<br>')}</td></tr>
</table>
</body></html>
`,
  };
}

function oneLine(text: string): string {
  // Line breaks of Unicode too.
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  // HTML has no control characters but the blank ones.
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]!).replace(/[^\P{Cc}\t\n\r]/gu, '\ufffd');
}
