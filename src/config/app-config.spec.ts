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

  it.each(['redis://localhost', 'redis://localhost/', 'redis://[::1]:6379/2', 'rediss://u:p@redis.example:6380/15'])(
    'takes the queue at %s',
    (text) => expect(read({ REDIS_URL: text }).redisUrl).toBe(text),
  );

  it.each(['redis://localhost/abc', 'redis://localhost/1/2', 'redis://localhost/-1', 'http://localhost'])(
    'refuses the queue at %s',
    (text) => expect(() => read({ REDIS_URL: text })).toThrow(/^REDIS_URL: must /),
  );

  it.each([
    ['smtp://mail.example.com', { host: 'mail.example.com', port: 587, tls: 'starttls' }],
    ['smtps://mail.example.com', { host: 'mail.example.com', port: 465, tls: 'implicit' }],
    ['smtp://mail.example.com:25/?tls=none', { host: 'mail.example.com', port: 25, tls: 'none' }],
    ['smtp://127.0.0.1:1025', { host: '127.0.0.1', port: 1025, tls: 'none' }],
    ['smtp://[::1]:25?tls=starttls', { host: '::1', port: 25, tls: 'starttls' }],
  ])('reads the mail server %s', (text, settings) => {
    expect(read({ UNIMSG_SMTP_URL: text }).smtp).toEqual(settings);
  });

  it('reads who signs in at the mail server, and shows no password', () => {
    const config = read({ UNIMSG_SMTP_URL: 'smtp://me%40acme.example:p%3Aw%2F%25@mail.example.com' });
    expect(config.smtp?.auth?.user).toBe('me@acme.example');
    expect(config.smtp?.auth?.password.reveal()).toBe('p:w/%');
    expect(JSON.stringify(config)).not.toContain('p:w');
  });

  it.each([
    'mail.example.com:25',
    'http://mail.example.com',
    'smtp://user@mail.example.com',
    'smtp://mail.example.com/inbox',
    'smtp://mail.example.com?tls=maybe',
    'smtp://mail.example.com?pool=5',
    'smtps://mail.example.com?tls=none',
    'smtp://a:%ff@mail.example.com',
  ])('names UNIMSG_SMTP_URL for %s', (text) => {
    expect(() => read({ UNIMSG_SMTP_URL: text })).toThrow(expect.objectContaining({ variable: 'UNIMSG_SMTP_URL' }));
  });

  it('has a domain to mail from, in ASCII', () => {
    expect(read({}).mailDomain).toBe('unimsg.localhost');
    expect(read({ UNIMSG_MAIL_DOMAIN: 'Müller.example' }).mailDomain).toBe('xn--mller-kva.example');
    for (const wrong of ['a@b.example', 'a b', 'a\r\nBcc: x', '<x>']) {
      expect(() => read({ UNIMSG_MAIL_DOMAIN: wrong })).toThrow(
        expect.objectContaining({ variable: 'UNIMSG_MAIL_DOMAIN' }),
      );
    }
  });
});
