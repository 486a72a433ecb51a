import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simulatedServiceAccount } from '../../src/channels/push/providers/fcm.simulator';
import { ChildService, freePort, processesOf } from '../support/child-service';
import { FAKE_ACCOUNT, FAKE_TOKEN, FakeTwilio } from '../support/fake-twilio';
import { ScriptedFcm } from '../support/scripted-fcm';
import { ScriptedSmtp } from '../support/scripted-smtp';
import { ADMIN_KEY, call } from '../support/send-load';
import { until } from '../support/until';

const PLAYERS = 250;
/** While the first process runs, so that few calls are in hand when it is killed: what is with a provider at that moment is of unknown fate. */
const SLOWLY = 1;

interface Shown {
  notification_id: string;
  status: string;
  messages: number;
  progress: Record<string, number>;
  totals: Record<string, number>;
}

/** The reminder job as a user runs it: the process is killed half-way, and the job is run again. */
describe('a notification and a process that dies', () => {
  let directory: string;
  let url: string;
  let port: number;
  let twilio: FakeTwilio;
  let mail: ScriptedSmtp;
  let fcm: ScriptedFcm;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-notify-'));
    chmodSync(directory, 0o755);
    [twilio, mail, fcm] = await Promise.all([FakeTwilio.start(), ScriptedSmtp.start(), ScriptedFcm.start()]);
    twilio.latencyMs = 1;
    port = await freePort();
    url = `http://127.0.0.1:${port}`;
  });
  afterEach(async () => {
    await ChildService.killAll();
    await Promise.all([twilio.close(), mail.close(), fcm.close()]);
    await until('PostgreSQL is gone', () => processesOf(directory).length === 0);
    rmSync(directory, { recursive: true, force: true });
  });

  const start = () =>
    ChildService.start({
      UNIMSG_DATA_DIR: directory,
      PORT: String(port),
      UNIMSG_ADMIN_KEY: ADMIN_KEY,
      UNIMSG_SIMULATOR: 'off',
      UNIMSG_RATE_LIMIT: '0',
      UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
      TWILIO_BASE_URL: twilio.url,
      ...fcm.environment,
    });

  it('sends each player each message exactly once', async () => {
    let service = await start();
    const { api_key: key } = await call<{ api_key: string }>(url, ADMIN_KEY, 'POST', '/admin/tenants', {
      name: 'Club',
    });
    const post = <T>(path: string, body: unknown) => call<T>(url, key, 'POST', path, body);
    const configs: Array<[string, string]> = [];
    for (const [slug, config] of [
      ['twilio', { credentials: { account_sid: FAKE_ACCOUNT, auth_token: FAKE_TOKEN }, from_number: '+15005550006' }],
      ['smtp', { credentials: {}, host: '127.0.0.1', port: mail.port, tls: 'none', from_email: 'games@example.com' }],
      ['fcm', { credentials: { service_account_json: simulatedServiceAccount('club'), project_id: 'club' } }],
    ] as const) {
      const body = { status: 'active', max_per_second: SLOWLY, ...config };
      configs.push([slug, (await post<{ id: string }>(`/communication/${slug}/configs`, body)).id]);
    }
    const gateways = Object.fromEntries(
      Object.entries({ sms: 'twilio', email: 'smtp', push: 'fcm' }).map(([channel, primary]) => [
        channel,
        { primary, reconcile_seconds: 1 },
      ]),
    );
    await call(url, key, 'PUT', '/v1/gateways', { gateways });
    const template = await post<{ id: string }>('/v1/templates', {
      name: 'Reminder',
      channels: {
        sms: { message: 'Game at 18:30, {{ name }}' },
        email: { subject: 'Game', text: 'Game at 18:30, {{ name }}' },
        push: { title: 'Game', body: '{{ name }}' },
      },
      variables: ['name'],
    });
    const job = {
      template_id: template.id,
      idempotency_prefix: 'reminder-2026-03-01',
      recipients: Array.from({ length: PLAYERS }, (_, n) => ({
        id: `player-${n}`,
        channels: { sms: `+4670${1_000_000 + n}`, email: `player-${n}@example.com`, push: `device-${n}` },
        data: { name: `Player ${n}` },
      })),
    };
    const read = (id: string) => call<Shown>(url, key, 'GET', `/v1/notifications/${id}`);

    const first = await post<Shown>('/v1/notifications', job);
    const halfWay = await until('messages are being made', async () => {
      const now = await read(first.notification_id);
      return now.progress.accepted! > 0 ? now : undefined;
    });
    await service.kill();
    expect(halfWay.progress.accepted).toBeLessThan(PLAYERS * 3);

    service = await start();
    const second = await post<Shown>('/v1/notifications', job);
    for (const [slug, id] of configs)
      await call(url, key, 'PATCH', `/communication/${slug}/configs/${id}`, { max_per_second: 10_000 });
    const ends: Shown[] = [];
    for (const { notification_id: id } of [first, second])
      ends.push(
        await until(
          'all is sent',
          async () => {
            const now = await read(id);
            return now.status === 'completed' && now.totals.sent === now.messages ? now : undefined;
          },
          40_000,
        ),
      );
    expect(ends[0]!.messages).toBe(PLAYERS * 3);
    // Each message was made once, by one run or the other.
    const made = ends.map(({ progress }) => progress.accepted! + progress.replayed!);
    expect(made).toEqual([PLAYERS * 3, PLAYERS * 3]);
    expect(ends[0]!.progress.accepted! + ends[1]!.progress.accepted!).toBeLessThanOrEqual(PLAYERS * 3);

    const doubtful = new Set<string>();
    for (let cursor = ''; ;) {
      const response = await fetch(`${url}/v1/messages?limit=200${cursor && `&cursor=${cursor}`}`, {
        headers: { authorization: `Bearer ${key}` },
      });
      const page = (await response.json()) as {
        data: Array<{ to: string; possible_duplicate: boolean }>;
        meta: { next_cursor: string | null };
      };
      for (const message of page.data) if (message.possible_duplicate) doubtful.add(message.to);
      if (page.meta.next_cursor === null) break;
      cursor = page.meta.next_cursor;
    }
    const got = [
      ...twilio.taken.map(({ to }) => to),
      ...mail.taken.flatMap(({ recipients }) => recipients),
      ...fcm.taken,
    ];
    const times = new Map<string, number>();
    for (const to of got) times.set(to, (times.get(to) ?? 0) + 1);
    const wanted = job.recipients.flatMap(({ channels }) => Object.values(channels));
    expect(wanted.filter((to) => times.get(to) !== 1 && !doubtful.has(to))).toEqual([]);
    expect(wanted.filter((to) => !times.has(to))).toEqual([]);
    expect(times.size).toBe(wanted.length);
    // What a provider had in hand when the process was killed.
    expect(doubtful.size).toBeLessThanOrEqual(6);
    expect(service.errors()).toEqual([]);
    await service.stop();
  }, 90_000);
});
