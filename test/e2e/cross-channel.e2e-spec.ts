import { randomBytes } from 'node:crypto';
import { sendgrid } from '../../src/channels/email/providers/sendgrid.provider';
import type { Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { twilioCallback } from '../support/scripted-twilio';

/** The stand-ins' verification key: the example of the field. */
const SIMULATOR_KEY = sendgrid.credentials.webhook_signing_key!.example;
const UNDELIVERED = '+15005550002';

describe('a tenant with several channels', () => {
  let service: Service;
  let tenant: Tenant;
  let whatsappToken: string;
  let whatsapp: { id: string; account: string };

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', TWILIO_BASE_URL: '', VONAGE_BASE_URL: '' });
    tenant = await service.tenant({ sms: null, vonage: false });
    const key = `SG.${randomBytes(16).toString('hex')}`;
    whatsappToken = randomBytes(16).toString('hex');
    service.secrets.add(key).add(whatsappToken);
    const mail = await tenant.api.post('/communication/sendgrid/configs', {
      display_name: 'SendGrid',
      status: 'active',
      credentials: { api_key: key, webhook_signing_key: SIMULATOR_KEY },
      from_email: 'orders@example.com',
      enable_open_tracking: true,
    });
    assertStatus(mail, 201);
    const account = `AC${randomBytes(16).toString('hex')}`;
    const config = await tenant.api.post('/communication/twilio-whatsapp/configs', {
      display_name: 'WhatsApp',
      status: 'active',
      credentials: { account_sid: account, auth_token: whatsappToken },
      from_number: '+15005550006',
    });
    assertStatus(config, 201);
    whatsapp = { id: config.body.data.id, account };
    const gateways = {
      sms: { primary: 'twilio' },
      email: { primary: 'sendgrid' },
      whatsapp: { primary: 'twilio_whatsapp' },
    };
    assertStatus(await tenant.api.put('/v1/gateways', { gateways }), 200);
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  const send = async (channel: string, body: object): Promise<string> => {
    const sent = await tenant.api.post(`/v1/${channel}/send`, body);
    assertStatus(sent, 202);
    return sent.body.data.message_id;
  };
  const followed = async (id: string): Promise<{ message: Wire; fallback: Wire }> => {
    const message = await tenant.until(id, ({ on_undelivered: list }) => list[0].status === 'sent');
    return { message, fallback: message.on_undelivered[0] };
  };

  it('sends an email when an SMS is not delivered', async () => {
    const id = await send('sms', {
      to: UNDELIVERED,
      message: 'Your parcel is here.',
      on_undelivered: [
        {
          channel: 'email',
          after_seconds: 3600,
          to: 'Ada@example.net',
          subject: 'Parcel',
          text: 'Your parcel is here.',
        },
      ],
    });
    const { message, fallback } = await followed(id);
    expect(message.status).toBe('undelivered');
    expect(fallback).toMatchObject({ channel: 'email', after_seconds: 3600 });
    expect(await tenant.until(fallback.message_id, ({ status }) => status === 'delivered')).toMatchObject({
      channel: 'email',
      gateway: 'sendgrid',
      fallback_of: id,
      content: { subject: 'Parcel' },
      engagement: { opens: 0 },
    });
  });

  it('sends an SMS when an email bounces, and writes to that address no more', async () => {
    const to = `hard-bounce+${randomBytes(4).toString('hex')}@simulator.test`;
    const number = freshNumber();
    const on_undelivered = [{ channel: 'sms', after_seconds: 600, to: number, message: 'Please call us.' }];
    const id = await send('email', { to, subject: 'Invoice', text: 'x', on_undelivered });
    const { message, fallback } = await followed(id);
    expect(message).toMatchObject({ status: 'undelivered', engagement: { bounces: 1, bounce_type: 'hard' } });
    expect(await tenant.until(fallback.message_id, ({ status }) => status === 'delivered')).toMatchObject({
      channel: 'sms',
      to: number,
      fallback_of: id,
    });
    const list = await tenant.api.get(`/v1/suppressions?channel=email&recipient=${encodeURIComponent(to)}`);
    expect(list.body.data).toEqual([expect.objectContaining({ reason: 'hard_bounce', message_id: id })]);
    // The next one is not even tried, and its fallback goes out at once.
    const next = await followed(await send('email', { to, subject: 'Invoice', text: 'x', on_undelivered }));
    expect(next.message).toMatchObject({ status: 'failed', error_code: 'suppressed', attempts: [] });
  });

  it.each([
    ['complained', 'complaint', 'complaints'],
    ['unsubscribed', 'unsubscribe', 'unsubscribes'],
  ])('writes no more to somebody who %s', async (behaviour, reason, count) => {
    const to = `${behaviour}+${randomBytes(4).toString('hex')}@simulator.test`;
    const id = await send('email', { to, subject: 'News', text: 'x' });
    await tenant.until(id, ({ engagement }) => engagement[count] === 1);
    const also = await send('email', { to: ['someone@example.net', to.toUpperCase()], subject: 'News', text: 'x' });
    expect(await tenant.until(also, ({ final }) => final)).toMatchObject({
      status: 'failed',
      error_code: 'suppressed',
    });
    const list = await tenant.api.get(`/v1/suppressions?recipient=${encodeURIComponent(to)}`);
    expect(list.body.data).toEqual([expect.objectContaining({ channel: 'email', reason, source: 'provider' })]);
    expect((await tenant.events(`email.${behaviour}`)).filter(({ data }) => data.message_id === id)).toHaveLength(1);
  });

  it('takes STOP and START on WhatsApp for WhatsApp', async () => {
    const number = freshNumber();
    const writes = async (text: string) => {
      const sid = `SM${randomBytes(16).toString('hex')}`;
      const answer = await twilioCallback({
        url: `${service.url}/webhook/twilio-whatsapp/inbound/${whatsapp.id}`,
        authToken: whatsappToken,
        fields: {
          AccountSid: whatsapp.account,
          MessageSid: sid,
          SmsMessageSid: sid,
          From: `whatsapp:${number}`,
          To: 'whatsapp:+15005550006',
          Body: text,
          NumMedia: '0',
          NumSegments: '1',
        },
      });
      expect(answer.status).toBe(200);
    };
    await writes('Stop');
    const refused = await send('whatsapp', { to: number, message: 'x' });
    expect(await tenant.until(refused, ({ final }) => final)).toMatchObject({ error_code: 'suppressed' });
    await tenant.until(await send('sms', { to: number, message: 'x' }), ({ status }) => status === 'delivered');
    await writes('Start');
    await tenant.until(await send('whatsapp', { to: number, message: 'x' }), ({ status }) => status === 'delivered');
  });
});
