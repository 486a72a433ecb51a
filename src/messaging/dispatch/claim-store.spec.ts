import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { messageIdTime, newId } from '../../kernel/ids';
import { ClaimStore } from './claim-store';
import { FreshMessages } from './fresh-messages';

const TENANT = 'acme_0123456789ab';

describe('ClaimStore', () => {
  let test: TestDatabase;
  let claims: ClaimStore;
  const fresh = new FreshMessages();

  beforeAll(async () => {
    test = await createTestDatabase();
    claims = new ClaimStore(test.database, fresh);
  });

  afterAll(() => test.drop());

  async function claimed(holder: string, secondsAgo: number): Promise<string> {
    const id = newId('message');
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'sms', 'queued', '+393331234567', '{"text":"x"}', 1, now() + interval '1 hour', now())`,
      [id, messageIdTime(id), TENANT],
    );
    await test.database.query(
      `INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, claimed_by, claimed_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'cfg_a', 1, now(), $4, now() - $5 * interval '1 second')`,
      [id, messageIdTime(id), TENANT, holder, secondsAgo],
    );
    return id;
  }

  it('trusts what it keeps of a message only while its queue row is as it was stored', async () => {
    await claims.beat('wrk_here');
    const [untouched, putBack] = [await claimed('wrk_else', 0), await claimed('wrk_else', 0)];
    const sql = 'UPDATE message_queue SET claimed_by = NULL, due_at = message_created_at WHERE message_id = $1';
    for (const id of [untouched, putBack]) {
      await test.database.query(sql, [id]);
      const [message] = await claims.claim('wrk_here', [id]);
      await test.database.query(sql, [id]);
      fresh.keep({ ...message!, recipient: 'as kept' });
    }
    await test.database.query(
      `UPDATE message_queue SET due_at = due_at + interval '1 millisecond' WHERE message_id = $1`,
      [putBack],
    );
    const first = await claims.claim('wrk_here', [untouched, putBack]);
    expect(first.map(({ id, recipient }) => [id, recipient])).toEqual([[untouched, 'as kept']]);
    const second = await claims.claim('wrk_here', [untouched, putBack]);
    expect(second.map(({ id, recipient }) => [id, recipient])).toEqual([[putBack, '+393331234567']]);
  });

  it('claims what was due when it was written by a clock that is ahead, and nothing that waits for its time', async () => {
    await claims.beat('wrk_here');
    const fresh = await claimed('wrk_else', 0);
    const late = await claimed('wrk_else', 0);
    const scheduled = await claimed('wrk_else', 0);
    const ahead = async (id: string, seconds: number, waitingOn: string | null) =>
      test.database.execute(
        `UPDATE message_queue SET claimed_by = NULL, due_at = now() + make_interval(secs => $2), waiting_on = $3 WHERE message_id = $1`,
        [id, seconds, waitingOn],
      );
    await ahead(fresh, 2, null);
    await ahead(late, 60, null);
    await ahead(scheduled, 2, 'schedule');
    const got = await claims.claim('wrk_here', [fresh, late, scheduled]);
    expect(got.map(({ id }) => id)).toEqual([fresh]);
  });

  it('gives back an old claim, and not one that was made since', async () => {
    const old = await claimed('wrk_me', 5);
    const young = await claimed('wrk_me', 0);
    await claims.release('wrk_me', [old, young], 1);
    expect(await claims.heldFor('wrk_me', -1)).toEqual([young]);
  });

  it('passes over a message that a report has in hand, so that neither waits for the other', async () => {
    const busy = await claimed('wrk_dead', 60);
    const free = await claimed('wrk_dead', 60);
    await test.database.transaction(async (report) => {
      await report.execute('SELECT 1 FROM messages WHERE id = $1 FOR NO KEY UPDATE', [busy]);
      const taken = await test.database.transaction((tx) => claims.lockHeldBy(tx, 'wrk_dead', 10));
      expect(taken.map((message) => message.id)).toEqual([free]);
    });
    const all = await test.database.transaction((tx) => claims.lockHeldBy(tx, 'wrk_dead', 10));
    expect(all.map((message) => message.id).sort()).toEqual([busy, free].sort());
    expect(all.map(({ content }) => content)).toEqual([{}, {}]);
  });
});
