import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { ENVIRONMENT, readConfig } from '../../src/config/app-config';

const ROOT = resolve(__dirname, '../..');
const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');

interface Service {
  image: string;
  environment?: Record<string, string>;
  healthcheck: { test: string[]; interval: string; retries: number };
  deploy: { resources: { limits: { memory: string } } };
  depends_on?: Record<string, { condition: string }>;
  command?: string[];
  volumes?: string[];
}

const { services, volumes } = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};

/** What a person puts into .env. */
const GIVEN: Record<string, string> = {
  UNIMSG_PUBLIC_URL: 'https://messages.example.com',
  UNIMSG_ADMIN_KEY: 'a'.repeat(48),
  UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
  UNIMSG_DATABASE_PASSWORD: 'b'.repeat(48),
  POSTGRES_PASSWORD: 'c'.repeat(48),
};

/** Fills `${NAME:?message}` and `${NAME:-default}` as Compose does. */
function interpolate(value: string): string {
  return value.replace(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_all, name: string, kind?: string, rest = '') => {
    const given = GIVEN[name] ?? (kind === '-' ? rest : undefined);
    if (given === undefined) throw new Error(`${name} is not given`);
    return given;
  });
}

const ROLES = { 'unimsg-api': 'api', 'unimsg-worker': 'worker', 'unimsg-scheduler': 'scheduler' };

describe('docker-compose.yml', () => {
  test('has the three roles, PostgreSQL and Redis', () => {
    expect(Object.keys(services).sort()).toEqual([...Object.keys(ROLES), 'postgres', 'redis'].sort());
  });

  test.each(Object.entries(services))(
    '%s says how to see its health and how much memory it may take',
    (_name, service) => {
      expect(service.image).toMatch(/^[a-z/]+:[a-z0-9.]+$/);
      expect(service.healthcheck.test.length).toBeGreaterThan(1);
      // A colon in a plain scalar would make a map of it.
      expect(service.healthcheck.test.map((word) => typeof word)).toEqual(service.healthcheck.test.map(() => 'string'));
      expect(service.healthcheck.retries).toBeGreaterThan(0);
      expect(service.deploy.resources.limits.memory).toMatch(/^\d+[MG]$/);
    },
  );

  test.each(Object.entries(ROLES))('%s gets variables that the service knows and accepts', (name, role) => {
    const environment = Object.fromEntries(
      Object.entries(services[name]!.environment!).map(([key, value]) => [key, interpolate(value)]),
    );
    expect(Object.keys(environment).filter((key) => !(key in ENVIRONMENT.shape))).toEqual([]);
    const config = readConfig(environment);
    expect(config).toMatchObject({ role, publicUrl: GIVEN.UNIMSG_PUBLIC_URL, simulator: false, host: '0.0.0.0' });
    expect(config.databaseUrl).toContain('@postgres:5432/');
    expect(config.redisUrl).toBe('redis://redis:6379');
  });

  test.each(Object.keys(ROLES))('%s gets every variable that a person may set', (name) => {
    const own = ['PORT', 'HOST', 'UNIMSG_DATA_DIR', 'UNIMSG_DEMO'];
    const passed = Object.keys(services[name]!.environment!);
    expect(
      Object.keys(ENVIRONMENT.shape).filter((variable) => !own.includes(variable) && !passed.includes(variable)),
    ).toEqual([]);
  });

  test.each(Object.keys(ROLES))('%s waits for a healthy database and queue', (name) => {
    expect(services[name]!.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    });
  });

  test('no secret has a default: a missing one stops `docker compose up` with a message', () => {
    const references = [...text.matchAll(/\$\{(\w+)(:[?-][^}]+)?\}/g)];
    expect(references.length).toBeGreaterThan(6);
    const withDefault = references.filter(([, , rest]) => !rest?.startsWith(':?')).map(([, name]) => name!);
    expect(withDefault.sort()).toEqual(['UNIMSG_LOG_LEVEL', 'UNIMSG_PORT']);
  });

  test('Redis keeps its queue over a restart and never drops keys', () => {
    expect(services.redis!.command!.join(' ')).toContain('--appendonly yes');
    expect(services.redis!.command!.join(' ')).toContain('--maxmemory-policy noeviction');
    for (const name of ['postgres', 'redis']) {
      expect(services[name]!.volumes!.some((volume) => volume.split(':')[0]! in volumes)).toBe(true);
    }
  });

  test('every mounted file exists', () => {
    const files = Object.values(services).flatMap((service) => service.volumes ?? []);
    const mounted = files.map((volume) => volume.split(':')[0]!).filter((source) => source.startsWith('.'));
    expect(mounted.length).toBeGreaterThan(0);
    expect(mounted.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
  });
});

describe('Dockerfile', () => {
  const lines = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').split('\n');
  const arguments_ = (word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

  test('runs the Node that package.json locks', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const major = /\d+/.exec(manifest.devDependencies.node!)![0];
    const images = arguments_('FROM').map((line) => line.split(' ')[0]);
    expect(new Set(images)).toEqual(new Set([`node:${major}-bookworm-slim`]));
  });

  test('ends as an ordinary user, with a health check, by a command that takes signals itself', () => {
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
    expect(last).toContain('USER node');
    expect(last.some((line) => line.startsWith('HEALTHCHECK '))).toBe(true);
    expect(last).toContain('CMD ["node", "dist/src/main.js"]');
    expect(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')).toContain('/health/live');
  });

  test('copies only what exists and what .dockerignore lets through', () => {
    const sources = arguments_('COPY')
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(' ').slice(0, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
    const allowed = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
    expect(allowed[0]).toBe('*');
    expect(sources.filter((source) => !allowed.includes(`!${source}`))).toEqual([]);
  });
});
