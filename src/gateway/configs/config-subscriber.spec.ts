import { fakeAccount, fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import type { GatewayContext } from '../contracts/gateway';
import { GatewayError } from '../contracts/gateway-error';
import { ConfigPresenter, type ConfigPresenterDeps } from './config.presenter';
import { ConfigProber } from './config-prober';

const client = 'acme_corp_1234567890123456';

describe('ConfigSubscriber', () => {
  const account = fakeAccount();
  const plain = fakeProvider({ key: 'plain', slug: 'plain', aliases: [] });
  const base = fakeProvider({}, account);
  const told: GatewayContext[] = [];
  let refusal: GatewayError | undefined;
  const acme = fakeProvider(
    {
      create: (deps) =>
        Object.assign(base.create(deps), {
          subscribe: async (ctx: GatewayContext): Promise<void> => {
            told.push(ctx);
            if (refusal) throw refusal;
          },
        }),
    },
    account,
  );
  const bad = new GatewayError({
    class: 'config',
    code: 'callback_unreachable',
    message: 'Acme: the URL is not accepted',
    providerCode: '400',
    providerText: 'Bad Request: bad webhook',
  });
  const away = new GatewayError({ class: 'transient', code: 'not_reached', message: 'Acme could not be asked' });
  const body = (more: object = {}) => ({
    credentials: { account_id: 'AC1', api_key: 'first-key' },
    from_number: '+15005550006',
    ...more,
  });
  let stack: GatewayStack;

  beforeAll(async () => {
    stack = await createGatewayStack({ definitions: [acme, plain] });
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    told.length = 0;
    refusal = undefined;
    account.health = { healthy: true };
  });
  afterEach(() => stack.database.execute(`UPDATE provider_configs SET status = 'decommissioned'`));

  const create = (more: object = {}) => stack.configs.create(client, acme, body(more));
  const prober = () => {
    const { database, directory, health, lifeCycle, subscriber, feed, clock, logger } = stack;
    return new ConfigProber({ database, directory, health, lifeCycle, subscriber, feed, clock, logger }, 1);
  };

  it('tells the provider when a config is made active, activated or resumed', async () => {
    const draft = await create();
    expect(told).toHaveLength(0);
    await stack.configs.act(client, acme, draft.id, 'activate');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ configId: draft.id, clientId: client });
    expect(told[0]!.callbackUrl('status')).toMatch(
      new RegExp(`^https://unimsg.example/webhook/acme/status/${draft.id}`),
    );
    expect(told[0]!.callbackToken.reveal()).toMatch(/^[A-Za-z0-9_-]{32}$/);
    await stack.configs.act(client, acme, draft.id, 'pause');
    expect(told).toHaveLength(1);
    await stack.configs.act(client, acme, draft.id, 'resume');
    expect(told).toHaveLength(2);
    await create({ status: 'active' });
    expect(told).toHaveLength(3);
    expect(told[2]!.callbackToken.reveal()).not.toBe(told[0]!.callbackToken.reveal());
  });

  it('tells it again when the credentials change, and at no other change', async () => {
    const { id } = await create({ status: 'active' });
    await stack.configs.update(client, acme, id, { display_name: 'Renamed' });
    expect(told).toHaveLength(1);
    await stack.configs.update(client, acme, id, { credentials: { api_key: 'second-key' } });
    expect(told.map(({ credentials }) => credentials.api_key!.reveal())).toEqual(['first-key', 'second-key']);
  });

  it('asks nothing of a provider that wants none', async () => {
    const config = await stack.configs.create(client, plain, body({ status: 'active' }));
    expect([config.status, told.length]).toEqual(['active', 0]);
  });

  it('leaves a config whose provider is away as it is, and tells it in a later turn', async () => {
    refusal = away;
    const config = await create({ status: 'active' });
    expect(config).toMatchObject({ status: 'active', lastError: null });
    refusal = undefined;
    await stack.subscriber.catchUp();
    await stack.subscriber.catchUp();
    expect(told.map(({ configId }) => configId)).toEqual([config.id, config.id]);
    expect(await stack.directory.config(client, config.id)).toMatchObject({ status: 'active' });
  });

  it('keeps a config whose provider refuses, in error, until it could be told', async () => {
    const lastError = { code: 'callback_unreachable', message: 'Bad Request: bad webhook', providerCode: '400' };
    refusal = bad;
    const config = await create({ status: 'active' });
    expect(config).toMatchObject({ status: 'error', lastError });
    expect(await stack.directory.config(client, config.id)).toMatchObject({ status: 'error', lastError });
    stack.clock.advance(60_000);
    // The account works, but that is not enough.
    await expect(prober().probe()).resolves.toBe(0);
    const presenter = new ConfigPresenter({
      ...stack,
      usage: undefined!,
      tenants: undefined!,
      publicUrl: undefined!,
    } as ConfigPresenterDeps);
    await expect(presenter.test((await stack.directory.config(client, config.id))!)).resolves.toMatchObject({
      healthy: false,
      error: lastError.message,
      status: 'error',
    });
    refusal = undefined;
    stack.clock.advance(60_000);
    await expect(prober().probe()).resolves.toBe(1);
    expect(await stack.directory.config(client, config.id)).toMatchObject({ status: 'active' });
    const events = await stack.database.query<{ type: string }>(
      `SELECT type FROM events WHERE data->>'config_id' = $1 ORDER BY seq`,
      [config.id],
    );
    expect(events.map(({ type }) => type)).toEqual([
      'config.error',
      'alert.raised',
      'config.recovered',
      'alert.cleared',
    ]);
  });

  it('puts a config whose new credentials are refused into error', async () => {
    const { id } = await create({ status: 'active' });
    refusal = bad;
    const changed = await stack.configs.update(client, acme, id, { credentials: { api_key: 'wrong-key' } });
    expect(changed).toMatchObject({ id, status: 'error', lastError: { code: 'callback_unreachable' } });
    const again = await stack.configs.act(client, acme, id, 'activate');
    expect(again).toMatchObject({ status: 'error' });
  });

  it('tells each active config once after a start, and what failed for a while again', async () => {
    const one = await create({ status: 'active' });
    const two = await create({ status: 'active' });
    const draft = await create();
    const { database, registry, directory, gateways, calls, lifeCycle, logger } = stack;
    const started = new (stack.subscriber.constructor as new (deps: object) => typeof stack.subscriber)({
      database,
      registry,
      directory,
      gateways,
      calls,
      lifeCycle,
      logger,
    });
    told.length = 0;
    refusal = away;
    await started.catchUp();
    expect(told.map(({ configId }) => configId).sort()).toEqual([one.id, two.id]);
    expect(await directory.config(client, one.id)).toMatchObject({ status: 'active' });
    refusal = undefined;
    await started.catchUp();
    await started.catchUp();
    expect(told).toHaveLength(4);
    expect(told.map(({ configId }) => configId)).not.toContain(draft.id);
    await stack.configs.update(client, acme, one.id, { display_name: 'x' });
    refusal = bad;
    await started.catchUp();
    expect(await directory.config(client, one.id)).toMatchObject({ status: 'error' });
    expect(await directory.config(client, two.id)).toMatchObject({ status: 'active' });
  });
});
