import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { Child } from './child';
import type { BenchDatabase } from './postgres';
import type { MemoryUse } from './service.main';

export interface ServiceOptions {
  database: BenchDatabase;
  /** Missing: the in-process queue. */
  redisUrl?: string;
  role?: 'all' | 'api' | 'worker';
  /** The simulator's address for Twilio. */
  twilioUrl: string;
  name?: string;
}

/** A tenant with one active Twilio account that all its SMS go to. */
export interface BenchTenant {
  clientId: string;
  apiKey: string;
  configId: string;
  accountSid: string;
  authToken: string;
}

const ENCRYPTION_KEYS = `bench:${randomBytes(32).toString('base64')}`;
const ADMIN_KEY = randomBytes(24).toString('hex');

/** One UniMsg process. */
export class Service {
  private constructor(
    private readonly child: Child,
    /** Where it listens, without a slash at the end. */
    readonly url: string,
    readonly database: BenchDatabase,
  ) {}

  static async start(options: ServiceOptions): Promise<Service> {
    const { database, redisUrl, role = 'all', name = 'unimsg' } = options;
    const child = Child.start('service.main', {
      name,
      nodeArguments: ['--expose-gc'],
      env: {
        PORT: '0',
        HOST: '127.0.0.1',
        DATABASE_URL: database.url,
        UNIMSG_ADMIN_KEY: ADMIN_KEY,
        UNIMSG_ENCRYPTION_KEYS: ENCRYPTION_KEYS,
        UNIMSG_LOG_LEVEL: 'warn',
        UNIMSG_RATE_LIMIT: '0',
        UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
        UNIMSG_ROLE: role,
        TWILIO_BASE_URL: options.twilioUrl,
        ...(role === 'all' ? {} : { UNIMSG_PUBLIC_URL: 'http://127.0.0.1' }),
        ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
      },
    });
    return new Service(child, await child.ask<string>({ type: 'url' }), database);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get pid(): number {
    return this.child.pid;
  }

  memory(collect = false): Promise<MemoryUse> {
    return this.child.ask({ type: 'memory', collect });
  }

  /** Writes a CPU profile of the process while something runs. */
  async profiled<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
    await this.child.ask({ type: 'profile-start' });
    try {
      return await work();
    } finally {
      await this.child.ask({ type: 'profile-stop', file });
    }
  }

  stop(): Promise<void> {
    return this.child.stop();
  }

  /** @param perSecond limit of the Twilio account; a tiny one keeps its messages waiting */
  async createTenant(name: string, perSecond = 100_000): Promise<BenchTenant> {
    const tenant = await this.call<{ client_id: string; api_key: string }>('POST', '/admin/tenants', ADMIN_KEY, {
      name,
    });
    const accountSid = `AC${randomBytes(16).toString('hex')}`;
    const authToken = randomBytes(16).toString('hex');
    const config = await this.call<{ id: string }>('POST', '/communication/twilio/configs/', tenant.api_key, {
      display_name: 'Twilio (simulated)',
      status: 'active',
      max_per_second: perSecond,
      // As for an account that was granted more than the usual 100: with them the window, not the machine, is the limit.
      max_concurrent: 250,
      credentials: { account_sid: accountSid, auth_token: authToken },
      from_number: '+15005550006',
    });
    await this.call('PUT', '/v1/gateways', tenant.api_key, {
      client_id: tenant.client_id,
      gateways: { sms: { primary: 'twilio' } },
    });
    return { clientId: tenant.client_id, apiKey: tenant.api_key, configId: config.id, accountSid, authToken };
  }

  /** The `data` of an answer. @throws Error for an answer that is no success */
  async call<Data>(method: 'GET' | 'POST' | 'PUT', path: string, key: string, body?: object): Promise<Data> {
    const response = await request(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return (JSON.parse(text) as { data: Data }).data;
  }
}
