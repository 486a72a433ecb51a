import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { messageIdTime, newId } from '../../kernel/ids';
import { silentLogger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import type { TenantDirectory } from '../../tenancy/tenant-directory';
import type { IntakeService } from '../intake/intake.service';
import { SendOptionsDto } from '../intake/send-options.dto';
import { FallbackRunner } from './fallback-runner';
import { skipFallbacks } from './fallback-statements';
import { FallbackStore } from './fallback-store';

const TENANT = 'acme_0123456789ab';

describe('FallbackRunner', () => {
  let test: TestDatabase;
  let runner: FallbackRunner;
  let accepted: string[];
  let accept: (dto: SendOptionsDto) => Promise<object>;
  let status: 'active' | 'suspended';

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());
  beforeEach(async () => {
    await test.database.query('TRUNCATE messages, message_fallbacks');
    accepted = [];
    status = 'active';
    accept = () => Promise.resolve({ data: { message_id: newId('message') } });
    const intake = {
      descriptor: () => ({ dto: SendOptionsDto }),
      accept: (_principal: unknown, _channel: string, dto: SendOptionsDto) => {
        accepted.push(dto.idempotency_key!);
        return accept(dto);
      },
    } as unknown as IntakeService;
    const tenants = { get: () => Promise.resolve({ status }) } as unknown as TenantDirectory;
    runner = new FallbackRunner(test.database, intake, tenants, silentLogger);
  });

  async function message(of: string, id = newId('message')): Promise<string> {
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'sms', $4, '+393331234567', '{"text":"x"}', 1, now() + interval '1 hour', now())`,
      [id, messageIdTime(id), TENANT, of],
    );
    return id;
  }
  const plan = (id: string, ...waits: number[]) =>
    new FallbackStore(test.database).plan(
      id,
      TENANT,
      messageIdTime(id)!,
      waits.map((afterSeconds) => ({
        channel: 'sms',
        recipient: '+393331234568',
        afterSeconds,
        body: { reference: 'order-1' },
        candidates: [],
      })),
    );
  const rows = (id: string) =>
    test.database.query<{ state: string; due: boolean; leased: boolean; body: object | null; error: object | null }>(
      `SELECT state, due_at <= now() AS due, lease_until > now() AS leased, body, error FROM message_fallbacks
       WHERE message_id = $1 ORDER BY position`,
      [id],
    );

  it('waits while the message may still arrive', async () => {
    const id = await message('sent');
    await plan(id, 60, 60);
    await runner.run();
    expect(accepted).toEqual([]);
    expect((await rows(id)).map(({ state }) => state)).toEqual(['waiting', 'held']);
  });

  it.each(['failed', 'undelivered', 'expired'])('goes on at once when the message is %s', async (ended) => {
    const id = await message(ended);
    await plan(id, 60, 60);
    await runner.run();
    expect(accepted).toEqual([`fallback:${id}:0`]);
    const [sent, next] = await rows(id);
    expect(sent).toMatchObject({ state: 'sent', body: null });
    expect(next).toMatchObject({ state: 'waiting', due: false });
  });

  it('finds the one that failed among more than it looks at in a turn', async () => {
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at)
       SELECT 'msg_0' || i, date_trunc('second', now()), $1, 'sms', 'sent', '+39333', '{}', 1, now(), now() FROM generate_series(10000, 17000) i`,
      [TENANT],
    );
    await test.database.query(
      `INSERT INTO message_fallbacks (message_id, message_created_at, position, client_id, channel, recipient, after_seconds, body, state, due_at,
                                      watched, watched_created_at, created_at)
       SELECT id, created_at, 0, client_id, 'sms', '+39333', 60, '{}', 'waiting', now() + interval '1 hour', id, created_at, now() FROM messages`,
    );
    const last = await message('failed');
    await plan(last, 60);
    for (let turn = 0; turn < 3 && accepted.length === 0; turn++) await runner.run();
    expect(accepted).toEqual([`fallback:${last}:0`]);
  });

  it('sends nothing for a message that was never stored, and sweeps its plan', async () => {
    const [young, old] = [newId('message'), newId('message')];
    await plan(young, 1, 1);
    await plan(old, 1, 1);
    await test.database.query(`UPDATE message_fallbacks SET due_at = now() WHERE state = 'waiting'`);
    await test.database.query(
      `UPDATE message_fallbacks SET created_at = now() - interval '11 minutes' WHERE message_id = $1`,
      [old],
    );
    await runner.run();
    expect(accepted).toEqual([]);
    expect(await rows(old)).toEqual([]);
    expect((await rows(young)).map(({ state }) => state)).toEqual(['waiting', 'held']);
    // It was only slow: now it is there.
    await message('failed', young);
    await test.database.query('UPDATE message_fallbacks SET lease_until = NULL');
    await runner.run();
    expect(accepted).toEqual([`fallback:${young}:0`]);
  });

  it('keeps what cannot be stored right now, and tries again with the same key', async () => {
    const id = await message('failed');
    await plan(id, 60);
    accept = () => Promise.reject(Problem.unavailable('away'));
    await runner.run();
    expect(await rows(id)).toEqual([
      expect.objectContaining({ state: 'waiting', due: true, leased: true, body: { reference: 'order-1' } }),
    ]);
    await runner.run();
    expect(accepted).toHaveLength(1);
    accept = () => Promise.resolve({ data: { message_id: newId('message') } });
    await test.database.query('UPDATE message_fallbacks SET lease_until = now()');
    await runner.run();
    expect(accepted).toEqual([`fallback:${id}:0`, `fallback:${id}:0`]);
    expect((await rows(id))[0]).toMatchObject({ state: 'sent' });
  });

  it('makes way for the next when one is refused, and sends nothing for a suspended tenant', async () => {
    const id = await message('failed');
    await plan(id, 60, 60);
    accept = () => Promise.reject(new Problem('no_gateway_available', 'None is left.'));
    await runner.run();
    expect((await rows(id))[0]).toMatchObject({
      state: 'failed',
      body: null,
      error: { code: 'no_gateway_available', detail: 'None is left.' },
    });
    expect((await rows(id))[1]).toMatchObject({ state: 'waiting', due: true });
    status = 'suspended';
    await runner.run();
    expect((await rows(id))[1]).toMatchObject({ state: 'failed', error: { code: 'forbidden' } });
    expect(accepted).toEqual([`fallback:${id}:0`]);
  });

  it('says of one that went out while its message was canceled that it did, and sends no further one', async () => {
    const id = await message('failed');
    await plan(id, 60, 60);
    const sentId = newId('message');
    accept = async () => {
      await test.database.transaction((tx) => skipFallbacks(tx, TENANT, [id]));
      return { data: { message_id: sentId } };
    };
    await runner.run();
    const sql = 'SELECT state, sent_message_id FROM message_fallbacks WHERE message_id = $1 ORDER BY position';
    expect(await test.database.query(sql, [id])).toEqual([
      { state: 'sent', sent_message_id: sentId },
      { state: 'skipped', sent_message_id: null },
    ]);
  });

  it('sends each once when several processes run it', async () => {
    const ids = await Promise.all(Array.from({ length: 60 }, () => message('failed')));
    for (const id of ids) await plan(id, 60);
    await Promise.all([runner.run(), runner.run(), runner.run()]);
    await runner.run();
    expect(accepted.length).toBe(60);
    expect(new Set(accepted).size).toBe(60);
  });
});
