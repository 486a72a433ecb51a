import type { Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

describe('on_undelivered', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  const HOUR = 3600;
  const item = (to: string, more: object = {}) => ({
    channel: 'sms',
    to,
    after_seconds: HOUR,
    message: 'the other way',
    provider: 'vonage',
    ...more,
  });
  const reports = async (to: string, status: string, more: Record<string, string> = {}) => {
    const taken = service.twilio.taken(to)!;
    const fields = statusFields(taken, status, more);
    const answer = await twilioCallback({ url: taken.statusCallback, authToken: tenant.twilio.authToken, fields });
    expect(answer.status).toBe(200);
  };
  const isSent = (id: string, whose = tenant) => whose.until(id, ({ status }) => status === 'sent');
  const decided = (id: string, whose = tenant) =>
    whose.until(id, ({ on_undelivered: list }) => list.every(({ status }: Wire) => status !== 'waiting'));
  const states = (message: Wire) => message.on_undelivered.map(({ status }: Wire) => status);

  it('sends by the other way at once when the provider reports a failure, and says what belongs together', async () => {
    const [to, other] = [freshNumber(), freshNumber()];
    const id = await tenant.send(to, {
      provider: 'twilio',
      reference: 'order-1',
      metadata: { a: 'b' },
      tags: ['orders'],
      on_undelivered: [item(other)],
    });
    const before = await isSent(id);
    expect(before.fallback_of).toBeNull();
    expect(before.on_undelivered).toEqual([
      {
        channel: 'sms',
        to: other,
        after_seconds: HOUR,
        status: 'waiting',
        due_at: new Date(Date.parse(before.created_at) + HOUR * 1000).toISOString(),
        message_id: null,
        sent_at: null,
        error: null,
      },
    ]);
    await reports(to, 'undelivered', { ErrorCode: '30003' });
    const after = await decided(id);
    const [fallback] = after.on_undelivered;
    expect(fallback).toMatchObject({ status: 'sent', due_at: null, error: null });
    const made = await isSent(fallback.message_id);
    expect(made).toMatchObject({
      fallback_of: id,
      to: other,
      gateway: 'vonage',
      content: { text: 'the other way' },
      reference: 'order-1',
      metadata: { a: 'b' },
      tags: ['orders'],
      on_undelivered: [],
    });
    expect(service.vonage.sends(other)).toHaveLength(1);
    // The first one arrives after all: both can be seen.
    await reports(to, 'delivered');
    const late = await tenant.message(id);
    expect(late).toMatchObject({
      status: 'delivered',
      on_undelivered: [{ status: 'sent', message_id: made.message_id }],
    });
    expect(late.events.map((one: Wire) => one.event)).toEqual([
      'message.queued',
      'message.sent',
      'message.undelivered',
      'message.delivered',
    ]);
  });

  it('sends when the time is over without a delivery, and each next one after that', async () => {
    const [to, second, third] = [freshNumber(), freshNumber(), freshNumber()];
    const id = await tenant.send(to, {
      on_undelivered: [
        item(second, { after_seconds: 1, provider: 'twilio' }),
        item(third, { after_seconds: 1, provider: 'twilio' }),
      ],
    });
    const { on_undelivered: list } = await decided(id);
    expect(list.map(({ status }: Wire) => status)).toEqual(['sent', 'sent']);
    const sentAt = list.map((one: Wire) => Date.parse(one.sent_at));
    expect(sentAt[1] - sentAt[0]).toBeGreaterThanOrEqual(1_000);
    for (const [index, number] of [second, third].entries()) {
      expect(await isSent(list[index].message_id)).toMatchObject({ to: number, fallback_of: id });
      expect(service.twilio.sends(number)).toHaveLength(1);
    }
  });

  it('brings the next one on when the fallback fails too', async () => {
    const [to, second, third] = [freshNumber(), freshNumber(), freshNumber()];
    service.twilio.on(to, answers(400, { code: 21211, message: 'no number' }));
    service.twilio.on(second, answers(400, { code: 21211, message: 'no number' }));
    const id = await tenant.send(to, {
      on_undelivered: [item(second, { provider: 'twilio' }), item(third, { provider: 'twilio' })],
    });
    const { on_undelivered: list, status } = await decided(id);
    expect([status, ...list.map((one: Wire) => one.status)]).toEqual(['failed', 'sent', 'sent']);
    expect(await tenant.message(list[0].message_id)).toMatchObject({ status: 'failed', fallback_of: id });
    expect(await isSent(list[1].message_id)).toMatchObject({ to: third, fallback_of: id });
  });

  it.each(['delivered', 'read'])('sends nothing more once the message is %s', async (status) => {
    const [to, other] = [freshNumber(), freshNumber()];
    const id = await tenant.send(to, { on_undelivered: [item(other), item(other)] });
    await isSent(id);
    await reports(to, status);
    expect(states(await decided(id))).toEqual(['skipped', 'skipped']);
    // A failure that comes late changes nothing.
    await reports(to, 'failed', { ErrorCode: '30003' });
    expect(states(await tenant.message(id))).toEqual(['skipped', 'skipped']);
    expect(service.vonage.taken(other)).toBeUndefined();
  });

  it('sends nothing of a message that was canceled', async () => {
    const other = freshNumber();
    const id = await tenant.send(freshNumber(), {
      send_at: new Date(Date.now() + 3_600_000).toISOString(),
      on_undelivered: [item(other)],
    });
    const waiting = await tenant.message(id);
    expect(Date.parse(waiting.on_undelivered[0].due_at)).toBe(Date.parse(waiting.send_at) + HOUR * 1000);
    const canceled = await tenant.api.post(`/v1/messages/${id}/cancel`);
    assertStatus(canceled, 200);
    expect(states(canceled.body.data)).toEqual(['skipped']);
    expect(service.vonage.taken(other)).toBeUndefined();
  });

  it('says why a fallback could not be accepted any more, and goes on', async () => {
    const lone = await service.tenant();
    const [to, other] = [freshNumber(), freshNumber()];
    const id = await lone.send(to, {
      provider: 'twilio',
      on_undelivered: [item(freshNumber()), item(other, { provider: 'twilio' })],
    });
    await isSent(id, lone);
    assertStatus(await lone.api.post(`/communication/vonage/configs/${lone.vonage.id}/pause`), 200);
    const taken = service.twilio.taken(to)!;
    const fields = statusFields(taken, 'undelivered', { ErrorCode: '30003' });
    await twilioCallback({ url: taken.statusCallback, authToken: lone.twilio.authToken, fields });
    const { on_undelivered: list } = await decided(id, lone);
    expect(list[0]).toMatchObject({ status: 'failed', message_id: null, error: { code: 'no_gateway_available' } });
    expect(await isSent(list[1].message_id, lone)).toMatchObject({ to: other, fallback_of: id });
  });

  it('plans once for requests that repeat one another, and refuses another plan under the same key', async () => {
    const [to, other] = [freshNumber(), freshNumber()];
    const body = { to, message: 'hello', on_undelivered: [item(other)] };
    const headers = { 'idempotency-key': `key-${to}` };
    const all = await Promise.all(Array.from({ length: 20 }, () => tenant.api.post('/v1/sms/send', body, headers)));
    const ids = new Set(all.map((answer) => answer.body.data.message_id));
    expect(ids.size).toBe(1);
    const changed = { ...body, on_undelivered: [item(other, { after_seconds: 60 })] };
    expect((await tenant.api.post('/v1/sms/send', changed, headers)).status).toBe(422);
    const plans = await service.database.database.query('SELECT 1 FROM message_fallbacks WHERE recipient = $1', [
      other,
    ]);
    expect(plans).toHaveLength(1);
    await isSent([...ids][0]);
    await reports(to, 'failed', { ErrorCode: '30003' });
    const { on_undelivered: list } = await decided([...ids][0]);
    await isSent(list[0].message_id);
    expect(service.vonage.messages.filter((one) => one.to === other)).toHaveLength(1);
  });

  it('works for items of a batch, each by itself', async () => {
    const [first, second, other] = [freshNumber(), freshNumber(), freshNumber()];
    const batch = await tenant.api.post('/v1/messages/batch', {
      messages: [
        { channel: 'sms', to: first, message: 'x', on_undelivered: [item(other)] },
        { channel: 'sms', to: second, message: 'x', on_undelivered: [item('nobody')] },
      ],
    });
    expect(batch.body.data).toMatchObject({ accepted: 1, rejected: 1 });
    expect(batch.body.data.results[1].error.errors[0].field).toBe('messages[1].on_undelivered[0].to');
    const id = batch.body.data.results[0].message_id;
    await isSent(id);
    await reports(first, 'undelivered', { ErrorCode: '30003' });
    expect(states(await decided(id))).toEqual(['sent']);
  });

  it('is validated, never planned, for a sandbox send, and explained by a dry run', async () => {
    const other = freshNumber();
    const body = { to: freshNumber(), message: 'x', on_undelivered: [item(other)] };
    const simulated = await tenant.api.post('/v1/sms/send', { ...body, sandbox: true });
    expect((await tenant.message(simulated.body.data.message_id)).on_undelivered).toEqual([]);
    const refused = await tenant.api.post('/v1/sms/send', { ...body, sandbox: true, on_undelivered: [item('x')] });
    expect(refused.status).toBe(400);
    const explained = await tenant.api.post('/v1/sms/send', { ...body, dry_run: true });
    expect(explained.body.data.on_undelivered).toEqual([
      { channel: 'sms', to: other, after_seconds: HOUR, gateways: ['vonage'] },
    ]);
    expect(
      await service.database.database.query('SELECT 1 FROM message_fallbacks WHERE recipient = $1', [other]),
    ).toEqual([]);
  });

  const ok = '+393331234567';
  it.each<[unknown, string, number?]>([
    ['x', 'on_undelivered'],
    [Array(6).fill(item(ok)), 'on_undelivered'],
    [[7], 'on_undelivered[0]'],
    [[item(ok), null], 'on_undelivered[1]'],
    [[item('nobody')], 'on_undelivered[0].to'],
    [[item(ok, { channel: undefined })], 'on_undelivered[0].channel'],
    [[item(ok, { channel: 'fax' })], 'on_undelivered[0].channel'],
    [[item(ok, { after_seconds: undefined })], 'on_undelivered[0].after_seconds'],
    [[item(ok, { after_seconds: 0 })], 'on_undelivered[0].after_seconds'],
    [[item(ok, { after_seconds: 1.5 })], 'on_undelivered[0].after_seconds'],
    [[item(ok, { after_seconds: 604_801 })], 'on_undelivered[0].after_seconds'],
    [[item(ok, { message: undefined })], 'on_undelivered[0].message'],
    [[item(ok, { colour: 'red' })], 'on_undelivered[0].colour'],
    [[item(ok), item(ok, { on_undelivered: [item(ok)] })], 'on_undelivered[1].on_undelivered'],
    [[item(ok, { sandbox: true })], 'on_undelivered[0].sandbox'],
    [[item(ok, { send_at: '2099-01-01T00:00:00Z' })], 'on_undelivered[0].send_at'],
    [[item(ok, { idempotency_key: 'x' })], 'on_undelivered[0].idempotency_key'],
    [[item(ok, { expires_at: new Date(Date.now() + 60_000).toISOString() })], 'on_undelivered[0].expires_at'],
    [[item(ok, { provider: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' })], 'on_undelivered[0].provider', 422],
    [[{ channel: 'whatsapp', after_seconds: 5, to: ok, message: 'x' }], 'on_undelivered[0]', 422],
  ])('refuses %j and names %s', async (list, field, status = 400) => {
    const before = await service.database.database.query('SELECT count(*) FROM messages');
    const refused = await tenant.api.post('/v1/sms/send', { to: ok, message: 'x', on_undelivered: list });
    expect([refused.status, refused.body.errors[0].field]).toEqual([status, field]);
    expect(await service.database.database.query('SELECT count(*) FROM messages')).toEqual(before);
  });

  it('takes an empty list as none', async () => {
    const id = await tenant.send(freshNumber(), { on_undelivered: [], tags: [] });
    expect(await tenant.message(id)).toMatchObject({ tags: [] });
    expect(
      await service.database.database.query('SELECT 1 FROM message_fallbacks WHERE message_id = $1', [id]),
    ).toEqual([]);
  });

  it('is another tenant’s to nobody', async () => {
    const other = await service.tenant();
    const id = await tenant.send(freshNumber(), { on_undelivered: [item(freshNumber())] });
    expect((await other.api.get(`/v1/messages/${id}`)).status).toBe(404);
    const rows = await service.database.database.tenant(other.clientId, (tx) =>
      tx.query('SELECT 1 FROM message_fallbacks'),
    );
    expect(rows).toEqual([]);
  });

  it('sends each once over crashes and beside other processes', async () => {
    const second = await service.another();
    const others: string[] = [];
    const ids: string[] = [];
    try {
      for (let i = 0; i < 20; i++) {
        const [to, other] = [freshNumber(), freshNumber()];
        service.twilio.on(to, answers(400, { code: 21211, message: 'no number' }));
        others.push(other);
        ids.push(await tenant.send(to, { on_undelivered: [item(other)] }));
      }
      const database = service.database.database;
      for (const id of ids) await decided(id);
      // A process died after it had sent, before it could note so: another one comes to the same item.
      await database.query(
        `UPDATE message_fallbacks SET state = 'waiting', sent_message_id = NULL, lease_until = now() - interval '1 second',
                body = jsonb_build_object('to', recipient, 'message', 'the other way', 'provider', 'vonage')
         WHERE message_id = ANY($1)`,
        [ids],
      );
      await service.restart();
      for (const id of ids) {
        const message = await decided(id);
        expect(states(message)).toEqual(['sent']);
        await isSent(message.on_undelivered[0].message_id);
      }
    } finally {
      await second.stop();
    }
    expect(others.map((other) => service.vonage.messages.filter((one) => one.to === other).length)).toEqual(
      others.map(() => 1),
    );
  }, 60_000);
});
