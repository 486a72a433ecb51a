import { Webhook } from 'standardwebhooks';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

describe('events to clients', () => {
  let service: Service;
  let tenant: Tenant;
  const receivers: ClientReceiver[] = [];

  beforeAll(async () => {
    service = await Service.start();
  }, 60_000);
  beforeEach(async () => {
    tenant = await service.tenant();
  });
  afterAll(async () => {
    await Promise.all(receivers.map((one) => one.close()));
    await service?.stop();
  });

  async function receiver(answer?: ClientReceiver['answer']): Promise<ClientReceiver> {
    const one = await ClientReceiver.start(answer);
    receivers.push(one);
    return one;
  }

  async function endpoint(url: string, more: object = {}): Promise<Wire> {
    const made = await tenant.api.post('/v1/webhooks', { url, events: ['*'], ...more });
    assertStatus(made, 201);
    service.secrets.add(made.body.data.secret);
    return made.body.data;
  }

  async function deliver(statuses: string[] = ['delivered'], more: object = {}): Promise<string> {
    const to = freshNumber();
    const id = await tenant.send(to, more);
    await tenant.until(id, ({ status }) => status === 'sent');
    const message = service.twilio.taken(to)!;
    for (const status of statuses) {
      const fields = statusFields(message, status);
      await twilioCallback({ url: message.statusCallback, authToken: tenant.twilio.authToken, fields });
    }
    return id;
  }

  const deliveries = async (id: string, query = ''): Promise<Wire[]> =>
    (await tenant.api.get(`/v1/webhooks/${id}/deliveries?limit=200${query}`)).body.data;

  it('posts each event, signed as Standard Webhooks, with the id of the fact', async () => {
    const client = await receiver();
    const hook = await endpoint(client.url, { description: 'orders' });
    expect(hook).toMatchObject({
      enabled: true,
      format: 'json',
      events: ['*'],
      secret: expect.stringMatching(/^whsec_/),
    });
    const id = await deliver(['delivered', 'read'], { reference: 'order-1', metadata: { a: 'ü' } });
    await client.waitFor(3);
    expect(client.events.map(({ event }) => event)).toEqual(['message.sent', 'message.delivered', 'message.read']);
    for (const { body, headers } of client.received) {
      const event = JSON.parse(body);
      new Webhook(hook.secret).verify(body, headers as Record<string, string>);
      expect(() => new Webhook(hook.secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
      expect(headers['webhook-id']).toBe(event.id);
      expect(headers['content-type']).toBe('application/json');
      expect(event).toEqual({
        event: expect.any(String),
        id: expect.stringMatching(/^evt_/),
        created_at: expect.stringMatching(/Z$/),
        data: expect.objectContaining({
          message_id: id,
          client_id: tenant.clientId,
          reference: 'order-1',
          metadata: { a: 'ü' },
          status: event.event.split('.')[1],
        }),
      });
    }
    const fed = await tenant.events();
    expect(fed.map(({ id: eventId, event, data }) => ({ id: eventId, event, data }))).toEqual(
      client.events.map(({ id: eventId, event, data }) => ({ id: eventId, event, data })),
    );
    const log = await eventually(
      () => deliveries(hook.id),
      (list) => list.length === 3 && list.every(({ status }) => status === 'succeeded'),
    );
    expect(log.map(({ event_id: eventId }: Wire) => eventId).reverse()).toEqual(client.events.map((one) => one.id));
    expect(log[0].attempts).toEqual([expect.objectContaining({ status_code: 204 })]);
  });

  it('keeps the events of each message in order, also when there are many', async () => {
    const client = await receiver();
    await endpoint(client.url);
    const ids = await Promise.all(Array.from({ length: 40 }, () => deliver(['delivered', 'read'])));
    await client.waitFor(120);
    for (const id of ids) {
      const seen = client.events.filter(({ data }) => data.message_id === id).map(({ event }) => event);
      expect(seen).toEqual(['message.sent', 'message.delivered', 'message.read']);
    }
    expect(new Set(client.events.map(({ id }) => id)).size).toBe(120);
  });

  it('sends only what is asked for, in the form that is asked for, and no other tenant’s', async () => {
    const client = await receiver();
    const form = await receiver();
    const stranger = await receiver();
    await endpoint(client.url, { events: ['message.failed', 'message.canceled'] });
    await endpoint(form.url, { events: ['message.canceled'], format: 'form' });
    const other = await service.tenant();
    const foreign = await other.api.post('/v1/webhooks', { url: stranger.url, events: ['*'] });
    service.secrets.add(foreign.body.data.secret);
    await deliver();
    const to = freshNumber();
    service.twilio.on(to, answers(400, { code: 21211, message: 'invalid', status: 400 }));
    await tenant.send(to);
    await client.waitFor(1);
    const scheduled = await tenant.send(freshNumber(), { send_at: new Date(Date.now() + 3_600_000).toISOString() });
    assertStatus(await tenant.api.post(`/v1/messages/${scheduled}/cancel`), 200);
    await client.waitFor(2);
    await form.waitFor(1);
    expect(client.events.map(({ event }) => event)).toEqual(['message.failed', 'message.canceled']);
    expect(client.events[0]!.data).toMatchObject({ error_code: 'invalid_recipient', provider_code: '21211' });
    expect(form.received[0]!.headers['content-type']).toBe('application/x-www-form-urlencoded');
    const fields = Object.fromEntries(new URLSearchParams(form.received[0]!.body));
    expect(fields).toMatchObject({ event: 'message.canceled', message_id: scheduled, status: 'canceled' });
    expect(stranger.received).toHaveLength(0);
  });

  it('signs with both secrets while one rotates, and shows neither again', async () => {
    const client = await receiver();
    const hook = await endpoint(client.url);
    const rotated = await tenant.api.post(`/v1/webhooks/${hook.id}/rotate-secret`);
    assertStatus(rotated, 200);
    service.secrets.add(rotated.body.data.secret);
    expect(rotated.body.data.secret).not.toBe(hook.secret);
    await deliver();
    await client.waitFor(2);
    for (const { body, headers } of client.received) {
      new Webhook(hook.secret).verify(body, headers as Record<string, string>);
      new Webhook(rotated.body.data.secret).verify(body, headers as Record<string, string>);
      expect(String(headers['webhook-signature']).split(' ')).toHaveLength(2);
    }
    for (const path of [`/v1/webhooks/${hook.id}`, '/v1/webhooks', `/v1/webhooks/${hook.id}/deliveries`]) {
      const { text } = await tenant.api.get(path);
      expect([path, text.includes('whsec_')]).toEqual([path, false]);
    }
  });

  it('lets slow, dead, redirecting and failing receivers delay nobody else, and tries them again', async () => {
    const slow = await receiver(() => undefined);
    let internal = 0;
    const target = await receiver((response) => {
      internal++;
      response.writeHead(204).end();
    });
    const redirecting = await receiver((response) => response.writeHead(302, { location: target.url }).end());
    const metadata = await receiver((response) =>
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    );
    let answersOfFailing = 0;
    const failing = await receiver((response) => response.writeHead(answersOfFailing++ < 1 ? 500 : 204).end('no'));
    const gone = await ClientReceiver.start();
    const deadUrl = gone.url;
    await gone.close();
    const good = await receiver();
    const bad = {
      slow: await endpoint(slow.url),
      redirecting: await endpoint(redirecting.url),
      metadata: await endpoint(metadata.url),
      dead: await endpoint(deadUrl),
    };
    const failingHook = await endpoint(failing.url, { events: ['message.delivered'] });
    await endpoint(good.url);
    const startedAt = Date.now();
    await Promise.all(Array.from({ length: 20 }, () => deliver()));
    await good.waitFor(40, 5000);
    // All that was said was passed on while the slow one has not even answered once.
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    for (const [name, hook] of Object.entries(bad)) {
      if (name === 'slow') continue;
      const log = await eventually(
        () => deliveries(hook.id),
        (list) => list.some(({ attempts }) => attempts.length > 0),
      );
      const tried = log.find(({ attempts }) => attempts.length > 0);
      expect([name, tried.status]).toEqual([name, 'pending']);
      expect(tried.attempts[0].error).toEqual(expect.any(String));
      expect(Date.parse(tried.next_attempt_at)).toBeGreaterThan(Date.parse(tried.attempts[0].at) + 3000);
    }
    expect(internal).toBe(0);
    // The ladder's first step is about 5 s: what failed is delivered then.
    const recovered = await eventually(
      () => deliveries(failingHook.id),
      (list) => list.length === 20 && list.every(({ status }) => status === 'succeeded'),
      20_000,
    );
    const twice = recovered.filter(({ attempts }) => attempts.length === 2);
    expect(twice).toHaveLength(1);
    expect(twice[0].attempts.map((one: Wire) => one.status_code)).toEqual([500, 204]);
    const gap = Date.parse(twice[0].attempts[1].at) - Date.parse(twice[0].attempts[0].at);
    expect(gap).toBeGreaterThanOrEqual(3500);
    expect(failing.events.filter(({ id }) => id === twice[0].event_id)).toHaveLength(2);
  }, 40_000);

  it('posts again on demand, by delivery and by time, with the same ids', async () => {
    const client = await receiver();
    const hook = await endpoint(client.url);
    const from = new Date(Date.now() - 60_000).toISOString();
    await deliver();
    await client.waitFor(2);
    const [last] = await eventually(
      () => deliveries(hook.id),
      (list) => list.length === 2 && list.every(({ status }) => status === 'succeeded'),
    );
    const replayed = await tenant.api.post(`/v1/webhooks/${hook.id}/deliveries/${last.id}/replay`);
    assertStatus(replayed, 202);
    await client.waitFor(3);
    expect(client.events[2]).toEqual(client.events.find(({ id }) => id === last.event_id));
    const to = new Date(Date.now() + 60_000).toISOString();
    await eventually(
      () => deliveries(hook.id),
      (list) => list.every(({ status }) => status === 'succeeded'),
    );
    const range = await tenant.api.post(`/v1/webhooks/${hook.id}/replay`, { from, to });
    expect([range.status, range.body.data.replayed]).toEqual([202, 2]);
    await client.waitFor(5);
    expect(new Set(client.events.map(({ id }) => id)).size).toBe(2);
    const none = await tenant.api.post(`/v1/webhooks/${hook.id}/replay`, { from, to, only_failed: true });
    expect(none.body.data.replayed).toBe(0);
    for (const wrong of [{ from: to, to: from }, { from }, { from: 'x', to }])
      expect((await tenant.api.post(`/v1/webhooks/${hook.id}/replay`, wrong)).status).toBe(400);
  });

  it('sends a test event now, and says what came of it', async () => {
    const client = await receiver();
    const hook = await endpoint(client.url, { events: ['message.read'] });
    const good = await tenant.api.post(`/v1/webhooks/${hook.id}/test`);
    expect(good.body.data).toMatchObject({ succeeded: true, status_code: 204 });
    expect(client.events[0]!.event).toBe('webhook.test');
    new Webhook(hook.secret).verify(client.received[0]!.body, client.received[0]!.headers as Record<string, string>);
    client.answer = (response) => response.writeHead(418).end('teapot');
    const bad = await tenant.api.post(`/v1/webhooks/${hook.id}/test`);
    expect([bad.status, bad.body.data.succeeded, bad.body.data.status_code]).toEqual([200, false, 418]);
  });

  it('holds events of a disabled endpoint until it is enabled, and forgets a deleted one', async () => {
    const client = await receiver();
    const hook = await endpoint(client.url);
    const changed = await tenant.api.patch(`/v1/webhooks/${hook.id}`, { enabled: false, description: null });
    expect(changed.body.data).toMatchObject({ enabled: false, disabled_reason: 'request', description: null });
    await deliver();
    expect(client.received).toHaveLength(0);
    assertStatus(await tenant.api.patch(`/v1/webhooks/${hook.id}`, { enabled: true }), 200);
    await client.waitFor(2);
    assertStatus(await tenant.api.delete(`/v1/webhooks/${hook.id}`), 200);
    expect((await tenant.api.get(`/v1/webhooks/${hook.id}`)).status).toBe(404);
    const other = await receiver();
    await endpoint(other.url);
    await deliver();
    await other.waitFor(2);
    expect(client.received).toHaveLength(2);
  });

  it('lets a client pull the same stream from where it was, filtered, and misses nothing', async () => {
    await deliver(['delivered']);
    await service.everythingReadable();
    const first = await tenant.api.get('/v1/events?limit=1');
    expect(first.body.data).toHaveLength(1);
    const rest = await tenant.api.get(`/v1/events?after=${first.body.meta.next_cursor}`);
    expect(rest.body.data.map((one: Wire) => one.event)).toEqual(['message.delivered']);
    const end = rest.body.meta.next_cursor;
    const empty = await tenant.api.get(`/v1/events?after=${end}`);
    expect([empty.body.data, empty.body.meta.next_cursor]).toEqual([[], end]);
    await Promise.all(Array.from({ length: 30 }, () => deliver(['delivered'])));
    await service.everythingReadable();
    const later: Wire[] = [];
    for (let after = end; ;) {
      const page = await tenant.api.get(`/v1/events?limit=7&after=${after}`);
      later.push(...page.body.data);
      if (page.body.data.length === 0) break;
      after = page.body.meta.next_cursor;
    }
    expect(later).toHaveLength(60);
    expect(new Set(later.map(({ id }) => id)).size).toBe(60);
    expect(await tenant.events('message.delivered')).toHaveLength(31);
    for (const query of ['after=x', 'types=message.gone', 'limit=0'])
      expect([query, (await tenant.api.get(`/v1/events?${query}`)).status]).toEqual([query, 400]);
  });

  it('refuses addresses that lead inside, in every way to write them', async () => {
    const process = await service.another({ UNIMSG_ALLOWED_PRIVATE_CIDRS: '' });
    try {
      const api = tenant.api.at(process.url);
      const hook = await endpoint((await receiver()).url, { enabled: false });
      for (const url of [
        'http://127.0.0.1/',
        'http://localhost:8080/',
        'http://10.0.0.1/',
        'http://172.16.5.5/',
        'http://192.168.1.1/',
        'http://169.254.169.254/latest/meta-data/',
        'http://[::1]/',
        'http://[::ffff:127.0.0.1]/',
        'http://[fd00::1]/',
        'http://[fe80::1]/',
        'http://0.0.0.0/',
        'http://2130706433/',
        'http://0x7f.1/',
        'http://017700000001/',
        'http://127.1/',
        'http://100.64.0.1/',
        'http://224.0.0.1/',
        'http://255.255.255.255/',
        'ftp://example.com/',
        'file:///etc/passwd',
        'javascript:alert(1)',
        'http://user:password@93.184.216.34/',
        '//example.com',
        'example.com',
        'http://',
      ]) {
        const made = await api.post('/v1/webhooks', { url, events: ['*'] });
        expect([url, made.status, made.body.errors?.[0]?.field]).toEqual([url, 400, 'url']);
        const changed = await api.patch(`/v1/webhooks/${hook.id}`, { url });
        expect([url, changed.status]).toEqual([url, 400]);
      }
    } finally {
      await process.stop();
    }
    expect((await tenant.api.get('/v1/webhooks')).body.data).toHaveLength(1);
  });
});
