import { Webhook } from 'standardwebhooks';
import request from 'supertest';
import { startHttpTestApp, TEST_ADMIN_KEY, type HttpTestApp } from '../../../test/support/http-test-app';
import { answerWith, Receiver, until } from '../../../test/support/webhook-bed';
import { newId } from '../../kernel/ids';
import { AlertBook } from '../../platform/alerts/alert-book';
import { AlertBookModule } from '../../platform/alerts/alert-book.module';
import { EventsModule } from '../../platform/events/events.module';
import { EventStore, type EventType } from '../../platform/events/event-store';
import { ObservabilityModule } from '../../platform/observability/observability.module';
import { WebhookDeliveryService } from './webhook-delivery.service';
import { WebhookEndpointsModule } from './webhook-endpoints.module';

jest.setTimeout(30_000);

interface Tenant {
  client_id: string;
  api_key: string;
}
interface Endpoint {
  id: string;
  secret: string;
  created_at: string;
  [field: string]: unknown;
}
interface Delivery {
  id: string;
  event_id: string;
  status: string;
  attempts: Array<{ status_code?: number }>;
}

const MISSING = 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8';

describe('/v1/webhooks', () => {
  let test: HttpTestApp;
  let acme: Tenant;
  let other: Tenant;
  let client: Receiver;

  const http = () => request(test.url);
  const as = (tenant: Tenant, call: request.Test) => call.set('Authorization', `Bearer ${tenant.api_key}`);
  const tenant = async (name: string): Promise<Tenant> => {
    const call = http().post('/admin/tenants').set('Authorization', `Bearer ${TEST_ADMIN_KEY}`).send({ name });
    return ((await call.expect(201)).body as { data: Tenant }).data;
  };
  const create = async (owner: Tenant, body: object = {}): Promise<Endpoint> => {
    const call = as(
      owner,
      http()
        .post('/v1/webhooks')
        .send({ url: client.url, events: ['*'], ...body }),
    );
    return ((await call.expect(201)).body as { data: Endpoint }).data;
  };
  const get = async <T>(owner: Tenant, path: string): Promise<T> =>
    ((await as(owner, http().get(path)).expect(200)).body as { data: T }).data;
  const post = async <T>(owner: Tenant, path: string, status: number, body?: object): Promise<T> =>
    ((await as(owner, http().post(path).send(body)).expect(status)).body as { data: T }).data;
  const emit = async (owner: Tenant, types: EventType[]): Promise<string[]> => {
    const ids = types.map(() => newId('event'));
    const store = test.app.get(EventStore);
    await test.database.database.transaction((tx) =>
      store.insert(
        tx,
        types.map((type, index) => ({
          id: ids[index]!,
          clientId: owner.client_id,
          type,
          occurredAt: Date.now(),
          data: { number: index },
        })),
      ),
    );
    store.signal.committed([owner.client_id]);
    return ids;
  };
  const settled = async (owner: Tenant, id: string, status: string, count: number): Promise<Delivery[]> => {
    let found: Delivery[] = [];
    await until(async () => {
      found = await get<Delivery[]>(owner, `/v1/webhooks/${id}/deliveries?status=${status}`);
      return found.length >= count;
    });
    return found;
  };
  const errorsOf = (answer: request.Response) =>
    (answer.body as { errors: Array<{ field: string; code: string }> }).errors.map(({ field, code }) => [field, code]);

  beforeAll(async () => {
    client = await Receiver.start();
    test = await startHttpTestApp({
      imports: [ObservabilityModule, EventsModule, AlertBookModule, WebhookEndpointsModule],
      environment: { UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8' },
    });
    other = await tenant('Other');
    test.app.get(WebhookDeliveryService).start();
  });
  beforeEach(async () => {
    acme = await tenant('Acme');
    client.answer = answerWith(200, 'ok');
    client.received.length = 0;
  });
  afterAll(async () => {
    await test.app.get(WebhookDeliveryService).stop(0);
    await test.close();
    await client.close();
  });

  it('makes an endpoint and shows its secret only there', async () => {
    const created = await create(acme, { events: ['message.failed'], description: 'orders', format: 'form' });
    expect(created).toEqual({
      id: expect.stringMatching(/^whe_[0-9a-z]{26}$/),
      url: client.url,
      events: ['message.failed'],
      description: 'orders',
      enabled: true,
      format: 'form',
      failing_since: null,
      disabled_at: null,
      disabled_reason: null,
      previous_secret_until: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: created.created_at,
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    const { secret, ...rest } = created;
    expect(await get(acme, `/v1/webhooks/${created.id}`)).toEqual(rest);
    expect(await get(acme, '/v1/webhooks')).toEqual([rest]);
    const [row] = await test.database.database.query('SELECT secret FROM webhook_endpoints WHERE id = $1', [
      created.id,
    ]);
    expect(JSON.stringify(row)).not.toContain(secret.slice(6));
  });

  it.each([
    [{ url: 'http://169.254.169.254/latest' }, 'url', 'address_not_allowed'],
    [{ url: 'http://10.0.0.1/' }, 'url', 'address_not_allowed'],
    [{ url: 'http://[::1]:80/' }, 'url', 'address_not_allowed'],
    [{ url: 'ftp://example.com/' }, 'url', 'invalid_url'],
    [{ url: 'http://user:pass@example.com/' }, 'url', 'invalid_url'],
  ])('refuses %j at creation and at update', async (body, field, code) => {
    const made = await as(
      acme,
      http()
        .post('/v1/webhooks')
        .send({ events: ['*'], ...body }),
    ).expect(400);
    expect(errorsOf(made)).toEqual([[field, code]]);
    const { id } = await create(acme);
    const changed = await as(acme, http().patch(`/v1/webhooks/${id}`).send(body)).expect(400);
    expect(errorsOf(changed)).toEqual([[field, code]]);
    expect(await get<Endpoint>(acme, `/v1/webhooks/${id}`)).toMatchObject({ url: client.url });
  });

  it.each([
    [{}, ['url', 'events']],
    [{ url: 'https://example.com', events: [] }, ['events']],
    [{ url: 'https://example.com', events: 'message.sent' }, ['events']],
    [{ url: 'https://example.com', events: ['message.exploded'] }, ['events']],
    [{ url: 'https://example.com', events: ['*'], format: 'xml' }, ['format']],
    [{ url: 'https://example.com', events: ['*'], enabled: 'yes' }, ['enabled']],
    [{ url: 'https://example.com', events: ['*'], secret: 'mine' }, ['secret']],
    [{ url: 7, events: ['*'] }, ['url']],
  ])('refuses the body %j', async (body, fields) => {
    const answer = await as(acme, http().post('/v1/webhooks').send(body)).expect(400);
    const named = errorsOf(answer).map(([field]) => field!.replace(/\[\d+\]$/, ''));
    expect([...new Set(named)]).toEqual(fields);
  });

  it('lists page by page, newest first', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift((await create(acme)).id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const path = `/v1/webhooks?limit=2${cursor ? `&cursor=${cursor}` : ''}`;
      const { body } = await as(acme, http().get(path)).expect(200);
      const answer = body as { data: Endpoint[]; meta: { next_cursor: string | null; limit: number } };
      expect(answer.meta.limit).toBe(2);
      seen.push(...answer.data.map(({ id }) => id));
      cursor = answer.meta.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids);
  });

  it('allows at most 100 endpoints a tenant, also when they are made at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 104 }, () =>
        as(
          acme,
          http()
            .post('/v1/webhooks')
            .send({ url: client.url, events: ['*'], enabled: false }),
        ),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    expect(statuses).toEqual([...Array(100).fill(201), ...Array(4).fill(409)]);
  });

  it('changes what it is told to, keeps the rest, and events follow', async () => {
    const { id } = await create(acme, { events: ['message.failed'], description: 'orders' });
    const changed = await as(
      acme,
      http()
        .patch(`/v1/webhooks/${id}`)
        .send({ events: ['message.sent'], description: null }),
    );
    expect(changed.body).toMatchObject({ data: { events: ['message.sent'], description: null, url: client.url } });
    const [sent] = await emit(acme, ['message.sent', 'message.failed']);
    await settled(acme, id, 'succeeded', 1);
    expect(client.ids).toEqual([sent]);
  });

  it('lets events wait while it is disabled', async () => {
    const { id } = await create(acme);
    await as(acme, http().patch(`/v1/webhooks/${id}`).send({ enabled: false })).expect(200);
    expect(await get(acme, `/v1/webhooks/${id}`)).toMatchObject({
      enabled: false,
      disabled_reason: 'request',
      disabled_at: expect.any(String),
    });
    const ids = await emit(acme, ['message.sent', 'message.failed']);
    const witness = await create(acme);
    const [seen] = await emit(acme, ['message.read']);
    await settled(acme, witness.id, 'succeeded', 1);
    expect(client.ids).toEqual([seen]);
    await as(acme, http().patch(`/v1/webhooks/${id}`).send({ enabled: true })).expect(200);
    await settled(acme, id, 'succeeded', 3);
    expect(client.ids.sort()).toEqual([...ids, seen, seen].map(String).sort());
  });

  it('tells that an alert is over when an endpoint that was disabled for failing is enabled', async () => {
    const { id } = await create(acme, { events: ['alert.cleared'], enabled: false });
    await test.database.database.execute(
      `UPDATE webhook_endpoints SET disabled_reason = 'failing', failures_in_row = 12, failing_since = now() WHERE id = $1`,
      [id],
    );
    await test.database.database.transaction((tx) =>
      test.app.get(AlertBook).raise(tx, {
        clientId: acme.client_id,
        alert: 'webhook_disabled',
        subject: id,
        detail: 'failing',
        data: { webhook_id: id },
        occurredAt: test.clock.now(),
      }),
    );
    const { body } = await as(acme, http().patch(`/v1/webhooks/${id}`).send({ enabled: true })).expect(200);
    expect(body).toMatchObject({ data: { enabled: true, failing_since: null, disabled_reason: null } });
    await settled(acme, id, 'succeeded', 1);
    expect(JSON.parse(client.received[0]!.body)).toMatchObject({
      event: 'alert.cleared',
      data: { alert: 'webhook_disabled', webhook_id: id },
    });
  });

  it('rotates the secret: both sign for a day', async () => {
    const created = await create(acme);
    const rotated = await post<Endpoint>(acme, `/v1/webhooks/${created.id}/rotate-secret`, 200);
    expect(rotated.secret).not.toBe(created.secret);
    expect(rotated.previous_secret_until).toBe(new Date(test.clock.now() + 24 * 3600_000).toISOString());
    await emit(acme, ['message.sent']);
    await settled(acme, created.id, 'succeeded', 1);
    const { body, headers } = client.received[0]!;
    for (const { secret } of [created, rotated]) {
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toBeTruthy();
    }
  });

  it('posts a signed test at once and answers what came of it, also of a failure', async () => {
    const { id, secret } = await create(acme, { enabled: false });
    const good = await post<{ event_id: string }>(acme, `/v1/webhooks/${id}/test`, 200);
    expect(good).toMatchObject({
      succeeded: true,
      status_code: 200,
      latency_ms: expect.any(Number),
      attempt: { status_code: 200, response: 'ok' },
    });
    const { body, headers } = client.received[0]!;
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
      event: 'webhook.test',
      id: good.event_id,
      data: { webhook_id: id },
    });
    client.answer = answerWith(500, 'boom');
    expect(await post(acme, `/v1/webhooks/${id}/test`, 200)).toMatchObject({
      succeeded: false,
      status_code: 500,
      attempt: { error: 'http_status', response: 'boom' },
    });
    client.answer = (response) => void response.destroy();
    expect(await post(acme, `/v1/webhooks/${id}/test`, 200)).toMatchObject({
      succeeded: false,
      status_code: null,
      attempt: { error: 'reset' },
    });
  });

  it('lists deliveries by status, type and page', async () => {
    const { id } = await create(acme);
    client.answer = (response, { body }) =>
      void response.writeHead(body.includes('message.failed') ? 500 : 200).end('answer');
    const [sent, failed, read] = await emit(acme, ['message.sent', 'message.failed', 'message.read']);
    await settled(acme, id, 'succeeded', 2);
    const [pending] = await settled(acme, id, 'pending', 1);
    expect(pending).toEqual({
      id: expect.stringMatching(/^whd_/),
      webhook_id: id,
      event_id: failed,
      event: 'message.failed',
      message_id: null,
      status: 'pending',
      next_attempt_at: expect.any(String),
      attempts: [
        {
          at: expect.any(String),
          latency_ms: expect.any(Number),
          status_code: 500,
          error: 'http_status',
          response: 'answer',
        },
      ],
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const ofType = await get<Delivery[]>(acme, `/v1/webhooks/${id}/deliveries?event=message.read`);
    expect(ofType.map(({ event_id }) => event_id)).toEqual([read]);
    const pages: string[] = [];
    let cursor = '';
    for (let n = 0; n < 3; n++) {
      const { body } = await as(acme, http().get(`/v1/webhooks/${id}/deliveries?limit=1${cursor}`)).expect(200);
      const answer = body as { data: Delivery[]; meta: { next_cursor: string | null } };
      pages.push(...answer.data.map(({ event_id }) => event_id));
      cursor = `&cursor=${answer.meta.next_cursor}`;
    }
    expect(cursor).toBe('&cursor=null');
    expect(pages.sort()).toEqual([sent, failed, read].map(String).sort());
    await as(acme, http().get(`/v1/webhooks/${id}/deliveries?status=lost`)).expect(400);
    await as(acme, http().get(`/v1/webhooks/${id}/deliveries?cursor=nonsense`)).expect(400);
  });

  it('replays one delivery with the same event id', async () => {
    const { id } = await create(acme);
    const [eventId] = await emit(acme, ['message.sent']);
    const [delivery] = await settled(acme, id, 'succeeded', 1);
    const again = await post<Delivery>(acme, `/v1/webhooks/${id}/deliveries/${delivery!.id}/replay`, 202);
    expect(again).toMatchObject({ id: delivery!.id, status: 'pending' });
    await client.waitFor(2);
    const [done] = await settled(acme, id, 'succeeded', 1);
    expect(client.ids).toEqual([eventId, eventId]);
    expect(done!.attempts).toHaveLength(2);
  });

  it('replays a dead letter with the whole ladder before it', async () => {
    const { id } = await create(acme);
    client.answer = answerWith(500);
    await emit(acme, ['message.sent']);
    const [delivery] = await settled(acme, id, 'pending', 1);
    await test.database.database.execute(
      `UPDATE webhook_deliveries SET status = 'dead_letter', attempts = 10, next_attempt_at = NULL WHERE id = $1`,
      [delivery!.id],
    );
    await post(acme, `/v1/webhooks/${id}/deliveries/${delivery!.id}/replay`, 202);
    await until(async () => {
      const [row] = await test.database.database.query<{ attempts: number }>(
        'SELECT attempts FROM webhook_deliveries WHERE id = $1',
        [delivery!.id],
      );
      return row!.attempts === 1;
    });
    expect(await settled(acme, id, 'pending', 1)).toMatchObject([{ id: delivery!.id }]);
  });

  it('replays a time: what was delivered, what failed, and what came before the endpoint was made', async () => {
    const from = new Date(Date.now() - 60_000).toISOString();
    const to = new Date(Date.now() + 60_000).toISOString();
    const early = await emit(acme, ['message.sent', 'message.read', 'message.sent']);
    const { id } = await create(acme, { events: ['message.sent', 'message.failed'] });
    client.answer = (response, { body }) => void response.writeHead(body.includes('message.failed') ? 500 : 200).end();
    const [sent, failed] = await emit(acme, ['message.sent', 'message.failed', 'message.read']);
    await settled(acme, id, 'succeeded', 1);
    await settled(acme, id, 'pending', 1);
    client.answer = answerWith(200);
    client.received.length = 0;
    expect(await post(acme, `/v1/webhooks/${id}/replay`, 202, { from, to, only_failed: true })).toEqual({
      replayed: 1,
    });
    await settled(acme, id, 'succeeded', 2);
    expect(client.ids).toEqual([failed]);
    client.received.length = 0;
    expect(await post(acme, `/v1/webhooks/${id}/replay`, 202, { from, to })).toEqual({ replayed: 4 });
    await client.waitFor(4);
    await settled(acme, id, 'succeeded', 4);
    expect(client.ids.sort()).toEqual([early[0], early[2], sent, failed].map(String).sort());
    // Now that all are recorded, nothing is made twice.
    expect(await post(acme, `/v1/webhooks/${id}/replay`, 202, { from, to })).toEqual({ replayed: 4 });
    await client.waitFor(8);
    const past = { from: '2020-01-01T00:00:00Z', to: '2020-01-02T00:00:00Z' };
    expect(await post(acme, `/v1/webhooks/${id}/replay`, 202, past)).toEqual({ replayed: 0 });
  });

  it('replays at more endpoints at once than there are connections', async () => {
    const [early] = await emit(acme, ['message.sent']);
    const endpoints: Endpoint[] = [];
    for (let n = 0; n < 12; n++) endpoints.push(await create(acme));
    const range = {
      from: new Date(Date.now() - 60_000).toISOString(),
      to: new Date(Date.now() + 60_000).toISOString(),
    };
    const answers = await Promise.all(endpoints.map(({ id }) => post(acme, `/v1/webhooks/${id}/replay`, 202, range)));
    expect(answers).toEqual(endpoints.map(() => ({ replayed: 1 })));
    for (const { id } of endpoints) await settled(acme, id, 'succeeded', 1);
    expect(new Set(client.ids)).toEqual(new Set([early]));
  });

  it('replays nothing that is still on its way for the first time', async () => {
    const { id } = await create(acme);
    const lease = (owner: string | null) =>
      test.database.database.execute(
        `UPDATE webhook_endpoints SET lane_owner = $2, lane_until = now() + interval '1 hour' WHERE id = $1`,
        [id, owner],
      );
    await lease('wrk_other');
    const ids = await emit(acme, ['message.sent', 'message.read']);
    const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
    expect(await post(acme, `/v1/webhooks/${id}/replay`, 202, range)).toEqual({ replayed: 0 });
    await test.database.database.execute('UPDATE webhook_endpoints SET lane_until = NULL WHERE id = $1', [id]);
    await settled(acme, id, 'succeeded', 2);
    expect(client.ids.sort()).toEqual(ids.sort());
  });

  it.each([
    [{ to: '2026-01-02T00:00:00Z' }, 'from'],
    [{ from: 'yesterday', to: '2026-01-02T00:00:00Z' }, 'from'],
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-02T00:00:00Z' }, 'to'],
  ])('refuses to replay %j', async (body, field) => {
    const { id } = await create(acme);
    const answer = await as(acme, http().post(`/v1/webhooks/${id}/replay`).send(body)).expect(400);
    expect(errorsOf(answer)[0]![0]).toBe(field);
  });

  it('replays nothing at an endpoint that is disabled', async () => {
    const { id } = await create(acme);
    await emit(acme, ['message.sent']);
    const [delivery] = await settled(acme, id, 'succeeded', 1);
    await as(acme, http().patch(`/v1/webhooks/${id}`).send({ enabled: false })).expect(200);
    await post(acme, `/v1/webhooks/${id}/deliveries/${delivery!.id}/replay`, 409);
    const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
    await post(acme, `/v1/webhooks/${id}/replay`, 409, range);
    expect(await settled(acme, id, 'succeeded', 1)).toHaveLength(1);
  });

  it('deletes', async () => {
    const { id } = await create(acme);
    expect((await as(acme, http().delete(`/v1/webhooks/${id}`)).expect(200)).body).toMatchObject({
      data: { id, deleted: true },
    });
    await as(acme, http().get(`/v1/webhooks/${id}`)).expect(404);
    await as(acme, http().delete(`/v1/webhooks/${id}`)).expect(404);
  });

  it("answers 404 for another tenant's endpoint and for none, and changes nothing", async () => {
    const { id } = await create(acme);
    await emit(acme, ['message.sent']);
    const [delivery] = await settled(acme, id, 'succeeded', 1);
    const range = { from: '2020-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
    for (const endpoint of [id, MISSING, 'nonsense']) {
      const path = `/v1/webhooks/${endpoint}`;
      const calls = [
        http().get(path),
        http().patch(path).send({ enabled: false }),
        http().delete(path),
        http().post(`${path}/rotate-secret`),
        http().post(`${path}/test`),
        http().get(`${path}/deliveries`),
        http().post(`${path}/deliveries/${delivery!.id}/replay`),
        http().post(`${path}/replay`).send(range),
      ];
      for (const call of calls) expect((await as(other, call)).status).toBe(404);
    }
    const { id: own } = await create(other);
    await post(other, `/v1/webhooks/${own}/deliveries/${delivery!.id}/replay`, 404);
    expect(await get(acme, `/v1/webhooks/${id}`)).toMatchObject({ enabled: true, previous_secret_until: null });
    expect(client.received).toHaveLength(1);
  });

  it('needs the scopes', async () => {
    const key = await post<{ api_key: string }>(acme, '/v1/api-keys', 201, {
      name: 'reader',
      scopes: ['webhooks:read'],
    });
    const reader = { client_id: acme.client_id, api_key: key.api_key };
    await get(reader, '/v1/webhooks');
    await as(
      reader,
      http()
        .post('/v1/webhooks')
        .send({ url: client.url, events: ['*'] }),
    ).expect(403);
    await http().get('/v1/webhooks').expect(401);
  });

  it('shows no secret in any log line', async () => {
    const { id, secret } = await create(acme);
    await post(acme, `/v1/webhooks/${id}/test`, 200);
    expect(JSON.stringify(test.logs)).not.toContain(secret.slice(6));
  });
});
