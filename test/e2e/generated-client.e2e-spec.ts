import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startProcess, type RunningProcess } from '../../src/process';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

const run = promisify(execFile);
const MODULES = resolve(__dirname, '../../node_modules');
const ADMIN_KEY = randomBytes(24).toString('hex');

/** What a client's developer would write. It is type-checked against the generated types, strictly. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { components, paths, webhooks } from './schema.js';

const [baseUrl, adminKey] = process.argv.slice(2) as [string, string];
const bearer = (key: string) => ({ headers: { Authorization: \`Bearer \${key}\` } });
const admin = createClient<paths>({ baseUrl, ...bearer(adminKey) });

const tenant = await admin.POST('/admin/tenants', { body: { name: 'Generated' } });
if (!tenant.data) throw new Error(tenant.error.code);
const api = createClient<paths>({ baseUrl, ...bearer(tenant.data.data.api_key) });

const config = await api.POST('/communication/twilio/configs', {
  body: {
    display_name: 'Twilio',
    credentials: { account_sid: 'AC' + '0'.repeat(32), auth_token: 'f'.repeat(32) },
    from_number: '+15005550006',
    status: 'active',
  },
});
if (!config.data) throw new Error(config.error.detail);
const routes = await api.PUT('/v1/gateways', { body: { gateways: { sms: { primary: 'twilio' } } } });
if (routes.error) throw new Error(routes.error.detail);

const sent = await api.POST('/v1/sms/send', {
  params: { header: { Prefer: 'wait=20' } },
  body: { to: '+393331234567', message: 'Hello', reference: 'order-1', metadata: { order: '1' } },
});
if (!sent.data || !('message_id' in sent.data.data)) throw new Error('not sent');
const { message_id } = sent.data.data;

const read = await api.GET('/v1/messages/{message_id}', { params: { path: { message_id } } });
if (!read.data) throw new Error(read.error.code);
const message: components['schemas']['MessageView'] = read.data.data;
const outcome: string | undefined = message.attempts[0]?.outcome;

const listed = await api.GET('/v1/messages', { params: { query: { to: '+393331234567', limit: 10 } } });
if (!listed.data) throw new Error(listed.error.code);
const { next_cursor } = listed.data.meta;

const refused = await api.POST('/v1/sms/send', { body: { to: 'nobody', message: 'Hello' } });
if (!refused.error) throw new Error('not refused');
const code: 'invalid_request' | components['schemas']['ProblemCode'] = refused.error.code;

/** The payload of an event, by its name. */
type Payload<Name extends keyof webhooks> = webhooks[Name]['post']['requestBody']['content']['application/json'];
const describe = (event: Payload<'message.delivered'>): string => \`\${event.id} \${event.data.message_id} \${event.data.status}\`;

console.log(JSON.stringify({
  message_id, status: message.status, gateway: message.gateway, outcome, reference: message.reference,
  listed: listed.data.data.map((one) => one.message_id), next_cursor, code,
  fields: refused.error.errors.map(({ field }) => field),
  described: describe({
    event: 'message.delivered', id: 'evt_1', created_at: '2026-11-22T08:30:00.000Z',
    data: { message_id, client_id: 'x_1', channel: 'sms', status: 'delivered', to: '+39', occurred_at: '2026-11-22T08:30:00.000Z' },
  }),
}));
`;

/** One line each, which the compiler must refuse: types that allow everything would pass the program too. */
const WRONG: Array<[string, string]> = [
  ['a path that does not exist', `await api.GET('/v1/nothing');`],
  ['a body without its required field', `await api.POST('/v1/sms/send', { body: { message: 'Hello' } });`],
  [
    'a word that a field does not know',
    `await api.POST('/v1/sms/send', { body: { to: '+39', message: 'x', priority: 'soon' } });`,
  ],
  [
    'a field that an answer has not',
    `const { data } = await api.GET('/v1/me'); console.log(data?.data.client_secret);`,
  ],
];

const SETTINGS = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    noUnusedLocals: true,
    noPropertyAccessFromIndexSignature: true,
    rootDir: '.',
    outDir: 'out',
  },
  files: ['program.ts'],
};

describe('a TypeScript client generated from the document', () => {
  let directory: string;
  let database: TestDatabase;
  let service: RunningProcess;

  const write = (file: string, text: string): void => writeFileSync(join(directory, file), text);
  const compile = async (): Promise<string> => {
    const tsc = run(process.execPath, [join(MODULES, 'typescript/bin/tsc'), '-p', '.'], { cwd: directory });
    return tsc.then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-client-'));
    symlinkSync(MODULES, join(directory, 'node_modules'));
    database = await createTestDatabase({ poolSize: 1 });
    service = await startProcess(
      {
        DATABASE_URL: database.url,
        PORT: '0',
        HOST: '127.0.0.1',
        UNIMSG_ADMIN_KEY: ADMIN_KEY,
        UNIMSG_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
        UNIMSG_SIMULATOR: 'on',
        UNIMSG_LOG_LEVEL: 'error',
      },
      { quiet: true },
    );
    const response = await fetch(`${service.url}/openapi.json`);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    write('openapi.json', await response.text());
    write('package.json', '{ "type": "module" }');
    write('tsconfig.json', JSON.stringify(SETTINGS));
    const generator = join(MODULES, 'openapi-typescript/bin/cli.js');
    await run(process.execPath, [generator, 'openapi.json', '--output', 'schema.ts'], { cwd: directory });
  }, 60_000);

  afterAll(async () => {
    await service?.stop();
    await database?.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('compiles strictly and sends, reads and lists', async () => {
    write('program.ts', PROGRAM);
    expect(await compile()).toBe('');
    const { stdout } = await run(process.execPath, ['out/program.js', service.url, ADMIN_KEY], { cwd: directory });
    const seen = JSON.parse(stdout) as { message_id: string; described: string };
    expect(seen).toEqual({
      message_id: expect.stringMatching(/^msg_/),
      status: expect.stringMatching(/^(?:sent|delivered)$/),
      gateway: 'twilio',
      outcome: 'accepted',
      reference: 'order-1',
      listed: [seen.message_id],
      next_cursor: null,
      code: 'invalid_request',
      fields: ['to'],
      described: `evt_1 ${seen.message_id} delivered`,
    });
  }, 60_000);

  test('its types refuse what the service would refuse', async () => {
    const head = [
      `import createClient from 'openapi-fetch';`,
      `import type { paths } from './schema.js';`,
      `const api = createClient<paths>();`,
    ];
    write('program.ts', [...head, ...WRONG.map(([, line]) => line)].join('\n'));
    const refused = [...(await compile()).matchAll(/^program\.ts\((\d+),/gm)].map(([, line]) => Number(line) - 4);
    expect(WRONG.filter((_, index) => !refused.includes(index)).map(([what]) => what)).toEqual([]);
    expect(refused.filter((index) => index < 0)).toEqual([]);
  }, 60_000);
});
