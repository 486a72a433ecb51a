import { Global, Module, type DynamicModule, type Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import { APP_CONFIG, readConfig } from '../../src/config/app-config';
import { CLOCK, ManualClock } from '../../src/kernel/clock';
import { LOGGER, type Logger } from '../../src/kernel/logger';
import { DatabaseModule } from '../../src/platform/database/database.module';
import { createHttpApplication } from '../../src/platform/http/http-application';
import { SecretsModule } from '../../src/platform/secrets/secrets.module';
import { TenancyModule } from '../../src/tenancy/tenancy.module';
import { createTestDatabase, type TestDatabase } from './test-database';

export const TEST_ADMIN_KEY = 'test-admin-key-of-the-operator';

export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  fields: Record<string, unknown>;
  message: string;
}

export interface HttpTestApp {
  app: NestExpressApplication;
  url: string;
  port: number;
  clock: ManualClock;
  database: TestDatabase;
  logs: LogLine[];
  close(): Promise<void>;
}

export interface HttpTestAppOptions {
  controllers?: Type[];
  imports?: Array<Type | DynamicModule>;
  /** Default 0: no limit. */
  rateLimit?: number;
  /** Further environment variables. */
  environment?: Record<string, string>;
  /** A second process on the same database. */
  database?: TestDatabase;
}

/** A small application with the real HTTP platform, tenancy and a database of its own, listening on a free port. */
export async function startHttpTestApp(options: HttpTestAppOptions = {}): Promise<HttpTestApp> {
  const database = options.database ?? (await createTestDatabase());
  const clock = new ManualClock(Date.now());
  const logs: LogLine[] = [];
  const config = readConfig({
    DATABASE_URL: database.url,
    UNIMSG_DATABASE_POOL: '4',
    UNIMSG_ADMIN_KEY: TEST_ADMIN_KEY,
    UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    UNIMSG_RATE_LIMIT: String(options.rateLimit ?? 0),
    ...options.environment,
  });

  @Global()
  @Module({
    providers: [
      { provide: APP_CONFIG, useValue: config },
      { provide: CLOCK, useValue: clock },
      { provide: LOGGER, useValue: recordingLogger(logs) },
    ],
    exports: [APP_CONFIG, CLOCK, LOGGER],
  })
  class CoreModule {}

  @Module({
    imports: [CoreModule, DatabaseModule, SecretsModule, TenancyModule, ...(options.imports ?? [])],
    controllers: options.controllers ?? [],
  })
  class RootModule {}

  const app = await createHttpApplication(RootModule);
  try {
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app.close();
    if (!options.database) await database.drop();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    url: `http://127.0.0.1:${port}`,
    port,
    clock,
    database,
    logs,
    async close() {
      await app.close();
      if (!options.database) await database.drop();
    },
  };
}

function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: LogLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
