import { request } from 'undici';
import { keyPairOf, sendgridSignature } from '../../src/channels/email/providers/sendgrid.signature';
import type { RunningProcess } from '../../src/process';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answer, json, ScriptedServer } from '../support/scripted-server';
import { until } from '../support/until';

/** Emails of the season; more for a run by hand. */
const EMAILS = Number(process.env.UNIMSG_TEST_SEASON ?? 300);
const TEXTS = 24;

jest.setTimeout(60_000 + EMAILS * 50);

/** What becomes of a mail. */
const FATES = [
  'delivered',
  'silent',
  'bounced',
  'bounced_then_delivered',
  'deferred',
  'dropped',
  'refused',
  'canceled',
] as const;

interface Play {
  to: string;
  fate: (typeof FATES)[number];
  opens: number;
  machineOpens: number;
  clicks: number;
  complains: boolean;
  unsubscribes: boolean;
}

/** The same numbers in each run. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const roll = dice(7);

const SCRIPT: readonly Play[] = Array.from({ length: EMAILS }, (_, n) => {
  // Most arrive.
  const fate = roll(3) > 0 ? 'delivered' : FATES[roll(FATES.length)]!;
  const arrives = fate === 'delivered' || fate === 'bounced_then_delivered' || fate === 'deferred';
  const opens = arrives ? Math.max(0, roll(6) - 2) : 0;
  return {
    to: `player${n}.${fate}@example.net`,
    fate,
    opens,
    machineOpens: opens > 0 ? roll(2) : 0,
    clicks: opens > 0 ? roll(3) : 0,
    complains: arrives && roll(25) === 0,
    unsubscribes: arrives && roll(20) === 0,
  };
});

const count = (fits: (play: Play) => unknown): number => SCRIPT.reduce((sum, play) => sum + Number(fits(play)), 0);
const is = (...fates: Array<Play['fate']>) => count(({ fate }) => fates.includes(fate));
const share = (part: number, whole: number): number => Math.round((part / whole) * 10_000) / 10_000;

/** The figures, counted from the script alone. */
function expectedEmail() {
  const sends = EMAILS - is('canceled');
  const delivered = is('delivered', 'bounced_then_delivered', 'deferred');
  const failed = is('bounced', 'dropped', 'refused');
  const uniqueOpens = count(({ opens }) => opens > 0);
  const uniqueClicks = count(({ clicks }) => clicks > 0);
  return {
    sends,
    sent: is('silent'),
    delivered,
    read: 0,
    failed,
    undelivered: is('bounced'),
    expired: 0,
    canceled: is('canceled'),
    delivery_rate: share(delivered, sends),
    error_rate: share(failed, sends),
    opens: count(({ opens }) => opens),
    unique_opens: uniqueOpens,
    machine_opens: count(({ machineOpens }) => machineOpens),
    clicks: count(({ clicks }) => clicks),
    unique_clicks: uniqueClicks,
    open_rate: share(uniqueOpens, delivered),
    click_rate: share(uniqueClicks, delivered),
    // A deferral is told as a soft bounce.
    bounces: is('bounced', 'bounced_then_delivered', 'deferred'),
    complaints: count(({ complains }) => complains),
    unsubscribes: count(({ unsubscribes }) => unsubscribes),
    segments: 0,
    inbound: 0,
    cost: [],
  };
}

/** SendGrid as far as the season needs it. */
class Post {
  /** By address: what the provider's events name. */
  readonly taken = new Map<string, { messageId: string; externalId: string }>();
  private constructor(readonly server: ScriptedServer) {}

  static async open(): Promise<Post> {
    const post: Post = new Post(
      await ScriptedServer.start((socket, { target, body }) => {
        if (!target.startsWith('/v3/mail/send')) return json(200, {})(socket, undefined!);
        const mail = JSON.parse(body) as Wire;
        const to = mail.personalizations[0].to[0].email as string;
        if (to.includes('.refused@'))
          return json(400, {
            errors: [{ message: 'Does not contain a valid address.', field: 'personalizations.0.to.0.email' }],
          })(socket, undefined!);
        const externalId = `x${post.taken.size}y${to.length}z`;
        const messageId = (mail.custom_args ?? mail.personalizations[0].custom_args).unimsg_message_id as string;
        post.taken.set(to, { messageId, externalId });
        return answer(202, '', { 'x-message-id': externalId })(socket, undefined!);
      }),
    );
    return post;
  }

  /** Everything that SendGrid would ever say of a mail, in the order of the facts. */
  events(play: Play): Wire[] {
    const { messageId, externalId } = this.taken.get(play.to)!;
    const events: Wire[] = [];
    const say = (event: string, more: object = {}) =>
      events.push({
        email: play.to,
        event,
        timestamp: Math.floor(Date.now() / 1000) + events.length,
        sg_event_id: `${externalId}-${events.length}`,
        sg_message_id: `${externalId}.filter0001.16648.5515E0B88.0`,
        unimsg_message_id: messageId,
        ...more,
      });
    say('processed');
    if (play.fate === 'deferred') say('deferred', { response: '451 try again later' });
    if (play.fate.startsWith('bounced')) say('bounce', { type: 'bounce', status: '5.1.1', reason: '550 unknown' });
    if (play.fate === 'dropped') say('dropped', { reason: 'Spam Content' });
    if (['delivered', 'deferred', 'bounced_then_delivered'].includes(play.fate)) say('delivered');
    for (let n = 0; n < play.opens; n++) say('open', n < play.machineOpens ? { sg_machine_open: true } : {});
    for (let n = 0; n < play.clicks; n++) say('click', { url: `https://example.com/${n}` });
    if (play.complains) say('spamreport');
    if (play.unsubscribes) say('unsubscribe');
    return events;
  }
}

describe('a season of emails', () => {
  const { privateKey, publicKey } = keyPairOf('the season');
  let post: Post;
  let service: Service;
  let second: RunningProcess;
  let tenant: Tenant;
  let configId: string;
  const expected = expectedEmail();

  beforeAll(async () => {
    post = await Post.open();
    service = await Service.start({ SENDGRID_BASE_URL: post.server.origin });
    // Two processes add up at the same time.
    second = await service.another();
    tenant = await service.tenant({ twilio: false, sms: { primary: 'vonage' } });
    const config = await tenant.api.post('/communication/sendgrid/configs', {
      display_name: 'Season',
      status: 'active',
      credentials: { api_key: 'SG.season-key-season-key', webhook_signing_key: publicKey },
      from_email: 'club@example.com',
      quotas: { monthly: 100_000 },
    });
    assertStatus(config, 201);
    configId = config.body.data.id as string;
    assertStatus(
      await tenant.api.put('/v1/gateways', {
        gateways: { email: { primary: 'sendgrid' }, sms: { primary: 'vonage' } },
      }),
      200,
    );
  });

  afterAll(async () => {
    await second.stop();
    await service.stop();
    await post.server.close();
  });

  async function sendAll(): Promise<void> {
    for (let at = 0; at < SCRIPT.length; at += 200) {
      const messages = SCRIPT.slice(at, at + 200).map(({ to, fate }) => ({
        channel: 'email',
        to,
        subject: 'Match day',
        text: 'Be there at six.',
        ...(fate === 'canceled' && { send_at: new Date(Date.now() + 86_400_000).toISOString() }),
      }));
      const sent = await tenant.api.post('/v1/messages/batch', { messages });
      assertStatus(sent, 202);
      expect(sent.body.data.rejected).toBe(0);
      await Promise.all(
        (sent.body.data.results as Wire[])
          .filter(({ index }) => SCRIPT[at + (index as number)]!.fate === 'canceled')
          .map(async ({ message_id: id }) => assertStatus(await tenant.api.post(`/v1/messages/${id}/cancel`), 200)),
      );
    }
    const taken = EMAILS - is('canceled', 'refused');
    await until('SendGrid has all mails', async () => post.taken.size === taken, 30_000 + EMAILS * 10);
  }

  /** Out of order, many in one call, repeated, by either process. */
  async function report(events: readonly Wire[]): Promise<void> {
    const chunks: Wire[][] = [];
    for (let at = 0; at < events.length; at += 40) chunks.push(events.slice(at, at + 40));
    const lane = async (first: number): Promise<void> => {
      for (let n = first; n < chunks.length; n += 4) {
        const body = JSON.stringify(chunks[n]);
        const origin = n % 2 === 0 ? service.url : second.url;
        const { statusCode, body: text } = await request(`${origin}/webhook/sendgrid/events/${configId}`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...sendgridSignature(privateKey, Math.floor(Date.now() / 1000), body),
          },
          body,
        });
        expect({ statusCode, text: await text.text() }).toMatchObject({ statusCode: 200 });
      }
    };
    await Promise.all([0, 1, 2, 3].map(lane));
  }

  async function usage(query = ''): Promise<Wire> {
    const read = await tenant.api.get(`/v1/usage?channel=email${query}`);
    assertStatus(read, 200);
    return read.body.data;
  }

  const figures = (view: Wire): object => Object.fromEntries(Object.keys(expected).map((name) => [name, view[name]]));

  it('counts to the unit what the script says, through repeats, disorder, two processes and a restart', async () => {
    await sendAll();
    const all = SCRIPT.filter(({ fate }) => fate !== 'canceled' && fate !== 'refused').flatMap((play) =>
      post.events(play),
    );
    // Each once, and half of them once or twice more.
    const told = [...all, ...all.filter(() => roll(2) === 0), ...all.filter(() => roll(4) === 0)];
    for (let at = told.length - 1; at > 0; at--) {
      const other = roll(at + 1);
      [told[at], told[other]] = [told[other]!, told[at]!];
    }
    const half = Math.floor(told.length / 2);
    await report(told.slice(0, half));
    await service.restart();
    await report(told.slice(half));
    await eventually(
      () => usage(),
      ({ sends }) => sends === expected.sends,
      20_000,
    );
    expect(figures(await usage())).toEqual(expected);
  });

  it('shows the owner of the account sends, open rate and error budget in one call', async () => {
    const read = await tenant.api.get(`/communication/sendgrid/configs/${configId}/usage`);
    assertStatus(read, 200);
    // What was canceled was with no account.
    expect(figures(read.body.data)).toEqual({ ...expected, canceled: 0 });
    const remaining = Math.max(0, 1 - expected.failed / (expected.sends * 0.05));
    expect(read.body.data).toMatchObject({
      quota: { period: 'monthly', limit: 100_000, burn_rate: expect.any(Number), projected_exhaustion_at: null },
      error_budget: { objective: 0.95, remaining: Math.round(remaining * 10_000) / 10_000, state: 'red' },
    });
    const config = await tenant.api.get(`/communication/sendgrid/configs/${configId}`);
    expect(figures(config.body.data.usage)).toEqual({ ...expected, canceled: 0 });
  });

  it('gives the same sums in all groups', async () => {
    for (const group of ['hour', 'day', 'month', 'channel', 'config']) {
      const read = await usage(
        `&group_by=${group}&time_zone=Asia/Kathmandu${group === 'hour' ? `&from=${new Date(Date.now() - 86_400_000).toISOString()}` : ''}`,
      );
      expect(figures(read)).toEqual(expected);
      const groups = read.groups as Wire[];
      for (const name of [
        'sends',
        'delivered',
        'failed',
        'opens',
        'unique_opens',
        'clicks',
        'bounces',
        'canceled',
      ] as const)
        expect({ group, name, sum: groups.reduce((sum, one) => sum + one[name], 0) }).toEqual({
          group,
          name,
          sum: expected[name],
        });
    }
    const byConfig = await usage('&group_by=config');
    expect(
      (byConfig.groups as Wire[]).map(({ key, gateway, display_name, messages }) => ({
        key,
        gateway,
        display_name,
        messages,
      })),
    ).toEqual([
      { key: 'none', messages: expected.canceled },
      { key: configId, gateway: 'sendgrid', display_name: 'Season', messages: expected.sends },
    ]);
    const byStatus = await usage('&group_by=status');
    expect(Object.fromEntries((byStatus.groups as Wire[]).map(({ key, messages }) => [key, messages]))).toEqual({
      sent: is('silent'),
      delivered: expected.delivered,
      read: 0,
      undelivered: is('bounced'),
      failed: is('dropped', 'refused'),
      expired: 0,
      canceled: is('canceled'),
    });
    for (const name of ['sends', 'sent', 'delivered', 'read', 'failed', 'undelivered', 'expired', 'canceled'] as const)
      expect([name, (byStatus.groups as Wire[]).reduce((sum, group) => sum + group[name], 0)]).toEqual([
        name,
        expected[name],
      ]);
    expect(Object.keys(byStatus.groups[0]).sort()).toEqual(
      Object.keys(byConfig.groups[1])
        .filter((name) => name !== 'gateway' && name !== 'display_name')
        .sort(),
    );
  });

  it('counts nothing twice when callbacks are processed again', async () => {
    const page = await tenant.api.get('/v1/provider-events?limit=60');
    const events = page.body.data as Wire[];
    expect(events).toHaveLength(60);
    for (const { id } of events) assertStatus(await tenant.api.post(`/v1/provider-events/${id}/reprocess`), 200);
    expect(figures(await usage())).toEqual(expected);
  });

  it('has it all in the counters in the end, and the same after they are rebuilt from the messages', async () => {
    const { database } = service.database;
    await until('all is added up', async () => {
      const [row] = await database.query<{ n: number }>('SELECT count(*)::int AS n FROM usage_deltas');
      return row!.n === 0;
    });
    expect(figures(await usage())).toEqual(expected);
    const day = new Date().toISOString().slice(0, 10);
    const rebuild = { client_id: tenant.clientId, from: new Date(Date.now() - 86_400_000).toISOString(), to: day };
    for (const spoil of [
      'SELECT 1',
      'UPDATE usage_counters SET sent = sent + 7, opens = 0',
      'DELETE FROM usage_counters',
    ]) {
      await database.execute(spoil);
      const rebuilt = await service.admin.post('/admin/usage/rebuild', rebuild);
      assertStatus(rebuilt, 200);
      expect(rebuilt.body.data.messages).toBe(EMAILS);
      expect(figures(await usage())).toEqual(expected);
    }
  });

  it('counts parts and price of texts, by account, and shows the operator all tenants', async () => {
    const long = 'x'.repeat(200);
    await Promise.all(
      Array.from({ length: TEXTS }, (_, n) => tenant.send(freshNumber(), n % 3 === 0 ? { message: long } : {})),
    );
    const parts = TEXTS + TEXTS / 3;
    const read = await eventually(
      async () => (await tenant.api.get('/v1/usage?channel=sms')).body.data,
      ({ sends }) => sends === TEXTS,
    );
    // 0.0333 EUR a part.
    const cost = [
      {
        currency: 'EUR',
        amount: (parts * 333)
          .toString()
          .padStart(5, '0')
          .replace(/(\d{4})$/, '.$1'),
      },
    ];
    expect(read.segments).toBe(parts);
    expect(read.cost.map(({ currency, amount }: Wire) => ({ currency, amount: amount.replace(/0+$/, '') }))).toEqual(
      cost.map(({ currency, amount }) => ({ currency, amount: amount.replace(/0+$/, '') })),
    );
    const stranger = await service.tenant({ sms: null, twilio: false, vonage: false });
    expect((await stranger.api.get('/v1/usage?group_by=config')).body.data).toMatchObject({ sends: 0, groups: [] });
    assertStatus(await stranger.api.get(`/v1/usage?config_id=${configId}`), 404);
    const all = await service.admin.get('/admin/usage?group_by=tenant');
    assertStatus(all, 200);
    expect(all.body.data).toMatchObject({ sends: expected.sends + TEXTS, segments: parts });
    expect(all.body.data.groups).toMatchObject([{ key: tenant.clientId, sends: expected.sends + TEXTS }]);
  });

  it('refuses periods and groups that are none, naming the field', async () => {
    for (const [query, field] of [
      ['group_by=week', 'group_by'],
      ['from=2026-13-01', 'from'],
      ['from=2020-01-01&to=2026-01-01&group_by=day', 'from'],
      ['from=2026-01-01&to=2026-03-01&group_by=hour', 'from'],
      ['from=2026-03-02&to=2026-03-01', 'from'],
      ['time_zone=Rome', 'time_zone'],
      ['channel=fax', 'channel'],
    ]) {
      const refused = await tenant.api.get(`/v1/usage?${query}`);
      expect({ query, status: refused.status, field: refused.body.errors?.[0]?.field }).toEqual({
        query,
        status: 400,
        field,
      });
    }
    const sends = await tenant.key(['messages:send']);
    assertStatus(await sends.get('/v1/usage'), 403);
  });
});
