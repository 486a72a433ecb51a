import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mailgun } from '../../src/channels/email/providers/mailgun.provider';
import { sendgrid } from '../../src/channels/email/providers/sendgrid.provider';
import type { CallbackRequest, NormalizedEvent } from '../../src/gateway/contracts/callback';
import type { EmailContent, Gateway, OutboundMessage } from '../../src/gateway/contracts/gateway';
import { encodeMultipart } from '../../src/kernel/multipart';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { Simulator } from '../../src/simulator/simulator';
import { contextFor, secretsOf, type SampleAccount } from '../contract/provider.contract';
import { gatewayDeps } from '../support/gateway-deps';
import { until } from '../support/until';

const PROVIDERS = [sendgrid, mailgun];
const ACCOUNTS: Record<string, SampleAccount> = {
  sendgrid: {
    settings: { from_email: 'orders@example.com' },
    credentials: { api_key: 'SG.key', webhook_signing_key: sendgrid.credentials.webhook_signing_key!.example },
  },
  mailgun: {
    settings: { from_email: 'orders@mg.example.com' },
    credentials: { api_key: 'key', webhook_signing_key: 'signing-key', domain: 'mg.example.com', region: 'eu' },
  },
};

let simulator: Simulator;
let http: UndiciHttpClient;
let receiver: Server;
let callbacks: CallbackRequest[];

beforeEach(async () => {
  callbacks = [];
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const publicUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${request.url}`;
      callbacks.push({
        method: 'POST',
        publicUrl,
        query: new URL(publicUrl).searchParams,
        headers: request.headers as Record<string, string>,
        rawBody: Buffer.concat(chunks),
      });
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  simulator = await Simulator.start({
    standIn: (name) => PROVIDERS.find(({ key }) => key === name)?.simulator,
    callbackDelayMs: 0,
    accounts: (provider) =>
      Promise.resolve([
        {
          ...ACCOUNTS[provider]!,
          callbackToken: () => 'token',
          callbackUrl: (kind) => `http://127.0.0.1:${port}/webhook/${provider}/${kind}/cfg_1`,
        },
      ]),
  });
  http = new UndiciHttpClient();
});
afterEach(async () => {
  await Promise.all([http.close(), simulator.close()]);
  receiver.close();
  receiver.closeAllConnections();
});

describe.each(PROVIDERS.map((definition) => [definition.key, definition] as const))(
  'simulated %s',
  (key, definition) => {
    const account = ACCOUNTS[key]!;
    let gateway: Gateway;
    let sent = 0;
    beforeEach(() => {
      gateway = definition.create(gatewayDeps({ http, baseUrl: simulator.baseUrl(key) }));
    });

    const message = (to: string, over: Partial<EmailContent> = {}): OutboundMessage<'email'> => ({
      id: `msg_${key}${++sent}`,
      clientId: 'demo_0123456789abcdef',
      channel: 'email',
      to,
      from: null,
      priority: 'normal',
      content: {
        to: [{ email: to, name: 'Jörg "J"' }],
        subject: 'Grüße',
        text: `Hello ${sent} €`,
        html: '<a href="https://example.com/x">x</a>',
        ...over,
      },
      expiresAt: Date.now() + 3600 * 1000,
    });
    const send = (out: OutboundMessage, timeoutMs = 3000) => gateway.send(out, contextFor(account, { timeoutMs }));

    /** What the callbacks say, once there are so many events, each proved with the account's secret. */
    async function reported(count: number): Promise<NormalizedEvent[]> {
      let events: NormalizedEvent[] = [];
      await until('the callbacks come', () => {
        events = callbacks.flatMap((request) => {
          definition.callbacks.events!.verify(request, secretsOf(account), Date.now());
          return definition.callbacks.events!.parse(request);
        });
        return events.length >= count;
      });
      return events;
    }
    const told = (events: NormalizedEvent[]) =>
      events.map((event) =>
        event.kind === 'status' ? event.status : event.kind === 'engagement' ? event.type : event.kind,
      );

    it('takes a mail with a file, keeps what it says and whose it is, and reports it', async () => {
      const bytes = Buffer.alloc(2_000_000, 7);
      const attachments = [
        { filename: 'Räch"nung.bin', content_type: 'application/octet-stream', content: bytes.toString('base64') },
      ];
      const out = message('jörg@bücher.example', { attachments, cc: [{ email: 'b@example.com' }] });
      const { externalId } = await send(out);
      expect(simulator.messages({ to: out.to, limit: 5 })).toMatchObject([
        {
          provider: key,
          externalId,
          body: out.content.text,
          from: account.settings.from_email,
          reference: out.id,
          accepted: true,
        },
      ]);
      const events = await reported(4);
      expect(told(events)).toHaveLength(4);
      expect(told(events)).toEqual(
        expect.arrayContaining(['delivered', 'ignored', 'ignored', key === 'sendgrid' ? 'sent' : 'queued']),
      );
      for (const event of events) expect(event).toMatchObject({ externalId, messageId: out.id });
    });

    it.each([
      ['engaged', ['delivered', 'opened', 'clicked']],
      ['complained', ['delivered', 'complained']],
      ['unsubscribed', ['delivered', 'unsubscribed']],
      ['hard-bounce', ['undelivered', 'bounced']],
      ['soft-bounce', ['sent', 'bounced']],
      ['late-bounce', ['delivered', 'undelivered', 'bounced']],
    ])('plays the recipient %s', async (name, expected) => {
      const out = message(`${name}@simulator.test`);
      await send(out);
      const events = await reported(expected.length + 1);
      expect(told(events).slice(1)).toEqual(expected);
      expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(events.length);
      const bounce = events.find((event) => event.kind === 'engagement' && event.type === 'bounced');
      const types: Record<string, string> = { 'hard-bounce': 'hard', 'soft-bounce': 'soft' };
      if (types[name]) expect(bounce).toMatchObject({ bounceType: types[name], recipient: out.to });
      const click = events.find((event) => event.kind === 'engagement' && event.type === 'clicked');
      if (name === 'engaged') expect(click).toMatchObject({ detail: { url: 'https://example.com/x' } });
    });

    it('repeats a callback with the id that it had', async () => {
      await send(message('repeated-callback@simulator.test'));
      const events = await reported(4);
      expect(told(events).slice(1)).toEqual(['delivered', 'delivered', 'delivered']);
      expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(2);
    });

    it('throttles the first try of a message, then takes it', async () => {
      const out = message('throttled@simulator.test');
      await expect(send(out)).rejects.toMatchObject({ class: 'throttled', retryAfterMs: 2000 });
      await expect(send(out)).resolves.toMatchObject({ externalId: expect.any(String) });
    });

    it.each([
      ['an unknown recipient', 'invalid-recipient', { class: 'recipient_permanent', code: 'invalid_recipient' }, false],
      ['HTTP 500', 'server-error', { class: 'ambiguous', code: 'provider_error' }, false],
      ['no answer', 'hang-after-accepting', { class: 'ambiguous', providerCode: 'timeout' }, true],
      ['a reset', 'connection-reset', { class: 'ambiguous', providerCode: 'reset' }, false],
      ['an answer that nobody can read', 'malformed-body', { class: 'ambiguous', code: 'unreadable_answer' }, true],
    ])('fails with %s', async (_, name, failure, accepted) => {
      const to = `${name}@simulator.test`;
      await expect(send(message(to), 300)).rejects.toMatchObject(failure);
      expect(simulator.messages({ to, limit: 5 })).toMatchObject([{ accepted }]);
    });

    it('refuses wrong credentials as the provider does', async () => {
      for (const api_key of ['', 'invalid-key']) {
        const wrong = contextFor({ ...account, credentials: { ...account.credentials, api_key } });
        await expect(gateway.send(message('a@example.com'), wrong)).rejects.toMatchObject({
          class: 'config',
          code: 'bad_credentials',
        });
        await expect(gateway.healthCheck(wrong)).resolves.toMatchObject({ healthy: false, errorClass: 'config' });
      }
      await expect(gateway.healthCheck(contextFor(account))).resolves.toEqual({ healthy: true });
    });
  },
);

describe('what the stand-ins know', () => {
  it('finds at Mailgun what was taken without an answer', async () => {
    const gateway = mailgun.create(gatewayDeps({ http, baseUrl: simulator.baseUrl('mailgun') }));
    const content = { to: [{ email: 'malformed-body@simulator.test' }], subject: 'x', text: 'x' };
    const out = {
      id: 'msg_lost',
      clientId: 'c',
      channel: 'email' as const,
      to: content.to[0]!.email,
      from: null,
      priority: 'normal' as const,
      content,
      expiresAt: 0,
    };
    const since = Date.now();
    const context = contextFor(ACCOUNTS.mailgun!);
    await expect(gateway.send(out, context)).rejects.toMatchObject({ class: 'ambiguous' });
    const [{ externalId } = { externalId: '' }] = simulator.messages({ to: out.to, limit: 1 });
    await expect(gateway.findSent!(out, since, context)).resolves.toEqual([
      { externalId, status: 'delivered', rawWord: 'delivered' },
    ]);
    await expect(gateway.findSent!({ ...out, id: 'msg_other' }, since, context)).resolves.toEqual([]);
    await expect(gateway.getStatus!(externalId, context)).resolves.toMatchObject({ status: 'delivered' });
    await expect(gateway.getStatus!('other@mg.example.com', context)).resolves.toBeNull();
  });

  it('reports nothing of a mail in SendGrid’s sandbox', async () => {
    const gateway = sendgrid.create(gatewayDeps({ http, baseUrl: simulator.baseUrl('sendgrid') }));
    const content = { to: [{ email: 'a@example.com' }], subject: 'x', text: 'x' };
    const out = {
      id: 'msg_1',
      clientId: 'c',
      channel: 'email' as const,
      to: 'a@example.com',
      from: null,
      priority: 'normal' as const,
      content,
      expiresAt: 0,
    };
    const account = { ...ACCOUNTS.sendgrid!, settings: { ...ACCOUNTS.sendgrid!.settings, sandbox_mode: true } };
    await expect(gateway.send(out, contextFor(account))).resolves.toEqual({ externalId: 'sandbox-msg_1' });
    await until('its life is over', () => simulator.stats().unfinished === 0);
    expect(callbacks).toEqual([]);
  });
});

describe('what the stand-ins refuse', () => {
  const ask = async (provider: string, path: string, type: string, body: string | Buffer, authorization: string) => {
    const headers = { authorization, 'content-type': type };
    const response = await http.request({
      method: 'POST',
      url: simulator.baseUrl(provider) + path,
      headers,
      body,
      timeoutMs: 3000,
    });
    return [response.status, response.body.toString()] as const;
  };

  const personal = { to: [{ email: 'a@example.com' }] };
  const valid = {
    personalizations: [personal],
    from: { email: 'b@example.com' },
    subject: 'x',
    content: [{ type: 'text/plain', value: 'x' }],
  };
  it.each<[string, object, string | null]>([
    ['an unknown member', { ...valid, subjekt: 'x' }, 'subjekt'],
    [
      'an unknown member of a personalization',
      { ...valid, personalizations: [{ ...personal, too: 1 }] },
      'personalizations.0.too',
    ],
    ['no personalization', { ...valid, personalizations: [] }, 'personalizations'],
    ['no recipient', { ...valid, personalizations: [{ to: [] }] }, 'personalizations.0.to'],
    ['a bad recipient', { ...valid, personalizations: [{ to: [{ email: 'x' }] }] }, 'personalizations.0.to.0.email'],
    [
      'a recipient twice',
      { ...valid, personalizations: [{ ...personal, cc: [{ email: 'A@example.com' }] }] },
      'personalizations',
    ],
    ['a bad sender', { ...valid, from: { email: 'x' } }, 'from.email'],
    ['no subject', { ...valid, subject: undefined }, 'subject'],
    ['no content', { ...valid, content: undefined }, 'content'],
    ['empty content', { ...valid, content: [{ type: 'text/plain', value: '' }] }, 'content'],
  ])('refuses %s as SendGrid does', async (_, body, field) => {
    const [status, text] = await ask(
      'sendgrid',
      '/v3/mail/send',
      'application/json',
      JSON.stringify(body),
      'Bearer SG.key',
    );
    expect([status, (JSON.parse(text) as { errors: Array<{ field: string }> }).errors[0]!.field]).toEqual([400, field]);
  });

  it('refuses other paths, content types and methods as SendGrid does', async () => {
    const body = JSON.stringify(valid);
    expect((await ask('sendgrid', '/v3/mail/send', 'text/plain', body, 'Bearer SG.key'))[0]).toBe(415);
    expect((await ask('sendgrid', '/v3/mail', 'application/json', body, 'Bearer SG.key'))[0]).toBe(404);
    expect((await ask('sendgrid', '/v3/mail/send', 'application/json', body, 'Basic x'))[0]).toBe(401);
    expect((await ask('sendgrid', '/v3/mail/send', 'application/json', '{', 'Bearer SG.key'))[0]).toBe(400);
  });

  const basic = `Basic ${Buffer.from('api:key').toString('base64')}`;
  const form = { from: 'b@example.com', to: 'a@example.com', subject: 'x', text: 'x' };
  const post = (fields: Record<string, string>) =>
    ask(
      'mailgun',
      '/v3/mg.example.com/messages',
      'multipart/form-data; boundary=b',
      encodeMultipart(
        Object.entries(fields).map(([name, value]) => ({ name, value })),
        'b',
      ),
      basic,
    );
  it.each<[string, Record<string, string>, RegExp]>([
    ['an unknown field', { ...form, subjekt: 'x' }, /subjekt/],
    ['no sender', { to: 'a@example.com', subject: 'x', text: 'x' }, /from parameter is missing/],
    ['a bad recipient', { ...form, to: 'x' }, /'to' parameter is not a valid address/],
    ['nothing to say', { ...form, text: '' }, /Need at least one of/],
    ['a template and HTML', { ...form, html: 'x', template: 'y' }, /Only one parameters/],
    ['long options', { ...form, 'h:X-A': 'x'.repeat(17_000) }, /limited to 16KB/],
  ])('refuses %s as Mailgun does', async (_, fields, text) => {
    expect(await post(fields)).toEqual([400, expect.stringMatching(text)]);
  });

  it('refuses other paths, content types and credentials as Mailgun does', async () => {
    expect((await post(form))[0]).toBe(200);
    expect(await ask('mailgun', '/mg.example.com/messages', 'x', '', basic)).toEqual([200, 'Mailgun Magnificent API']);
    expect((await ask('mailgun', '/v3/mg.example.com/messages', 'application/json', '{}', basic))[0]).toBe(400);
    expect((await ask('mailgun', '/v3/mg.example.com/messages', 'x', '', 'Bearer key'))[0]).toBe(401);
    expect((await ask('mailgun', '/v3/mg.example.com/events', 'x', '', basic))[0]).toBe(405);
  });
});
