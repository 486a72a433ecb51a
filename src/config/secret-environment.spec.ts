import { ENVIRONMENT } from './app-config';
import { SecretEnvironment } from './secret-environment';

describe('SecretEnvironment', () => {
  it('reads a variable that is set', () => {
    const environment = new SecretEnvironment({ ACME_KEY: 'value', EMPTY: '' });
    expect(environment.read('ACME_KEY')).toBe('value');
    expect(environment.read('EMPTY')).toBeUndefined();
    expect(environment.read('MISSING')).toBeUndefined();
    expect(environment.read('constructor')).toBeUndefined();
  });

  it.each([
    ...Object.keys(ENVIRONMENT.shape),
    'UNIMSG_ANYTHING',
    'unimsg_admin_key',
    'PGPASSWORD',
    'VAULT_CACERT',
    'AZURE_CLIENT_CERTIFICATE_PATH',
    'NODE_OPTIONS',
    'A B',
    '../A',
    '',
  ])('never gives out %j', (name) => {
    const environment = new SecretEnvironment({ [name]: 'value' });
    expect(environment.isReadable(name)).toBe(false);
    expect(environment.read(name)).toBeUndefined();
  });
});
