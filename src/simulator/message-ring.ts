import type { SimulatedMessage } from '../gateway/contracts/simulator';

/** As kept: callbacks are noted while the message's life goes on. */
export type KeptMessage = SimulatedMessage & { readonly callbacks: string[] };

/** The newest messages that the stand-ins received, up to a fixed number. */
export class MessageRing {
  private readonly slots: Array<KeptMessage | undefined> = [];
  private readonly byId = new Map<string, KeptMessage>();
  private next = 0;
  /** Messages received since the start. */
  total = 0;

  constructor(private readonly capacity: number) {}

  add(message: KeptMessage): void {
    const old = this.slots[this.next];
    if (old) this.byId.delete(keyOf(old.provider, old.externalId));
    this.slots[this.next] = message;
    this.byId.set(keyOf(message.provider, message.externalId), message);
    this.next = (this.next + 1) % this.capacity;
    this.total++;
  }

  find(provider: string, externalId: string): KeptMessage | undefined {
    return this.byId.get(keyOf(provider, externalId));
  }

  /** Newest first. */
  *newestFirst(): Generator<KeptMessage> {
    for (let back = 1; back <= this.capacity; back++) {
      const message = this.slots[(this.next - back + this.capacity) % this.capacity];
      if (message === undefined) return;
      yield message;
    }
  }
}

function keyOf(provider: string, externalId: string): string {
  return `${provider}:${externalId}`;
}
