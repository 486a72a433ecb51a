import type { AlertBook } from '../../platform/alerts/alert-book';
import type { Database, PreparedStatement, Transaction } from '../../platform/database/database';
import { LaneLostError } from '../../platform/delivery/delivery';
import { DeliveryWriter, type Settlement } from './delivery-writer';
import { TOUCH } from './delivery.statements';

describe('DeliveryWriter', () => {
  const settlement = (receiverId: string): Settlement => ({
    receiverId,
    result: {
      item: {
        inboundId: `inb_${receiverId}`,
        inboundCreatedAt: '2026-11-20 10:00:00+00',
        sequence: 1,
        attempts: 0,
        tries: 0,
        message: null,
      },
      attempt: { at: 0, latencyMs: 1 },
      status: 'succeeded',
      nextAttemptAt: null,
    },
    health: { failuresInRow: 0, failingSince: null },
  });

  it('writes the results of other receivers when the database refuses one', async () => {
    const written: string[] = [];
    const refusal = new Error('invalid byte sequence');
    const query = async (query: PreparedStatement, values: readonly unknown[]) => {
      const ids = String(values[1]).match(/[a-z]+/g)!;
      if (query === TOUCH) return ids.filter((id) => id !== 'lost').map((id) => ({ id }));
      if (ids.includes('bad')) throw refusal;
      written.push(...ids);
      return [];
    };
    const flush = (work: (tx: Transaction) => Promise<unknown>) => work({ query } as unknown as Transaction);
    const writer = new DeliveryWriter({ flush } as unknown as Database, 'wrk_me', {
      raise: () => Promise.resolve([]),
    } as unknown as AlertBook);
    const results = await Promise.allSettled(['one', 'bad', 'lost', 'other'].map((id) => writer.write(settlement(id))));
    expect(results).toEqual([
      { status: 'fulfilled', value: undefined },
      { status: 'rejected', reason: refusal },
      { status: 'rejected', reason: expect.any(LaneLostError) },
      { status: 'fulfilled', value: undefined },
    ]);
    expect(written).toEqual(['one', 'other']);
  });
});
