import { parse } from 'csv-parse/sync';
import PostalMime, { type Email } from 'postal-mime';
import { ScriptedSmtp } from '../../../test/support/scripted-smtp';
import { sampleFigures } from '../../../test/support/report-samples';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { ManualClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import { Dialer } from '../../platform/http-client/dialer';
import { SsrfGuard } from '../../platform/http-client/ssrf-guard';
import { MailStandIn } from '../../platform/mailer/mail-stand-in';
import { Mailer } from '../../platform/mailer/mailer';
import { MAIL_LADDER, ReportMails } from './report-mails';
import { ReportMaker } from './report-maker';
import { ReportSchedulesService } from './report-schedules.service';
import { ReportStore, type DeliveryRow } from './report-store';

const ACME = 'acme_0123456789abcdef';
const DAY = 86_400_000;
const NOON = Date.parse('2026-03-29T12:00:00Z');

describe('ReportMails', () => {
  const clock = new ManualClock(NOON);
  let db: TestDatabase;
  let server: ScriptedSmtp;
  let mailer: Mailer;
  let schedules: ReportSchedulesService;

  const mails = (by: Mailer = mailer): ReportMails => new ReportMails(db.database, by, clock, silentLogger);
  const deliveries = async (): Promise<DeliveryRow[]> => {
    const all = await new ReportStore(db.database).list(ACME, undefined, undefined, 10);
    return all.flatMap((one) => one.deliveries);
  };
  const taken = (): Promise<Email[]> => Promise.all(server.taken.map(({ bytes }) => PostalMime.parse(bytes)));
  /** Makes the report of 29 March, for these addresses. */
  const report = async (to: string[], format: 'csv' | 'json' = 'csv'): Promise<void> => {
    const deliver = to.map((one) => ({ type: 'email' as const, to: one }));
    await schedules.create(ACME, { period: 'daily', timeZone: 'Europe/Rome', at: '07:30', format, deliver });
    clock.set(Date.parse('2026-03-30T05:30:00Z'));
    const figures = sampleFigures(db.database);
    const maker = new ReportMaker(db.database, figures, new EventStore(new EventSignal()), clock, silentLogger);
    expect(await maker.run()).toBe(1);
  };

  beforeAll(async () => {
    db = await createTestDatabase();
    schedules = new ReportSchedulesService(db.database, clock);
    await db.database.execute(
      `INSERT INTO tenants (client_id, name, slug, webhook_signing_secret, created_at, updated_at)
       VALUES ($1, 'Acme <b>& Söns</b>', 'x', 'x', now(), now())`,
      [ACME],
    );
    await db.database.execute(
      `INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, messages, segments, unique_opens, opens, currency, amount)
       VALUES ($1, '2026-03-29T10:00Z', 'cfg_1', 'email', 'delivered', 4100, 0, 1596, 2100, 'EUR', 12.345), ($1, '2026-03-29T11:00Z', 'cfg_1', 'email', 'failed', 100, 0, 0, 0, NULL, NULL)`,
      [ACME],
    );
  });

  beforeEach(async () => {
    clock.set(NOON);
    server = await ScriptedSmtp.start();
    const settings = { host: '127.0.0.1', port: server.port, tls: 'none' as const };
    const dialer = new Dialer(new SsrfGuard(['127.0.0.0/8']), () => undefined);
    mailer = new Mailer('mail.example', settings, new MailStandIn(), dialer, clock);
  });

  afterEach(async () => {
    mailer.close();
    await server.close();
    await db.database.query('TRUNCATE report_schedules, usage_reports, report_deliveries');
  });

  afterAll(() => db.drop());

  test('mails figures that can be read with and without HTML, and the report as a file', async () => {
    await report(['desk@acme.example', 'boss@acme.example']);
    expect(await mails().run()).toBe(2);
    expect(server.taken.map(({ recipients }) => recipients.join()).sort()).toEqual([
      'boss@acme.example',
      'desk@acme.example',
    ]);
    const [mail] = await taken();
    expect(mail).toMatchObject({
      from: { address: 'reports@mail.example', name: 'UniMsg reports' },
      subject: 'Acme <b>& Söns</b>: usage on 29 March 2026, 4,200 sent, 97.6% delivered',
    });
    for (const said of [
      '23 hours',
      'clocks went forward',
      '4,200',
      '97.6%',
      '38.9%',
      'green, 40.0% left',
      '12.345 EUR',
      '00:00 +01:00',
    ]) {
      expect(mail!.text).toContain(said);
      expect(mail!.html).toContain(said);
    }
    expect(mail!.html).toContain('Acme &lt;b&gt;&amp; Söns&lt;/b&gt;');
    // Nothing is loaded from anywhere, and nothing runs.
    expect(mail!.html).not.toMatch(/<(img|link|script|style|iframe|b>)|url\(|https?:|\ssrc=|\shref=/i);
    expect(mail!.attachments).toMatchObject([{ filename: 'usage-2026-03-29.csv', disposition: 'attachment' }]);
    expect(mail!.attachments[0]!.mimeType).toBe('text/csv');
    const file = Buffer.from(mail!.attachments[0]!.content as ArrayBuffer).toString();
    const [total] = parse(file, { columns: true }) as Array<Record<string, string>>;
    expect(total).toMatchObject({
      group: 'total',
      from: '2026-03-29T00:00:00.000+01:00',
      sends: '4200',
      failed: '100',
    });
    expect(await deliveries()).toMatchObject([
      { status: 'sent', next_attempt_at: null, attempt_log: [{ reply: expect.stringContaining('250') }] },
      { status: 'sent' },
    ]);
    expect(await mails().run()).toBe(0);
  });

  test('attaches JSON where the schedule says so', async () => {
    await report(['desk@acme.example'], 'json');
    await mails().run();
    const [mail] = await taken();
    expect(mail!.attachments).toMatchObject([{ filename: 'usage-2026-03-29.json', mimeType: 'application/json' }]);
    const file = JSON.parse(Buffer.from(mail!.attachments[0]!.content as ArrayBuffer).toString()) as object;
    expect(file).toMatchObject({ hours: 23, totals: { sends: 4200, unique_opens: 1596 } });
  });

  test('sends each mail once although several processes look at the same moment', async () => {
    await report(Array.from({ length: 10 }, (_, n) => `r${n}@acme.example`));
    const tried = await Promise.all([mails().run(), mails().run(), mails().run()]);
    expect(tried.reduce((sum, one) => sum + one)).toBe(10);
    expect(new Set(server.taken.map(({ recipients }) => recipients[0])).size).toBe(10);
    expect(server.taken).toHaveLength(10);
  });

  test('tries again along the ladder with the same Message-ID, keeps every try, and gives up after the last', async () => {
    await report(['desk@acme.example']);
    server.script.END = '451 4.7.1 Greylisted';
    const started = clock.now();
    for (let n = 0; n <= MAIL_LADDER.delaysMs.length; n++) {
      expect(await mails().run()).toBe(1);
      expect(await mails().run()).toBe(0);
      const [one] = await deliveries();
      expect(one).toMatchObject({ attempts: n + 1, status: n === MAIL_LADDER.delaysMs.length ? 'failed' : 'pending' });
      if (one!.next_attempt_at !== null) clock.set(one!.next_attempt_at);
    }
    const [failed] = await deliveries();
    expect(failed!.attempt_log).toHaveLength(9);
    expect(
      failed!.attempt_log.every(({ error, reply }) => error === 'mail_deferred' && reply!.includes('Greylisted')),
    ).toBe(true);
    expect(failed!.next_attempt_at).toBeNull();
    expect(clock.now() - started).toBeGreaterThan(1.5 * DAY);
    const ids = [...server.heard.matchAll(/^message-id: (.*)$/gim)].map(([, id]) => id!.trim());
    expect(ids).toHaveLength(9);
    expect(new Set(ids)).toEqual(new Set([`<${failed!.id}@mail.example>`]));
  });

  test('gives up at once where the server refuses the recipient for good', async () => {
    await report(['gone@acme.example']);
    server.script.RCPT = '550 5.1.1 No such user';
    await mails().run();
    expect(await deliveries()).toMatchObject([
      { status: 'failed', attempts: 1, attempt_log: [{ error: 'mail_recipient_refused' }] },
    ]);
    clock.advance(7 * DAY);
    expect(await mails().run()).toBe(0);
  });

  test('sends again what a process that died had taken, with the same Message-ID', async () => {
    await report(['desk@acme.example']);
    const dying = new Mailer(
      'mail.example',
      undefined,
      new MailStandIn(),
      new Dialer(new SsrfGuard([]), () => undefined),
      clock,
    );
    dying.send = () => new Promise(() => {});
    void mails(dying).run();
    while ((await deliveries())[0]!.attempts === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await mails().run()).toBe(0);
    clock.advance(5 * 60_000);
    expect(await mails().run()).toBe(1);
    expect(await deliveries()).toMatchObject([{ status: 'sent', attempts: 2 }]);
    expect((await taken()).map(({ messageId }) => messageId)).toEqual([
      `<${(await deliveries())[0]!.id}@mail.example>`,
    ]);
  });
});
