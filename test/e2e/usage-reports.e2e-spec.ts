import { parse } from 'csv-parse/sync';
import PostalMime from 'postal-mime';
import { Webhook } from 'standardwebhooks';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { makeDue } from '../support/report-samples';
import { ScriptedSmtp } from '../support/scripted-smtp';
import { statusFields, twilioCallback } from '../support/scripted-twilio';

const DAY = { period: 'daily', time_zone: 'UTC', at: '12:00', format: 'csv', deliver: [{ type: 'webhook' }] };

describe('usage reports', () => {
  let service: Service;
  let server: ScriptedSmtp;
  let receiver: ClientReceiver;
  let tenant: Tenant;
  let other: Tenant;
  let secret: string;
  /** The day in which the messages were sent. */
  let today: { from: string; to: string };

  /** Reports the day that runs, and answers the report's details. */
  const report = async (owner: Tenant | null, scheduleId: string, by: 'us' | 'the service' = 'us'): Promise<Wire> => {
    const { database } = service.database;
    await database.execute('UPDATE report_schedules SET next_from = $2, next_due_at = $2 WHERE id = $1', [
      scheduleId,
      today.from,
    ]);
    if (by === 'us') await makeDue(service, scheduleId);
    const [api, base] = owner === null ? [service.admin, '/admin/usage'] : [owner.api, '/v1/usage'];
    const list = await eventually(
      () => api.get(`${base}/reports?schedule_id=${scheduleId}`),
      ({ body }) => body.data.length > 0,
    );
    return list.body.data[0];
  };
  const create = async (body: object, owner = tenant): Promise<Wire> => {
    const created = await owner.api.post('/v1/usage/schedules', { ...DAY, ...body });
    assertStatus(created, 201);
    return created.body.data;
  };

  beforeAll(async () => {
    server = await ScriptedSmtp.start();
    service = await Service.start({
      UNIMSG_SMTP_URL: `smtp://127.0.0.1:${server.port}`,
      UNIMSG_MAIL_DOMAIN: 'mail.example',
    });
    receiver = await ClientReceiver.start();
    tenant = await service.tenant({ name: 'Käse & Co' });
    other = await service.tenant({ name: '=cmd()' });
    const day = new Date().toISOString().slice(0, 10);
    today = { from: `${day}T00:00:00.000Z`, to: new Date(Date.parse(day) + 86_400_000).toISOString() };
    const webhook = await tenant.api.post('/v1/webhooks', { url: receiver.url, events: ['usage.report'] });
    assertStatus(webhook, 201);
    secret = webhook.body.data.secret;
    service.secrets.add(secret);
    for (const status of ['delivered', 'delivered', 'undelivered'] as const) {
      const to = freshNumber();
      const id = await tenant.send(to);
      await tenant.until(id, (message) => message.status === 'sent');
      const taken = service.twilio.taken(to)!;
      const fields = statusFields(taken, status);
      await twilioCallback({ url: taken.statusCallback, authToken: tenant.twilio.authToken, fields });
      await tenant.until(id, (message) => message.status === status);
    }
    await other.until(await other.send(freshNumber()), ({ status }) => status === 'sent');
  }, 60_000);

  afterAll(async () => {
    await service?.stop();
    await receiver?.close();
    await server?.close();
  });

  it('mails a report, tells of it, and keeps it for download', async () => {
    const deliver = [{ type: 'email', to: 'desk@käse.example' }, { type: 'webhook' }];
    const schedule = await create({ deliver });
    expect(schedule).toMatchObject({ ...DAY, deliver, id: expect.stringMatching(/^sch_/) });
    const made = await report(tenant, schedule.id);
    expect(made).toMatchObject({
      schedule_id: schedule.id,
      ...today,
      local_from: today.from,
      hours: 24,
      format: 'csv',
      totals: { sends: 3, delivered: 2, failed: 1, delivery_rate: 0.6667, error_rate: 0.3333 },
      download: `/v1/usage/reports/${made.id}`,
    });
    expect(Date.parse(made.expires_at) - Date.parse(made.generated_at)).toBe(400 * 86_400_000);

    const file = await tenant.api.get(`/v1/usage/reports/${made.id}`);
    expect(file.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(file.headers['content-disposition']).toBe(`attachment; filename="usage-${today.from.slice(0, 10)}.csv"`);
    const [total] = parse(file.text, { columns: true }) as Array<Record<string, string>>;
    expect(total).toMatchObject({ report_id: made.id, group: 'total', name: 'Käse & Co', sends: '3', delivered: '2' });
    const json = await tenant.api.get(`/v1/usage/reports/${made.id}?format=json`);
    expect(json.body).toMatchObject({ report_id: made.id, channels: [{ channel: 'sms', sends: 3 }] });

    await receiver.waitFor(1);
    const [posted] = receiver.received;
    new Webhook(secret).verify(posted!.body, posted!.headers as Record<string, string>);
    const [event] = receiver.events;
    expect(event).toMatchObject({
      event: 'usage.report',
      data: { report_id: made.id, client_id: tenant.clientId, ...today, totals: made.totals, download: made.download },
    });
    // The fields are those that the document shows.
    const { 'usage.report': documented } = service.contract.document.webhooks as Wire;
    const { example } = documented.post.requestBody.content['application/json'];
    expect(Object.keys(event!.data).sort()).toEqual(Object.keys(example.data).sort());
    expect(Object.keys(event!.data.totals as object).sort()).toEqual(Object.keys(example.data.totals).sort());

    const done = await eventually(
      () => tenant.api.get(`/v1/usage/reports/${made.id}/details`),
      ({ body }) => body.data.deliveries[0].status === 'sent',
    );
    expect(done.body.data.deliveries).toMatchObject([
      { type: 'email', to: 'desk@käse.example', attempts: [{ reply: expect.stringContaining('250') }] },
      { type: 'webhook', to: null, event_id: event!.id, status: 'sent' },
    ]);
    const mail = await PostalMime.parse(server.taken[0]!.bytes);
    expect(mail.subject).toContain('Käse & Co: usage on');
    expect(mail.html).toContain('Käse &amp; Co');
    expect(mail.text).toContain('66.7%');
    expect(Buffer.from(mail.attachments[0]!.content as ArrayBuffer).toString()).toBe(file.text);
  });

  it('says what the usage API says', async () => {
    const made = await report(tenant, (await create({})).id, 'the service');
    const document = (await tenant.api.get(`/v1/usage/reports/${made.id}?format=json`)).body;
    const query = new URLSearchParams({ ...today, time_zone: 'UTC' });
    const usage = (await tenant.api.get(`/v1/usage?${query}`)).body.data;
    for (const [name, value] of Object.entries(document.totals)) expect([name, usage[name]]).toEqual([name, value]);
    expect(document).toMatchObject({ quota: usage.quota, error_budget: usage.error_budget });
    for (const [group, parts, key] of [
      ['channel', document.channels, 'channel'],
      ['config', document.configs, 'config_id'],
      ['day', document.days, 'day'],
    ] as const) {
      const { groups } = (await tenant.api.get(`/v1/usage?${query}&group_by=${group}`)).body.data;
      const withFigures = parts.filter((one: Wire) => one.sends > 0);
      expect(withFigures.map((one: Wire) => [one[key], one.sends, one.delivered, one.failed])).toEqual(
        groups.map((one: Wire) => [one.key, one.sends, one.delivered, one.failed]),
      );
    }
  });

  it('reports all tenants to the operator, and nothing of it to a tenant', async () => {
    const body = {
      period: 'daily',
      time_zone: 'UTC',
      at: '12:00',
      deliver: [{ type: 'email', to: 'ops@mail.example' }],
    };
    const created = await service.admin.post('/admin/usage/schedules', body);
    assertStatus(created, 201);
    const made = await report(null, created.body.data.id);
    expect(made).toMatchObject({ totals: { sends: 4 }, download: `/admin/usage/reports/${made.id}` });
    const { text } = await service.admin.get(made.download);
    const tenants = (parse(text, { columns: true }) as Wire[]).filter(({ group }) => group === 'tenant');
    expect(tenants.map(({ key, name, sends }) => [key, name, sends])).toEqual(
      expect.arrayContaining([
        [tenant.clientId, 'Käse & Co', '3'],
        // A spreadsheet takes it for text.
        [other.clientId, `'=cmd()`, '1'],
      ]),
    );
    for (const path of [`/v1/usage/reports/${made.id}`, `/v1/usage/schedules/${created.body.data.id}`])
      expect((await tenant.api.get(path)).status).toBe(404);
    const theirs = await service.admin.post('/admin/usage/schedules', { ...body, deliver: [{ type: 'webhook' }] });
    expect([theirs.status, theirs.body.errors[0].field]).toEqual([400, 'deliver[0].type']);
    assertStatus(await service.admin.delete(`/admin/usage/schedules/${created.body.data.id}`), 200);
  });

  it('keeps what is another tenant’s from it', async () => {
    const schedule = await create({});
    const made = await report(tenant, schedule.id);
    for (const path of ['', '/details']) {
      const answer = await other.api.get(`/v1/usage/reports/${made.id}${path}`);
      expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    }
    expect((await other.api.get('/v1/usage/reports')).body.data).toEqual([]);
    expect((await other.api.get(`/v1/usage/reports?schedule_id=${schedule.id}`)).body.data).toEqual([]);
    expect((await other.api.patch(`/v1/usage/schedules/${schedule.id}`, { at: '10:00' })).status).toBe(404);
    expect((await other.api.delete(`/v1/usage/schedules/${schedule.id}`)).status).toBe(404);
    expect((await service.admin.get(`/admin/usage/reports/${made.id}`)).status).toBe(404);
  });

  it('lists, changes and deletes schedules; reports stay', async () => {
    const owner = await service.tenant({ name: 'Lists' });
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.push((await create({ at: `0${n}:30` }, owner)).id);
    const first = await owner.api.get('/v1/usage/schedules?limit=2');
    const second = await owner.api.get(`/v1/usage/schedules?limit=2&cursor=${first.body.meta.next_cursor}`);
    expect([...first.body.data, ...second.body.data].map(({ id }: Wire) => id)).toEqual([...ids].reverse());
    expect(second.body.meta.next_cursor).toBeNull();

    const changed = await owner.api.patch(`/v1/usage/schedules/${ids[0]}`, {
      at: '23:15',
      format: 'json',
      deliver: [{ type: 'email', to: 'a@example.com' }],
    });
    expect(changed.body.data).toMatchObject({
      at: '23:15',
      format: 'json',
      deliver: [{ type: 'email', to: 'a@example.com' }],
    });
    expect(changed.body.data.next_report_at).toMatch(/T23:15:00\.000Z$/);
    expect((await owner.api.patch(`/v1/usage/schedules/${ids[0]}`, { time_zone: 'UTC' })).status).toBe(400);
    const made = await report(owner, ids[0]!);
    assertStatus(await owner.api.delete(`/v1/usage/schedules/${ids[0]}`), 200);
    expect((await owner.api.get(`/v1/usage/schedules/${ids[0]}`)).status).toBe(404);
    const kept = await owner.api.get(made.download);
    expect([kept.status, kept.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);

    const audit = await owner.api.get('/v1/audit');
    const noted = audit.body.data.map(({ action, object }: Wire) => [action, object]);
    for (const done of ['created', 'updated', 'deleted'])
      expect(noted).toContainEqual([`report_schedule.${done}`, ids[0]]);
  });

  it.each([
    [{ time_zone: 'Mars/Olympus' }, 'time_zone'],
    [{ time_zone: '+02:00' }, 'time_zone'],
    [{ time_zone: undefined }, 'time_zone'],
    [{ at: '24:00' }, 'at'],
    [{ at: '7:30' }, 'at'],
    [{ at: undefined }, 'at'],
    [{ period: 'hourly' }, 'period'],
    [{ format: 'pdf' }, 'format'],
    [{ deliver: [] }, 'deliver'],
    [{ deliver: undefined }, 'deliver'],
    [{ deliver: [{ type: 'email' }] }, 'deliver[0].to'],
    [{ deliver: [{ type: 'webhook' }, { type: 'email', to: 'a@example.com, b@example.com' }] }, 'deliver[1].to'],
    [{ deliver: [{ type: 'webhook', to: 'a@example.com' }] }, 'deliver[0].to'],
    [{ deliver: [{ type: 'fax', to: '1' }] }, 'deliver[0].type'],
    [
      {
        deliver: [
          { type: 'email', to: 'a@example.com' },
          { type: 'email', to: 'A@EXAMPLE.com' },
        ],
      },
      'deliver[1]',
    ],
    [{ deliver: Array.from({ length: 11 }, (_, n) => ({ type: 'email', to: `a${n}@example.com` })) }, 'deliver'],
    [{ recipients: [] }, 'recipients'],
  ])('refuses a schedule with %j', async (body, field) => {
    const answer = await tenant.api.post('/v1/usage/schedules', { ...DAY, ...body });
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, field]);
  });

  it('takes 20 schedules of a tenant, also when they are made at once', async () => {
    const owner = await service.tenant({ name: 'Many' });
    const answers = await Promise.all(Array.from({ length: 24 }, () => owner.api.post('/v1/usage/schedules', DAY)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(20);
    expect(statuses.filter((status) => status === 409)).toHaveLength(4);
  });
});
