import { readFileSync } from 'node:fs';

const swc = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));

/** @type {import('jest').Config} */
export default {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/src/**/*.spec.ts', '**/test/**/*.spec.ts', '**/test/**/*.e2e-spec.ts'],
  globalSetup: '<rootDir>/test/support/postgres-server.global.ts',
  globalTeardown: '<rootDir>/test/support/postgres-server.teardown.ts',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json'],
  transform: { '^.+\\.ts$': ['@swc/jest', { ...swc, swcrc: false }] },
};
