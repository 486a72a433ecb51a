/**
 * Rotates the encryption keys: `npm run reseal`. First every process of the service gets the new key in front of the old one in
 * `UNIMSG_ENCRYPTION_KEYS`; then this seals what is stored with the new key; then the old key can go.
 */
import { ConfigurationError } from './config/app-config';
import { DataDirectoryUnusable } from './platform/database/data-directory';
import { KeysMissing } from './platform/secrets/resealer';
import { reseal, resealReport } from './reseal';
import { StartRefused } from './start-refused';

async function main(): Promise<number> {
  const { text, failed } = resealReport(await reseal(process.env));
  process.stdout.write(`${text}\n`);
  return failed ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const plain = [ConfigurationError, DataDirectoryUnusable, KeysMissing, StartRefused];
    const text = plain.some((kind) => error instanceof kind)
      ? (error as Error).message
      : `could not re-seal: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    process.stderr.write(`unimsg: ${text}\n`);
    process.exit(1);
  },
);
