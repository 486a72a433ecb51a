import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { until } from '../../../test/support/until';
import { OutcomeRecorder } from '../../gateway/budget/outcome-recorder';
import { silentLogger } from '../../kernel/logger';
import type { MessageStatus } from '../../kernel/channel';
import { ManualClock, systemClock } from '../../kernel/clock';
import { messageIdTime, newId } from '../../kernel/ids';
import { createDataSource } from '../../platform/database/data-source';
import { Database } from '../../platform/database/database';
import { EventSignal } from '../../platform/events/event-store';
import type { SuppressionDirectory } from '../suppression/suppression-directory';
import { MessageSignal } from './message-signal';
import { MessageWriter } from './message-writer';
import type { DispatchOutcome, ReportedStatus } from './message.types';

const TENANT = 'acme_0123456789ab';
const OTHER = 'rival_0123456789ab';
const CONFIG = 'cfg_a';

describe('MessageWriter', () => {
  let test: TestDatabase;
  let writer: MessageWriter;
  let signal: EventSignal;
  let told: string[];
  let suppressed: string[];

  beforeAll(async () => {
    test = await createTestDatabase();
  });

  beforeEach(() => {
    signal = new EventSignal();
    told = [];
    suppressed = [];
    signal.onCommitted((clientIds) => told.push(...clientIds));
    writer = newWriter(test.database);
  });

  function newWriter(database: Database): MessageWriter {
    const suppressions = {
      added: (...entry: string[]) => suppressed.push(entry.join(' ')),
    } as unknown as SuppressionDirectory;
    const outcomes = new OutcomeRecorder(test.database, systemClock, silentLogger);
    const made = new MessageWriter(
      database,
      signal,
      new MessageSignal(),
      suppressions,
      outcomes,
      new ManualClock(Date.now()),
    );
    made.holder = 'wrk_me';
    return made;
  }

  afterAll(() => test.drop());

  async function stored(options: { claimedBy?: string | null; clientId?: string } = {}): Promise<string> {
    const id = newId('message');
    const clientId = options.clientId ?? TENANT;
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'sms', 'queued', '+393331234567', '{"text":"x"}', 1, now() + interval '1 hour', now())`,
      [id, messageIdTime(id), clientId],
    );
    await test.database.query(
      `INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, claimed_by, claimed_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, $4, 1, now(), $5, now())`,
      [id, messageIdTime(id), clientId, CONFIG, options.claimedBy === undefined ? 'wrk_me' : options.claimedBy],
    );
    return id;
  }

  function sent(
    id: string,
    externalId: string,
    more: Partial<Extract<DispatchOutcome['next'], { type: 'sent' }>> = {},
  ) {
    const attempt = {
      gateway: 'twilio',
      config_id: CONFIG,
      started_at: new Date().toISOString(),
      finished_at: new Date().toISOString(),
      outcome: 'accepted' as const,
      external_id: externalId,
    };
    const next = {
      type: 'sent' as const,
      gateway: 'twilio',
      configId: CONFIG,
      externalId,
      status: 'sent' as MessageStatus,
      ...more,
    };
    return writer.apply({ kind: 'dispatch', outcome: { message: target(id), attempt, next } });
  }

  function report(id: string, status: MessageStatus, more: Partial<ReportedStatus> = {}) {
    const base = {
      messageId: id,
      clientId: TENANT,
      configId: CONFIG,
      gateway: 'twilio',
      externalId: `SM${id}`,
      occurredAt: Date.now(),
    };
    return writer.apply({ kind: 'report', report: { ...base, status, ...more } });
  }

  const target = (id: string): DispatchOutcome['message'] => ({
    id,
    createdAt: messageIdTime(id)!,
    clientId: TENANT,
    channel: 'sms',
    recipient: '+393331234567',
    priority: 1,
    state: {
      id,
      client_id: TENANT,
      channel: 'sms',
      status: 'queued',
      recipient: '+393331234567',
      reference: null,
      metadata: null,
      config_id: null,
      external_id: null,
      parts: null,
      segments: null,
      cost_amount: null,
      cost_currency: null,
      attempted_config: null,
      possible_duplicate: false,
      version: 0,
    },
  });

  async function read(id: string) {
    const [row] = await test.database.query<Record<string, unknown>>(
      `SELECT m.status, m.gateway, m.config_id, m.external_id, m.error_code, m.possible_duplicate, jsonb_array_length(m.attempts) AS attempts,
              (SELECT count(*)::int FROM message_queue q WHERE q.message_id = m.id) AS queued,
              (SELECT coalesce(array_agg(e.type ORDER BY e.tx, e.seq), '{}') FROM events e WHERE e.message_id = m.id) AS events
       FROM messages m WHERE m.id = $1`,
      [id],
    );
    return row!;
  }

  it.each([
    { segments: 1.5 },
    { segments: 70_000 },
    { segments: 1e12 },
    { cost: { amount: 'n/a', currency: 'EUR' } },
    { cost: { amount: '1e999999', currency: 'EUR' } },
    { cost: { amount: '0.01', currency: 'E\0R' } },
  ])('settles a message whose provider talks nonsense besides: %j', async (nonsense) => {
    const id = await stored();
    expect(await sent(id, `SM${id}`, nonsense)).toBe(true);
    expect(await report(id, 'delivered', nonsense)).toBe(true);
    expect(await read(id)).toMatchObject({ status: 'delivered', queued: 0 });
  });

  it('settles a sent message: status, attempt, queue, event and the provider’s id, together', async () => {
    const id = await stored();
    expect(await sent(id, 'SM1')).toBe(true);
    expect(await read(id)).toEqual({
      status: 'sent',
      gateway: 'twilio',
      config_id: CONFIG,
      external_id: 'SM1',
      error_code: null,
      possible_duplicate: false,
      attempts: 1,
      queued: 0,
      events: ['message.sent'],
    });
    expect(await test.database.query('SELECT message_id FROM external_ids WHERE external_id = $1', ['SM1'])).toEqual([
      { message_id: id },
    ]);
    expect(told).toEqual([TENANT]);
  });

  it('locks messages in the order of their ids, whatever order their changes come in', async () => {
    const [low, high] = [await stored(), await stored()];
    // As on the message path, where each row is found by its key.
    const hot = await createDataSource({ url: test.url, poolSize: 2, hot: true }).initialize();
    writer = newWriter(new Database(test.database.dataSource, hot));
    const writes: Array<Promise<boolean>> = [];
    await test.database.transaction(async (tx) => {
      await tx.execute('SELECT 1 FROM messages WHERE id = $1 FOR NO KEY UPDATE', [low]);
      writes.push(sent(high, 'SM-high'), sent(low, 'SM-low'));
      await until('the writer waits for the lower one', async () => {
        const sql = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        return (await test.database.query(sql)).length > 0;
      });
      await tx.execute('SELECT 1 FROM messages WHERE id = $1 FOR NO KEY UPDATE NOWAIT', [high]);
    });
    expect(await Promise.all(writes)).toEqual([true, true]);
    await hot.destroy();
  });

  it('writes a batch that PostgreSQL ended for a deadlock again as a whole', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => stored()));
    const query = jest.spyOn(test.database, 'query');
    query.mockRejectedValueOnce(Object.assign(new Error('deadlock detected'), { code: '40P01' }));
    expect(await Promise.all(ids.map((id) => sent(id, `SM${id}`)))).toEqual(ids.map(() => true));
    expect(query).toHaveBeenCalledTimes(2);
    query.mockRestore();
  });

  it('lists an attempt once when its outcome is written again, since the answer to the first commit was lost', async () => {
    const id = await stored();
    const attempt = {
      gateway: 'twilio',
      config_id: CONFIG,
      started_at: '2026-11-22T08:30:00.010Z',
      finished_at: '2026-11-22T08:30:00.120Z',
      outcome: 'unknown' as const,
    };
    const requeue = {
      lane: CONFIG,
      rounds: 0,
      tried: [],
      unknown: null,
      dueAt: Date.now(),
      waitingOn: 'retry' as const,
    };
    const outcome = { message: target(id), attempt, next: { type: 'requeue' as const, requeue } };
    expect(await writer.apply({ kind: 'dispatch', outcome })).toBe(true);
    expect(await writer.apply({ kind: 'dispatch', outcome })).toBe(false);
    expect(await read(id)).toMatchObject({ status: 'queued', attempts: 1, queued: 1 });
    const another = { ...attempt, started_at: '2026-11-22T08:30:05.010Z' };
    await writer.apply({ kind: 'dispatch', outcome: { ...outcome, attempt: another } });
    expect(await read(id)).toMatchObject({ attempts: 2 });
  });

  it('does not let a worker end a message that was taken back from it: another one may be sending it', async () => {
    const failed = (id: string) => {
      const attempt = {
        gateway: 'twilio',
        config_id: CONFIG,
        started_at: new Date().toISOString(),
        finished_at: new Date().toISOString(),
        outcome: 'content_permanent' as const,
      };
      const next = { type: 'final' as const, status: 'failed' as const, errorCode: 'late', errorMessage: 'Too late.' };
      return writer.apply({ kind: 'dispatch', outcome: { message: target(id), attempt, next } });
    };
    const [mine, taken] = [await stored(), await stored({ claimedBy: 'wrk_other' })];
    await Promise.all([failed(mine), failed(taken)]);
    expect(await read(mine)).toMatchObject({ status: 'failed', attempts: 1, queued: 0, events: ['message.failed'] });
    expect(await read(taken)).toMatchObject({ status: 'queued', attempts: 1, queued: 1, events: [], error_code: null });
  });

  it('keeps what a report that overtook the answer said', async () => {
    const id = await stored();
    await report(id, 'delivered');
    await sent(id, `SM${id}`);
    expect(await read(id)).toMatchObject({
      status: 'delivered',
      attempts: 1,
      queued: 0,
      events: ['message.delivered'],
    });
  });

  it('puts who opted out on the list with the failure that says so, and nobody for another failure', async () => {
    await test.database.query('DELETE FROM suppressions');
    const listed = () =>
      test.database.query('SELECT client_id, channel, recipient, reason, source, detail, message_id FROM suppressions');
    const [other, first, again] = [await stored(), await stored(), await stored()];
    const end = (id: string, errorCode: string, error_code: string) =>
      writer.apply({
        kind: 'dispatch',
        outcome: {
          message: target(id),
          attempt: {
            gateway: 'twilio',
            config_id: CONFIG,
            started_at: new Date().toISOString(),
            finished_at: new Date().toISOString(),
            outcome: 'recipient_permanent',
            error_code,
          },
          next: { type: 'final', status: 'failed', errorCode, errorMessage: 'No.' },
        },
      });
    await end(other, 'invalid_recipient', '21211');
    expect(await listed()).toEqual([]);
    await end(first, 'opted_out', '21610');
    await report(again, 'failed', { error: { code: 'opted_out', providerCode: '30999' } });
    expect(await listed()).toEqual([
      {
        client_id: TENANT,
        channel: 'sms',
        recipient: '+393331234567',
        reason: 'stop',
        source: 'provider',
        detail: '21610',
        message_id: first,
      },
    ]);
    expect(suppressed).toEqual(Array(2).fill(`${TENANT} sms +393331234567`));
  });

  it('ends the same whatever the order of reports and however often they come, in one batch or in many', async () => {
    const orders: MessageStatus[][] = [
      ['sent', 'delivered'],
      ['delivered', 'sent'],
      ['delivered', 'delivered', 'sent', 'delivered'],
    ];
    for (const order of orders) {
      const [together, apart] = [await stored(), await stored()];
      await Promise.all([sent(together, `SM${together}`), ...order.map((status) => report(together, status))]);
      await sent(apart, `SM${apart}`);
      for (const status of order) await report(apart, status);
      for (const id of [together, apart]) {
        expect(await read(id)).toMatchObject({ status: 'delivered', events: ['message.sent', 'message.delivered'] });
      }
    }
  });

  it('lets a late delivered win over undelivered, and clears the error', async () => {
    const id = await stored();
    await sent(id, `SM${id}`);
    await report(id, 'undelivered', { error: { code: 'unreachable' } });
    expect(await read(id)).toMatchObject({ status: 'undelivered', error_code: 'unreachable' });
    await report(id, 'delivered');
    expect(await read(id)).toMatchObject({ status: 'delivered', error_code: null });
  });

  it('leaves another tenant’s message alone', async () => {
    const id = await stored({ clientId: OTHER });
    expect(await report(id, 'delivered')).toBe(false);
    expect(await read(id)).toMatchObject({ status: 'queued', queued: 1, events: [] });
  });

  it('leaves a failure of the gateway that was given up alone, but takes its delivery', async () => {
    const id = await stored();
    await sent(id, `SM${id}`);
    await report(id, 'failed', { configId: 'cfg_before', gateway: 'vonage', externalId: 'other' });
    expect(await read(id)).toMatchObject({ status: 'sent' });
    await report(id, 'delivered', { configId: 'cfg_before', gateway: 'vonage', externalId: 'other' });
    expect(await read(id)).toMatchObject({ status: 'delivered' });
  });

  it.each(['queued', 'sent'] as const)(
    'takes %s of a message of unknown fate for it that the provider has it',
    async (status) => {
      const id = await stored({ claimedBy: null });
      await test.database.query('UPDATE message_queue SET unknown_since = now() WHERE message_id = $1', [id]);
      await report(id, status);
      expect(await read(id)).toMatchObject({
        status: 'sent',
        config_id: CONFIG,
        external_id: `SM${id}`,
        queued: 0,
        events: ['message.sent'],
      });
    },
  );

  it('lets a failure settle the fate of an attempt, and end no message that has gone on since', async () => {
    const [open, goneOn] = [await stored(), await stored()];
    const outcome = (id: string, more: object) => {
      const requeue = { lane: 'cfg_b', dueAt: Date.now(), waitingOn: null, rounds: 0, tried: [CONFIG], unknown: null };
      return writer.apply({
        kind: 'dispatch',
        outcome: { message: target(id), next: { type: 'requeue', requeue }, ...more },
      });
    };
    await outcome(goneOn, { possibleDuplicate: true });
    for (const id of [open, goneOn]) await report(id, 'failed', { error: { code: 'unreachable' } });
    expect(await read(open)).toMatchObject({ status: 'failed', error_code: 'unreachable', queued: 0 });
    expect(await read(goneOn)).toMatchObject({ status: 'queued', error_code: null, queued: 1, events: [] });
    await report(goneOn, 'delivered');
    expect(await read(goneOn)).toMatchObject({ status: 'delivered', queued: 0 });
  });

  it('is delivered when all parts are', async () => {
    const id = await stored();
    const parts = [`${id}-1`, `${id}-2`];
    await sent(id, parts[0]!, { externalIds: parts });
    await report(id, 'delivered', { externalId: parts[1] });
    expect(await read(id)).toMatchObject({ status: 'sent' });
    await report(id, 'delivered', { externalId: parts[0] });
    expect(await read(id)).toMatchObject({ status: 'delivered', events: ['message.sent', 'message.delivered'] });
  });

  it('gives a message back to the queue only while it is still held', async () => {
    const requeue = {
      lane: 'cfg_b',
      dueAt: Date.now() + 5_000,
      waitingOn: 'retry' as const,
      rounds: 1,
      tried: [CONFIG],
      unknown: null,
    };
    const [mine, lost] = [await stored(), await stored({ claimedBy: 'wrk_other' })];
    const results = await Promise.all(
      [mine, lost].map((id) =>
        writer.apply({ kind: 'dispatch', outcome: { message: target(id), next: { type: 'requeue', requeue } } }),
      ),
    );
    expect(results).toEqual([true, false]);
    const rows = await test.database.query(
      'SELECT message_id, lane, claimed_by, rounds, tried FROM message_queue WHERE message_id = ANY($1)',
      [[mine, lost]],
    );
    expect(rows).toEqual(
      expect.arrayContaining([
        { message_id: mine, lane: 'cfg_b', claimed_by: null, rounds: 1, tried: [CONFIG] },
        { message_id: lost, lane: CONFIG, claimed_by: 'wrk_other', rounds: 0, tried: [] },
      ]),
    );
  });

  it('drops a retry when a report settled the message meanwhile', async () => {
    const id = await stored();
    await report(id, 'sent');
    const requeue = { lane: CONFIG, dueAt: Date.now(), waitingOn: null, rounds: 0, tried: [], unknown: null };
    await writer.apply({ kind: 'dispatch', outcome: { message: target(id), next: { type: 'requeue', requeue } } });
    expect(await read(id)).toMatchObject({ status: 'sent', queued: 0 });
  });

  it('fails one change that the database refuses without its neighbours', async () => {
    const [bad, good] = [await stored(), await stored()];
    const results = await Promise.allSettled([sent(bad, 'SM\0'), sent(good, 'SMgood')]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
    expect(await read(good)).toMatchObject({ status: 'sent' });
    expect(await read(bad)).toMatchObject({ status: 'queued', queued: 1 });
  });
});
