import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { ApiClient } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, Service, type Tenant } from '../support/e2e-service';
import { twilioCallback } from '../support/scripted-twilio';
import { ScriptedSmtp } from '../support/scripted-smtp';
import { until } from '../support/until';

const TEXT = 'Hej + & = 👋\nrad två';

/** What `GET /v1/inbound/{id}` shows, as far as it is looked into here. */
interface ShownDelivery {
  type: string;
  status: string;
  tries: Array<{ at: string; latency_ms: number; status_code?: number; error?: string; response?: string }>;
}

describe('inbound messages', () => {
  let service: Service;
  let tenant: Tenant;
  let otherSecret: string;
  const receivers: ClientReceiver[] = [];

  const receiver = async (body: string, status = 200): Promise<ClientReceiver> => {
    const one = await ClientReceiver.start((response) => void response.writeHead(status).end(body));
    receivers.push(one);
    return one;
  };
  const addNumber = async (number: string, delivery: object[], more: object = {}): Promise<string> => {
    const made = await tenant.api.post('/v1/numbers', { number, provider: 'twilio', delivery, ...more });
    assertStatus(made, 201);
    return made.body.data.id as string;
  };
  const text = async (to: string): Promise<string> => {
    const sid = `SM${randomBytes(16).toString('hex')}`;
    const answer = await twilioCallback({
      url: `${service.url}/webhook/twilio/inbound/${tenant.twilio.id}`,
      authToken: tenant.twilio.authToken,
      fields: {
        AccountSid: tenant.twilio.accountSid,
        MessageSid: sid,
        From: '+393331234567',
        To: to,
        Body: TEXT,
        NumMedia: '0',
      },
    });
    expect(answer.status).toBe(200);
    const found = await until('it is listed', async () => {
      const { body } = await tenant.api.get(`/v1/inbound?number=${encodeURIComponent(to)}`);
      return body.data[0] as { id: string } | undefined;
    });
    return found.id;
  };
  const deliveries = async (id: string, api: ApiClient = tenant.api): Promise<ShownDelivery[]> => {
    const { body } = await api.get(`/v1/inbound/${id}`);
    return body.data.deliveries as ShownDelivery[];
  };
  const settled = (id: string, status: string) =>
    until(`all are ${status}`, async () => {
      const all = await deliveries(id);
      return all.length > 0 && all.every((one) => one.status === status) ? all : null;
    });

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_SIMULATOR: 'on', UNIMSG_DEMO: 'off' });
    tenant = await service.tenant();
    const other = await service.admin.post('/admin/tenants', { name: 'Other' });
    assertStatus(other, 201);
    otherSecret = other.body.data.webhook_signing_secret as string;
  });
  afterAll(async () => {
    await Promise.all(receivers.map((one) => one.close()));
    await service.stop();
  });

  it('reach each receiver of the number in its own way, and the log tells how', async () => {
    const form = await receiver('+OK\n', 500);
    const json = await receiver('', 202);
    await addNumber('+46700000010', [
      { type: 'webhook', url: form.url, format: 'form' },
      { type: 'webhook', url: json.url, format: 'json' },
      { type: 'email', to: 'desk@acme.example' },
    ]);
    const id = await text('+46700000010');
    const shown = await settled(id, 'succeeded');
    expect(shown.map(({ type }) => type).sort()).toEqual(['email', 'webhook', 'webhook']);
    for (const { tries } of shown) expect(tries).toMatchObject([{ latency_ms: expect.any(Number) }]);

    expect([...new URLSearchParams(form.received[0]!.body)].map(([name]) => name)).toEqual([
      'originator',
      'destination',
      'date_time',
      'text',
    ]);
    expect(new URLSearchParams(form.received[0]!.body).get('text')).toBe(TEXT);
    expect(form.received[0]!.headers).toMatchObject({ 'webhook-id': id, 'x-unimsg-sequence': '1' });
    expect(json.events[0]).toMatchObject({ event: 'inbound.received', data: { inbound_id: id, text: TEXT } });
    const [event] = await tenant.events('inbound.received');
    expect(json.events[0]!.id).toBe(event!.id);
    expect(json.events[0]!.data).toEqual(event!.data);

    const { body } = await service.anonymous.get('/simulator/messages?to=desk@acme.example');
    expect(body.data).toMatchObject([{ provider: 'smtp', from: 'smsin@unimsg.localhost' }]);
    expect(body.data[0].body).toContain('From: +393331234567\nTo: +46700000010\nDate/Time: ');
    expect(body.data[0].body).toContain(TEXT);
  });

  it('are signed with the secret of their tenant, and of no other', async () => {
    const client = await receiver('{}');
    await addNumber('+46700000011', [{ type: 'webhook', url: client.url, format: 'json' }]);
    await settled(await text('+46700000011'), 'succeeded');
    const [delivery] = client.received;
    const verify = (key: string) =>
      new Webhook(key).verify(delivery!.body, delivery!.headers as Record<string, string>);
    expect(() => verify(otherSecret)).toThrow('No matching signature');
    const mine = [...service.secrets].filter((one) => one.startsWith('whsec_'));
    expect(mine).toHaveLength(1);
    expect(verify(mine[0]!)).toMatchObject({ event: 'inbound.received' });
  });

  it('are kept as dead letters after the last try, and come again with the same id when they are asked for', async () => {
    const client = await receiver('OK');
    await addNumber('+46700000012', [{ type: 'webhook', url: client.url, format: 'form' }], {
      retry_delay_seconds: 1,
      max_attempts: 2,
    });
    const id = await text('+46700000012');
    const [dead] = await settled(id, 'dead_letter');
    expect(dead!.tries).toMatchObject([
      { status_code: 200, error: 'not_acknowledged', response: 'OK' },
      { status_code: 200, error: 'not_acknowledged', response: 'OK' },
    ]);
    client.answer = (response) => void response.end(' +OK ');
    expect((await tenant.api.post(`/v1/inbound/${id}/redeliver`, {})).status).toBeLessThan(300);
    await settled(id, 'succeeded');
    expect(client.received.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id]);
    expect(client.received.map(({ headers }) => headers['x-unimsg-attempt'])).toEqual(['1', '2', '3']);
  });

  it('are mailed over the mail server of the operator', async () => {
    const server = await ScriptedSmtp.start();
    await service.restart({
      UNIMSG_SMTP_URL: `smtp://me:secret@127.0.0.1:${server.port}`,
      UNIMSG_MAIL_DOMAIN: 'in.acme.example',
    });
    await addNumber('+46700000013', [{ type: 'email', to: 'desk@acme.example' }]);
    await settled(await text('+46700000013'), 'succeeded');
    expect(server.taken).toMatchObject([
      { from: 'smsin@in.acme.example', recipients: ['desk@acme.example'], credentials: 'me:secret' },
    ]);
    await server.close();
  });
});
