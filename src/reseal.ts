import { isEmbedded, readConfig, withDatabaseUrl } from './config/app-config';
import { GATEWAY_SEALED } from './gateway/configs/sealed-columns';
import { systemClock } from './kernel/clock';
import { DataDirectory } from './platform/database/data-directory';
import { createDataSource } from './platform/database/data-source';
import { Database } from './platform/database/database';
import { createLogger } from './platform/observability/json-logger';
import { Resealer, type ResealedColumn, type SealedColumn } from './platform/secrets/resealer';
import { SecretBox } from './platform/secrets/secret-box';
import { oneLine, startEmbedded } from './start-database';
import { StartRefused } from './start-refused';
import { AuditLog } from './tenancy/audit/audit-log';
import { PRIVACY_SEALED } from './privacy/erasure.row';
import { TENANCY_SEALED } from './tenancy/tenant.entity';
import { WEBHOOK_SEALED } from './webhook/endpoints/endpoint.row';

/** Every column that holds a sealed value. */
export const SEALED: readonly SealedColumn[] = [
  ...TENANCY_SEALED,
  ...GATEWAY_SEALED,
  ...WEBHOOK_SEALED,
  ...PRIVACY_SEALED,
];

/**
 * Seals every stored secret with the first key of `UNIMSG_ENCRYPTION_KEYS`, and notes that in the audit log. May run beside the service, and
 * again after it was broken off.
 * @throws ConfigurationError, StartRefused, DataDirectoryUnusable, KeysMissing; then nothing was changed
 */
export async function reseal(env: NodeJS.ProcessEnv): Promise<{ key: string; columns: ResealedColumn[] }> {
  const undo: Array<() => Promise<void> | void> = [];
  try {
    const directory = isEmbedded(env) ? new DataDirectory(env.UNIMSG_DATA_DIR || '.unimsg') : undefined;
    if (directory) {
      directory.open();
      undo.push(() => directory.close());
    }
    let config = readConfig(env, directory?.keys());
    const logger = createLogger('silent');
    if (directory) config = withDatabaseUrl(config, await startEmbedded(directory, logger, undo));
    const database = new Database(await connect(config.databaseUrl!, undo));
    const box = new SecretBox(config.encryptionKeys);
    const columns = await new Resealer(database, box).run(SEALED);
    await new AuditLog(database, systemClock).record({
      clientId: null,
      actor: 'command',
      action: 'secrets.resealed',
      object: `encryption key ${box.sealingKey}`,
      requestId: null,
      ip: null,
      detail: Object.fromEntries(columns.map(({ name, resealed }) => [name, resealed])),
    });
    return { key: box.sealingKey, columns };
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

async function connect(url: string, undo: Array<() => Promise<void> | void>) {
  const dataSource = createDataSource({ url, poolSize: 1, applicationName: 'unimsg-reseal' });
  try {
    await dataSource.initialize();
  } catch (error) {
    // Without the URL: it holds a password.
    throw new StartRefused(`DATABASE_URL: the database cannot be reached: ${oneLine(error)}`);
  }
  undo.push(() => dataSource.destroy());
  const [schema] = await dataSource.query<Array<{ known: boolean }>>(
    // The newest of what it reads and writes.
    "SELECT to_regclass('erasures') IS NOT NULL AS known",
  );
  if (!schema!.known)
    throw new StartRefused('DATABASE_URL: the database has not the schema of this version. Start the service first.');
  return dataSource;
}

/** What a person is told of it; `failed` when something is left. */
export function resealReport({ key, columns }: { key: string; columns: readonly ResealedColumn[] }): {
  text: string;
  failed: boolean;
} {
  const lines = columns.map(({ name, resealed }) => `  ${String(resealed).padStart(6)}  ${name}`);
  const total = columns.reduce((sum, { resealed }) => sum + resealed, 0);
  const broken = columns.flatMap(({ name, broken: keys }) => keys.map((one) => `  ${name} of ${one}`));
  const left = columns.filter((column) => column.left > 0).map(({ name, left: count }) => `  ${count} of ${name}`);
  const text = [
    `Re-sealed ${total} values with the key "${key}":`,
    ...lines,
    ...(left.length > 0 ? ['Sealed with another key meanwhile; give every process the new key first:', ...left] : []),
    ...(broken.length > 0 ? ['Left alone, since no key opens them (changed or moved by hand):', ...broken] : []),
    ...(left.length + broken.length === 0 ? [`All are sealed with "${key}"; the other keys are needed no more.`] : []),
  ].join('\n');
  return { text, failed: left.length + broken.length > 0 };
}
