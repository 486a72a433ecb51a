import dns from 'node:dns';

/** Resolves a name to all its addresses; rejects as `dns.lookup` does. */
export type Resolve = (hostname: string) => Promise<ReadonlyArray<{ address: string; family: number }>>;

/**
 * Look-ups at once. Each takes one of the process's threads for as long as the name's servers stay silent; scripts/start.mjs and the image give it 16, of
 * which Node uses half for look-ups, so those of providers and of the database always find one.
 */
const MOST_AT_ONCE = 4;
/** A look-up that has waited so long for its turn fails, as who asked has given up by then. */
const LONGEST_WAIT_MS = 5_000;

const systemLookup: Resolve = (hostname) => dns.promises.lookup(hostname, { all: true });

/** Looks up names that tenants give, some at a time and each name once at a time, so that names that hang hold up nobody else for long. */
export class BoundedLookup {
  private readonly underWay = new Map<string, ReturnType<Resolve>>();
  private readonly waiting = new Set<() => void>();
  private running = 0;

  constructor(private readonly lookup: Resolve = systemLookup) {}

  readonly resolve: Resolve = (hostname) => {
    const known = this.underWay.get(hostname);
    if (known) return known;
    const found = this.inTurn(hostname).finally(() => this.underWay.delete(hostname));
    this.underWay.set(hostname, found);
    return found;
  };

  private async inTurn(hostname: string): ReturnType<Resolve> {
    if (this.running >= MOST_AT_ONCE) await this.turn(hostname);
    this.running += 1;
    try {
      return await this.lookup(hostname);
    } finally {
      this.running -= 1;
      const [next] = this.waiting;
      next?.();
    }
  }

  private turn(hostname: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        this.waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(() => {
        this.waiting.delete(go);
        reject(Object.assign(new Error(`${hostname} was not looked up in time`), { code: 'EAI_AGAIN' }));
      }, LONGEST_WAIT_MS);
      this.waiting.add(go);
    });
  }
}
