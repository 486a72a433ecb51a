import { generateKeyPairSync } from 'node:crypto';
import { STAND_IN_HOST } from '../../src/gateway/contracts/simulator';
import type { Operation } from './api-contract';

interface Schema {
  properties?: Record<string, Schema>;
  required?: string[];
  example?: unknown;
}

/** A key that signs, once a process: making one takes a moment. */
let privateKey: string | undefined;

function serviceAccount(): string {
  privateKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
  return JSON.stringify({
    type: 'service_account',
    project_id: 'acme-shop',
    private_key_id: '0123456789abcdef0123456789abcdef01234567',
    private_key: privateKey,
    client_email: 'sender@acme-shop.iam.gserviceaccount.com',
    client_id: '123456789012345678901',
    token_uri: 'https://oauth2.googleapis.com/token',
  });
}

/** Where the document's example cannot be a working value. */
const VALUES: Readonly<Record<string, () => unknown>> = {
  service_account_json: serviceAccount,
  host: () => STAND_IN_HOST,
};

/** A body that `POST /communication/{provider}/configs` accepts, from the document's own examples: every credential in clear, and the required settings. */
export function sampleConfig({ definition }: Pick<Operation, 'definition'>): Record<string, unknown> {
  const body = definition.requestBody as unknown as { content: Record<string, { schema: Schema }> };
  const { properties = {}, required = [] } = body.content['application/json']!.schema;
  const credentials: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(properties.credentials?.properties ?? {})) {
    if (!name.endsWith('_ref')) credentials[name] = VALUES[name]?.() ?? field.example;
  }
  const settings = Object.fromEntries(
    required
      .filter((name) => name !== 'credentials')
      .map((name) => [name, VALUES[name]?.() ?? properties[name]!.example]),
  );
  return { ...settings, credentials };
}
