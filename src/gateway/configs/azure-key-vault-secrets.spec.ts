import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { FakeKeyVault } from '../../../test/support/fake-key-vault';
import type { AzureKeyVaultSettings } from '../../config/app-config';
import { ManualClock } from '../../kernel/clock';
import { Secret } from '../../kernel/secret';
import { UndiciHttpClient } from '../../platform/http-client/undici-http-client';
import { AzureKeyVaultSecrets } from './azure-key-vault-secrets';
import { SecretNotReadable, SecretSourceUnavailable } from './secret-sources';

const OLD = '0123456789abcdef0123456789abcdef';
const NEW = 'fedcba9876543210fedcba9876543210';

describe('AzureKeyVaultSecrets', () => {
  const http = new UndiciHttpClient();
  let vault: FakeKeyVault;

  beforeEach(async () => {
    vault = await FakeKeyVault.start();
    vault.clients.set('our-app', 'app-password');
    vault.secrets.set('acme-twilio', [
      { version: OLD, value: 'old' },
      { version: NEW, value: 'tw-secret' },
    ]);
  });
  afterEach(() => vault.close());
  afterAll(() => http.close());

  const source = (settings: Partial<AzureKeyVaultSettings> = {}) =>
    new AzureKeyVaultSecrets(
      {
        url: FakeKeyVault.url,
        tenantId: FakeKeyVault.tenant,
        clientId: 'our-app',
        clientSecret: new Secret('app-password'),
        ...settings,
      },
      vault.divert(http),
      new ManualClock(0),
    );
  const read = async (reference: string, from = source()) => (await from.read(reference)).reveal();
  const failure = async (reference: string, from = source()): Promise<Error> => {
    const error: unknown = await from.read(reference).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SecretNotReadable);
    return error as Error;
  };

  it('answers the vault’s challenge by signing in, and reads the newest version', async () => {
    expect(await read('acme-twilio')).toBe('tw-secret');
    const steps = vault.requests.map(({ host, method, target }) => `${method} ${host}${target.split('?')[0]}`);
    expect(steps.at(0)).toMatch(/^GET acme\.vault\.azure\.net\/secrets\/acme-twilio/);
    expect(steps).toContain(`POST login.microsoftonline.com/${FakeKeyVault.tenant}/oauth2/v2.0/token`);
    expect(steps.at(-1)).toMatch(/^GET acme\.vault\.azure\.net\/secrets\/acme-twilio/);
    expect(vault.requests.at(0)!.token).toBeUndefined();
    expect(vault.requests.at(-1)!.token).toBe('token-1');
  });

  it('reads the version that the reference names, and signs in once for many reads', async () => {
    const one = source();
    expect([await read(`acme-twilio/${OLD}`, one), await read('acme-twilio', one)]).toEqual(['old', 'tw-secret']);
    expect(vault.requests.filter(({ target }) => target.includes('/oauth2/v2.0/token'))).toHaveLength(1);
  });

  it.each(['', 'a b', 'a/b', `acme/${OLD}/x`, '../keys/x', 'acme/', 'ä', `acme/${OLD.toUpperCase()}`])(
    'refuses %j without asking anyone',
    async (reference) => {
      expect(source().check(reference)).toMatch(/^must be azure-keyvault:<name>/);
      await failure(reference);
      expect(vault.requests).toEqual([]);
    },
  );

  it('reads nothing when the operator has set no key vault', async () => {
    const none = new AzureKeyVaultSecrets(undefined, http, new ManualClock(0));
    expect(none.check('acme-twilio')).toMatch(/AZURE_KEYVAULT_URL/);
    await failure('acme-twilio', none);
  });

  it('says what is wrong with the reference, and that another try will not mend it', async () => {
    vault.forbidden.add('bell');
    vault.secrets.set('empty', [{ version: NEW, value: '' }]);
    const texts: Array<[string, RegExp]> = [
      ['missing', /no such secret/],
      [`acme-twilio/${'0'.repeat(32)}`, /no such secret or version/],
      ['bell', /does not let/],
      ['empty', /is empty/],
    ];
    for (const [reference, text] of texts) {
      const error = await failure(reference);
      expect(error).not.toBeInstanceOf(SecretSourceUnavailable);
      expect(error.message).toMatch(text);
    }
  });

  it.each([429, 500, 503])('takes %i for a key vault that is away', async (status) => {
    vault.status = status;
    const error = await failure('acme-twilio');
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toContain(String(status));
  });

  it('takes nobody at the address for a key vault that is away, and reads again when it is back', async () => {
    const one = new AzureKeyVaultSecrets(
      {
        url: FakeKeyVault.url,
        tenantId: FakeKeyVault.tenant,
        clientId: 'our-app',
        clientSecret: new Secret('app-password'),
      },
      { request: (request) => vault.divert(http).request(request) },
      new ManualClock(0),
    );
    await vault.close();
    const error = await failure('acme-twilio', one);
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toMatch(/cannot be reached/);
    const again = await FakeKeyVault.start();
    for (const [name, versions] of vault.secrets) again.secrets.set(name, versions);
    again.clients.set('our-app', 'app-password');
    vault = again;
    expect(await read('acme-twilio', one)).toBe('tw-secret');
  });

  it('takes a sign-in that is refused for a key vault that is away, and shows nothing of it', async () => {
    const error = await failure('acme-twilio', source({ clientSecret: new Secret('wrong-password') }));
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toBe('Azure does not sign the service in (invalid_client)');
    expect(inspect(error, { depth: 10 })).not.toContain('wrong-password');
  });

  it('signs in by the token that a cluster mounts for the workload', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'unimsg-azure-'));
    try {
      const federatedTokenFile = join(directory, 'token');
      writeFileSync(federatedTokenFile, 'cluster-token');
      vault.clients.set('workload', 'cluster-token');
      expect(
        await read('acme-twilio', source({ clientId: 'workload', clientSecret: undefined, federatedTokenFile })),
      ).toBe('tw-secret');
      const [signIn] = vault.requests.filter(({ target }) => target.includes('/oauth2/v2.0/token'));
      expect(new URLSearchParams(signIn!.body).get('client_assertion')).toBe('cluster-token');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  // Both at one stand-in: Azure's library keeps the way to the machine's endpoint for the life of the process.
  it('signs in as the identity of its machine, or as a further one', async () => {
    for (const [clientId, known] of [
      [undefined, 'machine'],
      ['further', 'further'],
    ] as const) {
      vault.clients.set(known, '');
      const one = source({ tenantId: undefined, clientId, clientSecret: undefined });
      expect(await read('acme-twilio', one)).toBe('tw-secret');
    }
    const asked = vault.requests.filter(({ host }) => host === '169.254.169.254').map(({ target }) => target);
    expect(asked.at(-1)).toContain('client_id=further');
  });
});
