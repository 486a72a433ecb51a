import { randomBytes } from 'node:crypto';
import type { RunningProcess } from '../../src/process';
import { ApiClient, eventually, type ApiAnswer, type ApiRecorder, type Wire } from './api-client';
import { ApiContract } from './api-contract';
import { ScriptedTwilio } from './scripted-twilio';
import { ScriptedVonage } from './scripted-vonage';
import { createTestDatabase, type TestDatabase } from './test-database';
import { until } from './until';

/** Every line that the service logged in this file, as the bytes that would go to standard output. */
export const logLines: string[] = [];

// The service writes its log to standard output by file descriptor; the tests read it instead. Format, redaction and levels stay the real ones.
jest.doMock('pino', () => {
  const pino = jest.requireActual<((options: object, to: object) => unknown) & object>('pino');
  return Object.assign((options: object) => pino(options, { write: (line: string) => logLines.push(line) }), pino);
});

export interface TenantOptions {
  name?: string;
  /** Default: Twilio first, then Vonage. Null: none. */
  sms?: Record<string, unknown> | null;
  twilio?: Record<string, unknown> | false;
  vonage?: Record<string, unknown> | false;
}

/** A tenant with its accounts at the fake providers. */
export interface Tenant {
  api: ApiClient;
  clientId: string;
  apiKey: string;
  twilio: { id: string; accountSid: string; authToken: string };
  vonage: { id: string; apiKey: string; apiSecret: string; signatureSecret: string };
  /** A key with these scopes. */
  key(scopes: string[], more?: object): Promise<ApiClient>;
  /** Sends and expects acceptance; answers the id. */
  send(to: string, more?: object, headers?: Record<string, string>): Promise<string>;
  message(id: string): Promise<Wire>;
  /** Waits until the message is as wanted. */
  until(id: string, fits: (message: Wire) => boolean, patienceMs?: number): Promise<Wire>;
  /** Every event of the pull feed so far. */
  events(types?: string): Promise<Wire[]>;
}

const ADMIN_KEY = `admin-${randomBytes(16).toString('hex')}`;
const ENCRYPTION_KEY = randomBytes(32).toString('base64');

/** The whole service on a database of its own, with fake providers behind it. */
export class Service {
  readonly recorder: ApiRecorder = { answers: [] };
  /** Everything that must never be shown. One-time answers are looked at where they are made. */
  readonly secrets = new Set<string>([ADMIN_KEY, ENCRYPTION_KEY]);
  readonly admin: ApiClient;
  readonly anonymous: ApiClient;
  private readonly clients: ApiClient[] = [];
  private looked = 0;

  private constructor(
    readonly database: TestDatabase,
    readonly twilio: ScriptedTwilio,
    readonly vonage: ScriptedVonage,
    private readonly environment: Record<string, string>,
    private process: RunningProcess,
  ) {
    this.admin = this.client(ADMIN_KEY);
    this.anonymous = this.client();
  }

  static async start(environment: Record<string, string> = {}): Promise<Service> {
    const [database, twilio, vonage] = await Promise.all([
      createTestDatabase({ poolSize: 2 }),
      new ScriptedTwilio().listen(),
      new ScriptedVonage().listen(),
    ]);
    const env = {
      DATABASE_URL: database.url,
      HOST: '127.0.0.1',
      PORT: '0',
      UNIMSG_ADMIN_KEY: ADMIN_KEY,
      UNIMSG_ENCRYPTION_KEYS: `k1:${ENCRYPTION_KEY}`,
      UNIMSG_SIMULATOR: 'off',
      UNIMSG_RATE_LIMIT: '0',
      UNIMSG_LOG_LEVEL: 'debug',
      UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
      UNIMSG_CONFIG_PROBE_SECONDS: '1',
      TWILIO_BASE_URL: twilio.url,
      VONAGE_BASE_URL: vonage.url,
      ...environment,
    };
    const service = new Service(database, twilio, vonage, env, await boot(env));
    const document = await service.anonymous.get('/openapi.json');
    service.recorder.contract = new ApiContract(document.body);
    return service;
  }

  get url(): string {
    return this.process.url;
  }

  get contract(): ApiContract {
    return this.recorder.contract!;
  }

  client(key?: string): ApiClient {
    const client = new ApiClient(
      this.process.url,
      key === undefined ? {} : { authorization: `Bearer ${key}` },
      this.recorder,
    );
    this.clients.push(client);
    return client;
  }

  /** What was logged as a fault of the service since the last call. */
  errorLines(): string[] {
    const from = this.looked;
    this.looked = logLines.length;
    return logLines.slice(from).filter((line) => line.includes('"level":"error"'));
  }

  /** Ends the process and starts another one on the same database, with these variables besides. */
  async restart(environment: Record<string, string> = {}): Promise<void> {
    await this.process.stop();
    Object.assign(this.environment, environment);
    this.process = await boot(this.environment);
    for (const client of this.clients) client.url = this.process.url;
  }

  /** A further process on the same database. */
  async another(environment: Record<string, string> = {}): Promise<RunningProcess> {
    return boot({ ...this.environment, ...environment });
  }

  async tenant(options: TenantOptions = {}): Promise<Tenant> {
    const created = await this.admin.post('/admin/tenants', { name: options.name ?? 'Tenant', slug: 'e2e' });
    assertStatus(created, 201);
    const { client_id: clientId, api_key: apiKey, webhook_signing_secret: signing } = created.body.data;
    this.secrets.add(apiKey).add(signing);
    const api = this.client(apiKey);
    const twilio = {
      id: '',
      accountSid: `AC${randomBytes(16).toString('hex')}`,
      authToken: randomBytes(16).toString('hex'),
    };
    const vonage = {
      id: '',
      apiKey: randomBytes(4).toString('hex'),
      apiSecret: randomBytes(12).toString('hex'),
      signatureSecret: randomBytes(20).toString('hex'),
    };
    for (const secret of [twilio.authToken, vonage.apiSecret, vonage.signatureSecret]) this.secrets.add(secret);
    if (options.twilio !== false) {
      const config = await api.post('/communication/twilio/configs', {
        display_name: 'Twilio',
        credentials: { account_sid: twilio.accountSid, auth_token: twilio.authToken },
        from_number: '+15005550006',
        status: 'active',
        ...options.twilio,
      });
      assertStatus(config, 201);
      twilio.id = config.body.data.id;
    }
    if (options.vonage !== false) {
      const config = await api.post('/communication/vonage/configs', {
        display_name: 'Vonage',
        credentials: {
          api_key: vonage.apiKey,
          api_secret: vonage.apiSecret,
          signature_secret: vonage.signatureSecret,
        },
        from: 'Acme',
        status: 'active',
        ...options.vonage,
      });
      assertStatus(config, 201);
      vonage.id = config.body.data.id;
    }
    const primary = options.twilio === false ? 'vonage' : 'twilio';
    const fallback = options.twilio === false || options.vonage === false ? [] : ['vonage'];
    const sms = options.sms === undefined ? { primary, fallback } : options.sms;
    if (sms) assertStatus(await api.put('/v1/gateways', { gateways: { sms } }), 200);

    return {
      api,
      clientId,
      apiKey,
      twilio,
      vonage,
      key: async (scopes, more = {}) => {
        const key = await api.post('/v1/api-keys', { name: 'further', scopes, ...more });
        assertStatus(key, 201);
        this.secrets.add(key.body.data.api_key);
        return this.client(key.body.data.api_key);
      },
      send: async (to, more = {}, headers) => {
        const sent = await api.post('/v1/sms/send', { to, message: 'hello', ...more }, headers);
        assertStatus(sent, 202);
        return sent.body.data.message_id;
      },
      message: async (id) => {
        const read = await api.get(`/v1/messages/${id}`);
        assertStatus(read, 200);
        return read.body.data;
      },
      until: (id, fits, patienceMs) =>
        eventually(async () => (await api.get(`/v1/messages/${id}`)).body.data, fits, patienceMs),
      events: async (types) => {
        await this.everythingReadable();
        const events: Wire[] = [];
        let after = '';
        for (;;) {
          const query = new URLSearchParams({ limit: '200', ...(after && { after }), ...(types && { types }) });
          const { body } = await api.get(`/v1/events?${query}`);
          events.push(...body.data);
          if (body.data.length === 0 && body.meta.next_cursor === after) return events;
          after = body.meta.next_cursor;
        }
      },
    };
  }

  /** The feed ends before the oldest transaction that runs on the server, which may be another spec's: waits until all that is committed by now is in it. */
  async everythingReadable(): Promise<void> {
    const { database } = this.database;
    const [now] = await database.query<{ tx: string }>('SELECT pg_current_xact_id()::text AS tx');
    await until('the feed reaches the present', async () => {
      const sql = 'SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 AS past';
      return (await database.query<{ past: boolean }>(sql, [now!.tx]))[0]!.past;
    });
  }

  async stop(): Promise<void> {
    await this.twilio.close();
    await this.vonage.close();
    await this.process.stop();
    await this.database.drop();
  }
}

function boot(env: Record<string, string>): Promise<RunningProcess> {
  // Loaded here, after the log's mock is in place.
  const { startProcess } = jest.requireActual<typeof import('../../src/process')>('../../src/process');
  return startProcess(env, { quiet: true });
}

export function assertStatus(answer: ApiAnswer, status: number): void {
  if (answer.status === status) return;
  // A fault of the service is told to its log only.
  const logged = answer.status < 500 ? [] : logLines.filter((line) => line.includes('"err"')).slice(-2);
  throw new Error([`expected ${status}, got ${answer.status}: ${answer.text.slice(0, 1500)}`, ...logged].join('\n'));
}

let number = 0;

/** A number that no other test of the file uses. */
export function freshNumber(prefix = '+39333'): string {
  return `${prefix}${String(++number).padStart(7, '0')}`;
}
