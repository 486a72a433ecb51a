import type { Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';

const HOUR = 3_600_000;

describe('quiet hours', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(async () => {
    await settings({ quiet_hours: null, time_zone: null });
    expect(service.errorLines()).toEqual([]);
  });

  const settings = async (change: object, of = tenant) =>
    assertStatus(await of.api.call('PATCH', '/v1/settings', { body: change }), 200);
  /** The clock of UTC, so many hours from now; on the full minute. */
  const clock = (hours: number) => new Date(Date.now() + hours * HOUR).toISOString().slice(11, 16);
  const endOf = (text: string) => {
    const today = Date.parse(`${new Date().toISOString().slice(0, 10)}T${text}:00Z`);
    return today > Date.now() ? today : today + 24 * HOUR;
  };
  /** From two hours ago until in two hours. */
  const quietNow = async (more: object = {}, of = tenant): Promise<number> => {
    const end = clock(2);
    await settings({ quiet_hours: { start: clock(-2), end, time_zone: 'UTC', ...more } }, of);
    return endOf(end);
  };
  const dryRun = async (body: object): Promise<Wire> => {
    const answer = await tenant.api.post('/v1/sms/send', { message: 'x', dry_run: true, ...body });
    assertStatus(answer, 200);
    return answer.body.data;
  };
  const sends = (to: string) => service.twilio.sends(to).length;

  it('keeps a message until they end, says so at once, and sends it when they are over', async () => {
    const until = await quietNow();
    const to = freshNumber();
    const id = await tenant.send(to);
    const waiting = await tenant.message(id);
    expect(waiting).toMatchObject({ status: 'queued', waiting_on: 'quiet_hours', attempts: [], final: false });
    // It lives an hour by default: from the end on.
    expect(Date.parse(waiting.expires_at)).toBe(until + HOUR);
    const [row] = await service.database.database.query<{ due_at: Date }>(
      'SELECT due_at FROM message_queue WHERE message_id = $1',
      [id],
    );
    expect(row!.due_at.getTime()).toBe(until);
    await service.restart();
    expect(await tenant.message(id)).toMatchObject({ status: 'queued', waiting_on: 'quiet_hours' });
    await service.database.database.execute('UPDATE message_queue SET due_at = now() WHERE message_id = $1', [id]);
    // Looked at again, and still too early.
    const again = await tenant.until(id, ({ waiting_on }) => waiting_on === 'quiet_hours');
    expect(again).toMatchObject({ status: 'queued', attempts: [] });
    expect(sends(to)).toBe(0);
    await settings({ quiet_hours: { start: clock(1), end: clock(2), time_zone: 'UTC' } });
    await tenant.until(id, ({ status }) => status === 'sent');
    expect(sends(to)).toBe(1);
  });

  it('lets what is urgent pass, and other channels and tenants alone', async () => {
    const other = await service.tenant();
    await quietNow({ channels: ['whatsapp', 'email'] });
    const [free, urgent, theirs] = [freshNumber(), freshNumber(), freshNumber()];
    await tenant.until(await tenant.send(free), ({ status }) => status === 'sent');
    await quietNow();
    await tenant.until(await tenant.send(urgent, { priority: 'high' }), ({ status }) => status === 'sent');
    await other.until(await other.send(theirs), ({ status }) => status === 'sent');
    expect([free, urgent, theirs].map(sends)).toEqual([1, 1, 1]);
  });

  it('expires at once what does not live until they end, and says why', async () => {
    await quietNow();
    const to = freshNumber();
    const id = await tenant.send(to, { expires_at: new Date(Date.now() + HOUR).toISOString() });
    const ended = await tenant.until(id, ({ final }) => final);
    expect(ended).toMatchObject({ status: 'expired', error_code: 'quiet_hours', attempts: [] });
    expect(ended.error_message).toContain('quiet hours');
    expect((await tenant.events('message.expired')).map(({ data }) => data.message_id)).toContain(id);
    const long = new Date(Date.now() + 5 * HOUR).toISOString();
    const kept = await tenant.send(to, { expires_at: long });
    expect(await tenant.message(kept)).toMatchObject({ waiting_on: 'quiet_hours', expires_at: long });
    assertStatus(await tenant.api.post(`/v1/messages/${kept}/cancel`), 200);
    expect(sends(to)).toBe(0);
  });

  it('is looked at before every attempt: at one that was accepted before, and at one that is due in them', async () => {
    const [later, due] = [freshNumber(), freshNumber()];
    const until = await quietNow();
    const scheduled = await tenant.send(due, { send_at: new Date(Date.now() + 1_000).toISOString() });
    expect(await tenant.message(scheduled)).toMatchObject({ status: 'scheduled', waiting_on: 'schedule' });
    await tenant.until(scheduled, ({ waiting_on }) => waiting_on === 'quiet_hours');
    expect(Date.parse((await tenant.message(scheduled)).expires_at)).toBeGreaterThanOrEqual(until + HOUR - 2_000);
    await settings({ quiet_hours: null });
    await tenant.until(scheduled, ({ status }) => status === 'sent');

    service.twilio.on(later, answers(503, {}));
    service.vonage.on(later, answers(503, {}));
    const failing = await tenant.send(later);
    await tenant.until(failing, ({ attempts }) => attempts.length >= 2);
    // Long enough that it does not run out in them.
    await settings({ quiet_hours: { start: clock(-2), end: clock(0.25), time_zone: 'UTC' } });
    const waiting = await tenant.until(failing, ({ waiting_on }) => waiting_on === 'quiet_hours');
    const tried = sends(later);
    expect(waiting.attempts.every((one: Wire) => one.outcome === 'transient')).toBe(true);
    assertStatus(await tenant.api.post(`/v1/messages/${failing}/cancel`), 200);
    expect(sends(later)).toBe(tried);
  });

  it('shows in a dry run whether they apply and until when, by the recipient’s own clock', async () => {
    const until = await quietNow();
    expect((await dryRun({ to: '+393331234567' })).quiet_hours).toEqual({
      applies: true,
      until: new Date(until).toISOString(),
    });
    const none = { applies: false, until: null };
    expect((await dryRun({ to: '+393331234567', priority: 'high' })).quiet_hours).toEqual(none);
    const later = new Date(until + 60_000).toISOString();
    expect((await dryRun({ to: '+393331234567', send_at: later })).quiet_hours).toEqual(none);
    // India’s clock is 5:30 ahead of UTC.
    const [start, end] = [clock(4.5), clock(6.5)];
    await settings({ quiet_hours: { start, end, time_zone: 'recipient' } });
    expect((await dryRun({ to: '+919812345678' })).quiet_hours.applies).toBe(true);
    expect((await dryRun({ to: '+447400123456' })).quiet_hours).toEqual(none);
    await settings({ quiet_hours: null });
    expect((await dryRun({ to: '+919812345678' })).quiet_hours).toEqual(none);
  });

  it('holds back what follows an undelivered message as long as the message itself', async () => {
    const until = await quietNow({ channels: ['sms'] });
    const [to, next] = [freshNumber(), freshNumber()];
    const follows = [{ channel: 'sms', to: next, after_seconds: 60, message: 'again', priority: 'high' }];
    const id = await tenant.send(to, { on_undelivered: follows });
    const [row] = await service.database.database.query<{ due_at: Date }>(
      'SELECT due_at FROM message_fallbacks WHERE message_id = $1',
      [id],
    );
    expect(row!.due_at.getTime()).toBe(until + 60_000);
    assertStatus(await tenant.api.post(`/v1/messages/${id}/cancel`), 200);
  });
});
