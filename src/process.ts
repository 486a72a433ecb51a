import { once } from 'node:events';
import { statSync } from 'node:fs';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import type { Server } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module';
import { isEmbedded, isLoopback, readConfig, withDatabaseUrl, type AppConfig } from './config/app-config';
import { PublicUrl } from './config/public-url';
import { type DemoAccount, seedDemo } from './demo';
import type { Logger } from './kernel/logger';
import { HealthController } from './ops/health.controller';
import { serveOpenApi } from './ops/openapi-document';
import { DataDirectory } from './platform/database/data-directory';
import { createHttpApplication } from './platform/http/http-application';
import { createLogger } from './platform/observability/json-logger';
import { Runtime } from './runtime';
import { migrateSchema, startEmbedded } from './start-database';
import { checkRedis } from './start-redis';
import { StartRefused } from './start-refused';
import { welcome } from './welcome';

export interface RunningProcess {
  /** The address that the HTTP server listens on. */
  url: string;
  config: AppConfig;
  logger: Logger;
  /** Finishes requests, lets go of leases, stops the embedded PostgreSQL. */
  stop(): Promise<void>;
}

/** Longest wait for requests under way when the process stops. */
const REQUESTS_MS = 10_000;
/** How long clients are asked to leave before connections without a request are closed. */
const LEAVE_MS = 250;

/**
 * Starts everything that the environment asks for, in order: configuration, embedded PostgreSQL, schema, modules, HTTP, background work.
 * What was started is stopped again when a later step fails.
 * @throws ConfigurationError, StartRefused, DataDirectoryUnusable
 */
export async function startProcess(env: NodeJS.ProcessEnv, options: { quiet?: boolean } = {}): Promise<RunningProcess> {
  const undo: Array<() => Promise<void> | void> = [];
  const stop = async () => {
    const failures: unknown[] = [];
    // A step that fails must not keep the ones after it, PostgreSQL's end above all, from being taken.
    for (const step of undo.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const directory = isEmbedded(env) ? new DataDirectory(env.UNIMSG_DATA_DIR || '.unimsg') : undefined;
    // Everything that can be wrong with the environment is said before anything is started or written.
    let config = readConfig(
      env,
      directory ? { adminKey: 'x'.repeat(24), encryptionKeys: `x:${Buffer.alloc(32).toString('base64')}` } : undefined,
    );
    if (directory) {
      directory.open();
      undo.push(() => directory.close());
      config = readConfig(env, directory.keys());
    }
    checkSecretsDir(config);
    // Before anything is started or written: a port that is taken is a common mistake.
    const probe = createServer();
    await bind(probe, config);
    await new Promise((closed) => probe.close(closed));
    const logger = createLogger(config.logLevel);
    if (directory) config = withDatabaseUrl(config, await startEmbedded(directory, logger, undo));
    await migrateSchema(config.databaseUrl!, logger);
    if (config.redisUrl !== undefined) await checkRedis(config.redisUrl);

    const app = await createHttpApplication(AppModule.with(config, logger));
    undo.push(() => app.close());
    serveOpenApi(app);
    await app.init();
    const server = app.getHttpServer() as Server;
    const url = await bind(server, config);
    app.get(PublicUrl).listening(url);
    const runtime = app.get(Runtime);
    undo.push(() => runtime.stop());
    // Requests finish first, while the work that some of them wait for goes on.
    undo.push(() => closeServer(app, server));
    await runtime.start();
    undo.push(() => app.get(HealthController).shutDown());

    const demo: DemoAccount | undefined = config.demo ? await seedDemo(app, directory) : undefined;
    if (!options.quiet)
      process.stdout.write(
        welcome({ url, config, demo, madeAdminKey: env.UNIMSG_ADMIN_KEY ? undefined : config.adminKey }),
      );
    if (config.simulator && !isLoopback(config.host))
      logger.warn(
        { host: config.host },
        'the simulator is on: whoever reaches this address can read /simulator, and write to it',
      );
    logger.info({ url, role: config.role, queue: config.redisUrl ? 'bull' : 'in-process' }, 'ready');
    return { url, config, logger, stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

/** @throws StartRefused */
function checkSecretsDir({ secretsDir }: AppConfig): void {
  if (secretsDir !== undefined && !statSync(secretsDir, { throwIfNoEntry: false })?.isDirectory())
    throw new StartRefused(`UNIMSG_SECRETS_DIR: ${secretsDir} is no directory.`);
}

/** Listens, and answers the address. Past Nest, which would log a failure that is told in one line here. */
async function bind(server: NetServer, config: AppConfig): Promise<string> {
  try {
    server.listen(config.port, config.host);
    await once(server, 'listening');
  } catch (error) {
    throw notListening(error as NodeJS.ErrnoException, config);
  }
  const { port } = server.address() as AddressInfo;
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function notListening({ code, message }: NodeJS.ErrnoException, { host, port }: AppConfig): StartRefused {
  switch (code) {
    case 'EADDRINUSE':
      return new StartRefused(
        `PORT: ${port} on ${host} is in use by another program. Choose another port, e.g. PORT=3001 npm start`,
      );
    case 'EACCES':
      return new StartRefused(`PORT: this user may not listen on ${port}. Choose a port above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'EAI_AGAIN':
    case 'EINVAL':
    case 'ENOTFOUND':
      return new StartRefused(`HOST: ${host} is no address of this machine (${code}).`);
    default:
      return new StartRefused(`HOST, PORT: the service cannot listen on ${host}, port ${port}: ${code ?? message}.`);
  }
}

/**
 * Lets requests under way finish, for a while, then cuts what is left. First every answer asks its client to close the connection; so clients
 * that send request after request leave by themselves, and none of their requests meets a connection that is just being closed.
 */
async function closeServer(app: NestExpressApplication, server: Server): Promise<void> {
  app.getHttpAdapter().beforeClose?.();
  await new Promise((resolve) => setTimeout(resolve, LEAVE_MS));
  const closed = once(server, 'close');
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), REQUESTS_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
