import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The directory cannot be used, for a reason that a person can mend. Its text is one clear line. */
export class DataDirectoryUnusable extends Error {}

/** Another live process uses the directory. */
export class DataDirectoryInUse extends DataDirectoryUnusable {}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'it is not a directory',
  EEXIST: 'it is not a directory',
  EIO: 'the disk does not work',
};

interface Keys {
  adminKey: string;
  encryptionKeys: string;
  databasePassword: string;
}

/**
 * Where the embedded default keeps its database and the keys that it made at first start. Belongs to one process at a time.
 */
export class DataDirectory {
  readonly path: string;
  private locked = false;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /**
   * Makes the directory when missing and takes it for this process. The lock of a process that was killed is taken over.
   * @throws DataDirectoryInUse, DataDirectoryUnusable
   */
  open(): void {
    this.clearly(() => this.lock());
  }

  private lock(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o755 });
    const lock = this.file('process.lock');
    const mine = `${lock}.${process.pid}`;
    writeFileSync(mine, `${process.pid} ${startTime(process.pid)}\n`);
    try {
      for (;;) {
        try {
          // A hard link is made or refused as one step, and the file behind it is complete.
          linkSync(mine, lock);
          this.locked = true;
          return;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
        const [pid, started] = readFileSync(lock, 'utf8').trim().split(' ');
        if (isAlive(Number(pid)) && startTime(Number(pid)) === started) {
          throw new DataDirectoryInUse(
            `${this.path} is in use by another UniMsg (process ${pid}). Stop it, or set UNIMSG_DATA_DIR to another directory.`,
          );
        }
        rmSync(lock, { force: true });
      }
    } finally {
      rmSync(mine, { force: true });
    }
  }

  close(): void {
    if (!this.locked) return;
    this.locked = false;
    rmSync(this.file('process.lock'), { force: true });
  }

  /** The keys that were made at first start. */
  keys(): Keys {
    return this.remember('keys.json', () => ({
      adminKey: `admin_${randomBytes(24).toString('base64url')}`,
      encryptionKeys: `k1:${randomBytes(32).toString('base64')}`,
      databasePassword: randomBytes(24).toString('base64url'),
    }));
  }

  /** A small JSON file, made once and readable by its owner only. */
  remember<T>(name: string, make: () => T): T {
    const known = this.recall<T>(name);
    if (known !== undefined) return known;
    const value = make();
    const part = this.file(`${name}.part`);
    this.clearly(() => {
      writeFileSync(part, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
      renameSync(part, this.file(name));
    });
    return value;
  }

  /** What {@link remember} made; undefined when it has not. */
  recall<T>(name: string): T | undefined {
    const path = this.file(name);
    return this.clearly(() => (existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Says what a person can mend as such. */
  private clearly<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      const reason = REASONS[code];
      if (reason === undefined) throw error;
      throw new DataDirectoryUnusable(`UNIMSG_DATA_DIR: ${this.path} cannot be used: ${reason} (${code}).`, {
        cause: error,
      });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A process id comes back one day; with its start time (clock ticks since boot) it does not. Empty where there is no /proc. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
