/** Ids that one take hands out. */
export interface ReadyMessage {
  id: string;
  clientId: string;
  lane: string;
  priority: number;
}

interface Lane {
  clientId: string;
  key: string;
  /** One list a priority; read from `head`. */
  lists: Array<{ ids: string[]; head: number }>;
}

interface Client {
  lanes: Map<string, Lane>;
  order: Lane[];
  next: number;
}

/** Whether a lane may give out one more message now. */
export type Gate = (clientId: string, lane: string) => boolean;

/**
 * What this worker knows to be ready: bounded lists of ids by tenant, lane and priority. PostgreSQL has them all; a list that is full drops what
 * comes and remembers that there is more, so that the worker reads on from the table when the list runs low.
 *
 * Taking is fair: tenants in turn, one message each; inside a tenant by priority, lanes in turn.
 */
export class ReadyLists {
  private readonly clients = new Map<string, Client>();
  private readonly ring: string[] = [];
  private nextClient = 0;
  private readonly known = new Set<string>();
  private readonly overflowed = new Map<string, { clientId: string; lane: string; priority: number }>();

  /** @param perList most ids kept for one tenant, lane and priority */
  constructor(private readonly perList: number) {}

  /** Ids that are listed or handed out and not yet forgotten. */
  get size(): number {
    return this.known.size;
  }

  /** Adds ids that are not known yet; answers how many found room. */
  add(clientId: string, laneKey: string, priority: number, ids: readonly string[]): number {
    const lane = this.lane(clientId, laneKey);
    const list = lane.lists[priority]!;
    let added = 0;
    for (const id of ids) {
      if (this.known.has(id)) continue;
      if (list.ids.length - list.head >= this.perList) {
        this.overflowed.set(`${clientId}\n${laneKey}\n${priority}`, { clientId, lane: laneKey, priority });
        break;
      }
      list.ids.push(id);
      this.known.add(id);
      added += 1;
    }
    return added;
  }

  /** Whether a list dropped ids that may have room by now; cheap enough to ask each time. */
  wantsMore(): boolean {
    if (this.overflowed.size === 0) return false;
    for (const place of this.overflowed.values()) if (this.isLow(place)) return true;
    return false;
  }

  /** Lists that dropped ids and have room again: read on from the table, then {@link add}. Each is named once. */
  takeOverflowed(): Array<{ clientId: string; lane: string; priority: number }> {
    const found = [];
    for (const [key, place] of this.overflowed) {
      if (!this.isLow(place)) continue;
      this.overflowed.delete(key);
      found.push(place);
    }
    return found;
  }

  /** Takes up to `max` ids whose lanes' gates are open. Who takes an id calls {@link forget} when it is done with it. */
  take(max: number, gate: Gate): ReadyMessage[] {
    const taken: ReadyMessage[] = [];
    let idle = 0;
    while (taken.length < max && idle < this.ring.length) {
      this.nextClient %= this.ring.length;
      const clientId = this.ring[this.nextClient]!;
      const client = this.clients.get(clientId)!;
      const message = takeFrom(clientId, client, gate);
      if (message) {
        taken.push(message);
        idle = 0;
        this.nextClient += 1;
      } else if (isEmpty(client)) {
        this.clients.delete(clientId);
        this.ring.splice(this.nextClient, 1);
      } else {
        idle += 1;
        this.nextClient += 1;
      }
    }
    return taken;
  }

  /** An id that was taken is done with, whatever came of it; it may be added again. */
  forget(id: string): void {
    this.known.delete(id);
  }

  private isLow(place: { clientId: string; lane: string; priority: number }): boolean {
    const list = this.clients.get(place.clientId)?.lanes.get(place.lane)?.lists[place.priority];
    return !list || list.ids.length - list.head <= this.perList / 2;
  }

  private lane(clientId: string, key: string): Lane {
    let client = this.clients.get(clientId);
    if (!client) {
      client = { lanes: new Map(), order: [], next: 0 };
      this.clients.set(clientId, client);
      this.ring.push(clientId);
    }
    let lane = client.lanes.get(key);
    if (!lane) {
      lane = { clientId, key, lists: [0, 1, 2].map(() => ({ ids: [], head: 0 })) };
      client.lanes.set(key, lane);
      client.order.push(lane);
    }
    return lane;
  }
}

function takeFrom(clientId: string, client: Client, gate: Gate): ReadyMessage | undefined {
  for (let priority = 0; priority < 3; priority++) {
    for (let step = 0; step < client.order.length; step++) {
      const index = (client.next + step) % client.order.length;
      const lane = client.order[index]!;
      const list = lane.lists[priority]!;
      if (list.head >= list.ids.length || !gate(clientId, lane.key)) continue;
      const id = list.ids[list.head]!;
      list.head += 1;
      if (list.head === list.ids.length) {
        list.ids = [];
        list.head = 0;
      } else if (list.head > 512) {
        list.ids.splice(0, list.head);
        list.head = 0;
      }
      client.next = index + 1;
      return { id, clientId, lane: lane.key, priority };
    }
  }
  return undefined;
}

function isEmpty(client: Client): boolean {
  return client.order.every((lane) => lane.lists.every((list) => list.head >= list.ids.length));
}
