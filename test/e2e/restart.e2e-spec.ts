import { ClientReceiver } from '../support/client-receiver';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service } from '../support/e2e-service';
import type { Behaviour } from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

const slowly: Behaviour = { take: true, answer: (_response, accept) => void setTimeout(accept, 30) };

describe('an orderly end and a new start on the same database', () => {
  let service: Service;

  beforeAll(async () => {
    service = await Service.start({ UNIMSG_WORKER_CONCURRENCY: '10' });
  }, 60_000);
  afterAll(() => service?.stop());

  it('loses no message under load, and sends none twice', async () => {
    const tenant = await service.tenant({ vonage: false });
    service.twilio.fallback = slowly;
    const numbers = Array.from({ length: 600 }, () => freshNumber());
    const messages = numbers.map((to) => ({ channel: 'sms', to, message: 'x' }));
    const batch = await tenant.api.post('/v1/messages/batch', { messages });
    assertStatus(batch, 202);
    const waited = tenant.api.post(
      '/v1/sms/send',
      { to: freshNumber(), message: 'x', priority: 'high' },
      { prefer: 'wait=20' },
    );
    await eventually(
      () => service.twilio.sends().length,
      (count) => count > 100,
    );
    await service.restart();
    // The request that was under way got its answer.
    const answered = await waited;
    expect([200, 202]).toContain(answered.status);
    expect(service.twilio.sends().length).toBeLessThan(600);
    service.twilio.fallback = { take: true, answer: (_response, accept) => accept() };
    const ids: string[] = batch.body.data.results.map((one: Wire) => one.message_id);
    await eventually(
      async () =>
        (await tenant.api.get('/v1/messages?status=sent&limit=1')).body.data.length > 0 &&
        service.twilio.sends().length,
      (count) => Number(count) >= 601,
      20_000,
    );
    const seen = await Promise.all(ids.map((id) => tenant.until(id, ({ status }) => status === 'sent')));
    for (const to of numbers) expect([to, service.twilio.sends(to).length]).toEqual([to, 1]);
    expect(seen.filter((one) => one.possible_duplicate || one.attempts.length !== 1)).toEqual([]);
    expect(await tenant.events('message.sent')).toHaveLength(601);
  }, 60_000);

  it('goes on with what was to be done later: schedules, deliveries, recoveries, repeated callbacks', async () => {
    const tenant = await service.tenant({ vonage: false });
    let up = false;
    const client = await ClientReceiver.start((response) => response.writeHead(up ? 204 : 503).end());
    try {
      const hook = await tenant.api.post('/v1/webhooks', { url: client.url, events: ['message.sent'] });
      const [now, later] = [freshNumber(), freshNumber()];
      const scheduled = await tenant.send(later, { send_at: new Date(Date.now() + 2500).toISOString() });
      const id = await tenant.send(now);
      await tenant.until(id, ({ status }) => status === 'sent');
      const taken = service.twilio.taken(now)!;
      await client.waitFor(1);
      service.twilio.refusedTokens.add(tenant.twilio.authToken);
      const failing = freshNumber();
      const stuck = await tenant.send(failing);
      await tenant.until(stuck, ({ attempts }) => attempts.length === 1);

      await service.restart();
      up = true;
      service.twilio.refusedTokens.delete(tenant.twilio.authToken);
      // The address changed with the port, as it does not in earnest.
      const url = new URL(taken.statusCallback);
      const callback = { url: `${service.url}${url.pathname}${url.search}`, authToken: tenant.twilio.authToken };
      for (let i = 0; i < 2; i++)
        expect((await twilioCallback({ ...callback, fields: statusFields(taken, 'delivered') })).status).toBe(200);
      expect((await tenant.message(id)).status).toBe('delivered');
      expect(await tenant.until(scheduled, ({ status }) => status === 'sent')).toMatchObject({
        attempts: [{ outcome: 'accepted' }],
      });
      expect(service.twilio.sends(later)).toHaveLength(1);
      expect(await tenant.until(stuck, ({ status }) => status === 'sent')).toMatchObject({ gateway: 'twilio' });
      const deliveries = await eventually(
        () => tenant.api.get(`/v1/webhooks/${hook.body.data.id}/deliveries`),
        ({ body }) => body.data.length === 3 && body.data.every((one: Wire) => one.status === 'succeeded'),
        20_000,
      );
      const first = deliveries.body.data.at(-1);
      expect(first.attempts.map((one: Wire) => one.status_code)).toEqual([503, 204]);
    } finally {
      await client.close();
    }
  }, 40_000);
});
