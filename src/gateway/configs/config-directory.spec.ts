import { fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { ChangeFeed } from '../../platform/database/change-feed';
import { GatewayCalls } from '../gateway-calls';
import { PublicUrl } from '../../config/public-url';
import { GatewayError } from '../contracts/gateway-error';
import { ConfigDirectory, GATEWAYS_CHANGED } from './config-directory';

const acme = fakeProvider();
const bell = fakeProvider({ key: 'bell', slug: 'bell', aliases: [] });
const client = 'acme_corp_1234567890123456';
const other = 'other_corp_1234567890123456';

describe('ConfigDirectory', () => {
  let stack: GatewayStack;

  beforeAll(async () => {
    stack = await createGatewayStack({
      definitions: [acme, bell],
      env: { ACME_KEY: 'env-key' },
      allowedRefs: ['env:*'],
    });
  });
  afterAll(() => stack.close());

  const make = (clientId = client, more: object = {}, definition = acme) =>
    stack.configs.create(clientId, definition, {
      credentials: { account_id: 'AC1', api_key: 'key', signing_key: 'sign' },
      from_number: '+15005550006',
      status: 'active',
      ...more,
    });

  it('shows a change of its own process at once', async () => {
    const config = await make();
    expect((await stack.directory.config(client, config.id))?.status).toBe('active');
    expect(stack.directory.snapshotSync(client)).toBeDefined();
    await stack.configs.act(client, acme, config.id, 'pause');
    expect(stack.directory.snapshotSync(client)).toBeUndefined();
    expect((await stack.directory.config(client, config.id))?.status).toBe('paused');
  });

  it("shows another process's change when it is told of it", async () => {
    const feed = new ChangeFeed(stack.url);
    const directory = new ConfigDirectory(stack.database, stack.registry, stack.secrets, feed);
    const connected = new Promise<void>((resolve) => feed.on(GATEWAYS_CHANGED, () => {}, resolve));
    feed.onModuleInit();
    await connected;
    try {
      const config = await make();
      expect((await directory.config(client, config.id))?.status).toBe('active');
      const told = new Promise<void>((resolve) =>
        feed.on(
          GATEWAYS_CHANGED,
          () => resolve(),
          () => {},
        ),
      );
      await stack.configs.act(client, acme, config.id, 'pause');
      await told;
      expect((await directory.config(client, config.id))?.status).toBe('paused');
    } finally {
      await feed.onApplicationShutdown();
    }
  });

  it('does not keep what it read before a change', async () => {
    const config = await make();
    stack.directory.forget(client);
    const early = stack.directory.snapshot(client);
    await stack.configs.act(client, acme, config.id, 'pause');
    await early;
    expect((await stack.directory.config(client, config.id))?.status).toBe('paused');
  });

  it('shows a tenant no config of another', async () => {
    const config = await make(other);
    expect(await stack.directory.config(client, config.id)).toBeUndefined();
  });

  it('keeps few of those that were decommissioned in its snapshot, and finds each by its id', async () => {
    const own = 'leaver_corp_123456789012';
    const first = await make(own);
    await stack.configs.act(own, acme, first.id, 'decommission');
    await stack.database.execute(
      `INSERT INTO provider_configs SELECT (jsonb_populate_record(c, jsonb_build_object('id', 'cfg_z' || lpad(n::text, 25, '0')))).*
       FROM provider_configs c, generate_series(1, 150) AS n WHERE c.id = $1`,
      [first.id],
    );
    const living = await make(own);
    const configs = [...(await stack.directory.snapshot(own)).allConfigs()];
    expect(configs).toHaveLength(101);
    expect(configs.map(({ id }) => id)).toContain(living.id);
    expect((await stack.directory.config(own, first.id))?.status).toBe('decommissioned');
    expect(await stack.directory.config(other, first.id)).toBeUndefined();
  });

  describe('for callbacks', () => {
    it('finds a config by its id, in any state, at the slug or an alias of its own provider', async () => {
      const config = await make();
      await stack.configs.act(client, acme, config.id, 'decommission');
      expect(stack.directory.findForCallbackSync('acme', config.id)).toBeUndefined();
      for (const slug of ['acme', 'acme-old']) {
        const [found] = await stack.directory.findForCallback(slug, { configId: config.id });
        expect(found?.config).toMatchObject({ id: config.id, clientId: client, status: 'decommissioned' });
        expect(found?.secrets.credentials.signing_key?.reveal()).toBe('sign');
        expect(found?.secrets.urlToken.reveal()).toMatch(/^[\w-]{32}$/);
        expect(stack.directory.findForCallbackSync(slug, config.id)?.config.id).toBe(config.id);
      }
      expect(await stack.directory.findForCallback('bell', { configId: config.id })).toEqual([]);
      expect(await stack.directory.findForCallback('nobody', { configId: config.id })).toEqual([]);
      expect(await stack.directory.findForCallback('acme', { configId: 'cfg_nobody' })).toEqual([]);
      expect(await stack.directory.findForCallback('acme', {})).toEqual([]);
    });

    it("finds every tenant's configs of an account, also one that was given by reference", async () => {
      const account = { credentials: { account_id: 'ACshared', api_key: 'key' } };
      const mine = await make(client, account);
      const theirs = await make(other, account);
      await make(other, account, bell);
      const found = await stack.directory.findForCallback('acme', { account: 'ACshared' });
      expect(found.map((one) => one.config.id)).toEqual([mine.id, theirs.id]);
      // Found and not found are both told of changes.
      expect(await stack.directory.findForCallback('acme', { account: 'env-key' })).toEqual([]);
      await stack.configs.update(client, acme, mine.id, { credentials: { account_id_ref: 'env:ACME_KEY' } });
      const moved = await stack.directory.findForCallback('acme', { account: 'env-key' });
      expect(moved.map((one) => one.config.id)).toEqual([mine.id]);
      const left = await stack.directory.findForCallback('acme', { account: 'ACshared' });
      expect(left.map((one) => one.config.id)).toEqual([theirs.id]);
    });

    it('leaves out a config whose secrets do not resolve', async () => {
      const config = await make(client, {
        credentials: { account_id: 'AC7', api_key_ref: 'env:GONE' },
        status: 'draft',
      });
      expect(await stack.directory.findForCallback('acme', { configId: config.id })).toEqual([]);
    });
  });

  describe('GatewayCalls', () => {
    const signal = new AbortController().signal;

    it('gives a call its credentials, settings and limits', async () => {
      const config = await make();
      expect(stack.calls.contextForSync(config, { signal })).toBeUndefined();
      const ctx = await stack.calls.contextFor(config, { signal, messageId: 'msg_1', attempt: 3 });
      expect(ctx).toMatchObject({
        clientId: client,
        configId: config.id,
        configVersion: 1,
        settings: { from_number: '+15005550006', quality: 'high' },
        timeoutMs: 10_000,
        attempt: 3,
        signal,
      });
      expect(ctx.credentials.api_key!.reveal()).toBe('key');
      expect(ctx.callbackUrl('status')).toBe(
        `https://unimsg.example/webhook/acme/status/${config.id}?message_id=msg_1`,
      );
      expect(ctx.callbackUrl('status', 'msg_2')).toContain('?message_id=msg_2');
      expect(stack.calls.contextForSync(config, { signal, timeoutMs: 5 })!.timeoutMs).toBe(5);
    });

    it('puts the token into the URL where callbacks are not signed, or cannot be', async () => {
      const signed = await make();
      const unsigned = await make(client, { credentials: { account_id: 'AC1', api_key: 'key' } });
      const token = async (config: typeof signed) => (await stack.secrets.open(config)).urlToken.reveal();
      const urls = async (config: typeof signed) => {
        const ctx = await stack.calls.contextFor(config, { signal });
        return [ctx.callbackUrl('status'), ctx.callbackUrl('inbound', 'msg_1')];
      };
      const at = 'https://unimsg.example/webhook/acme';
      expect(await urls(signed)).toEqual([
        `${at}/status/${signed.id}`,
        `${at}/inbound/${signed.id}?message_id=msg_1&token=${await token(signed)}`,
      ]);
      expect(await urls(unsigned)).toEqual([
        `${at}/status/${unsigned.id}?token=${await token(unsigned)}`,
        `${at}/inbound/${unsigned.id}?message_id=msg_1&token=${await token(unsigned)}`,
      ]);
      expect(await token(signed)).not.toBe(await token(unsigned));
    });

    it('uses the new secret of a changed config, and the old one for a call that began before', async () => {
      const before = await make();
      await stack.calls.contextFor(before, { signal });
      const after = await stack.configs.update(client, acme, before.id, { credentials: { api_key: 'rotated' } });
      const ctx = await stack.calls.contextFor(after, { signal });
      expect([ctx.configVersion, ctx.credentials.api_key!.reveal()]).toEqual([2, 'rotated']);
    });

    it('says that the config is at fault when a credential does not resolve', async () => {
      const config = await make(client, {
        credentials: { account_id: 'AC1', api_key_ref: 'env:GONE' },
        status: 'draft',
      });
      const error: unknown = await stack.calls.contextFor(config, { signal }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(GatewayError);
      expect(error).toMatchObject({ class: 'config', code: 'credentials_unresolved', scope: 'account' });
    });

    it('costs at most some microseconds a call', async () => {
      const config = await make();
      const calls = new GatewayCalls(stack.registry, stack.secrets, new PublicUrl('https://unimsg.example'));
      await calls.contextFor(config, { signal });
      const round = (): number => {
        const from = performance.now();
        for (let i = 0; i < 1000; i++)
          calls.contextForSync(config, { signal, messageId: 'msg_1' })!.callbackUrl('status');
        return performance.now() - from;
      };
      round();
      expect(Math.min(...Array.from({ length: 20 }, round))).toBeLessThan(5);
    });
  });
});
