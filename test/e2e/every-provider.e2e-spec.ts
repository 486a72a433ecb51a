import type { Channel } from '../../src/kernel/channel';
import { PROVIDERS, SENDERS } from '../../src/providers';
import { assertStatus, freshNumber, logLines, Service, type Tenant } from '../support/e2e-service';

/** What a first message on each channel says. */
const BODIES: Readonly<Record<Channel, () => object>> = {
  sms: () => ({ to: freshNumber(), message: 'Grüße, π and 😀' }),
  whatsapp: () => ({ to: '+15005550015', message: 'Grüße, π and 😀' }),
  email: () => ({ to: 'delivered@simulator.test', subject: 'Grüße', text: 'π and 😀' }),
  telegram: () => ({ to: '5005550000', message: 'Grüße, π and 😀' }),
  push: () => ({ target: { device_token: 'simulator-delivered' }, title: 'Grüße', body: 'π and 😀' }),
};

describe('every provider, against its stand-in', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
  });
  afterAll(() => service.stop());

  it('is one of the twelve of the contract', () => {
    expect(SENDERS.map(({ channel, key }) => `${channel} ${key}`).sort()).toEqual(
      [
        ...['elks', 'skebby', 'smpp', 'twilio', 'vonage'].map((key) => `sms ${key}`),
        ...['meta_cloud', 'twilio_whatsapp'].map((key) => `whatsapp ${key}`),
        ...['mailgun', 'sendgrid', 'smtp'].map((key) => `email ${key}`),
        'telegram telegram_bot',
        'push fcm',
      ].sort(),
    );
  });

  // Agile Telecom takes messages in only: nothing can be sent by it. What comes in by it is tried in numbers.e2e-spec.ts.
  it('beside one that sends none', () => {
    expect(PROVIDERS.filter((one) => !SENDERS.includes(one)).map(({ key }) => key)).toEqual(['agile']);
  });

  it.each(SENDERS.map((definition) => [definition.key, definition] as const))(
    '%s: an account is set up, is healthy, sends, and learns what became of it',
    async (key, { channel, slug, simulator, capabilities }) => {
      const account = simulator.account();
      for (const value of Object.values(account.credentials)) if (value.length > 12) service.secrets.add(value);
      const made = await tenant.api.post(`/communication/${slug}/configs/`, {
        ...account,
        display_name: key,
        status: 'active',
      });
      assertStatus(made, 201);
      const { id } = made.body.data;
      const routes = await tenant.api.get('/v1/gateways');
      const gateways = { ...routes.body.data.gateways, [channel]: { primary: key } };
      assertStatus(await tenant.api.put('/v1/gateways', { gateways }), 200);
      const tested = await tenant.api.post(`/communication/${slug}/configs/${id}/test`);
      expect([tested.status, tested.body.data.healthy, tested.body.data.error]).toEqual([200, true, undefined]);

      const sent = await tenant.api.post(`/v1/${channel}/send`, BODIES[channel]());
      assertStatus(sent, 202);
      const final = capabilities.status === 'push' ? ['delivered', 'read'] : ['sent'];
      const message = await tenant.until(sent.body.data.message_id, ({ status }) => final.includes(status));
      expect(message).toMatchObject({
        gateway: key,
        config_id: id,
        attempts: [{ outcome: 'accepted', config_id: id }],
      });
      const received = await service.anonymous.get(`/simulator/messages?provider=${key}`);
      expect(received.body.data).toHaveLength(1);
      expect(received.body.data[0].body).toContain('π and 😀');
    },
  );

  it('tells nobody a secret on the way', () => {
    expect(logLines.length).toBeGreaterThan(0);
    expect([...service.secrets].filter((secret) => logLines.join('\n').includes(secret))).toEqual([]);
  });
});
