// npm test: runs the specs on the locked Node, ends with the plain line `N passed, N failed, N skipped` and leaves nothing
// running. `--lane=redis`, `--lane=browser` and `--lane=mail` run the specs that need a Redis server, a browser or a mail server; other
// arguments go to Jest.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { constants, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBuilt } from './build.mjs';
import { PlainError, ROOT, exitPlainly, useLockedNode } from './runtime.mjs';

const LANES = ['default', 'redis', 'browser', 'mail'];
const REDIS_PATIENCE_MS = 10_000;
const JEST_END_PATIENCE_MS = 15_000;

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

const answersPing = (port) =>
  new Promise((done) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.on('data', (data) => (done(String(data).startsWith('+PONG')), socket.destroy()));
    socket.on('error', () => done(false));
  });

/** A real Redis of this run's own, without persistence. */
async function startRedis(directory, env) {
  const port = await freePort();
  const options = ['--port', port, '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', options.map(String), { stdio: ['ignore', 'pipe', 'inherit'], env });
  let output = '';
  let ended;
  server.stdout.on('data', (data) => (output += data));
  const exit = new Promise((done) => {
    server.on('error', (error) =>
      done((ended = error.code === 'ENOENT' ? 'redis-server is not installed' : error.message)),
    );
    server.on('exit', (code) => done((ended = `redis-server ended with code ${code}: ${output.trim()}`)));
  });
  const start = Date.now();
  while (!(await answersPing(port))) {
    if (ended) throw new PlainError(ended);
    if (Date.now() - start > REDIS_PATIENCE_MS) throw new PlainError('redis-server does not answer');
    await delay(20);
  }
  return { url: `redis://127.0.0.1:${port}`, stop: () => (server.kill(), exit) };
}

/** Why the specs with a mail server cannot run here; undefined when they can. */
function missingForMail() {
  const plugins = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/sasl2/libplain.so`);
  const there = {
    postfix: existsSync('/usr/sbin/postfix'),
    'sasl2-bin': existsSync('/usr/sbin/saslpasswd2'),
    'libsasl2-modules': plugins.some((file) => existsSync(file)),
  };
  const absent = Object.keys(there).filter((name) => !there[name]);
  if (absent.length > 0) return `these packages are not installed: ${absent.join(' ')}`;
  return userInfo().uid === 0 ? undefined : 'Postfix must be started by root';
}

/** Processes of this run that are alive: each one carries the run's id in its environment. Linux only. */
function survivors(run) {
  const isOfRun = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`UNIMSG_TEST_RUN=${run}`);
    } catch {
      return false;
    }
  };
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && isOfRun(name));
}

function runJest(args, env, directory) {
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  // The cache outlives the run's own temporary directory.
  const cache = `--cacheDirectory=${join(tmpdir(), `unimsg-jest-${userInfo().username}`)}`;
  const flags = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules', jest, cache];
  const child = spawn(process.execPath, [...flags, ...args], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...env, TMPDIR: directory },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // In one process Jest waits for ever for a socket or timer that a spec left open.
  let summaryAt;
  const watch = setInterval(() => {
    if (!existsSync(env.UNIMSG_TEST_SUMMARY)) return;
    summaryAt ??= Date.now();
    if (Date.now() - summaryAt < JEST_END_PATIENCE_MS) return;
    clearInterval(watch);
    console.error('A spec left something open, so Jest did not end: run it with --detectOpenHandles.');
    child.kill('SIGKILL');
  }, 250);
  return new Promise((done) =>
    child.on('exit', (code, signal) => done(code ?? 128 + constants.signals[signal])),
  ).finally(() => clearInterval(watch));
}

function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    console.error('Jest ended before its summary.');
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function main() {
  await useLockedNode();
  await ensureBuilt({ log: console.log });
  const lane = process.argv.find((arg) => arg.startsWith('--lane='))?.slice('--lane='.length) ?? 'default';
  if (!LANES.includes(lane)) throw new PlainError(`--lane must be one of ${LANES.join(', ')}`);
  const missing = lane === 'mail' ? missingForMail() : undefined;
  if (missing) {
    console.log(`The mail lane is skipped: ${missing}.`);
    console.log('0 passed, 0 failed, 1 skipped');
    return;
  }
  const args = process.argv.slice(2).filter((arg) => !arg.startsWith('--lane='));

  const run = randomUUID();
  const directory = mkdtempSync(join(tmpdir(), 'unimsg-run-'));
  // PostgreSQL and Redis may run as another user.
  chmodSync(directory, 0o1777);
  const summaryFile = join(directory, 'summary.json');
  const env = { ...process.env, UNIMSG_TEST_RUN: run, UNIMSG_TEST_LANE: lane, UNIMSG_TEST_SUMMARY: summaryFile };
  let code = 1;
  let summary;
  let redis;
  try {
    if (lane === 'redis') redis = await startRedis(directory, env);
    if (redis) env.UNIMSG_TEST_REDIS_URL = redis.url;
    code = await runJest(lane === 'redis' ? ['--runInBand', ...args] : args, env, directory);
    summary = readSummary(summaryFile);
  } finally {
    await redis?.stop();
    const left = survivors(run);
    for (const pid of left) {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      console.error(`Still running after the tests, killed: ${pid} ${command}`);
      process.kill(Number(pid), 'SIGKILL');
    }
    if (left.length > 0) code ||= 1;
    rmSync(directory, { recursive: true, force: true });
  }
  if (code !== 0 && summary.failed === 0) summary.failed = 1;
  console.log(`${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`);
  process.exitCode = code;
}

await main().catch(exitPlainly);
