import { ChildService, freePort } from '../support/child-service';
import { FakeTwilio } from '../support/fake-twilio';
import { ADMIN_KEY, call, createTenant } from '../support/send-load';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import { until } from '../support/until';

const LIMIT = 200;
const SENDS = 1_000;

interface Quota {
  used: number;
  remaining: number;
}

/** A quota, two processes of their own, and one of them dies. */
describe('a quota over processes', () => {
  let database: TestDatabase;
  let fake: FakeTwilio;

  beforeEach(async () => {
    [database, fake] = await Promise.all([createTestDatabase({ poolSize: 1 }), FakeTwilio.start()]);
  });
  afterEach(async () => {
    await ChildService.killAll();
    await fake.close();
    await database.drop();
  });

  const environment = (port: number): Record<string, string> => ({
    DATABASE_URL: database.url,
    HOST: '127.0.0.1',
    PORT: String(port),
    UNIMSG_ADMIN_KEY: ADMIN_KEY,
    UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    UNIMSG_SIMULATOR: 'off',
    UNIMSG_RATE_LIMIT: '0',
    UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
    TWILIO_BASE_URL: fake.url,
  });

  it('is exact while one of them is killed and comes back', async () => {
    const ports = [await freePort(), await freePort()];
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const processes = [
      await ChildService.start(environment(ports[0]!)),
      await ChildService.start(environment(ports[1]!)),
    ];
    const key = await createTenant(urls[0]!);
    const { client_id: clientId } = await call<{ client_id: string }>(urls[0]!, key, 'GET', '/v1/me');
    await call(urls[0]!, ADMIN_KEY, 'PATCH', `/admin/tenants/${clientId}`, { quotas: { daily: LIMIT } });
    await until(
      'the other process knows the quota',
      async () => (await call<Quota[]>(urls[1]!, key, 'GET', '/v1/quotas')).length === 1,
    );

    const accepted = new Map<string, string>();
    let refused = 0;
    /** Until there is an answer, to whichever process gives one. */
    const send = async (number: number): Promise<void> => {
      const body = { to: `+4670${1_000_000 + number}`, message: `quota ${number}`, idempotency_key: `quota ${number}` };
      for (let tries = number; ; tries++) {
        const answer = await fetch(`${urls[tries % 2]}/v1/sms/send`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }).catch(() => undefined);
        const text = await answer?.text().catch(() => undefined);
        if (answer?.status === 202 && text !== undefined) {
          accepted.set(body.idempotency_key, (JSON.parse(text) as { data: { message_id: string } }).data.message_id);
          return;
        }
        if (answer?.status === 429) {
          refused += 1;
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const numbers = Array.from({ length: SENDS }, (_, number) => number);
    const client = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) await send(number);
    };
    const load = Promise.all(Array.from({ length: 64 }, client));
    await until('some are accepted', () => accepted.size > LIMIT / 4);
    await processes[1]!.kill();
    processes[1] = await ChildService.start(environment(ports[1]!));
    await load;

    const counted = await database.database.query<{ stored: number; used: number; keys: number }>(
      `SELECT (SELECT count(*)::int FROM messages WHERE client_id = $1) AS stored,
              (SELECT count(*)::int FROM idempotency_keys WHERE client_id = $1) AS keys,
              (SELECT used::int FROM quota_usage WHERE client_id = $1) AS used`,
      [clientId],
    );
    expect(counted).toEqual([{ stored: LIMIT, used: LIMIT, keys: LIMIT }]);
    expect([new Set(accepted.values()).size, refused]).toEqual([LIMIT, SENDS - LIMIT]);
    for (const url of urls)
      expect(await call<Quota[]>(url, key, 'GET', '/v1/quotas')).toMatchObject([{ used: LIMIT, remaining: 0 }]);
    expect([...processes[0]!.errors(), ...processes[1].errors()]).toEqual([]);
  }, 90_000);
});
