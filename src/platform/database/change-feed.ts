import { Client } from 'pg';
import { silentLogger, type Logger } from '../../kernel/logger';
import type { Transaction } from './database';

/** For statements that announce what they changed by themselves: `pg_notify(CHANGES_CHANNEL, '<topic>:<id>')`. */
export const CHANGES_CHANNEL = 'unimsg_changes';
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/** A connection that is dead without a word (a lost network path) is noticed within this time and a query time-out. */
const HEARTBEAT_MS = 15_000;
const QUERY_TIMEOUT_MS = 5_000;

interface Listener {
  changed(id: string): void;
  everything(): void;
}

/**
 * Tells the caches of every process what was changed, over PostgreSQL's LISTEN/NOTIFY on a connection of its own.
 *
 * A notice goes out with the commit of the transaction that it belongs to. It comes soon, not at once, so a process drops what it changed
 * itself from its own caches after its commit. After a lost connection everything may have changed: each listener is told so.
 */
export class ChangeFeed {
  private readonly listeners = new Map<string, Set<Listener>>();
  private client: Client | undefined;
  private timer: NodeJS.Timeout | undefined;
  private delay = FIRST_DELAY_MS;
  private closed = false;
  private connecting: Promise<void> = Promise.resolve();

  constructor(
    private readonly url: string,
    private readonly logger: Logger = silentLogger,
  ) {}

  /**
   * @param changed gets the id of one change of the topic, from any process, this one included
   * @param everything anything of the topic may have changed unseen
   * @returns how to stop listening
   */
  on(topic: string, changed: (id: string) => void, everything: () => void): () => void {
    const listener = { changed, everything };
    const listeners = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Announces a change in the transaction that makes it. */
  async publish(tx: Transaction, topic: string, id: string): Promise<void> {
    await tx.execute('SELECT pg_notify($1, $2)', [CHANGES_CHANNEL, `${topic}:${id}`]);
  }

  /** Connects in the background, again and again. Nest calls it. */
  onModuleInit(): void {
    this.connecting = this.connect();
  }

  /** Nest calls it when the HTTP server is closed. */
  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.connecting;
    const { client } = this;
    this.client = undefined;
    await client?.end().catch(() => {});
  }

  private async connect(): Promise<void> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'unimsg-changes',
      connectionTimeoutMillis: QUERY_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    // An error is followed by `end`; without a listener it would end the process.
    client.on('error', (error) => this.logger.debug({ err: error }, 'change feed connection failed'));
    client.on('notification', (notice) => this.dispatch(notice.payload ?? ''));
    client.once('end', () => this.lost(client));
    this.client = client;
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANGES_CHANNEL}`);
    } catch (error) {
      this.logger.warn({ err: error }, 'change feed cannot connect');
      this.lost(client);
      return;
    }
    if (this.client !== client) return;
    this.delay = FIRST_DELAY_MS;
    this.beat(client);
    for (const listeners of this.listeners.values()) for (const listener of listeners) listener.everything();
  }

  private beat(client: Client): void {
    this.timer = setTimeout(() => {
      client.query('SELECT 1').then(
        () => {
          if (this.client === client && !this.closed) this.beat(client);
        },
        () => this.lost(client),
      );
    }, HEARTBEAT_MS);
    this.timer.unref();
  }

  private lost(client: Client): void {
    if (this.client !== client) return;
    this.client = undefined;
    clearTimeout(this.timer);
    void client.end().catch(() => {});
    if (this.closed) return;
    // Jittered, so that the processes of an installation do not all come back at the same moment.
    const delay = this.delay * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => {
      this.connecting = this.connect();
    }, delay);
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY_MS);
  }

  private dispatch(payload: string): void {
    const colon = payload.indexOf(':');
    for (const listener of this.listeners.get(payload.slice(0, colon)) ?? [])
      listener.changed(payload.slice(colon + 1));
  }
}
