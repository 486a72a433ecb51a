import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { messageIdTime, newId } from '../../kernel/ids';
import type { MessageActions } from '../../messaging/record/message-actions';
import { NotificationCancellation } from './notification-cancellation';

const TENANT = 'acme_0123456789ab';

describe('NotificationCancellation', () => {
  let test: TestDatabase;
  let cancellation: NotificationCancellation;
  let asked: string[][];

  beforeAll(async () => {
    test = await createTestDatabase();
    await test.database.execute(
      `INSERT INTO tenants (client_id, name, slug, webhook_signing_secret, created_at, updated_at) VALUES ($1, 'Acme', 'acme', '', now(), now())`,
      [TENANT],
    );
  });

  beforeEach(() => {
    asked = [];
    const actions = { cancelMany: (_: string, ids: string[]) => (asked.push(ids), Promise.resolve([])) };
    cancellation = new NotificationCancellation(test.database, actions as unknown as MessageActions);
  });

  afterAll(() => test.drop());

  /** A notification that is being canceled, with one message that a worker has in hand. */
  async function canceling(): Promise<{ id: string; messageId: string }> {
    const [id, messageId] = [newId('notification'), newId('message')];
    await test.database.execute(
      `INSERT INTO notifications (id, client_id, template_id, template_version, state, prefix, options, recipients, planned, created_at)
       VALUES ($1, $2, 'tpl_a', 1, 'canceling', 'p', '{}', 1, '{}', now())`,
      [id, TENANT],
    );
    await test.database.execute(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'sms', 'queued', '+393331234567', '{}', 1, now() + interval '1 hour', now())`,
      [messageId, messageIdTime(messageId), TENANT],
    );
    await test.database.execute(
      `INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, claimed_by, claimed_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'cfg_a', 1, now(), 'wrk_a', now())`,
      [messageId, messageIdTime(messageId), TENANT],
    );
    await test.database.execute(
      `INSERT INTO notification_items (notification_id, position, channel, client_id, outcome, message_id, message_created_at)
       VALUES ($1, 0, 'sms', $2, 'accepted', $3, to_timestamp($4 / 1000.0))`,
      [id, TENANT, messageId, messageIdTime(messageId)],
    );
    return { id, messageId };
  }

  const state = async (id: string) => {
    const [row] = await test.database.query<{ state: string }>('SELECT state FROM notifications WHERE id = $1', [id]);
    return row!.state;
  };
  const timePasses = () => test.database.execute(`UPDATE notifications SET lease_until = now() - interval '1 second'`);

  it('looks again while a worker has a message in hand that may come back', async () => {
    const { id, messageId } = await canceling();
    await cancellation.run();
    expect(await state(id)).toBe('canceling');
    await timePasses();
    await cancellation.run();
    expect(asked).toEqual([[messageId], [messageId]]);
    await test.database.execute('DELETE FROM message_queue WHERE message_id = $1', [messageId]);
    await timePasses();
    await cancellation.run();
    expect(await state(id)).toBe('canceled');
  });

  it.each([
    ['of unknown fate', 'UPDATE message_queue SET unknown_since = now() WHERE message_id = $1'],
    ['that may have been sent', 'UPDATE messages SET possible_duplicate = true WHERE id = $1'],
  ])('does not wait for a message %s', async (_, sql) => {
    const { id, messageId } = await canceling();
    await test.database.execute(sql, [messageId]);
    await cancellation.run();
    expect(await state(id)).toBe('canceled');
  });
});
