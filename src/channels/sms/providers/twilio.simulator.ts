import { randomBytes } from 'node:crypto';
import type {
  ProviderSimulator,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedMessage,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { decodeForm, encodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import { callbackOrigin, inboundUrl } from './simulated-callback';
import { twilioSignature } from './twilio.signature';

/** Every parameter of "create a message" in Twilio's API description; another one is a caller's mistake. */
const KNOWN_PARAMETERS = new Set(
  (
    'To StatusCallback ApplicationSid MaxPrice ProvideFeedback Attempt ValidityPeriod ForceDelivery ContentRetention AddressRetention ' +
    'SmartEncoded PersistentAction TrafficType ShortenUrls ScheduleType SendAt SendAsMms ContentVariables RiskCheck From FallbackFrom ' +
    'MessagingServiceSid Body MediaUrl ContentSid'
  ).split(' '),
);

/** The number that a simulated Messaging Service sends from and is answered at. */
const POOL_NUMBER = '+15005550100';

const PATH =
  /^\/2010-04-01\/Accounts\/(AC[0-9a-fA-F]{32})(\.json|\/Balance\.json|\/Messages\.json|\/Messages\/([A-Za-z0-9]+)\.json)$/;

interface Caller {
  account: string;
  token: string;
}

/** Behaves as Twilio's message API does; signs callbacks with the auth token of the request that asked for them. */
export const twilioSimulator: ProviderSimulator = {
  handle(request, port) {
    const path = PATH.exec(request.path);
    if (path === null) return failure(404, 20404, `The requested resource ${request.path} was not found`);
    const caller = callerOf(request);
    if (caller === null || caller.account !== path[1]) return failure(401, 20003, 'Authenticate');
    const resource = path[2]!;
    if (request.method === 'POST' && resource === '/Messages.json') return create(request, caller, port);
    if (request.method !== 'GET') return failure(405, 20004, 'Method not allowed');
    if (resource === '.json') {
      return json(200, { sid: caller.account, friendly_name: 'Simulated account', status: 'active', type: 'Full' });
    }
    if (resource === '/Balance.json')
      return json(200, { account_sid: caller.account, balance: '100.00', currency: 'USD' });
    if (resource === '/Messages.json') return list(request, caller, port);
    const message = port.find('twilio', path[3]!);
    if (message === undefined || !message.accepted)
      return failure(404, 20404, `The requested resource ${request.path} was not found`);
    return json(200, resourceOf(message, caller.account));
  },
};

function callerOf(request: SimulatorRequest): Caller | null {
  const header = request.headers.authorization;
  if (typeof header !== 'string' || !header.startsWith('Basic ')) return null;
  const text = Buffer.from(header.slice(6), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const token = text.slice(colon + 1);
  return colon < 0 || token === '' || token.startsWith(REFUSED_SECRET_PREFIX)
    ? null
    : { account: text.slice(0, colon), token };
}

function create(request: SimulatorRequest, caller: Caller, port: SimulatorPort) {
  const contentType = request.headers['content-type'];
  if (typeof contentType !== 'string' || !contentType.startsWith('application/x-www-form-urlencoded')) {
    return failure(415, 20415, 'Content type is not supported');
  }
  const fields: Record<string, string | undefined> = Object.fromEntries(decodeForm(request.body.toString('utf8')));
  for (const name in fields) if (!KNOWN_PARAMETERS.has(name)) return failure(400, 20001, `Unknown parameter ${name}`);
  const { To, From, MessagingServiceSid, Body, StatusCallback, ValidityPeriod } = fields;
  if (!To) return failure(400, 21604, "A 'To' phone number is required.");
  if (!/^\+[1-9]\d{6,14}$/.test(To)) return failure(400, 21211, `Invalid 'To' Phone Number: ${To}`);
  if (!From && !MessagingServiceSid) return failure(400, 21603, "A 'From' phone number is required.");
  if (!Body) return failure(400, 21602, 'Message body is required.');
  if (Body.length > 1600) return failure(400, 21617, 'The concatenated message body exceeds the 1600 character limit.');
  if (StatusCallback && callbackOrigin(StatusCallback) === null)
    return failure(400, 21609, 'Invalid StatusCallback URL.');
  if (ValidityPeriod !== undefined && !(Number(ValidityPeriod) >= 1 && Number(ValidityPeriod) <= 36_000)) {
    return failure(400, 21624, 'Invalid ValidityPeriod.');
  }
  const sid = `SM${randomBytes(16).toString('hex')}`;
  const target = StatusCallback ? StatusCallback.replace(/#.*$/s, '') : undefined;
  const submission = {
    provider: 'twilio',
    externalId: sid,
    to: To,
    from: From ?? MessagingServiceSid ?? null,
    body: Body,
    reference: target === undefined ? null : (new URL(target).searchParams.get('message_id') ?? null),
  };
  return port.play({
    submission,
    accepted: () => {
      const behaviour = 'delivered' as const;
      const message = { ...submission, behaviour, accepted: true, receivedAt: port.now(), callbacks: [] };
      return json(201, {
        ...resourceOf(message, caller.account),
        status: MessagingServiceSid ? 'accepted' : 'queued',
        price: null,
      });
    },
    refused: (why) => REFUSALS[why](To),
    callbacks: (event) =>
      target === undefined || !REPORTED.has(event) ? [] : [callbackFor(event, target, submission, caller)],
  });
}

const REPORTED: ReadonlySet<SimulatedEvent> = new Set(['sent', 'delivered', 'read', 'undelivered', 'inbound']);

const REFUSALS = {
  invalid_recipient: (to: string) => failure(400, 21211, `Invalid 'To' Phone Number: ${to}`),
  throttled: () => failure(429, 20429, 'Too Many Requests', { 'retry-after': '2' }),
  server_error: () => failure(500, 20500, 'An internal server error has occurred'),
};

function callbackFor(
  event: SimulatedEvent,
  target: string,
  submission: { externalId: string; to: string; from: string | null; body: string },
  caller: Caller,
): SimulatedCallback {
  const { externalId, to, from, body } = submission;
  const ids = { ApiVersion: '2010-04-01', AccountSid: caller.account };
  let url = target;
  let word: string = event;
  let fields: Record<string, string>;
  if (event === 'inbound') {
    const sid = `SM${randomBytes(16).toString('hex')}`;
    url = inboundUrl(target);
    word = 'received';
    const parties = {
      From: to,
      To: from?.startsWith('MG') ? POOL_NUMBER : (from ?? ''),
      Body: `Re: ${body}`.slice(0, 160),
      NumMedia: '0',
      NumSegments: '1',
    };
    fields = { ...ids, MessageSid: sid, SmsSid: sid, SmsMessageSid: sid, SmsStatus: 'received', ...parties };
  } else {
    const statuses = { MessageSid: externalId, SmsSid: externalId, MessageStatus: event, SmsStatus: event };
    fields = { ...ids, ...statuses, To: to, From: from ?? '', ...(event === 'undelivered' && { ErrorCode: '30003' }) };
  }
  return {
    url,
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
      'user-agent': 'TwilioProxy/1.1',
      'x-twilio-signature': twilioSignature(caller.token, url, Object.entries(fields)),
    },
    body: encodeForm(fields),
    word,
  };
}

function list(request: SimulatorRequest, caller: Caller, port: SimulatorPort): SimulatorAnswer {
  const to = request.query.get('To');
  const from = request.query.get('From');
  const after = Date.parse(request.query.get('DateSent>') ?? '1970-01-01');
  const size = Math.min(1000, Number(request.query.get('PageSize') ?? 50));
  const found = port
    .list('twilio')
    .filter(
      (message) => message.accepted && (to === null || message.to === to) && (from === null || message.from === from),
    )
    .filter((message) => message.receivedAt >= after)
    .slice(0, size);
  const messages = found.map((message) => resourceOf(message, caller.account));
  return json(200, { messages, page: 0, page_size: size, next_page_uri: null });
}

function resourceOf(message: SimulatedMessage, account: string): Record<string, unknown> {
  const at = new Date(message.receivedAt).toUTCString().replace('GMT', '+0000');
  const { segments } = measureSms(message.body);
  const status = message.behaviour === 'undelivered' ? 'undelivered' : 'delivered';
  return {
    sid: message.externalId,
    account_sid: account,
    api_version: '2010-04-01',
    to: message.to,
    from: message.from,
    messaging_service_sid: message.from?.startsWith('MG') ? message.from : null,
    body: message.body,
    status,
    direction: 'outbound-api',
    num_segments: String(segments),
    num_media: '0',
    price: `-${(0.0075 * segments).toFixed(5)}`,
    price_unit: 'USD',
    error_code: status === 'undelivered' ? 30003 : null,
    error_message: null,
    date_created: at,
    date_sent: at,
    date_updated: at,
    uri: `/2010-04-01/Accounts/${account}/Messages/${message.externalId}.json`,
    subresource_uris: { media: `/2010-04-01/Accounts/${account}/Messages/${message.externalId}/Media.json` },
  };
}

function failure(status: number, code: number, message: string, headers?: Record<string, string>): SimulatorAnswer {
  return json(status, { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }, headers);
}

function json(status: number, body: unknown, headers?: Record<string, string>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
