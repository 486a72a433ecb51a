// Makes sure that a script runs on the Node that npm installed with the project, also when npm left install scripts out
// or somebody calls the script with the machine's own, older Node. So this file keeps to what Node 18 understands.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, symlinkSync, unlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Jest loads ESM-only packages from this version on. */
const LEAST_NODE = [24, 9];
const LOCKED_NODE = join(ROOT, 'node_modules', '.bin', process.platform === 'win32' ? 'node.cmd' : 'node');
const MARK = 'UNIMSG_ON_LOCKED_NODE';

/** Something that a person has to mend. Its text is one line. */
export class PlainError extends Error {}

/** Prints a {@link PlainError} as one line and ends the process; rethrows anything else. */
export function exitPlainly(error) {
  if (!(error instanceof PlainError)) throw error;
  console.error(error.message);
  process.exit(1);
}

const isRecent = (version) => {
  const [major, minor] = version.split('.').map(Number);
  return major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
};

const runs = (node) => spawnSync(node, ['--version'], { stdio: 'ignore' }).status === 0;

/** Runs a package's own install step again. */
function runInstallStep(directory, script) {
  const step = spawnSync(process.execPath, [script], { cwd: directory, encoding: 'utf8' });
  if (step.status === 0) return;
  const reason = /^.*error.*$/im.exec(step.stderr)?.[0].trim() ?? `exit code ${step.status}`;
  throw new PlainError(`The install step of ${directory} failed (${reason}). Run npm ci as the owner of the checkout.`);
}

/** `node` downloads its binary in an install step; without it node_modules/.bin/node is missing. */
function repairNode() {
  const home = join(ROOT, 'node_modules', 'node');
  if (!existsSync(home)) throw new PlainError('node_modules is incomplete. Run npm ci first.');
  runInstallStep(home, 'installArchSpecificPackage.js');
  if (runs(LOCKED_NODE)) return;
  try {
    unlinkSync(LOCKED_NODE);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  symlinkSync(join('..', 'node', 'bin', 'node'), LOCKED_NODE);
}

/** Same command on the locked Node. Never returns: the process ends as the other one did. */
function continueOn(node) {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1', PATH: `${dirname(node)}:${process.env.PATH}` },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both processes already.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
  return new Promise(() => {});
}

/**
 * Mends what an install without install scripts left out, and moves to the locked Node when this one is too old.
 * @throws PlainError when that is not possible
 */
export async function useLockedNode() {
  const recent = isRecent(process.versions.node);
  if (!recent && process.env[MARK]) throw new PlainError(`Node ${LEAST_NODE.join('.')} or later is needed.`);
  if (!recent && !runs(LOCKED_NODE)) repairNode();
  if (!recent) await continueOn(LOCKED_NODE);
}
