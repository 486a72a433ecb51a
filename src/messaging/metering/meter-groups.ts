import type { Contribution } from './contribution';

const QUARTER_MS = 15 * 60_000;

/** A message whose count may change. */
export interface MeteredChange {
  clientId: string;
  channel: string;
  /** When it was accepted, milliseconds since the epoch. */
  createdAt: number;
  before: Contribution;
  after: Contribution;
}

/** What each message of a group adds to a row of `usage_deltas`; as the statement that writes it reads it. */
interface Entry {
  meter: number;
  client_id: string;
  /** Milliseconds since the epoch. */
  bucket: number;
  config_id: string;
  channel: string;
  status?: string;
  messages: number;
  segments: number;
  currency?: string;
  amount?: string;
}

/**
 * Puts the changes of a flush together: most of its messages change in the same way (of one tenant, account and quarter of an hour, from queued to sent),
 * so that metering costs a row or two a flush and a number a message.
 */
export class MeterGroups {
  readonly entries: Entry[] = [];
  private readonly numbers = new Map<string, number>();

  /** The number of a change's group, from 1 on; null when nothing that counts changes. */
  add({ clientId, channel, createdAt, before, after }: MeteredChange): number | null {
    const from = `${before.configId}\n${before.status}\n${before.segments}\n${before.currency}\n${before.amount}`;
    const to = `${after.configId}\n${after.status}\n${after.segments}\n${after.currency}\n${after.amount}`;
    if (from === to) return null;
    const bucket = createdAt - (createdAt % QUARTER_MS);
    const key = `${clientId}\n${bucket}\n${channel}\n${from}\n${to}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const meter = this.numbers.size + 1;
    this.numbers.set(key, meter);
    const about = { meter, client_id: clientId, bucket, channel };
    for (const [{ configId, status, segments, currency, amount }, sign] of [
      [before, -1],
      [after, 1],
    ] as const) {
      if (status === '' && currency === '') continue;
      this.entries.push({
        ...about,
        config_id: configId,
        ...(status !== '' && { status }),
        messages: status === '' ? 0 : sign,
        segments: sign * segments,
        ...(currency !== '' && { currency, amount: sign < 0 ? negative(amount) : amount }),
      });
    }
    return meter;
  }
}

function negative(amount: string): string {
  return amount.startsWith('-') ? amount.slice(1) : `-${amount}`;
}
