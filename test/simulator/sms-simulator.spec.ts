import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMS_PROVIDERS } from '../../src/channels/sms/sms.providers';
import type { CallbackRequest, NormalizedEvent } from '../../src/gateway/contracts/callback';
import type { CallbackKind, Gateway, GatewayContext, OutboundMessage } from '../../src/gateway/contracts/gateway';
import type { ProviderDefinition } from '../../src/gateway/contracts/provider-definition';
import { Secret } from '../../src/kernel/secret';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { MAGIC_RECIPIENTS, magicRecipientsTable } from '../../src/simulator/magic-recipients';
import { Simulator } from '../../src/simulator/simulator';
import { gatewayDeps } from '../support/gateway-deps';

const ACCOUNTS: Record<string, { settings: Record<string, unknown>; credentials: Record<string, string> }> = {
  twilio: {
    settings: { from_number: '+15005550100' },
    credentials: { account_sid: `AC${'1'.repeat(32)}`, auth_token: 'token-1' },
  },
  vonage: {
    settings: { from: '15005550100' },
    credentials: { api_key: 'abcd1234', api_secret: 'api-secret', signature_secret: 'api-secret' },
  },
  skebby: {
    settings: { sender: '+15005550100', message_quality: 'GP' },
    credentials: { username: 'acme@example.com', password: 'password-1' },
  },
  elks: {
    settings: { sender_id: '+15005550100' },
    credentials: { api_username: 'u1234', api_password: 'password-1' },
  },
};

/** The credential whose value a stand-in looks at. */
const SECRETS: Record<string, string> = {
  twilio: 'auth_token',
  vonage: 'api_secret',
  skebby: 'password',
  elks: 'api_password',
};

const REFUSED_CODES: Record<string, string> = { twilio: '21211', vonage: '6', skebby: 'http_400', elks: 'http_400' };

/** What UniMsg would be: receives callbacks, proves and reads them. */
class Receiver extends EventEmitter {
  readonly events: NormalizedEvent[] = [];
  readonly urls: string[] = [];
  statuses: number[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const publicUrl = this.origin + request.url!;
      const callback: CallbackRequest = {
        method: request.method as 'GET' | 'POST',
        publicUrl,
        query: new URL(publicUrl).searchParams,
        headers: request.headers as Record<string, string>,
        rawBody: Buffer.concat(chunks),
      };
      const kind = request.url!.split('/')[3] as CallbackKind;
      const status = this.statuses.shift() ?? 200;
      response.statusCode = status;
      response.end();
      this.urls.push(request.url!);
      if (status === 200) {
        try {
          const definition = this.definition.callbacks[kind]!;
          const credentials = Object.fromEntries(
            Object.entries(this.credentials).map(([name, value]) => [name, new Secret(value)]),
          );
          definition.verify(callback, { credentials, settings: {}, urlToken: new Secret('the-token') }, Date.now());
          this.events.push(...definition.parse(callback));
        } catch (error) {
          this.events.push({ kind: 'ignored', eventId: String(error), occurredAt: null, rawWord: String(error) });
        }
      }
      this.emit('callback');
    });
  });

  constructor(
    private readonly definition: ProviderDefinition,
    readonly credentials: Record<string, string>,
  ) {
    super();
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get words(): string[] {
    return this.events.map((event) =>
      event.kind === 'status' ? String(event.status) : event.kind === 'inbound' ? 'inbound' : event.rawWord,
    );
  }

  async start(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async waitFor(count: number): Promise<void> {
    while (this.events.length < count) await once(this, 'callback');
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

// Those without a base URL are not reached by HTTP; their own specs try their stand-ins.
const HTTP_PROVIDERS = SMS_PROVIDERS.filter(({ baseUrl }) => baseUrl !== null);

describe.each(HTTP_PROVIDERS.map((definition) => [definition.key, definition] as const))(
  'simulated %s',
  (key, definition) => {
    const account = ACCOUNTS[key]!;
    let simulator: Simulator;
    let receiver: Receiver;
    let http: UndiciHttpClient;
    let gateway: Gateway;
    let sent = 0;

    beforeEach(async () => {
      simulator = await Simulator.start({
        standIn: (name) => SMS_PROVIDERS.find((one) => one.key === name)?.simulator,
        callbackDelayMs: 0,
        accounts: async (_provider, name) => {
          const callbackUrl = (kind: CallbackKind): string =>
            `${receiver.origin}/webhook/${definition.slug}/${kind}/cfg_1?token=the-token`;
          return Object.values(account.credentials).includes(name)
            ? [{ ...account, callbackUrl, callbackToken: () => 'the-token' }]
            : [];
        },
      });
      receiver = new Receiver(definition, account.credentials);
      await receiver.start();
      http = new UndiciHttpClient();
      gateway = definition.create(gatewayDeps({ http, baseUrl: simulator.baseUrl(key) }));
    });

    afterEach(async () => {
      await Promise.all([http.close(), simulator.close(), receiver.close()]);
    });

    const context = (over: Partial<GatewayContext> = {}, credentials = account.credentials): GatewayContext => ({
      clientId: 'demo_0123456789abcdef',
      configId: 'cfg_1',
      configVersion: 1,
      callbackToken: new Secret('the-token'),
      settings: account.settings,
      credentials: Object.fromEntries(Object.entries(credentials).map(([name, value]) => [name, new Secret(value)])),
      callbackUrl: (kind, id) =>
        `${receiver.origin}/webhook/${definition.slug}/${kind}/cfg_1?message_id=${id}&token=the-token`,
      signal: new AbortController().signal,
      timeoutMs: 3000,
      attempt: 1,
      ...over,
    });
    const message = (to: string, over: Partial<OutboundMessage<'sms'>> = {}): OutboundMessage<'sms'> => ({
      id: `msg_${key}${++sent}`,
      clientId: 'demo_0123456789abcdef',
      channel: 'sms',
      to,
      from: null,
      priority: 'normal',
      content: { text: `Hello ${sent} €` },
      expiresAt: Date.now() + 3600 * 1000,
      ...over,
    });
    const magic = (number: number): string => `+1500555${String(number).padStart(4, '0')}`;

    it.each([
      ['an ordinary number', '+393331234567', ['sent', 'delivered']],
      ['…0000', magic(0), ['sent', 'delivered']],
      ['…0002', magic(2), ['sent', 'undelivered']],
      ['…0008', magic(8), ['sent', 'delivered']],
      ['…0009', magic(9), ['delivered', 'sent']],
      ['…0010', magic(10), ['sent', 'delivered', 'delivered', 'delivered']],
      ['…0011', magic(11), ['sent', 'delivered', 'undelivered']],
      ['…0012', magic(12), ['sent', 'delivered', 'inbound']],
    ])('%s: accepts and calls back, signed', async (_, to, words) => {
      const out = message(to);
      const result = await gateway.send(out, context());
      await receiver.waitFor(words.length);
      expect(receiver.words).toEqual(words);
      const statuses = receiver.events.filter((event) => event.kind === 'status');
      expect(new Set(statuses.map((event) => event.externalId))).toEqual(new Set([result.externalId]));
      expect(new Set(statuses.map((event) => event.messageId))).toEqual(new Set([out.id]));
      // Equal facts have equal ids, so that the repeats can be dropped.
      expect(new Set(statuses.map((event) => event.eventId)).size).toBe(
        new Set(words.filter((word) => word !== 'inbound')).size,
      );
      expect(simulator.messages({ to, limit: 5 })).toEqual([
        expect.objectContaining({
          provider: key,
          externalId: result.externalId,
          to,
          body: out.content.text,
          reference: out.id,
          accepted: true,
        }),
      ]);
    });

    it('…0008: every callback is answered before the response comes', async () => {
      await gateway.send(message(magic(8)), context());
      expect(receiver.words).toEqual(['sent', 'delivered']);
    });

    it('…0012: the reply comes from the recipient, at the inbound URL, without the message id', async () => {
      const out = message(magic(12));
      await gateway.send(out, context());
      await receiver.waitFor(3);
      expect(receiver.events[2]).toMatchObject({
        kind: 'inbound',
        from: out.to,
        to: '+15005550100',
        text: `Re: ${out.content.text}`,
      });
      expect(receiver.urls[2]).toBe(`/webhook/${definition.slug}/inbound/cfg_1?token=the-token`);
    });

    it('…0001: refuses the number in the form of the provider', async () => {
      const providerCode = REFUSED_CODES[key];
      await expect(gateway.send(message(magic(1)), context())).rejects.toMatchObject({
        class: 'recipient_permanent',
        providerCode,
      });
      expect(simulator.messages({ to: magic(1), limit: 5 })).toMatchObject([
        { accepted: false, behaviour: 'invalid_recipient' },
      ]);
    });

    it('…0003: throttles the first try of each message, then delivers it', async () => {
      const first = message(magic(3));
      await expect(gateway.send(first, context())).rejects.toMatchObject({ class: 'throttled', retryAfterMs: 2000 });
      await gateway.send(first, context());
      await receiver.waitFor(2);
      expect(receiver.words).toEqual(['sent', 'delivered']);
      await expect(gateway.send(message(magic(3)), context())).rejects.toMatchObject({ class: 'throttled' });
    });

    it('…0004 and …0014: answer 500, the latter at Twilio only', async () => {
      await expect(gateway.send(message(magic(4)), context())).rejects.toMatchObject({
        class: 'ambiguous',
        providerCode: key === 'twilio' ? '20500' : 'http_500',
      });
      const only = gateway.send(message(magic(14)), context());
      if (key === 'twilio') await expect(only).rejects.toMatchObject({ class: 'ambiguous' });
      else await expect(only).resolves.toMatchObject({ externalId: expect.any(String) });
    });

    it.each([
      ['…0005: accepts and hangs', magic(5), 'no_answer'],
      ['…0007: accepts with a body that nobody can read', magic(7), 'unreadable_answer'],
    ])('%s; callbacks and look-ups tell of it', async (_, to, code) => {
      const out = message(to);
      const startedAt = Date.now();
      await expect(gateway.send(out, context({ timeoutMs: 300 }))).rejects.toMatchObject({ class: 'ambiguous', code });
      await receiver.waitFor(2);
      expect(receiver.events).toMatchObject([
        { status: 'sent', messageId: out.id },
        { status: 'delivered', messageId: out.id },
      ]);
      if (gateway.findSent) {
        await expect(gateway.findSent(out, startedAt, context())).resolves.toMatchObject([
          { externalId: receiver.events[0]!.externalId, status: 'delivered' },
        ]);
      }
    });

    it('…0006: resets and has accepted nothing', async () => {
      const out = message(magic(6));
      await expect(gateway.send(out, context())).rejects.toMatchObject({ class: 'ambiguous', providerCode: 'reset' });
      expect(simulator.messages({ to: out.to, limit: 5 })).toMatchObject([{ accepted: false }]);
      if (gateway.findSent) await expect(gateway.findSent(out, Date.now() - 5000, context())).resolves.toEqual([]);
    });

    it('…0013: makes no callback, but a look-up knows the message', async () => {
      const { externalId } = await gateway.send(message(magic(13)), context());
      await expect(gateway.getStatus!(externalId, context())).resolves.toMatchObject({
        externalId,
        status: 'delivered',
      });
      await expect(gateway.getStatus!('s00000000000000000000000000000000', context())).resolves.toBeNull();
      expect(simulator.stats()).toEqual({ received: 1, callbacks: { made: 0, failed: 0, dropped: 0 }, unfinished: 0 });
    });

    it('refuses wrong credentials in the form of the provider, everywhere', async () => {
      const secret = SECRETS[key]!;
      for (const value of ['', 'invalid-secret']) {
        const wrong = context(
          { configVersion: 2 + ['', 'invalid-secret'].indexOf(value) },
          { ...account.credentials, [secret]: value },
        );
        await expect(gateway.send(message(magic(0)), wrong)).rejects.toMatchObject({
          class: 'config',
          code: 'bad_credentials',
        });
        await expect(gateway.healthCheck(wrong)).resolves.toMatchObject({ healthy: false, errorClass: 'config' });
      }
      await expect(gateway.healthCheck(context())).resolves.toEqual({ healthy: true });
      expect(simulator.stats().received).toBe(0);
    });

    it('tries a callback again when it is not answered with success', async () => {
      receiver.statuses = [503, 200, 200];
      await gateway.send(message(magic(0)), context());
      await receiver.waitFor(2);
      expect(receiver.words).toEqual(['sent', 'delivered']);
      expect(receiver.urls).toHaveLength(3);
    });

    it('counts segments and finds the characters that the request could carry', async () => {
      const text = 'ж'.repeat(80);
      const result = await gateway.send(message('+393331234567', { content: { text } }), context());
      expect(result.segments).toBe(2);
      expect(simulator.messages({ provider: key, limit: 1 })[0]!.body).toBe(text);
      await receiver.waitFor(key === 'vonage' ? 4 : 2);
      expect(receiver.words).toEqual(
        key === 'vonage' ? ['sent', 'sent', 'delivered', 'delivered'] : ['sent', 'delivered'],
      );
    });

    it('ends at once, also while a request hangs and callbacks wait', async () => {
      receiver.statuses = [503];
      const hanging = gateway.send(message(magic(5)), context({ timeoutMs: 20_000 })).catch((error: unknown) => error);
      await once(receiver, 'callback');
      await simulator.close();
      expect(await hanging).toMatchObject({ class: 'ambiguous' });
      simulator = await Simulator.start({ standIn: () => undefined });
    });
  },
);

describe('simulator', () => {
  let simulator: Simulator;
  let http: UndiciHttpClient;
  beforeEach(async () => {
    simulator = await Simulator.start({ standIn: (name) => SMS_PROVIDERS.find((one) => one.key === name)?.simulator });
    http = new UndiciHttpClient();
  });
  afterEach(async () => {
    await Promise.all([http.close(), simulator.close()]);
  });

  const call = (method: 'GET' | 'POST', url: string, body?: string, headers: Record<string, string> = {}) =>
    http.request({ method, url, ...(body !== undefined && { body }), headers, timeoutMs: 3000 });
  const basic = `Basic ${Buffer.from(`AC${'1'.repeat(32)}:token`).toString('base64')}`;
  const twilioSend = (form: string, type = 'application/x-www-form-urlencoded') =>
    call('POST', `${simulator.baseUrl('twilio')}/2010-04-01/Accounts/AC${'1'.repeat(32)}/Messages.json`, form, {
      authorization: basic,
      'content-type': type,
    });

  it.each([
    ['an unknown parameter', 'To=%2B15005550000&From=%2B15005550100&Body=x&Boddy=y', 20001],
    ['no recipient', 'From=%2B15005550100&Body=x', 21604],
    ['a recipient without +', 'To=15005550000&From=%2B15005550100&Body=x', 21211],
    ['no sender', 'To=%2B15005550000&Body=x', 21603],
    ['no body', 'To=%2B15005550000&From=%2B15005550100', 21602],
    ['a long body', `To=%2B15005550000&From=%2B15005550100&Body=${'x'.repeat(1601)}`, 21617],
    ['a callback that is no URL', 'To=%2B15005550000&From=%2B15005550100&Body=x&StatusCallback=nonsense', 21609],
    ['a validity of 0', 'To=%2B15005550000&From=%2B15005550100&Body=x&ValidityPeriod=0', 21624],
  ])('Twilio refuses %s', async (_, form, code) => {
    const response = await twilioSend(form);
    expect([response.status, JSON.parse(response.body.toString())]).toEqual([
      400,
      expect.objectContaining({ code, status: 400 }),
    ]);
  });

  it('Twilio refuses JSON, another account in the path, and a missing authorization', async () => {
    expect((await twilioSend('{}', 'application/json')).status).toBe(415);
    const path = `${simulator.baseUrl('twilio')}/2010-04-01/Accounts/AC${'2'.repeat(32)}.json`;
    expect((await call('GET', path, undefined, { authorization: basic })).status).toBe(401);
    expect((await call('GET', path)).status).toBe(401);
  });

  it('Twilio tells the balance', async () => {
    const url = `${simulator.baseUrl('twilio')}/2010-04-01/Accounts/AC${'1'.repeat(32)}/Balance.json`;
    const response = await call('GET', url, undefined, { authorization: basic });
    expect(JSON.parse(response.body.toString())).toMatchObject({ balance: '100.00', currency: 'USD' });
  });

  it('Vonage takes JSON with Basic as its SDK sends it, and loses characters that type=text cannot carry', async () => {
    const authorization = `Basic ${Buffer.from('abcd1234:secret').toString('base64')}`;
    const body = JSON.stringify({ from: 'Acme', to: '15005550013', text: 'жa€' });
    const response = await call('POST', `${simulator.baseUrl('vonage')}/sms/json`, body, {
      authorization,
      'content-type': 'application/json',
    });
    expect(JSON.parse(response.body.toString())).toMatchObject({
      'message-count': '1',
      messages: [{ status: '0', to: '15005550013' }],
    });
    expect(simulator.messages({ limit: 1 })[0]!.body).toBe('?a€');
  });

  it.each([
    [
      'an unknown parameter',
      { api_key: 'abcd1234', api_secret: 's', from: 'A', to: '15005550000', text: 'x', nonsense: '1' },
      '3',
    ],
    ['no recipient', { api_key: 'abcd1234', api_secret: 's', from: 'A', text: 'x' }, '2'],
    ['a recipient with +', { api_key: 'abcd1234', api_secret: 's', from: 'A', to: '+15005550000', text: 'x' }, '3'],
    [
      'a ttl in seconds',
      { api_key: 'abcd1234', api_secret: 's', from: 'A', to: '15005550000', text: 'x', ttl: '3600' },
      '3',
    ],
    ['an empty key', { api_key: '', api_secret: 's', from: 'A', to: '15005550000', text: 'x' }, '4'],
  ])('Vonage refuses %s with HTTP 200', async (_, fields, status) => {
    const body = new URLSearchParams(fields as unknown as Record<string, string>).toString();
    const response = await call('POST', `${simulator.baseUrl('vonage')}/sms/json`, body, {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect([response.status, JSON.parse(response.body.toString())]).toMatchObject([200, { messages: [{ status }] }]);
  });

  it('answers 404 for a provider that it does not have, 413 for a huge body, and lives on', async () => {
    expect((await call('GET', simulator.baseUrl('nobody'))).status).toBe(404);
    const huge = await call('POST', simulator.baseUrl('twilio'), 'x'.repeat(41 * 1024 * 1024)).then(
      ({ status }) => status,
      () => 'cut off',
    );
    expect([413, 'cut off']).toContain(huge);
    const stats = await call('GET', simulator.baseUrl('stats'));
    expect(JSON.parse(stats.body.toString())).toMatchObject({ received: 0, unfinished: 0 });
  });

  it('lists every magic recipient, each once, for the documents', () => {
    const named = MAGIC_RECIPIENTS.map(({ channel, recipient }) => `${channel} ${recipient}`);
    expect(new Set(named).size).toBe(named.length);
    const table = magicRecipientsTable();
    for (const { recipient, description } of MAGIC_RECIPIENTS) {
      const row = table.split('\n').find((line) => line.startsWith(`| ${description} |`));
      expect(row).toContain(`\`${recipient}\``);
    }
    const rowOf = (behaviour: string) => table.split('\n').find((line) => line.includes(`simulator-${behaviour}\``))!;
    expect(rowOf('late-bounce')).toContain('`simulator-late-bounce` \\* |');
    expect(rowOf('invalid-recipient')).not.toContain('\\*');
  });
});
