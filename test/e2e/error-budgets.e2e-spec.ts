import type { Wire } from '../support/api-client';
import { Service, assertStatus, freshNumber, type Tenant } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';
import { until } from '../support/until';

const unavailable = answers(503, { code: 20503, message: 'away', status: 503 });

describe('error budgets of gateways', () => {
  let service: Service;

  beforeAll(async () => {
    service = await Service.start();
  }, 60_000);
  afterAll(() => service?.stop());

  const preview = async (tenant: Tenant, more: object = {}): Promise<Wire> => {
    const answer = await tenant.api.post('/v1/gateways/preview', { channel: 'sms', to: freshNumber(), ...more });
    assertStatus(answer, 200);
    return answer.body.data.candidates;
  };
  const order = (candidates: Wire) => candidates.map(({ gateway }: Wire) => gateway);
  const sql = (text: string, ...values: unknown[]) => service.database.database.execute(text, values);
  /** As if so much time had passed since all that was noted of a config. */
  const passes = async (configId: string, minutes: number): Promise<void> => {
    await sql(
      `UPDATE gateway_outcomes SET minute = minute - $2 * interval '1 minute' WHERE config_id = $1`,
      configId,
      minutes,
    );
    await sql(
      `UPDATE gateway_budgets SET since = since - $2 * interval '1 minute', step_since = step_since - $2 * interval '1 minute' WHERE config_id = $1`,
      configId,
      minutes,
    );
  };
  /** Sends one after the other, of which two of five fail at Twilio: too few to open its circuit. */
  const suffer = async (tenant: Tenant, sends: number): Promise<void> => {
    for (let sent = 0; sent < sends; sent++) {
      const to = freshNumber();
      if (sent % 5 > 2) service.twilio.on(to, unavailable);
      const id = await tenant.send(to);
      await tenant.until(id, ({ status }) => status === 'sent');
    }
  };

  test('a gateway that begins to fail loses its place, tells why, and returns in steps', async () => {
    const tenant = await service.tenant();
    expect(order(await preview(tenant))).toEqual(['twilio', 'vonage']);
    await suffer(tenant, 30);
    const [first, last] = await until('it lost its place', async () => {
      const candidates = await preview(tenant);
      return order(candidates)[0] === 'vonage' ? candidates : undefined;
    });
    expect(first).not.toHaveProperty('degraded');
    expect(last).toMatchObject({
      gateway: 'twilio',
      reason: 'primary',
      degraded: { reason: 'budget_burning', weight: 0.05 },
    });
    expect(last.degraded.burn_rate).toBeGreaterThanOrEqual(6);
    const shown = await tenant.api.post('/v1/sms/send', { to: freshNumber(), message: 'hello', dry_run: true });
    expect(shown.body.data.candidates.map(({ gateway, degraded }: Wire) => [gateway, degraded?.weight ?? 1])).toEqual([
      ['vonage', 1],
      ['twilio', 0.05],
    ]);
    const health = (await tenant.api.get('/v1/gateways/health')).body.data;
    expect(health.map(({ gateway, degraded }: Wire) => [gateway, degraded?.weight ?? 1])).toEqual([
      ['twilio', 0.05],
      ['vonage', 1],
    ]);
    const [raised] = await tenant.events('alert.raised');
    expect(raised.data).toMatchObject({ alert: 'error_budget_burning', subject: tenant.twilio.id, gateway: 'twilio' });

    // What forces it is not changed, and most messages take the other one at once.
    expect(order(await preview(tenant, { provider: 'twilio' }))).toEqual(['twilio']);
    const ids = await Promise.all(Array.from({ length: 40 }, () => tenant.send(freshNumber())));
    const sent = await Promise.all(ids.map((id) => tenant.until(id, ({ status }) => status === 'sent')));
    expect(sent.filter(({ gateway }) => gateway === 'vonage').length).toBeGreaterThan(25);
    expect(new Set(sent.map(({ attempts }) => attempts.length))).toEqual(new Set([1]));

    const weight = async () =>
      (await preview(tenant)).find(({ gateway }: Wire) => gateway === 'twilio').degraded?.weight ?? 1;
    for (const next of [0.25, 0.5, 1]) {
      await passes(tenant.twilio.id, 8);
      await until(`its weight is ${next}`, async () => (await weight()) === next);
    }
    expect(order(await preview(tenant))).toEqual(['twilio', 'vonage']);
    const [cleared] = await tenant.events('alert.cleared');
    expect(cleared.data).toMatchObject({ alert: 'error_budget_burning', subject: tenant.twilio.id });
  }, 60_000);

  test('the order stands when all gateways of the channel fail', async () => {
    const tenant = await service.tenant();
    for (const configId of [tenant.twilio.id, tenant.vonage.id]) {
      await sql(
        `INSERT INTO gateway_outcomes (config_id, minute, client_id, calls, faults, reports, undelivered) VALUES ($1, date_trunc('minute', now()), $2, 40, 30, 0, 0)`,
        configId,
        tenant.clientId,
      );
    }
    const candidates = await until('both are degraded', async () => {
      const all = await preview(tenant);
      return all.every(({ degraded }: Wire) => degraded) ? all : undefined;
    });
    expect(order(candidates)).toEqual(['twilio', 'vonage']);
    // One that is taken out of use is forgotten, with its alert.
    assertStatus(await tenant.api.post(`/communication/twilio/configs/${tenant.twilio.id}/pause`), 200);
    await until('it is forgotten', async () => (await tenant.events('alert.cleared')).length === 1);
    expect((await preview(tenant)).map(({ gateway, degraded }: Wire) => [gateway, degraded !== undefined])).toEqual([
      ['vonage', true],
    ]);
  });

  test('messages that are not delivered count, beyond what is usual', async () => {
    const tenant = await service.tenant();
    const reports = async (configId: string, undelivered: number) =>
      sql(
        `INSERT INTO gateway_outcomes (config_id, minute, client_id, calls, faults, reports, undelivered) VALUES ($1, date_trunc('minute', now()), $2, 0, 0, 100, $3)`,
        configId,
        tenant.clientId,
        undelivered,
      );
    // Of the first one, half were never delivered.
    await sql(
      `INSERT INTO usage_counters (client_id, grain, bucket, config_id, channel, sent, delivered, read, undelivered, failed, expired, canceled, segments, opens, unique_opens,
         machine_opens, clicks, unique_clicks, machine_clicks, bounces, complaints, unsubscribes, inbound)
       VALUES ($1, 1440, date_trunc('day', now()) - interval '2 days', $2, 'sms', 0, 100, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
      tenant.clientId,
      tenant.twilio.id,
    );
    await reports(tenant.twilio.id, 50);
    await reports(tenant.vonage.id, 50);
    const candidates = await until('one is degraded', async () => {
      const all = await preview(tenant);
      return all.some(({ degraded }: Wire) => degraded) ? all : undefined;
    });
    expect(candidates.map(({ gateway, degraded }: Wire) => [gateway, degraded?.burn_rate])).toEqual([
      ['twilio', undefined],
      ['vonage', 8],
    ]);
  });
});
