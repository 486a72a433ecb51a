import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import {
  close,
  garbage,
  hang,
  reset,
  ScriptedSmtp,
  type SmtpAction,
  type SmtpStep,
} from '../../../test/support/scripted-smtp';
import type { SmtpSettings } from '../../config/app-config';
import { ManualClock } from '../../kernel/clock';
import { Secret } from '../../kernel/secret';
import { Dialer } from '../http-client/dialer';
import { SsrfGuard } from '../http-client/ssrf-guard';
import type { Mail } from './mail';
import { MailStandIn } from './mail-stand-in';
import { MOST_WAITING } from './mail-turns';
import { Mailer, type MailerOptions } from './mailer';

const NOW = Date.parse('2026-11-20T10:00:00Z');
const FIXTURES = join(__dirname, '../../../test/fixtures');
const MAIL: Mail = {
  owner: 'acme',
  from: { email: 'smsin@in.example', name: 'UniMsg' },
  to: 'desk@acme.example',
  subject: 'SMS from +46700000001',
  text: 'hello',
  html: '<p>hello</p>',
  messageId: 'inb_1.nrc_1@in.example',
};

describe('Mailer', () => {
  const servers: ScriptedSmtp[] = [];
  const mailers: Mailer[] = [];
  const counted: string[] = [];
  const standIn = new MailStandIn();

  const start = async (options?: Parameters<typeof ScriptedSmtp.start>[0]): Promise<ScriptedSmtp> => {
    const server = await ScriptedSmtp.start(options);
    servers.push(server);
    return server;
  };
  const mailer = (settings?: Partial<SmtpSettings>, options?: MailerOptions): Mailer => {
    const dialer = new Dialer(new SsrfGuard(['127.0.0.0/8']), (host) =>
      host === standIn.address?.host ? standIn.address.port : undefined,
    );
    const full = settings && { host: '127.0.0.1', port: 25, tls: 'none' as const, ...settings };
    const made = new Mailer(
      'in.example',
      full,
      standIn,
      dialer,
      new ManualClock(NOW),
      (result) => counted.push(result),
      options,
    );
    mailers.push(made);
    return made;
  };

  afterEach(async () => {
    for (const one of mailers.splice(0)) one.close();
    await Promise.all(servers.splice(0).map((server) => server.close()));
    counted.length = 0;
  });

  it('sends text and HTML, attachments and headers, any script intact', async () => {
    const server = await start();
    const outcome = await mailer({ port: server.port }).send({
      ...MAIL,
      subject: 'Grüße — 你好 👋',
      text: 'Line one\r\nline two\n👩‍👩‍👧 ’ä¥\n.dot',
      attachments: [{ filename: 'märz.csv', contentType: 'text/csv', content: 'a;b\n1;€\n' }],
      headers: { 'X-UniMsg-Sequence': '7' },
    });
    expect(outcome).toMatchObject({ at: NOW, sent: true, replyCode: 250 });
    const [taken] = server.taken;
    expect(taken).toMatchObject({ from: 'smsin@in.example', recipients: ['desk@acme.example'], credentials: '' });
    const mail = await PostalMime.parse(taken!.bytes);
    expect(mail).toMatchObject({
      from: { address: 'smsin@in.example', name: 'UniMsg' },
      to: [{ address: 'desk@acme.example' }],
      subject: 'Grüße — 你好 👋',
      messageId: '<inb_1.nrc_1@in.example>',
      date: '2026-11-20T10:00:00.000Z',
    });
    expect(mail.text!.trimEnd()).toBe('Line one\nline two\n👩‍👩‍👧 ’ä¥\n.dot');
    expect(mail.html!.trimEnd()).toBe('<p>hello</p>');
    expect(mail.attachments).toMatchObject([{ filename: 'märz.csv', mimeType: 'text/csv' }]);
    expect(Buffer.from(mail.attachments[0]!.content as ArrayBuffer).toString()).toBe('a;b\n1;€\n');
    expect(mail.headers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: 'x-unimsg-sequence', value: '7' }),
        expect.objectContaining({ key: 'auto-submitted', value: 'auto-generated' }),
      ]),
    );
    expect(counted).toEqual(['sent']);
    expect(taken!.bytes.toString('latin1').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it('lets no value begin another header or another recipient', async () => {
    const server = await start();
    const evil = 'x\r\nBcc: spy@evil.example\r\n\r\nbody';
    await mailer({ port: server.port }).send({
      ...MAIL,
      from: { email: 'smsin@in.example', name: evil },
      subject: evil,
      headers: { 'X-From': evil },
    });
    const [taken] = server.taken;
    expect(taken!.recipients).toEqual(['desk@acme.example']);
    const mail = await PostalMime.parse(taken!.bytes);
    expect(mail.headers.map(({ key }) => key)).not.toContain('bcc');
    expect(mail.text!.trimEnd()).toBe('hello');
  });

  it('uses one connection for mails that follow each other, and several at once up to its limit', async () => {
    const server = await start();
    const own = mailer({ port: server.port }, { connections: 2 });
    for (let n = 0; n < 3; n++) await own.send(MAIL);
    expect(server.connections).toBe(1);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => own.send(MAIL)));
    expect(outcomes.filter(({ sent }) => sent)).toHaveLength(8);
    expect(server.connections).toBe(2);
  });

  const refusals: Array<[SmtpStep, SmtpAction, object]> = [
    ['RCPT', '550 5.1.1 No such user', { failure: 'permanent', error: 'mail_recipient_refused', replyCode: 550 }],
    ['MAIL', '553 5.7.1 Not yours', { failure: 'permanent', error: 'mail_refused', replyCode: 553 }],
    ['END', '554 5.6.0 Spam', { failure: 'permanent', error: 'mail_refused', replyCode: 554 }],
    ['RCPT', '451 4.7.1 Greylisted', { failure: 'transient', error: 'mail_deferred', replyCode: 451 }],
    ['END', '452 4.3.1 Full', { failure: 'transient', error: 'mail_deferred', replyCode: 452 }],
    ['AUTH', '535 5.7.8 Wrong: pa$$word', { failure: 'transient', error: 'mail_login_refused', replyCode: 535 }],
    ['GREETING', '554 No service', { failure: 'transient', error: 'mail_server_refused', replyCode: 554 }],
    ['MAIL', reset, { failure: 'transient', error: 'reset' }],
    ['GREETING', garbage, { failure: 'transient', error: 'protocol' }],
    ['GREETING', close, { failure: 'transient', error: 'reset' }],
    ['END', reset, { failure: 'ambiguous', error: 'mail_no_answer' }],
    ['END', hang, { failure: 'ambiguous', error: 'mail_no_answer' }],
    ['DATA', hang, { failure: 'transient', error: 'timeout' }],
  ];
  it.each(refusals)('says what it means when %s is answered %s', async (step, action, expected) => {
    const server = await start();
    server.script[step] = action;
    const auth = { user: 'me', password: new Secret('pa$$word') };
    const outcome = await mailer({ port: server.port, auth }, { timeoutMs: 400 }).send(MAIL);
    expect(outcome).toMatchObject({ sent: false, ...expected });
    expect(JSON.stringify(outcome)).not.toContain('pa$$word');
    expect(server.taken).toHaveLength(0);
  });

  it('sends nothing, and no password, in clear where TLS is asked for', async () => {
    const server = await start();
    const auth = { user: 'me', password: new Secret('pa$$word') };
    const outcome = await mailer({ port: server.port, tls: 'starttls', auth }).send(MAIL);
    expect(outcome).toMatchObject({ sent: false, failure: 'transient' });
    expect(server.heard).not.toMatch(/AUTH|MAIL/);
  });

  it('does not trust a certificate that nobody signed', async () => {
    const cert = readFileSync(join(FIXTURES, 'self-signed.cert.pem'), 'utf8');
    const key = readFileSync(join(FIXTURES, 'self-signed.key.pem'), 'utf8');
    const server = await start({ tls: { cert, key } });
    const outcome = await mailer({ port: server.port, tls: 'starttls' }).send(MAIL);
    expect(outcome).toMatchObject({ sent: false, failure: 'transient', error: 'certificate' });
    expect(server.taken).toHaveLength(0);
  });

  it('says so when there is no mail server, and goes to the stand-in once there is one', async () => {
    const own = mailer();
    expect(await own.send(MAIL)).toMatchObject({ sent: false, failure: 'transient', error: 'mail_not_configured' });
    const server = await start();
    standIn.listening('simulator.test', server.port);
    expect(await own.send(MAIL)).toMatchObject({ sent: true });
    expect(server.taken).toHaveLength(1);
  });

  it('gives up those that wait for a connection as long as a mail may take', async () => {
    const server = await start();
    server.script.END = hang;
    const own = mailer({ port: server.port }, { connections: 1, timeoutMs: 300 });
    const outcomes = await Promise.all([own.send(MAIL), own.send(MAIL)]);
    expect(outcomes).toMatchObject([
      { sent: false, failure: 'ambiguous', error: 'mail_no_answer' },
      { sent: false, failure: 'transient' },
    ]);
    expect(outcomes[1].latencyMs).toBeLessThan(1000);
  });

  it('lets owners take turns, urgent mails first, and keeps no more of one waiting than is useful', async () => {
    const server = await start();
    const own = mailer({ port: server.port }, { connections: 1 });
    const send = (owner: string, subject: string, urgent = false) => own.send({ ...MAIL, owner, subject, urgent });
    const many = Array.from({ length: MOST_WAITING + 3 }, (_, n) => send('busy', `busy ${n}`));
    const others = [send('calm', 'calm 1'), send('calm', 'calm 2'), send('busy', 'alert', true)];
    const outcomes = await Promise.all([...many, ...others]);
    const subjects = await Promise.all(server.taken.map(async ({ bytes }) => (await PostalMime.parse(bytes)).subject!));
    expect(subjects).toHaveLength(outcomes.filter(({ sent }) => sent).length);
    expect(subjects[1]).toBe('alert');
    expect(Math.max(subjects.indexOf('calm 1'), subjects.indexOf('calm 2'))).toBeLessThan(6);
    const refused = outcomes.filter(({ sent }) => !sent);
    expect(refused).toHaveLength(2);
    expect(refused[0]).toMatchObject({ failure: 'transient', error: 'mail_server_busy' });
  });

  it('ends what is under way when it is closed', async () => {
    const server = await start();
    server.script.END = hang;
    const own = mailer({ port: server.port }, { connections: 1 });
    const both = [own.send(MAIL), own.send(MAIL)];
    await server.reached('END');
    own.close();
    expect(await Promise.all(both)).toMatchObject([
      { sent: false, failure: 'ambiguous' },
      { sent: false, failure: 'transient', error: 'mail_server_busy' },
    ]);
  });
});
