import PostalMime from 'postal-mime';
import { assertStatus, logLines, Service, type Tenant } from '../support/e2e-service';
import { close, ScriptedSmtp } from '../support/scripted-smtp';

interface Account {
  id: string;
  username: string;
  password: string;
}

describe('email over a mail server', () => {
  let service: Service;
  let tenant: Tenant;
  let server: ScriptedSmtp;
  let account: Account;
  let accounts = 0;

  const addAccount = async (to: { port: number }, owner = tenant, more: object = {}): Promise<Account> => {
    const [username, password] = [`user-${++accounts}`, `secret-of-${accounts}-8841`];
    service.secrets.add(password);
    const config = await owner.api.post('/communication/smtp/configs', {
      display_name: 'Mail',
      status: 'active',
      credentials: { username, password },
      host: '127.0.0.1',
      port: to.port,
      tls: 'none',
      from_email: 'shop@example.com',
      from_name: 'Example Shop',
      ...more,
    });
    assertStatus(config, 201);
    return { id: config.body.data.id, username, password };
  };
  const route = async (owner: Tenant, ...ids: string[]): Promise<void> => {
    const [primary, ...fallback] = ids;
    const put = await owner.api.put('/v1/gateways', { gateways: { email: { primary, fallback } } });
    assertStatus(put, 200);
  };
  const send = async (body: object, owner = tenant): Promise<string> => {
    const sent = await owner.api.post('/v1/email/send', { to: 'jane@example.net', subject: 'Hello', ...body });
    assertStatus(sent, 202);
    return sent.body.data.message_id;
  };

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant({ sms: null, twilio: false, vonage: false });
  }, 60_000);
  afterAll(() => service?.stop());
  beforeEach(async () => {
    server = await ScriptedSmtp.start();
    account = await addAccount(server);
    await route(tenant, account.id);
  });
  afterEach(() => server.close());

  it('hands a mail over as it was given', async () => {
    const content = Buffer.from('%PDF-1.4 Grüße\r\n\0\xff').toString('base64');
    const id = await send({
      to: [{ email: 'jane@example.net', name: 'Jané Doe, Jr.' }, 'юля@пример.example'],
      cc: ['team@bücher.example'],
      bcc: [{ email: 'archive@example.com', name: 'Archive' }],
      from: { email: 'orders@example.com', name: 'Straße & Söhne' },
      reply_to: 'help@example.com',
      subject: 'Ihre Bestellung 😀 ist unterwegs',
      text: 'Grüße\n.\nVon uns',
      html: '<p>Grüße 😀</p>',
      headers: { 'X-Entity-Ref-ID': 'order-8121', 'X-Umlaut': 'größer' },
      attachments: [{ filename: 'Rechnung März.pdf', content_type: 'application/pdf', content }],
      tags: ['orders'],
    });
    const message = await tenant.until(id, ({ status }) => status === 'sent');
    const [taken] = server.taken;
    expect(taken).toMatchObject({
      credentials: `${account.username}:${account.password}`,
      from: 'orders@example.com',
      recipients: ['jane@example.net', 'юля@пример.example', 'team@xn--bcher-kva.example', 'archive@example.com'],
    });
    expect(message).toMatchObject({
      gateway: 'smtp',
      external_id: `<${id}@example.com>`,
      // Nobody will say more of it.
      final: true,
      attempts: [{ gateway: 'smtp', config_id: account.id, outcome: 'accepted', external_id: `<${id}@example.com>` }],
    });
    const mail = await PostalMime.parse(taken!.bytes);
    expect(mail).toMatchObject({
      messageId: `<${id}@example.com>`,
      from: { address: 'orders@example.com', name: 'Straße & Söhne' },
      to: [
        { address: 'jane@example.net', name: 'Jané Doe, Jr.' },
        { address: 'юля@пример.example', name: '' },
      ],
      cc: [{ name: '' }],
      replyTo: [{ address: 'help@example.com', name: '' }],
      subject: 'Ihre Bestellung 😀 ist unterwegs',
      text: 'Grüße\n.\nVon uns\n',
      html: '<p>Grüße 😀</p>\n',
    });
    expect(Math.abs(Date.parse(mail.date!) - Date.now())).toBeLessThan(60_000);
    expect(mail.bcc).toBeUndefined();
    expect(taken!.bytes.toString()).not.toMatch(/archive|Archive/);
    expect(mail.headers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: 'x-entity-ref-id', value: 'order-8121' }),
        expect.objectContaining({ key: 'x-umlaut', value: '=?UTF-8?Q?gr=C3=B6=C3=9Fer?=' }),
      ]),
    );
    const [attachment] = mail.attachments;
    expect(attachment).toMatchObject({ filename: 'Rechnung März.pdf', mimeType: 'application/pdf' });
    expect(Buffer.from(attachment!.content as ArrayBuffer).toString('base64')).toBe(content);
    expect(server.heard).toContain(` RET=HDRS ENVID=${id}\r\n`);
  });

  it('takes sender and answers from the config, and adds one-click unsubscription where it is asked for', async () => {
    const { id: other } = await addAccount(server, tenant, { reply_to_email: 'help@example.com' });
    const id = await send({ text: 'Hello', provider: other, tracking: { unsubscribe: true } });
    await tenant.until(id, ({ status }) => status === 'sent');
    const mail = await PostalMime.parse(server.taken[0]!.bytes);
    expect(mail).toMatchObject({
      from: { address: 'shop@example.com', name: 'Example Shop' },
      replyTo: [{ address: 'help@example.com' }],
    });
    const header = (name: string): string | undefined => mail.headers.find(({ key }) => key === name)?.value;
    expect(header('list-unsubscribe')).toMatch(/^<https?:\/\/[^>]+\/unsubscribe\/[^>]+>$/);
    expect(header('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
    const plain = await send({ text: 'Hello' });
    await tenant.until(plain, ({ status }) => status === 'sent');
    expect(server.taken[1]!.bytes.toString()).not.toContain('List-Unsubscribe');
  });

  it.each([
    ['a header that would be two', { headers: { 'X-A': 'x\r\nBcc: evil@example.com' } }, 'headers.X-A'],
    ['a subject of two lines', { subject: 'x\nBcc: evil@example.com' }, 'subject'],
    ['a name of two lines', { to: [{ email: 'jane@example.net', name: 'x\r\nBcc: evil@example.com' }] }, 'to[0].name'],
    ['no address', { to: 'jane@example.net>\r\nRCPT TO:<evil@example.com' }, 'to'],
  ])('refuses %s before a server sees it', async (_, body, field) => {
    const answer = await tenant.api.post('/v1/email/send', {
      to: 'jane@example.net',
      subject: 'Hello',
      text: 'Hello',
      ...body,
    });
    assertStatus(answer, 400);
    expect(answer.body.errors).toEqual([expect.objectContaining({ field })]);
    expect(server.connections).toBe(0);
  });

  it('fails a message whose recipient is refused, with the server’s words, and asks nobody else', async () => {
    const spare = await ScriptedSmtp.start();
    try {
      await route(tenant, account.id, (await addAccount(spare)).id);
      server.script.RCPT = '550 5.1.1 <gone@example.net>: Recipient address rejected: User unknown';
      const id = await send({ to: 'Gone@example.net', text: 'Hello' });
      const message = await tenant.until(id, ({ final }) => final);
      expect(message).toMatchObject({
        status: 'failed',
        attempts: [
          {
            outcome: 'recipient_permanent',
            error_code: '550 5.1.1',
            error_message: '550 5.1.1 <gone@example.net>: Recipient address rejected: User unknown',
          },
        ],
      });
      expect(spare.connections).toBe(0);
      const listed = await tenant.api.get('/v1/suppressions?channel=email&recipient=gone@example.net');
      expect(listed.body.data).toMatchObject([
        { recipient: 'gone@example.net', reason: 'hard_bounce', detail: '550 5.1.1', message_id: id },
      ]);
    } finally {
      await spare.close();
    }
  });

  it('goes over another server when the first refuses the credentials, says so, and comes back', async () => {
    const spare = await ScriptedSmtp.start();
    try {
      const second = await addAccount(spare);
      await route(tenant, account.id, second.id);
      server.script.AUTH = '535 5.7.8 Error: authentication failed';
      const message = await tenant.until(await send({ text: 'Hello' }), ({ status }) => status === 'sent');
      expect(message.attempts).toMatchObject([
        { config_id: account.id, outcome: 'config', error_code: '535 5.7.8' },
        { config_id: second.id, outcome: 'accepted' },
      ]);
      const config = () => tenant.api.get(`/communication/smtp/configs/${account.id}`);
      expect((await config()).body.data).toMatchObject({ status: 'error', last_error: { code: 'bad_credentials' } });
      const test = await tenant.api.post(`/communication/smtp/configs/${account.id}/test`);
      expect(test.body.data).toMatchObject({ healthy: false, error: expect.stringContaining('535 5.7.8') });
      delete server.script.AUTH;
      expect((await tenant.api.post(`/communication/smtp/configs/${account.id}/test`)).body.data).toMatchObject({
        healthy: true,
      });
    } finally {
      await spare.close();
    }
  });

  it('says that it may have sent twice when the first server was lost after the end of the mail', async () => {
    const spare = await ScriptedSmtp.start();
    try {
      const put = await tenant.api.put('/v1/gateways', {
        gateways: { email: { primary: account.id, fallback: [(await addAccount(spare)).id], reconcile_seconds: 1 } },
      });
      assertStatus(put, 200);
      server.script.END = close;
      const id = await send({ text: 'Hello' });
      const message = await tenant.until(id, ({ status }) => status === 'sent');
      expect(message).toMatchObject({
        possible_duplicate: true,
        attempts: [{ outcome: 'unknown', error_code: 'reset' }, { outcome: 'accepted' }],
      });
      // The same Message-ID both times, so that the recipient's server can tell.
      const idOf = (bytes: string): string => /Message-ID: (.*)/.exec(bytes)![1]!;
      expect(idOf(spare.taken[0]!.bytes.toString())).toBe(idOf(server.heard));
    } finally {
      await spare.close();
    }
  });

  it('uses a changed password at once, on a connection of its own', async () => {
    await tenant.until(await send({ text: 'one' }), ({ status }) => status === 'sent');
    const password = 'another-secret-5527';
    service.secrets.add(password);
    const patched = await tenant.api.patch(`/communication/smtp/configs/${account.id}`, { credentials: { password } });
    assertStatus(patched, 200);
    await tenant.until(await send({ text: 'two' }), ({ status }) => status === 'sent');
    expect(server.taken.map(({ credentials }) => credentials)).toEqual([
      `${account.username}:${account.password}`,
      `${account.username}:${password}`,
    ]);
  });

  it('never mixes two tenants up, at one server and at once', async () => {
    const other = await service.tenant({ sms: null, twilio: false, vonage: false });
    const theirs = await addAccount(server, other, { from_email: 'news@example.org' });
    await route(other, theirs.id);
    const ids = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const [owner, { username, password }] = i % 2 === 0 ? [tenant, account] : [other, theirs];
        const id = await send({ text: `mail ${i}` }, owner);
        await owner.until(id, ({ status }) => status === 'sent');
        return `${username}:${password} ${i % 2 === 0 ? 'shop@example.com' : 'news@example.org'} ${id}`;
      }),
    );
    const seen = server.taken.map(
      ({ credentials, from, bytes }) => `${credentials} ${from} ${/Message-ID: <(.*)@/.exec(bytes.toString())![1]}`,
    );
    expect(seen.sort()).toEqual(ids.sort());
  });

  it('keeps to the connections that the config allows', async () => {
    const { id } = await addAccount(server, tenant, { max_connections: 2 });
    const ids = await Promise.all(Array.from({ length: 30 }, () => send({ text: 'Hello', provider: id })));
    for (const one of ids) await tenant.until(one, ({ status }) => status === 'sent');
    expect(server.taken).toHaveLength(30);
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  it.each([
    ['a template', { template_id: 'd-1' }, 'template_id'],
    ['opens to be tracked', { text: 'x', tracking: { opens: true } }, 'tracking.opens'],
  ])('says that it cannot do %s', async (_, body, field) => {
    const answer = await tenant.api.post('/v1/email/send', { to: 'jane@example.net', subject: 'Hello', ...body });
    assertStatus(answer, 400);
    expect(answer.body.errors).toEqual([expect.objectContaining({ field, code: 'unsupported' })]);
  });

  it('refuses an internal server where the operator has not allowed it', async () => {
    const strict = await Service.start({ UNIMSG_ALLOWED_PRIVATE_CIDRS: '10.99.0.0/16' });
    try {
      const owner = await strict.tenant({ sms: null, twilio: false, vonage: false });
      const { id } = await addAccount(server, owner);
      const test = await owner.api.post(`/communication/smtp/configs/${id}/test`);
      expect(test.body.data).toMatchObject({ healthy: false, error: expect.stringContaining('internal address') });
      expect(server.connections).toBe(0);
    } finally {
      await strict.stop();
    }
  }, 60_000);

  describe('in the simulator', () => {
    let simulated: Service;
    let owner: Tenant;
    beforeAll(async () => {
      simulated = await Service.start({ UNIMSG_SIMULATOR: 'on', UNIMSG_ALLOWED_PRIVATE_CIDRS: '' });
      owner = await simulated.tenant({ sms: null, twilio: false, vonage: false });
      const { id } = await addAccount({ port: 587 }, owner, { host: 'simulator.test', tls: 'starttls' });
      await route(owner, id);
    }, 60_000);
    afterAll(() => simulated?.stop());
    const received = async (to: string) =>
      (await simulated.admin.get(`/simulator/messages?provider=smtp&to=${encodeURIComponent(to)}`)).body.data;

    it('is tried without an account, and shows what was received', async () => {
      const to = 'delivered@simulator.test';
      const id = await send({ to, text: 'Grüße', html: '<p>Grüße</p>' }, owner);
      await owner.until(id, ({ status }) => status === 'sent');
      expect(await received(to)).toEqual([
        expect.objectContaining({
          external_id: `<${id}@example.com>`,
          from: 'shop@example.com',
          body: 'Grüße',
          reference: id,
          accepted: true,
        }),
      ]);
    });

    it.each([
      ['invalid-recipient', { status: 'failed', attempts: [{ outcome: 'recipient_permanent' }] }],
      ['throttled', { status: 'sent', attempts: [{ outcome: 'throttled' }, { outcome: 'accepted' }] }],
      ['connection-reset', { attempts: [{ outcome: 'unknown', error_code: 'reset' }] }],
      ['malformed-body', { attempts: [{ outcome: 'unknown', error_code: 'reset' }] }],
      ['server-error', { attempts: [{ outcome: 'transient', error_code: '451 4.3.0' }] }],
    ])(
      '%s',
      async (name, expected) => {
        const id = await send({ to: `${name}@simulator.test`, text: 'Hello' }, owner);
        const wanted = expected.attempts.length;
        const message = await owner.until(id, ({ attempts }) => attempts.length >= wanted);
        expect({ ...message, attempts: message.attempts.slice(0, wanted) }).toMatchObject(expected);
      },
      60_000,
    );

    it('unsubscribes with one click, and sends nothing more to that address', async () => {
      const to = 'unsubscribed@simulator.test';
      const id = await send({ to, text: 'News', tracking: { unsubscribe: true } }, owner);
      const message = await owner.until(id, ({ engagement }) => engagement?.unsubscribes === 1);
      expect(message).toMatchObject({ status: 'sent', engagement: { unsubscribes: 1 } });
      const again = await owner.until(await send({ to, text: 'More news' }, owner), ({ final }) => final);
      expect(again).toMatchObject({ status: 'failed', attempts: [] });
      expect(await received(to)).toHaveLength(1);
    });
  });

  it('logs no secret, recipient or text', () => {
    expect(service.errorLines()).toEqual([]);
    const log = logLines.join('');
    expect(log.length).toBeGreaterThan(0);
    for (const word of [...service.secrets, 'jane@example.net', 'Ihre Bestellung', 'Grüße'])
      expect(log).not.toContain(word);
  });
});
