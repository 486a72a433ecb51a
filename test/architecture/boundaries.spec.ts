import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

interface Violation {
  from: string;
  rule: { name: string };
}

/** A small project in which each file breaks the rules named beside it, or none. */
const FILES: Record<string, { breaks: string[]; imports: string[] }> = {
  'src/app.module.ts': { breaks: [], imports: ['./ops/health', './messaging/intake', './channels/sms/sms.providers'] },
  'src/main.ts': { breaks: [], imports: ['node:http', './app.module'] },
  'src/ops/health.ts': { breaks: [], imports: ['../platform/clean'] },
  'src/ops/composes.ts': { breaks: ['root-is-the-top'], imports: ['../app.module'] },
  'src/webhook/ingress.ts': { breaks: ['top-neighbours-are-strangers'], imports: ['../usage/counter'] },
  'src/usage/counter.ts': { breaks: [], imports: ['../kernel/ids'] },
  'src/messaging/intake.ts': { breaks: [], imports: ['../gateway/registry', '../tenancy/keys', '../kernel/ids'] },
  'src/messaging/report.ts': { breaks: ['messaging-points-down'], imports: ['../usage/counter'] },
  'src/gateway/registry.ts': { breaks: [], imports: ['../kernel/ids'] },
  'src/gateway/up.ts': { breaks: ['gateway-points-down'], imports: ['../messaging/intake'] },
  'src/tenancy/keys.ts': { breaks: [], imports: ['../platform/clean'] },
  'src/tenancy/up.ts': { breaks: ['tenancy-points-down'], imports: ['../gateway/registry'] },
  'src/platform/clean.ts': { breaks: [], imports: ['../kernel/ids'] },
  'src/platform/up.ts': { breaks: ['platform-points-down'], imports: ['../tenancy/keys'] },
  'src/kernel/ids.ts': { breaks: [], imports: ['node:crypto'] },
  'src/config/up.ts': { breaks: ['config-points-down'], imports: ['../platform/clean'] },
  'src/kernel/up.ts': { breaks: ['kernel-points-down'], imports: ['../config/up'] },
  'src/attic/box.ts': { breaks: [], imports: ['../kernel/ids'] },
  'src/ops/attic.ts': { breaks: ['every-folder-has-a-layer'], imports: ['../attic/box'] },
  'src/channels/sms/sms.providers.ts': { breaks: [], imports: ['./providers/acme.provider'] },
  'src/channels/sms/providers/acme.provider.ts': { breaks: [], imports: ['./acme.errors'] },
  'src/channels/sms/providers/acme.errors.ts': { breaks: [], imports: ['../../../kernel/ids'] },
  'src/channels/sms/providers/acme.provider.spec.ts': { breaks: [], imports: ['./acme.provider'] },
  'src/channels/sms/providers/twin.provider.ts': { breaks: ['providers-are-strangers'], imports: ['./acme.provider'] },
  'src/channels/sms/sms.controller.ts': { breaks: ['providers-are-leaves'], imports: ['./providers/acme.provider'] },
  'src/channels/push/push.channel.ts': { breaks: ['channels-are-strangers'], imports: ['../sms/sms.providers'] },
  'src/gateway/vendors/acme/acme.client.ts': { breaks: [], imports: ['../../../kernel/ids'] },
  'src/gateway/vendors/bell/bell.client.ts': { breaks: ['vendors-are-strangers'], imports: ['../acme/acme.client'] },
  'src/channels/sms/providers/bell.provider.ts': {
    breaks: [],
    imports: ['../../../gateway/vendors/acme/acme.client'],
  },
  'src/gateway/knows-acme.ts': { breaks: ['vendors-serve-providers'], imports: ['./vendors/acme/acme.client'] },
  'src/gateway/config.entity.ts': { breaks: [], imports: ['../kernel/ids'] },
  'src/messaging/peek.ts': { breaks: ['entities-stay-home'], imports: ['../gateway/config.entity'] },
  'src/ops/calls.ts': { breaks: ['one-http-client'], imports: ['node:https'] },
  'src/ops/pools.ts': { breaks: ['one-http-client'], imports: ['undici'] },
  'src/ops/calls.spec.ts': { breaks: [], imports: ['undici', './calls'] },
  'src/platform/http-client/client.ts': { breaks: [], imports: ['undici'] },
  'src/platform/database/pool.ts': { breaks: [], imports: ['pg'] },
  'src/ops/queries.ts': { breaks: ['one-database-driver'], imports: ['pg'] },
  // A circle is reported once, at its first file.
  'src/ops/chicken.ts': { breaks: ['no-circular'], imports: ['./egg'] },
  'src/ops/egg.ts': { breaks: [], imports: ['./chicken'] },
  'src/ops/orphan.ts': { breaks: ['no-orphans'], imports: [] },
  'src/ops/uses-spec.ts': { breaks: ['no-import-of-specs'], imports: ['./calls.spec'] },
  'test/factories/message.ts': { breaks: [], imports: ['../../src/kernel/ids'] },
  'src/ops/uses-test.ts': { breaks: ['no-test-code-in-the-service'], imports: ['../../test/factories/message'] },
  'src/ops/uses-dev.ts': { breaks: ['no-dev-dependency-in-the-service'], imports: ['fast-check'] },
  'src/ops/uses-unlisted.ts': { breaks: ['no-unlisted-dependency'], imports: ['express'] },
  'src/ops/typo.ts': { breaks: ['not-to-unresolvable'], imports: ['./nowhere'] },
};

function cruise(directory: string): Violation[] {
  const config = join(ROOT, '.dependency-cruiser.cjs');
  const bin = join(ROOT, 'node_modules', '.bin', 'depcruise');
  const args = [bin, '--config', config, '--output-type', 'json', 'src', 'test'];
  const run = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', maxBuffer: 1 << 26 });
  const result = JSON.parse(run.stdout) as { summary: { violations: Violation[] } };
  return result.summary.violations;
}

describe('the import rules', () => {
  let directory: string;
  let found: Record<string, string[]>;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-boundaries-'));
    for (const [file, { imports }] of Object.entries(FILES)) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      const lines = imports.map((path, index) => `import * as i${index} from '${path}';\nvoid i${index};\n`);
      writeFileSync(join(directory, file), `${lines.join('')}export const here = '${file}';\n`);
    }
    const manifest = { dependencies: { undici: '*', pg: '*' }, devDependencies: { 'fast-check': '*' } };
    writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(directory, 'tsconfig.json'), '{}');
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    found = {};
    for (const { from, rule } of cruise(directory)) (found[from] ??= []).push(rule.name);
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(Object.entries(FILES))('%s', (file, { breaks }) => {
    expect([...new Set(found[file] ?? [])]).toEqual(breaks);
  });

  test('every rule is broken by a file here', () => {
    const config = createRequire(__filename)(join(ROOT, '.dependency-cruiser.cjs')) as {
      forbidden: { name: string; comment: string }[];
    };
    const broken = new Set(Object.values(FILES).flatMap(({ breaks }) => breaks));
    expect(config.forbidden.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([]);
    for (const { comment } of config.forbidden) expect(comment.length).toBeGreaterThan(20);
  });
});
