import { gatewayDeps } from '../../../test/support/gateway-deps';
import { ScriptedSmtp } from '../../../test/support/scripted-smtp';
import { UndiciHttpClient } from '../http-client/undici-http-client';
import type { SmtpMail } from './smtp-mail';
import { type PoolLimits, SmtpPool } from './smtp-pool';
import { type SmtpLimit, SmtpSession } from './smtp-session';

const LIMITS: PoolLimits = { perConfig: 2, total: 3, idleMs: 60_000, mailsPerSession: 3 };
const mail: SmtpMail = {
  envelope: { from: 'shop@example.com', to: ['jane@example.net'] },
  bytes: Buffer.from('Subject: Hello\r\n\r\nHello\r\n'),
  needsSmtpUtf8: false,
};

describe('SmtpPool', () => {
  const http = new UndiciHttpClient();
  const { dialer } = gatewayDeps({ http, baseUrl: '' });
  let server: ScriptedSmtp;
  let pools: SmtpPool[];

  const pool = (over: Partial<PoolLimits> = {}): SmtpPool => {
    const made = new SmtpPool({ ...LIMITS, ...over });
    pools.push(made);
    return made;
  };
  const limit = (): SmtpLimit => ({ deadline: performance.now() + 3000, signal: new AbortController().signal });
  const open = (): Promise<SmtpSession> =>
    SmtpSession.open(dialer, { host: '127.0.0.1', port: server.port, tls: 'none' }, limit());
  const keyOf = (configId: string, configVersion = 1) => ({ configId, configVersion });

  beforeEach(async () => {
    server = await ScriptedSmtp.start();
    pools = [];
  });
  afterEach(async () => {
    for (const one of pools) for (const id of ['a', 'b', 'c', 'd']) one.release(id);
    await server.close();
  });
  afterAll(() => http.close());

  it('gives back the session that was used last, to its own config only', async () => {
    const own = pool();
    const [first, second] = [await open(), await open()];
    await own.give(keyOf('a'), first);
    await own.give(keyOf('a'), second);
    expect(own.take(keyOf('b'))).toBeUndefined();
    expect([own.take(keyOf('a')), own.take(keyOf('a')), own.take(keyOf('a'))]).toEqual([second, first, undefined]);
    for (const session of [first, second]) session.destroy();
  });

  it('closes what is over the limit of a config', async () => {
    const own = pool();
    for (const session of [await open(), await open(), await open()]) await own.give(keyOf('a'), session);
    expect(own.size).toBe(2);
    await server.reached('QUIT');
    await server.open(2);
  });

  it('closes what has rested longest when there are too many of all configs', async () => {
    const own = pool();
    const sessions = [await open(), await open(), await open(), await open()];
    for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) await own.give(keyOf(id), sessions[index]!);
    expect(own.size).toBe(3);
    await server.open(3);
    expect(own.take(keyOf('a'))).toBeUndefined();
    expect(own.take(keyOf('b'))).toBe(sessions[1]);
    sessions[1]!.destroy();
  });

  it('closes what has rested too long', async () => {
    const own = pool({ idleMs: 20 });
    await own.give(keyOf('a'), await open());
    await server.reached('QUIT');
    await server.open(0);
    expect([own.size, own.take(keyOf('a'))]).toEqual([0, undefined]);
  });

  it('closes a session that has carried its share of mails', async () => {
    const own = pool();
    let session = await open();
    for (let sent = 0; sent < 3; sent++) {
      await session.send(mail, 'msg_1', limit());
      await own.give(keyOf('a'), session);
      session = own.take(keyOf('a')) ?? session;
    }
    await server.open(0);
    expect(server.taken).toHaveLength(3);
  });

  it('closes sessions of an older version, also those that come back late', async () => {
    const own = pool();
    const [resting, busy] = [await open(), await open()];
    await own.give(keyOf('a', 1), resting);
    expect(own.take(keyOf('a', 2))).toBeUndefined();
    await server.open(1);
    const fresh = await open();
    await own.give(keyOf('a', 2), fresh);
    await own.give(keyOf('a', 1), busy);
    await server.open(1);
    // A call that began with the older version gets none of the newer one's.
    expect(own.take(keyOf('a', 1))).toBeUndefined();
    expect(own.take(keyOf('a', 2))).toBe(fresh);
    fresh.destroy();
  });

  it('forgets a session that the server closes', async () => {
    const own = pool();
    await own.give(keyOf('a'), await open());
    for (const socket of server.sockets) socket.end();
    await server.open(0);
    await expect(open().then((session) => (session.destroy(), own.take(keyOf('a'))))).resolves.toBeUndefined();
    expect(own.size).toBe(0);
  });

  it('releases one config and leaves the others', async () => {
    const own = pool();
    for (const id of ['a', 'b']) await own.give(keyOf(id), await open());
    own.release('a');
    await server.open(1);
    expect([own.size, own.take(keyOf('a'))]).toEqual([1, undefined]);
  });
});
