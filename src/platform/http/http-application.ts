import type { LoggerService, ModuleMetadata, Type, DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { LOGGER, silentLogger, type Logger } from '../../kernel/logger';
import { HttpAdapter } from './http-adapter';
import { ProblemFilter } from './problem.filter';
import { ValidationPipe } from './validation.pipe';

/**
 * Makes the HTTP application, ready to `listen`: own adapter, problem filter, validation pipe. The root module provides {@link LOGGER}.
 *
 * `app.close()` takes no new connections and lets requests under way finish. Modules are told first (`onModuleDestroy`), so a module that
 * requests under way still need closes in `onApplicationShutdown`, which comes after.
 */
export async function createHttpApplication(root: Type | DynamicModule): Promise<NestExpressApplication> {
  let logger: Logger = silentLogger;
  const adapter = new HttpAdapter(() => logger);
  const app = await NestFactory.create<NestExpressApplication>(root as Type<ModuleMetadata>, adapter, {
    bodyParser: false,
    bufferLogs: true,
    abortOnError: false,
  });
  logger = app.get<Logger>(LOGGER, { strict: false });
  app.useLogger(new FrameworkLogger(logger));
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalPipes(new ValidationPipe());
  return app;
}

/** Nest's own lines: what it maps and starts is of use only when looking for a fault. */
class FrameworkLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: unknown): void {
    this.logger.debug({ context }, String(message));
  }

  debug(message: unknown, context?: unknown): void {
    this.logger.debug({ context }, String(message));
  }

  verbose(message: unknown, context?: unknown): void {
    this.logger.debug({ context }, String(message));
  }

  warn(message: unknown, context?: unknown): void {
    this.logger.warn({ context }, String(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.logger.error({ err: message instanceof Error ? message : undefined, context: rest.at(-1) }, String(message));
  }
}
