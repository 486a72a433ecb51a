import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { contextFor, providerContract, SAMPLE_NOW } from '../../../../test/contract/provider.contract';
import type { SampleAccount } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import { answer, hang, json, type Script, ScriptedServer } from '../../../../test/support/scripted-server';
import type { Gateway, OutboundMessage, PushContent } from '../../../gateway/contracts/gateway';
import type { GatewayError } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { decodeForm, formValue } from '../../../kernel/form';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { fcm } from './fcm.provider';
import { simulatedServiceAccount } from './fcm.simulator';

const accountA: SampleAccount = {
  settings: {},
  credentials: { service_account_json: simulatedServiceAccount('project-a'), project_id: 'acme-a' },
};
const accountB: SampleAccount = {
  settings: { default_ttl_seconds: 60 },
  credentials: { service_account_json: simulatedServiceAccount('project-b') },
};
const serviceAccountA = JSON.parse(accountA.credentials.service_account_json!) as Record<string, string>;

const message: OutboundMessage<'push'> = {
  id: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8',
  clientId: 'demo_0123456789abcdef',
  channel: 'push',
  to: 'device-token:APA91b_-1',
  from: null,
  priority: 'normal',
  content: { target: { device_token: 'device-token:APA91b_-1' }, title: 'Grüße', body: 'Am Tor 😀' },
  expiresAt: SAMPLE_NOW + 3600 * 1000,
};
const NAME = 'projects/acme-a/messages/0:1500415314455276%31bd1c9631bd1c96';
const accepted = json(200, { name: NAME });
const NOW = SAMPLE_NOW / 1000;

const isSignIn = (request: { target: string }): boolean => request.target.endsWith('/oauth/token');
const claimsOf = (body: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(formValue(decodeForm(body), 'assertion')!.split('.')[1]!, 'base64url').toString());
/** Gives each account a token that names it. */
const signIn: Script = (socket, request) => {
  const name = String(claimsOf(request.body).iss).split('@')[1]!.split('.')[0];
  json(200, { access_token: `token-of-${name}`, expires_in: 3599, token_type: 'Bearer' })(socket, request);
};

const wire = (body: object): string => {
  const text = JSON.stringify(body);
  return `POST /v1/projects/acme-a/messages:send HTTP/1.1
host: 127.0.0.1:{port}
connection: keep-alive
authorization: Bearer token-of-project-a
accept: application/json
content-type: application/json
content-length: ${Buffer.byteLength(text)}

${text}`;
};
/** What FCM gets for the sample message. */
const plain = (ttl = 3600, high = false) => ({
  token: message.to,
  notification: { title: 'Grüße', body: 'Am Tor 😀' },
  android: { priority: high ? 'HIGH' : 'NORMAL', ttl: `${ttl}s`, notification: { tag: message.id } },
  apns: {
    headers: {
      'apns-priority': high ? '10' : '5',
      'apns-expiration': String(ttl === 0 ? 0 : NOW + ttl),
      'apns-collapse-id': message.id,
      'apns-push-type': 'alert',
    },
    payload: { aps: {} },
  },
  webpush: {
    headers: { TTL: String(ttl), Urgency: high ? 'high' : 'normal' },
    notification: { tag: message.id },
  },
});
const full: PushContent = {
  ...message.content,
  image_url: 'https://cdn.example.com/påse.jpg',
  data: { order_id: '8121', note: 'ä' },
  ttl_seconds: 86_400,
  collapse_key: 'order 8121',
  badge_count: 0,
  sound: 'bell.caf',
  click_action: 'https://shop.example.com/order/ä',
  device_priority: 'high',
};

/** The address of the image as a URI. */
const IMAGE = 'https://cdn.example.com/p%C3%A5se.jpg';

const fcmError = (
  code: string,
  further: { status?: number; word?: string; text?: string; details?: object[] } = {},
) => {
  const { status = 400, word = 'ANY', text = 'FCM says no', details = [] } = further;
  const own = { '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode: code };
  return json(status, { error: { code: status, message: text, status: word, details: [own, ...details] } });
};
const CANONICAL = new Set(['UNAUTHENTICATED', 'PERMISSION_DENIED', 'NOT_FOUND', 'RESOURCE_EXHAUSTED']);
const OAUTH =
  'invalid_grant invalid_client unauthorized_client invalid_scope invalid_request unsupported_grant_type'.split(' ');
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';
const QUOTA = 'type.googleapis.com/google.rpc.QuotaFailure';

describe('FCM', () => {
  providerContract({
    definition: fcm,
    accounts: [accountA, accountB],
    message,
    accepted,
    signIn: { matches: isSignIn, answer: signIn },
    credentialsOnWire: (request) => request.headers.authorization!.replace('Bearer ', ''),
    sends: [
      { name: 'a notification', wire: wire({ message: plain() }), answer: accepted, result: { externalId: NAME } },
      {
        name: 'everything that there is',
        message: { content: full },
        wire: wire({
          message: {
            token: message.to,
            notification: { title: 'Grüße', body: 'Am Tor 😀', image: IMAGE },
            data: full.data,
            android: {
              collapseKey: 'order 8121',
              priority: 'HIGH',
              ttl: '86400s',
              notification: {
                tag: 'order 8121',
                sound: 'bell.caf',
                clickAction: full.click_action,
                notificationCount: 0,
              },
            },
            apns: {
              headers: {
                'apns-priority': '10',
                'apns-expiration': String(NOW + 86_400),
                'apns-collapse-id': 'order 8121',
                'apns-push-type': 'alert',
              },
              payload: {
                aps: { badge: 0, sound: 'bell.caf', category: full.click_action, 'mutable-content': 1 },
              },
              fcmOptions: { image: IMAGE },
            },
            webpush: {
              // SHA-256 of the key, since a space cannot be in a Web Push topic.
              headers: { TTL: '86400', Urgency: 'high', Topic: 'cv0VdIZwag09LlnIUtYY1rjCmYMU53ju' },
              notification: { tag: 'order 8121', image: IMAGE },
              fcmOptions: { link: 'https://shop.example.com/order/%C3%A4' },
            },
          },
        }),
        answer: accepted,
        result: { externalId: NAME },
      },
      {
        name: 'data alone, to a topic, now or never, of high priority',
        message: {
          to: '/topics/news',
          content: {
            topic: 'news',
            data: { sync: '1' },
            ttl_seconds: 0,
            device_priority: 'high',
            collapse_key: 'sync',
          },
        },
        wire: wire({
          message: {
            topic: 'news',
            data: { sync: '1' },
            android: { collapseKey: 'sync', priority: 'HIGH', ttl: '0s' },
            apns: {
              headers: {
                'apns-priority': '5',
                'apns-expiration': '0',
                'apns-collapse-id': 'sync',
                'apns-push-type': 'background',
              },
              payload: { aps: { 'content-available': 1 } },
            },
            webpush: { headers: { TTL: '0', Urgency: 'high', Topic: 'sync' } },
          },
        }),
        answer: accepted,
        result: { externalId: NAME },
      },
      {
        name: "the config's defaults, validated only",
        account: { settings: { default_ttl_seconds: 120, default_priority: 'high', validate_only: true } },
        wire: wire({ message: plain(120, true), validateOnly: true }),
        answer: json(200, { name: 'projects/acme-a/messages/fake_message_id' }),
        result: { externalId: 'projects/acme-a/messages/fake_message_id' },
      },
      {
        name: "the request's own priority before the config's, and more time than FCM has",
        account: { settings: { default_priority: 'high' } },
        message: {
          content: { ...message.content, device_priority: 'normal' },
          expiresAt: SAMPLE_NOW + 35 * 24 * 3600 * 1000,
        },
        wire: wire({ message: plain(2_419_200) }),
        answer: accepted,
        result: { externalId: NAME },
      },
      {
        name: 'an action that is none on the web',
        message: { content: { ...message.content, click_action: 'OPEN_ORDER' } },
        wire: wire({
          message: {
            ...plain(),
            android: {
              priority: 'NORMAL',
              ttl: '3600s',
              notification: { tag: message.id, clickAction: 'OPEN_ORDER' },
            },
            apns: { ...plain().apns, payload: { aps: { category: 'OPEN_ORDER' } } },
          },
        }),
        answer: accepted,
        result: { externalId: NAME },
      },
    ],
    codes: {
      recipient_permanent: ['UNREGISTERED', 'INVALID_ARGUMENT message.token', 'SENDER_ID_MISMATCH'],
      content_permanent: ['INVALID_ARGUMENT'],
      config: [
        'THIRD_PARTY_AUTH_ERROR',
        'APNS_AUTH_ERROR',
        'UNAUTHENTICATED',
        'PERMISSION_DENIED',
        'NOT_FOUND',
        ...OAUTH,
      ],
      throttled: ['QUOTA_EXCEEDED', 'RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED target'],
      transient: ['UNAVAILABLE', 'UNSPECIFIED_ERROR'],
      ambiguous: ['INTERNAL'],
    },
    refusal: (key) => {
      if (OAUTH.includes(key)) return null;
      if (CANONICAL.has(key)) return json(400, { error: { code: 400, message: 'FCM says no', status: key } });
      if (key === 'INVALID_ARGUMENT message.token') {
        const violation = {
          '@type': BAD_REQUEST,
          fieldViolations: [{ field: 'message.token', description: 'Invalid' }],
        };
        return fcmError('INVALID_ARGUMENT', { details: [violation] });
      }
      if (key === 'QUOTA_EXCEEDED target') {
        const violation = { subject: 'device:abc', description: 'Device message rate exceeded' };
        return fcmError('QUOTA_EXCEEDED', { details: [{ '@type': QUOTA, violations: [violation] }] });
      }
      return fcmError(key);
    },
    providerCode: (key) => key.split(' ')[0]!,
    statuses: {},
    callbacks: [],
  });

  describe('answers', () => {
    let server: ScriptedServer;
    let http: UndiciHttpClient;
    let clock: ManualClock;
    let gateway: Gateway;
    let tokens: string[];
    let tokenAnswer: Script;
    const signIns = (): string[] => tokens;
    const sends = () => server.requests.filter((request) => !isSignIn(request));
    const send = (over: Parameters<typeof contextFor>[1] = {}, account = accountA) =>
      gateway.send(message, contextFor(account, over));
    const failure = (over: Parameters<typeof contextFor>[1] = {}, account = accountA) =>
      send(over, account).then(
        () => undefined,
        (error: unknown) => error as GatewayError,
      );

    beforeEach(async () => {
      server = await ScriptedServer.start(accepted);
      tokens = [];
      tokenAnswer = (socket, request) =>
        json(200, { access_token: `token-${tokens.length}`, expires_in: 3599, token_type: 'Bearer' })(socket, request);
      server.aside = {
        matches: isSignIn,
        script: (socket, request) => {
          tokens.push(request.body);
          tokenAnswer(socket, request);
        },
      };
      http = new UndiciHttpClient();
      clock = new ManualClock(SAMPLE_NOW);
      gateway = fcm.create(gatewayDeps({ http, baseUrl: server.origin, clock }));
    });
    afterEach(async () => {
      await http.close();
      await server.close();
    });

    it('signs in with an assertion that the key of the service account has signed', async () => {
      await send();
      const [body] = signIns();
      expect(formValue(decodeForm(body!), 'grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
      const [header, claims, signature] = formValue(decodeForm(body!), 'assertion')!.split('.');
      expect(JSON.parse(Buffer.from(header!, 'base64url').toString())).toEqual({
        alg: 'RS256',
        typ: 'JWT',
        kid: serviceAccountA.private_key_id,
      });
      expect(JSON.parse(Buffer.from(claims!, 'base64url').toString())).toEqual({
        iss: 'unimsg@project-a.iam.gserviceaccount.com',
        scope: 'https://www.googleapis.com/auth/firebase.messaging',
        aud: 'https://oauth2.googleapis.com/token',
        iat: NOW,
        exp: NOW + 3600,
      });
      const key = createPublicKey(serviceAccountA.private_key!);
      const isSigned = verify(
        'RSA-SHA256',
        Buffer.from(`${header}.${claims}`),
        key,
        Buffer.from(signature!, 'base64url'),
      );
      expect(isSigned).toBe(true);
    });

    it('takes the project of the service account where the config names none', async () => {
      await send({}, accountB);
      expect(sends()[0]!.target).toBe('/v1/projects/project-b/messages:send');
    });

    it('asks for one token for many sends, and for the next one shortly before its end', async () => {
      await Promise.all(Array.from({ length: 20 }, () => send()));
      expect(signIns()).toHaveLength(1);
      clock.advance((3599 - 301) * 1000);
      await send();
      expect(signIns()).toHaveLength(1);
      clock.advance(2000);
      await send();
      expect(signIns()).toHaveLength(2);
      expect(sends().at(-1)!.headers.authorization).toBe('Bearer token-2');
    });

    it('asks again for another version of the config, and once it is released', async () => {
      await send();
      await send({ configVersion: 2 });
      await send({ configVersion: 2 });
      expect(signIns()).toHaveLength(2);
      await gateway.release!('cfg_1');
      await send({ configVersion: 2 });
      expect(signIns()).toHaveLength(3);
    });

    it('asks for a new token once when a kept one is refused', async () => {
      await send();
      server.scripts.push(json(401, { error: { code: 401, message: 'no', status: 'UNAUTHENTICATED' } }));
      await expect(send()).resolves.toEqual({ externalId: NAME });
      expect(sends().map(({ headers }) => headers.authorization)).toEqual([
        'Bearer token-1',
        'Bearer token-1',
        'Bearer token-2',
      ]);
      server.fallback = json(401, { error: { code: 401, message: 'no', status: 'UNAUTHENTICATED' } });
      expect(await failure()).toMatchObject({ class: 'config', code: 'bad_credentials', scope: 'account' });
      expect([sends().length, signIns().length]).toEqual([5, 3]);
    });

    it('does not take a refused APNs key for a refused token', async () => {
      await send();
      server.fallback = fcmError('THIRD_PARTY_AUTH_ERROR', { status: 401, word: 'UNAUTHENTICATED' });
      expect(await failure()).toMatchObject({ class: 'config', code: 'push_certificate_refused', scope: 'sender' });
      expect([sends().length, signIns().length]).toEqual([2, 1]);
    });

    it.each<[string, Script, object]>([
      [
        'a refused key',
        json(400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }),
        {
          class: 'config',
          code: 'bad_credentials',
          providerCode: 'invalid_grant',
          providerText: 'Invalid JWT Signature.',
        },
      ],
      [
        'an unknown client',
        json(401, { error: 'invalid_client' }),
        { class: 'config', providerCode: 'invalid_client' },
      ],
      ['a refusal without a word', answer(400, 'no'), { class: 'config', providerCode: 'http_400' }],
      ['too many requests', answer(429, '', { 'retry-after': '4' }), { class: 'throttled', retryAfterMs: 4000 }],
      ['a fault', answer(500, 'oops'), { class: 'transient', providerCode: 'http_500' }],
      ['an unavailable service', answer(503), { class: 'transient' }],
      ['an answer without a token', json(200, { expires_in: 3599 }), { class: 'transient' }],
      ['garbage', answer(200, '<html>'), { class: 'transient' }],
      ['silence', hang, { class: 'transient', providerCode: 'timeout' }],
    ])('sends nothing when signing in ends with %s, and tries again next time', async (_, script, expected) => {
      const good = tokenAnswer;
      tokenAnswer = script;
      expect(await failure({ timeoutMs: 100 })).toMatchObject(expected);
      expect(sends()).toHaveLength(0);
      tokenAnswer = good;
      clock.advance(5_000);
      await expect(send()).resolves.toEqual({ externalId: NAME });
    });

    it('asks for no token for a moment after an account was refused', async () => {
      const good = tokenAnswer;
      tokenAnswer = json(400, { error: 'invalid_grant' });
      const first = await failure();
      tokenAnswer = good;
      clock.advance(4_999);
      expect(await failure()).toBe(first);
      expect(signIns()).toHaveLength(1);
      await expect(send({ configVersion: 2 })).resolves.toEqual({ externalId: NAME });
    });

    it('tells a dead token, a wrong project and a wrong token apart, all of them 404 or 400', async () => {
      server.fallback = fcmError('UNREGISTERED', { status: 404, word: 'NOT_FOUND' });
      expect(await failure()).toMatchObject({ class: 'recipient_permanent', code: 'unregistered_device' });
      server.fallback = json(404, { error: { code: 404, message: 'no project', status: 'NOT_FOUND' } });
      expect(await failure()).toMatchObject({ class: 'config', code: 'unknown_project' });
      server.fallback = fcmError('INVALID_ARGUMENT', {
        text: 'The registration token is not a valid FCM registration token',
      });
      expect(await failure()).toMatchObject({ class: 'recipient_permanent', code: 'invalid_device_token' });
      server.fallback = fcmError('SOMETHING_NEW', { status: 409 });
      expect(await failure()).toMatchObject({ class: 'ambiguous', providerCode: 'SOMETHING_NEW' });
    });

    it.each([
      ['no service account', {}],
      ['no JSON', { service_account_json: 'invalid' }],
      [
        'a key that is none',
        { service_account_json: JSON.stringify({ ...serviceAccountA, private_key: 'secret-text' }) },
      ],
    ])('%s is a fault of the config, and nothing is asked', async (_, credentials) => {
      const error = await failure({}, { settings: {}, credentials: credentials as Record<string, string> });
      expect(error).toMatchObject({ class: 'config', code: 'bad_credentials' });
      expect(JSON.stringify([error, error!.message])).not.toContain('secret-text');
      expect(server.requests).toHaveLength(0);
    });

    it.each([
      ['an account that works', accepted, { healthy: true }],
      [
        'a missing permission',
        json(403, { error: { code: 403, status: 'PERMISSION_DENIED', message: 'no' } }),
        { healthy: false, errorClass: 'config' },
      ],
      ['an unavailable service', answer(503), { healthy: false, errorClass: 'transient' }],
    ])('healthCheck tells %s, and delivers nothing', async (_, script, expected) => {
      server.fallback = script;
      await expect(gateway.healthCheck(contextFor(accountA))).resolves.toMatchObject(expected);
      expect(sends().map(({ body }) => JSON.parse(body).validateOnly)).toEqual([true]);
    });
  });

  describe('credentials', () => {
    const { check } = fcm.credentials.service_account_json!;
    it('takes the JSON that Google gives', () =>
      expect(check!(accountA.credentials.service_account_json!)).toBeUndefined());
    const pem = { type: 'pkcs8', format: 'pem' } as const;
    const withKey = (private_key: string | Buffer) => JSON.stringify({ ...serviceAccountA, private_key });
    it.each([
      ['text', 'secret-text', 'it is no JSON object'],
      ['a list', '["secret-text"]', 'it is no JSON object'],
      ['a web key', '{"apiKey":"secret-text"}', 'project_id'],
      ['no key', JSON.stringify({ ...serviceAccountA, private_key: undefined }), 'private_key'],
      ['no address', JSON.stringify({ ...serviceAccountA, client_email: '' }), 'client_email'],
      [
        'a broken key',
        JSON.stringify({ ...serviceAccountA, private_key: 'secret-text' }),
        'its private key cannot be read',
      ],
      [
        'a key that takes long to sign with',
        withKey(generateKeyPairSync('rsa', { modulusLength: 4104 }).privateKey.export(pem)),
        'more than 4096 bits',
      ],
      [
        'a key of another kind',
        withKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pem)),
        'no RSA key',
      ],
    ])('says what is wrong with %s, and repeats nothing of it', (_, value, fault) => {
      expect(check!(value)).toContain(fault);
      expect(check!(value)).not.toContain('secret-text');
    });
  });

  describe('validate', () => {
    const issues = (content: PushContent) =>
      fcm
        .create(gatewayDeps({ http: new UndiciHttpClient(), baseUrl: '' }))
        .validate({ ...message, content }, {})
        .map(({ field, code }) => [field, code]);
    const { target } = message.content;
    it.each<[string, PushContent, string[][]]>([
      ['everything', full, []],
      ['data alone', { target, data: { a: 'b' } }, []],
      ['nothing', { target }, [['title', 'required']]],
      [
        'data alone with what only a notification has',
        {
          target,
          data: { a: 'b' },
          sound: 'x',
          badge_count: 1,
          click_action: 'x',
          image_url: 'https://x.example/i.png',
        },
        ['image_url', 'badge_count', 'sound', 'click_action'].map((field) => [field, 'needs_notification']),
      ],
      [
        'reserved names',
        { target, data: { from: 'x', message_type: 'x', 'google.x': 'x', 'gcm.notification.x': 'x', google: 'x' } },
        ['from', 'message_type', 'google.x', 'gcm.notification.x'].map((key) => [`data.${key}`, 'reserved']),
      ],
      ['a long collapse key', { target, title: 'x', collapse_key: 'ä'.repeat(33) }, [['collapse_key', 'too_long']]],
      ['4096 bytes', { target, title: 'ä', data: { k: 'x'.repeat(4093) } }, []],
      ['4097 bytes', { target, title: 'ä', data: { k: 'x'.repeat(4094) } }, [['data', 'too_large']]],
      ['a long text', { target, body: 'x'.repeat(4097) }, [['body', 'too_large']]],
      ['2049 bytes to a topic', { topic: 'news', body: 'x'.repeat(2049) }, [['body', 'too_large']]],
    ])('%s', (_, content, expected) => expect(issues(content)).toEqual(expected));
  });
});
