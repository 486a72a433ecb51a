import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeVault } from '../../../test/support/fake-vault';
import type { VaultSettings } from '../../config/app-config';
import { ManualClock } from '../../kernel/clock';
import { Secret } from '../../kernel/secret';
import { UndiciHttpClient } from '../../platform/http-client/undici-http-client';
import { SecretNotReadable, SecretSourceUnavailable } from './secret-sources';
import { VaultSecrets } from './vault-secrets';

const MINUTE = 60_000;

describe('VaultSecrets', () => {
  const http = new UndiciHttpClient();
  let vault: FakeVault;
  let clock: ManualClock;

  beforeEach(async () => {
    vault = await FakeVault.start();
    vault.tokens.set('s.ours', ['acme/', 'numbers']);
    vault.secrets.set('acme/twilio', { auth_token: 'tw-secret', value: 'plain', empty: '', nothing: null });
    clock = new ManualClock(Date.parse('2026-11-22T10:00:00Z'));
  });
  afterEach(() => vault.close());
  afterAll(() => http.close());

  const source = (settings: Partial<VaultSettings> = {}) =>
    new VaultSecrets({ address: vault.url, token: new Secret('s.ours'), ...settings }, http, clock);
  const read = async (reference: string, from = source()) => (await from.read(reference)).reveal();
  const failure = async (reference: string, from = source()): Promise<Error> => {
    const error: unknown = await from.read(reference).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SecretNotReadable);
    return error as Error;
  };

  it('reads the field that the reference names, with the token and the namespace', async () => {
    expect(await read('secret/data/acme/twilio#auth_token', source({ namespace: 'team-a' }))).toBe('tw-secret');
    expect(vault.requests).toEqual([{ path: '/v1/secret/data/acme/twilio', token: 's.ours', namespace: 'team-a' }]);
  });

  it('reads the field "value" when the reference names none, and JSON that is stored as such', async () => {
    vault.secrets.set('acme/google', { account: { type: 'service_account', port: 1 } });
    const one = source();
    expect(await read('secret/data/acme/twilio', one)).toBe('plain');
    expect(JSON.parse(await read('secret/data/acme/google#account', one))).toEqual({
      type: 'service_account',
      port: 1,
    });
  });

  it('sends characters of a path as they are written', async () => {
    vault.secrets.set('acme/a:b@c', { value: 'odd' });
    expect(await read('secret/data/acme/a:b@c')).toBe('odd');
  });

  it.each([
    ['', 'nothing'],
    ['secret/acme#x', 'no data'],
    ['data/acme#x', 'no mount'],
    ['secret/data#x', 'no path'],
    ['secret/data/#x', 'an empty part'],
    ['secret/data/../sys#x', 'a way out'],
    ['secret/data/a?version=1#x', 'a query'],
    ['secret/data/a b#x', 'a space'],
    ['secret/data/a#x#y', 'two fields'],
    ['secret/data/a#', 'an empty field'],
    ['/secret/data/a#x', 'a leading slash'],
  ])('refuses %j: %s', async (reference) => {
    const one = source();
    expect(one.check(reference)).toBe('must be vault:<mount>/data/<path>#<field>');
    await failure(reference, one);
    expect(vault.requests).toEqual([]);
  });

  it('reads nothing when the operator has set no Vault', async () => {
    const none = new VaultSecrets(undefined, http, clock);
    expect(none.check('secret/data/a#x')).toMatch(/VAULT_ADDR/);
    await failure('secret/data/a#x', none);
  });

  it.each([
    ['acme/missing#x', /no such secret/],
    ['acme/twilio#missing', /no such field/],
    ['acme/twilio#toString', /no such field/],
    ['acme/twilio#empty', /is empty/],
    ['acme/twilio#nothing', /is empty/],
    ['bell/twilio#x', /policy does not let/],
  ])('says what is wrong with %s, and that another try will not mend it', async (path, text) => {
    const error = await failure(`secret/data/${path}`);
    expect(error).not.toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toMatch(text);
  });

  it('says that a deleted secret is gone, and that version 1 is not read', async () => {
    vault.secrets.set('acme/gone', undefined);
    expect(await failure('secret/data/acme/gone#x')).not.toBeInstanceOf(SecretSourceUnavailable);
    vault.secrets.set('numbers', [1] as never);
    expect((await failure('secret/data/numbers#x')).message).toMatch(/no such field/);
  });

  it.each([429, 500, 502, 503, 472, 473, 307])('takes %i for a Vault that is away', async (status) => {
    vault.status = status;
    const error = await failure('secret/data/acme/twilio#auth_token');
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toContain(String(status));
  });

  it('takes a refusal of its own token for a Vault that is away: no tenant can mend it', async () => {
    const error = await failure('secret/data/acme/twilio#auth_token', source({ token: new Secret('s.ended') }));
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toMatch(/token/);
    expect(error.message).not.toContain('s.ended');
  });

  it('takes nobody at the address for a Vault that is away', async () => {
    await vault.close();
    const error = await failure('secret/data/acme/twilio#auth_token');
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toMatch(/connection_refused/);
    vault = await FakeVault.start();
  });

  it('waits some seconds for an answer, not for ever', async () => {
    vault.hangs = true;
    const error = await failure('secret/data/acme/twilio#auth_token');
    expect(error).toBeInstanceOf(SecretSourceUnavailable);
    expect(error.message).toMatch(/timeout/);
  });

  it('reads a token file anew for each call', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'unimsg-vault-'));
    try {
      const tokenFile = join(directory, 'token');
      const one = source({ token: undefined, tokenFile });
      expect((await failure('secret/data/acme/twilio', one)).message).toMatch(/VAULT_TOKEN_FILE/);
      writeFileSync(tokenFile, 's.ours\n');
      expect(await read('secret/data/acme/twilio', one)).toBe('plain');
      writeFileSync(tokenFile, 'two words');
      clock.advance(MINUTE);
      vault.secrets.set('acme/twilio', { value: 'new' });
      // What was read before bridges it.
      expect(await read('secret/data/acme/twilio', one)).toBe('plain');
      vault.tokens.set('s.next', ['acme/']);
      writeFileSync(tokenFile, 's.next');
      clock.advance(MINUTE);
      expect(await read('secret/data/acme/twilio', one)).toBe('new');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  describe('what was read', () => {
    const reference = 'secret/data/acme/twilio#auth_token';

    it('is shared by reads at the same time and shortly after, and read again then', async () => {
      const one = source();
      const other = 'secret/data/acme/twilio';
      const both = [read(reference, one), read(reference, one), read(other, one)];
      expect(await Promise.all(both)).toEqual(['tw-secret', 'tw-secret', 'plain']);
      clock.advance(9_000);
      await read(reference, one);
      expect(vault.requests).toHaveLength(1);
      vault.secrets.set('acme/twilio', { auth_token: 'rotated' });
      clock.advance(2_000);
      expect(await read(reference, one)).toBe('rotated');
    });

    it('bridges an outage for an hour and no longer', async () => {
      const one = source();
      await read(reference, one);
      vault.status = 503;
      clock.advance(59 * MINUTE);
      expect([await read(reference, one), await read(reference, one)]).toEqual(['tw-secret', 'tw-secret']);
      // Found away, it is left in peace for a moment.
      expect(vault.requests).toHaveLength(2);
      clock.advance(2 * MINUTE);
      expect(await failure(reference, one)).toBeInstanceOf(SecretSourceUnavailable);
      vault.status = undefined;
      expect(await read(reference, one)).toBe('tw-secret');
      expect(vault.requests).toHaveLength(4);
    });

    it('is not used any more once Vault says that it is gone or forbidden', async () => {
      const one = source();
      await read(reference, one);
      vault.tokens.set('s.ours', []);
      clock.advance(MINUTE);
      expect(await failure(reference, one)).not.toBeInstanceOf(SecretSourceUnavailable);
      vault.status = 503;
      expect(await failure(reference, one)).toBeInstanceOf(SecretSourceUnavailable);
    });
  });
});
