import { Webhook } from 'standardwebhooks';
import { answerWith, Receiver, until, WebhookBed, type Answer } from '../../../test/support/webhook-bed';
import { newId } from '../../kernel/ids';
import { Database } from '../../platform/database/database';
import { secretContext } from './endpoint.row';
import { WEBHOOK_PROFILE } from './webhook-delivery.service';

jest.setTimeout(30_000);

const HANG: Answer = () => undefined;
const LADDER_S = [5, 30, 120, 600, 1800, 7200, 21600, 43200, 86400];

describe('WebhookDeliveryService', () => {
  let bed: WebhookBed;
  const receivers: Receiver[] = [];
  const receiver = async (answer?: Answer) => {
    const one = await Receiver.start(answer);
    receivers.push(one);
    return one;
  };

  beforeEach(async () => void (bed = await WebhookBed.start()));
  afterEach(async () => {
    await bed.close();
    await Promise.all(receivers.splice(0).map((one) => one.close()));
  });

  describe('what is sent', () => {
    it('is the exact body, signed so that the standardwebhooks package verifies it', async () => {
      const client = await receiver();
      const { id, secret } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      const messageId = newId('message');
      const [eventId] = await bed.emit('acme_1', [
        { messageId, data: { message_id: messageId, text: 'grüße "…" \\ 日本' } },
      ]);
      await bed.settled(id, 'succeeded', 1);

      const [request] = client.received;
      const [event] = await bed.database.query<{ created_at: Date }>('SELECT created_at FROM events WHERE id = $1', [
        eventId,
      ]);
      expect(JSON.parse(request!.body)).toEqual({
        event: 'message.delivered',
        data: { message_id: messageId, text: 'grüße "…" \\ 日本' },
        id: eventId,
        created_at: event!.created_at.toISOString(),
      });
      expect(Object.keys(JSON.parse(request!.body) as object)).toEqual(['event', 'data', 'id', 'created_at']);
      expect(request!.headers).toMatchObject({
        'content-type': 'application/json',
        'user-agent': 'UniMsg-Webhooks/1',
        'webhook-id': eventId,
        'webhook-timestamp': String(Math.floor(bed.clock.now() / 1000)),
        'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
      });
      const oracle = new Webhook(secret.reveal());
      expect(oracle.verify(request!.body, request!.headers as Record<string, string>)).toMatchObject({ id: eventId });
      expect(() => oracle.verify(`${request!.body} `, request!.headers as Record<string, string>)).toThrow(
        'No matching signature',
      );
    });

    it('carries two signatures while a secret rotates, and one when the day is over', async () => {
      const client = await receiver();
      const { id, secret } = await bed.endpoint('acme_1', client.url);
      const newer = new Webhook(`whsec_${Buffer.alloc(24, 5).toString('base64')}`);
      await bed.database.execute(
        `UPDATE webhook_endpoints SET previous_secret = secret, previous_secret_until = to_timestamp($2::float8 / 1000), secret = $3 WHERE id = $1`,
        [
          id,
          bed.clock.now() + 24 * 3600_000,
          bed.box.seal(`whsec_${Buffer.alloc(24, 5).toString('base64')}`, secretContext(id)),
        ],
      );
      bed.service().start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'succeeded', 1);
      const [first] = client.received;
      expect(String(first!.headers['webhook-signature']).split(' ')).toHaveLength(2);
      for (const oracle of [newer, new Webhook(secret.reveal())]) {
        expect(oracle.verify(first!.body, first!.headers as Record<string, string>)).toBeTruthy();
      }
      bed.clock.advance(24 * 3600_000 + 1);
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'succeeded', 2);
      expect(String(client.received[1]!.headers['webhook-signature']).split(' ')).toHaveLength(1);
    });

    it('is flat in form format', async () => {
      const client = await receiver();
      const { id, secret } = await bed.endpoint('acme_1', client.url, { format: 'form' });
      bed.service().start();
      const [eventId] = await bed.emit('acme_1', [
        { data: { message_id: 'msg_1', note: 'a&b=c ü', none: null, count: 3, cost: { amount: '0.1' }, id: 'own' } },
      ]);
      await bed.settled(id, 'succeeded', 1);
      const [request] = client.received;
      expect(request!.headers['content-type']).toBe('application/x-www-form-urlencoded');
      const { created_at, ...rest } = Object.fromEntries(new URLSearchParams(request!.body));
      expect(created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(rest).toEqual({
        event: 'message.delivered',
        id: eventId,
        message_id: 'msg_1',
        note: 'a&b=c ü',
        none: '',
        count: '3',
        cost: '{"amount":"0.1"}',
        data_id: 'own',
      });
      const headers = request!.headers as Record<string, string>;
      expect(() => new Webhook(secret.reveal()).verify(request!.body, headers, { jsonParse: false })).not.toThrow();
    });

    it('is only what the endpoint takes, of its own tenant, from its creation on', async () => {
      const client = await receiver();
      await bed.emit('acme_1', [{ type: 'message.failed' }]);
      const { id } = await bed.endpoint('acme_1', client.url, { events: ['message.failed'] });
      await bed.endpoint('other_1', client.url, { enabled: false });
      bed.service().start();
      await bed.emit('other_1', [{ type: 'message.failed' }]);
      const ids = await bed.emit('acme_1', [
        { type: 'message.sent' },
        { type: 'message.failed' },
        { type: 'message.sent' },
      ]);
      await bed.settled(id, 'succeeded', 1);
      expect(client.ids).toEqual([ids[1]]);
    });
  });

  describe('failures', () => {
    it('climb the ladder to a dead letter, every try logged', async () => {
      const client = await receiver(answerWith(503, 'x'.repeat(3000)));
      const { id } = await bed.endpoint('acme_1', client.url);
      const service = bed.service();
      service.start();
      const [eventId] = await bed.emit('acme_1', [{}]);
      for (let tries = 1; tries <= LADDER_S.length; tries++) {
        await until(async () => (await bed.deliveries(id))[0]?.attempts === tries);
        const [row] = await bed.deliveries(id);
        const expected = LADDER_S[tries - 1]! * 1000;
        expect(row!.next_in_ms).toBeGreaterThanOrEqual(expected * 0.8);
        expect(row!.next_in_ms).toBeLessThanOrEqual(expected * 1.2);
        // Not before it is due.
        await until(async () => service.lanes === 0);
        bed.clock.advance(expected * 0.79);
        await bed.looked();
        expect(service.lanes).toBe(0);
        expect(client.received).toHaveLength(tries);
        bed.clock.advance(expected * 0.42);
      }
      await bed.settled(id, 'dead_letter', 1);
      const [row] = await bed.deliveries(id);
      expect(client.ids).toEqual(Array(10).fill(eventId));
      expect(row!.attempt_log).toHaveLength(10);
      expect(row!.attempt_log[9]).toEqual({
        at: new Date(bed.clock.now()).toISOString(),
        latency_ms: expect.any(Number),
        status_code: 503,
        error: 'http_status',
        response: 'x'.repeat(1024),
      });
    });

    it('end when a later try succeeds', async () => {
      const client = await receiver();
      client.answer = (response) => void response.writeHead(client.received.length === 1 ? 500 : 204).end();
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'pending', 1);
      bed.clock.advance(6000);
      await bed.settled(id, 'succeeded', 1);
      const [row] = await bed.deliveries(id);
      expect(row!.attempt_log.map((attempt) => attempt.status_code)).toEqual([500, 204]);
      const [endpoint] = await bed.database.query(
        'SELECT failing_since, failures_in_row, next_retry_at FROM webhook_endpoints',
      );
      expect(endpoint).toEqual({ failing_since: null, failures_in_row: 0, next_retry_at: null });
    });

    it('include a redirect, which is not followed', async () => {
      const inside = await receiver();
      const client = await receiver(answerWith(307, '', { location: inside.url }));
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'pending', 1);
      expect((await bed.deliveries(id))[0]!.attempt_log).toMatchObject([{ status_code: 307, error: 'http_status' }]);
      expect(inside.received).toHaveLength(0);
    });

    it('include an address that became internal after the endpoint was made', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', `http://rebind.example:${client.port}/hook`);
      const service = bed.service({ resolve: async () => [{ address: '10.1.2.3', family: 4 }] });
      service.start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'pending', 1);
      const [attempt] = (await bed.deliveries(id))[0]!.attempt_log;
      expect(attempt).toEqual({ at: expect.any(String), latency_ms: expect.any(Number), error: 'address_not_allowed' });
      expect(client.received).toHaveLength(0);
    });

    it('include a secret that does not open, which breaks no lane', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      const other = await bed.endpoint('acme_1', client.url);
      await bed.database.execute('UPDATE webhook_endpoints SET secret = $2 WHERE id = $1', [
        id,
        bed.box.seal(`whsec_${Buffer.alloc(24, 5).toString('base64')}`, secretContext('whe_other')),
      ]);
      bed.service().start();
      await bed.emit('acme_1', [{}, {}]);
      await bed.settled(id, 'pending', 2);
      await bed.settled(other.id, 'succeeded', 2);
      expect((await bed.deliveries(id)).map(({ attempt_log: log }) => log.map(({ error }) => error))).toEqual([
        ['internal_error'],
        ['internal_error'],
      ]);
    });

    it('include a connection refused and an answer that is cut off', async () => {
      const gone = await Receiver.start();
      const url = gone.url;
      await gone.close();
      const cut = await receiver((response) => void response.destroy());
      const refused = await bed.endpoint('acme_1', url);
      const reset = await bed.endpoint('acme_1', cut.url);
      bed.service().start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(refused.id, 'pending', 1);
      await bed.settled(reset.id, 'pending', 1);
      expect((await bed.deliveries(refused.id))[0]!.attempt_log[0]!.error).toBe('connection_refused');
      expect((await bed.deliveries(reset.id))[0]!.attempt_log[0]!.error).toBe('reset');
    });
  });

  it('looks once at an endpoint that says wrongly that something is due', async () => {
    const client = await receiver();
    const { id } = await bed.endpoint('acme_1', client.url);
    await bed.database.execute(
      'UPDATE webhook_endpoints SET next_retry_at = to_timestamp($2::float8 / 1000) WHERE id = $1',
      [id, bed.clock.now()],
    );
    bed.service().start();
    await until(async () => {
      const rows = await bed.database.query<{ next: Date | null }>(
        'SELECT next_retry_at AS next FROM webhook_endpoints',
      );
      return rows[0]!.next === null;
    });
    expect(client.received).toEqual([]);
  });

  describe('order', () => {
    it('keeps the events of one message one after another while others run beside them', async () => {
      const messages = Array.from({ length: 20 }, () => newId('message'));
      const open = new Set<string>();
      let most = 0;
      const overlaps: string[] = [];
      const client = await receiver((response, { body }) => {
        const { message_id: message } = (JSON.parse(body) as { data: { message_id: string } }).data;
        if (open.has(message)) overlaps.push(message);
        open.add(message);
        most = Math.max(most, open.size);
        setImmediate(() => {
          open.delete(message);
          response.end();
        });
      });
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      const sent: Record<string, string[]> = {};
      for (let round = 0; round < 5; round++) {
        const ids = await bed.emit(
          'acme_1',
          messages.map((messageId) => ({ messageId })),
        );
        messages.forEach((message, index) => (sent[message] ??= []).push(ids[index]!));
      }
      await bed.settled(id, 'succeeded', 100);
      expect(overlaps).toEqual([]);
      expect(most).toBeGreaterThan(1);
      const got: Record<string, string[]> = {};
      for (const { body } of client.received) {
        const event = JSON.parse(body) as { id: string; data: { message_id: string } };
        (got[event.data.message_id] ??= []).push(event.id);
      }
      expect(got).toEqual(sent);
    });

    it('holds later events of a message back while an earlier one is pending, in the same batch and in later ones', async () => {
      const stuck = newId('message');
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      client.answer = (response, { body }) => void response.writeHead(body.includes(stuck) ? 500 : 200).end();
      bed.service().start();
      const [first, second] = await bed.emit('acme_1', [{ messageId: stuck }, { messageId: stuck }]);
      await bed.settled(id, 'pending', 2);
      const [third, other] = await bed.emit('acme_1', [{ messageId: stuck }, { messageId: newId('message') }]);
      await bed.settled(id, 'pending', 3);
      await bed.settled(id, 'succeeded', 1);
      expect(client.ids).toEqual([first, other]);
      client.answer = answerWith(200);
      bed.clock.advance(6000);
      await bed.settled(id, 'succeeded', 4);
      expect(client.ids).toEqual([first, other, first, second, third]);
    });

    it('holds them back when they were read before the failure was written', async () => {
      const messageId = newId('message');
      const client = await receiver(answerWith(500));
      const { id } = await bed.endpoint('acme_1', client.url);
      const ids = await bed.emit('acme_1', [{ messageId }, { messageId }, { messageId }]);
      bed.service({ profile: { ...WEBHOOK_PROFILE, chunk: 1 } }).start();
      await bed.settled(id, 'pending', 3);
      expect(client.ids).toEqual([ids[0]]);
      client.answer = answerWith(200);
      bed.clock.advance(6000);
      await bed.settled(id, 'succeeded', 3);
      expect(client.ids).toEqual([ids[0], ...ids]);
    });

    it('holds later ones back too when all of them are replayed and the first fails again', async () => {
      const messageId = newId('message');
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      const ids = await bed.emit('acme_1', [{ messageId }, { messageId }]);
      await bed.settled(id, 'succeeded', 2);
      client.answer = answerWith(500);
      client.received.length = 0;
      await bed.database.transaction(async (tx) => {
        await tx.execute('UPDATE webhook_endpoints SET next_retry_at = to_timestamp($1::float8 / 1000)', [
          bed.clock.now(),
        ]);
        await tx.execute(
          `UPDATE webhook_deliveries SET status = 'pending', attempts = 0, next_attempt_at = to_timestamp($1::float8 / 1000)`,
          [bed.clock.now()],
        );
      });
      await until(async () => (await bed.deliveries(id))[0]!.attempts === 1);
      await bed.looked();
      expect(client.ids).toEqual([ids[0]]);
      client.answer = answerWith(200);
      bed.clock.advance(6000);
      await bed.settled(id, 'succeeded', 2);
      expect(client.ids).toEqual([ids[0], ...ids]);
    });

    it('lets the next event of a message go when the one before it is a dead letter', async () => {
      const messageId = newId('message');
      const client = await receiver(answerWith(500));
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service({ profile: { ...WEBHOOK_PROFILE, ladder: { delaysMs: [1000], jitter: 0 } } }).start();
      const [first, second] = await bed.emit('acme_1', [{ messageId }, { messageId }]);
      await bed.settled(id, 'pending', 2);
      bed.clock.advance(1000);
      await bed.settled(id, 'dead_letter', 1);
      await until(async () => client.received.length >= 3);
      expect(client.ids).toEqual([first, first, second]);
    });

    it('passes over no event of a transaction that commits late', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      const late = newId('event');
      let early: string[] = [];
      await bed.database.transaction(async (tx) => {
        await bed.events.insert(tx, [
          { id: late, clientId: 'acme_1', type: 'message.sent', occurredAt: bed.clock.now(), data: {} },
        ]);
        early = await bed.emit('acme_1', [{}]);
        // Committed, but behind a transaction that could still write before it.
        await bed.looked();
        expect(client.received).toHaveLength(0);
      });
      await bed.settled(id, 'succeeded', 2);
      expect(client.ids.sort()).toEqual([late, ...early].sort());
      const log = await bed.deliveries(id);
      expect(log.map((row) => row.event_id)).toEqual([late, ...early]);
    });

    it('passes over no such event either while it is already reading', async () => {
      const held: Array<() => void> = [];
      const client = await receiver((response) => void held.push(() => response.end()));
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      const [first] = await bed.emit('acme_1', [{}]);
      await client.waitFor(1);
      const late = newId('event');
      let early: string[] = [];
      await bed.database.transaction(async (tx) => {
        await bed.events.insert(tx, [
          { id: late, clientId: 'acme_1', type: 'message.sent', occurredAt: bed.clock.now(), data: {} },
        ]);
        early = await bed.emit('acme_1', [{}]);
        // The lane is told of the event while it serves the first one, so it reads on as soon as that is over.
        await bed.looked();
        client.answer = answerWith(200);
        held[0]!();
        await bed.settled(id, 'succeeded', 1);
        await bed.looked();
        expect(client.ids).toEqual([first]);
      });
      await bed.settled(id, 'succeeded', 3);
      expect((await bed.deliveries(id)).map((row) => row.event_id)).toEqual([first, late, ...early]);
    });
  });

  describe('bad receivers', () => {
    it('delay no good one: dead, hanging, redirecting and failing beside it', async () => {
      const gone = await Receiver.start();
      const deadUrl = gone.url;
      await gone.close();
      const hanging = await receiver(HANG);
      const failing = await receiver(answerWith(500));
      const redirecting = await receiver(answerWith(302, '', { location: 'http://169.254.169.254/' }));
      const good = await receiver();
      const bad = [];
      for (const url of [deadUrl, hanging.url, failing.url, redirecting.url])
        bad.push(await bed.endpoint('acme_1', url));
      const { id } = await bed.endpoint('acme_1', good.url);
      bed.service().start();
      for (let round = 0; round < 10; round++) await bed.emit('acme_1', Array(100).fill({}) as object[]);
      // The first answer of the hanging one would be due in 15 s: all of the good one's are over before.
      await bed.settled(id, 'succeeded', 1000);
      expect((await bed.deliveries(bad[1]!.id)).filter((row) => row.attempt_log.length > 0)).toEqual([]);
      expect(new Set(good.ids).size).toBe(1000);
      expect(hanging.received.length).toBeLessThanOrEqual(WEBHOOK_PROFILE.firstTries);
    });

    it('delay no good one on the same host', async () => {
      const host = await receiver((response, { path }) => void (path === '/hang' || response.end()));
      for (const tenant of ['b_1', 'b_2', 'b_3']) {
        await bed.endpoint(tenant, host.url.replace('/hook', '/hang'));
        await bed.emit(tenant, Array(50).fill({}) as object[]);
      }
      const { id } = await bed.endpoint('good_1', host.url);
      bed.service().start();
      await host.waitFor(3 * WEBHOOK_PROFILE.firstTries);
      await bed.emit('good_1', Array(50).fill({}) as object[]);
      await bed.settled(id, 'succeeded', 50);
      expect(host.received.filter(({ path }) => path === '/hang')).toHaveLength(3 * WEBHOOK_PROFILE.firstTries);
    });

    it('take no place of good ones when there are more of them than places', async () => {
      const hanging = await receiver(HANG);
      for (let tenant = 0; tenant < 6; tenant++) {
        const { id } = await bed.endpoint(`bad_${tenant}`, hanging.url);
        await bed.database.execute(
          'UPDATE webhook_endpoints SET failures_in_row = 20, failing_since = now() WHERE id = $1',
          [id],
        );
        await bed.emit(`bad_${tenant}`, [{}]);
      }
      const good = await receiver();
      const { id } = await bed.endpoint('good_1', good.url);
      const service = bed.service({ maxLanes: 1, maxFailingLanes: 2 });
      service.start();
      await hanging.waitFor(2);
      await bed.emit('good_1', [{}, {}]);
      await bed.settled(id, 'succeeded', 2);
      expect(service.lanes).toBeLessThanOrEqual(3);
      expect(hanging.received).toHaveLength(2);
    });

    it('lose nothing: all is delivered once they are well again', async () => {
      const client = await receiver(answerWith(500));
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      const ids: string[] = [];
      for (let round = 0; round < 4; round++) ids.push(...(await bed.emit('acme_1', Array(50).fill({}) as object[])));
      await client.waitFor(20);
      client.answer = answerWith(200);
      await until(async () => {
        bed.clock.advance(7000);
        return (await bed.deliveries(id)).filter((row) => row.status === 'succeeded').length === 200;
      });
      expect(new Set(client.ids)).toEqual(new Set(ids));
    });

    it('are disabled when they only fail for 5 days, with an alert in the events, and not before', async () => {
      const client = await receiver(answerWith(500));
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service().start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'pending', 1);
      const enabled = async () =>
        (
          await bed.database.query<{ enabled: boolean }>('SELECT enabled FROM webhook_endpoints WHERE id = $1', [id])
        )[0]!.enabled;
      for (let tries = 2; tries <= 10; tries++) {
        bed.clock.advance(LADDER_S[tries - 2]! * 1200);
        await until(async () => (await bed.deliveries(id))[0]!.attempts === tries);
      }
      expect(await enabled()).toBe(true);
      bed.clock.advance(4 * 24 * 3600_000);
      await bed.emit('acme_1', [{}]);
      await until(async () => !(await enabled()));
      const alerts = await bed.database.query<{ data: object }>(
        `SELECT data FROM events WHERE type = 'alert.raised' AND client_id = 'acme_1'`,
      );
      expect(alerts).toEqual([{ data: expect.objectContaining({ alert: 'webhook_disabled', webhook_id: id }) }]);
      const before = client.received.length;
      const other = await receiver();
      const witness = await bed.endpoint('acme_1', other.url);
      await bed.emit('acme_1', [{}]);
      await bed.settled(witness.id, 'succeeded', 1);
      expect(client.received).toHaveLength(before);
    });
  });

  describe('processes', () => {
    it('share the endpoints: each event is tried once', async () => {
      const client = await receiver();
      const ids: string[] = [];
      const endpoints: string[] = [];
      for (let tenant = 0; tenant < 8; tenant++) endpoints.push((await bed.endpoint(`t_${tenant}`, client.url)).id);
      const services = [bed.service(), bed.service({ signal: false }), bed.service()];
      for (const service of services) service.start();
      for (let round = 0; round < 10; round++) {
        for (let tenant = 0; tenant < 8; tenant++) ids.push(...(await bed.emit(`t_${tenant}`, [{}, {}, {}])));
      }
      for (const id of endpoints) await bed.settled(id, 'succeeded', 30);
      expect(client.ids.sort()).toEqual(ids.sort());
    });

    it('learn of events without a signal', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      bed.service({ signal: false }).start();
      await bed.emit('acme_1', [{}]);
      await bed.settled(id, 'succeeded', 1);
      expect(client.received).toHaveLength(1);
    });

    it('take over from one that died between post and commit: repeated with the same ids, nothing lost', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      // The process posts, and never gets to write what it did.
      const dying = new Database(bed.database.dataSource);
      dying.transaction = () => new Promise(() => undefined);
      const dead = bed.service({ database: dying, abandoned: true });
      dead.start();
      const ids = await bed.emit('acme_1', Array(40).fill({}) as object[]);
      await client.waitFor(40);
      void dead.stop(0);
      const heir = bed.service();
      heir.start();
      expect(await bed.deliveries(id)).toEqual([]);
      // Its lease runs out.
      await bed.database.execute(
        `UPDATE webhook_endpoints SET lane_until = now() - interval '1 s', lane_owner = 'wrk_dead'`,
      );
      await bed.settled(id, 'succeeded', 40);
      expect(new Set(client.ids)).toEqual(new Set(ids));
      expect(client.received.length).toBe(80);
    });

    it('write nothing for a lane that another has taken over', async () => {
      let release!: () => void;
      const client = await receiver((response) => void (release = () => response.end()));
      const { id } = await bed.endpoint('acme_1', client.url);
      const service = bed.service();
      service.start();
      await bed.emit('acme_1', [{}]);
      await client.waitFor(1);
      await bed.database.execute(
        `UPDATE webhook_endpoints SET lane_until = now() + interval '1 hour', lane_owner = 'wrk_other'`,
      );
      release();
      await until(async () => service.lanes === 0);
      expect(await bed.deliveries(id)).toEqual([]);
      const [row] = await bed.database.query('SELECT lane_owner, cursor_seq FROM webhook_endpoints');
      expect(row).toEqual({ lane_owner: 'wrk_other', cursor_seq: '0' });
    });

    it('end cleanly: what hangs is put back as due at once, and the lease is released', async () => {
      const client = await receiver((response, { body }) => void (body.includes('"hang": true') || response.end()));
      const { id } = await bed.endpoint('acme_1', client.url);
      const service = bed.service();
      service.start();
      await bed.emit('acme_1', [{ data: { hang: true } }, { data: {} }]);
      await client.waitFor(2);
      await service.stop(10);
      const log = await bed.deliveries(id);
      expect(log.map(({ status, attempts }) => [status, attempts])).toEqual([
        ['pending', 0],
        ['succeeded', 1],
      ]);
      const [row] = await bed.database.query('SELECT lane_owner FROM webhook_endpoints');
      expect(row).toEqual({ lane_owner: null });
      client.answer = answerWith(200);
      bed.service().start();
      await bed.settled(id, 'succeeded', 2);
    });

    it('go on after the database was away, without repeating what they had posted', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      let away = true;
      let refused = 0;
      const flaky = new Database(bed.database.dataSource);
      const transaction = flaky.transaction.bind(flaky);
      flaky.transaction = (work) => {
        if (!away) return transaction(work);
        refused++;
        return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      };
      bed.service({ database: flaky }).start();
      const ids = await bed.emit('acme_1', Array(10).fill({}) as object[]);
      await until(async () => refused >= 2);
      away = false;
      await bed.settled(id, 'succeeded', 10);
      expect(client.ids.sort()).toEqual(ids.sort());
    });

    it('notice that a write whose answer was lost has been done', async () => {
      const client = await receiver();
      const { id } = await bed.endpoint('acme_1', client.url);
      let lost = false;
      const flaky = new Database(bed.database.dataSource);
      const transaction = flaky.transaction.bind(flaky);
      flaky.transaction = async (work) => {
        const result = await transaction(work);
        if (lost) return result;
        lost = true;
        throw new Error('Connection terminated unexpectedly');
      };
      // More than the first chunk: what follows it is on its way when the write is repeated, and must not be given up.
      const ids = await bed.emit('acme_1', Array(90).fill({}) as object[]);
      bed.service({ database: flaky }).start();
      await bed.settled(id, 'succeeded', 90);
      expect(lost).toBe(true);
      expect(client.ids.sort()).toEqual(ids.sort());
    });
  });
});
