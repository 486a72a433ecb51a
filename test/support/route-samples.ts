import { newId } from '../../src/kernel/ids';
import type { Operation } from './api-contract';
import { eventually } from './api-client';
import { ClientReceiver } from './client-receiver';
import { sampleConfig } from './config-samples';
import { assertStatus, freshNumber, type Service, type Tenant } from './e2e-service';
import { makeReport } from './report-samples';
import { statusFields, twilioCallback } from './scripted-twilio';

/** A value for every parameter of every path: ids of objects that exist, of one tenant. */
export interface PathIds {
  client_id: string;
  message_id: string;
  twilio: string;
  vonage: string;
  webhook: string;
  delivery_id: string;
  api_key: string;
  provider_event: string;
  suppression: string;
  erasure: string;
  alert: string;
  number: string;
  inbound: string;
  report_schedule: string;
  usage_report: string;
  operator_schedule: string;
  operator_report: string;
  template: string;
  notification: string;
  /** Of an unsubscribe link. */
  token: string;
  /** A config of every further provider, by its path name. */
  [config: `config_${string}`]: string;
}

const NO_CONFIG = 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8';
const CONFIGS = /^\/communication\/([^/]+)\/configs(\/|$)/;

/** Makes one of every object that a path can name. */
export async function makeObjects(service: Service, tenant: Tenant): Promise<PathIds> {
  const receiver = await ClientReceiver.start();
  try {
    const webhook = await tenant.api.post('/v1/webhooks', { url: receiver.url, events: ['*'] });
    assertStatus(webhook, 201);
    service.secrets.add(webhook.body.data.secret);
    const key = await tenant.api.post('/v1/api-keys', { name: 'one', scopes: ['messages:read'] });
    assertStatus(key, 201);
    service.secrets.add(key.body.data.api_key);
    const to = freshNumber();
    const messageId = await tenant.send(to);
    await tenant.until(messageId, ({ status }) => status === 'sent');
    const taken = service.twilio.taken(to)!;
    await twilioCallback({
      url: taken.statusCallback,
      authToken: tenant.twilio.authToken,
      fields: statusFields(taken, 'delivered'),
    });
    const events = await tenant.api.get('/v1/provider-events');
    const deliveries = await eventually(
      () => tenant.api.get(`/v1/webhooks/${webhook.body.data.id}/deliveries`),
      ({ body }) => body.data.length > 0 && body.data[0].status === 'succeeded',
    );
    const suppression = await tenant.api.post('/v1/suppressions', { channel: 'sms', recipient: '+393339999999' });
    assertStatus(suppression, 201);
    const number = await tenant.api.post('/v1/numbers', {
      number: '+393399957000',
      provider: 'twilio',
      delivery: [{ type: 'webhook', url: receiver.url, format: 'json' }],
    });
    assertStatus(number, 201);
    await twilioCallback({
      url: `${service.url}/webhook/twilio/inbound/${tenant.twilio.id}`,
      authToken: tenant.twilio.authToken,
      fields: { MessageSid: `SM${'1'.repeat(32)}`, From: to, To: '+393399957000', Body: 'hello' },
    });
    const inbound = await tenant.api.get('/v1/inbound');
    assertStatus(inbound, 200);
    const erasure = await tenant.api.post('/v1/privacy/erase', { recipient: '+393337777777' });
    assertStatus(erasure, 200);
    const template = await tenant.api.post('/v1/templates', {
      name: 'Reminder',
      channels: { sms: { message: 'Hi {{ name }}' } },
    });
    assertStatus(template, 201);
    const notification = await tenant.api.post('/v1/notifications', {
      template_id: template.body.data.id,
      recipients: [{ id: 'one', channels: { sms: '+393331234567' }, data: { name: 'Åsa' } }],
      idempotency_prefix: 'sample',
      sandbox: true,
    });
    assertStatus(notification, 202);
    const notificationId = notification.body.data.notification_id;
    await eventually(
      () => tenant.api.get(`/v1/notifications/${notificationId}`),
      ({ body }) => body.data.status === 'completed',
    );
    const configs: Record<`config_${string}`, string> = {};
    for (const operation of service.contract.operations) {
      const slug = CONFIGS.exec(operation.path)?.[1];
      if (operation.method !== 'POST' || slug === undefined || !operation.path.endsWith('/configs') || ownConfig(slug))
        continue;
      const config = await tenant.api.post(operation.path, sampleConfig(operation));
      assertStatus(config, 201);
      configs[`config_${slug}`] = config.body.data.id;
    }
    const mine = await makeReport(service, tenant);
    const all = await makeReport(service, null);
    for (const { report } of [mine, all]) await settleDeliveries(service, report);
    return {
      ...configs,
      client_id: tenant.clientId,
      message_id: messageId,
      twilio: tenant.twilio.id,
      vonage: tenant.vonage.id,
      webhook: webhook.body.data.id,
      delivery_id: deliveries.body.data[0].id,
      api_key: key.body.data.id,
      provider_event: events.body.data[0].id,
      suppression: suppression.body.data.id,
      erasure: erasure.body.data.id,
      alert: await makeAlert(service, tenant),
      number: number.body.data.id,
      inbound: inbound.body.data[0].id,
      report_schedule: mine.schedule,
      usage_report: mine.report,
      operator_schedule: all.schedule,
      operator_report: all.report,
      template: template.body.data.id,
      notification: notificationId,
      token: `${tenant.twilio.id}.${messageId}.x`,
    };
  } finally {
    await receiver.close();
  }
}

/** Without its event, which would go to the webhook; of a kind that nothing ends by itself. */
async function makeAlert(service: Service, tenant: Tenant): Promise<string> {
  const id = newId('alert');
  await service.database.database.execute(
    `INSERT INTO alerts (id, client_id, alert, subject, severity, detail, data, raised_at, last_seen_at)
     VALUES ($1, $2, 'config_error', 'sample', 'warning', 'A sample.', '{}', now(), now())`,
    [id, tenant.clientId],
  );
  return id;
}

/** A report whose mail was tried once and given up: nothing of it changes by itself any more. */
async function settleDeliveries(service: Service, report: string): Promise<void> {
  const { database } = service.database;
  await eventually(
    () => database.query<{ attempts: number }>('SELECT attempts FROM report_deliveries WHERE report_id = $1', [report]),
    (rows) => rows.every(({ attempts }) => attempts > 0),
  );
  await database.execute(
    `UPDATE report_deliveries SET status = 'failed', next_attempt_at = NULL WHERE report_id = $1`,
    [report],
  );
}

/** The accounts that every tenant of a spec has. */
function ownConfig(slug: string): 'twilio' | 'vonage' | undefined {
  return slug === 'twilio' ? 'twilio' : slug === 'vonage' || slug === 'nexmo' ? 'vonage' : undefined;
}

/** A send of a channel. */
export const SEND = /^\/v1\/(sms|whatsapp|email|telegram|push)\/send$/;

/** Which id the parameter of a path stands for. Throws for a path that this table does not know, so that no new route is missed. */
function idKind(path: string, parameter: string): keyof PathIds {
  if (parameter !== 'id') {
    if (parameter === 'client_id' || parameter === 'message_id' || parameter === 'delivery_id' || parameter === 'token')
      return parameter;
    throw new Error(`no sample for {${parameter}} of ${path}`);
  }
  const slug = CONFIGS.exec(path)?.[1];
  if (slug !== undefined) return ownConfig(slug) ?? `config_${slug}`;
  if (path.startsWith('/v1/webhooks/')) return 'webhook';
  if (path.startsWith('/v1/api-keys/')) return 'api_key';
  if (path.startsWith('/v1/provider-events/')) return 'provider_event';
  if (path.startsWith('/v1/suppressions/')) return 'suppression';
  if (path.startsWith('/v1/privacy/erasures/')) return 'erasure';
  if (path.startsWith('/v1/alerts/')) return 'alert';
  if (path.startsWith('/v1/numbers/')) return 'number';
  if (path.startsWith('/v1/inbound/')) return 'inbound';
  if (path.startsWith('/v1/usage/schedules/')) return 'report_schedule';
  if (path.startsWith('/v1/usage/reports/')) return 'usage_report';
  if (path.startsWith('/admin/usage/schedules/')) return 'operator_schedule';
  if (path.startsWith('/admin/usage/reports/')) return 'operator_report';
  if (path.startsWith('/v1/templates/')) return 'template';
  if (path.startsWith('/v1/notifications/')) return 'notification';
  throw new Error(`no sample for {id} of ${path}`);
}

/** The path with ids in it. */
export function pathWith(path: string, ids: PathIds): string {
  return path.replace(/\{([^}]+)\}/g, (_, parameter: string) =>
    parameter === 'version' ? '1' : (ids[idKind(path, parameter)] ?? NO_CONFIG),
  );
}

const credentials = {
  twilio: { account_sid: `AC${'0123456789abcdef'.repeat(2)}`, auth_token: 'fedcba9876543210' },
  vonage: { api_key: 'abcd1234', api_secret: 'abcdef0123456789' },
};

/** A body that the operation accepts; undefined when it takes none. Throws for an operation that this table does not know. */
export function bodyFor(operation: Operation): Record<string, unknown> | undefined {
  const { method, path, definition } = operation;
  if (!definition.requestBody) return undefined;
  const slug = CONFIGS.exec(path)?.[1];
  if (slug !== undefined && method === 'PATCH') return { display_name: 'Changed' };
  if (slug !== undefined && !ownConfig(slug)) return { display_name: 'C', ...sampleConfig(operation) };
  if (method === 'POST' && (SEND.test(path) || path.startsWith('/communication/')) && slug === undefined)
    return { ...exampleOf(operation), sandbox: true };
  switch (`${method} ${path}`) {
    case 'POST /admin/tenants':
      return { name: 'Another', slug: 'another', allowed_secret_refs: [] };
    case 'PATCH /admin/tenants/{client_id}':
      return { name: 'Renamed', quotas: null };
    case 'POST /admin/usage/rebuild':
      return { client_id: 'acme_4k2jx81m0qv7e3hz', from: '2026-01-01', to: '2026-01-02T10:00:00Z' };
    case 'POST /v1/api-keys':
    case 'POST /admin/tenants/{client_id}/api-keys':
      return { name: 'key', scopes: ['messages:read'], sandbox: true, expires_at: '2099-01-01T00:00:00Z' };
    case 'POST /v1/messages/batch':
      return { messages: [{ channel: 'sms', to: '+393331234567', message: 'x', sandbox: true }] };
    case 'POST /v1/suppressions/import':
      // No JSON.
      return undefined;
    case 'POST /v1/suppressions':
      return { channel: 'sms', recipient: '+393338888888', reason: 'manual', detail: 'asked by telephone' };
    case 'POST /v1/privacy/erase':
      return { recipient: '+393336666666' };
    case 'PATCH /v1/settings':
      return { time_zone: 'Europe/Rome', quiet_hours: { start: '21:00', end: '08:00' }, retention: { body_days: 30 } };
    case 'POST /v1/numbers':
      return {
        number: '+393399957001',
        provider: 'twilio',
        delivery: [{ type: 'email', to: 'support@example.com' }],
        timeout_seconds: 10,
      };
    case 'PATCH /v1/numbers/{id}':
      return { description: 'changed', delivery: [{ type: 'webhook', url: 'http://127.0.0.1:9/', format: 'form' }] };
    case 'POST /v1/inbound/redeliver':
      return { number: '+393399957000', status: 'all', from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    case 'POST /v1/inbound/{id}/redeliver':
      return { deliveries: 'all' };
    case 'POST /simulator/inbound':
      return { provider: 'twilio', from: '+393331234567', to: '+15005550006', text: 'x' };
    case 'POST /v1/webhooks':
      return { url: 'http://127.0.0.1:9/hook', events: ['message.read'], enabled: false };
    case 'PATCH /v1/webhooks/{id}':
      return { description: 'changed' };
    case 'POST /v1/webhooks/{id}/replay':
      return { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    case 'POST /v1/usage/schedules':
      return { period: 'weekly', time_zone: 'Europe/Rome', at: '23:59', deliver: [{ type: 'webhook' }], format: 'csv' };
    case 'POST /admin/usage/schedules':
      return { period: 'weekly', time_zone: 'Europe/Rome', at: '23:59', deliver: [], format: 'csv' };
    case 'PATCH /v1/usage/schedules/{id}':
    case 'PATCH /admin/usage/schedules/{id}':
      return { format: 'csv' };
    case 'POST /v1/notifications':
      return {
        template_id: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8',
        recipients: [{ id: 'one', channels: { sms: '+393331234567' }, data: { name: 'Åsa' } }],
        idempotency_prefix: 'sample',
        channels: ['sms'],
        sandbox: true,
      };
    case 'POST /v1/templates':
    case 'PUT /v1/templates/{id}':
      return {
        name: 'Reminder',
        channels: { sms: { message: 'Hi {{ name }}' }, push: { title: 'Hi {{ name }}' } },
        locales: { de: { sms: { message: 'Hallo {{ name }}' } } },
        variables: ['name'],
        default_locale: 'en',
      };
    case 'PATCH /v1/templates/{id}':
      return {
        name: 'Renamed',
        channels: { sms: { message: 'Hi {{ name }}' }, push: { title: 'Hi {{ name }}' } },
        locales: { de: null },
      };
    case 'POST /v1/templates/{id}/preview':
      return { locale: 'de-AT', data: { name: 'Åsa' } };
    case 'PUT /v1/gateways':
      return { gateways: { sms: { primary: 'twilio', fallback: ['vonage'] } } };
    case 'POST /v1/gateways/preview':
      return { channel: 'sms', to: '+393331234567' };
    case 'POST /communication/twilio/configs':
      return { display_name: 'T', credentials: credentials.twilio, from_number: '+15005550006' };
    case 'POST /communication/vonage/configs':
    case 'POST /communication/nexmo/configs':
      return { display_name: 'V', credentials: credentials.vonage, from: 'Acme' };
    default:
      throw new Error(`no sample body for ${method} ${path}`);
  }
}

/** What the document shows of a send first. */
function exampleOf({ operationId, definition }: Operation): Record<string, unknown> {
  const { example, examples } = definition.requestBody!.content['application/json']!;
  const shown = examples === undefined ? example : Object.values(examples)[0]?.value;
  if (typeof shown !== 'object' || shown === null) throw new Error(`${operationId} has no example`);
  return shown as Record<string, unknown>;
}

/** Operations that need a tenant's key. */
export function tenantOperations(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ definition }) => definition.security?.some((one) => 'api_key' in one));
}

export function adminOperations(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ definition }) => definition.security?.some((one) => 'admin_key' in one));
}
