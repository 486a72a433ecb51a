import { WHATSAPP_PROVIDERS } from '../../src/channels/whatsapp/whatsapp.providers';
import type { Gateway, OutboundMessage } from '../../src/gateway/contracts/gateway';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { Simulator } from '../../src/simulator/simulator';
import { contextFor, type SampleAccount } from '../contract/provider.contract';
import { gatewayDeps } from '../support/gateway-deps';

const ACCOUNTS: Record<string, SampleAccount> = {
  meta_cloud: {
    settings: { default_language_code: 'en' },
    credentials: {
      access_token: 'token-1',
      phone_number_id: '106540352242922',
      business_account_id: '419561257915477',
      webhook_verify_token: 'verify-1',
      app_secret: 'secret-1',
    },
  },
  twilio_whatsapp: {
    settings: { from_number: '+15005550100' },
    credentials: { account_sid: `AC${'1'.repeat(32)}`, auth_token: 'token-1' },
  },
};

let simulator: Simulator;
let http: UndiciHttpClient;

beforeEach(async () => {
  simulator = await Simulator.start({
    standIn: (name) => WHATSAPP_PROVIDERS.find(({ key }) => key === name)?.simulator,
    callbackDelayMs: 0,
  });
  http = new UndiciHttpClient();
});
afterEach(async () => {
  await Promise.all([http.close(), simulator.close()]);
});

describe.each(WHATSAPP_PROVIDERS.map((definition) => [definition.key, definition] as const))(
  'simulated %s',
  (key, definition) => {
    const account = ACCOUNTS[key]!;
    let gateway: Gateway;
    let sent = 0;
    beforeEach(() => {
      gateway = definition.create(gatewayDeps({ http, baseUrl: simulator.baseUrl(key) }));
    });

    const message = (to: string, over: Partial<OutboundMessage<'whatsapp'>> = {}): OutboundMessage<'whatsapp'> => ({
      id: `msg_${key}${++sent}`,
      clientId: 'demo_0123456789abcdef',
      channel: 'whatsapp',
      to,
      from: null,
      priority: 'normal',
      content: { text: `Hello ${sent} €` },
      expiresAt: Date.now() + 3600 * 1000,
      ...over,
    });

    it('takes a message, and keeps what it says and whose it is', async () => {
      const out = message('+393331234567');
      const { externalId } = await gateway.send(out, contextFor(account));
      expect(simulator.messages({ to: out.to, limit: 5 })).toEqual([
        expect.objectContaining({
          provider: key,
          externalId,
          body: out.content.text,
          from: '+15005550100',
          reference: out.id,
          accepted: true,
        }),
      ]);
    });

    it('throttles the first try of a message, then takes it', async () => {
      const out = message('+15005550003');
      const failure = { class: 'throttled', retryAfterMs: 2000 };
      await expect(gateway.send(out, contextFor(account))).rejects.toMatchObject(failure);
      await expect(gateway.send(out, contextFor(account))).resolves.toMatchObject({ externalId: expect.any(String) });
    });

    it.each([
      ['an unknown recipient', '+15005550001', { class: 'recipient_permanent' }, false],
      ['HTTP 500', '+15005550004', { class: 'ambiguous', code: 'provider_error' }, false],
      ['no answer', '+15005550005', { class: 'ambiguous', providerCode: 'timeout' }, true],
      ['a reset', '+15005550006', { class: 'ambiguous', providerCode: 'reset' }, false],
      ['an answer that nobody can read', '+15005550007', { class: 'ambiguous', code: 'unreadable_answer' }, true],
    ])('fails with %s', async (_, to, failure, accepted) => {
      await expect(gateway.send(message(to), contextFor(account, { timeoutMs: 300 }))).rejects.toMatchObject(failure);
      expect(simulator.messages({ to, limit: 5 })).toMatchObject([{ accepted }]);
    });

    it('refuses wrong credentials as the provider does', async () => {
      const secret = { meta_cloud: 'access_token', twilio_whatsapp: 'auth_token' }[key]!;
      for (const value of ['', 'invalid-secret']) {
        const wrong = contextFor({ ...account, credentials: { ...account.credentials, [secret]: value } });
        await expect(gateway.send(message('+393331234567'), wrong)).rejects.toMatchObject({
          class: 'config',
          code: 'bad_credentials',
        });
        await expect(gateway.healthCheck(wrong)).resolves.toMatchObject({ healthy: false, errorClass: 'config' });
      }
      await expect(gateway.healthCheck(contextFor(account))).resolves.toEqual({ healthy: true });
    });
  },
);

describe('what the stand-ins refuse', () => {
  const ask = async (provider: string, path: string, type: string, body: string, authorization: string) => {
    const response = await http.request({
      method: 'POST',
      url: simulator.baseUrl(provider) + path,
      headers: { authorization, 'content-type': type },
      body,
      timeoutMs: 3000,
    });
    return [response.status, JSON.parse(response.body.toString())] as const;
  };
  const valid = { messaging_product: 'whatsapp', to: '+15005550000', type: 'text', text: { body: 'x' } };
  const template = { name: 'a', language: { code: 'en_US' } };
  const asMeta = (body: unknown, type = 'application/json', path = '/v23.0/106540352242922/messages') =>
    ask('meta_cloud', path, type, typeof body === 'string' ? body : JSON.stringify(body), 'Bearer token-1');

  it.each<[string, unknown, number]>([
    ['another product', { ...valid, messaging_product: 'sms' }, 131009],
    ['no product', { ...valid, messaging_product: undefined }, 131008],
    ['a group', { ...valid, recipient_type: 'group' }, 131009],
    ['no recipient', { ...valid, to: undefined }, 131008],
    ['a recipient that is no number', { ...valid, to: 'Ann' }, 131009],
    ['an unknown type', { ...valid, type: 'telepathy' }, 131051],
    ['a type without its object', { ...valid, type: 'image' }, 131008],
    ['an unknown key', { ...valid, texts: {} }, 100],
    ['a long text', { ...valid, text: { body: 'x'.repeat(4097) } }, 131009],
    ['a preview that is no boolean', { ...valid, text: { body: 'x', preview_url: 'yes' } }, 131009],
    ['a long reference', { ...valid, biz_opaque_callback_data: 'x'.repeat(513) }, 131009],
    ['a template without a language', { ...valid, type: 'template', text: undefined, template: { name: 'a' } }, 131008],
    [
      'a language with a hyphen',
      { ...valid, type: 'template', text: undefined, template: { ...template, language: { code: 'en-US' } } },
      131009,
    ],
    [
      'a parameter that is a number',
      {
        ...valid,
        type: 'template',
        text: undefined,
        template: { ...template, components: [{ type: 'body', parameters: [{ type: 'text', text: 1 }] }] },
      },
      131009,
    ],
    ['nothing', 'null', 100],
    ['half a JSON text', '{"to":', 100],
  ])('Meta: %s', async (_, body, code) => {
    expect(await asMeta(body)).toEqual([400, { error: expect.objectContaining({ code, type: 'OAuthException' }) }]);
    expect(simulator.stats().received).toBe(0);
  });

  it('Meta: a form, and another path', async () => {
    expect(await asMeta('to=x', 'application/x-www-form-urlencoded')).toMatchObject([400, { error: { code: 100 } }]);
    expect(await asMeta(valid, 'application/json', '/106540352242922/messages')).toMatchObject([400, {}]);
    expect(await asMeta(valid)).toMatchObject([200, { contacts: [{ input: '+15005550000', wa_id: '15005550000' }] }]);
  });

  it.each([
    ['a number without its prefix', 'To=%2B15005550000&From=whatsapp%3A%2B15005550100&Body=x', 21211],
    ['a sender without its prefix', 'To=whatsapp%3A%2B15005550000&From=%2B15005550100&Body=x', 63007],
    ['nothing to say', 'To=whatsapp%3A%2B15005550000&From=whatsapp%3A%2B15005550100', 21602],
    ['a template by name', 'To=whatsapp%3A%2B15005550000&From=whatsapp%3A%2B15005550100&ContentSid=hello', 21655],
    [
      'variables that are a list',
      `To=whatsapp%3A%2B15005550000&From=whatsapp%3A%2B15005550100&ContentSid=HX${'a'.repeat(32)}&ContentVariables=%5B1%5D`,
      21656,
    ],
    [
      'media without an address',
      'To=whatsapp%3A%2B15005550000&From=whatsapp%3A%2B15005550100&MediaUrl=nonsense',
      21620,
    ],
  ])('Twilio: %s', async (_, form, code) => {
    const sid = `AC${'1'.repeat(32)}`;
    const path = `/2010-04-01/Accounts/${sid}/Messages.json`;
    const basic = `Basic ${Buffer.from(`${sid}:token`).toString('base64')}`;
    expect(await ask('twilio_whatsapp', path, 'application/x-www-form-urlencoded', form, basic)).toEqual([
      400,
      expect.objectContaining({ code }),
    ]);
  });
});
