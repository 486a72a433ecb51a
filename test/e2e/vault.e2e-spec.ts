import { assertStatus, freshNumber, logLines, Service, type Tenant } from '../support/e2e-service';
import { FakeVault } from '../support/fake-vault';

describe('a config whose secrets are in HashiCorp Vault', () => {
  let vault: FakeVault;
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    vault = await FakeVault.start();
    vault.tokens.set('s.e2e-token', ['acme/']);
    vault.secrets.set('acme/twilio', { auth_token: 'vault-auth-token' });
    vault.secrets.set('bell/twilio', { auth_token: 'bell-auth-token' });
    service = await Service.start({ VAULT_ADDR: vault.url, VAULT_TOKEN: 's.e2e-token' });
    for (const secret of ['s.e2e-token', 'vault-auth-token', 'bell-auth-token']) service.secrets.add(secret);
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
  }, 60_000);
  afterAll(async () => {
    await service?.stop();
    await vault?.close();
  });

  const make = (ref: string) =>
    tenant.api.post('/communication/twilio/configs', {
      display_name: 'Vault',
      credentials: { account_sid: `AC${'5'.repeat(32)}`, auth_token_ref: ref },
      from_number: '+15005550006',
      status: 'active',
    });

  it('is refused until the operator allows the reference, and then sends', async () => {
    const ref = 'vault:secret/data/acme/twilio#auth_token';
    const refused = await make(ref);
    expect([refused.status, refused.body.errors[0].code]).toEqual([400, 'reference_not_allowed']);
    expect(vault.requests).toEqual([]);
    assertStatus(
      await service.admin.patch(`/admin/tenants/${tenant.clientId}`, {
        allowed_secret_refs: ['vault:secret/data/acme/*', 'vault:secret/data/bell/*'],
      }),
      200,
    );
    const made = await make(ref);
    assertStatus(made, 201);
    expect(made.body.data.credentials.auth_token_ref).toBe(ref);
    const to = freshNumber();
    const sent = await tenant.api.post('/communication/twilio/sms', { to, body: 'x' });
    assertStatus(sent, 202);
    await tenant.until(sent.body.data.message_id, ({ status }) => status === 'sent');
    const { authorization } = service.twilio.sends(to)[0]!.headers;
    expect(Buffer.from(String(authorization).slice('Basic '.length), 'base64').toString()).toBe(
      `AC${'5'.repeat(32)}:vault-auth-token`,
    );
  });

  it('says what is wrong with a reference, and nothing of what is behind it', async () => {
    const cases: Array<[string, number, RegExp]> = [
      ['vault:secret/data/acme/missing#x', 400, /no such secret/],
      ['vault:secret/data/acme/twilio#missing', 400, /no such field/],
      ['vault:secret/data/bell/twilio#auth_token', 400, /policy/],
    ];
    for (const [ref, status, text] of cases) {
      const refused = await make(ref);
      expect([ref, refused.status, refused.body.errors[0].code]).toEqual([ref, status, 'unresolved_reference']);
      expect(refused.body.errors[0].message).toMatch(text);
    }
    vault.status = 503;
    const away = await make('vault:secret/data/acme/other#x');
    expect([away.status, away.headers['retry-after'], away.body.code]).toEqual([503, '1', 'internal']);
    vault.status = undefined;
  });

  it('never showed or logged a value or the token', () => {
    const shown = [...service.recorder.answers.map((answer) => JSON.stringify(answer)), ...logLines].join();
    for (const secret of ['s.e2e-token', 'vault-auth-token', 'bell-auth-token']) expect(shown).not.toContain(secret);
    expect(service.errorLines()).toEqual([]);
  });
});
