import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { messageIdTime, newId } from '../../kernel/ids';
import type { Problem } from '../../kernel/problem';
import { EventSignal, EventStore } from '../../platform/events/event-store';
import { MessageActions } from './message-actions';
import type { MessageReader } from './message-reader';
import { MessageSignal } from './message-signal';
import type { MessageWriter } from './message-writer';
import type { ProviderInquiry } from './provider-inquiry';
import type { LaneWaits } from '../dispatch/lane-waits';

const TENANT = 'acme_0123456789ab';

describe('MessageActions', () => {
  let test: TestDatabase;
  let actions: MessageActions;

  beforeAll(async () => {
    test = await createTestDatabase();
    const get = async (_: string, id: string) => {
      const [row] = await test.database.query<object>(
        `SELECT status, possible_duplicate, status = 'canceled' AS final FROM messages WHERE id = $1`,
        [id],
      );
      return row;
    };
    actions = new MessageActions(
      { get } as unknown as MessageReader,
      {} as MessageWriter,
      test.database,
      new EventStore(new EventSignal()),
      new MessageSignal(),
      {} as ProviderInquiry,
      {} as LaneWaits,
    );
  });

  afterAll(() => test.drop());

  async function stored(possibleDuplicate: boolean, unknownSince: Date | null = null): Promise<string> {
    const id = newId('message');
    await test.database.query(
      `INSERT INTO messages (id, created_at, client_id, channel, status, recipient, content, priority, expires_at, updated_at, possible_duplicate)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'sms', 'queued', '+393331234567', '{}', 1, now() + interval '1 hour', now(), $4)`,
      [id, messageIdTime(id), TENANT, possibleDuplicate],
    );
    await test.database.query(
      `INSERT INTO message_queue (message_id, message_created_at, client_id, lane, priority, due_at, unknown_since)
       VALUES ($1, to_timestamp($2 / 1000.0), $3, 'cfg_a', 1, now(), $4)`,
      [id, messageIdTime(id), TENANT, unknownSince],
    );
    return id;
  }

  it('cancels what waits, and nothing that a provider may have taken', async () => {
    const [waiting, open, sentPerhaps] = [await stored(false), await stored(false, new Date()), await stored(true)];
    expect(await actions.cancelMany(TENANT, [waiting, open, sentPerhaps])).toEqual([waiting]);
    const refusal = await actions.cancel(TENANT, sentPerhaps).then(
      () => undefined,
      (error: unknown) => error as Problem,
    );
    expect(refusal).toMatchObject({ code: 'conflict', detail: expect.stringContaining('unknown fate') });
    expect(await test.database.query('SELECT message_id FROM message_queue ORDER BY message_id')).toEqual([
      { message_id: open },
      { message_id: sentPerhaps },
    ]);
  });
});
