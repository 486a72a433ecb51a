import { readFileSync } from 'node:fs';

const swc = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));

/** Which files a lane of `npm test` runs. The lanes with a name need a Redis server, a browser or a mail server on the machine. */
const LANES = {
  default: ['**/src/**/*.spec.ts', '**/test/**/*.spec.ts', '**/test/**/*.e2e-spec.ts'],
  redis: ['**/*.redis-spec.ts'],
  browser: ['**/*.browser-spec.ts'],
  mail: ['**/*.mail-spec.ts'],
};

/** @type {import('jest').Config} */
export default {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: LANES[process.env.UNIMSG_TEST_LANE ?? 'default'],
  globalSetup: '<rootDir>/test/support/postgres-server.global.ts',
  setupFiles: ['<rootDir>/test/support/property-seed.setup.ts'],
  globalTeardown: '<rootDir>/test/support/postgres-server.teardown.ts',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json'],
  transform: { '^.+\\.ts$': ['@swc/jest', { ...swc, swcrc: false }] },
  reporters: ['default', '<rootDir>/scripts/test-summary.reporter.mjs'],
  maxWorkers: 2,
  testTimeout: 30_000,
  errorOnDeprecated: true,
};
