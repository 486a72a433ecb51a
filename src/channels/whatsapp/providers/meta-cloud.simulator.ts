import { randomBytes, randomInt } from 'node:crypto';
import type {
  ProviderSimulator,
  SimulatedAccount,
  SimulatedCallback,
  SimulatedEvent,
  SimulatedSubmission,
  SimulatorAnswer,
  SimulatorOutcome,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { replyTo } from '../../../gateway/contracts/simulated-callback';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import type { Json } from './meta-cloud.payload';
import { bodyOf, faultIn } from './meta-cloud.simulated-request';
import { metaSignature } from './meta-cloud.signature';

const PATH = /^\/v\d{1,3}\.\d\/([\w-]{1,64})(\/messages)?$/;

/** The number that a stand-in's account has when its config does not say. */
const DISPLAY_NUMBER = '15005550100';

/** A sender: the number's id in the path, and what its owner has set up. */
interface Sender {
  numberId: string;
  account: SimulatedAccount | undefined;
}

interface Sent extends SimulatedSubmission {
  isTemplate: boolean;
}

/**
 * Behaves as Meta's Cloud API does. Meta calls the webhook of the app's set-up, signed with the app's secret, neither of which a request shows: the
 * stand-in asks for the set-up of the number, and makes no callbacks where there is none.
 */
export const metaSimulator: ProviderSimulator = {
  account: () => ({
    credentials: {
      access_token: `EAA${randomBytes(24).toString('hex')}`,
      phone_number_id: String(randomInt(1e14, 2e14)),
      business_account_id: String(randomInt(1e14, 2e14)),
      webhook_verify_token: randomBytes(16).toString('hex'),
      app_secret: randomBytes(16).toString('hex'),
    },
    display_phone_number: '+1 500 555 0006',
    default_language_code: 'en_US',
  }),

  async handle(request, port) {
    const path = PATH.exec(request.path);
    if (path === null) return failure(400, 2500, 'Unknown path components');
    const token = tokenOf(request);
    if (token === null) return failure(401, 190, 'Invalid OAuth access token - Cannot parse access token');
    const numberId = path[1]!;
    const accounts = await port.accounts('meta_cloud', numberId);
    const account = accounts.find(({ credentials }) => credentials.access_token === token) ?? accounts[0];
    if (request.method === 'GET' && path[2] === undefined) {
      return json(200, {
        id: numberId,
        display_phone_number: displayNumber(account),
        verified_name: 'Simulated Business',
        quality_rating: 'GREEN',
      });
    }
    if (request.method === 'POST' && path[2] === '/messages') return send(request, { numberId, account }, port);
    return failure(400, 100, 'Unsupported request', 33);
  },

  inbound({ from, to, text }, account, port) {
    const numberId = account.credentials.phone_number_id ?? '';
    return signed({ numberId, account }, 'text', fromPerson(from, text, port.now()), to);
  },
};

function tokenOf(request: SimulatorRequest): string | null {
  const header = request.headers.authorization;
  if (typeof header !== 'string' || !header.startsWith('Bearer ')) return null;
  const token = header.slice(7);
  return token === '' || token.startsWith(REFUSED_SECRET_PREFIX) ? null : token;
}

function send(
  request: SimulatorRequest,
  sender: Sender,
  port: SimulatorPort,
): SimulatorOutcome | Promise<SimulatorOutcome> {
  const contentType = request.headers['content-type'];
  if (typeof contentType !== 'string' || !contentType.startsWith('application/json'))
    return failure(400, 100, '(#100) The parameter messaging_product is required.');
  const message = jsonObject(request.body);
  if (message === undefined) return failure(400, 100, '(#100) The body is no JSON object');
  const fault = faultIn(message);
  if (fault !== undefined) return failure(400, fault.code, `(#${fault.code}) ${fault.message}`);
  const to = `+${textOf(message.to)!.replace(/\D/g, '')}`;
  const sent: Sent = {
    provider: 'meta_cloud',
    externalId: `wamid.${randomBytes(28).toString('base64')}`,
    to,
    from: `+${displayNumber(sender.account).replace(/\D/g, '')}`,
    body: bodyOf(message),
    reference: textOf(message.biz_opaque_callback_data) ?? null,
    isTemplate: message.type === 'template',
  };
  const { isTemplate: _, ...submission } = sent;
  return port.play({
    submission,
    accepted: () =>
      json(200, {
        messaging_product: 'whatsapp',
        contacts: [{ input: textOf(message.to), wa_id: to.slice(1) }],
        messages: [{ id: sent.externalId, message_status: 'accepted' }],
      }),
    refused: (why) => REFUSALS[why](),
    callbacks: (event) => callbacksFor(event, sent, sender, port.now()),
  });
}

const REFUSALS = {
  invalid_recipient: () => failure(400, 131026, '(#131026) Message undeliverable'),
  throttled: () => failure(429, 130429, '(#130429) Rate limit hit', undefined, { 'retry-after': '2' }),
  server_error: () => ({ status: 500, headers: { 'content-type': 'text/html' }, body: '<html>Sorry</html>' }),
};

function callbacksFor(event: SimulatedEvent, sent: Sent, sender: Sender, now: number): SimulatedCallback[] {
  switch (event) {
    case 'sent':
    case 'delivered':
    case 'read':
      return signed(sender, event, { statuses: [statusOf(event, sent, now)] });
    case 'undelivered':
      return failed(sender, sent, now, 131026, 'Message undeliverable');
    case 'window_closed':
      // Only free text needs an open window.
      return sent.isTemplate
        ? [...callbacksFor('sent', sent, sender, now), ...callbacksFor('delivered', sent, sender, now)]
        : failed(sender, sent, now, 131047, 'Re-engagement message');
    case 'inbound':
      return signed(
        sender,
        'text',
        fromPerson(sent.to, replyTo(sent.body), now, { context: { from: sent.from!.slice(1), id: sent.externalId } }),
      );
    default:
      return [];
  }
}

function fromPerson(from: string, body: string, now: number, more: Json = {}): Json {
  const person = from.replace(/^\+/, '');
  const id = `wamid.${randomBytes(28).toString('base64')}`;
  const message = { from: person, id, timestamp: seconds(now), type: 'text', text: { body }, ...more };
  return { contacts: [{ profile: { name: 'Ann Simulated' }, wa_id: person }], messages: [message] };
}

function failed(sender: Sender, sent: Sent, now: number, code: number, title: string): SimulatedCallback[] {
  const error = { code, title, message: title, error_data: { details: `${title}.` } };
  return signed(sender, 'failed', { statuses: [{ ...statusOf('failed', sent, now), errors: [error] }] });
}

function statusOf(word: string, sent: Sent, now: number): Json {
  return {
    id: sent.externalId,
    status: word,
    timestamp: seconds(now),
    recipient_id: sent.to.slice(1),
    ...(sent.reference !== null && { biz_opaque_callback_data: sent.reference }),
  };
}

/** A webhook as Meta posts it; none when nobody has set one up. */
function signed(
  { numberId, account }: Sender,
  word: string,
  value: Json,
  number = displayNumber(account),
): SimulatedCallback[] {
  const secret = account?.credentials.app_secret;
  if (account === undefined || secret === undefined) return [];
  const metadata = { display_phone_number: number.replace(/\D/g, ''), phone_number_id: numberId };
  const change = { value: { messaging_product: 'whatsapp', metadata, ...value }, field: 'messages' };
  const entry = { id: account.credentials.business_account_id, changes: [change] };
  // Meta signs and sends the escaped spelling.
  const body = escaped(JSON.stringify({ object: 'whatsapp_business_account', entry: [entry] }));
  return [
    {
      url: account.callbackUrl('events'),
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'facebookexternalua',
        'x-hub-signature-256': metaSignature(secret, body),
      },
      body,
      word,
    },
  ];
}

function escaped(text: string): string {
  return text.replaceAll(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function displayNumber(account: SimulatedAccount | undefined): string {
  return textOf(account?.settings.display_phone_number) ?? DISPLAY_NUMBER;
}

function seconds(now: number): string {
  return String(Math.floor(now / 1000));
}

function failure(
  status: number,
  code: number,
  message: string,
  subcode?: number,
  headers?: Record<string, string>,
): SimulatorAnswer {
  const error = {
    message,
    type: 'OAuthException',
    code,
    ...(subcode !== undefined && { error_subcode: subcode }),
    error_data: { messaging_product: 'whatsapp', details: message },
    fbtrace_id: randomBytes(8).toString('hex'),
  };
  return json(status, { error }, headers);
}

function json(status: number, body: unknown, headers?: Record<string, string>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
