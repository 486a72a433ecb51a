import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { AppModule } from '../../src/app.module';
import { readConfig } from '../../src/config/app-config';
import { silentLogger } from '../../src/kernel/logger';
import { AUDITED, type AuditedChange } from '../../src/tenancy/audit/change.interceptor';
import { AUDIT_ACTIONS } from '../../src/tenancy/audit/audit-actions';
import { accessOf } from '../../src/tenancy/route-access';

/** What is no change of what somebody has set up, by operation, and why. */
const NO_CHANGE: ReadonlyArray<[operation: RegExp, why: string]> = [
  [/^send/, 'a message says itself who sent it'],
  [/^(cancel|refresh)(Message|Notification)$/, 'it shows in the message'],
  [/^createNotification$/, 'a send to many'],
  [/^preview/, 'changes nothing'],
  [/^test/, 'changes nothing'],
  [/^replayWebhook(Delivery|Events)$/, 'tells again what was told; it shows in the deliveries'],
  [/^redeliver(Many)?Inbound$/, 'delivers again; it shows in the tries'],
  [/^reprocessProviderEvent$/, 'reads again what was reported; it shows in the callback'],
];

const config = readConfig({
  DATABASE_URL: 'postgres://nobody@127.0.0.1/none',
  UNIMSG_ADMIN_KEY: 'x'.repeat(24),
  UNIMSG_ENCRYPTION_KEYS: `x:${Buffer.alloc(32).toString('base64')}`,
  UNIMSG_SIMULATOR: 'on',
});

interface Changing {
  operation: string;
  handler: string;
  audited: AuditedChange | undefined;
}

/** Every route for a tenant or the operator by a method that may change something. */
async function changingRoutes(): Promise<Changing[]> {
  const app = await NestFactory.create(AppModule.with(config, silentLogger), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()]);
  return controllers.flatMap(({ metatype }) => {
    const controller = metatype as Type;
    return Object.entries(Object.getOwnPropertyDescriptors(controller.prototype as object)).flatMap(
      ([name, property]) => {
        const handler = property.value as unknown;
        if (typeof handler !== 'function' || !Reflect.hasMetadata(METHOD_METADATA, handler)) return [];
        const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number]!;
        if (method === 'GET' || accessOf(handler, controller)?.kind === 'public') return [];
        const documented = Reflect.getMetadata('swagger/apiOperation', handler) as { operationId: string } | undefined;
        const audited = Reflect.getMetadata(AUDITED, handler) as AuditedChange | undefined;
        const route = `${controller.name}.${name}`;
        return [{ operation: documented?.operationId ?? route, handler: route, audited }];
      },
    );
  });
}

describe('the audit log', () => {
  test('has an entry for every route that changes what somebody has set up', async () => {
    const routes = await changingRoutes();
    expect(routes.length).toBeGreaterThan(40);
    const unmarked = routes.filter(
      ({ operation, audited }) => !audited && !NO_CHANGE.some(([pattern]) => pattern.test(operation)),
    );
    const told = unmarked.map(
      ({ operation, handler }) =>
        `${handler} (${operation}): add @Audited('<what>.<was done>') from tenancy/audit/audited.decorator, and the word to AUDIT_ACTIONS`,
    );
    expect(told).toEqual([]);
  });

  test('knows every action that a route notes, and says why others note none', async () => {
    const routes = await changingRoutes();
    const actions = new Set(routes.flatMap(({ audited }) => audited?.action ?? []));
    expect(actions.size).toBeGreaterThan(15);
    expect([...actions].filter((action) => !AUDIT_ACTIONS.includes(action))).toEqual([]);
    // A mark on what is excused is one too many.
    const both = routes.filter(({ operation, audited }) => audited && NO_CHANGE.some(([one]) => one.test(operation)));
    expect(both).toEqual([]);
  });
});
