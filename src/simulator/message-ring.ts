import type { SimulatedMessage } from '../gateway/contracts/simulator';

/** As kept: callbacks are noted while the message's life goes on. */
export type KeptMessage = SimulatedMessage & { readonly callbacks: string[] };

/** The newest messages that the stand-ins received, up to a fixed number. */
export class MessageRing {
  private readonly slots: Array<KeptMessage | undefined> = [];
  private readonly byId = new Map<string, KeptMessage>();
  /** Messages received since the start. */
  total = 0;

  constructor(private readonly capacity: number) {}

  add(message: KeptMessage): void {
    const slot = this.total % this.capacity;
    const old = this.slots[slot];
    if (old) this.byId.delete(keyOf(old.provider, old.externalId));
    this.slots[slot] = message;
    this.byId.set(keyOf(message.provider, message.externalId), message);
    this.total++;
  }

  find(provider: string, externalId: string): KeptMessage | undefined {
    return this.byId.get(keyOf(provider, externalId));
  }

  /**
   * Newest first, each with its place: how many were received before it.
   * @param before only those with a lower place
   */
  *newestFirst(before = this.total): Generator<readonly [place: number, message: KeptMessage]> {
    for (let place = Math.min(before, this.total) - 1; place >= 0 && place >= this.total - this.capacity; place--)
      yield [place, this.slots[place % this.capacity]!];
  }
}

function keyOf(provider: string, externalId: string): string {
  return `${provider}:${externalId}`;
}
