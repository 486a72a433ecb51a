import { fakeAccount, fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { ConfigProber } from './config-prober';

const account = fakeAccount();
const acme = fakeProvider({}, account);
const client = 'acme_corp_1234567890123456';
const fault = { code: 'bad_credentials', message: 'Authenticate', providerCode: '20003' };

describe('ConfigLifeCycle', () => {
  let stack: GatewayStack;
  let prober: ConfigProber;

  beforeAll(async () => {
    stack = await createGatewayStack({ definitions: [acme] });
    const { database, directory, health, lifeCycle, subscriber, feed, clock, logger } = stack;
    prober = new ConfigProber({ database, directory, health, lifeCycle, subscriber, feed, clock, logger }, 30);
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    account.health = { healthy: true };
  });

  const make = () =>
    stack.configs.create(client, acme, {
      credentials: { account_id: 'AC1', api_key: 'secret-key' },
      from_number: '+15005550006',
      status: 'active',
    });
  const eventsOf = async (configId: string) => {
    const rows = await stack.database.query<{ type: string; data: object }>(
      `SELECT type, data FROM events WHERE data->>'config_id' = $1 ORDER BY tx, seq`,
      [configId],
    );
    return rows;
  };
  const types = async (configId: string) => (await eventsOf(configId)).map((event) => event.type);

  it('goes to error once, however many attempts report it, and tells so with the change', async () => {
    const config = await make();
    const told: string[] = [];
    const stop = stack.events.signal.onCommitted((clientIds) => told.push(...clientIds));
    const steps = await Promise.all(Array.from({ length: 20 }, () => stack.lifeCycle.markError(config.id, 1, fault)));
    stop();
    expect(steps.filter(Boolean)).toHaveLength(1);
    expect(told).toEqual([client]);
    expect(await stack.configs.get(client, acme, config.id)).toMatchObject({
      status: 'error',
      lastError: fault,
      version: 1,
    });
    const events = await eventsOf(config.id);
    expect(events.map((event) => event.type)).toEqual(['config.error', 'alert.raised']);
    expect(events[0]!.data).toEqual({
      config_id: config.id,
      gateway: 'acme',
      channel: 'sms',
      display_name: 'Acme',
      status: 'error',
      error: { code: 'bad_credentials', message: 'Authenticate', provider_code: '20003' },
    });
    expect(events[1]!.data).toMatchObject({ alert: 'config_error', subject: config.id, detail: 'Authenticate' });
  });

  it('recovers once, and keeps what the fault was', async () => {
    const config = await make();
    await stack.lifeCycle.markError(config.id, 1, fault);
    const steps = await Promise.all(Array.from({ length: 5 }, () => stack.lifeCycle.markRecovered(config.id, 1)));
    expect(steps.filter(Boolean)).toHaveLength(1);
    expect(await stack.configs.get(client, acme, config.id)).toMatchObject({
      status: 'active',
      lastError: fault,
      errorSince: null,
    });
    expect(await types(config.id)).toEqual(['config.error', 'alert.raised', 'config.recovered', 'alert.cleared']);
  });

  it('leaves a config alone whose credentials were changed meanwhile, and one that is not active', async () => {
    const config = await make();
    await stack.configs.update(client, acme, config.id, { credentials: { api_key: 'new-key' } });
    expect(await stack.lifeCycle.markError(config.id, 1, fault)).toBe(false);
    await stack.configs.act(client, acme, config.id, 'pause');
    expect(await stack.lifeCycle.markError(config.id, 2, fault)).toBe(false);
    expect(await stack.lifeCycle.markRecovered(config.id, 2)).toBe(false);
    expect(await stack.lifeCycle.markError('cfg_nobody', 1, fault)).toBe(false);
    expect((await stack.configs.get(client, acme, config.id)).status).toBe('paused');
    expect(await types(config.id)).toEqual([]);
  });

  it.each([
    ['activate', ['config.recovered', 'alert.cleared']],
    ['decommission', ['alert.cleared']],
  ] as const)('ends the alert when the tenant takes the step %s', async (action, expected) => {
    const config = await make();
    await stack.lifeCycle.markError(config.id, 1, fault);
    await stack.configs.act(client, acme, config.id, action);
    expect((await types(config.id)).slice(2)).toEqual(expected);
  });

  describe('prober', () => {
    beforeEach(() => stack.database.execute(`UPDATE provider_configs SET status = 'paused' WHERE status = 'error'`));

    const inError = async () => {
      const config = await make();
      await stack.lifeCycle.markError(config.id, 1, fault);
      return config;
    };
    const status = async (id: string) => (await stack.configs.get(client, acme, id)).status;

    it('asks after the probe time, not at once, and takes back those that work', async () => {
      const config = await inError();
      account.checks.length = 0;
      await prober.probe();
      expect(account.checks.map((check) => check.configId)).not.toContain(config.id);
      stack.clock.advance(30_000);
      account.health = { healthy: false, errorClass: 'config', error: 'refused' };
      await prober.probe();
      expect(account.checks.map((check) => check.configId)).toContain(config.id);
      expect(await status(config.id)).toBe('error');
      account.health = { healthy: false, errorClass: 'transient' };
      await prober.probe();
      expect(await status(config.id)).toBe('error');
      account.health = { healthy: true };
      expect(await prober.probe()).toBe(1);
      expect(await status(config.id)).toBe('active');
      expect(await prober.probe()).toBe(0);
    });

    it('asks a config that was changed at once, with its new credentials, but once', async () => {
      const config = await inError();
      await stack.configs.update(client, acme, config.id, { credentials: { api_key: 'repaired' } });
      account.checks.length = 0;
      account.health = { healthy: false, errorClass: 'config' };
      await prober.probe();
      await prober.probe();
      expect(account.checks.map((check) => check.credentials.api_key!.reveal())).toEqual(['repaired']);
      expect(await status(config.id)).toBe('error');
    });

    it('is woken by a change when it runs', async () => {
      stack.feed.onModuleInit();
      const config = await inError();
      prober.start();
      try {
        const recovered = new Promise<void>((resolve) => {
          const stop = stack.feed.on(
            'gateways',
            () =>
              void status(config.id).then((now) => {
                if (now !== 'active') return;
                stop();
                resolve();
              }),
            () => {},
          );
        });
        await stack.configs.update(client, acme, config.id, { credentials: { api_key: 'repaired' } });
        await recovered;
        expect(await types(config.id)).toContain('config.recovered');
      } finally {
        await prober.stop();
      }
    });
  });
});
