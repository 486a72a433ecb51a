import { parse } from 'csv-parse/sync';
import { sampleFigures } from '../../../test/support/report-samples';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { ManualClock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { silentLogger } from '../../kernel/logger';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import type { UsageReportDocument } from './report-document.view';
import { ReportFigures } from './report-figures';
import { reportFile } from './report-file';
import { ReportMaker } from './report-maker';
import { nextPeriod, periodFrom } from './report-period';
import type { ScheduleSettings } from './report-schedule';
import { ReportSchedulesService } from './report-schedules.service';
import { ReportStore } from './report-store';
import { writeReport } from './report-writer';

const HOUR = 3_600_000;
const ACME = 'acme_0123456789abcdef';
const OTHER = 'other_0123456789abcdef';

interface Sent {
  at: string;
  clientId?: string;
  configId?: string;
  channel?: string;
  delivered?: number;
  failed?: number;
  cost?: [amount: string, currency: string];
}

describe('ReportMaker', () => {
  const clock = new ManualClock(Date.parse('2026-03-01T12:00:00Z'));
  let db: TestDatabase;
  let schedules: ReportSchedulesService;
  let reports: ReportStore;

  const maker = (figures?: ReportFigures): ReportMaker => {
    const { database } = db;
    const counted = figures ?? sampleFigures(database);
    return new ReportMaker(database, counted, new EventStore(new EventSignal()), clock, silentLogger);
  };
  const schedule = async (settings: Partial<ScheduleSettings> = {}, owner: string | null = ACME): Promise<string> => {
    const all = {
      period: 'daily',
      timeZone: 'Europe/Rome',
      at: '07:30',
      format: 'csv',
      deliver: [],
      ...settings,
    } as const;
    return (await schedules.create(owner, all)).id;
  };
  const periods = async (scheduleId: string): Promise<string[]> =>
    (
      await db.database.query<{ from: Date; to: Date }>(
        'SELECT period_start AS "from", period_end AS "to" FROM usage_reports WHERE schedule_id = $1 ORDER BY period_start',
        [scheduleId],
      )
    ).map(({ from, to }) => `${from.toISOString()} ${(to.getTime() - from.getTime()) / HOUR}`);
  /** Oldest first. */
  const documents = async (owner: string | null = ACME): Promise<UsageReportDocument[]> => {
    const list = await reports.list(owner, undefined, undefined, 200);
    return Promise.all(list.reverse().map(async ({ report }) => (await reports.document(owner, report.id)).document));
  };
  const sent = async ({ at, clientId, configId, channel, delivered, failed, cost }: Sent): Promise<void> => {
    for (const [status, messages] of [
      ['delivered', delivered],
      ['failed', failed],
    ] as const)
      if (messages !== undefined)
        await db.database.execute(
          `INSERT INTO usage_deltas (client_id, bucket, config_id, channel, status, messages, segments, currency, amount)
           VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)`,
          [
            clientId ?? ACME,
            at,
            configId ?? 'cfg_1',
            channel ?? 'sms',
            status,
            messages,
            status === 'delivered' ? (cost?.[1] ?? null) : null,
            status === 'delivered' ? (cost?.[0] ?? null) : null,
          ],
        );
  };

  beforeAll(async () => {
    db = await createTestDatabase();
    schedules = new ReportSchedulesService(db.database, clock);
    reports = new ReportStore(db.database);
    for (const [id, name] of [
      [ACME, 'Acme & Sons'],
      [OTHER, 'Other'],
    ])
      await db.database.execute(
        `INSERT INTO tenants (client_id, name, slug, webhook_signing_secret, created_at, updated_at)
         VALUES ($1, $2, 'x', 'x', now(), now())`,
        [id, name],
      );
  });

  afterAll(() => db.drop());

  afterEach(async () => {
    await db.database.query('TRUNCATE report_schedules, usage_reports, report_deliveries, events, usage_deltas');
    await db.database.query('DELETE FROM provider_configs');
  });

  /** Moves the clock through a time in steps of an hour, with two schedulers that work at once at each. */
  const live = async (from: string, to: string): Promise<number> => {
    const two = [maker(), maker()];
    let made = 0;
    for (let at = Date.parse(from); at <= Date.parse(to); at += HOUR) {
      clock.set(at);
      for (const one of await Promise.all(two.map((each) => each.run()))) made += one;
    }
    return made;
  };

  test.each([
    [
      'Europe/Rome',
      '2026-03-27T12:00:00Z',
      [
        '2026-03-26T23:00:00.000Z 24',
        '2026-03-27T23:00:00.000Z 24',
        '2026-03-28T23:00:00.000Z 23',
        '2026-03-29T22:00:00.000Z 24',
      ],
    ],
    [
      'Europe/Rome',
      '2026-10-23T12:00:00Z',
      [
        '2026-10-22T22:00:00.000Z 24',
        '2026-10-23T22:00:00.000Z 24',
        '2026-10-24T22:00:00.000Z 25',
        '2026-10-25T23:00:00.000Z 24',
      ],
    ],
    [
      'America/New_York',
      '2026-03-06T13:00:00Z',
      [
        '2026-03-06T05:00:00.000Z 24',
        '2026-03-07T05:00:00.000Z 24',
        '2026-03-08T05:00:00.000Z 23',
        '2026-03-09T04:00:00.000Z 24',
      ],
    ],
    [
      'America/New_York',
      '2026-10-30T13:00:00Z',
      [
        '2026-10-30T04:00:00.000Z 24',
        '2026-10-31T04:00:00.000Z 24',
        '2026-11-01T04:00:00.000Z 25',
        '2026-11-02T05:00:00.000Z 24',
      ],
    ],
    [
      'America/Santiago',
      '2026-09-04T13:00:00Z',
      [
        '2026-09-04T04:00:00.000Z 24',
        '2026-09-05T04:00:00.000Z 24',
        '2026-09-06T04:00:00.000Z 23',
        '2026-09-07T03:00:00.000Z 24',
      ],
    ],
    [
      'Africa/Cairo',
      '2026-10-27T13:00:00Z',
      [
        '2026-10-26T21:00:00.000Z 24',
        '2026-10-27T21:00:00.000Z 24',
        '2026-10-28T21:00:00.000Z 25',
        '2026-10-29T22:00:00.000Z 24',
      ],
    ],
    [
      'Asia/Kathmandu',
      '2026-03-27T12:00:00Z',
      [
        '2026-03-26T18:15:00.000Z 24',
        '2026-03-27T18:15:00.000Z 24',
        '2026-03-28T18:15:00.000Z 24',
        '2026-03-29T18:15:00.000Z 24',
      ],
    ],
  ])(
    'reports each day in %s once, with two schedulers, as clocks change (from %s)',
    async (timeZone, from, expected) => {
      clock.set(Date.parse(from));
      const id = await schedule({ timeZone });
      const to = new Date(Date.parse(from) + 4 * 24 * HOUR).toISOString();
      expect(await live(from, to)).toBe(expected.length);
      expect(await periods(id)).toEqual(expected);
      const hours = (await documents()).map((one) => one.hours);
      expect(hours).toEqual(expected.map((one) => Number(one.split(' ')[1])));
    },
  );

  test('makes up for a week of downtime, oldest first, with four schedulers at once', async () => {
    clock.set(Date.parse('2026-03-24T12:00:00Z'));
    const id = await schedule({ deliver: [{ type: 'email', to: 'a@example.com' }, { type: 'webhook' }] });
    clock.set(Date.parse('2026-04-01T12:00:00Z'));
    const made = await Promise.all([maker(), maker(), maker(), maker()].map((one) => one.run()));
    expect(made.reduce((sum, one) => sum + one)).toBe(8);
    expect(await periods(id)).toEqual([
      '2026-03-23T23:00:00.000Z 24',
      '2026-03-24T23:00:00.000Z 24',
      '2026-03-25T23:00:00.000Z 24',
      '2026-03-26T23:00:00.000Z 24',
      '2026-03-27T23:00:00.000Z 24',
      '2026-03-28T23:00:00.000Z 23',
      '2026-03-29T22:00:00.000Z 24',
      '2026-03-30T22:00:00.000Z 24',
    ]);
    const [rows] = await db.database.query<{ events: number; deliveries: number }>(
      `SELECT (SELECT count(*)::int FROM events WHERE type = 'usage.report') AS events,
         (SELECT count(*)::int FROM report_deliveries) AS deliveries`,
    );
    expect(rows).toEqual({ events: 8, deliveries: 16 });
    expect(await maker().run()).toBe(0);
    expect((await schedules.get(ACME, id)).next_from).toBe(Date.parse('2026-03-31T22:00:00Z'));
  });

  test.each([
    ['monthly', 'UTC', '2027-12-15T00:00:00Z', '2028-04-02T00:00:00Z', [30, 31, 31, 29, 31].map((days) => days * 24)],
    [
      'monthly',
      'Europe/Rome',
      '2026-02-15T00:00:00Z',
      '2026-05-02T00:00:00Z',
      [31 * 24, 28 * 24, 31 * 24 - 1, 30 * 24],
    ],
    ['weekly', 'Europe/Rome', '2026-10-20T00:00:00Z', '2026-11-03T00:00:00Z', [7 * 24 + 1, 7 * 24]],
  ] as const)('reports %s in %s', async (period, timeZone, from, to, hours) => {
    clock.set(Date.parse(from) - 20 * 24 * HOUR);
    if (period === 'weekly') clock.set(Date.parse(from));
    await schedule({ period, timeZone });
    clock.set(Date.parse(to));
    await maker().run();
    expect((await documents()).map((one) => one.hours)).toEqual(hours);
  });

  test('is written once, whoever comes first', async () => {
    clock.set(Date.parse('2026-05-05T12:00:00Z'));
    const row = await schedules.get(ACME, await schedule());
    const timetable = { period: row.period, timeZone: row.time_zone, at: row.at };
    const period = periodFrom(timetable, row.next_from);
    const next = nextPeriod(timetable, period);
    const figures = sampleFigures(db.database);
    const events = new EventStore(new EventSignal());
    const write = async (): Promise<boolean> => {
      const document = await figures.of(row, period, newId('report'), period.due);
      return db.database.transaction((tx) => writeReport(tx, events, { schedule: row, document, next }));
    };
    const written = await Promise.all([write(), write(), write()]);
    expect(written.filter(Boolean)).toHaveLength(1);
    expect(await write()).toBe(false);
    expect(await documents()).toHaveLength(1);
    // The key would hold also if two went by the same row.
    await db.database.execute('UPDATE report_schedules SET next_from = to_timestamp($1 / 1000.0)', [period.from]);
    await expect(write()).rejects.toThrow('usage_reports_schedule_id_period_start_key');
  });

  test('writes all of a report or nothing, and tries again after a failure', async () => {
    clock.set(Date.parse('2026-05-05T12:00:00Z'));
    const broken = await schedule({ deliver: [{ type: 'webhook' }] });
    const sound = await schedule({ timeZone: 'Europe/Paris' });
    clock.set(Date.parse('2026-05-06T06:00:00Z'));
    await db.database.execute(`ALTER TABLE events ADD CONSTRAINT none CHECK (type <> 'usage.report') NOT VALID`);
    expect(await maker().run()).toBe(1);
    expect(await periods(broken)).toEqual([]);
    expect(await periods(sound)).toHaveLength(1);
    await db.database.execute('ALTER TABLE events DROP CONSTRAINT none');
    expect(await maker().run()).toBe(0);
    clock.advance(5 * 60_000);
    expect(await maker().run()).toBe(1);
    expect(await periods(broken)).toEqual(['2026-05-04T22:00:00.000Z 24']);
  });

  test('waits five minutes after midnight, so that what is under way is in', async () => {
    clock.set(Date.parse('2026-05-05T12:00:00Z'));
    const id = await schedule({ timeZone: 'UTC', at: '00:00' });
    clock.set(Date.parse('2026-05-06T00:04:59Z'));
    expect(await maker().run()).toBe(0);
    clock.set(Date.parse('2026-05-06T00:05:00Z'));
    expect(await maker().run()).toBe(1);
    expect(await periods(id)).toEqual(['2026-05-05T00:00:00.000Z 24']);
  });

  test('counts the tenant and the period, in sum and by day, channel and account', async () => {
    await db.database.execute(
      `INSERT INTO provider_configs (id, client_id, provider, channel, display_name, status, settings, credentials, callback_token, created_at, updated_at)
       VALUES ('cfg_1', $1, 'twilio', 'sms', '=HYPERLINK("http://evil.example")', 'active', '{}', '{}', 'x', now(), now())`,
      [ACME],
    );
    // The day of 23 hours, its last quarter, and the quarters around it.
    await sent({ at: '2026-03-28T22:45:00Z', delivered: 1000, cost: ['5', 'EUR'] });
    await sent({ at: '2026-03-28T23:00:00Z', delivered: 90, failed: 10, cost: ['0.10', 'EUR'] });
    await sent({ at: '2026-03-29T21:45:00Z', delivered: 3, cost: ['0.2', 'EUR'] });
    await sent({
      at: '2026-03-29T21:45:00Z',
      channel: 'email',
      configId: 'cfg_2',
      delivered: 7,
      cost: ['1.005', 'SEK'],
    });
    await sent({ at: '2026-03-29T10:00:00Z', channel: 'email', configId: '', failed: 2 });
    await sent({ at: '2026-03-29T22:00:00Z', delivered: 2000 });
    await sent({ at: '2026-03-29T10:00:00Z', clientId: OTHER, delivered: 5 });
    clock.set(Date.parse('2026-03-29T12:00:00Z'));
    await schedule();
    await schedule({}, null);
    clock.set(Date.parse('2026-03-30T06:00:00Z'));
    expect(await maker().run()).toBe(2);

    const [document] = await documents();
    expect(document).toMatchObject({
      client_id: ACME,
      name: 'Acme & Sons',
      local_from: '2026-03-29T00:00:00.000+01:00',
      local_to: '2026-03-30T00:00:00.000+02:00',
      hours: 23,
      totals: {
        sends: 112,
        delivered: 100,
        failed: 12,
        delivery_rate: 0.8929,
        error_rate: 0.1071,
        segments: 112,
        cost: [
          { currency: 'EUR', amount: '0.30' },
          { currency: 'SEK', amount: '1.005' },
        ],
      },
      previous: { hours: 24, totals: { sends: 1000 } },
      days: [{ day: '2026-03-29', hours: 23, sends: 112 }],
      channels: [
        { channel: 'email', sends: 9, failed: 2 },
        { channel: 'sms', sends: 103, delivered: 93 },
      ],
      configs: [
        { config_id: null, gateway: null, channel: 'email', sends: 2 },
        { config_id: 'cfg_1', gateway: 'twilio', channel: 'sms', sends: 103 },
        { config_id: 'cfg_2', display_name: null, channel: 'email', sends: 7 },
      ],
      tenants: [],
    });
    const [all] = await documents(null);
    expect(all).toMatchObject({
      client_id: null,
      name: null,
      totals: { sends: 117 },
      days: [{ sends: 117 }],
      channels: [{ sends: 9 }, { sends: 108 }],
      configs: [],
      tenants: [
        { client_id: ACME, name: 'Acme & Sons', sends: 112 },
        { client_id: OTHER, name: 'Other', sends: 5 },
      ],
    });

    const records = parse(reportFile(document!, 'csv').content, { columns: true }) as Array<Record<string, string>>;
    expect(records.map(({ group, key, channel, sends, cost_eur: eur }) => [group, key, channel, sends, eur])).toEqual([
      ['total', ACME, '', '112', '0.30'],
      ['previous', '', '', '1000', '5'],
      ['day', '2026-03-29', '', '112', '0.30'],
      ['channel', '', 'email', '9', ''],
      ['channel', '', 'sms', '103', '0.30'],
      ['config', '', 'email', '2', ''],
      ['config', 'cfg_1', 'sms', '103', '0.30'],
      ['config', 'cfg_2', 'email', '7', ''],
    ]);
    expect(records[6]!.name).toBe(`'=HYPERLINK("http://evil.example")`);
    expect(JSON.parse(reportFile(document!, 'json').content)).toEqual(document);
  });

  test('says what was so when it was made', async () => {
    clock.set(Date.parse('2026-05-05T12:00:00Z'));
    await sent({ at: '2026-05-05T10:00:00Z', delivered: 1 });
    await schedule({ timeZone: 'UTC' });
    clock.set(Date.parse('2026-05-06T12:00:00Z'));
    await maker().run();
    await sent({ at: '2026-05-05T10:00:00Z', delivered: 1 });
    const [document] = await documents();
    expect(document).toMatchObject({ generated_at: '2026-05-06T12:00:00.000Z', totals: { sends: 1 } });
  });

  test('goes by a changed time of day, and ends with its schedule', async () => {
    clock.set(Date.parse('2026-05-05T12:00:00Z'));
    const id = await schedule({ timeZone: 'UTC', at: '18:00' });
    expect((await schedules.update(ACME, id, { at: '09:00' })).next_due_at).toBe(Date.parse('2026-05-05T09:00:00Z'));
    expect(await maker().run()).toBe(1);
    expect(await periods(id)).toEqual(['2026-05-04T00:00:00.000Z 24']);
    await expect(schedules.delete(OTHER, id)).rejects.toThrow('no such report schedule');
    await expect(schedules.delete(null, id)).rejects.toThrow('no such report schedule');
    await schedules.delete(ACME, id);
    clock.advance(7 * 24 * HOUR);
    expect(await maker().run()).toBe(0);
    expect(await documents()).toHaveLength(1);
  });

  test('keeps reports for 400 days', async () => {
    clock.set(Date.parse('2026-05-05T12:00:00Z'));
    const id = await schedule({ deliver: [{ type: 'email', to: 'a@example.com' }] });
    clock.advance(24 * HOUR);
    await maker().run();
    await schedules.delete(ACME, id);
    clock.advance(400 * 24 * HOUR - 1);
    await maker().run();
    expect(await documents()).toHaveLength(1);
    clock.advance(1);
    await maker().run();
    expect(await documents()).toEqual([]);
    expect(await db.database.query('SELECT 1 FROM report_deliveries')).toEqual([]);
  });
});
