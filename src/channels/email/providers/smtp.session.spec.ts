import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { contextFor, type SampleAccount, SAMPLE_NOW } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import {
  close,
  garbage,
  hang,
  reset,
  ScriptedSmtp,
  type ScriptedSmtpOptions,
  SMTP_STEPS,
  type SmtpAction,
  type SmtpStep,
} from '../../../../test/support/scripted-smtp';
import { smtpAccountA, smtpMessage } from '../../../../test/support/smtp-samples';
import type { EmailContent, Gateway, GatewayContext, SendResult } from '../../../gateway/contracts/gateway';
import { type ErrorClass, GatewayError } from '../../../gateway/contracts/gateway-error';
import { ManualClock } from '../../../kernel/clock';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { smtp } from './smtp.provider';

const FIXTURES = `${__dirname}/../../../../test/fixtures`;
const cert = readFileSync(`${FIXTURES}/self-signed.cert.pem`, 'utf8');
const key = readFileSync(`${FIXTURES}/self-signed.key.pem`, 'utf8');

describe('an SMTP session', () => {
  const http = new UndiciHttpClient();
  const servers: ScriptedSmtp[] = [];
  let gateway: Gateway;
  let server: ScriptedSmtp;

  const start = async (options?: ScriptedSmtpOptions): Promise<ScriptedSmtp> => {
    server = await ScriptedSmtp.start(options);
    servers.push(server);
    return server;
  };
  const context = (settings: Record<string, unknown> = {}, over: Partial<GatewayContext> = {}): GatewayContext => {
    const account: SampleAccount = {
      settings: { ...smtpAccountA.settings, host: '127.0.0.1', port: server.port, ...settings },
      credentials: smtpAccountA.credentials,
    };
    return contextFor(account, over);
  };
  const send = (ctx = context(), content: Partial<EmailContent> = {}): Promise<SendResult> =>
    gateway.send({ ...smtpMessage, content: { ...smtpMessage.content, ...content } }, ctx);
  const failure = async (ctx = context(), content: Partial<EmailContent> = {}): Promise<GatewayError> => {
    const error: unknown = await send(ctx, content).then(
      () => new Error('accepted'),
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(GatewayError);
    return error as GatewayError;
  };

  beforeEach(async () => {
    gateway = smtp.create(gatewayDeps({ http, baseUrl: '', clock: new ManualClock(SAMPLE_NOW) }));
    await start();
  });
  afterEach(async () => {
    await gateway.release!('cfg_1');
    await Promise.all(servers.splice(0).map((one) => one.close()));
  });
  afterAll(() => http.close());

  // Every step, whatever can happen there. `STARTTLS` has a server of its own.
  const faults: Array<[string, SmtpAction]> = [
    ['a reset', reset],
    ['a close', close],
    ['no answer', hang],
    ['garbage', garbage],
    ['another protocol', 'HTTP/1.1 400 Bad Request'],
    ['half a reply', (socket) => void socket.end('250-half')],
    ['a refusal for now', '451 4.3.0 Local error'],
    ['a refusal for good', '599 No'],
    ['421', '421 4.7.0 Try again later, closing connection'],
  ];
  const REFUSED: Record<SmtpStep, ErrorClass> = {
    GREETING: 'config',
    EHLO: 'config',
    STARTTLS: 'config',
    AUTH: 'config',
    MAIL: 'config',
    RCPT: 'config',
    DATA: 'content_permanent',
    END: 'content_permanent',
  };
  const expected = (step: SmtpStep, what: string): ErrorClass | 'accepted' => {
    // A server that does not know EHLO is asked with HELO.
    const isSaid = ['a refusal for good', 'a refusal for now', 'garbage', 'another protocol'].includes(what);
    if (step === 'EHLO' && isSaid) return 'accepted';
    if (what === 'a refusal for good') return REFUSED[step];
    if (what === 'a refusal for now') return 'transient';
    if (what === '421') return 'throttled';
    return step === 'END' ? 'ambiguous' : 'transient';
  };
  const steps = SMTP_STEPS.filter((step) => step !== 'STARTTLS');
  const cases = steps.flatMap((step) => faults.map(([what, action]) => [what, step, action] as const));

  it.each(cases)('%s at %s leads to its class', async (what, step, action) => {
    server.script[step] = action;
    const outcome = await send(context({}, { timeoutMs: what === 'no answer' ? 150 : 1500 })).then(
      () => 'accepted',
      (error: GatewayError) => error.class,
    );
    expect(outcome).toBe(expected(step, what));
    expect(server.taken).toHaveLength(outcome === 'accepted' ? 1 : 0);
  });

  it('takes any success after the end of the mail for one', async () => {
    server.script.END = '299 Fine';
    await expect(send()).resolves.toEqual({ externalId: `<${smtpMessage.id}@example.com>` });
  });

  it('gives a mail for lost whose end did not reach the server: a reset in the middle', async () => {
    let seen = 0;
    server.script.DATA = (socket) => {
      socket.removeAllListeners('data');
      socket.write('354 Go ahead\r\n');
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 100_000) socket.resetAndDestroy();
      });
    };
    const content = Buffer.alloc(5_000_000, 'x').toString('base64');
    const attachments = [{ filename: 'big.bin', content_type: 'application/octet-stream', content }];
    expect(await failure(context(), { attachments })).toMatchObject({ class: 'transient', providerCode: 'reset' });
    expect(server.taken).toEqual([]);
  });

  describe('for several recipients', () => {
    const to = ['a', 'b', 'c'].map((name) => ({ email: `${name}@example.net` }));
    const refuse = (replies: Record<string, string>): SmtpAction => {
      return (socket, line) => {
        const name = /<(\w)@/.exec(line)![1]!;
        socket.write(`${replies[name] ?? '250 2.1.5 Ok'}\r\n`);
      };
    };

    it.each([true, false])('sends to none when one is refused; with pipelining: %p', async (pipelining) => {
      if (!pipelining) server.extensions = [];
      server.script.RCPT = refuse({ b: '550 5.1.1 <b@example.net>: no such user' });
      server.script.DATA = (socket) => void socket.write('354 Go ahead\r\n');
      expect(await failure(context(), { to })).toMatchObject({
        class: 'recipient_permanent',
        code: 'invalid_recipient',
        providerCode: '550 5.1.1',
        providerText: '550 5.1.1 <b@example.net>: no such user',
        bounced: 'b@example.net',
      });
      expect(server.heard).not.toContain('Subject:');
      await server.open(0);
    });

    it.each<[string, string, string | undefined]>([
      ['c', '550 5.2.1 The account is disabled', 'c@example.net'],
      ['c', '550 No such user here', 'c@example.net'],
      ['a', '550 <a@example.net>: Recipient address rejected: User unknown in local table', 'a@example.net'],
      ['b', '550 Relaying denied', undefined],
      ['b', '550 Blocked by Spamhaus', undefined],
      ['b', '550 5.7.1 Relaying denied for unknown user', undefined],
      ['b', '551 not here', undefined],
      ['b', '552 5.2.2 Mailbox full', undefined],
      ['b', '450 4.1.1 no such user', undefined],
    ])('says of %s, refused by “%s”, whether the mailbox is gone', async (name, reply, bounced) => {
      server.script.RCPT = refuse({ [name]: reply });
      expect((await failure(context(), { to })).bounced).toBe(bounced);
    });

    it('names who is refused as the message does, also where the server is told another spelling', async () => {
      const other = [{ email: 'a@example.net' }, { email: 'b@bücher.example' }];
      server.script.RCPT = refuse({ b: '550 5.1.1 no such user' });
      expect((await failure(context(), { to: other })).bounced).toBe('b@bücher.example');
    });

    it('takes the refusal for good when another is for now', async () => {
      server.script.RCPT = refuse({ a: '450 4.2.1 busy', c: '551 not here' });
      expect(await failure(context(), { to })).toMatchObject({ class: 'recipient_permanent', providerCode: '551' });
    });

    it('waits when all refusals are for now', async () => {
      server.script.RCPT = refuse({ b: '450 4.7.1 grey-listed' });
      expect(await failure(context(), { to })).toMatchObject({ class: 'transient', code: 'deferred' });
    });
  });

  describe('and what the server offers', () => {
    it('does not send an address that is not ASCII without SMTPUTF8', async () => {
      server.extensions = ['PIPELINING'];
      const error = await failure(context(), { to: [{ email: 'jörg@example.net' }] });
      expect(error).toMatchObject({ class: 'config', scope: 'sender', code: 'international_address_refused' });
      expect(server.steps).not.toContain('MAIL');
    });

    it('does not send what is larger than SIZE', async () => {
      server.extensions = ['SIZE 300'];
      expect(await failure(context(), { text: 'x'.repeat(300) })).toMatchObject({
        class: 'content_permanent',
        code: 'too_large',
      });
      expect(server.steps).not.toContain('MAIL');
    });

    it('asks for no report where DSN is not offered', async () => {
      server.extensions = [];
      await send();
      expect(server.heard).toContain('MAIL FROM:<shop@example.com>\r\n');
      expect(server.heard).toContain('RCPT TO:<jane@example.net>\r\n');
    });

    it('authenticates by LOGIN where there is no PLAIN', async () => {
      server.script.EHLO = (socket) => void socket.write('250-mx.example.com\r\n250 AUTH LOGIN\r\n');
      await send();
      expect(server.taken).toMatchObject([{ credentials: 'user-a:secret-a-7261' }]);
    });

    it('needs both halves of the credentials, or none', async () => {
      const half = { ...context(), credentials: { username: context().credentials.username } };
      expect(await failure(half)).toMatchObject({ class: 'config', code: 'bad_credentials' });
      expect(server.connections).toBe(0);
      await send({ ...context(), credentials: {} });
      expect(server.taken).toMatchObject([{ credentials: '' }]);
    });
  });

  describe('with TLS', () => {
    const authorities = tls.getCACertificates('default');
    const trust = (): void => tls.setDefaultCACertificates([...authorities, cert]);
    afterEach(() => tls.setDefaultCACertificates(authorities));
    const offered = { key, cert };

    it.each([
      ['starttls', { tls: offered }],
      ['implicit', { tls: { ...offered, implicit: true } }],
    ])('%s: says nothing of worth before the connection is secure', async (mode, options) => {
      trust();
      await start(options);
      await send(context({ host: 'localhost', tls: mode }));
      expect(server.taken).toMatchObject([{ secure: true, credentials: 'user-a:secret-a-7261' }]);
      expect(server.heardInClear.replace(/EHLO \S+\r\n/, '')).toBe(mode === 'starttls' ? 'STARTTLS\r\n' : '');
    });

    it.each(['starttls', 'implicit'])('%s: refuses a certificate of nobody known', async (mode) => {
      await start({ tls: { ...offered, implicit: mode === 'implicit' } });
      expect(await failure(context({ host: 'localhost', tls: mode }))).toMatchObject({
        class: 'config',
        scope: 'account',
        code: 'certificate_refused',
        providerText: expect.stringContaining('self-signed certificate'),
      });
      expect(server.taken).toEqual([]);
      expect(server.heard).not.toContain('AUTH');
    });

    it.each(['starttls', 'implicit'])('%s: refuses a certificate of another host', async (mode) => {
      trust();
      await start({ tls: { ...offered, implicit: mode === 'implicit' } });
      expect(await failure(context({ host: '127.0.0.1', tls: mode }))).toMatchObject({
        class: 'config',
        code: 'certificate_refused',
      });
      expect(server.heard).not.toContain('AUTH');
    });

    it.each([
      ['no STARTTLS', '250 mx.example.com'],
      ['no EHLO', '502 5.5.1 What?'],
    ])('starttls: does not go on in clear with a server that offers %s', async (_, ehlo) => {
      server.script.EHLO = ehlo;
      const error = await failure(context({ tls: 'starttls' }));
      expect(error).toMatchObject({ class: 'config', scope: 'account' });
      expect(server.heard).not.toMatch(/AUTH|MAIL/);
    });

    it('starttls: forgets what was said before the handshake', async () => {
      trust();
      await start({ tls: offered });
      server.script.STARTTLS = (socket) => {
        socket.removeAllListeners('data');
        socket.write('220 Ready\r\n250-injected\r\n250 SIZE 1\r\n');
        const secure = server.secure(socket);
        secure.on('error', () => undefined);
        secure.on('data', (chunk: Buffer) => {
          server.heard += chunk.toString();
          if (chunk.toString().startsWith('EHLO')) secure.write('250-mx.example.com\r\n250 AUTH PLAIN\r\n');
          else secure.write('535 5.7.8 reached\r\n');
        });
      };
      expect(await failure(context({ host: 'localhost', tls: 'starttls' }))).toMatchObject({
        providerCode: '535 5.7.8',
      });
    });

    it.each(faults.filter(([what]) => !['a refusal for good', '421'].includes(what)))(
      'starttls: %s is transient',
      async (_, action) => {
        await start({ tls: offered });
        server.script.STARTTLS = action;
        const ctx = context({ host: 'localhost', tls: 'starttls' }, { timeoutMs: 150 });
        expect(await failure(ctx)).toMatchObject({ class: 'transient' });
        expect(server.heard).not.toMatch(/AUTH|MAIL/);
      },
    );

    it('a handshake that is cut or never answered is transient', async () => {
      await start({ tls: offered });
      for (const cut of [reset, hang]) {
        server.script.STARTTLS = (socket, line) => {
          socket.removeAllListeners('data');
          socket.write('220 Ready\r\n');
          if (cut === reset) socket.once('data', () => (reset as (s: typeof socket, l: string) => void)(socket, line));
        };
        const ctx = context({ host: 'localhost', tls: 'starttls' }, { timeoutMs: 200 });
        expect(await failure(ctx)).toMatchObject({ class: 'transient' });
      }
    });
  });

  describe('that rests', () => {
    it('carries the next mail, and one after a refused recipient', async () => {
      await send();
      server.script.RCPT = '550 5.1.1 No such user';
      expect(await failure()).toMatchObject({ class: 'recipient_permanent' });
      delete server.script.RCPT;
      await server.reached('RSET');
      // A whole conversation beside it, by the end of which the answer to RSET has been read.
      await gateway.healthCheck(context());
      expect(server.connections).toBe(2);
      await send();
      expect([server.connections, server.taken.length]).toEqual([2, 2]);
    });

    it.each([
      ['a reset', reset],
      ['a close', close],
      ['421', '421 4.4.2 Idle for too long'],
    ])('is replaced when the server gives it up at the next mail by %s', async (_, action) => {
      await send();
      server.script.MAIL = (socket, line) => {
        delete server.script.MAIL;
        if (typeof action === 'string') socket.end(`${action}\r\n`);
        else action(socket, line);
      };
      await send();
      expect([server.connections, server.taken.length]).toEqual([2, 2]);
    });

    it('is not replaced twice', async () => {
      await send();
      server.script.MAIL = reset;
      expect(await failure()).toMatchObject({ class: 'transient', providerCode: 'reset' });
      expect(server.connections).toBe(2);
    });

    it('is replaced when the server closed it meanwhile', async () => {
      await send();
      for (const socket of server.sockets) socket.end('421 4.4.2 Idle for too long\r\n');
      await server.open(0);
      await send();
      expect([server.connections, server.taken.length]).toEqual([2, 2]);
    });

    it('is closed with QUIT when the config is released', async () => {
      await send();
      await gateway.release!('cfg_1');
      await server.reached('QUIT');
      await server.open(0);
      await send();
      expect(server.connections).toBe(2);
    });

    it('is not used again after a mail whose fate is unknown', async () => {
      server.script.END = garbage;
      expect(await failure()).toMatchObject({ class: 'ambiguous' });
      await server.open(0);
      delete server.script.END;
      await send();
      expect(server.connections).toBe(2);
    });
  });

  describe('for a health check', () => {
    it('connects, authenticates and leaves, without a mail', async () => {
      await expect(gateway.healthCheck(context())).resolves.toEqual({ healthy: true });
      await server.reached('QUIT');
      expect(server.steps).toEqual(['GREETING', 'EHLO', 'AUTH', 'QUIT']);
    });

    it.each([
      ['wrong credentials', 'AUTH', '535 5.7.8 Wrong', 'config'],
      ['a server that is busy', 'GREETING', '421 Busy', 'transient'],
      ['a server that says nothing', 'GREETING', hang, 'transient'],
    ] as const)('tells %s', async (_, step, action, errorClass) => {
      server.script[step] = action;
      await expect(gateway.healthCheck(context({}, { timeoutMs: 300 }))).resolves.toEqual({
        healthy: false,
        errorClass,
        error: expect.stringMatching(/^SMTP: /),
      });
    });
  });
});
