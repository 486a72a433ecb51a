import { eventually, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import {
  accepted,
  answers,
  garbage,
  hang,
  reset,
  takeAndHang,
  takeAndReset,
  takeHiddenAndReset,
  type Behaviour,
} from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

const error = (status: number, code: number, headers?: Record<string, string>) =>
  answers(status, { code, message: `Twilio says ${code}`, more_info: '', status }, headers);
const unavailable = error(503, 20503);
const vonageStatus = (status: string) =>
  answers(200, { 'message-count': '1', messages: [{ status, 'error-text': 'no' }] });

/** Gateway and outcome of each attempt. */
const attempts = (message: Wire) => message.attempts.map((one: Wire) => `${one.gateway} ${one.outcome}`);
const done = (message: Wire) => message.final || message.status === 'sent';
const route = (more: object) => ({ primary: 'twilio', fallback: ['vonage'], reconcile_seconds: 1, ...more });

/** Begun at the start, looked at by its test: what takes long takes it while the other tests run. */
function begin<T>(scenario: () => Promise<T>): () => Promise<T> {
  const running = scenario();
  running.catch(() => undefined);
  return () => running;
}

// At the root, so that it is done before the tests, which run side by side.
let service: Service;
let tenant: Tenant;
let hanging: () => Promise<{ message: Wire; to: string }>;
let takenAndHanging: () => Promise<{ message: Wire; to: string }>;
let circuit: () => Promise<Record<string, Wire>>;

beforeAll(async () => {
  service = await Service.start();
  tenant = await service.tenant({ sms: route({}) });
  const hangs = (behaviour: Behaviour) => async () => {
    const alone = await service.tenant({ sms: route({}) });
    const to = freshNumber();
    service.twilio.on(to, behaviour);
    return { to, message: await alone.until(await alone.send(to), done, 25_000) };
  };
  hanging = begin(hangs(hang));
  takenAndHanging = begin(hangs(takeAndHang));
  circuit = begin(circuitScenario);
}, 60_000);
afterAll(() => service?.stop());

async function send(behaviour: Behaviour[], sms: object = {}, more: object = {}) {
  const alone = await service.tenant({ sms: route(sms) });
  const to = freshNumber();
  service.twilio.on(to, ...behaviour);
  const id = await alone.send(to, more);
  const message = await alone.until(id, done);
  return { tenant: alone, to, id, message, twilio: service.twilio.sends(to), vonage: service.vonage.sends(to) };
}

it.concurrent.each([
  ['an invalid recipient', error(400, 21211), 'recipient_permanent', 'invalid_recipient', '21211'],
  ['an opted-out recipient', error(400, 21610), 'recipient_permanent', 'opted_out', '21610'],
  ['content that is refused', error(400, 21617), 'content_permanent', 'invalid_content', '21617'],
  ['a refusal without a code', answers(400, {}), 'content_permanent', 'request_refused', 'http_400'],
])('fails for %s, and tries nobody else', async (_, behaviour, outcome, reason, code) => {
  const { message, twilio, vonage } = await send([behaviour]);
  expect(message).toMatchObject({ status: 'failed', final: true, gateway: null, error_code: reason });
  expect(attempts(message)).toEqual([`twilio ${outcome}`]);
  expect(message.attempts[0]).toMatchObject({ error_code: code, reason });
  expect([twilio.length, vonage.length]).toEqual([1, 0]);
  expect(message.events.map((one: Wire) => one.event)).toEqual(['message.queued', 'message.failed']);
});

it.concurrent('goes on to the next gateway at once when the provider says that it took nothing', async () => {
  const { message, vonage, to } = await send([unavailable]);
  expect(attempts(message)).toEqual(['twilio transient', 'vonage accepted']);
  expect(message).toMatchObject({
    status: 'sent',
    gateway: 'vonage',
    external_id: service.vonage.taken(to)!.id,
    possible_duplicate: false,
  });
  expect(message.attempts[0]).toMatchObject({ error_code: '20503', error_message: 'Twilio says 20503' });
  expect(vonage).toHaveLength(1);
});

it.concurrent('waits out a short pause at the same gateway, and counts no failure', async () => {
  const { message, twilio, vonage } = await send([error(429, 20429, { 'retry-after': '1' }), accepted]);
  expect(attempts(message)).toEqual(['twilio throttled', 'twilio accepted']);
  expect(vonage).toHaveLength(0);
  expect(twilio[1]!.at - twilio[0]!.at).toBeGreaterThanOrEqual(950);
  expect(message).toMatchObject({ gateway: 'twilio', possible_duplicate: false });
});

it.concurrent('leaves a gateway that pauses for longer alone until the pause is over', async () => {
  const first = await send([error(429, 20429, { 'retry-after': '30' }), accepted]);
  expect(attempts(first.message)).toEqual(['twilio throttled', 'vonage accepted']);
  const another = freshNumber();
  const second = await first.tenant.until(await first.tenant.send(another), done);
  expect(attempts(second)).toEqual(['vonage accepted']);
  expect(service.twilio.sends(another)).toHaveLength(0);
  const forced = await first.tenant.send(another, { provider: 'twilio' });
  const waiting = await first.tenant.until(forced, ({ waiting_on: reason }) => reason !== null);
  expect(waiting).toMatchObject({ status: 'queued', waiting_on: 'gateway_rate' });
});

it.concurrent.each([
  ['a server error', error(500, 20500), '20500'],
  ['an unknown 5xx', answers(502, {}), 'http_502'],
  ['success that nobody can read', garbage, 'http_200'],
  ['a reset after the request', reset, 'reset'],
])('reconciles after %s, then fails over and says so', async (_, behaviour, code) => {
  const { message, twilio, vonage, to } = await send([behaviour]);
  expect(attempts(message)).toEqual(['twilio unknown', 'vonage accepted']);
  expect(message).toMatchObject({ status: 'sent', gateway: 'vonage', possible_duplicate: true });
  expect(message.attempts[0].error_code).toBe(code);
  expect([twilio.length, vonage.length]).toEqual([1, 1]);
  expect(vonage[0]!.at - twilio[0]!.at).toBeGreaterThanOrEqual(950);
  const lookUps = service.twilio.calls.filter((call) => call.method === 'GET' && call.query.get('To') === to);
  expect(lookUps.length).toBeGreaterThanOrEqual(1);
});

it.concurrent('holds a message of unknown fate when the channel says so', async () => {
  const { message, vonage } = await send([error(500, 20500)], { on_ambiguous: 'hold' });
  expect(attempts(message)).toEqual(['twilio unknown']);
  expect(message).toMatchObject({ status: 'failed', error_code: 'outcome_unknown', possible_duplicate: false });
  expect(vonage).toHaveLength(0);
});

it.concurrent('finds a message that was taken by asking the provider', async () => {
  const { message, twilio, vonage, to } = await send([takeAndReset], { reconcile_seconds: 8 });
  expect(message).toMatchObject({
    status: 'sent',
    gateway: 'twilio',
    external_id: service.twilio.taken(to)!.sid,
    possible_duplicate: false,
  });
  expect([twilio.length, vonage.length]).toEqual([1, 0]);
  expect(attempts(message)[0]).toBe('twilio unknown');
});

it.concurrent.each([['failover'], ['hold']])('believes a callback that arrives meanwhile (%s)', async (onAmbiguous) => {
  const alone = await service.tenant({ sms: route({ reconcile_seconds: 3, on_ambiguous: onAmbiguous }) });
  const to = freshNumber();
  service.twilio.on(to, takeHiddenAndReset);
  const id = await alone.send(to);
  await alone.until(id, (message) => message.attempts.length === 1);
  const taken = service.twilio.taken(to)!;
  const report = { url: taken.statusCallback, authToken: alone.twilio.authToken };
  expect((await twilioCallback({ ...report, fields: statusFields(taken, 'sent') })).status).toBeLessThan(300);
  const message = await alone.until(id, done, 1500);
  expect(message).toMatchObject({
    status: 'sent',
    gateway: 'twilio',
    external_id: taken.sid,
    possible_duplicate: false,
  });
  expect((await twilioCallback({ ...report, fields: statusFields(taken, 'delivered') })).status).toBeLessThan(300);
  expect(await alone.message(id)).toMatchObject({ status: 'delivered', external_id: taken.sid });
  // A message that follows the same way has been failed over by now, so this one would have been.
  const later = freshNumber();
  service.twilio.on(later, reset);
  await alone.until(await alone.send(later), done);
  expect([service.twilio.sends(to).length, service.vonage.sends(to).length]).toEqual([1, 0]);
});

it.concurrent('does not take an equal message of a moment ago for the one of unknown fate', async () => {
  const alone = await service.tenant({ sms: route({}) });
  const to = freshNumber();
  service.twilio.on(to, accepted, reset, accepted);
  const first = await alone.until(await alone.send(to), done);
  const second = await alone.until(await alone.send(to), done);
  expect(first).toMatchObject({ gateway: 'twilio', possible_duplicate: false });
  expect(attempts(second)).toEqual(['twilio unknown', 'vonage accepted']);
  expect(second).toMatchObject({ gateway: 'vonage', possible_duplicate: true });
  expect(second.external_id).not.toBe(first.external_id);
});

it.concurrent('believes a delivery that is reported late, after a failover and after a hold', async () => {
  for (const onAmbiguous of ['failover', 'hold']) {
    const alone = await service.tenant({ sms: route({ reconcile_seconds: 0, on_ambiguous: onAmbiguous }) });
    const to = freshNumber();
    service.twilio.on(to, takeHiddenAndReset);
    const id = await alone.send(to);
    await alone.until(id, done);
    const taken = service.twilio.taken(to)!;
    const report = { url: taken.statusCallback, authToken: alone.twilio.authToken };
    // A failure of the first try says nothing of the second one.
    await twilioCallback({ ...report, fields: statusFields(taken, 'failed', { ErrorCode: '30007' }) });
    const before = await alone.message(id);
    expect([onAmbiguous, before.status]).toEqual([onAmbiguous, onAmbiguous === 'hold' ? 'failed' : 'sent']);
    await twilioCallback({ ...report, fields: statusFields(taken, 'delivered') });
    expect(await alone.message(id)).toMatchObject({ status: 'delivered', final: true, error_code: null });
  }
});

it.concurrent('cancels a message between its tries, and not one of unknown fate', async () => {
  const alone = await service.tenant({ sms: route({ reconcile_seconds: 3 }) });
  const to = freshNumber();
  service.twilio.on(to, unavailable);
  service.vonage.on(to, answers(503, {}));
  const retried = await alone.send(to);
  await alone.until(retried, (message) => message.waiting_on === 'retry');
  assertStatus(await alone.api.post(`/v1/messages/${retried}/cancel`), 200);
  const unknown = freshNumber();
  service.twilio.on(unknown, error(500, 20500));
  const open = await alone.send(unknown);
  await alone.until(open, (message) => message.attempts.length === 1);
  expect((await alone.api.post(`/v1/messages/${open}/cancel`)).status).toBe(409);
  await alone.until(open, done);
  expect(await alone.message(retried)).toMatchObject({ status: 'canceled', final: true });
  expect(service.twilio.sends(to)).toHaveLength(1);
});

it.concurrent('keeps a message whose gateway is paused until it is resumed, and follows new routes', async () => {
  const alone = await service.tenant({ sms: { primary: 'twilio' } });
  const path = `/communication/twilio/configs/${alone.twilio.id}`;
  const later = new Date(Date.now() + 1000).toISOString();
  const [one, two] = [freshNumber(), freshNumber()];
  const resumed = await alone.send(one, { send_at: later });
  assertStatus(await alone.api.post(`${path}/pause`), 200);
  await alone.until(resumed, (message) => message.waiting_on === 'retry');
  expect(service.twilio.sends(one)).toHaveLength(0);
  assertStatus(await alone.api.post(`${path}/resume`), 200);
  const rerouted = await alone.send(two, { send_at: new Date(Date.now() + 1000).toISOString() });
  assertStatus(await alone.api.put('/v1/gateways', { gateways: { sms: { primary: 'vonage' } } }), 200);
  expect(attempts(await alone.until(rerouted, done))).toEqual(['vonage accepted']);
  expect(await alone.until(resumed, done, 10_000)).toMatchObject({ status: 'sent' });
});

it.concurrent(
  'takes a config whose credentials fail out of service, tells of it, and takes it back when they work',
  async () => {
    const alone = await service.tenant({ sms: route({}) });
    service.twilio.refusedTokens.add(alone.twilio.authToken);
    const path = `/communication/twilio/configs/${alone.twilio.id}`;
    const to = freshNumber();
    const message = await alone.until(await alone.send(to), done);
    expect(attempts(message)).toEqual(['twilio config', 'vonage accepted']);
    expect(message).toMatchObject({ status: 'sent', gateway: 'vonage', possible_duplicate: false });
    const config = (await alone.api.get(path)).body.data;
    expect(config).toMatchObject({ status: 'error', last_error: { code: 'bad_credentials', provider_code: '20003' } });
    expect(await alone.events('config.error')).toEqual([
      expect.objectContaining({ data: expect.objectContaining({ config_id: alone.twilio.id }) }),
    ]);
    expect(await alone.events('alert.raised')).toHaveLength(1);
    const preview = await alone.api.post('/v1/gateways/preview', { channel: 'sms', to });
    expect(preview.body.data.skipped).toEqual([expect.objectContaining({ gateway: 'twilio', reason: 'config_error' })]);
    // Others are not asked to find that out again.
    const next = freshNumber();
    expect(attempts(await alone.until(await alone.send(next), done))).toEqual(['vonage accepted']);
    // A message that only this gateway may carry waits for it.
    const forced = await alone.send(next, { provider: 'twilio' });
    await alone.until(forced, (one) => one.status === 'queued' && one.waiting_on === 'retry');

    service.twilio.refusedTokens.delete(alone.twilio.authToken);
    await eventually(
      async () => (await alone.api.get(path)).body.data.status,
      (status) => status === 'active',
    );
    expect(await alone.events('config.recovered')).toHaveLength(1);
    expect(await alone.events('alert.cleared')).toHaveLength(1);
    const back = await alone.until(await alone.send(freshNumber()), done);
    expect(attempts(back)).toEqual(['twilio accepted']);
    expect(await alone.until(forced, done)).toMatchObject({ status: 'sent', gateway: 'twilio' });
    expect(await alone.events('config.error')).toHaveLength(1);
  },
);

it.concurrent('goes on without disabling the config when only the sender or the country is refused', async () => {
  const { message, tenant: alone } = await send([error(403, 21408)]);
  expect(attempts(message)).toEqual(['twilio config', 'vonage accepted']);
  const config = await alone.api.get(`/communication/twilio/configs/${alone.twilio.id}`);
  expect(config.body.data.status).toBe('active');
});

it.concurrent('retries until the message expires, then fails it with every attempt listed', async () => {
  const alone = await service.tenant({ sms: route({}) });
  const to = freshNumber();
  service.twilio.on(to, unavailable);
  service.vonage.on(to, answers(503, {}));
  const expiresAt = new Date(Date.now() + 5000).toISOString();
  const id = await alone.send(to, { expires_at: expiresAt });
  expect(await alone.until(id, (message) => message.attempts.length >= 2)).toMatchObject({ status: 'queued' });
  expect(await alone.until(id, (message) => message.waiting_on !== null)).toMatchObject({ waiting_on: 'retry' });
  const message = await alone.until(id, done);
  expect(message).toMatchObject({ status: 'failed', error_code: 'all_gateways_failed', gateway: null, final: true });
  expect(message.attempts.length).toBeGreaterThanOrEqual(4);
  expect(attempts(message)).toEqual(
    message.attempts.map((_: Wire, index: number) => `${index % 2 === 0 ? 'twilio' : 'vonage'} transient`),
  );
  expect(message.attempts).toHaveLength(service.twilio.sends(to).length + service.vonage.sends(to).length);
  expect(Math.max(...service.twilio.sends(to).map(({ at }) => at))).toBeLessThan(Date.parse(expiresAt));
});

it.concurrent('comes back after every gateway failed, and is sent', async () => {
  const alone = await service.tenant({ sms: route({}) });
  const to = freshNumber();
  service.twilio.on(to, unavailable, accepted);
  service.vonage.on(to, answers(503, {}));
  const message = await alone.until(await alone.send(to), done);
  expect(attempts(message)).toEqual(['twilio transient', 'vonage transient', 'twilio accepted']);
});

it.concurrent("reads Vonage's refusals out of answers that say 200", async () => {
  const cases: Array<[string, string[], string]> = [
    ['7', ['vonage recipient_permanent'], 'failed'],
    ['12', ['vonage content_permanent'], 'failed'],
    ['5', ['vonage unknown', 'twilio accepted'], 'sent'],
    ['4', ['vonage config', 'twilio accepted'], 'sent'],
  ];
  for (const [code, expected, status] of cases) {
    const alone = await service.tenant({ sms: { primary: 'nexmo', fallback: ['twilio'], reconcile_seconds: 0 } });
    const to = freshNumber();
    service.vonage.on(to, vonageStatus(code));
    const message = await alone.until(await alone.send(to), done);
    expect([code, attempts(message), message.status]).toEqual([code, expected, status]);
    expect(message.attempts[0].error_code).toBe(code);
  }
});

async function circuitScenario(): Promise<Record<string, Wire>> {
  const alone = await service.tenant({ sms: route({}) });
  const numbers = Array.from({ length: 5 }, () => freshNumber());
  for (const to of numbers) service.twilio.on(to, unavailable);
  for (const to of numbers) await alone.until(await alone.send(to), done);
  const listed = await alone.api.get('/v1/gateways/health');
  expect(listed.body.meta).toEqual({ next_cursor: null, limit: 200 });
  const health = listed.body.data;
  const preview = (await alone.api.post('/v1/gateways/preview', { channel: 'sms', to: numbers[0] })).body.data;
  const passedOver = freshNumber();
  const other = await alone.until(await alone.send(passedOver), done);
  const forced = await alone.send(freshNumber(), { provider: 'twilio' });
  const waiting = await alone.until(forced, (message) => message.waiting_on !== null);
  const probe = await alone.until(forced, done, 20_000);
  const closed = (await alone.api.get('/v1/gateways/health')).body.data;
  const after = await alone.until(await alone.send(freshNumber()), done);
  return { tenant: alone, health, preview, other, passedOver, waiting, probe, closed, after };
}

it.concurrent(
  'treats a provider that takes the request and says nothing as unknown',
  async () => {
    const { message, to } = await hanging();
    expect(attempts(message)).toEqual(['twilio unknown', 'vonage accepted']);
    expect(message).toMatchObject({ status: 'sent', gateway: 'vonage', possible_duplicate: true });
    expect(service.twilio.sends(to)).toHaveLength(1);
    const taken = await takenAndHanging();
    expect(taken.message).toMatchObject({ gateway: 'twilio', possible_duplicate: false });
    expect(taken.message.external_id).toBe(service.twilio.taken(taken.to)!.sid);
  },
  40_000,
);

it.concurrent(
  'opens the circuit of a gateway that keeps failing, and closes it when it works again',
  async () => {
    const seen = await circuit();
    const of = (health: Wire, gateway: string) => health.find((one: Wire) => one.gateway === gateway);
    expect(of(seen.health, 'twilio')).toMatchObject({ circuit: 'open', healthy: true });
    expect(of(seen.health, 'vonage')).toMatchObject({ circuit: 'closed', healthy: true });
    expect(seen.preview.candidates).toEqual([expect.objectContaining({ gateway: 'vonage' })]);
    expect(seen.preview.skipped).toEqual([
      expect.objectContaining({ gateway: 'twilio', reason: 'circuit_open', temporary: true }),
    ]);
    expect(attempts(seen.other)).toEqual(['vonage accepted']);
    expect(service.twilio.sends(seen.passedOver)).toHaveLength(0);
    expect(seen.waiting).toMatchObject({ status: 'queued', waiting_on: 'circuit_open' });
    expect(attempts(seen.probe)).toEqual(['twilio accepted']);
    expect(of(seen.closed, 'twilio').circuit).toBe('closed');
    expect(attempts(seen.after)).toEqual(['twilio accepted']);
  },
  40_000,
);

it.concurrent("does not let one tenant's hanging provider hold another tenant up", async () => {
  const [stuck, other] = [await service.tenant({ vonage: false }), await service.tenant({ vonage: false })];
  const numbers = Array.from({ length: 300 }, () => freshNumber());
  for (const to of numbers) service.twilio.on(to, hang);
  const messages = numbers.map((to) => ({ channel: 'sms', to, message: 'x' }));
  assertStatus(await stuck.api.post('/v1/messages/batch', { messages }), 202);
  await eventually(
    () => numbers.filter((to) => service.twilio.sends(to).length > 0).length,
    (begun) => begun >= 50,
  );
  const message = await other.until(await other.send(freshNumber()), done);
  expect(message.status).toBe('sent');
  expect(Date.parse(message.attempts[0].started_at) - Date.parse(message.created_at)).toBeLessThan(1500);
  expect(numbers.filter((to) => service.twilio.sends(to).length === 0).length).toBeGreaterThan(0);
});

it.concurrent('refuses a message that no gateway can take', async () => {
  const none = await service.tenant({ twilio: false, vonage: false, sms: null });
  const refused = await none.api.post('/v1/sms/send', { to: freshNumber(), message: 'x' });
  expect([refused.status, refused.body.code]).toEqual([422, 'no_gateway_available']);
  assertStatus(await tenant.api.get('/v1/gateways'), 200);
});
