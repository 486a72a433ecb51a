import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import PostalMime from 'postal-mime';
import { assertStatus, logLines, Service, type Tenant } from '../support/e2e-service';
import { OwnPostfix } from '../support/own-postfix';

const fixture = (name: string): string => readFileSync(`${__dirname}/../fixtures/${name}`, 'utf8');
const cert = fixture('self-signed.cert.pem');
const ACCOUNT = { user: 'shop', password: 'correct horse 7713' };

describe('POST /v1/email/send, to Postfix', () => {
  const authorities = tls.getCACertificates('default');
  let postfix: OwnPostfix;
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    [postfix, service] = await Promise.all([
      OwnPostfix.start({
        cert,
        key: fixture('self-signed.key.pem'),
        account: ACCOUNT,
        mailboxes: ['jane@example.net', 'shop@example.com'],
        bouncing: 'bounces.example',
        sizeLimit: 20_000_000,
      }),
      Service.start({ UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8,::1/128' }),
    ]);
    // As NODE_EXTRA_CA_CERTS does for a whole process.
    tls.setDefaultCACertificates([...authorities, cert]);
    service.secrets.add(ACCOUNT.password);
    tenant = await service.tenant({ sms: null, twilio: false, vonage: false });
    const config = await tenant.api.post('/communication/smtp/configs', {
      display_name: 'Postfix',
      status: 'active',
      credentials: { username: ACCOUNT.user, password: ACCOUNT.password },
      host: 'localhost',
      port: postfix.clear,
      tls: 'starttls',
      from_email: 'shop@example.com',
      from_name: 'Example Shop',
    });
    assertStatus(config, 201);
    const test = await tenant.api.post(`/communication/smtp/configs/${config.body.data.id}/test`);
    expect(test.body.data).toMatchObject({ healthy: true });
    assertStatus(await tenant.api.put('/v1/gateways', { gateways: { email: { primary: 'smtp' } } }), 200);
  }, 60_000);
  afterAll(async () => {
    tls.setDefaultCACertificates(authorities);
    await Promise.all([postfix?.stop(), service?.stop()]);
  }, 30_000);

  const send = async (body: object): Promise<string> => {
    const sent = await tenant.api.post('/v1/email/send', { subject: 'Grüße 😀', text: 'Grüße\n.\nEnde', ...body });
    assertStatus(sent, 202);
    return sent.body.data.message_id;
  };

  it('delivers each mail once, whole, under its own Message-ID', async () => {
    const content = Buffer.alloc(3_000_000, 'Grüße ').toString('base64');
    const attachments = [{ filename: 'groß.bin', content_type: 'application/octet-stream', content }];
    const large = await send({ to: 'jane@example.net', attachments });
    const ids = [large, ...(await Promise.all(Array.from({ length: 60 }, () => send({ to: 'jane@example.net' }))))];
    for (const id of ids) await tenant.until(id, ({ status }) => status === 'sent');
    const mails = await Promise.all(
      (await postfix.delivered('jane@example.net', ids.length)).map((mail) => PostalMime.parse(mail)),
    );
    expect(new Set(mails.map(({ messageId }) => messageId))).toEqual(new Set(ids.map((id) => `<${id}@example.com>`)));
    expect(mails).toHaveLength(ids.length);
    for (const mail of mails) expect(mail).toMatchObject({ subject: 'Grüße 😀', text: 'Grüße\n.\nEnde\n' });
    const whole = mails.find(({ messageId }) => messageId === `<${large}@example.com>`)!;
    expect(Buffer.from(whole.attachments[0]!.content as ArrayBuffer).toString('base64')).toBe(content);
  }, 60_000);

  it('fails what Postfix refuses, with its words', async () => {
    const message = await tenant.until(await send({ to: 'nobody@example.net' }), ({ final }) => final);
    expect(message).toMatchObject({
      status: 'failed',
      attempts: [{ outcome: 'recipient_permanent', error_code: '550 5.1.1' }],
    });
    expect(message.attempts[0].error_message).toContain('nobody@example.net');
    expect(await postfix.mails('nobody@example.net')).toEqual([]);
  });

  it('sends a bounce to the sender’s mailbox, and says sent: more is not known', async () => {
    const id = await send({ to: 'nobody@bounces.example' });
    await tenant.until(id, ({ status }) => status === 'sent');
    const [bounce] = await postfix.delivered('shop@example.com', 1);
    expect(bounce!.toString()).toContain(`Original-Envelope-Id: ${id}`);
  });

  it('logs no password', () => {
    expect(logLines.length).toBeGreaterThan(0);
    expect(logLines.join('')).not.toContain(ACCOUNT.password);
  });
});
