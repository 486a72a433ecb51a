import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { REFUSED_SECRET_PREFIX } from '../../../gateway/contracts/simulator';
import type {
  ProviderSimulator,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { jsonObject, textOf } from '../../../gateway/contracts/provider-answer';
import { decodeForm, formValue } from '../../../kernel/form';

const TOKEN_SECONDS = 3599;
const TOKEN_PREFIX = 'ya29.simulated.';
const AUDIENCE = 'https://oauth2.googleapis.com/token';
const SCOPES = new Set([
  'https://www.googleapis.com/auth/firebase.messaging',
  'https://www.googleapis.com/auth/cloud-platform',
]);

/** Members of `SendMessageRequest` and what it holds, as FCM's discovery document names them; another one is a caller's mistake. */
const MEMBERS: Readonly<Record<string, ReadonlySet<string>>> = {
  '': words('message validateOnly'),
  message: words('name token topic condition notification data android apns webpush fcmOptions'),
  'message.notification': words('title body image'),
  'message.android': words(
    'collapseKey priority ttl restrictedPackageName data notification fcmOptions directBootOk bandwidthConstrainedOk',
  ),
  'message.android.notification': words(
    'title body icon color sound tag clickAction bodyLocKey bodyLocArgs titleLocKey titleLocArgs channelId ticker sticky eventTime localOnly ' +
      'notificationPriority defaultSound defaultVibrateTimings defaultLightSettings vibrateTimings visibility notificationCount lightSettings image',
  ),
  'message.apns': words('headers payload fcmOptions liveActivityToken'),
  'message.webpush': words('headers data notification fcmOptions'),
};

/**
 * Behaves as Google's token endpoint (under `/oauth`) and FCM's HTTP v1 do. A service account of {@link simulatedServiceAccount} has its public key
 * in its key id, so its assertions are proved; of any other one only the form can be. Refuses an account whose address begins with `invalid`.
 */
export const fcmSimulator: ProviderSimulator = {
  account: () => ({
    credentials: { service_account_json: simulatedServiceAccount('unimsg-demo'), project_id: 'unimsg-demo' },
  }),

  handle(request, port) {
    if (request.path === '/oauth/token') return token(request, port.now());
    const path = /^\/v1\/projects\/([^/]+)\/messages:send$/.exec(request.path);
    if (path === null || request.method !== 'POST') return failure(404, 'NOT_FOUND', 'The requested URL was not found');
    if (!isAuthorized(request, port.now()))
      return failure(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    return send(decodeURIComponent(path[1]!), request, port);
  },
};

/** A service account that the stand-in can prove, as the JSON that Google would give. */
export function simulatedServiceAccount(projectId: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return JSON.stringify({
    type: 'service_account',
    project_id: projectId,
    private_key_id: publicKey.export({ type: 'spki', format: 'der' }).toString('base64url'),
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: `unimsg@${projectId}.iam.gserviceaccount.com`,
    token_uri: AUDIENCE,
  });
}

function words(names: string): ReadonlySet<string> {
  return new Set(names.split(' '));
}

function token(request: SimulatorRequest, now: number): SimulatorAnswer {
  const fields = decodeForm(request.body.toString('utf8'));
  if (formValue(fields, 'grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
    return oauthFailure('unsupported_grant_type', 'Invalid grant_type');
  const fault = assertionFault(formValue(fields, 'assertion') ?? '', now);
  if (fault !== undefined) return oauthFailure('invalid_grant', fault);
  const end = Math.floor(now / 1000) + TOKEN_SECONDS;
  const value = `${TOKEN_PREFIX}${end}.${randomBytes(12).toString('base64url')}`;
  return json(200, { access_token: value, expires_in: TOKEN_SECONDS, token_type: 'Bearer' });
}

function assertionFault(assertion: string, now: number): string | undefined {
  const parts = assertion.split('.');
  const [header, claims] = parts.map((part) => jsonObject(Buffer.from(part, 'base64url')));
  if (parts.length !== 3 || header === undefined || claims === undefined) return 'Invalid JWT: not a JWT';
  const { iss, scope, aud, iat, exp } = claims;
  if (header.alg !== 'RS256') return 'Invalid JWT: the algorithm must be RS256';
  if (typeof iss !== 'string' || !iss.includes('@') || iss.startsWith(REFUSED_SECRET_PREFIX))
    return 'Invalid grant: account not found';
  if (aud !== AUDIENCE) return 'Invalid JWT: the audience is wrong';
  if (typeof scope !== 'string' || !scope.split(' ').some((one) => SCOPES.has(one))) return 'Invalid scope';
  const seconds = now / 1000;
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > 3600 || exp <= seconds || iat > seconds + 300)
    return 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe';
  const key = publicKeyOf(header.kid);
  const signature = Buffer.from(parts[2]!, 'base64url');
  if (signature.length < 128) return 'Invalid JWT Signature.';
  if (key && !verify('RSA-SHA256', Buffer.from(`${parts[0]}.${parts[1]}`), key, signature))
    return 'Invalid JWT Signature.';
  return undefined;
}

function publicKeyOf(kid: unknown) {
  if (typeof kid !== 'string' || kid.length < 200) return undefined;
  try {
    return createPublicKey({ key: Buffer.from(kid, 'base64url'), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function isAuthorized(request: SimulatorRequest, now: number): boolean {
  const header = request.headers.authorization;
  if (typeof header !== 'string' || !header.startsWith(`Bearer ${TOKEN_PREFIX}`)) return false;
  return Number(header.slice(`Bearer ${TOKEN_PREFIX}`.length).split('.')[0]) * 1000 > now;
}

function send(project: string, request: SimulatorRequest, port: SimulatorPort) {
  const body = jsonObject(request.body);
  if (body === undefined) return invalid('', 'Invalid JSON payload received.');
  const unknown = unknownMember(body, '');
  if (unknown !== undefined) return invalid(unknown, `Invalid JSON payload received. Unknown name "${unknown}"`);
  const message = objectOf(body.message);
  const targets = ['token', 'topic', 'condition'].filter((name) => message[name] !== undefined);
  const target = textOf(message[targets[0] ?? '']);
  if (targets.length !== 1 || !target)
    return invalid('message', 'Exactly one of token, topic or condition is required');
  if (targets[0] === 'topic' && !/^[A-Za-z0-9\-_.~%]+$/.test(target))
    return invalid('message.topic', 'Invalid topic name.');
  for (const [name, value] of Object.entries(objectOf(message.data))) {
    if (typeof value !== 'string') return invalid(`message.data[0].value`, `Invalid value at ${name}`);
    if (/^(from|message_type|google\.|gcm\.notification\.)/.test(name))
      return invalid('message.data', `Invalid data payload key: ${name}`);
  }
  const android = objectOf(message.android);
  if (android.ttl !== undefined && !/^\d+(\.\d{1,9})?s$/.test(textOf(android.ttl) ?? ''))
    return invalid('message.android.ttl', 'Illegal duration format');
  if (body.validateOnly === true) return json(200, { name: `projects/${project}/messages/fake_message_id` });
  const externalId = `projects/${project}/messages/0:${Math.floor(port.now() * 1000)}%${randomBytes(8).toString('hex')}`;
  const notification = objectOf(message.notification);
  const shown = [notification.title, notification.body].flatMap((part) => textOf(part) ?? []);
  // The only place where our id is: what a repeated notification would take the place of.
  const reference = textOf(objectOf(objectOf(message.apns).headers)['apns-collapse-id']);
  return port.play({
    submission: {
      provider: 'fcm',
      externalId,
      to: targets[0] === 'topic' ? `/topics/${target}` : target,
      from: null,
      body: shown.length > 0 ? shown.join('\n') : JSON.stringify(objectOf(message.data)),
      reference: reference?.startsWith('msg_') ? reference : null,
    },
    accepted: () => json(200, { name: externalId }),
    refused: (why) => REFUSALS[why](),
    callbacks: () => [],
  });
}

function unknownMember(value: Record<string, unknown>, path: string): string | undefined {
  const known = MEMBERS[path];
  if (known === undefined) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (!known.has(name)) return at;
    const found = typeof member === 'object' && member !== null ? unknownMember(objectOf(member), at) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

const REFUSALS = {
  invalid_recipient: () => failure(404, 'NOT_FOUND', 'Requested entity was not found.', 'UNREGISTERED'),
  throttled: () => failure(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.', 'QUOTA_EXCEEDED', [], { 'retry-after': '2' }),
  server_error: () => failure(500, 'INTERNAL', 'Internal error encountered.', 'INTERNAL'),
};

function invalid(field: string, message: string): SimulatorAnswer {
  const violation = {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: [{ field, description: message }],
  };
  return failure(400, 'INVALID_ARGUMENT', message, 'INVALID_ARGUMENT', [violation]);
}

function failure(
  code: number,
  status: string,
  message: string,
  errorCode?: string,
  further: object[] = [],
  headers?: Record<string, string>,
): SimulatorAnswer {
  const own = { '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode };
  const details = [...(errorCode === undefined ? [] : [own]), ...further];
  return json(code, { error: { code, message, status, ...(details.length > 0 && { details }) } }, headers);
}

function oauthFailure(error: string, description: string): SimulatorAnswer {
  return json(400, { error, error_description: description });
}

function json(status: number, body: unknown, headers?: Record<string, string>): SimulatorAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=UTF-8', ...headers },
    body: JSON.stringify(body),
  };
}
