import { randomBytes } from 'node:crypto';
import type {
  ProviderSimulator,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedMessage,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../contracts/simulator';
import { jsonObject } from '../../contracts/provider-answer';
import { REFUSED_SECRET_PREFIX } from '../../contracts/simulator';
import { decodeForm, encodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import { isLongerThan } from '../../../kernel/text-length';
import { callbackOrigin, inboundUrl, replyTo } from '../../contracts/simulated-callback';
import { twilioSignature } from './twilio.signature';

/** Every parameter of "create a message" in Twilio's API description; another one is a caller's mistake. */
const KNOWN_PARAMETERS = new Set(
  (
    'To StatusCallback ApplicationSid MaxPrice ProvideFeedback Attempt ValidityPeriod ForceDelivery ContentRetention AddressRetention ' +
    'SmartEncoded PersistentAction TrafficType ShortenUrls ScheduleType SendAt SendAsMms ContentVariables RiskCheck From FallbackFrom ' +
    'MessagingServiceSid Body MediaUrl ContentSid'
  ).split(' '),
);

/** `ErrorCode` of free text that comes too late. */
const WINDOW_CLOSED = '63016';

/** The number that a simulated Messaging Service sends from and is answered at. */
const POOL_NUMBER = '+15005550100';

const PATH =
  /^\/2010-04-01\/Accounts\/(AC\w+)(\.json|\/Balance\.json|\/Messages\.json|\/Messages\/([A-Za-z0-9]+)\.json)$/;

interface Caller {
  account: string;
  token: string;
}

/** Which of Twilio's channels a stand-in serves. */
export interface TwilioStandIn {
  /** Provider key. */
  provider: string;
  /** Comes before each number, and is no part of it. */
  prefix: string;
  /** `ErrorCode` of what is not delivered. */
  undeliveredCode: string;
}

/** Behaves as Twilio's message API does; signs callbacks with the auth token of the request that asked for them. */
export const twilioStandIn = (kind: TwilioStandIn): ProviderSimulator => ({
  account: () => ({
    credentials: { account_sid: `AC${randomBytes(16).toString('hex')}`, auth_token: randomBytes(16).toString('hex') },
    from_number: '+15005550006',
  }),

  handle(request, port) {
    const path = PATH.exec(request.path);
    if (path === null) return failure(404, 20404, `The requested resource ${request.path} was not found`);
    const caller = callerOf(request);
    if (caller === null || caller.account !== path[1]) return failure(401, 20003, 'Authenticate');
    const resource = path[2]!;
    if (request.method === 'POST' && resource === '/Messages.json') return create(kind, request, caller, port);
    if (request.method !== 'GET') return failure(405, 20004, 'Method not allowed');
    if (resource === '.json') {
      return json(200, { sid: caller.account, friendly_name: 'Simulated account', status: 'active', type: 'Full' });
    }
    if (resource === '/Balance.json')
      return json(200, { account_sid: caller.account, balance: '100.00', currency: 'USD' });
    if (resource === '/Messages.json') return list(kind, request, caller, port);
    const message = port.find(kind.provider, path[3]!);
    if (message === undefined || !message.accepted)
      return failure(404, 20404, `The requested resource ${request.path} was not found`);
    return json(200, resourceOf(kind, message, caller.account));
  },

  inbound({ from, to, text }, { credentials: { account_sid: account = '', auth_token: token = '' }, callbackUrl }) {
    return [inboundCallback(kind, callbackUrl('inbound'), { from, to, body: text }, { account, token })];
  },
});

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

function create(kind: TwilioStandIn, request: SimulatorRequest, caller: Caller, port: SimulatorPort) {
  const contentType = request.headers['content-type'];
  if (typeof contentType !== 'string' || !contentType.startsWith('application/x-www-form-urlencoded')) {
    return failure(415, 20415, 'Content type is not supported');
  }
  const fields: Record<string, string | undefined> = Object.fromEntries(decodeForm(request.body.toString('utf8')));
  for (const name in fields) if (!KNOWN_PARAMETERS.has(name)) return failure(400, 20001, `Unknown parameter ${name}`);
  const { To, From, MessagingServiceSid, StatusCallback, ValidityPeriod } = fields;
  if (!To) return failure(400, 21604, "A 'To' phone number is required.");
  const to = To.startsWith(kind.prefix) ? To.slice(kind.prefix.length) : '';
  if (!/^\+[1-9]\d{6,14}$/.test(to)) return failure(400, 21211, `Invalid 'To' Phone Number: ${To}`);
  if (!From && !MessagingServiceSid) return failure(400, 21603, "A 'From' phone number is required.");
  if (From && !From.startsWith(kind.prefix)) return failure(400, 63007, `No channel is set up for ${From}.`);
  const body = bodyOf(fields);
  if (typeof body !== 'string') return body;
  if (StatusCallback && callbackOrigin(StatusCallback) === null)
    return failure(400, 21609, 'Invalid StatusCallback URL.');
  if (ValidityPeriod !== undefined && !(Number(ValidityPeriod) >= 1 && Number(ValidityPeriod) <= 36_000)) {
    return failure(400, 21624, 'Invalid ValidityPeriod.');
  }
  const sid = `SM${randomBytes(16).toString('hex')}`;
  const target = StatusCallback ? StatusCallback.replace(/#.*$/s, '') : undefined;
  const submission = {
    provider: kind.provider,
    externalId: sid,
    to,
    from: From?.slice(kind.prefix.length) ?? MessagingServiceSid ?? null,
    body,
    reference: target === undefined ? null : (new URL(target).searchParams.get('message_id') ?? null),
  };
  return port.play({
    submission,
    accepted: () => {
      const behaviour = 'delivered' as const;
      const message = { ...submission, behaviour, accepted: true, receivedAt: port.now(), callbacks: [] };
      return json(201, {
        ...resourceOf(kind, message, caller.account),
        status: MessagingServiceSid ? 'accepted' : 'queued',
        price: null,
      });
    },
    refused: (why) => REFUSALS[why](To),
    callbacks: (event) => {
      if (target === undefined) return [];
      const report = (one: SimulatedEvent, code?: string) => callbackFor(kind, one, target, submission, caller, code);
      // Only free text needs an open window.
      if (event === 'window_closed')
        return fields.ContentSid ? [report('sent'), report('delivered')] : [report('undelivered', WINDOW_CLOSED)];
      return REPORTED.has(event) ? [report(event)] : [];
    },
  });
}

/** What is said, as the record shows it; a refusal when nothing is, or too much. */
function bodyOf({ Body, MediaUrl, ContentSid, ContentVariables }: Record<string, string | undefined>) {
  if (ContentSid !== undefined) {
    if (!/^HX[0-9a-fA-F]{32}$/.test(ContentSid)) return failure(400, 21655, 'The ContentSid is invalid.');
    if (ContentVariables !== undefined && !isVariables(ContentVariables))
      return failure(400, 21656, 'The ContentVariables are invalid.');
    return `${ContentSid}${ContentVariables ?? ''}`;
  }
  if (MediaUrl !== undefined && callbackOrigin(MediaUrl) === null) return failure(400, 21620, 'Invalid media URL(s).');
  if (!Body && MediaUrl === undefined) return failure(400, 21602, 'Message body is required.');
  if (Body && isLongerThan(Body, 1600))
    return failure(400, 21617, 'The concatenated message body exceeds the 1600 character limit.');
  return Body ?? '';
}

function isVariables(text: string): boolean {
  const values = jsonObject(Buffer.from(text));
  return values !== undefined && Object.values(values).every((value) => typeof value === 'string');
}

const REPORTED: ReadonlySet<SimulatedEvent> = new Set(['sent', 'delivered', 'read', 'undelivered', 'inbound']);

const REFUSALS = {
  invalid_recipient: (to: string) => failure(400, 21211, `Invalid 'To' Phone Number: ${to}`),
  throttled: () => failure(429, 20429, 'Too Many Requests', { 'retry-after': '2' }),
  server_error: () => failure(500, 20500, 'An internal server error has occurred'),
};

function callbackFor(
  kind: TwilioStandIn,
  event: SimulatedEvent,
  target: string,
  submission: { externalId: string; to: string; from: string | null; body: string },
  caller: Caller,
  code = kind.undeliveredCode,
): SimulatedCallback {
  const { externalId, body } = submission;
  const sender = submission.from?.startsWith('MG') ? POOL_NUMBER : submission.from;
  const to = kind.prefix + submission.to;
  const from = sender === null ? '' : kind.prefix + sender;
  if (event === 'inbound') {
    const reply = { from: submission.to, to: sender ?? '', body: replyTo(body) };
    return inboundCallback(kind, inboundUrl(target), reply, caller);
  }
  const statuses = { MessageSid: externalId, SmsSid: externalId, MessageStatus: event, SmsStatus: event };
  const failed = event === 'undelivered' && { ErrorCode: code };
  return signed(target, event, { ...statuses, To: to, From: from, ...failed }, caller);
}

/** What a person sends: to the number, as Twilio hands it over. */
function inboundCallback(
  kind: TwilioStandIn,
  url: string,
  { from, to, body }: { from: string; to: string; body: string },
  caller: Caller,
): SimulatedCallback {
  const sid = `SM${randomBytes(16).toString('hex')}`;
  const fields = {
    MessageSid: sid,
    SmsSid: sid,
    SmsMessageSid: sid,
    SmsStatus: 'received',
    From: kind.prefix + from,
    To: to === '' ? '' : kind.prefix + to,
    Body: body,
    NumMedia: '0',
    NumSegments: String(measureSms(body).segments),
    ...(kind.prefix !== '' && { ProfileName: 'Ann Simulated', WaId: from.slice(1) }),
  };
  return signed(url, 'received', fields, caller);
}

function signed(url: string, word: string, own: Record<string, string>, caller: Caller): SimulatedCallback {
  const fields = { ApiVersion: '2010-04-01', AccountSid: caller.account, ...own };
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

function list(kind: TwilioStandIn, request: SimulatorRequest, caller: Caller, port: SimulatorPort): SimulatorAnswer {
  const to = request.query.get('To')?.slice(kind.prefix.length);
  const from = request.query.get('From')?.slice(kind.prefix.length);
  const after = Date.parse(request.query.get('DateSent>') ?? '1970-01-01');
  const size = Math.min(1000, Number(request.query.get('PageSize') ?? 50));
  const found = port
    .list(kind.provider)
    .filter(({ accepted, ...message }) => accepted && message.to === (to ?? message.to))
    .filter((message) => message.from === (from ?? message.from))
    .filter((message) => message.receivedAt >= after)
    .slice(0, size);
  const messages = found.map((message) => resourceOf(kind, message, caller.account));
  return json(200, { messages, page: 0, page_size: size, next_page_uri: null });
}

function resourceOf(kind: TwilioStandIn, message: SimulatedMessage, account: string): Record<string, unknown> {
  const at = new Date(message.receivedAt).toUTCString().replace('GMT', '+0000');
  const { segments } = measureSms(message.body);
  const status = message.behaviour === 'undelivered' || message.behaviour === 'read' ? message.behaviour : 'delivered';
  return {
    sid: message.externalId,
    account_sid: account,
    api_version: '2010-04-01',
    to: kind.prefix + message.to,
    from: message.from === null ? null : kind.prefix + message.from,
    messaging_service_sid: message.from?.startsWith('MG') ? message.from : null,
    body: message.body,
    status,
    direction: 'outbound-api',
    num_segments: String(segments),
    num_media: '0',
    price: `-${(0.0075 * segments).toFixed(5)}`,
    price_unit: 'USD',
    error_code: status === 'undelivered' ? Number(kind.undeliveredCode) : null,
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
