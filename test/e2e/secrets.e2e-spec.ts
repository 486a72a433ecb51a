import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, logLines, Service } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

/** The only answers that may show a secret, and the field that does. */
const ONE_TIME: ReadonlyArray<[string, RegExp]> = [
  ['POST', /^\/admin\/tenants$/],
  ['POST', /^\/admin\/tenants\/[^/]+\/api-keys$/],
  ['POST', /^\/admin\/tenants\/[^/]+\/signing-secret\/rotate$/],
  ['POST', /^\/v1\/api-keys$/],
  ['POST', /^\/v1\/webhooks$/],
  ['POST', /^\/v1\/webhooks\/[^/]+\/rotate-secret$/],
];

describe('secrets', () => {
  let service: Service;
  const receivers: ClientReceiver[] = [];

  beforeAll(async () => {
    service = await Service.start();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(receivers.map((one) => one.close()));
    await service?.stop();
  });

  it('turn up in no log line, no answer but the one that makes them, no event and no row', async () => {
    const { secrets } = service;
    // A provider that repeats the credentials in its error, in an answer that UniMsg keeps and shows.
    const tenant = await service.tenant({
      vonage: { credentials: { api_key: 'abcd1234', api_secret: `vonage-${randomBytes(8).toString('hex')}` } },
    });
    const unsigned = await tenant.api.get(`/communication/vonage/configs/${tenant.vonage.id}`);
    assertStatus(unsigned, 200);
    const { authToken } = tenant.twilio;
    const told = freshNumber();
    service.twilio.on(told, answers(401, { code: 20003, message: `wrong token ${authToken} given`, status: 401 }));
    const failed = await tenant.until(await tenant.send(told), ({ status }) => status === 'sent');
    expect(failed.attempts[0].error_message).toContain('[secret]');
    await eventually(
      async () => (await tenant.api.get(`/communication/twilio/configs/${tenant.twilio.id}`)).body.data.status,
      (status) => status === 'active',
    );

    // Callbacks that are proved by a token in their URL, right and wrong.
    const receipt = service.vonage.taken(told)!;
    const token = new URL(receipt.callback).searchParams.get('token')!;
    expect(token.length).toBeGreaterThan(20);
    secrets.add(token);
    const fields = { msisdn: told.slice(1), to: 'Acme', messageId: receipt.id, status: 'delivered', 'err-code': '0' };
    const post = async (url: string, body: Record<string, string>) => {
      const answer = await request(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect(await post(receipt.callback.replace(token, 'x'.repeat(token.length)), fields)).toBe(401);
    expect(await post(receipt.callback, {})).toBe(200);
    expect(await post(receipt.callback, fields)).toBe(200);
    expect((await tenant.until(failed.message_id, ({ final }) => final)).status).toBe('delivered');

    // Callbacks of Twilio, forged and right.
    const to = freshNumber();
    await tenant.until(await tenant.send(to), ({ status }) => status === 'sent');
    const message = service.twilio.taken(to)!;
    const report = { url: message.statusCallback, fields: statusFields(message, 'delivered') };
    expect((await twilioCallback({ ...report, authToken: 'wrong' })).status).toBe(401);
    expect((await twilioCallback({ ...report, authToken })).status).toBe(200);

    // Endpoints of the client: good, failing, rotated, tested.
    const client = await ClientReceiver.start();
    const failing = await ClientReceiver.start((response, { headers }) =>
      response.writeHead(500).end(`you sent ${String(headers['webhook-signature'])}`),
    );
    receivers.push(client, failing);
    for (const { url } of [client, failing]) {
      const hook = await tenant.api.post('/v1/webhooks', { url, events: ['*'] });
      const rotated = await tenant.api.post(`/v1/webhooks/${hook.body.data.id}/rotate-secret`);
      for (const answer of [hook, rotated]) secrets.add(answer.body.data.secret).add(answer.body.data.secret.slice(6));
      await tenant.api.post(`/v1/webhooks/${hook.body.data.id}/test`);
      await tenant.api.get(`/v1/webhooks/${hook.body.data.id}/deliveries`);
    }
    const rotated = await service.admin.post(`/admin/tenants/${tenant.clientId}/signing-secret/rotate`);
    secrets.add(rotated.body.data.webhook_signing_secret);
    const lost = await service.admin.post(`/admin/tenants/${tenant.clientId}/api-keys`, {
      name: 'lost',
      scopes: ['messages:read'],
    });
    secrets.add(lost.body.data.api_key);
    await tenant.send(freshNumber());
    await client.waitFor(1);

    // Keys in wrong places, and secrets in bodies that are refused.
    for (const key of [tenant.apiKey, lost.body.data.api_key]) {
      await service.anonymous.with({ authorization: `Basic ${key}` }).get('/v1/me');
      await service.anonymous.with({ authorization: `Bearer ${key}x` }).get('/v1/me');
      await tenant.api.get(`/v1/messages?limit=${key}`);
      await tenant.api.get(`/v1/messages/${key}`);
      await tenant.api.post('/v1/sms/send', { to: key, message: 'x', reference: [key] });
      await tenant.api.call('POST', '/v1/sms/send', { raw: `{"to": ${key}` });
    }
    await tenant.api.post('/communication/twilio/configs', {
      credentials: { account_sid: authToken, auth_token: authToken },
    });
    await tenant.api.get('/v1/gateways/health');

    // A provider that is gone, whose calls carry secrets in URL and headers.
    await service.vonage.close();
    await tenant.api.post(`/communication/vonage/configs/${tenant.vonage.id}/test`);
    const dead = await tenant.send(freshNumber(), { provider: 'vonage' });
    await tenant.until(dead, ({ attempts }) => attempts.length > 0);
    await tenant.api.post(`/v1/messages/${failed.message_id}/refresh`);
    for (const path of [
      '/v1/events',
      '/v1/provider-events',
      '/v1/messages',
      '/v1/webhooks',
      '/v1/api-keys',
      '/v1/me',
      '/communication/vonage/configs',
    ])
      assertStatus(await tenant.api.get(`${path}${path === '/v1/me' ? '' : '?limit=200'}`), 200);
    assertStatus(await service.admin.get('/admin/tenants?limit=200'), 200);
    assertStatus(await service.anonymous.get('/metrics'), 200);

    const vonageConfig = await tenant.api.get(`/communication/vonage/configs/${tenant.vonage.id}`);
    expect(JSON.stringify(vonageConfig.body.data.callback_urls)).not.toContain('token=');

    const encoded = Array.from(secrets, (one) => [Buffer.from(one).toString('base64'), encodeURIComponent(one)]).flat();
    for (const one of encoded) secrets.add(one);
    secrets.add(Buffer.from(`${tenant.twilio.accountSid}:${authToken}`).toString('base64'));
    expect(secrets.size).toBeGreaterThan(25);
    expect(logLines.length).toBeGreaterThan(50);

    const leaks: string[] = [];
    const search = (where: string, text: string) => {
      for (const secret of secrets)
        if (text.includes(secret)) leaks.push(`${where}: ${secret.slice(0, 12)}… in ${text.slice(0, 300)}`);
    };
    for (const line of logLines) search('log', line);
    for (const { method, path, text, headers, status } of service.recorder.answers) {
      search(`headers of ${method} ${path}`, headers);
      if (status < 300 && ONE_TIME.some(([one, pattern]) => one === method && pattern.test(path))) continue;
      search(`${method} ${path}`, text);
    }
    for (const { body } of client.received) search('webhook', body);
    for (const [table, row] of await everyRow()) search(`table ${table}`, row);
    expect(leaks).toEqual([]);
  }, 40_000);

  async function everyRow(): Promise<Array<[string, string]>> {
    const { database } = service.database;
    const tables = await database.query<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
    );
    const rows: Array<[string, string]> = [];
    for (const { name } of tables) {
      const found = await database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
      rows.push(...found.map(({ row }): [string, string] => [name, row]));
    }
    expect(rows.length).toBeGreaterThan(30);
    return rows;
  }

  it('of one-time answers are shown in the field for it alone', async () => {
    const created = await service.admin.post('/admin/tenants', { name: 'Once' });
    const { api_key: key, webhook_signing_secret: signing, ...rest } = created.body.data as Record<string, Wire>;
    expect(JSON.stringify(rest)).not.toMatch(/um_|whsec_/);
    expect([key, signing]).toEqual([expect.stringMatching(/^um_.{32,}/), expect.stringMatching(/^whsec_.{24,}/)]);
    const read = await service.admin.get(`/admin/tenants/${created.body.data.client_id}`);
    expect(read.text).not.toMatch(/um_|whsec_/);
  });
});
