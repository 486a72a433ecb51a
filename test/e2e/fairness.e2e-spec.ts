import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import type { Behaviour } from '../support/scripted-provider';

const CONCURRENCY = 20;

/** Taken, and answered a little later, so that a queue builds up. */
const slowly: Behaviour = { take: true, answer: (_response, accept) => void setTimeout(accept, 25) };

describe('fairness', () => {
  let service: Service;

  beforeAll(async () => {
    service = await Service.start({
      UNIMSG_WORKER_CONCURRENCY: String(CONCURRENCY),
      UNIMSG_LOG_LEVEL: 'info',
    });
  }, 60_000);
  afterAll(() => service?.stop());

  async function batch(tenant: Tenant, numbers: string[], more: object = {}): Promise<void> {
    for (let from = 0; from < numbers.length; from += 1000) {
      const messages = numbers.slice(from, from + 1000).map((to) => ({ channel: 'sms', to, message: 'x', ...more }));
      const answer = await tenant.api.post('/v1/messages/batch', { messages });
      assertStatus(answer, 202);
      expect(answer.body.data.rejected).toBe(0);
    }
  }

  it('sends at most as many a second as an account may', async () => {
    const tenant = await service.tenant({ twilio: { max_per_second: 10 }, vonage: false });
    const numbers = Array.from({ length: 35 }, () => freshNumber());
    await batch(tenant, numbers);
    for (const to of numbers.slice(-1)) {
      const list = await tenant.api.get(`/v1/messages?to=${encodeURIComponent(to)}`);
      await tenant.until(list.body.data[0].message_id, ({ status }) => status === 'sent');
    }
    const times = numbers.flatMap((to) => service.twilio.sends(to).map(({ at }) => at)).sort((a, b) => a - b);
    expect(times).toHaveLength(35);
    for (const start of times) {
      // One more: what left within the second may arrive a little later.
      for (const seconds of [1, 2, 3]) {
        const within = times.filter((at) => at >= start && at < start + seconds * 1000 - 50).length;
        expect(within).toBeLessThanOrEqual(10 * seconds + 1);
      }
    }
    // It uses what it may: 35 at 10 a second are done within 4 s and a little.
    expect(times.at(-1)! - times[0]!).toBeLessThan(6000);
  });

  it('sends urgent messages of a tenant before its bulk', async () => {
    const tenant = await service.tenant({ twilio: { max_per_second: 10 }, vonage: false });
    const bulk = Array.from({ length: 60 }, () => freshNumber());
    await batch(tenant, bulk, { priority: 'bulk' });
    const [normal, high] = [0, 1].map(() => Array.from({ length: 4 }, () => freshNumber()));
    const sent = (numbers: string[]) => numbers.filter((to) => service.twilio.sends(to).length > 0).length;
    const before = sent(bulk);
    const ids: string[] = [];
    for (const to of normal!) ids.push(await tenant.send(to));
    for (const to of high!) ids.push(await tenant.send(to, { priority: 'high' }));
    for (const id of ids) await tenant.until(id, ({ status }) => status === 'sent');
    // Not before the first of them was accepted, and at most those that had their turn by then.
    expect(sent(bulk) - before).toBeLessThanOrEqual(10);
    expect(sent(bulk)).toBeLessThan(45);
    const times = (numbers: string[]) => numbers.map((to) => service.twilio.sends(to)[0]!.at);
    const lastHigh = Math.max(...times(high!));
    expect(times(normal!).filter((at) => at < lastHigh).length).toBeLessThanOrEqual(2);
  });

  it("lets one tenant's 10,000 messages hold another's single one up by a few calls only", async () => {
    const crowd = await service.tenant({ vonage: false });
    const single = await service.tenant({ vonage: false });
    service.twilio.fallback = slowly;
    await batch(
      crowd,
      Array.from({ length: 10_000 }, () => freshNumber()),
    );
    const to = freshNumber();
    const before = service.twilio.sends().length;
    const id = await single.send(to);
    const message = await single.until(id, ({ status }) => status === 'sent');
    const sends = service.twilio.sends();
    const index = sends.findIndex((call) => call.form.To === to);
    expect(index - before).toBeLessThanOrEqual(CONCURRENCY * 4);
    expect(Date.parse(message.attempts[0].started_at) - Date.parse(message.created_at)).toBeLessThan(2000);
    // It was not sent because the others were done.
    const waiting = await crowd.api.get('/v1/messages?status=queued&limit=200');
    expect(waiting.body.data).toHaveLength(200);
    expect(sends.length).toBeLessThan(9_000);
  }, 60_000);
});
