import { ChildService } from '../support/child-service';
import { freshNumber } from '../support/e2e-service';
import { ScriptedSmsc } from '../support/scripted-smsc';
import { ADMIN_KEY, call, createTenant } from '../support/send-load';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import { until } from '../support/until';

interface Message {
  status: string;
  possible_duplicate: boolean;
  attempts: Array<{ outcome: string; error_code?: string }>;
}

/** kill -9 for the process that holds an SMPP session. */
describe('the owner of an SMPP session dies', () => {
  let database: TestDatabase;
  let smsc: ScriptedSmsc;

  beforeAll(async () => {
    [database, smsc] = await Promise.all([createTestDatabase({ poolSize: 2 }), ScriptedSmsc.start()]);
  });
  afterAll(async () => {
    await ChildService.killAll();
    await smsc.close();
    await database.drop();
  });

  const start = async (): Promise<{ child: ChildService; url: string }> => {
    const child = await ChildService.start({
      DATABASE_URL: database.url,
      HOST: '127.0.0.1',
      PORT: '0',
      UNIMSG_ADMIN_KEY: ADMIN_KEY,
      UNIMSG_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
      UNIMSG_SIMULATOR: 'off',
      UNIMSG_RATE_LIMIT: '0',
      UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
      // Nobody is there: nothing goes by it.
      TWILIO_BASE_URL: 'http://127.0.0.1:9',
    });
    return { child, url: /"url":"([^"]+)"/.exec(child.stdout)![1]! };
  };

  it('and another one binds when the lease is over; what was in hand is of unknown fate, nothing is lost', async () => {
    const owner = await start();
    const key = await createTenant(owner.url);
    await call(owner.url, key, 'POST', '/communication/smpp/configs', {
      credentials: { system_id: 'acme', password: 'pa55word' },
      host: '127.0.0.1',
      port: smsc.port,
      source_addr: 'Acme',
      status: 'active',
    });
    await call(owner.url, key, 'PUT', '/v1/gateways', {
      gateways: { sms: { primary: 'smpp', reconcile_seconds: 1 } },
    });
    await smsc.until(() => smsc.bound.length === 1);
    const heir = await start();

    const send = async (url: string): Promise<string> => {
      const answer = await call<{ message_id: string }>(url, key, 'POST', '/v1/sms/send', {
        to: freshNumber(),
        message: 'hello',
      });
      return answer.message_id;
    };
    const message = async (id: string): Promise<Message> => call<Message>(heir.url, key, 'GET', `/v1/messages/${id}`);

    // The SMSC has it and does not answer.
    smsc.onSubmit = () => undefined;
    const inHand = await send(owner.url);
    await smsc.until(() => smsc.submits.length === 1);
    await owner.child.kill();
    await smsc.until(() => smsc.bound.length === 0);
    const killedAt = performance.now();
    smsc.onSubmit = undefined;
    const accepted = await send(heir.url);

    await smsc.until(() => smsc.bound.length === 1);
    const seconds = (performance.now() - killedAt) / 1000;
    // The lease is 15 seconds, renewed every 2; a turn every 2.
    expect(seconds).toBeGreaterThan(8);
    expect(seconds).toBeLessThan(30);
    expect(smsc.mostBound).toBe(1);
    await until('what was accepted meanwhile is sent', async () => (await message(accepted)).status === 'sent');
    await until('what was in hand is sent again', async () => (await message(inHand)).status === 'sent', 60_000);
    const sentAgain = await message(inHand);
    expect(sentAgain).toMatchObject({ possible_duplicate: true });
    expect(sentAgain.attempts.map(({ outcome }) => outcome)).toEqual(['unknown', 'accepted']);
    expect(smsc.mostBound).toBe(1);
    await heir.child.stop();
    await smsc.until(() => smsc.bound.length === 0);
  }, 120_000);
});
