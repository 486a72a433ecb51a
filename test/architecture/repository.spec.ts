import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { configurationPage } from '../../src/config/configuration-page';
import { providersPage } from '../../src/providers-page';

const ROOT = resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** Files of the project below a folder, as paths from the root. */
function filesUnder(folder: string, matches: RegExp): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => matches.test(file))
    .sort();
}

const code = ['src', 'migrations', 'test', 'bench'].flatMap((folder) => filesUnder(folder, /\.ts$/));

describe('providers', () => {
  const definitions = filesUnder('src/channels', /\/providers\/[^/]+\.provider\.ts$/);

  test('exist', () => expect(definitions.length).toBeGreaterThan(0));

  test.each(definitions)('%s has one line in the registration and a spec beside it', (file) => {
    const channel = file.split('/')[2]!;
    const registration = read(`src/channels/${channel}/${channel}.providers.ts`);
    const imported = new RegExp(`^import \\{ (\\w+) \\} from './providers/${basename(file, '.ts')}';$`, 'm').exec(
      registration,
    );
    expect(imported).not.toBeNull();
    const list = registration.slice(registration.indexOf('= ['));
    expect(list.match(new RegExp(`\\b${imported![1]}\\b`, 'g'))).toHaveLength(1);
    expect(existsSync(join(ROOT, file.replace(/\.ts$/, '.spec.ts')))).toBe(true);
  });
});

describe('migrations', () => {
  const migrations = filesUnder('migrations', /\.ts$/);
  const stamps = migrations.map((file) => /^(\d{13})-[a-z0-9-]+\.ts$/.exec(basename(file))?.[1]);

  test('exist, each with a time stamp of its own', () => {
    expect(migrations.length).toBeGreaterThan(0);
    expect(stamps).not.toContain(undefined);
    expect(new Set(stamps).size).toBe(stamps.length);
  });

  test('each is one of those that a start runs', () => {
    const list = read('src/platform/database/migrations.ts');
    const run = (file: string) => list.includes(`/migrations/${basename(file, '.ts')}'`);
    expect(migrations.filter((file) => !run(file))).toEqual([]);
  });

  test.each(migrations)('%s goes up and down, under the name of its time stamp', (file) => {
    const text = read(file);
    const stamp = basename(file).slice(0, 13);
    expect(text).toMatch(new RegExp(`export class [A-Z]\\w*${stamp} implements MigrationInterface`));
    for (const direction of ['up', 'down']) {
      const body = new RegExp(`async ${direction}\\(\\w+: QueryRunner\\): Promise<void> \\{([^}]*)`).exec(text)?.[1];
      expect(body).toMatch(/\bawait\b|\bfor\b/);
    }
  });
});

describe('words that must not appear', () => {
  const FORBIDDEN: [string, RegExp, string][] = [
    ['forwardRef', /\bforwardRef\b/, 'a circle between modules'],
    ['synchronize', /\bsynchronize:\s*true\b/, 'migrations alone change the schema'],
    ['.only', /\b(?:test|it|describe)\.only\b|\bf(?:it|describe)\(/, 'the other tests would not run'],
    ['TODO', /\b(?:TODO|FIXME|XXX)\b/, 'finish it or open an issue'],
    [
      'a blanket excuse',
      /@ts-ignore|@ts-nocheck|eslint-disable|oxlint-disable(?!-next-line )/,
      'mend it, or excuse one line with its reason',
    ],
  ];

  test.each(FORBIDDEN)('%s', (_name, pattern, reason) => {
    const offenders = code.filter(
      (file) => file !== 'test/architecture/repository.spec.ts' && pattern.test(read(file)),
    );
    expect({ reason, offenders }).toEqual({ reason, offenders: [] });
  });

  test('the patterns find what they are for', () => {
    const samples = ['forwardRef(() => A)', 'synchronize: true', 'test.only(', '// TODO', '// @ts-ignore'];
    expect(FORBIDDEN.map(([, pattern], index) => pattern.test(samples[index]!))).toEqual(samples.map(() => true));
  });
});

describe('names', () => {
  test('are kebab-case with a role, and no barrels or drawers for odds and ends', () => {
    const names = code.map((file) => [file, basename(file)] as const);
    expect(names.filter(([, name]) => !/^[a-z0-9]+(?:[.-][a-z0-9]+)*\.ts$/.test(name))).toEqual([]);
    expect(names.filter(([, name]) => /^(?:index|utils?|helpers?|common)(?:\.|$)/.test(name))).toEqual([]);
    expect(code.filter((file) => /\/(?:utils?|helpers?|common)\//.test(file))).toEqual([]);
  });
});

describe('documents', () => {
  const pages = [
    ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
    ...['docs', 'src', 'test', 'bench', 'deploy'].flatMap((folder) => filesUnder(folder, /\.md$/)),
  ];

  /** Anchor that GitHub gives a heading. */
  const anchor = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-');

  const anchorsOf = (page: string): string[] =>
    [...read(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchor(heading!));

  test.each(pages)('links in %s lead somewhere', (page) => {
    const prose = read(page).replace(/^```[\s\S]*?^```/gm, '');
    const links = [...prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].map(([, target]) => target!);
    const broken = links.filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [path, fragment] = target.split('#') as [string, string?];
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, file))) return true;
      return fragment !== undefined && file.endsWith('.md') && !anchorsOf(file).includes(fragment);
    });
    expect(broken).toEqual([]);
  });

  test('docs/configuration.md says what the schema says', () => {
    expect(read('docs/configuration.md')).toBe(configurationPage());
  });

  test('docs/providers.md says what the definitions say', () => {
    expect(read('docs/providers.md')).toBe(providersPage(ROOT));
  });

  test('decision records are numbered without a gap and have every part', () => {
    const records = filesUnder('docs/adr', /\/\d{4}-[a-z0-9-]+\.md$/);
    expect(records.map((file) => Number(basename(file).slice(0, 4)))).toEqual(records.map((_, index) => index + 1));
    for (const record of records) {
      for (const part of ['## Status', '## Context', '## Decision', '## Consequences'])
        expect(read(record)).toContain(part);
    }
  });
});

describe('package-lock.json', () => {
  const text = read('package-lock.json');
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; hasInstallScript?: boolean }>;
  };

  test('names no registry, so that every mirror serves it', () => {
    expect(text).not.toContain('"resolved"');
    expect(read('.npmrc')).toContain('omit-lockfile-registry-resolved=true');
  });

  test('holds the optional packages of every platform: npm 11 refuses it otherwise', () => {
    const missing = Object.entries(packages).flatMap(([from, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => {
        for (let place = from; ; place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))) {
          if (`${place}${place && '/'}node_modules/${name}` in packages) return false;
          if (place === '') return true;
        }
      }),
    );
    expect(missing).toEqual([]);
  });

  test('every install script is allowed or refused by name in package.json', () => {
    const { allowScripts } = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> };
    const withScript = Object.keys(packages)
      .filter((place) => packages[place]!.hasInstallScript)
      .map((place) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length));
    expect(withScript.filter((name) => !(name in allowScripts))).toEqual([]);
  });
});
