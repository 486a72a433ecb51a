import { silentLogger } from '../../kernel/logger';
import { ManualClock } from '../../kernel/clock';
import type { PreparedStatement } from '../../platform/database/database';
import { FRESH, STATE } from './delivery.statements';
import type { Settlement } from './delivery-writer';
import { ReceiverLane, type ReceiverLaneContext } from './receiver-lane';
import type { ReceiverRow } from './receiver.row';
import { RECEIVER_PROFILE } from './inbound-delivery.service';

describe('ReceiverLane', () => {
  it.each([
    ['cannot be written', 'refuse'],
    ['is not waited for', 'interrupt'],
  ] as const)('does not pass over a message whose result %s while it looks for more', async (_, end) => {
    const row = { id: 'nrc_a', client_id: 'acme', cursor_sequence: 0, sequence: 1, failures_in_row: 0 } as ReceiverRow;
    const written: Settlement[] = [];
    let looks = 0;
    let lookAgain!: () => void;
    let refuse!: (error: Error) => void;
    let writing!: () => void;
    const settling = new Promise<void>((resolve) => (writing = resolve));
    const query = async (query: PreparedStatement) => {
      if (query === FRESH) return looks === 1 ? [{ inbound_id: 'inb_a', delivery_sequence: 1, id: null }] : [];
      if (query === STATE && ++looks === 2) await new Promise<void>((resolve) => (lookAgain = resolve));
      return [{ ...row, max_attempts: 3, retry_delay_seconds: 900 }];
    };
    const answer = { at: 0, latencyMs: 1 };
    const lane = new ReceiverLane(row, {
      database: { query },
      writer: {
        write: (settlement: Settlement) => {
          written.push(settlement);
          writing();
          return new Promise((_, reject) => (refuse = reject));
        },
      },
      sender: {
        key: () => Promise.resolve({}),
        send: () => (end === 'refuse' ? Promise.resolve(answer) : (writing(), new Promise(() => undefined))),
      },
      clock: new ManualClock(1_000),
      logger: silentLogger,
      metrics: { tried: () => undefined },
      profile: RECEIVER_PROFILE,
      owner: 'wrk_me',
    } as unknown as ReceiverLaneContext);
    const over = lane.run();
    over.catch(() => undefined);
    await settling;
    lane.wake();
    await new Promise((resolve) => setImmediate(resolve));
    if (end === 'refuse') refuse(new Error('refused'));
    else lane.interrupt();
    await new Promise((resolve) => setImmediate(resolve));
    lookAgain();
    if (end === 'refuse') await expect(over).rejects.toThrow('refused');
    else await over;
    expect(looks).toBe(2);
    expect(written.filter(({ cursor }) => cursor !== undefined)).toEqual([]);
  });
});
