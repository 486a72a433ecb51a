// Compiles src and migrations into dist when they changed since the last build. `npm run build` compiles in any case.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, relative, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PlainError, ROOT, exitPlainly, useLockedNode } from './runtime.mjs';

const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.stamp');
const LOCK = join(DIST, '.building');
const FOLDERS = ['src', 'migrations'];
const SETTINGS = ['package.json', 'tsconfig.json', 'nest-cli.json', '.swcrc'];
const LOCK_PATIENCE_MS = 60_000;

/** The file that starts the service. */
export const MAIN = join(DIST, 'src', 'main.js');

const filesUnder = (folder, suffix) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
        .map((entry) => join(entry.parentPath, entry.name))
    : [];

const isCompiled = (file) => !/[.-]spec[.]ts$|[.]d[.]ts$/.test(file);

/** Changes when, and only when, a build would come out differently. */
function fingerprint() {
  const hash = createHash('sha256');
  const sources = FOLDERS.flatMap((folder) => filesUnder(join(ROOT, folder), '.ts')).filter(isCompiled);
  for (const file of [...SETTINGS.map((name) => join(ROOT, name)), ...sources.sort()]) {
    hash.update(relative(ROOT, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

const isFresh = (stamp) => existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp;

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** True: this process holds the lock. False: another one was building, and has finished. */
async function takeLock() {
  const start = Date.now();
  for (let waited = false; ; waited = true) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      return !waited;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(existsSync(LOCK) ? readFileSync(LOCK, 'utf8') : 0);
    if (owner && !isAlive(owner)) rmSync(LOCK, { force: true });
    else if (Date.now() - start > LOCK_PATIENCE_MS) throw new PlainError(`Another build holds ${LOCK}.`);
    else await delay(50);
  }
}

/** A migration that was deleted in the source must not be run from an old build. */
function removeOrphans() {
  for (const folder of FOLDERS) {
    for (const file of [...filesUnder(join(DIST, folder), '.js'), ...filesUnder(join(DIST, folder), '.js.map')]) {
      const source = join(ROOT, relative(DIST, file)).replace(/\.js(\.map)?$/, '.ts');
      if (!existsSync(source) || !isCompiled(source)) rmSync(file);
    }
  }
}

function compile(stamp) {
  rmSync(STAMP, { force: true });
  const nest = join(ROOT, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  const build = spawnSync(process.execPath, [nest, 'build'], { cwd: ROOT, encoding: 'utf8' });
  if (build.status !== 0) {
    throw new PlainError(`${build.stdout}${build.stderr}`.trim() || 'The build failed.');
  }
  removeOrphans();
  writeFileSync(STAMP, stamp);
}

/**
 * Brings dist up to date.
 * @param {{ force?: boolean, log?: (line: string) => void }} [options]
 * @returns {Promise<boolean>} whether something was compiled
 * @throws PlainError with the compiler's words, or when this user may not write to a dist that is out of date
 */
export async function ensureBuilt({ force = false, log = () => {} } = {}) {
  if (!force && isFresh(fingerprint())) return false;
  const start = Date.now();
  try {
    mkdirSync(DIST, { recursive: true });
    const isFirst = await takeLock();
    try {
      const stamp = fingerprint();
      if (isFresh(stamp) && (!force || !isFirst)) return false;
      compile(stamp);
    } finally {
      rmSync(LOCK, { force: true });
    }
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
    throw new PlainError(
      `The build in ${DIST}${sep} is missing or out of date, and user ${userInfo().username} may not write there: ` +
        'run npm run build as the owner of the checkout, or start from your own copy.',
    );
  }
  log(`Built in ${((Date.now() - start) / 1000).toFixed(1)} s.`);
  return true;
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  await useLockedNode()
    .then(() => ensureBuilt({ force: true, log: console.log }))
    .catch(exitPlainly);
}
