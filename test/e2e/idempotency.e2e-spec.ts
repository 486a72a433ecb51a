import type { Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

describe('idempotency', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());

  const send = (body: object, headers?: Record<string, string>) => tenant.api.post('/v1/sms/send', body, headers);
  const key = (name: string) => ({ 'idempotency-key': name });

  it('makes one message and one provider call of 100 simultaneous equal sends', async () => {
    const to = freshNumber();
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        // The key counts, not where it is given.
        index % 2 === 0
          ? send({ to, message: 'once' }, key('hundred'))
          : send({ message: 'once', to, idempotency_key: 'hundred' }),
      ),
    );
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 202));
    expect(new Set(all.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(all.filter(({ headers }) => headers['idempotent-replayed'] === 'true')).toHaveLength(99);
    await tenant.until(all[0]!.body.data.message_id, ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)).toHaveLength(1);
    expect((await tenant.api.get(`/v1/messages?to=${encodeURIComponent(to)}`)).body.data).toHaveLength(1);
  });

  it('makes one message of a batch that repeats one key 500 times', async () => {
    const to = freshNumber();
    const item = { channel: 'sms', to, message: 'once', idempotency_key: 'same' };
    const answer = await tenant.api.post('/v1/messages/batch', { messages: Array.from({ length: 500 }, () => item) });
    const { accepted, results } = answer.body.data;
    expect(accepted).toBe(500);
    expect(new Set(results.map((one: Wire) => one.message_id)).size).toBe(1);
    expect(results.filter((one: Wire) => one.replayed)).toHaveLength(499);
    await tenant.until(results[0].message_id, ({ status }) => status === 'sent');
    expect(service.twilio.sends(to)).toHaveLength(1);
  });

  it('does not answer a real send with a simulated one of a sandbox key, nor the other way round', async () => {
    const sandbox = await tenant.key(['messages:send'], { sandbox: true });
    const body = { to: freshNumber(), message: 'x' };
    assertStatus(await sandbox.post('/v1/sms/send', body, key('both')), 200);
    const refused = await send(body, key('both'));
    expect([refused.status, refused.body.code]).toEqual([422, 'idempotency_conflict']);
    assertStatus(await send(body, key('live first')), 202);
    expect((await sandbox.post('/v1/sms/send', body, key('live first'))).status).toBe(422);
  });

  it('answers again also when the record is gone before the key', async () => {
    const body = { to: freshNumber(), message: 'x' };
    const first = await send(body, key('gone'));
    assertStatus(first, 202);
    const id = first.body.data.message_id;
    await tenant.until(id, ({ status }) => status === 'sent');
    await service.database.database.execute('DELETE FROM messages WHERE client_id = $1 AND id = $2', [
      tenant.clientId,
      id,
    ]);
    const again = await send(body, key('gone'));
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([202, 'true', first.body]);
    expect((await send({ ...body, message: 'y' }, key('gone'))).status).toBe(422);
    expect(service.twilio.sends(body.to)).toHaveLength(1);
  });

  it('takes any text as a key, and no two as the same', async () => {
    const to = freshNumber();
    const keys = ['a', 'A', ' a', 'ä', 'a\u0308', '🙂'.repeat(127), "'; DROP TABLE messages --", 'a\nb', '%00'];
    const ids = new Set<string>();
    for (const one of keys) {
      const sent = await send({ to, message: 'x', idempotency_key: one });
      expect([one, sent.status]).toEqual([one, 202]);
      ids.add(sent.body.data.message_id);
      const again = await send({ to, message: 'x', idempotency_key: one });
      expect([one, again.body.data.message_id]).toEqual([one, sent.body.data.message_id]);
    }
    expect(ids.size).toBe(keys.length);
  });

  it('takes bodies that mean the same as the same, and refuses others with 422', async () => {
    const to = freshNumber();
    const first = await send({ to, message: 'x', metadata: { a: '1', b: '2' } }, key('meaning'));
    const same = await tenant.api.call('POST', '/v1/sms/send', {
      headers: key('meaning'),
      raw: `{ "metadata" : {"b":"2", "a":"1"},\n "message":"\\u0078", "to":"${to}" }`,
    });
    expect(same.body).toEqual(first.body);
    for (const other of [
      { message: 'y' },
      { priority: 'high' },
      { metadata: { a: '1' } },
      { sandbox: true },
      { reference: 'r' },
    ]) {
      const refused = await send({ to, message: 'x', metadata: { a: '1', b: '2' }, ...other }, key('meaning'));
      expect([refused.status, refused.body.code]).toEqual([422, 'idempotency_conflict']);
    }
    expect((await tenant.api.get(`/v1/messages?to=${encodeURIComponent(to)}`)).body.data).toHaveLength(1);
  });

  it('refuses a header and a body that differ, and keys that are none', async () => {
    const to = freshNumber();
    expect((await send({ to, message: 'x', idempotency_key: 'a' }, key('b'))).status).toBe(400);
    expect((await send({ to, message: 'x' }, key('k'.repeat(256)))).status).toBe(400);
    expect((await send({ to, message: 'x' }, key(''))).status).toBe(400);
    expect((await send({ to, message: 'x', idempotency_key: 'k'.repeat(255) })).status).toBe(202);
  });

  it('uses up no key on a refusal, of whatever kind', async () => {
    const to = freshNumber();
    expect((await send({ to: 'x', message: 'x' }, key('refused'))).status).toBe(400);
    expect((await send({ to, message: '' }, key('refused'))).status).toBe(400);
    expect((await send({ to, message: 'x', provider: 'nobody' }, key('refused'))).status).toBe(422);
    expect((await service.anonymous.post('/v1/sms/send', { to, message: 'x' }, key('refused'))).status).toBe(401);
    const dry = await send({ to, message: 'x', dry_run: true }, key('refused'));
    expect([dry.status, dry.headers['idempotent-replayed']]).toEqual([200, undefined]);
    const sent = await send({ to, message: 'x' }, key('refused'));
    expect([sent.status, sent.headers['idempotent-replayed']]).toEqual([202, undefined]);
  });

  it('belongs to the tenant', async () => {
    const other = await service.tenant();
    const to = freshNumber();
    const mine = await send({ to, message: 'x' }, key('shared'));
    const theirs = await other.api.post('/v1/sms/send', { to, message: 'y' }, key('shared'));
    expect([mine.status, theirs.status]).toEqual([202, 202]);
    expect(theirs.body.data.message_id).not.toBe(mine.body.data.message_id);
  });

  it('answers the first answer again, whatever has become of the message and of the gateways', async () => {
    const alone = await service.tenant({ vonage: false });
    const to = freshNumber();
    const body = { to, message: 'x', send_at: inSeconds(1), expires_at: inSeconds(60) };
    const first = await alone.api.post('/v1/sms/send', body, key('later'));
    assertStatus(first, 202);
    await alone.until(first.body.data.message_id, ({ status }) => status === 'sent');
    assertStatus(await alone.api.post(`/communication/twilio/configs/${alone.twilio.id}/pause`), 200);
    const again = await alone.api.post('/v1/sms/send', body, key('later'));
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([202, 'true', first.body]);
    const other = await alone.api.post('/v1/sms/send', { ...body, message: 'y' }, key('later'));
    expect(other.status).toBe(422);
    expect((await alone.api.post('/v1/sms/send', body, key('unused'))).body.code).toBe('no_gateway_available');
  });

  it('answers the first answer again after the message has expired', async () => {
    const to = freshNumber();
    const body = { to, message: 'x', expires_at: inSeconds(1) };
    const first = await send(body, key('short'));
    assertStatus(first, 202);
    await tenant.until(first.body.data.message_id, () => Date.now() > Date.parse(body.expires_at) + 50);
    const again = await send(body, key('short'));
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([202, 'true', first.body]);
    expect((await send(body, key('shorter'))).status).toBe(400);
  });

  it('holds over a restart on the same database, and over two processes', async () => {
    const to = freshNumber();
    const first = await send({ to, message: 'x' }, key('restart'));
    const simulated = await send({ to, message: 'x', sandbox: true }, key('restart-test'));
    await tenant.until(first.body.data.message_id, ({ status }) => status === 'sent');
    await service.restart();
    const again = await send({ to, message: 'x' }, key('restart'));
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([202, 'true', first.body]);
    const simulatedAgain = await send({ to, message: 'x', sandbox: true }, key('restart-test'));
    expect([simulatedAgain.status, simulatedAgain.body]).toEqual([200, simulated.body]);
    const process = await service.another();
    try {
      const elsewhere = tenant.api.at(process.url);
      const both = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          (index % 2 === 0 ? tenant.api : elsewhere).post('/v1/sms/send', { to, message: 'two' }, key('two')),
        ),
      );
      expect(new Set(both.map(({ body }) => body.data.message_id)).size).toBe(1);
      expect(both.filter(({ headers }) => headers['idempotent-replayed'] === 'true')).toHaveLength(39);
      await tenant.until(both[0]!.body.data.message_id, ({ status }) => status === 'sent');
    } finally {
      await process.stop();
    }
    expect(service.twilio.sends(to)).toHaveLength(2);
  });
});
