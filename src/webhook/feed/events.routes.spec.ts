import request from 'supertest';
import { startHttpTestApp, TEST_ADMIN_KEY, type HttpTestApp } from '../../../test/support/http-test-app';
import { until } from '../../../test/support/webhook-bed';
import { newId } from '../../kernel/ids';
import { AlertBookModule } from '../../platform/alerts/alert-book.module';
import { EventsModule } from '../../platform/events/events.module';
import { EventStore, type EventType } from '../../platform/events/event-store';
import { ObservabilityModule } from '../../platform/observability/observability.module';
import { WebhookEndpointsModule } from '../endpoints/webhook-endpoints.module';

interface Tenant {
  client_id: string;
  api_key: string;
}
interface Feed {
  data: Array<{ id: string; event: string; data: object; created_at: string }>;
  meta: { next_cursor: string; limit: number };
}

describe('/v1/events', () => {
  let test: HttpTestApp;
  let acme: Tenant;

  const http = () => request(test.url);
  const as = (tenant: Tenant, call: request.Test) => call.set('Authorization', `Bearer ${tenant.api_key}`);
  const tenant = async (name: string): Promise<Tenant> => {
    const call = http().post('/admin/tenants').set('Authorization', `Bearer ${TEST_ADMIN_KEY}`).send({ name });
    return ((await call.expect(201)).body as { data: Tenant }).data;
  };
  const pull = async (owner: Tenant, query: Record<string, string>): Promise<Feed> =>
    (await as(owner, http().get('/v1/events').query(query)).expect(200)).body as Feed;
  const write = async (owner: Tenant, types: EventType[]): Promise<string[]> => {
    const ids = types.map(() => newId('event'));
    await test.database.database.transaction((tx) =>
      test.app.get(EventStore).insert(
        tx,
        types.map((type, index) => ({
          id: ids[index]!,
          clientId: owner.client_id,
          type,
          occurredAt: 0,
          data: { index },
        })),
      ),
    );
    return ids;
  };
  /** As {@link write}, and waits until no older transaction holds them back; those of other databases of the server do too. */
  const emit = async (owner: Tenant, types: EventType[]): Promise<string[]> => {
    const ids = await write(owner, types);
    await until(async () => {
      const held = await test.database.database.query(
        'SELECT 1 FROM events WHERE id = ANY($1) AND tx >= pg_snapshot_xmin(pg_current_snapshot())',
        [ids],
      );
      return held.length === 0;
    });
    return ids;
  };

  beforeAll(async () => {
    test = await startHttpTestApp({
      imports: [ObservabilityModule, EventsModule, AlertBookModule, WebhookEndpointsModule],
    });
  });
  beforeEach(async () => void (acme = await tenant('Acme')));
  afterAll(() => test.close());

  it('gives every event once, in order, page by page, and a cursor to go on with', async () => {
    const ids = await emit(acme, Array<EventType>(7).fill('message.sent'));
    await emit(await tenant('Other'), ['message.sent']);
    const first = await pull(acme, { limit: '3' });
    expect(first.meta.limit).toBe(3);
    expect(first.data[0]).toEqual({
      id: ids[0],
      event: 'message.sent',
      data: { index: 0 },
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    const rest = await pull(acme, { after: first.meta.next_cursor });
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(ids);
    const nothing = await pull(acme, { after: rest.meta.next_cursor });
    expect(nothing).toMatchObject({ data: [], meta: { next_cursor: rest.meta.next_cursor } });
    const [later] = await emit(acme, ['message.read']);
    const news = await pull(acme, { after: nothing.meta.next_cursor });
    expect(news.data.map(({ id }) => id)).toEqual([later]);
  });

  it('gives a cursor when there has been nothing yet', async () => {
    const { meta, data } = await pull(acme, {});
    expect(data).toEqual([]);
    const [id] = await emit(acme, ['message.sent']);
    expect((await pull(acme, { after: meta.next_cursor })).data.map((event) => event.id)).toEqual([id]);
  });

  it('gives the types that were asked for and moves past the others', async () => {
    const types = Array.from({ length: 600 }, (_, n): EventType => (n === 550 ? 'message.failed' : 'message.sent'));
    const ids = await emit(acme, types);
    const found = await pull(acme, { types: 'message.failed,message.expired' });
    expect(found.data.map(({ id }) => id)).toEqual([ids[550]]);
    expect((await pull(acme, { after: found.meta.next_cursor })).data).toEqual([]);
  });

  it('misses nothing while many write at once', async () => {
    const written: string[] = [];
    let writing = true;
    const writers = Promise.all(
      Array.from({ length: 3 }, async () => {
        for (let round = 0; round < 40; round++) written.push(...(await emit(acme, ['message.sent', 'message.read'])));
      }),
    ).finally(() => (writing = false));
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let more = true; more;) {
      const done = !writing;
      const page = await pull(acme, { limit: '7', ...(cursor === undefined ? {} : { after: cursor }) });
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.meta.next_cursor;
      more = !done || page.data.length > 0;
    }
    await writers;
    expect(seen).toHaveLength(240);
    expect([...seen].sort()).toEqual([...written].sort());
  });

  it('waits for a transaction that commits late instead of passing over it', async () => {
    const store = test.app.get(EventStore);
    const late = newId('event');
    let early: string[] = [];
    let before: Feed | undefined;
    await test.database.database.transaction(async (tx) => {
      const event = { id: late, clientId: acme.client_id, type: 'message.sent' as const, occurredAt: 0, data: {} };
      await store.insert(tx, [event]);
      early = await write(acme, ['message.read']);
      before = await pull(acme, {});
    });
    expect(before!.data).toEqual([]);
    let after: Feed | undefined;
    await until(async () => {
      after = await pull(acme, { after: before!.meta.next_cursor });
      return after.data.length === 2;
    });
    expect(after!.data.map(({ id }) => id)).toEqual([late, ...early]);
  });

  it.each([
    ['after', 'nonsense'],
    [
      'after',
      Buffer.from(JSON.stringify([1, 'events', '99999999999999999999', '0', '-infinity'])).toString('base64url'),
    ],
    ['after', Buffer.from(JSON.stringify([1, 'events', '1', "0'; --", '-infinity'])).toString('base64url')],
    ['after', Buffer.from(JSON.stringify([1, 'events', '1', '0', 'tomorrow'])).toString('base64url')],
    ['types', 'message.exploded'],
    ['limit', '0'],
    ['limit', '201'],
    ['cursor', 'x'],
  ])('refuses %s=%s', async (name, value) => {
    const answer = await as(
      acme,
      http()
        .get('/v1/events')
        .query({ [name]: value }),
    ).expect(400);
    expect((answer.body as { errors: Array<{ field: string }> }).errors[0]!.field).toBe(name);
  });

  it.each([
    [['messages:read'], 200],
    [['webhooks:read'], 200],
    [['messages:send'], 403],
  ])('answers a key with %j %i', async (scopes, status) => {
    const made = await as(acme, http().post('/v1/api-keys').send({ name: 'k', scopes })).expect(201);
    const key = (made.body as { data: { api_key: string } }).data.api_key;
    await as({ ...acme, api_key: key }, http().get('/v1/events')).expect(status);
  });
});
