import { fakeProvider } from '../../../test/factories/fake-provider';
import { FakeVault } from '../../../test/support/fake-vault';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { ManualClock } from '../../kernel/clock';
import { Problem } from '../../kernel/problem';
import { Secret } from '../../kernel/secret';
import { UndiciHttpClient } from '../../platform/http-client/undici-http-client';
import { GatewayError } from '../contracts/gateway-error';
import { VaultSecrets } from './vault-secrets';

const acme = fakeProvider();
const client = 'acme_corp_1234567890123456';
const signal = new AbortController().signal;

describe('configs whose secrets are in a store over the network', () => {
  const http = new UndiciHttpClient();
  const clock = new ManualClock(0);
  let vault: FakeVault;
  let stack: GatewayStack;

  beforeAll(async () => {
    vault = await FakeVault.start();
    vault.tokens.set('s.ours', ['']);
    const settings = { address: vault.url, token: new Secret('s.ours') };
    stack = await createGatewayStack({
      definitions: [acme],
      allowedRefs: ['vault:secret/data/acme/*'],
      sources: [new VaultSecrets(settings, http, clock)],
    });
  });
  beforeEach(() => {
    vault.status = undefined;
    vault.secrets.set('acme/account', { id: 'AC1', key: 'first' });
  });
  afterAll(async () => {
    await stack.close();
    await vault.close();
    await http.close();
  });

  const make = (
    credentials: object = {
      account_id_ref: 'vault:secret/data/acme/account#id',
      api_key_ref: 'vault:secret/data/acme/account#key',
    },
    more = {},
  ) => stack.configs.create(client, acme, { credentials, from_number: '+15005550006', status: 'active', ...more });
  const refusal = async (call: Promise<unknown>): Promise<Problem> => {
    const thrown: unknown = await call.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(Problem);
    return thrown as Problem;
  };
  /** Nothing of a minute ago, or of an hour ago, is kept. */
  const forget = (configId: string, ms: number) => {
    stack.secrets.forget(configId);
    clock.advance(ms);
  };
  const key = async (config: Awaited<ReturnType<typeof make>>) =>
    (await stack.calls.contextFor(config, { signal })).credentials.api_key!.reveal();

  it('work, and notice a rotated secret', async () => {
    const config = await make();
    const session = async () => (await stack.calls.contextFor(config, { signal })).configVersion;
    expect([await key(config), await session()]).toEqual(['first', 1]);
    forget(config.id, 60_000);
    expect(await session()).toBe(1);
    vault.secrets.set('acme/account', { id: 'AC1', key: 'second' });
    forget(config.id, 60_000);
    expect(await key(config)).toBe('second');
    // What providers keep for the old secret is not used for the new one.
    const rotated = await session();
    expect(rotated).toBeGreaterThan(1);
    forget(config.id, 60_000);
    expect(await session()).toBe(rotated);
    const changed = await stack.configs.update(client, acme, config.id, { display_name: 'Changed' });
    expect((await stack.calls.contextFor(changed, { signal })).configVersion).toBe(2);
    expect(rotated).toBeLessThan(2);
    const found = await stack.directory.findForCallback('acme', { account: 'AC1' });
    expect(found.map((one) => one.config.id)).toContain(config.id);
  });

  it('name what the operator has allowed to the tenant, and nothing else', async () => {
    vault.secrets.set('bell/account', { key: 'theirs' });
    const before = vault.requests.length;
    for (const ref of [
      'vault:secret/data/bell/account#key',
      'vault:secret/data/acme/../bell/account#key',
      'vault:sys/x',
    ]) {
      const problem = await refusal(make({ account_id: 'AC1', api_key_ref: ref }));
      expect([problem.status, problem.options.errors?.map(({ code }) => code)]).toEqual([
        400,
        ['reference_not_allowed'],
      ]);
    }
    expect(vault.requests).toHaveLength(before);
  });

  it('are at fault when the store says that the secret is not there', async () => {
    const config = await make();
    vault.secrets.delete('acme/account');
    forget(config.id, 60_000);
    const error: unknown = await stack.calls.contextFor(config, { signal }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ class: 'config', code: 'credentials_unresolved' });
    expect((await refusal(make())).status).toBe(400);
  });

  it('are not at fault while the store is away: the message goes on, and comes back to them', async () => {
    const config = await make();
    vault.status = 503;
    forget(config.id, 60_000);
    expect(await key(config)).toBe('first');
    forget(config.id, 2 * 3_600_000);
    const error: unknown = await stack.calls.contextFor(config, { signal }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ class: 'transient', code: 'secret_store_unavailable' });
    expect((error as Error).message).not.toContain('first');
    expect(await stack.health.check(config)).toMatchObject({ healthy: false, errorClass: 'transient' });
    expect((await stack.directory.config(client, config.id))?.status).toBe('active');
    vault.status = undefined;
    expect(await key(config)).toBe('first');
  });

  it('are neither made nor activated while the store is away, and the same call works later', async () => {
    const draft = await make(undefined, { status: 'draft' });
    vault.status = 500;
    forget(draft.id, 2 * 3_600_000);
    const activate = () => stack.configs.act(client, acme, draft.id, 'activate');
    for (const call of [make(), make(undefined, { status: 'draft' }), activate()])
      expect((await refusal(call)).status).toBe(503);
    vault.status = undefined;
    expect((await activate()).status).toBe('active');
  });

  it('have their callbacks sent again while what proves them cannot be read', async () => {
    const config = await make();
    vault.status = 503;
    forget(config.id, 2 * 3_600_000);
    const problem = await refusal(stack.directory.findForCallback('acme', { configId: config.id }));
    expect([problem.status, problem.options.headers]).toEqual([503, { 'Retry-After': '1' }]);
  });
});
