import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
import { readConfig } from './config/app-config';
import { silentLogger } from './kernel/logger';
import { openApiDocument } from './ops/openapi-document';

/** `docs/openapi.json`: the document of a service with every module, made without starting anything. */
export async function openApiPage(): Promise<string> {
  const config = readConfig({
    DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
    UNIMSG_ADMIN_KEY: 'x'.repeat(24),
    UNIMSG_ENCRYPTION_KEYS: `x:${Buffer.alloc(32).toString('base64')}`,
    UNIMSG_SIMULATOR: 'on',
  });
  // In preview mode Nest reads the modules and makes no instance.
  const app = await NestFactory.create(AppModule.with(config, silentLogger), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  return `${JSON.stringify(openApiDocument(app), null, 2)}\n`;
}
