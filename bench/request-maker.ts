import { twilioSignature } from '../src/gateway/vendors/twilio/twilio.signature';
import { encodeForm } from '../src/kernel/form';
import type { RequestSource } from './load.types';

/** Makes the bytes of one request after the other. */
export interface RequestMaker {
  /** Undefined when there are no more. */
  next(): Buffer | undefined;
  /** The running number after the last request. */
  readonly number: number;
}

export function requestMaker(host: string, source: RequestSource): RequestMaker {
  if (source.kind === 'template') return new TemplateMaker(host, source);
  return new CallbackMaker(
    source.kind === 'twilio-status' ? statusCallbacks(host, source) : inboundCallbacks(host, source),
  );
}

/** One text with the running number put in; its length does not change, so only those digits are written. */
class TemplateMaker implements RequestMaker {
  number: number;
  private readonly text: Buffer;
  private readonly places: number[] = [];

  constructor(host: string, source: Extract<RequestSource, { kind: 'template' }>) {
    this.number = source.firstNumber;
    const body = source.body.replaceAll('{n}', '00000000');
    const headers = { Host: host, ...source.headers, 'Content-Length': String(Buffer.byteLength(body)) };
    const text = `${head(source.path, headers)}${source.body}`;
    let length = 0;
    for (const part of text.split('{n}')) {
      if (length > 0) this.places.push(length - 8);
      length += Buffer.byteLength(part) + 8;
    }
    this.text = Buffer.from(text.replaceAll('{n}', '00000000'));
  }

  next(): Buffer {
    const request = Buffer.from(this.text);
    let rest = this.number++;
    const digits = new Uint8Array(8);
    for (let i = 7; i >= 0; i--) {
      digits[i] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    for (const place of this.places) request.set(digits, place);
    return request;
  }
}

/** Signed before the measurement begins: the provider's own work is not what is measured. */
class CallbackMaker implements RequestMaker {
  number = 0;
  private readonly requests: readonly Buffer[];

  constructor(requests: Iterable<Buffer>) {
    this.requests = [...requests];
  }

  next(): Buffer | undefined {
    return this.requests[this.number++];
  }
}

function* statusCallbacks(host: string, source: Extract<RequestSource, { kind: 'twilio-status' }>): Generator<Buffer> {
  for (const [externalId, messageId] of source.messages) {
    yield signed(host, source, `${source.path}?message_id=${messageId}`, {
      ApiVersion: '2010-04-01',
      AccountSid: source.accountSid,
      MessageSid: externalId,
      SmsSid: externalId,
      MessageStatus: 'delivered',
      SmsStatus: 'delivered',
      To: '+393331234567',
      From: '+15005550006',
    });
  }
}

function* inboundCallbacks(
  host: string,
  source: Extract<RequestSource, { kind: 'twilio-inbound' }>,
): Generator<Buffer> {
  for (let n = source.firstNumber; n < source.firstNumber + source.count; n++) {
    const sid = `SM${n.toString(16).padStart(32, '0')}`;
    yield signed(host, source, source.path, {
      ApiVersion: '2010-04-01',
      AccountSid: source.accountSid,
      MessageSid: sid,
      SmsMessageSid: sid,
      SmsSid: sid,
      SmsStatus: 'received',
      NumMedia: '0',
      NumSegments: '1',
      To: source.numbers[n % source.numbers.length]!,
      From: `+39333${String(n % 10_000_000).padStart(7, '0')}`,
      FromCountry: 'IT',
      Body: `Is order ${n} on its way?`,
    });
  }
}

function signed(
  host: string,
  { publicUrl, authToken }: { publicUrl: string; authToken: string },
  path: string,
  fields: Record<string, string>,
): Buffer {
  const body = encodeForm(fields);
  const headers = {
    Host: host,
    'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8',
    'User-Agent': 'TwilioProxy/1.1',
    'X-Twilio-Signature': twilioSignature(authToken, `${publicUrl}${path}`, Object.entries(fields)),
    'Content-Length': String(Buffer.byteLength(body)),
  };
  return Buffer.from(head(path, headers) + body);
}

function head(path: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
