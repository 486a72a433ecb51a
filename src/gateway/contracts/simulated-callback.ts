import { measureSms } from '../../kernel/gsm';

/** The origin of a callback URL, or null when it is none. */
export function callbackOrigin(url: string): string | null {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.origin : null;
}

/**
 * Where an inbound message goes, read off a message's status callback URL: `/webhook/…/status/…` with `inbound` in place of `status`, without our
 * message id. Real accounts have it in their set-up; a stand-in has no set-up.
 */
export function inboundUrl(statusUrl: string): string {
  const url = new URL(statusUrl);
  url.pathname = url.pathname.replace(/\/status(?=\/|$)/, '/inbound');
  url.searchParams.delete('message_id');
  return url.toString();
}

/** Longest text of one message, and of one part of several, by the alphabet: GSM or UCS-2. */
const ROOM = { gsm7: { single: 160, part: 134 }, ucs2: { single: 70, part: 67 } };

/** The text in parts as phones cut it, or in more; no surrogate pair is split. */
export function cutText(text: string, atLeast: number, encoding = measureSms(text).encoding): string[] {
  const room = ROOM[encoding];
  if (atLeast <= 1 && text.length <= room.single) return [text];
  const size = Math.max(2, Math.min(room.part, Math.ceil(text.length / Math.max(1, atLeast))));
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + size, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end--;
    parts.push(text.slice(at, end));
    at = end;
  }
  return parts;
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

/** What a person answers to a message. */
export function replyTo(body: string): string {
  return `Re: ${body}`.slice(0, 160);
}
