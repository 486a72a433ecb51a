import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { sendgrid } from '../../src/channels/email/providers/sendgrid.provider';
import { startProcess, type RunningProcess } from '../../src/process';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

interface PostedEvent {
  event: string;
  data: object;
}

interface Answer<Data> {
  data: Data;
}

interface Document {
  webhooks: Record<string, { post: { requestBody: { content: Record<string, { schema: object; example: object }> } } }>;
}

const ADMIN_KEY = randomBytes(24).toString('hex');
/** The stand-ins' verification key: the example of the field. */
const SIMULATOR_KEY = sendgrid.credentials.webhook_signing_key!.example;
const DELIVERED = '+15005550000';
const INVALID = '+15005550001';
const UNDELIVERED = '+15005550002';
/** Writes back. */
const REPLYING = '+15005550012';

/** Every object below a schema takes the fields that it names and no others. */
function close(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  for (const part of Object.values(schema)) close(part);
  if ('properties' in schema && !('additionalProperties' in schema))
    Object.assign(schema, { additionalProperties: false });
}

describe('events that clients get', () => {
  let database: TestDatabase;
  let service: RunningProcess;
  let receiver: Server;
  let document: Document;
  let key = ADMIN_KEY;
  const posted: PostedEvent[] = [];
  const arrivals = new EventEmitter();

  const call = async <Data>(method: string, path: string, body?: object): Promise<Data> => {
    const response = await fetch(service.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return (JSON.parse(text) as Answer<Data>).data;
  };

  const send = (to: string, more: object = {}): Promise<{ message_id: string }> =>
    call('POST', '/v1/sms/send', { to, message: 'Hello', reference: 'order-1', metadata: { order: '1' }, ...more });

  /** Waits until the receiver got an event. */
  const until = async (event: string): Promise<void> => {
    while (!posted.some((one) => one.event === event)) await once(arrivals, 'event');
  };

  beforeAll(async () => {
    database = await createTestDatabase({ poolSize: 1 });
    receiver = createServer((request, response) => {
      void request.toArray().then((chunks: Buffer[]) => {
        posted.push(JSON.parse(Buffer.concat(chunks).toString()) as PostedEvent);
        response.end();
        arrivals.emit('event');
      });
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    service = await startProcess(
      {
        DATABASE_URL: database.url,
        PORT: '0',
        HOST: '127.0.0.1',
        UNIMSG_ADMIN_KEY: ADMIN_KEY,
        UNIMSG_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
        UNIMSG_SIMULATOR: 'on',
        UNIMSG_LOG_LEVEL: 'silent',
        UNIMSG_ALLOWED_PRIVATE_CIDRS: '127.0.0.0/8',
        UNIMSG_CONFIG_PROBE_SECONDS: '1',
      },
      { quiet: true },
    );
    document = await fetch(`${service.url}/openapi.json`).then((response) => response.json() as Promise<Document>);
    key = (await call<{ api_key: string }>('POST', '/admin/tenants', { name: 'Events' })).api_key;
    const config = await call<{ id: string }>('POST', '/communication/twilio/configs', {
      display_name: 'Twilio',
      credentials: { account_sid: `AC${'0'.repeat(32)}`, auth_token: 'f'.repeat(32) },
      from_number: '+15005550006',
      status: 'active',
    });
    await call('POST', '/communication/sendgrid/configs', {
      display_name: 'SendGrid',
      credentials: { api_key: `SG.${'0'.repeat(32)}`, webhook_signing_key: SIMULATOR_KEY },
      from_email: 'orders@example.com',
      enable_open_tracking: true,
      status: 'active',
    });
    await call('PUT', '/v1/gateways', { gateways: { sms: { primary: 'twilio' }, email: { primary: 'sendgrid' } } });
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const webhook = await call<{ id: string }>('POST', '/v1/webhooks', { url, events: ['*'] });

    await call('POST', `/v1/webhooks/${webhook.id}/test`);
    await send(DELIVERED);
    await send(UNDELIVERED);
    await send(INVALID);
    await send(REPLYING);
    await until('inbound.received');
    const later = await send(DELIVERED, { send_at: new Date(Date.now() + 3_600_000).toISOString() });
    await call('POST', `/v1/messages/${later.message_id}/cancel`);
    await Promise.all(['delivered', 'undelivered', 'failed', 'canceled'].map((status) => until(`message.${status}`)));
    for (const name of ['engaged', 'hard-bounce', 'complained', 'unsubscribed']) {
      const body = { to: `${name}@simulator.test`, subject: 'Hello', html: '<a href="https://example.com/a">a</a>' };
      await call('POST', '/v1/email/send', { ...body, reference: 'order-1', metadata: { order: '1' } });
    }
    const did = ['opened', 'clicked', 'bounced', 'complained', 'unsubscribed'];
    await Promise.all(did.map((what) => until(`email.${what}`)));

    // A secret that begins so is refused by the stand-in.
    const path = `/communication/twilio/configs/${config.id}`;
    await call('PATCH', path, { credentials: { auth_token: `invalid${'f'.repeat(25)}` } });
    await send(DELIVERED, { expires_at: new Date(Date.now() + 1_500).toISOString() });
    await Promise.all([until('config.error'), until('alert.raised')]);
    await call('PATCH', path, { credentials: { auth_token: 'f'.repeat(32) } });
    await Promise.all([until('config.recovered'), until('alert.cleared')]);
  }, 60_000);

  afterAll(async () => {
    await service?.stop();
    receiver?.close();
    await database?.drop();
  });

  test('are as the document says, field by field', () => {
    const closed = structuredClone(document);
    close(closed);
    const ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));
    ajv.addSchema(closed, 'document');
    const validate = (type: string): ValidateFunction => {
      const pointer = ['webhooks', type, 'post', 'requestBody', 'content', 'application/json', 'schema'];
      return ajv.compile({ $ref: `document#/${pointer.map((part) => part.replaceAll('/', '~1')).join('/')}` });
    };
    const faults = posted.flatMap((event) => {
      const check = validate(event.event);
      return check(event) ? [] : [{ event, errors: ajv.errorsText(check.errors) }];
    });
    expect(faults).toEqual([]);
    expect([...new Set(posted.map(({ event }) => event))].sort()).toEqual(
      expect.arrayContaining([
        'alert.cleared',
        'alert.raised',
        'config.error',
        'config.recovered',
        'email.bounced',
        'email.clicked',
        'email.complained',
        'email.opened',
        'email.unsubscribed',
        'inbound.received',
        'message.canceled',
        'message.delivered',
        'message.failed',
        'message.undelivered',
        'webhook.test',
      ]),
    );
    const examples = Object.entries(document.webhooks).filter(
      ([type, { post }]) => !validate(type)(post.requestBody.content['application/json']!.example),
    );
    expect(examples.map(([type]) => type)).toEqual([]);
  });
});
