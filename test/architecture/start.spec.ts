import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const SETTINGS = ['scripts', 'package.json', 'tsconfig.json', 'nest-cli.json', '.swcrc'];

describe('npm start', () => {
  let project: string;

  const write = (file: string, text: string): void => writeFileSync(join(project, file), text);
  const start = (): { code: number | null; output: string } => {
    const run = spawnSync(process.execPath, ['scripts/start.mjs'], { cwd: project, encoding: 'utf8' });
    return { code: run.status, output: run.stdout + run.stderr };
  };

  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), 'unimsg-start-'));
    for (const name of SETTINGS) cpSync(join(ROOT, name), join(project, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
    for (const folder of ['src', 'migrations']) mkdirSync(join(project, folder));
    write('src/main.ts', "console.log('the service');\n");
    write('src/old.spec.ts', "throw new Error('a spec');\n");
    write('migrations/1700000000000-first.ts', 'export const first = 1;\n');
  });

  afterEach(() => rmSync(project, { recursive: true, force: true }));

  test('builds what is stale, once', () => {
    expect(start()).toEqual({ code: 0, output: expect.stringMatching(/^Built in [\d.]+ s\.\nthe service\n$/) });
    expect(start()).toEqual({ code: 0, output: 'the service\n' });
    expect(existsSync(join(project, 'dist/migrations/1700000000000-first.js'))).toBe(true);
    expect(existsSync(join(project, 'dist/src/old.spec.js'))).toBe(false);

    write('src/main.ts', "console.log('the new service');\n");
    expect(start().output).toMatch(/^Built in .*\nthe new service\n$/);
  });

  test('a deleted migration is not kept from an old build', () => {
    start();
    rmSync(join(project, 'migrations/1700000000000-first.ts'));
    expect(start().output).toMatch(/^Built/);
    expect(existsSync(join(project, 'dist/migrations/1700000000000-first.js'))).toBe(false);
  });

  test('a source that does not compile stops the start with the compiler’s words, and is tried again', () => {
    start();
    write('src/main.ts', 'const = 1;\n');
    for (let round = 0; round < 2; round++) {
      const { code, output } = start();
      expect(code).toBe(1);
      expect(output).toContain('src/main.ts');
      expect(output).not.toContain('the service');
    }
  });

  test('a lock left by a build that was killed does not stop the next one', () => {
    const dead = spawnSync(process.execPath, ['--version']).pid;
    mkdirSync(join(project, 'dist'));
    write('dist/.building', String(dead));
    expect(start().output).toMatch(/^Built .*\nthe service\n$/);
  });

  test('two starts at once build once', async () => {
    const children = [1, 2].map(() => spawn(process.execPath, ['scripts/start.mjs'], { cwd: project }));
    const outputs = children.map(() => '');
    children.forEach((child, index) => child.stdout.on('data', (data) => (outputs[index] += String(data))));
    const ends = await Promise.all(children.map((child) => once(child, 'close')));
    expect(ends.map(([code]) => code as number)).toEqual([0, 0]);
    expect(outputs.join('').match(/Built/g)).toHaveLength(1);
    for (const output of outputs) expect(output).toContain('the service');
  });

  test('a signal reaches the service, and its echo does not cut the clean end short', async () => {
    const service = `
      process.once('SIGINT', () => { console.log('ending'); setTimeout(() => { console.log('ended'); process.exit(3); }, 300); });
      setInterval(() => undefined, 1000);
      console.log('ready');`;
    write('src/main.ts', service);
    const child = spawn(process.execPath, ['scripts/start.mjs'], { cwd: project });
    let output = '';
    child.stdout.on('data', (data) => {
      output += String(data);
      if (/ready\n$|ending\n$/.test(output)) child.kill('SIGINT');
    });
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(3);
    expect(output).toMatch(/ready\nending\nended\n$/);
  });
});
