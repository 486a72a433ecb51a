import { ConfigurationError, readConfig } from './app-config';

const generated = { adminKey: 'x'.repeat(24), encryptionKeys: `k:${Buffer.alloc(32).toString('base64')}` };
const read = (env: Record<string, string>) => readConfig(env, generated);

describe('readConfig', () => {
  it('reads where secrets are kept, and who the service is there', () => {
    const config = read({
      VAULT_ADDR: 'https://vault.example:8200/',
      VAULT_TOKEN: 's.secret',
      VAULT_NAMESPACE: 'team/a',
      AZURE_KEYVAULT_URL: 'https://acme.vault.azure.net/',
      AZURE_TENANT_ID: 'tenant',
      AZURE_CLIENT_ID: 'client',
      AZURE_CLIENT_SECRET: 'password',
    });
    expect(config.vault).toMatchObject({ address: 'https://vault.example:8200', namespace: 'team/a' });
    expect(config.vault?.token?.reveal()).toBe('s.secret');
    expect(config.azureKeyVault).toMatchObject({ url: 'https://acme.vault.azure.net', tenantId: 'tenant' });
    expect(config.azureKeyVault?.clientSecret?.reveal()).toBe('password');
    expect(JSON.stringify(config)).not.toMatch(/s\.secret|password/);
  });

  it.each([
    ['https://um.example.com/', 'https://um.example.com'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['https://hööks.example.com/bäse//', 'https://xn--hks-snaa.example.com/b%C3%A4se'],
  ])('takes %s for where providers reach the service', (text, url) => {
    expect(read({ UNIMSG_PUBLIC_URL: text }).publicUrl).toBe(url);
  });

  it('reads neither when no address is set', () => {
    expect(read({ VAULT_TOKEN: 's.secret', AZURE_CLIENT_SECRET: 'password' })).toMatchObject({
      vault: undefined,
      azureKeyVault: undefined,
    });
  });

  it.each([
    ['VAULT_ADDR', { VAULT_ADDR: 'vault.example', VAULT_TOKEN: 'x' }],
    ['VAULT_TOKEN', { VAULT_ADDR: 'http://vault' }],
    ['VAULT_TOKEN', { VAULT_ADDR: 'http://vault', VAULT_TOKEN: 'a\nb' }],
    ['VAULT_TOKEN_FILE', { VAULT_ADDR: 'http://vault', VAULT_TOKEN: 'x', VAULT_TOKEN_FILE: '/run/token' }],
    ['AZURE_KEYVAULT_URL', { AZURE_KEYVAULT_URL: 'http://acme.vault.azure.net' }],
    ['AZURE_TENANT_ID', { AZURE_KEYVAULT_URL: 'https://a.vault.azure.net', AZURE_CLIENT_SECRET: 'x' }],
    [
      'AZURE_CLIENT_ID',
      { AZURE_KEYVAULT_URL: 'https://a.vault.azure.net', AZURE_CLIENT_SECRET: 'x', AZURE_TENANT_ID: 't' },
    ],
  ])('names %s when it is wrong or missing', (variable, env) => {
    expect(() => read(env as unknown as Record<string, string>)).toThrow(
      expect.objectContaining({ name: ConfigurationError.name, variable }),
    );
  });
});
