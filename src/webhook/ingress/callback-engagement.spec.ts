import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { OutcomeRecorder } from '../../gateway/budget/outcome-recorder';
import { silentLogger } from '../../kernel/logger';
import type { EngagementEvent, NormalizedEvent } from '../../gateway/contracts/callback';
import type { ProviderRegistry } from '../../gateway/provider-registry';
import { systemClock } from '../../kernel/clock';
import { messageIdTime, newId } from '../../kernel/ids';
import { InboundSignal } from '../../messaging/inbound/inbound-signal';
import { InboundWriter } from '../../messaging/inbound/inbound-writer';
import { UnmatchedAlerts } from '../../messaging/inbound/unmatched-alerts';
import { AlertBook } from '../../platform/alerts/alert-book';
import { EngagementWriter } from '../../messaging/record/engagement-writer';
import { MessageReader } from '../../messaging/record/message-reader';
import { MessageSignal } from '../../messaging/record/message-signal';
import { MessageWriter } from '../../messaging/record/message-writer';
import type { SuppressionDirectory } from '../../messaging/suppression/suppression-directory';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import type { PersonHashes } from '../../tenancy/person-hashes';
import { CallbackEffects } from './callback-effects';
import { CallbackStore } from './callback-store';

const TENANT = 'acme_0123456789ab';
const OTHER = 'rival_0123456789ab';
const CONFIG = 'cfg_mail';

const CHANNEL_OF: Record<string, string> = { sendgrid: 'email', telegram_bot: 'telegram', twilio: 'sms' };

describe('engagement in callbacks', () => {
  let test: TestDatabase;
  let store: CallbackStore;
  let reader: MessageReader;
  let told: string[];
  let counter = 0;
  const suppressions = { added() {} } as unknown as SuppressionDirectory;
  const providers = {
    get: (key: string) => ({ channel: CHANNEL_OF[key] }),
    require: (key: string) => ({ channel: CHANNEL_OF[key] }),
  } as unknown as ProviderRegistry;

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());
  beforeEach(() => {
    const signal = new EventSignal();
    told = [];
    signal.onCommitted((clientIds) => told.push(...clientIds));
    const outcomes = new OutcomeRecorder(test.database, systemClock, silentLogger);
    const writer = new MessageWriter(test.database, signal, new MessageSignal(), suppressions, outcomes, systemClock);
    const events = new EventStore(signal);
    const inbound = new InboundWriter(
      events,
      providers,
      new InboundSignal(),
      new UnmatchedAlerts(new AlertBook(events)),
    );
    const effects = new CallbackEffects(new EngagementWriter(events), providers, suppressions, inbound, {
      known: () => Promise.resolve(undefined),
    } as unknown as PersonHashes);
    store = new CallbackStore(test.database, writer, effects, signal);
    reader = new MessageReader(test.database);
  });

  async function stored(channel = 'email', clientId = TENANT): Promise<{ id: string; externalId: string }> {
    const id = newId('message');
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, reference, metadata, config_id, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, $4, 'sent', 'ada@example.com', '{"text":"x"}', 1, 'order-1', '{"a":"b"}', $5, now() + interval '1 hour', now())`,
      [id, messageIdTime(id), clientId, channel, CONFIG],
    );
    const externalId = `ext-${++counter}`;
    return { id, externalId };
  }

  async function mapped(channel?: string, clientId?: string): Promise<{ id: string; externalId: string }> {
    const message = await stored(channel, clientId);
    await test.database.query('INSERT INTO external_ids (config_id, external_id, message_id) VALUES ($1, $2, $3)', [
      CONFIG,
      message.externalId,
      message.id,
    ]);
    return message;
  }

  const engagement = (externalId: string, more: Partial<EngagementEvent> = {}): EngagementEvent => ({
    kind: 'engagement',
    type: 'opened',
    eventId: `event-${++counter}`,
    externalId,
    occurredAt: Date.UTC(2026, 10, 22, 9),
    rawWord: 'open',
    ...more,
  });

  const receive = (event: NormalizedEvent, clientId = TENANT, provider = 'sendgrid') =>
    store.store({
      clientId,
      configId: CONFIG,
      provider,
      kind: 'events',
      event,
      eventId: event.eventId,
      receivedAt: Date.now(),
      request: { method: 'POST', query: '', headers: {} },
      rawBody: Buffer.from('[]'),
    });

  const raw = (externalId: string) =>
    test.database.query<{ state: string; message_id: string | null }>(
      'SELECT state, message_id FROM provider_events WHERE external_id = $1 ORDER BY id',
      [externalId],
    );

  it('counts each provider event once, however often and however many at once it comes', async () => {
    const { id, externalId } = await mapped();
    const open = engagement(externalId, { detail: { user_agent: 'Mail/1', ip: '203.0.113.7' } });
    await Promise.all([receive(open), receive(open), receive(engagement(externalId, { machine: true }))]);
    await receive(open);
    const view = await reader.get(TENANT, id);
    expect(view.engagement).toMatchObject({
      opens: 2,
      machine_opens: 1,
      clicks: 0,
      first_opened_at: '2026-11-22T09:00:00.000Z',
    });
    expect(view.events!.filter(({ event }) => event === 'email.opened')).toHaveLength(2);
    expect(view.events!.find(({ detail }) => detail?.ip !== undefined)).toEqual({
      event: 'email.opened',
      at: '2026-11-22T09:00:00.000Z',
      gateway: 'sendgrid',
      detail: { external_id: externalId, user_agent: 'Mail/1', ip: '203.0.113.7' },
    });
    expect(told).toContain(TENANT);
    expect(await raw(externalId)).toEqual([
      { state: 'matched', message_id: id },
      { state: 'matched', message_id: id },
    ]);
  });

  it('knows first and last, the gravest bounce, and moves no status', async () => {
    const { id, externalId } = await mapped();
    const at = (minute: number) => Date.UTC(2026, 10, 22, 9, minute);
    await receive(engagement(externalId, { type: 'clicked', occurredAt: at(5), detail: { url: 'https://a.example' } }));
    await receive(engagement(externalId, { type: 'clicked', occurredAt: at(3) }));
    await receive(engagement(externalId, { type: 'bounced', bounceType: 'hard', occurredAt: at(7) }));
    await receive(engagement(externalId, { type: 'bounced', bounceType: 'soft', occurredAt: at(8) }));
    await receive(engagement(externalId, { type: 'complained', occurredAt: at(9) }));
    await receive(engagement(externalId, { type: 'unsubscribed', recipient: 'bob@example.com', occurredAt: at(9) }));
    const view = await reader.get(TENANT, id);
    expect(view.status).toBe('sent');
    expect(view.engagement).toEqual({
      opens: 0,
      clicks: 2,
      bounces: 2,
      unsubscribes: 1,
      complaints: 1,
      machine_opens: 0,
      machine_clicks: 0,
      first_opened_at: null,
      last_opened_at: null,
      first_clicked_at: '2026-11-22T09:03:00.000Z',
      last_clicked_at: '2026-11-22T09:05:00.000Z',
      bounced_at: '2026-11-22T09:07:00.000Z',
      complained_at: '2026-11-22T09:09:00.000Z',
      unsubscribed_at: '2026-11-22T09:09:00.000Z',
      bounce_type: 'hard',
    });
    expect(view.events!.map(({ event }) => event).slice(1)).toEqual([
      'email.clicked',
      'email.clicked',
      'email.bounced',
      'email.bounced',
      'email.complained',
      'email.unsubscribed',
    ]);
    expect(view.events!.at(-1)!.detail).toMatchObject({ recipient: 'bob@example.com' });
  });

  it('keeps one that comes before its message is known, and counts it once it is', async () => {
    const { id, externalId } = await stored();
    await receive(engagement(externalId));
    expect(await raw(externalId)).toEqual([{ state: 'unmatched', message_id: null }]);
    expect(await store.retryUnmatched()).toBe(0);
    await test.database.query('INSERT INTO external_ids (config_id, external_id, message_id) VALUES ($1, $2, $3)', [
      CONFIG,
      externalId,
      id,
    ]);
    told.length = 0;
    expect(await store.retryUnmatched()).toBe(1);
    expect(await store.retryUnmatched()).toBe(0);
    expect(told).toContain(TENANT);
    expect((await reader.get(TENANT, id)).engagement).toMatchObject({ opens: 1 });
    expect(await raw(externalId)).toEqual([{ state: 'matched', message_id: id }]);
  });

  it("leaves another tenant's message alone", async () => {
    const { id, externalId } = await mapped('email', OTHER);
    await receive(engagement(externalId, { messageId: id }));
    const view = await reader.get(OTHER, id);
    expect(view.engagement).toMatchObject({ opens: 0 });
    expect(view.events!.map(({ event }) => event)).toEqual(['message.queued']);
    expect(await raw(externalId)).toEqual([{ state: 'unmatched', message_id: null }]);
  });

  const listed = () =>
    test.database.query<{ client_id: string; recipient: string; reason: string; message_id: string | null }>(
      `SELECT client_id, recipient, reason, message_id FROM suppressions WHERE channel = 'email' ORDER BY recipient`,
    );

  it('puts on the list who bounced hard, complained or unsubscribed, and nobody else', async () => {
    await test.database.query('DELETE FROM suppressions');
    const { id, externalId } = await mapped();
    await receive(engagement(externalId, { type: 'bounced', bounceType: 'soft' }));
    await receive(engagement(externalId, { type: 'bounced', bounceType: 'blocked' }));
    await receive(engagement(externalId, { type: 'clicked' }));
    expect(await listed()).toEqual([]);
    await receive(engagement(externalId, { type: 'bounced', bounceType: 'hard' }));
    await receive(engagement(externalId, { type: 'complained' }));
    await receive(engagement(externalId, { type: 'unsubscribed', recipient: 'Bob@Example.com' }));
    // Who unsubscribes is off, whatever became of the message: of one that is not known too.
    await receive(engagement('unknown', { type: 'complained', recipient: 'carl@example.com' }));
    await receive(engagement('unknown-too', { type: 'complained' }));
    const entry = { client_id: TENANT, message_id: id };
    expect(await listed()).toEqual([
      { ...entry, recipient: 'ada@example.com', reason: 'hard_bounce' },
      { ...entry, recipient: 'bob@example.com', reason: 'unsubscribe' },
      { ...entry, recipient: 'carl@example.com', reason: 'complaint', message_id: null },
    ]);
  });

  it('does not put somebody back who was taken off, when the message is found later', async () => {
    await test.database.query('DELETE FROM suppressions');
    const { id, externalId } = await stored();
    await receive(engagement(externalId, { type: 'complained', recipient: 'ada@example.com' }));
    expect(await listed()).toHaveLength(1);
    await test.database.query('DELETE FROM suppressions');
    await test.database.query('INSERT INTO external_ids (config_id, external_id, message_id) VALUES ($1, $2, $3)', [
      CONFIG,
      externalId,
      id,
    ]);
    expect(await store.retryUnmatched()).toBeGreaterThan(0);
    expect((await reader.get(TENANT, id)).engagement).toMatchObject({ complaints: 1 });
    expect(await listed()).toEqual([]);
  });

  it('sends nothing to a chat that blocked the bot until it writes again', async () => {
    const chats = () =>
      test.database.query(`SELECT recipient, reason FROM suppressions WHERE channel = 'telegram' ORDER BY recipient`);
    const blocked = (chat: string) => engagement('', { type: 'unsubscribed', recipient: chat, externalId: undefined });
    await receive(blocked('42'), TENANT, 'telegram_bot');
    await receive(blocked('43'), TENANT, 'telegram_bot');
    expect(await chats()).toEqual([
      { recipient: '42', reason: 'unsubscribe' },
      { recipient: '43', reason: 'unsubscribe' },
    ]);
    const writes: NormalizedEvent = {
      kind: 'inbound',
      eventId: 'u-1',
      occurredAt: null,
      rawWord: 'message',
      from: '42',
      to: '',
      text: '/start',
    };
    await receive(writes, TENANT, 'telegram_bot');
    expect(await chats()).toEqual([{ recipient: '43', reason: 'unsubscribe' }]);
  });

  it('takes STOP and START that come together in their order', async () => {
    await test.database.query('DELETE FROM suppressions');
    const writes = (from: string, text: string): NormalizedEvent => ({
      kind: 'inbound',
      eventId: `sms-${++counter}`,
      occurredAt: null,
      rawWord: 'received',
      from,
      to: '+15005550006',
      text,
    });
    const said = [
      ['+393331000001', 'STOP'],
      ['+393331000002', 'STOP'],
      ['+393331000001', 'START'],
      ['+393331000003', 'START'],
      ['+393331000003', 'STOP'],
    ] as const;
    await Promise.all(said.map(([from, text]) => receive(writes(from, text), TENANT, 'twilio')));
    expect(
      await test.database.query(`SELECT recipient, reason FROM suppressions WHERE channel = 'sms' ORDER BY recipient`),
    ).toEqual([
      { recipient: '+393331000002', reason: 'stop' },
      { recipient: '+393331000003', reason: 'stop' },
    ]);
  });

  it('finds the message by our own id too, and shows no engagement of other channels', async () => {
    const email = await stored();
    await receive(engagement(email.externalId, { messageId: email.id, occurredAt: null }));
    expect((await reader.get(TENANT, email.id)).engagement).toMatchObject({ opens: 1 });
    const sms = await mapped('sms');
    await receive(engagement(sms.externalId));
    const view = await reader.get(TENANT, sms.id);
    expect(view.engagement).toBeNull();
    expect(view.events).toHaveLength(1);
  });
});
