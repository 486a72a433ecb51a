import { EventEmitter, once } from 'node:events';
import { fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { ChangeFeed } from '../../platform/database/change-feed';
import { silentLogger } from '../../kernel/logger';
import { SsrfGuard } from '../../platform/http-client/ssrf-guard';
import { ConfigDirectory } from '../configs/config-directory';
import type { ProviderConfig } from '../configs/provider-config';
import type { Gateway, GatewayContext } from '../contracts/gateway';
import { GatewayError } from '../contracts/gateway-error';
import { GatewayFactory } from '../gateway-factory';
import { GatewayHealth } from '../health/gateway-health';
import { SimulatorAddress } from '../simulator-address';
import { LaneOwnership } from './lane-ownership';
import { ReportOutlet } from './report-outlet';
import { SessionKeeper } from './session-keeper';
import { SessionLeases } from './session-leases';
import { SessionStates } from './session-states';

const client = 'acme_corp_1234567890123456';

/** What the provider sees of all processes: who is bound to which account, and how many at most at once. */
class Provider {
  readonly changes = new EventEmitter().setMaxListeners(0);
  readonly bound = new Map<string, Set<string>>();
  /** Which version of a config is bound. */
  readonly versions = new Map<string, number>();
  most = 0;
  refusal: GatewayError | undefined;
  probes = 0;

  bind(configId: string, process: string, version: number): void {
    const all = this.bound.get(configId) ?? new Set();
    this.bound.set(configId, all.add(process));
    this.versions.set(configId, version);
    this.most = Math.max(this.most, all.size);
    this.changes.emit('change');
  }

  unbind(configId: string, process: string): void {
    this.bound.get(configId)?.delete(process);
    this.changes.emit('change');
  }

  of(configId: string): string[] {
    return [...(this.bound.get(configId) ?? [])];
  }

  async until(fits: () => boolean): Promise<void> {
    while (!fits()) await once(this.changes, 'change');
  }
}

class FakeSessions implements Gateway {
  constructor(
    private readonly provider: Provider,
    private readonly process: string,
  ) {}
  validate = () => [];
  send = () => Promise.reject(new Error('not sent in this spec'));
  healthCheck = () => {
    this.provider.probes++;
    return Promise.resolve({ healthy: true });
  };
  async open(ctx: GatewayContext): Promise<void> {
    if (this.provider.refusal) throw this.provider.refusal;
    this.provider.bind(ctx.configId, this.process, ctx.configVersion);
  }
  async release(configId: string): Promise<void> {
    // Saying good-bye takes a moment.
    await new Promise((resolve) => setImmediate(resolve));
    this.provider.unbind(configId, this.process);
  }
}

describe('SessionKeeper', () => {
  let provider: Provider;
  let next = '';
  const acme = fakeProvider({
    session: { parse: () => [] },
    create: () => new FakeSessions(provider, next),
  });
  const plain = fakeProvider({ key: 'plain', slug: 'plain', aliases: [] });
  let stack: GatewayStack;
  const running: Array<{ keeper: SessionKeeper; feed: ChangeFeed }> = [];

  beforeAll(async () => {
    stack = await createGatewayStack({ definitions: [acme, plain] });
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    provider = new Provider();
  });
  afterEach(async () => {
    for (const { keeper } of running) await keeper.stop();
    for (const { feed } of running.splice(0)) await feed.onApplicationShutdown();
    await stack.database.query('DELETE FROM gateway_sessions');
    await stack.database.query(`UPDATE provider_configs SET status = 'decommissioned'`);
  });

  const make = (definition = acme): Promise<ProviderConfig> =>
    stack.configs.create(client, definition, {
      credentials: { account_id: 'AC1', api_key: 'secret-key' },
      from_number: '+15005550006',
      status: 'active',
    });

  /** One process, with everything of its own but the database. */
  const processNamed = (name: string, embedded = false) => {
    next = name;
    const { database, url, registry, secrets, calls, lifeCycle, clock } = stack;
    const feed = new ChangeFeed(url);
    feed.onModuleInit();
    const directory = new ConfigDirectory(database, registry, secrets, feed);
    const common = { http: { request: () => Promise.reject(new Error('no HTTP')) }, clock, guard: new SsrfGuard([]) };
    const gateways = new GatewayFactory(registry, common, {}, new SimulatorAddress(false));
    gateways.create('sms', 'acme');
    const leases = new SessionLeases(database);
    const ownership = new LaneOwnership(registry);
    const keeper = new SessionKeeper({
      leases,
      ownership,
      registry,
      directory,
      gateways,
      calls,
      lifeCycle,
      feed,
      logger: silentLogger,
      embedded,
    });
    running.push({ keeper, feed });
    const health = new GatewayHealth(gateways, calls, clock, new SessionStates(registry, ownership, leases));
    return { keeper, ownership, health, leases };
  };
  const lease = async (configId: string) =>
    (
      await stack.database.query<{ owner: string; state: string; left: number }>(
        'SELECT owner, state, extract(epoch FROM lease_until - now())::float8 AS left FROM gateway_sessions WHERE config_id = $1',
        [configId],
      )
    )[0];
  /** As if the time of a dead owner had passed. */
  const pass = (configId: string) =>
    stack.database.query(`UPDATE gateway_sessions SET lease_until = now() - interval '1 second' WHERE config_id = $1`, [
      configId,
    ]);

  it('opens a session once, however many processes there are, and only for providers that have sessions', async () => {
    const [config, other] = [await make(), await make(plain)];
    const processes = ['a', 'b', 'c'].map((name) => processNamed(name));
    await Promise.all(processes.map(({ keeper }) => keeper.start()));
    await provider.until(() => provider.of(config.id).length === 1);
    await Promise.all(processes.map(({ keeper }) => keeper.turn()));
    expect(provider.most).toBe(1);
    expect(provider.of(other.id)).toEqual([]);
    expect(processes.filter(({ ownership }) => ownership.mine(config.id))).toHaveLength(1);
    expect(processes.filter(({ ownership }) => ownership.mayEnter(config))).toHaveLength(1);
    expect(processes.every(({ ownership }) => ownership.mayEnter(other))).toBe(true);
    expect((await lease(config.id))!.left).toBeGreaterThan(10);
  });

  it('unbinds and hands over when its process stops', async () => {
    const config = await make();
    const [a, b] = [processNamed('a'), processNamed('b')];
    await a.keeper.start();
    await b.keeper.start();
    await provider.until(() => provider.of(config.id).length === 1);
    expect(provider.of(config.id)).toEqual(['a']);
    await a.keeper.stop();
    expect(a.ownership.mine(config.id)).toBe(false);
    expect(provider.of(config.id)).toEqual([]);
    await b.keeper.turn();
    await provider.until(() => provider.of(config.id)[0] === 'b');
    expect(provider.most).toBe(1);
  });

  it('takes what a dead process had once its lease is over, and not before', async () => {
    const config = await make();
    const [dead, heir] = [processNamed('dead'), processNamed('heir')];
    await dead.keeper.turn();
    await provider.until(() => provider.of(config.id).length === 1);
    // Its sockets die with it.
    provider.unbind(config.id, 'dead');
    await heir.keeper.turn();
    expect(heir.ownership.mine(config.id)).toBe(false);
    await pass(config.id);
    await heir.keeper.turn();
    await provider.until(() => provider.of(config.id)[0] === 'heir');
    expect(heir.ownership.mine(config.id)).toBe(true);
    // It was only frozen: it finds that another one has the session, and lets go.
    await dead.keeper.turn();
    expect(dead.ownership.mine(config.id)).toBe(false);
    expect((await lease(config.id))!.owner).toBe(heir.keeper.owner);
  });

  it('in the embedded default takes at its start what the process before it had', async () => {
    const config = await make();
    await processNamed('before').keeper.turn();
    await provider.until(() => provider.of(config.id).length === 1);
    provider.unbind(config.id, 'before');
    const { keeper, ownership } = processNamed('now', true);
    await keeper.turn();
    expect(ownership.mine(config.id)).toBe(true);
  });

  it('closes when the lease could not be renewed in time', async () => {
    const config = await make();
    const { keeper, ownership, leases } = processNamed('a');
    await keeper.start();
    await provider.until(() => provider.of(config.id).length === 1);
    const away = jest.spyOn(leases, 'take').mockRejectedValue(new Error('the database is away'));
    await expect(keeper.turn()).rejects.toThrow('away');
    // As if ten seconds had passed so.
    ownership.hold(config.id, performance.now() - 1);
    expect(ownership.mayEnter(config)).toBe(false);
    await provider.until(() => provider.of(config.id).length === 0);
    away.mockRestore();
    await provider.until(() => provider.of(config.id).length === 1);
    expect(provider.most).toBe(1);
  });

  it('opens when a config becomes active, anew when it changes, and closes when it is paused or ended', async () => {
    const { keeper } = processNamed('a');
    await keeper.start();
    const config = await make();
    await provider.until(() => provider.of(config.id).length === 1);
    await stack.configs.update(client, acme, config.id, { from_number: '+15005550007' });
    await provider.until(() => provider.versions.get(config.id) === 2);
    await stack.configs.act(client, acme, config.id, 'pause');
    await provider.until(() => provider.of(config.id).length === 0);
    await stack.configs.act(client, acme, config.id, 'resume');
    await provider.until(() => provider.of(config.id).length === 1);
    await stack.configs.act(client, acme, config.id, 'decommission');
    await provider.until(() => provider.of(config.id).length === 0);
    expect(provider.most).toBe(1);
  });

  it('puts a config whose account is refused into error; one that cannot be reached stays', async () => {
    const { keeper, ownership } = processNamed('a');
    const [bad, away] = [await make(), await make()];
    provider.refusal = new GatewayError({ class: 'transient', code: 'not_reached', message: 'away' });
    await keeper.start();
    await eventually(async () => (await lease(away.id))?.state === 'failed');
    expect((await stack.configs.get(client, acme, away.id)).status).toBe('active');
    provider.refusal = new GatewayError({ class: 'config', code: 'bad_credentials', message: 'wrong password' });
    await keeper.turn();
    await eventually(async () => (await stack.configs.get(client, acme, bad.id)).status === 'error');
    expect((await stack.configs.get(client, acme, bad.id)).lastError).toMatchObject({ code: 'bad_credentials' });
    await eventually(async () => !ownership.mine(bad.id));
  });

  it('lets other processes tell how a session is without a bind of their own', async () => {
    const config = await make();
    const [owner, other] = [processNamed('owner'), processNamed('other')];
    await owner.keeper.start();
    expect(await other.health.check(config)).toMatchObject({ healthy: true });
    expect(await owner.health.check(config)).toMatchObject({ healthy: true });
    provider.refusal = new GatewayError({ class: 'transient', code: 'not_reached', message: 'SMSC away' });
    await owner.keeper.turn();
    await eventually(async () => (await lease(config.id))?.state === 'failed');
    expect(await other.health.check(config)).toMatchObject({
      healthy: false,
      error: 'SMSC away',
      errorClass: 'transient',
    });
    expect(provider.probes).toBe(0);
    expect(provider.most).toBe(1);
    // Nobody holds the session of a config that is not active.
    await other.health.check({ ...config, status: 'draft' });
    expect(provider.probes).toBe(1);
  });

  it('takes reports only once somebody keeps them', async () => {
    const outlet = new ReportOutlet();
    const report = {
      clientId: client,
      configId: 'cfg_1',
      provider: 'acme',
      kind: 'events',
      raw: Buffer.alloc(0),
      events: [],
    } as const;
    await expect(outlet.deliver({ ...report, events: [] })).rejects.toThrow('nobody takes reports yet');
    const kept: unknown[] = [];
    outlet.connect({ deliver: async (one) => void kept.push(one) });
    await outlet.deliver({ ...report, events: [] });
    expect(kept).toEqual([report]);
  });

  async function eventually(fits: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + 10_000;
    while (!(await fits())) if (performance.now() > end) throw new Error('not in time');
  }
});
