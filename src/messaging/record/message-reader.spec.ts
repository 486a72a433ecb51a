import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { messageIdTime, newId } from '../../kernel/ids';
import { MessageReader } from './message-reader';

const TENANT = 'acme_0123456789ab';

describe('MessageReader', () => {
  let test: TestDatabase;
  let reader: MessageReader;

  beforeAll(async () => {
    test = await createTestDatabase();
    reader = new MessageReader(test.database);
  });

  afterAll(() => test.drop());

  async function waiting(on: string | null, dueInSeconds: number) {
    const id = newId('message');
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'sms', 'queued', '+393331234567', '{"text":"x"}', 1, now() + interval '1 hour', now())`,
      [id, messageIdTime(id), TENANT],
    );
    await test.database.query(
      `INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, waiting_on)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'cfg_a', 1, now() + $4 * interval '1 second', $5)`,
      [id, messageIdTime(id), TENANT, dueInSeconds, on],
    );
    return { on: (await reader.get(TENANT, id)).waiting_on, lane: await reader.waitingLane(TENANT, id) };
  }

  it.each(['schedule', 'retry'])(
    'says that a message waits for its %s until the time has come, then its lane',
    async (on) => {
      expect(await waiting(on, 60)).toEqual({ on, lane: null });
      expect(await waiting(on, -1)).toEqual({ on: null, lane: 'cfg_a' });
    },
  );

  it('says what else a message waits for as it is stored, and names the lane of one without a reason', async () => {
    expect(await waiting('circuit_open', -1)).toEqual({ on: 'circuit_open', lane: null });
    expect(await waiting(null, -1)).toEqual({ on: null, lane: 'cfg_a' });
  });
});
