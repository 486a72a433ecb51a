import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildService, freePort, processesOf } from '../support/child-service';
import { ClientReceiver } from '../support/client-receiver';
import { FAKE_ACCOUNT, FAKE_TOKEN, FakeTwilio } from '../support/fake-twilio';
import { twilioCallback } from '../support/scripted-twilio';
import { ADMIN_KEY, call, createTenant } from '../support/send-load';
import { until } from '../support/until';

const NUMBERS = ['+46700000001', '+46700000002', '+46700000003'];
/** Most that a lane has under way at once. */
const WINDOW = 16;

/** A provider that hands messages over without a pause, each again until it is taken. */
class InboundLoad {
  /** Ids of messages that were taken, with what each says. */
  readonly taken = new Map<string, string>();
  private made = 0;
  private running = true;
  private readonly workers: Array<Promise<void>>;

  constructor(url: string) {
    this.workers = Array.from({ length: 6 }, () => this.work(url));
  }

  async more(count: number): Promise<void> {
    const wanted = this.taken.size + count;
    await until(`${wanted} are taken`, () => this.taken.size >= wanted);
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.workers);
  }

  private async work(url: string): Promise<void> {
    while (this.running) {
      const n = ++this.made;
      const sid = `SM${String(n).padStart(32, '0')}`;
      const text = `message ${n} + & = 👋`;
      const fields = {
        AccountSid: FAKE_ACCOUNT,
        MessageSid: sid,
        From: '+393331234567',
        To: NUMBERS[n % NUMBERS.length]!,
        Body: text,
        NumMedia: '0',
      };
      for (;;) {
        const status = await twilioCallback({ url, authToken: FAKE_TOKEN, fields }).then(
          (answer) => answer.status,
          () => 0,
        );
        if (status === 200) break;
        if (status !== 0 && status < 500) throw new Error(`refused with ${status}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      this.taken.set(sid, text);
    }
  }
}

describe('inbound messages', () => {
  let directory: string;
  let twilio: FakeTwilio;
  let client: ClientReceiver;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-inbound-'));
    // PostgreSQL may run as another user.
    chmodSync(directory, 0o755);
    twilio = await FakeTwilio.start();
    client = await ClientReceiver.start((response) => setTimeout(() => response.end('+OK'), 3));
  });
  afterEach(async () => {
    await ChildService.killAll();
    await Promise.all([twilio.close(), client.close()]);
    await until('PostgreSQL is gone', () => processesOf(directory).length === 0);
    rmSync(directory, { recursive: true, force: true });
  });

  it('are neither lost nor renumbered when the service is killed between receipt and delivery; what was under way comes twice with one id', async () => {
    const port = String(await freePort());
    const url = `http://127.0.0.1:${port}`;
    const environment = {
      UNIMSG_DATA_DIR: directory,
      PORT: port,
      UNIMSG_ADMIN_KEY: ADMIN_KEY,
      UNIMSG_PUBLIC_URL: url,
      UNIMSG_SIMULATOR: 'off',
      UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
      TWILIO_BASE_URL: twilio.url,
    };
    let service = await ChildService.start(environment);
    const key = await createTenant(url);
    const [config] = await call<Array<{ id: string }>>(url, key, 'GET', '/communication/twilio/configs/');
    for (const number of NUMBERS) {
      const delivery = [{ type: 'webhook', url: client.url, format: 'form' }];
      await call(url, key, 'POST', '/v1/numbers', { number, provider: 'twilio', delivery });
    }
    const load = new InboundLoad(`${url}/webhook/twilio/inbound/${config!.id}`);
    const kills = 2;
    for (let kill = 0; kill < kills; kill++) {
      await load.more(120);
      await client.waitFor(client.received.length + 20, 20_000);
      await service.kill();
      service = await ChildService.start(environment);
    }
    await load.more(40);
    await load.stop();
    const texts = () => new Set(client.received.map(({ body }) => new URLSearchParams(body).get('text')));
    await until('all are delivered', () => texts().size >= load.taken.size, 30_000);

    expect(texts()).toEqual(new Set(load.taken.values()));
    const ids = new Map<string, string>();
    const sequences = new Map<string, string>();
    let repeats = 0;
    for (const { headers, body } of client.received) {
      const form = new URLSearchParams(body);
      const id = String(headers['webhook-id']);
      const place = `${form.get('destination')} ${String(headers['x-unimsg-sequence'])}`;
      // One text has one id, and one place in its number's sequence.
      expect(ids.get(form.get('text')!) ?? id).toBe(id);
      expect(sequences.get(place) ?? id).toBe(id);
      if (ids.has(form.get('text')!)) repeats++;
      ids.set(form.get('text')!, id);
      sequences.set(place, id);
    }
    for (const number of NUMBERS) {
      const places = [...sequences.keys()].filter((place) => place.startsWith(`${number} `));
      const numbers = places.map((place) => Number(place.split(' ')[1])).sort((a, b) => a - b);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    }
    process.stdout.write(`inbound, killed ${kills} times: ${load.taken.size} taken, ${repeats} repeated\n`);
    expect(repeats).toBeLessThanOrEqual(kills * NUMBERS.length * WINDOW);
    expect(service.errors()).toEqual([]);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  }, 90_000);
});
