import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type {
  ProviderSimulator,
  SimulatedAccount,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedMessage,
  SimulatedSubmission,
  SimulatorOutcome,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { replyTo } from '../../../gateway/contracts/simulated-callback';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { encodeForm } from '../../../kernel/form';
import { measureSms } from '../../../kernel/gsm';
import { jsonAnswer, textAnswer } from './simulated-http';

/** Every field of "send an SMS"; another one is a caller's mistake. */
const KNOWN_FIELDS = new Set(
  (
    'message_type message recipient sender scheduled_delivery_time scheduled_delivery_timezone order_id returnCredits returnRemaining ' +
    'allowInvalidRecipients encoding id_landing campaign_name max_fragments truncate validity_period_min richsms_url short_link_url'
  ).split(' '),
);

const ROOT = '/API/v1.0/REST/';
const CREDITS = 1000;

/**
 * Behaves as Skebby's REST API does. Reports go where the account's owner has entered it in the panel, since no request carries an address; with
 * several configs of one account, to the newest.
 */
export const skebbySimulator: ProviderSimulator = {
  account: () => ({
    credentials: { username: 'demo@example.com', password: randomBytes(8).toString('hex') },
    sender: 'UniMsg',
  }),

  handle(request, port) {
    const path = request.path.startsWith(ROOT) ? request.path.slice(ROOT.length) : '';
    if (request.method === 'GET' && (path === 'login' || path === 'token')) return signIn(request);
    const username = callerOf(request);
    if (request.method === 'GET' && path === 'checksession') return textAnswer(200, String(username !== null));
    if (username === null) return textAnswer(401, 'user_key, token or session is not valid');
    if (request.method === 'POST' && path === 'sms') return submit(request, username, port);
    if (request.method !== 'GET') return textAnswer(404, 'Not found');
    if (path === 'status') {
      const sms = ['GP', 'TI', 'SI'].map((type) => ({ type, quantity: CREDITS }));
      return jsonAnswer(200, { money: 100, sms, email: { bandwidth: 0, purchased: '', billing: '', expiry: '' } });
    }
    const order = /^sms\/([A-Za-z0-9._-]+)$/.exec(path)?.[1];
    const message = order === undefined ? undefined : port.find('skebby', order);
    return message?.accepted ? jsonAnswer(200, stateOf(message)) : textAnswer(404, 'Not found');
  },

  inbound({ from, to, text }, account, port) {
    return [inboundCallback(account, { from, to, text }, port.now())];
  },
};

/** The key tells the user, so that nothing has to be kept: tokens never end here, as at Skebby. */
function signIn(request: SimulatorRequest) {
  const username = request.query.get('username') ?? '';
  const password = request.query.get('password') ?? '';
  if (username === '' || password === '' || password.startsWith(REFUSED_SECRET_PREFIX)) {
    return textAnswer(404, 'Wrong credentials');
  }
  const userKey = Buffer.from(username).toString('base64url');
  return textAnswer(200, `${userKey};${tokenFor(userKey)}`);
}

function tokenFor(userKey: string): string {
  return createHash('sha256').update(`simulated token of ${userKey}`).digest('base64url').slice(0, 24);
}

function callerOf({ headers }: SimulatorRequest): string | null {
  const { user_key: userKey, access_token: token, session_key: session } = headers;
  if (typeof userKey !== 'string' || (token ?? session) !== tokenFor(userKey)) return null;
  return Buffer.from(userKey, 'base64url').toString('utf8');
}

async function submit(request: SimulatorRequest, username: string, port: SimulatorPort): Promise<SimulatorOutcome> {
  if (!String(request.headers['content-type']).startsWith('application/json')) return refusal('Invalid content type');
  const fields = jsonObject(request.body);
  if (fields === undefined) return refusal('Invalid JSON');
  for (const name in fields) if (!KNOWN_FIELDS.has(name)) return refusal(`Unknown parameter ${name}`);
  const { message_type: type, message, recipient, sender, encoding = 'gsm', order_id: order } = fields;
  if (type !== 'GP' && type !== 'TI' && type !== 'SI') return refusal('Invalid message_type');
  if (typeof message !== 'string' || message === '') return refusal('Missing message');
  if (encoding !== 'gsm' && encoding !== 'ucs2') return refusal('Invalid encoding');
  if (message.length > (encoding === 'gsm' ? 1000 : 450)) return refusal('The message is too long');
  const to: unknown = Array.isArray(recipient) && recipient.length === 1 ? recipient[0] : undefined;
  if (typeof to !== 'string' || !/^\+[1-9]\d{6,14}$/.test(to)) return REFUSALS.invalid_recipient();
  if (type === 'SI' && sender !== undefined && sender !== '') return refusal('The sender is not allowed for this type');
  if (order !== undefined && (typeof order !== 'string' || !/^[A-Za-z0-9._-]{1,32}$/.test(order))) {
    return refusal('Invalid order_id');
  }
  const id = order ?? randomUUID().replaceAll('-', '');
  // Characters outside GSM are replaced with encoding=gsm, so that a test sees when a sender forgets to say ucs2.
  const body =
    encoding === 'gsm'
      ? message.replaceAll(/./gsu, (char) => (measureSms(char).encoding === 'gsm7' ? char : '?'))
      : message;
  const submission: SimulatedSubmission = {
    provider: 'skebby',
    externalId: id,
    to,
    from: textOf(sender) ?? null,
    body,
    reference: order ?? null,
  };
  const account = (await port.accounts('skebby', username)).at(-1);
  return port.play({
    submission,
    accepted: () =>
      jsonAnswer(201, {
        result: 'OK',
        order_id: id,
        internal_order_id: randomBytes(12).toString('hex').toUpperCase(),
        total_sent: fields.returnCredits === true ? measureSms(body).segments : 1,
        ...(fields.returnRemaining === true && { remaining_credits: CREDITS }),
      }),
    refused: (why) => REFUSALS[why](),
    // Only Classic+ has delivery reports.
    callbacks: (event) =>
      account === undefined || (type !== 'GP' && event !== 'inbound')
        ? []
        : callbacksOf(event, account, submission, port.now()),
  });
}

const REFUSALS = {
  invalid_recipient: () => refusal('Invalid recipient'),
  throttled: () => textAnswer(429, 'Too many requests', { 'retry-after': '2' }),
  server_error: () => textAnswer(500, 'Internal server error'),
};

function refusal(reason: string) {
  return jsonAnswer(400, { result: reason });
}

const WORDS = { sent: 'SENT', delivered: 'DLVRD', undelivered: 'TIMEOUT' } as const;

function callbacksOf(
  event: SimulatedEvent,
  account: SimulatedAccount,
  { externalId, to, from, body }: SimulatedSubmission,
  now: number,
): SimulatedCallback[] {
  const stamp = compactTime(now);
  if (event === 'inbound') return [inboundCallback(account, { from: to, to: from ?? '', text: replyTo(body) }, now)];
  if (!(event in WORDS)) return [];
  const status = WORDS[event as keyof typeof WORDS];
  const url = new URL(account.callbackUrl('status'));
  const fields = { delivery_date: stamp, order_id: externalId, status, recipient: to };
  for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
  return [{ url: url.toString(), method: 'GET', headers: {}, body: '', word: status }];
}

function inboundCallback(
  account: SimulatedAccount,
  { from, to, text }: { from: string; to: string; text: string },
  now: number,
): SimulatedCallback {
  const stamp = compactTime(now);
  const fields = {
    sender: from,
    receiver: to,
    text,
    encoding: 'UTF-8',
    date: stamp.slice(0, 8),
    time: stamp.slice(8),
    timestamp: Math.floor(now / 1000),
    smsType: 'standard',
  };
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const url = account.callbackUrl('inbound');
  return { url, method: 'POST', headers, body: encodeForm(fields), word: 'inbound' };
}

function stateOf(message: SimulatedMessage): Record<string, unknown> {
  const status = message.behaviour === 'undelivered' ? 'TIMEOUT' : 'DLVRD';
  const delivery_date = compactTime(message.receivedAt);
  return { result: 'OK', recipient_number: 1, recipients: [{ destination: message.to, status, delivery_date }] };
}

/** `yyyyMMddHHmmss` */
function compactTime(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '');
}
