import { randomBytes } from 'node:crypto';
import type {
  ProviderSimulator,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedMessage,
  SimulatedSubmission,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { decodeForm, encodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import { callbackOrigin, inboundUrl, replyTo } from '../../../gateway/contracts/simulated-callback';
import { basicCredentials, jsonAnswer, textAnswer } from './simulated-http';

/** Every parameter of "send SMS"; another one is a caller's mistake. */
const KNOWN_PARAMETERS = new Set(['from', 'to', 'message', 'whendelivered', 'dryrun', 'flashsms', 'dontlog']);

/** What a part costs: 0.35 SEK. */
const PART_COST = 3500;

/** Behaves as the SMS part of 46elks' API does. Callbacks go where `whendelivered` says; they are not signed. */
export const elksSimulator: ProviderSimulator = {
  account: () => ({
    credentials: {
      api_username: `u${randomBytes(16).toString('hex')}`,
      api_password: randomBytes(16).toString('hex').toUpperCase(),
    },
    sender_id: 'UniMsg',
  }),

  handle(request, port) {
    const path = /^\/a1\/(sms|me)(?:\/([A-Za-z0-9]+))?\/?$/i.exec(request.path);
    if (path === null) return textAnswer(404, 'Not found');
    const caller = basicCredentials(request);
    if (!caller?.username || !caller.password || caller.password.startsWith(REFUSED_SECRET_PREFIX)) {
      return textAnswer(401, 'API access requires Basic HTTP authentication', { 'www-authenticate': 'Basic' });
    }
    const [, resource, id] = path;
    if (resource!.toLowerCase() === 'me') {
      return jsonAnswer(200, { id: caller.username, displayname: 'Simulated', currency: 'SEK', balance: 1_000_000 });
    }
    if (request.method === 'POST' && id === undefined) return submit(request, port);
    if (request.method !== 'GET') return textAnswer(405, 'Method not allowed');
    if (id === undefined) return history(request, port);
    const message = port.find('elks', id);
    return message?.accepted ? jsonAnswer(200, resourceOf(message)) : textAnswer(404, 'No such SMS');
  },

  inbound({ from, to, text }, { callbackUrl }, port) {
    return [incoming(callbackUrl('inbound'), { from, to, message: text }, port.now())];
  },
};

function submit(request: SimulatorRequest, port: SimulatorPort) {
  if (!String(request.headers['content-type']).startsWith('application/x-www-form-urlencoded')) {
    return textAnswer(415, 'Content type is not supported');
  }
  const fields: Record<string, string | undefined> = Object.fromEntries(decodeForm(request.body.toString('utf8')));
  for (const name in fields) if (!KNOWN_PARAMETERS.has(name)) return textAnswer(400, `Unknown parameter ${name}`);
  const { from, to, message, whendelivered } = fields;
  for (const name of ['from', 'to', 'message']) if (!fields[name]) return textAnswer(400, `Missing key ${name}`);
  if (!/^(\+[1-9]\d{5,14}|[^+\d].{0,10})$/s.test(from!)) return textAnswer(400, 'Invalid from number or name');
  if (!/^\+[1-9]\d{5,14}$/.test(to!)) return REFUSALS.invalid_recipient();
  if (whendelivered !== undefined && callbackOrigin(whendelivered) === null) {
    return textAnswer(400, 'Invalid value for whendelivered');
  }
  const submission: SimulatedSubmission = {
    provider: 'elks',
    externalId: `s${randomBytes(16).toString('hex')}`,
    to: to!,
    from: from!,
    body: message!,
    reference: whendelivered === undefined ? null : new URL(whendelivered).searchParams.get('message_id'),
  };
  return port.play({
    submission,
    accepted: () => {
      const kept = { ...submission, behaviour: 'delivered' as const, accepted: true, receivedAt: port.now() };
      return jsonAnswer(200, { ...resourceOf({ ...kept, callbacks: [] }), status: 'created', delivered: undefined });
    },
    refused: (why) => REFUSALS[why](),
    callbacks: (event) => (whendelivered === undefined ? [] : callbacksOf(event, whendelivered, submission, port)),
  });
}

const REFUSALS = {
  invalid_recipient: () => textAnswer(400, 'Invalid to number'),
  throttled: () => textAnswer(429, 'Too many requests', { 'retry-after': '2' }),
  server_error: () => textAnswer(500, 'Internal server error'),
};

const WORDS = { sent: 'sent', delivered: 'delivered', undelivered: 'failed' } as const;

function callbacksOf(
  event: SimulatedEvent,
  target: string,
  { externalId, to, from, body }: SimulatedSubmission,
  port: SimulatorPort,
): SimulatedCallback[] {
  if (event === 'inbound') {
    return [incoming(inboundUrl(target), { from: to, to: from ?? '', message: replyTo(body) }, port.now())];
  }
  if (!(event in WORDS)) return [];
  const status = WORDS[event as keyof typeof WORDS];
  const delivered = status === 'delivered' ? isoTime(port.now()) : undefined;
  return [post(target, status, { id: externalId, status, delivered })];
}

function incoming(url: string, text: { from: string; to: string; message: string }, now: number): SimulatedCallback {
  const id = `s${randomBytes(16).toString('hex')}`;
  return post(url, 'incoming', { direction: 'incoming', id, ...text, created: isoTime(now) });
}

function post(url: string, word: string, fields: Record<string, string | undefined>): SimulatedCallback {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': '46elks/0.2' };
  return { url, method: 'POST', headers, body: encodeForm(fields), word };
}

/** The newest first. `start` is the time to go back from. */
function history(request: SimulatorRequest, port: SimulatorPort): SimulatorAnswer {
  const to = request.query.get('to');
  const start = request.query.get('start') ?? '9999';
  const limit = Math.min(100, Number(request.query.get('limit') ?? 10));
  const found = port
    .list('elks')
    .filter((message) => message.accepted && (to === null || message.to === to))
    .filter((message) => isoTime(message.receivedAt) <= start);
  const next = found[limit];
  return jsonAnswer(200, {
    data: found.slice(0, limit).map(resourceOf),
    ...(next && { next: isoTime(next.receivedAt) }),
  });
}

function resourceOf(message: SimulatedMessage): Record<string, unknown> {
  const bad = message.behaviour === 'undelivered';
  const { segments } = measureSms(message.body);
  return {
    id: message.externalId,
    direction: 'outgoing',
    from: message.from,
    to: message.to,
    created: isoTime(message.receivedAt),
    message: message.body,
    parts: segments,
    cost: segments * PART_COST,
    status: bad ? 'failed' : 'delivered',
    ...(!bad && { delivered: isoTime(message.receivedAt) }),
  };
}

function isoTime(at: number): string {
  return new Date(at).toISOString().replace(/Z$/, '000');
}
