import PostalMime from 'postal-mime';
import { ScriptedSmtp } from '../../test/support/scripted-smtp';
import { createTestDatabase, type TestDatabase } from '../../test/support/test-database';
import { ManualClock } from '../kernel/clock';
import { silentLogger } from '../kernel/logger';
import { Problem } from '../kernel/problem';
import { AlertBook, type NewAlert } from '../platform/alerts/alert-book';
import { EventSignal, EventStore } from '../platform/events/event-store';
import { Dialer } from '../platform/http-client/dialer';
import { SsrfGuard } from '../platform/http-client/ssrf-guard';
import { MailStandIn } from '../platform/mailer/mail-stand-in';
import { Mailer } from '../platform/mailer/mailer';
import type { TenantSnapshot } from '../tenancy/tenant-directory';
import { AlertMailer } from './alert-mailer';

const MINUTE = 60_000;

describe('AlertMailer', () => {
  let test: TestDatabase;
  let smtp: ScriptedSmtp;
  let mailers: Mailer[];
  let emails: Record<string, string[]>;
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const book = new AlertBook(new EventStore(new EventSignal()));

  /** A process. */
  const worker = (operatorEmails: string[] = []): AlertMailer => {
    const dialer = new Dialer(new SsrfGuard(['127.0.0.0/8']));
    const settings = { host: '127.0.0.1', port: smtp.port, tls: 'none' as const };
    const mailer = new Mailer('in.example', settings, new MailStandIn(), dialer, clock);
    mailers.push(mailer);
    return new AlertMailer({
      database: test.database,
      mailer,
      tenants: {
        get: async (clientId) => {
          if (!(clientId in emails)) throw Problem.notFound('tenant');
          return { settings: { alertEmails: emails[clientId] } } as unknown as TenantSnapshot;
        },
      },
      operatorEmails,
      publicUrl: { get: () => 'https://unimsg.example' },
      clock,
      logger: silentLogger,
    });
  };
  const alert = (more: Partial<NewAlert> = {}): NewAlert => ({
    clientId: 'acme_1',
    alert: 'receiver_slow',
    subject: 'nrc_1',
    detail: 'It took 7 seconds.',
    occurredAt: clock.now(),
    ...more,
  });
  const raise = (...alerts: NewAlert[]) => test.database.transaction((tx) => book.raise(tx, alerts));
  const clear = (more: Partial<NewAlert> = {}) => test.database.transaction((tx) => book.clear(tx, alert(more)));
  const left = () => test.database.query('SELECT step, audience, tries, last_error FROM alert_mails ORDER BY 1, 2');
  const mails = () =>
    Promise.all(
      smtp.taken.map(async ({ bytes }) => {
        const { to, subject, text, html, messageId } = await PostalMime.parse(bytes);
        return { to: to?.map(({ address }) => address).join(), subject, text, html, messageId };
      }),
    );

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  beforeEach(async () => {
    smtp = await ScriptedSmtp.start();
    mailers = [];
    emails = { acme_1: ['ops@acme.example'] };
  });
  afterEach(async () => {
    for (const mailer of mailers) mailer.close();
    await smtp.close();
    await test.database.execute('TRUNCATE alerts, alert_mails, events');
  });
  afterAll(() => test.drop());

  it('tells every address of the tenant and the operator of the beginning and of the end, each once', async () => {
    emails.acme_1 = ['ops@acme.example', 'boss@acme.example'];
    const mailer = worker(['root@unimsg.example']);
    await raise(alert());
    await mailer.run();
    await clear({ detail: 'It answers in time again.' });
    await mailer.run();
    await mailer.run();
    const sent = await mails();
    expect(sent.map(({ to, subject }) => `${to} ${subject}`).sort()).toEqual(
      ['boss@acme.example', 'ops@acme.example', 'root@unimsg.example'].flatMap((to) => [
        `${to} [UniMsg] Alert: Receiver is slow (nrc_1)`,
        `${to} [UniMsg] Over: Receiver is slow (nrc_1)`,
      ]),
    );
    expect(sent[0]!.text).toContain('What: It took 7 seconds.');
    expect(sent[0]!.text).toMatch(/https:\/\/unimsg\.example\/v1\/alerts\/alr_/);
    expect(sent.find(({ subject }) => subject?.includes('Over'))!.text).toContain('Over: It answers in time again.');
    expect(await left()).toEqual([]);
  });

  it('mails once when eight processes look at the same time', async () => {
    await raise(...Array.from({ length: 3 }, (_, index) => alert({ clientId: `t_${index}` })));
    for (let index = 0; index < 3; index++) emails[`t_${index}`] = [`${index}@acme.example`];
    await Promise.all(Array.from({ length: 8 }, () => worker(['root@unimsg.example']).run()));
    const to = (await mails()).map((mail) => String(mail.to)).sort();
    expect(to).toEqual(['0@acme.example', '1@acme.example', '2@acme.example', ...Array(3).fill('root@unimsg.example')]);
  });

  it('tries again with a growing wait, those that have it not again, and gives up in the end', async () => {
    emails.acme_1 = ['ops@acme.example', 'boss@acme.example'];
    // The first address is taken, the second one is put off twice.
    const replies = [undefined, '451 4.3.0 later', '451 4.3.0 later'];
    Object.defineProperty(smtp.script, 'RCPT', { get: () => replies.shift(), configurable: true });
    const mailer = worker();
    await raise(alert());
    await mailer.run();
    await mailer.run();
    expect(await left()).toEqual([{ step: 'raised', audience: 'tenant', tries: 1, last_error: 'mail_deferred' }]);
    clock.advance(2 * MINUTE);
    await mailer.run();
    expect(await left()).toMatchObject([{ tries: 2 }]);
    clock.advance(2 * MINUTE);
    await mailer.run();
    expect(await left()).toMatchObject([{ tries: 2 }]);
    clock.advance(5 * MINUTE);
    await mailer.run();
    const to = (await mails()).map((mail) => mail.to);
    expect(to).toEqual(['ops@acme.example', 'boss@acme.example']);
    expect(await left()).toEqual([]);

    Object.defineProperty(smtp.script, 'RCPT', { value: '451 4.3.0 later' });
    await raise(alert({ subject: 'nrc_2' }));
    for (let hour = 0; hour < 24 * 4; hour++) {
      await mailer.run();
      clock.advance(60 * MINUTE);
    }
    expect([await left(), smtp.taken.length]).toEqual([[], 2]);
  });

  it('sends what a process had in hand that died, after its lease, with the same Message-ID', async () => {
    const settle = jest.spyOn(test.database, 'execute').mockRejectedValue(new Error('killed'));
    await raise(alert());
    await expect(worker().run()).rejects.toThrow('killed');
    settle.mockRestore();
    const other = worker();
    await other.run();
    expect(smtp.taken).toHaveLength(1);
    clock.advance(16 * MINUTE);
    await other.run();
    const [first, second] = await mails();
    expect(second).toEqual(first);
    expect(await left()).toEqual([]);
  });

  it('tells of the end only after the beginning', async () => {
    smtp.script.RCPT = '451 4.3.0 later';
    const mailer = worker();
    await raise(alert());
    await mailer.run();
    await clear();
    delete smtp.script.RCPT;
    await mailer.run();
    expect(smtp.taken).toHaveLength(0);
    clock.advance(2 * MINUTE);
    await mailer.run();
    await mailer.run();
    expect((await mails()).map(({ subject }) => subject)).toEqual([
      '[UniMsg] Alert: Receiver is slow (nrc_1)',
      '[UniMsg] Over: Receiver is slow (nrc_1)',
    ]);
  });

  it('puts many at once into one mail, so that a failing provider fills no mailbox', async () => {
    await raise(...Array.from({ length: 30 }, (_, index) => alert({ subject: `nrc_${index}` })));
    await worker().run();
    const [mail, ...more] = await mails();
    expect([mail!.subject, more]).toEqual(['[UniMsg] 30 alerts: Receiver is slow', []]);
    for (let index = 0; index < 30; index++) expect(mail!.text).toContain(`About: nrc_${index}\n`);
  });

  it('forgets mails that nobody wants, and those of a tenant that is gone', async () => {
    emails.acme_1 = [];
    await raise(alert(), alert({ clientId: 'gone_1' }));
    await worker().run();
    expect([await left(), smtp.taken]).toEqual([[], []]);
  });

  it('keeps what others wrote from becoming a header or HTML', async () => {
    await raise(
      alert({
        alert: 'inbound_unmatched',
        subject: '+39\r\nBcc: all@evil.example',
        detail: '<img src=x onerror=alert(1)> & "q"\r\n.\r\nQUIT',
      }),
    );
    await worker().run();
    expect(smtp.taken.map(({ recipients }) => recipients)).toEqual([['ops@acme.example']]);
    const raw = smtp.taken[0]!.bytes.toString();
    expect(raw.slice(0, raw.indexOf('\r\n\r\n'))).not.toMatch(/^Bcc:/im);
    const [mail] = await mails();
    expect(mail!.html).toContain('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;q&quot;');
    expect(mail!.html).not.toContain('<img');
    expect(mail!.text).toContain('.\nQUIT');
  });
});
