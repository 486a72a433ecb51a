import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type {
  ProviderSimulator,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedSubmission,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { decodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import { callbackOrigin, cutText, inboundUrl, replyTo } from '../../../gateway/contracts/simulated-callback';
import { vonageMethod, vonageSig, type VonageSignatureMethod } from './vonage.signature';

/** Every parameter of "send an SMS" in Vonage's API description; another one is a caller's mistake. */
const KNOWN_PARAMETERS = new Set(
  (
    'api_key api_secret sig timestamp from to text ttl status-report-req callback message-class type vcard vcal body udh protocol-id title ' +
    'url validity client-ref account-ref entity-id content-id'
  ).split(' '),
);

const PRICE = '0.03330000';

interface Caller {
  key: string;
  secret: string;
  /** Default: `sha256`. */
  method?: VonageSignatureMethod;
}

/**
 * Behaves as Vonage's SMS API does. A request does not show the account's signature secret, so callbacks are signed with the API secret: a config
 * with the API secret as its signature secret gets valid ones.
 */
export const vonageSimulator: ProviderSimulator = {
  account() {
    const secret = randomBytes(8).toString('hex');
    return {
      // The stand-in sees only the API secret, so it signs with that.
      credentials: {
        api_key: randomBytes(4).toString('hex'),
        api_secret: secret,
        signature_secret: secret,
        signature_method: 'sha256',
      },
      from: 'UniMsg',
    };
  },

  handle(request, port) {
    if (request.method === 'POST' && request.path === '/sms/json') return submit(request, port);
    if (request.method === 'GET' && request.path === '/account/get-balance') {
      const fields = Object.fromEntries(request.query);
      if (callerOf(request, fields) === null)
        return json(401, { 'error-code': '401', 'error-code-label': 'authentication failed' });
      return json(200, { value: 100, autoReload: false });
    }
    if (request.method === 'GET' && request.path === '/v2/reports/records') return report(request, port);
    return json(404, { type: 'about:blank', title: 'Not Found', detail: 'There is no such resource' });
  },

  inboundParts: true,
  inbound({ from, to, text, parts }, { credentials, callbackUrl }, port) {
    const { api_key: key = '', api_secret = '', signature_secret: secret = api_secret, signature_method } = credentials;
    const method = vonageMethod(signature_method ?? '') ?? 'sha256';
    const reference = String(randomInt(1, 256));
    const texts = cutText(text, parts);
    return texts.map((part, index) =>
      inboundCallback(callbackUrl('inbound'), { from, to, text: part }, { key, secret, method }, port.now(), {
        ...(texts.length > 1 && {
          concat: 'true',
          'concat-ref': reference,
          'concat-total': String(texts.length),
          'concat-part': String(index + 1),
        }),
      }),
    );
  },
};

/** Credentials among the parameters, or Basic. */
function callerOf(request: SimulatorRequest, fields: Readonly<Record<string, string | undefined>>): Caller | null {
  let { api_key: key, api_secret: secret } = fields;
  const header = request.headers.authorization;
  if (key === undefined && typeof header === 'string' && header.startsWith('Basic ')) {
    [key, secret] = Buffer.from(header.slice(6), 'base64').toString('utf8').split(':', 2);
  }
  return !key || !secret || secret.startsWith(REFUSED_SECRET_PREFIX) ? null : { key, secret };
}

function submit(request: SimulatorRequest, port: SimulatorPort) {
  const fields = fieldsOf(request);
  const caller = callerOf(request, fields);
  if (caller === null) return refusal('4', 'Bad Credentials');
  for (const name in fields) if (!KNOWN_PARAMETERS.has(name)) return refusal('3', `Invalid value for param: ${name}`);
  const { to, from, text, type = 'text', ttl, callback } = fields;
  if (!to) return refusal('2', 'Missing to param');
  if (!from) return refusal('2', 'Missing from param');
  if (!text) return refusal('2', 'Missing text param');
  if (!/^\d{7,15}$/.test(to)) return refusal('3', 'Invalid value for param: to');
  if (type !== 'text' && type !== 'unicode') return refusal('3', 'Invalid value for param: type');
  if (text.length > 3200) return refusal('12', 'Message Too Long');
  if (ttl !== undefined && !(Number(ttl) >= 20_000 && Number(ttl) <= 604_800_000))
    return refusal('3', 'Invalid value for param: ttl');
  if (callback !== undefined && callbackOrigin(callback) === null) return refusal('23', 'Invalid Callback Url');
  const reference = fields['client-ref'] ?? null;
  if (reference !== null && reference.length > 40) return refusal('3', 'Invalid value for param: client-ref');
  // Characters outside GSM are lost with type=text, so that a test sees when a sender forgets to say unicode.
  const body =
    type === 'text' ? text.replaceAll(/./gsu, (char) => (measureSms(char).encoding === 'gsm7' ? char : '?')) : text;
  const ids = Array.from({ length: measureSms(body).segments }, () => randomBytes(8).toString('hex').toUpperCase());
  const submission: SimulatedSubmission = {
    provider: 'vonage',
    externalId: ids[0]!,
    to: `+${to}`,
    from,
    body,
    reference,
  };
  return port.play({
    submission,
    accepted: () => {
      const common = { to, status: '0', 'remaining-balance': '100.00000000', 'message-price': PRICE, network: '12345' };
      const messages = ids.map((id) => ({
        ...common,
        'message-id': id,
        ...(reference !== null && { 'client-ref': reference }),
      }));
      return json(200, { 'message-count': String(ids.length), messages });
    },
    refused: (why) => REFUSALS[why](),
    callbacks(event) {
      if (callback === undefined) return [];
      if (event === 'inbound') {
        const reply = { from: submission.to, to: from, text: replyTo(body) };
        return [inboundCallback(inboundUrl(callback), reply, caller, port.now())];
      }
      if (!isReported(event)) return [];
      return ids.map((id) => receipt(event, id, callback, submission, caller, port.now()));
    },
  });
}

const REFUSALS = {
  invalid_recipient: () => refusal('6', 'Invalid Message'),
  throttled: () => refusal('1', 'Throughput Rate Exceeded - please wait [ 2000 ] and retry', { 'retry-after': '2' }),
  server_error: () => json(500, { type: 'about:blank', title: 'Internal Server Error' }),
};

/** A form, or JSON as the official SDKs send it. */
function fieldsOf(request: SimulatorRequest): Record<string, string | undefined> {
  if (!String(request.headers['content-type']).startsWith('application/json')) {
    return Object.fromEntries(decodeForm(request.body.toString('utf8')));
  }
  return Object.fromEntries(
    Object.entries(jsonObject(request.body) ?? {}).map(([name, value]) => [name, textOf(value)]),
  );
}

const WORDS = { sent: 'buffered', delivered: 'delivered', undelivered: 'failed' } as const;

function isReported(event: SimulatedEvent): event is keyof typeof WORDS {
  return event in WORDS;
}

/** A delivery receipt; Vonage makes one a part. */
function receipt(
  event: keyof typeof WORDS,
  messageId: string,
  target: string,
  message: SimulatedSubmission,
  caller: Caller,
  now: number,
): SimulatedCallback {
  const word = WORDS[event];
  return signed(target, word, caller, now, {
    msisdn: message.to.slice(1),
    to: message.from ?? '',
    'network-code': '12345',
    messageId,
    price: PRICE,
    status: word,
    scts: new Date(now).toISOString().slice(2, 16).replaceAll(/[-T:]/g, ''),
    'err-code': event === 'undelivered' ? '12' : '0',
    ...(message.reference !== null && { 'client-ref': message.reference }),
  });
}

function inboundCallback(
  url: string,
  { from, to, text }: { from: string; to: string; text: string },
  caller: Caller,
  now: number,
  more: Record<string, string> = {},
): SimulatedCallback {
  return signed(url, 'text', caller, now, {
    msisdn: from.replace(/^\+/, ''),
    to: to.replace(/^\+/, ''),
    messageId: randomBytes(8).toString('hex').toUpperCase(),
    text,
    // Quirk: a text outside the GSM alphabet is of type `unicode` (developer.vonage.com/en/messaging/sms/guides/inbound-sms, 2026-11).
    type: measureSms(text).encoding === 'gsm7' ? 'text' : 'unicode',
    keyword: (text.trim().split(/\s/)[0] ?? '').toUpperCase(),
    ...more,
  });
}

function signed(
  url: string,
  word: string,
  caller: Caller,
  now: number,
  own: Record<string, string>,
): SimulatedCallback {
  const fields: Record<string, string> = {
    ...own,
    'api-key': caller.key,
    'message-timestamp': new Date(now).toISOString().slice(0, 19).replace('T', ' '),
    timestamp: String(Math.floor(now / 1000)),
    nonce: randomUUID(),
  };
  return {
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'Nexmo/MessagingHUB/v1.0' },
    body: JSON.stringify({
      ...fields,
      sig: vonageSig(caller.method ?? 'sha256', caller.secret, Object.entries(fields)),
    }),
    word,
  };
}

function report(request: SimulatorRequest, port: SimulatorPort): SimulatorAnswer {
  const caller = callerOf(request, {});
  if (caller === null || request.query.get('account_id') !== caller.key) {
    return json(401, {
      type: 'about:blank',
      title: 'Unauthorized',
      detail: 'You did not provide correct credentials.',
    });
  }
  const records: Array<Record<string, unknown>> = [];
  const missing: string[] = [];
  for (const id of (request.query.get('id') ?? '').split(',')) {
    const message = port.find('vonage', id);
    if (message === undefined || !message.accepted) {
      missing.push(id);
      continue;
    }
    const bad = message.behaviour === 'undelivered';
    records.push({
      account_id: caller.key,
      message_id: id,
      client_ref: message.reference,
      direction: 'outbound',
      from: message.from,
      to: message.to.slice(1),
      status: bad ? 'failed' : 'delivered',
      error_code: bad ? '12' : '0',
      date_received: new Date(message.receivedAt).toISOString(),
    });
  }
  return json(200, { records, ...(missing.length > 0 && { ids_not_found: missing.join(',') }) });
}

function refusal(status: string, text: string, headers?: Record<string, string>): SimulatorAnswer {
  return json(200, { 'message-count': '1', messages: [{ status, 'error-text': text }] }, headers);
}

function json(status: number, body: unknown, headers?: Record<string, string>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
