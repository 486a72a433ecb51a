import type {
  SimulatedLife,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { encodeForm } from '../../../kernel/form';
import { assertionOf, readServiceAccount } from './fcm.access-tokens';
import { fcmSimulator, simulatedServiceAccount } from './fcm.simulator';

const NOW = Date.UTC(2026, 10, 22, 8, 0, 0);

/** What a mistake in what UniMsg sends would be told by the stand-in, so that specs with it can fail. */
describe('the stand-in of FCM', () => {
  const account = readServiceAccount(simulatedServiceAccount('acme-app'));
  let now: number;
  let played: SimulatedLife[];
  const port = {
    now: () => now,
    play: (life: SimulatedLife) => {
      played.push(life);
      return life.accepted();
    },
  } as SimulatorPort;
  beforeEach(() => {
    now = NOW;
    played = [];
  });

  const ask = async (path: string, body: string, headers: SimulatorRequest['headers'] = {}) => {
    const request = { method: 'POST', path, query: new URLSearchParams(), headers, body: Buffer.from(body) };
    const answer = (await fcmSimulator.handle(request, port)) as SimulatorAnswer;
    return { status: answer.status, body: JSON.parse(answer.body) };
  };
  const signIn = (assertion: string, grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer') =>
    ask('/oauth/token', encodeForm({ grant_type: grant, assertion }));
  const claim = async (change: object): Promise<string> => {
    const [header, claims, signature] = (await assertionOf(account, NOW)).split('.') as [string, string, string];
    const changed = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), ...change };
    return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
  };
  const token = async (): Promise<string> => (await signIn(await assertionOf(account, now))).body.access_token;
  const send = async (message: object, authorization?: string) =>
    ask('/v1/projects/acme-app/messages:send', JSON.stringify({ message }), {
      authorization: authorization ?? `Bearer ${await token()}`,
    });

  it('gives a token for an assertion that is signed by the key of its key id', async () => {
    await expect(signIn(await assertionOf(account, NOW))).resolves.toEqual({
      status: 200,
      body: { access_token: expect.any(String), expires_in: 3599, token_type: 'Bearer' },
    });
  });

  it.each<[string, () => string | Promise<string>]>([
    [
      'one that another key has signed',
      () => {
        const stranger = readServiceAccount(simulatedServiceAccount('acme-app'));
        return assertionOf({ ...stranger, privateKeyId: account.privateKeyId }, NOW);
      },
    ],
    ['a changed claim', () => claim({ iss: 'other@acme-app.iam.gserviceaccount.com' })],
    ['another audience', () => claim({ aud: 'https://example.com' })],
    ['another scope', () => claim({ scope: 'https://www.googleapis.com/auth/drive' })],
    ['more than an hour', () => claim({ exp: NOW / 1000 + 7200 })],
    ['an old one', () => assertionOf(account, NOW - 3601_000)],
    ['one of tomorrow', () => assertionOf(account, NOW + 24 * 3600_000)],
    ['no signature', async () => (await assertionOf({ ...account, privateKeyId: 'abc' }, NOW)).replace(/[^.]+$/, '')],
    ['an account that is gone', () => assertionOf({ ...account, clientEmail: 'invalid@acme.example' }, NOW)],
    ['nonsense', () => 'nonsense'],
  ])('refuses %s', async (_, assertion) => {
    await expect(signIn(await assertion())).resolves.toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('refuses another grant, a token of its own making and one that has ended', async () => {
    expect((await signIn(await assertionOf(account, NOW), 'password')).body.error).toBe('unsupported_grant_type');
    const message = { token: 'x', notification: { title: 'x' } };
    const kept = `Bearer ${await token()}`;
    expect((await send(message, kept)).status).toBe(200);
    now += 3600_000;
    for (const authorization of [kept, 'Bearer x', 'Basic x', ''])
      expect((await send(message, authorization)).body.error.status).toBe('UNAUTHENTICATED');
    expect(played).toHaveLength(1);
  });

  it.each<[string, object]>([
    ['no address', { notification: { title: 'x' } }],
    ['two addresses', { token: 'x', topic: 'y' }],
    ['a topic with its prefix', { topic: '/topics/news' }],
    ['a field of snake case', { token: 'x', android: { collapse_key: 'k' } }],
    ['an unknown field', { token: 'x', android: { notification: { badge: 1 } } }],
    ['a number as data', { token: 'x', data: { a: 1 } }],
    ['a reserved name', { token: 'x', data: { 'google.a': '1' } }],
    ['a bare number as duration', { token: 'x', android: { ttl: '60' } }],
  ])('refuses %s', async (_, message) => {
    const answer = await send(message);
    expect([answer.status, answer.body.error.details[0].errorCode]).toEqual([400, 'INVALID_ARGUMENT']);
    expect(played).toEqual([]);
  });
});
