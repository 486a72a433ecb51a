import { PROVIDERS } from '../../src/providers';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';

const TEXT = 'Grüße + & = % "q" <b>\r\n你好 مرحبا 👩‍👩‍👧';
const SOURCES = PROVIDERS.filter(({ simulator }) => simulator.inbound !== undefined);
const IN_PARTS = SOURCES.filter(({ simulator }) => simulator.inboundParts);

describe('a person who writes, played by the simulator', () => {
  let service: Service;
  let tenant: Tenant;
  let client: ClientReceiver;
  const accounts = new Map<string, { configId: string; number: string }>();

  const text = (body: object) => service.anonymous.post('/simulator/inbound', body);
  const inbound = async (from: string): Promise<Wire[]> => {
    const { body } = await tenant.api.get(`/v1/inbound?from=${encodeURIComponent(from)}`);
    return body.data;
  };
  const arrives = async (from: string, count = 1): Promise<Wire[]> =>
    eventually(
      () => inbound(from),
      (list) => list.length >= count,
    );
  const person = (channel: string): string =>
    channel === 'telegram' ? String(7_000_000 + Math.floor(Math.random() * 1e6)) : freshNumber();

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    client = await ClientReceiver.start((response) => response.end('+OK'));
    for (const { key, slug, channel, simulator } of SOURCES) {
      const account = simulator.account();
      for (const value of Object.values(account.credentials)) if (value.length > 12) service.secrets.add(value);
      const body = { ...account, display_name: key, status: 'active' };
      const made = await tenant.api.post(`/communication/${slug}/configs/`, body);
      assertStatus(made, 201);
      const number = channel === 'telegram' ? 'acme_bot' : freshNumber('+39350');
      const delivery = [{ type: 'webhook', url: client.url, format: 'form' }];
      const assigned = await tenant.api.post('/v1/numbers', { number, provider: slug, delivery });
      assertStatus(assigned, 201);
      accounts.set(key, { configId: made.body.data.id, number });
    }
    // The connection is made beside the answer.
    await eventually(
      async () => {
        const to = accounts.get('smpp')!.number;
        const played = await text({ provider: 'smpp', from: freshNumber(), to, text: 'hello?' });
        assertStatus(played, 200);
        return played.body.data;
      },
      ({ accepted }) => accepted,
    );
  });
  afterAll(async () => {
    await client.close();
    await service.stop();
  });

  it('comes by every source that people can write to', () => {
    const keys = PROVIDERS.filter(({ capabilities }) => capabilities.inbound).map(({ key }) => key);
    expect(SOURCES.map(({ key }) => key)).toEqual(keys);
  });

  it.each(SOURCES.map((definition) => [definition.slug, definition] as const))(
    '%s: the text arrives, in the log and at the receiver, exactly and once, however often it is handed over',
    async (slug, { key, channel }) => {
      const { configId, number } = accounts.get(key)!;
      const from = person(channel);
      // SMPP has no ids: what was acknowledged and comes again is another message.
      const repeat = key === 'smpp' ? 1 : 3;
      const played = await text({ provider: slug, from, to: number, text: TEXT, repeat });
      assertStatus(played, 200);
      expect(played.body.data).toMatchObject({ provider: slug, config_id: configId, accepted: true });
      expect(played.body.data.answers).toHaveLength(repeat);
      expect(JSON.stringify(played.body)).not.toContain('token=');
      const list = await arrives(from);
      expect(list).toMatchObject([
        { from, to: number, text: TEXT, gateway: key, config_id: configId, channel, state: 'received' },
      ]);
      await eventually(
        () => client.received.filter(({ body }) => new URLSearchParams(body).get('originator') === from),
        (received) => received.length > 0,
      );
      const bodies = client.received.map(({ body }) => Object.fromEntries(new URLSearchParams(body)));
      expect(bodies.filter(({ originator }) => originator === from)).toMatchObject([
        { originator: from, destination: number, text: TEXT },
      ]);
    },
  );

  it.each(IN_PARTS.map((definition) => [definition.slug, definition.key] as const))(
    '%s: a long text comes in parts and is joined',
    async (slug, key) => {
      const { number } = accounts.get(key)!;
      const [long, cut] = [`${'Zażółć gęślą jaźń 👋 '.repeat(20)}end`, 'four parts of it'];
      for (const [body, parts] of [
        [long, undefined],
        [cut, 4],
      ] as const) {
        const from = freshNumber();
        const played = await text({ provider: slug, from, to: number, text: body, ...(parts && { parts }) });
        assertStatus(played, 200);
        expect(played.body.data.answers.length).toBeGreaterThanOrEqual(parts ?? 5);
        expect(await arrives(from)).toMatchObject([{ text: body }]);
      }
    },
  );

  it('finds the account by the number, else takes the oldest of the provider, else the one that is named', async () => {
    const { configId, number } = accounts.get('twilio')!;
    const { twilio } = await service.tenant({ vonage: false, sms: null });
    const from = freshNumber();
    const ask = async (more: object): Promise<string> => {
      const played = await text({ provider: 'twilio', from, to: '+15005550999', text: 'x', ...more });
      assertStatus(played, 200);
      expect(played.body.data.accepted).toBe(true);
      return played.body.data.config_id;
    };
    expect(await ask({ to: number })).toBe(configId);
    expect(await ask({})).toBe(configId);
    expect(await ask({ config_id: twilio.id })).toBe(twilio.id);
    // What nobody has is kept, and told.
    const list = await arrives(from, 2);
    expect(list.map(({ to, state }) => `${to} ${state}`).sort()).toEqual(
      ['+15005550999 unmatched', `${number} received`].sort(),
    );
    const alerts = await tenant.api.get('/v1/alerts?alert=inbound_unmatched&subject=%2B15005550999');
    expect(alerts.body.data).toMatchObject([{ state: 'open', data: { gateway: 'twilio', config_id: configId } }]);
  });

  it.each([
    [{ provider: 'sendgrid' }, 400, 'provider'],
    [{ provider: 'nobody' }, 400, 'provider'],
    [{ provider: undefined }, 400, 'provider'],
    [{ from: 'someone@example.com' }, 400, 'from'],
    [{ from: 7 }, 400, 'from'],
    [{ to: undefined }, 400, 'to'],
    [{ text: '' }, 400, 'text'],
    [{ text: 'a\u0000b' }, 400, 'text'],
    [{ text: 'x'.repeat(4097) }, 400, 'text'],
    [{ parts: 2 }, 400, 'parts'],
    [{ provider: 'vonage', parts: 21 }, 400, 'parts'],
    [{ repeat: 11 }, 400, 'repeat'],
    [{ repeat: 0 }, 400, 'repeat'],
    [{ colour: 'red' }, 400, 'colour'],
    [{ provider: 'telegram', from: '+393331234567' }, 400, 'from'],
    [{ config_id: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' }, 404, undefined],
    [{ config_id: 'x' }, 404, undefined],
  ])('refuses what is wrong (%#)', async (more, status, field) => {
    const answer = await text({ provider: 'twilio', from: '+393331234567', to: '+15005550006', text: 'x', ...more });
    expect([answer.status, answer.body.errors?.[0]?.field]).toEqual([status, field]);
  });

  it('says that a provider has no active account', async () => {
    const { configId } = accounts.get('skebby')!;
    assertStatus(await tenant.api.post(`/communication/skebby/configs/${configId}/pause`), 200);
    const answer = await text({ provider: 'skebby', from: '+393331234567', to: '+15005550006', text: 'x' });
    expect([answer.status, answer.body.code]).toEqual([422, 'no_gateway_available']);
    assertStatus(await tenant.api.post(`/communication/skebby/configs/${configId}/resume`), 200);
  });

  it.each(SOURCES.filter(({ key }) => key !== 'smpp').map((definition) => [definition.slug, definition] as const))(
    '%s: what was not signed for this account changes nothing',
    async (slug, { key, channel, callbacks }) => {
      const { configId, number } = accounts.get(key)!;
      const rival = await service.tenant({ twilio: false, vonage: false, sms: null });
      const account = PROVIDERS.find((one) => one.key === key)!.simulator.account();
      const made = await rival.api.post(`/communication/${slug}/configs/`, {
        ...account,
        display_name: 'rival',
        status: 'active',
      });
      assertStatus(made, 201);
      const from = person(channel);
      const played = await text({ provider: slug, from, to: number, text: 'x', config_id: made.body.data.id });
      assertStatus(played, 200);
      // It is a message of the rival's account, whatever number it names.
      const kind = callbacks.inbound ? 'inbound' : 'events';
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      for (const path of [`/webhook/${slug}/${kind}/${configId}`, `/webhook/${slug}/${kind}/${configId}?token=wrong`]) {
        const forged = await fetch(service.url + path, { method: 'POST', headers, body: `From=${from}&Body=x` });
        expect(forged.status).toBe(401);
      }
      expect(await inbound(from)).toEqual([]);
    },
  );

  it('tells nobody a secret on the way', () => {
    const shown = service.recorder.answers.filter(({ path }) => path === '/simulator/inbound');
    expect(shown.length).toBeGreaterThan(20);
    for (const secret of service.secrets) for (const answer of shown) expect(answer.text).not.toContain(secret);
  });
});
