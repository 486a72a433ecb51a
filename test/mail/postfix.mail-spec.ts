import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import PostalMime from 'postal-mime';
import { smtp } from '../../src/channels/email/providers/smtp.provider';
import type { EmailContent, Gateway, GatewayContext, SendResult } from '../../src/gateway/contracts/gateway';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { contextFor } from '../contract/provider.contract';
import { gatewayDeps } from '../support/gateway-deps';
import { OwnPostfix } from '../support/own-postfix';
import { smtpMessage } from '../support/smtp-samples';

const fixture = (name: string): string => readFileSync(`${__dirname}/../fixtures/${name}`, 'utf8');
const cert = fixture('self-signed.cert.pem');
const ACCOUNT = { user: 'shop', password: 'Pässword with = and \\ 7713' };
const SIZE_LIMIT = 2_000_000;

describe('SMTP to Postfix', () => {
  const http = new UndiciHttpClient();
  const authorities = tls.getCACertificates('default');
  let postfix: OwnPostfix;
  let gateway: Gateway;
  let next = 0;

  beforeAll(async () => {
    postfix = await OwnPostfix.start({
      cert,
      key: fixture('self-signed.key.pem'),
      account: ACCOUNT,
      mailboxes: [
        'jane@example.net',
        'team@example.net',
        'archive@example.net',
        'jörg@example.net',
        'shop@example.com',
      ],
      bouncing: 'bounces.example',
      sizeLimit: SIZE_LIMIT,
    });
    // As NODE_EXTRA_CA_CERTS does for a whole process.
    tls.setDefaultCACertificates([...authorities, cert]);
  }, 60_000);
  afterAll(async () => {
    tls.setDefaultCACertificates(authorities);
    await http.close();
    await postfix?.stop();
  }, 30_000);
  beforeEach(() => {
    gateway = smtp.create(gatewayDeps({ http, baseUrl: '' }));
  });
  afterEach(() => gateway?.release!('cfg_1'));

  const context = (settings: Record<string, unknown> = {}, password = ACCOUNT.password): GatewayContext =>
    contextFor({
      settings: {
        host: 'localhost',
        port: settings.tls === 'implicit' ? postfix.secure : postfix.clear,
        tls: 'starttls',
        from_email: 'shop@example.com',
        from_name: 'Example Shop',
        ...settings,
      },
      credentials: { username: ACCOUNT.user, password },
    });
  const send = (content: Partial<EmailContent>, ctx = context(), id = `msg_${++next}`): Promise<SendResult> =>
    gateway.send({ ...smtpMessage, id, content: { ...smtpMessage.content, ...content } }, ctx);
  const received = async (id: string, address = 'jane@example.net'): Promise<Buffer | undefined> =>
    (await postfix.mails(address)).find((mail) => mail.includes(`<${id}@example.com>`));
  const delivery = async (id: string, address = 'jane@example.net'): Promise<Buffer> => {
    let mail = await received(id, address);
    for (let count = 1; mail === undefined; count++) {
      await postfix.delivered(address, count);
      mail = await received(id, address);
    }
    return mail;
  };

  it.each(['starttls', 'implicit'])('delivers over %s, with its password, byte for byte', async (mode) => {
    const file = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256));
    const { externalId } = await send(
      {
        to: [{ email: 'jane@example.net', name: 'Jané "J" Doe, Jr.' }],
        cc: [{ email: 'team@example.net' }],
        bcc: [{ email: 'archive@example.net' }],
        subject: `Grüße 😀 über ${mode}`,
        text: `.\n..\nFrom Grüße\n${'lang '.repeat(300)}\n`,
        html: `<p>${'größer '.repeat(300)}</p>`,
        headers: { 'X-Entity-Ref-ID': 'order-8121' },
        attachments: [{ filename: 'März.bin', content_type: 'application/x-test', content: file.toString('base64') }],
      },
      context({ tls: mode }),
      `msg_${mode}`,
    );
    expect(externalId).toBe(`<msg_${mode}@example.com>`);
    for (const address of ['jane@example.net', 'team@example.net', 'archive@example.net']) {
      const raw = await delivery(`msg_${mode}`, address);
      if (address !== 'archive@example.net') expect(raw.toString()).not.toMatch(/archive@|^Bcc/im);
      const mail = await PostalMime.parse(raw);
      expect(mail).toMatchObject({
        from: { address: 'shop@example.com', name: 'Example Shop' },
        to: [{ address: 'jane@example.net', name: 'Jané "J" Doe, Jr.' }],
        cc: [{ address: 'team@example.net' }],
        subject: `Grüße 😀 über ${mode}`,
        messageId: externalId,
        returnPath: 'shop@example.com',
      });
      expect(mail.text!.trimEnd()).toBe(`.\n..\nFrom Grüße\n${'lang '.repeat(300)}`.trimEnd());
      expect(mail.html!.trim()).toBe(`<p>${'größer '.repeat(300)}</p>`);
      expect(Buffer.from(mail.attachments[0]!.content as ArrayBuffer)).toEqual(file);
    }
    expect(await postfix.log()).toMatch(/sasl_method=PLAIN, sasl_username=shop/);
  });

  it('delivers to a mailbox in another script', async () => {
    await send({ to: [{ email: 'jörg@example.net', name: 'Jörg' }], text: 'Grüße' }, context(), 'msg_utf8');
    const mail = await PostalMime.parse(await delivery('msg_utf8', 'jörg@example.net'));
    expect(mail.to).toEqual([{ address: 'jörg@example.net', name: 'Jörg' }]);
  });

  it('carries many mails over few connections', async () => {
    const before = (await postfix.log()).match(/smtpd\[\d+\]: connect from/g)?.length ?? 0;
    const ids = Array.from({ length: 40 }, (_, i) => `msg_many_${i}`);
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (const id of ids.filter((__, i) => i % 4 === lane)) await send({ text: id }, context(), id);
    });
    await Promise.all(lanes);
    for (const id of ids) expect(await delivery(id)).toBeDefined();
    const after = (await postfix.log()).match(/smtpd\[\d+\]: connect from/g)!.length;
    expect(after - before).toBeLessThanOrEqual(4);
  });

  it('brings a bounce back that names the message', async () => {
    await send({ to: [{ email: 'nobody@bounces.example' }] }, context(), 'msg_bounced');
    const raw = await delivery('msg_bounced', 'shop@example.com');
    const text = raw.toString();
    expect(text).toMatch(/^Content-Type: multipart\/report; report-type=delivery-status/m);
    expect(text).toMatch(/^Original-Envelope-Id: msg_bounced$/m);
    expect(text).toMatch(/^Original-Recipient: rfc822;nobody@bounces\.example$/m);
    expect(text).toMatch(/^Action: failed$/m);
    // RET=HDRS: the headers came back, the text did not.
    expect(text).not.toContain('Hello Jane.');
  });

  it('sends to none when one recipient is refused', async () => {
    const to = [{ email: 'jane@example.net' }, { email: 'nobody@example.net' }];
    await expect(send({ to }, context(), 'msg_partial')).rejects.toMatchObject({
      class: 'recipient_permanent',
      code: 'invalid_recipient',
      providerCode: '550 5.1.1',
      providerText: expect.stringContaining('nobody@example.net'),
    });
    await send({}, context(), 'msg_after');
    await delivery('msg_after');
    expect(await received('msg_partial')).toBeUndefined();
  });

  it.each([
    ['a wrong password', {}, 'wrong', { class: 'config', scope: 'account', code: 'bad_credentials' }],
    ['no TLS where the server wants it', { tls: 'none' }, undefined, { class: 'config', scope: 'account' }],
    ['another host’s certificate', { host: '127.0.0.1' }, undefined, { class: 'config', code: 'certificate_refused' }],
  ])('tells %s', async (_, settings, password, expected) => {
    const ctx = context(settings, password);
    await expect(send({}, ctx)).rejects.toMatchObject(expected);
    await expect(gateway.healthCheck(ctx)).resolves.toMatchObject({ healthy: false, errorClass: 'config' });
  });

  it('does not send what is too large for the server', async () => {
    const content = Buffer.alloc(SIZE_LIMIT).toString('base64');
    const attachments = [{ filename: 'big.bin', content_type: 'application/octet-stream', content }];
    await expect(send({ attachments })).rejects.toMatchObject({ class: 'content_permanent', code: 'too_large' });
  });

  it('is healthy', async () => {
    await expect(gateway.healthCheck(context())).resolves.toEqual({ healthy: true });
    await expect(gateway.healthCheck(context({ tls: 'implicit' }))).resolves.toEqual({ healthy: true });
  });
});
