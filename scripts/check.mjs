// npm run check: everything that CI checks besides the tests. All steps run, also after one failed; one line tells each.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, exitPlainly, useLockedNode } from './runtime.mjs';

const bin = (name) => join(ROOT, 'node_modules', '.bin', name);
const FOLDERS = ['src', 'migrations', 'test', 'bench'];

const STEPS = [
  { name: 'format', args: [bin('prettier'), '--check', '--log-level=warn', '.'] },
  { name: 'lint', args: [bin('oxlint'), '--type-aware', '--disable-nested-config', '--deny-warnings'] },
  { name: 'types', args: [bin('tsc'), '--noEmit', '-p', '.'] },
  {
    name: 'boundaries',
    args: [
      bin('depcruise'),
      '--config',
      '.dependency-cruiser.cjs',
      ...FOLDERS.filter((name) => existsSync(join(ROOT, name))),
    ],
  },
  { name: 'unused', args: [bin('knip'), '--no-progress'] },
  { name: 'docs', args: [join(ROOT, 'scripts', 'docs.mjs'), '--check'] },
  {
    name: 'openapi',
    args: [bin('redocly'), 'lint', '--max-problems=1000', join('docs', 'openapi.json')],
    // Neither reports its use nor asks for news.
    env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  },
];

function run({ args, env }) {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  return new Promise((done) => child.on('close', (code) => done({ ok: code === 0, output })));
}

async function main() {
  await useLockedNode();
  const wanted = process.argv.slice(2);
  const steps = STEPS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const failed = [];
  for (const step of steps) {
    const { name } = step;
    const start = performance.now();
    const { ok, output } = await run(step);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds.padStart(5)} s`);
    if (ok) continue;
    failed.push(name);
    console.log(output.trimEnd());
  }
  console.log(`${steps.length - failed.length} passed, ${failed.length} failed`);
  process.exitCode = failed.length > 0 || steps.length === 0 ? 1 : 0;
}

await main().catch(exitPlainly);
