import { chmodSync, mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildService, freePort, processesOf } from '../support/child-service';
import { FakeTwilio } from '../support/fake-twilio';
import { ADMIN_KEY, createTenant, SendLoad, sentLongBefore, settle } from '../support/send-load';
import { until } from '../support/until';

/** The embedded default as real processes: one data directory, PostgreSQL under the service. */
describe('the embedded default', () => {
  let directory: string;
  let fake: FakeTwilio;
  let port: number;
  let url: string;

  const environment = (more: Record<string, string> = {}): Record<string, string> => ({
    UNIMSG_DATA_DIR: directory,
    PORT: String(port),
    UNIMSG_ADMIN_KEY: ADMIN_KEY,
    UNIMSG_SIMULATOR: 'off',
    UNIMSG_RATE_LIMIT: '0',
    TWILIO_BASE_URL: fake.url,
    ...more,
  });

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-crash-'));
    // PostgreSQL may run as another user.
    chmodSync(directory, 0o755);
    fake = await FakeTwilio.start();
    port = await freePort();
    url = `http://127.0.0.1:${port}`;
  });

  afterEach(async () => {
    await ChildService.killAll();
    await fake.close();
    await until('PostgreSQL is gone', () => processesOf(directory).length === 0);
    rmSync(directory, { recursive: true, force: true });
  });

  it('loses nothing when it is killed three times under load, and says what it may have sent twice', async () => {
    // The worst case: what the provider took can be found out from nobody.
    fake.lists = false;
    let service = await ChildService.start(environment());
    const key = await createTenant(url);
    const load = new SendLoad(url, key, { tag: 'embedded' });
    const restarts: number[] = [];
    const kills: number[] = [];
    while (kills.length < 3) {
      await load.more(150);
      kills.push(Date.now());
      await service.kill();
      const startedAt = performance.now();
      // At once, while the old PostgreSQL is still ending.
      service = await ChildService.start(environment());
      restarts.push(Math.round(performance.now() - startedAt));
    }
    await load.more(50);
    await load.stop();
    const account = await settle(url, key, load, fake);
    process.stdout.write(`killed thrice, embedded: ${JSON.stringify({ ...account, restarts })}\n`);
    expect(account).toMatchObject({ lost: [], unseen: [], strange: [], unflagged: [] });
    // Only what was in flight at a kill.
    expect(account.flagged).toBeLessThan(account.accepted / 4);
    expect(sentLongBefore(kills, fake)).toEqual([]);
    expect(account.doubled).toBeGreaterThan(0);
    expect(service.errors()).toEqual([]);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  }, 60_000);

  it('ends with its PostgreSQL, also when it is killed', async () => {
    const service = await ChildService.start(environment());
    expect(processesOf(directory).length).toBeGreaterThan(0);
    await service.kill();
    await until('PostgreSQL is gone', () => processesOf(directory).length === 0);
    const again = await ChildService.start(environment());
    expect(await again.stop()).toEqual({ code: 0, signal: null });
    expect(processesOf(directory)).toEqual([]);
  });

  it('answers every request under way when it is told to end', async () => {
    fake.latencyMs = 100;
    const service = await ChildService.start(environment());
    const key = await createTenant(url);
    const load = new SendLoad(url, key, { tag: 'stop' });
    await load.more(100);
    const waiting = fetch(`${url}/v1/sms/send`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: 'wait=20' },
      body: JSON.stringify({ to: '+46709999999', message: 'wait for me' }),
    });
    await until('the provider has it', () => fake.counts().has('wait for me'));
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    const answered = await waiting;
    expect(answered.status).toBe(200);
    expect(await answered.json()).toMatchObject({ data: { status: 'sent', attempts: [{ outcome: 'accepted' }] } });
    expect(processesOf(directory)).toEqual([]);
    expect(service.errors()).toEqual([]);
    const again = await ChildService.start(environment());
    await load.stop();
    const account = await settle(url, key, load, fake);
    // Nothing was cut, so nothing is in doubt.
    expect(account).toMatchObject({ lost: [], unseen: [], doubled: 0, flagged: 0 });
    await again.stop();
  }, 60_000);

  it('starts its PostgreSQL again when that ends by itself', async () => {
    const service = await ChildService.start(environment());
    const key = await createTenant(url);
    const load = new SendLoad(url, key, { tag: 'server' });
    await load.more(50);
    const pidFile = join(directory, 'postgres', 'postmaster.pid');
    process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGKILL');
    await until('sends are refused', () => load.refusals.length > 0);
    await load.more(50);
    await load.stop();
    expect(await settle(url, key, load, fake)).toMatchObject({ lost: [], unseen: [], unflagged: [] });
    expect(service.exit).toBeUndefined();
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(processesOf(directory)).toEqual([]);
  }, 60_000);

  describe('refuses to start, in one line', () => {
    const refusal = async (service: ChildService): Promise<string> => {
      expect(await service.exited).toEqual({ code: 1, signal: null });
      expect(service.stdout).toBe('');
      expect(service.stderr.trim().split('\n')).toHaveLength(1);
      return service.stderr.trim();
    };

    it('on a data directory that is in use', async () => {
      const first = await ChildService.start(environment());
      const line = await refusal(ChildService.launch(environment({ PORT: String(await freePort()) })));
      expect(line).toBe(
        `unimsg: ${directory} is in use by another UniMsg (process ${first.pid}). Stop it, or set UNIMSG_DATA_DIR to another directory.`,
      );
      const live = await fetch(`${url}/health/ready`);
      expect(live.status).toBe(200);
      await first.stop();
    });

    it('on a port that is taken, and leaves no PostgreSQL behind', async () => {
      const other = createServer().listen(port, '127.0.0.1');
      await once(other, 'listening');
      try {
        const line = await refusal(ChildService.launch(environment()));
        expect(line).toMatch(new RegExp(`^unimsg: PORT: ${port} on 127\\.0\\.0\\.1 is in use by another program\\.`));
        expect(processesOf(directory)).toEqual([]);
      } finally {
        other.close();
      }
    });

    it.each([
      [
        'HOST',
        'no.such.host.invalid',
        /^unimsg: HOST: no\.such\.host\.invalid is no address of this machine \(\w+\)\.$/,
      ],
      ['HOST', '192.0.2.1', /^unimsg: HOST: 192\.0\.2\.1 is no address of this machine \(EADDRNOTAVAIL\)\.$/],
      ['UNIMSG_SECRETS_DIR', '/nowhere/secrets', /^unimsg: UNIMSG_SECRETS_DIR: \/nowhere\/secrets is no directory\.$/],
    ])('on %s=%s', async (name, value, text) => {
      expect(await refusal(ChildService.launch(environment({ [name]: value })))).toMatch(text);
      expect(processesOf(directory)).toEqual([]);
    });

    it('on a data directory that it may not write to', async () => {
      const closed = join(directory, 'closed');
      mkdirSync(closed, { mode: 0o555 });
      const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
      const line = await refusal(ChildService.launch(environment({ UNIMSG_DATA_DIR: closed }), nobody));
      expect(line).toBe(`unimsg: UNIMSG_DATA_DIR: ${closed} cannot be used: this user may not write there (EACCES).`);
    });
  });
});
