import request from 'supertest';
import { startHttpTestApp, TEST_ADMIN_KEY, type HttpTestApp } from '../../../test/support/http-test-app';
import { until } from '../../../test/support/until';
import { TenantDirectory } from '../tenant-directory';

const DEFAULTS = {
  time_zone: 'UTC',
  alert_emails: [],
  quiet_hours: null,
  retention: { body_days: null, record_days: null },
  error_budget_objective: 0.95,
};

describe('settings', () => {
  let test: HttpTestApp;
  let key: string;
  let clientId: string;

  beforeAll(async () => {
    test = await startHttpTestApp();
    const answer = await asAdmin('post', '/admin/tenants', { name: 'Acme' });
    ({ api_key: key, client_id: clientId } = answer.body.data);
  });
  afterAll(() => test.close());

  const call = (token: string, method: 'get' | 'patch' | 'post', path: string, body?: object) =>
    request(test.url)[method](path).set('Authorization', `Bearer ${token}`).send(body);
  const asAdmin = (method: 'get' | 'patch' | 'post', path: string, body?: object) =>
    call(TEST_ADMIN_KEY, method, path, body);
  const patch = (body: object, token = key) => call(token, 'patch', '/v1/settings', body);

  it('has a value for every field, and keeps what is left out of a change', async () => {
    expect((await call(key, 'get', '/v1/settings').expect(200)).body.data).toEqual(DEFAULTS);
    const all = {
      time_zone: 'Europe/Rome',
      alert_emails: ['ops@acme.example', 'b@acme.example'],
      quiet_hours: { start: '21:00', end: '08:00', time_zone: 'recipient', channels: ['sms', 'push'] },
      retention: { body_days: 30, record_days: 400 },
      error_budget_objective: 0.99,
    };
    expect((await patch(all).expect(200)).body.data).toEqual(all);
    expect((await patch({}).expect(200)).body.data).toEqual(all);
    expect((await patch({ retention: { record_days: null } }).expect(200)).body.data).toEqual({
      ...all,
      retention: { body_days: 30, record_days: null },
    });
    expect((await patch({ quiet_hours: { start: '22:30', end: '06:00' } }).expect(200)).body.data.quiet_hours).toEqual({
      start: '22:30',
      end: '06:00',
      time_zone: 'recipient',
      channels: ['sms', 'whatsapp', 'email', 'telegram', 'push'],
    });
    expect((await call(key, 'get', '/v1/settings').expect(200)).body.data).toMatchObject({
      quiet_hours: { start: '22:30' },
      time_zone: 'Europe/Rome',
    });
    const nothing = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, null]));
    expect((await patch(nothing).expect(200)).body.data).toEqual(DEFAULTS);
  });

  it('is the operator’s to change too', async () => {
    const changed = await asAdmin('patch', `/admin/tenants/${clientId}`, {
      settings: { time_zone: 'America/New_York', quiet_hours: { start: '21:00', end: '07:00', time_zone: 'UTC' } },
    }).expect(200);
    expect(changed.body.data.settings).toMatchObject({
      time_zone: 'America/New_York',
      quiet_hours: { time_zone: 'UTC' },
    });
    expect((await asAdmin('get', `/admin/tenants/${clientId}`)).body.data.settings).toEqual(changed.body.data.settings);
    const refused = await asAdmin('patch', `/admin/tenants/${clientId}`, {
      name: 'Not kept',
      settings: { quiet_hours: { start: '21:00', end: '21:00' } },
    }).expect(400);
    expect(refused.body.errors).toMatchObject([{ field: 'settings.quiet_hours.end' }]);
    expect((await asAdmin('get', `/admin/tenants/${clientId}`)).body.data.name).toBe('Acme');
  });

  it.each([
    [{ time_zone: 'Europe/Atlantis' }, 'time_zone'],
    [{ time_zone: '+02:00' }, 'time_zone'],
    [{ time_zone: 'recipient' }, 'time_zone'],
    [{ alert_emails: ['nobody'] }, 'alert_emails[0]'],
    [{ alert_emails: 'ops@acme.example' }, 'alert_emails'],
    [{ quiet_hours: { start: '21:00' } }, 'quiet_hours.end'],
    [{ quiet_hours: { start: '24:00', end: '08:00' } }, 'quiet_hours.start'],
    [{ quiet_hours: { start: '9:00', end: '08:00' } }, 'quiet_hours.start'],
    [{ quiet_hours: { start: '08:00', end: '08:00' } }, 'quiet_hours.end'],
    [{ quiet_hours: { start: '21:00', end: '08:00', channels: ['fax'] } }, 'quiet_hours.channels[0]'],
    [{ quiet_hours: { start: '21:00', end: '08:00', channels: [] } }, 'quiet_hours.channels'],
    [{ quiet_hours: { start: '21:00', end: '08:00', time_zone: 'here' } }, 'quiet_hours.time_zone'],
    [{ quiet_hours: [] }, 'quiet_hours'],
    [{ retention: { body_days: 0 } }, 'retention.body_days'],
    [{ retention: { body_days: 1.5 } }, 'retention.body_days'],
    [{ retention: { days: 1 } }, 'retention.days'],
    [{ error_budget_objective: 1 }, 'error_budget_objective'],
    [{ colour: 'red' }, 'colour'],
  ])('refuses %j', async (body, field) => {
    const answer = await patch(body).expect(400);
    expect(answer.body.errors.map((one: { field: string }) => one.field)).toEqual([field]);
  });

  it('needs its scopes', async () => {
    const created = await call(key, 'post', '/v1/api-keys', { name: 'r', scopes: ['configs:read'] }).expect(201);
    const reader = created.body.data.api_key as string;
    await call(reader, 'get', '/v1/settings').expect(200);
    await patch({ time_zone: 'UTC' }, reader).expect(403);
  });

  it('is known at once where it was changed, and in every other process', async () => {
    const second = await startHttpTestApp({ database: test.database });
    try {
      const zoneIn = async (app: HttpTestApp) => (await app.app.get(TenantDirectory).get(clientId)).settings.timeZone;
      expect(await zoneIn(second)).not.toBe('Asia/Tokyo');
      await patch({ time_zone: 'Asia/Tokyo' }).expect(200);
      expect(await zoneIn(test)).toBe('Asia/Tokyo');
      await until('the other process knows', async () => (await zoneIn(second)) === 'Asia/Tokyo');
    } finally {
      await second.close();
    }
  });
});
