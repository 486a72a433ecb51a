import { connect } from 'node:net';
import { contextFor, SAMPLE_NOW } from '../contract/provider.contract';
import { gatewayDeps } from '../support/gateway-deps';
import { ScriptedServer } from '../support/scripted-server';
import { smtpAccountA, smtpMessage } from '../support/smtp-samples';
import { until } from '../support/until';
import type { EmailContent, Gateway, GatewayContext, SendResult } from '../../src/gateway/contracts/gateway';
import { STAND_IN_HOST } from '../../src/gateway/contracts/simulator';
import { ManualClock } from '../../src/kernel/clock';
import { Dialer } from '../../src/platform/http-client/dialer';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { Simulator } from '../../src/simulator/simulator';
import { smtp } from '../../src/channels/email/providers/smtp.provider';

describe('the mail server that stands in', () => {
  const http = new UndiciHttpClient();
  let simulator: Simulator;
  let gateway: Gateway;

  beforeEach(async () => {
    simulator = await Simulator.start({ standIn: () => smtp.simulator, socketProviders: ['smtp'], callbackDelayMs: 0 });
    // No private address is allowed: the stand-in is reached all the same, and nothing else.
    const dialer = new Dialer(new SsrfGuard([]), (host) =>
      host === STAND_IN_HOST ? simulator.socketPorts().get('smtp') : undefined,
    );
    gateway = smtp.create(gatewayDeps({ http, baseUrl: '', clock: new ManualClock(SAMPLE_NOW), dialer }));
  });
  afterEach(async () => {
    await gateway.release!('cfg_1');
    await simulator.close();
  });
  afterAll(() => http.close());

  const context = (over: Partial<GatewayContext> = {}, credentials = smtpAccountA.credentials): GatewayContext =>
    contextFor(
      { settings: { ...smtpAccountA.settings, host: STAND_IN_HOST, tls: 'starttls' }, credentials },
      { timeoutMs: 2000, ...over },
    );
  const send = (to: string, content: Partial<EmailContent> = {}, ctx = context()): Promise<SendResult> =>
    gateway.send({ ...smtpMessage, to, content: { ...smtpMessage.content, to: [{ email: to }], ...content } }, ctx);
  const kept = () => simulator.messages({ provider: 'smtp', limit: 10 });

  it('keeps what it got, readable', async () => {
    const html = '<p>Grüße, <b>Jane</b></p>';
    const { externalId } = await send('jane@simulator.test', { text: '.Grüße 😀\n..', html, subject: 'Ü' });
    expect(kept()).toEqual([
      {
        provider: 'smtp',
        externalId,
        to: 'jane@simulator.test',
        from: 'shop@example.com',
        body: '.Grüße 😀\n..',
        reference: smtpMessage.id,
        behaviour: 'delivered',
        accepted: true,
        receivedAt: expect.any(Number),
        callbacks: [],
      },
    ]);
    await send('jörg@simulator.test', { html });
    expect(kept()[0]).toMatchObject({ to: 'jörg@simulator.test', body: expect.stringContaining('Jane') });
  });

  it.each([
    ['invalid-recipient', { class: 'recipient_permanent', providerCode: '550 5.1.1' }, false],
    ['server-error', { class: 'transient', providerCode: '451 4.3.0' }, false],
    ['hang-after-accepting', { class: 'ambiguous', providerCode: 'timeout' }, true],
    ['connection-reset', { class: 'ambiguous', providerCode: 'reset' }, false],
    ['malformed-body', { class: 'ambiguous', providerCode: 'reset' }, true],
  ])('%s', async (name, expected, accepted) => {
    const ctx = context({ timeoutMs: 300 });
    await expect(send(`${name}@simulator.test`, {}, ctx)).rejects.toMatchObject(expected);
    expect(kept()).toMatchObject([{ accepted }]);
  });

  it('throttles the first try only', async () => {
    const to = 'throttled@simulator.test';
    await expect(send(to)).rejects.toMatchObject({ class: 'throttled', providerCode: '451 4.7.0' });
    await expect(send(to)).resolves.toEqual({ externalId: expect.stringContaining(smtpMessage.id) });
    expect(kept().map(({ accepted }) => accepted)).toEqual([true, false]);
  });

  it('refuses secrets that say so, and takes any other, or none', async () => {
    for (const credentials of [
      { username: 'user', password: 'invalid-one' },
      { username: 'invalid-user', password: 'secret' },
    ]) {
      await expect(gateway.healthCheck(context({}, credentials))).resolves.toMatchObject({ errorClass: 'config' });
    }
    await expect(gateway.healthCheck(context())).resolves.toEqual({ healthy: true });
    await expect(gateway.healthCheck(context({}, {}))).resolves.toEqual({ healthy: true });
  });

  it('follows List-Unsubscribe with one click for a recipient who unsubscribes', async () => {
    const server = await ScriptedServer.start();
    try {
      const ctx = context({ callbackUrl: (kind) => `${server.origin}/webhook/smtp/${kind}/cfg_1` });
      await send('unsubscribed@simulator.test', { tracking: { unsubscribe: true } }, ctx);
      await server.waitFor(1);
      expect(server.requests[0]).toMatchObject({
        method: 'POST',
        target: expect.stringMatching(/^\/unsubscribe\/[\w.-]+$/),
        body: 'List-Unsubscribe=One-Click',
      });
      await until('the click is noted', () => kept()[0]!.callbacks.length === 1);
    } finally {
      await server.close();
    }
  });

  it('speaks as mail servers do to other clients too', async () => {
    const socket = connect(simulator.socketPorts().get('smtp')!, '127.0.0.1');
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    const say = async (text: string, answer: RegExp): Promise<void> => {
      heard = '';
      socket.write(text);
      await until(`${JSON.stringify(text)} is answered by ${answer}`, () => answer.test(heard));
    };
    await until('the greeting', () => /^220 .*\r\n$/.test(heard));
    await say('FOO\r\n', /^500 .*\r\n$/);
    await say('RCPT TO:<a@example.com>\r\n', /^503 /);
    await say('DATA\r\n', /^503 /);
    await say('EHLO me\r\n', /^250-simulator\.test\r\n(250-.*\r\n)+250 DSN\r\n$/);
    await say('AUTH LOGIN\r\n', /^334 VXNlcm5hbWU6\r\n$/);
    await say('dXNlcg==\r\n', /^334 UGFzc3dvcmQ6\r\n$/);
    await say(`${Buffer.from('invalid').toString('base64')}\r\n`, /^535 5\.7\.8 /);
    await say('AUTH PLAIN\r\n', /^334 \r\n$/);
    await say('AHVzZXIAc2VjcmV0\r\n', /^235 /);
    await say('AUTH CRAM-MD5\r\n', /^504 /);
    await say('MAIL FROM:bad\r\n', /^501 /);
    await say('MAIL FROM:<a@example.com> FOO=1\r\n', /^555 /);
    await say('MAIL FROM:<a@example.com> SIZE=99999999\r\n', /^552 5\.3\.4 /);
    await say('MAIL FROM:<ü@example.com>\r\n', /^553 5\.6\.7 /);
    await say(
      'MAIL FROM:<a@example.com> ENVID=env+3D1\r\nRCPT TO:<>\r\nRCPT TO:<b@example.com>\r\n',
      /^250 .*\r\n501 .*\r\n250 /,
    );
    await say('RSET\r\nRCPT TO:<b@example.com>\r\n', /^250 .*\r\n503 /);
    await say('MAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n', /354 /);
    await say('.\r\n', /^250 2\.0\.0 Ok: queued as \w+\r\n$/);
    await say('QUIT\r\n', /^221 /);
    expect(kept()).toMatchObject([{ from: '', to: 'b@example.com', body: '', reference: null, accepted: true }]);
    socket.destroy();
  });
});
