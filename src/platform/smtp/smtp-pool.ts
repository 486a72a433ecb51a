import type { SmtpFailure } from './smtp-failure';
import type { SmtpSession } from './smtp-session';

/** An account at one version of its config. */
export interface PoolKey {
  configId: string;
  configVersion: number;
}

export interface PoolLimits {
  /** Resting sessions a config. */
  perConfig: number;
  /** Resting sessions of all configs; over that, the ones that rested longest are closed. */
  total: number;
  /** How long a session may rest, milliseconds. Servers close idle sessions after 30 s to 5 min. */
  idleMs: number;
  /** Mails a session; then it is closed, as servers ask for. */
  mailsPerSession: number;
}

interface Resting {
  session: SmtpSession;
  key: PoolKey;
  timer: NodeJS.Timeout;
}

/**
 * Sessions that wait for the next mail of their config, at its newest version only: a changed password or host is a new session. How many are
 * in use at once is the caller's affair.
 */
export class SmtpPool {
  /** In the order in which they came to rest. */
  private readonly resting = new Set<Resting>();
  private readonly byConfig = new Map<string, { version: number; list: Resting[] }>();

  constructor(private readonly limits: PoolLimits) {}

  /** A session that rested; undefined: open one. */
  take(key: PoolKey): SmtpSession | undefined {
    this.outdate(key);
    const config = this.byConfig.get(key.configId);
    if (config?.version !== key.configVersion) return undefined;
    // The one used last: its connection is the likeliest to be alive.
    for (let found = config.list.at(-1); found !== undefined; found = config.list.at(-1)) {
      this.remove(found);
      if (!found.session.usable) continue;
      found.session.wake();
      return found.session;
    }
    return undefined;
  }

  /** Takes a session back. @param failure how its mail failed, if it did */
  async give(key: PoolKey, session: SmtpSession, failure?: SmtpFailure): Promise<void> {
    if (!session.usable) return;
    if (failure) {
      // A reply leaves the session as it was; anything else leaves it in a state that nobody knows.
      if (failure.details.reply === undefined) return session.destroy();
      try {
        await session.reset();
      } catch {
        return session.destroy();
      }
    }
    this.outdate(key);
    const config = this.byConfig.get(key.configId) ?? { version: key.configVersion, list: [] };
    const isOld = config.version !== key.configVersion || session.mails >= this.limits.mailsPerSession;
    if (isOld || config.list.length >= this.limits.perConfig) return session.quit();
    const timer = setTimeout(() => this.end(entry), this.limits.idleMs).unref();
    const entry: Resting = { session, key, timer };
    this.byConfig.set(key.configId, config);
    config.list.push(entry);
    this.resting.add(entry);
    session.onEnd(() => this.remove(entry));
    session.rest();
    if (this.resting.size > this.limits.total) this.end(this.resting.values().next().value!);
  }

  /** Closes what rests for a config. What is in use rests once more when its mail is done, for the usual time at most. */
  release(configId: string): void {
    const first = (): Resting | undefined => this.byConfig.get(configId)?.list[0];
    for (let entry = first(); entry !== undefined; entry = first()) this.end(entry);
  }

  /** Sessions at rest. */
  get size(): number {
    return this.resting.size;
  }

  /** Closes the sessions of older versions. */
  private outdate({ configId, configVersion }: PoolKey): void {
    const config = this.byConfig.get(configId);
    if (config === undefined || config.version >= configVersion) return;
    this.release(configId);
  }

  private end(entry: Resting): void {
    this.remove(entry);
    entry.session.quit();
  }

  private remove(entry: Resting): void {
    if (!this.resting.delete(entry)) return;
    clearTimeout(entry.timer);
    const config = this.byConfig.get(entry.key.configId)!;
    config.list.splice(config.list.indexOf(entry), 1);
    if (config.list.length === 0) this.byConfig.delete(entry.key.configId);
  }
}
