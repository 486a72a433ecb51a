import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { eventually } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { statusFields, twilioCallback } from '../support/scripted-twilio';
import { recipientContext } from '../../src/privacy/erasure.row';
import { SecretBox } from '../../src/platform/secrets/secret-box';
import { KeysMissing } from '../../src/platform/secrets/resealer';
import { reseal, resealReport, SEALED } from '../../src/reseal';

const NEW_KEY = `k2:${randomBytes(32).toString('base64')}`;

describe('re-sealing', () => {
  let service: Service;
  let tenant: Tenant;
  let receiver: ClientReceiver;
  /** The old and the new one of the webhook: both sign for a day. */
  const secrets: string[] = [];
  let oldKey: string;

  beforeAll(async () => {
    oldKey = `k1:${randomBytes(32).toString('base64')}`;
    service = await Service.start({ UNIMSG_ENCRYPTION_KEYS: `${oldKey},${NEW_KEY}` });
    tenant = await service.tenant();
    receiver = await ClientReceiver.start();
    const made = await tenant.api.post('/v1/webhooks', { url: receiver.url, events: ['message.delivered'] });
    assertStatus(made, 201);
    const rotated = await tenant.api.post(`/v1/webhooks/${made.body.data.id}/rotate-secret`);
    assertStatus(rotated, 200);
    secrets.push(made.body.data.secret, rotated.body.data.secret);
    // It makes the key that erased people are known by.
    const erased = await tenant.api.post('/v1/privacy/erase', { recipient: '+393330009998' });
    expect([200, 202]).toContain(erased.status);
    // An erasure that another process is at.
    const id = 'era_01kaqz9yq8e5v6m3c2n1b0a9s8';
    const sealed = new SecretBox(oldKey).seal('+393330009999', recipientContext(id));
    await service.database.database.execute(
      `INSERT INTO erasures (id, client_id, recipient_hash, recipient, state, step, lease_until, created_at)
       VALUES ($1, $2, 'erased:x', $3, 'running', 'planned', now() + interval '1 hour', now())`,
      [id, tenant.clientId, sealed],
    );
  }, 60_000);
  afterAll(async () => {
    await receiver?.close();
    await service?.stop();
  });

  const environment = (keys: string) => ({
    DATABASE_URL: service.database.url,
    UNIMSG_ADMIN_KEY: 'x'.repeat(24),
    UNIMSG_ENCRYPTION_KEYS: keys,
  });
  const run = (keys: string) => reseal(environment(keys));

  /** Every value of every text column of the database that was sealed with a key, as `table.column`. */
  async function sealedWith(key: string): Promise<string[]> {
    const { database } = service.database;
    const columns = await database.query<{ table_name: string; column_name: string }>(
      `SELECT table_name, column_name FROM information_schema.columns
       WHERE table_schema = 'public' AND data_type IN ('text', 'jsonb', 'ARRAY') ORDER BY 1, 2`,
    );
    const found: string[] = [];
    for (const { table_name: table, column_name: column } of columns) {
      const [row] = await database.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM "${table}" WHERE "${column}"::text ~ 'v1\\.${key}\\.[A-Za-z0-9_-]{30,}'`,
      );
      if (row!.count > 0) found.push(...Array.from({ length: row!.count }, () => `${table}.${column}`));
    }
    return found;
  }

  it('says which keys are missing, and changes nothing', async () => {
    const before = await sealedWith('k1');
    expect(before.length).toBeGreaterThan(5);
    const error: unknown = await run(NEW_KEY).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KeysMissing);
    expect((error as Error).message).toMatch(
      /^UNIMSG_ENCRYPTION_KEYS: lacks keys .*"k1" \(\d+ of tenants\.webhook_signing_secret\)/,
    );
    expect((error as Error).message).not.toContain(NEW_KEY.slice(3));
    expect(await sealedWith('k1')).toEqual(before);
    await expect(run('nonsense')).rejects.toThrow('UNIMSG_ENCRYPTION_KEYS');
    await expect(
      reseal({ ...environment(NEW_KEY), DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }),
    ).rejects.toThrow(/^DATABASE_URL: the database cannot be reached/);
  });

  it('seals every value of every table with the first key while the service runs', async () => {
    const before = await sealedWith('k1');
    const sending = (async () => {
      for (let i = 0; i < 20; i++) await tenant.send(freshNumber());
    })();
    const result = await run(`${NEW_KEY},${oldKey}`);
    await sending;
    expect(result.key).toBe('k2');
    expect(result.columns.map(({ name }) => name)).toEqual(SEALED.map(({ table, column }) => `${table}.${column}`));
    expect(result.columns.reduce((sum, { resealed }) => sum + resealed, 0)).toBe(before.length);
    expect(result.columns.filter(({ resealed }) => resealed === 0).map(({ name }) => name)).toEqual([]);
    expect(await sealedWith('k1')).toEqual([]);
    expect((await sealedWith('k2')).sort()).toEqual(before.sort());
    expect(resealReport(result)).toEqual({
      failed: false,
      text: expect.stringMatching(/^Re-sealed \d+ values .*\n.*All are sealed with "k2"/s),
    });
  });

  it('has nothing to do a second time, and notes each run', async () => {
    const again = await run(`${NEW_KEY},${oldKey}`);
    expect(again.columns.map(({ resealed }) => resealed)).toEqual(SEALED.map(() => 0));
    const audit = await service.admin.get('/admin/audit?action=secrets.resealed');
    assertStatus(audit, 200);
    expect(audit.body.data).toHaveLength(2);
    expect(audit.body.data[1]).toMatchObject({
      client_id: null,
      actor: 'command',
      object: 'encryption key k2',
      request_id: null,
      detail: { 'webhook_endpoints.secret': 1, 'webhook_endpoints.previous_secret': 1 },
    });
    expect((await tenant.api.get('/v1/audit?action=secrets.resealed')).body.data).toEqual([]);
  });

  it('leaves secrets, signatures and tokens as they were, for a service without the old key', async () => {
    await service.restart({ UNIMSG_ENCRYPTION_KEYS: NEW_KEY });
    const to = freshNumber();
    const id = await tenant.send(to, { provider: 'twilio' });
    await tenant.until(id, ({ status }) => status === 'sent');
    const taken = service.twilio.taken(to)!;
    const url = taken.statusCallback;
    const { authToken } = tenant.twilio;
    const answer = await twilioCallback({ url, authToken, fields: statusFields(taken, 'delivered') });
    expect(answer.status).toBe(200);
    await tenant.until(id, ({ status }) => status === 'delivered');
    const delivery = await eventually(
      async () => receiver.received.find(({ body }) => body.includes(id)),
      (one) => one !== undefined,
    );
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(delivery!.body, delivery!.headers as Record<string, string>)).toMatchObject({
        event: 'message.delivered',
      });
    }
  });

  it('leaves alone what no key opens, and says where it is', async () => {
    const { database } = service.database;
    const [secret] = await database.query<{ id: string; sealed: string }>(
      'SELECT id, sealed FROM secrets ORDER BY id LIMIT 1',
    );
    const moved = secret!.sealed.replace('v1.k2.', 'v1.k1.');
    await database.execute('UPDATE secrets SET sealed = $1 WHERE id = $2', [moved, secret!.id]);
    const result = await run(`${NEW_KEY},${oldKey}`);
    expect(result.columns.find(({ name }) => name === 'secrets.sealed')).toMatchObject({
      resealed: 0,
      broken: [secret!.id],
    });
    const { text, failed } = resealReport(result);
    expect([failed, text.includes(`secrets.sealed of ${secret!.id}`)]).toEqual([true, true]);
    await database.execute('UPDATE secrets SET sealed = $1 WHERE id = $2', [secret!.sealed, secret!.id]);
  });
});
