import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { ACCESS, type Access } from './auth.decorators';

/** A route of a controller and who may call it. */
export interface GuardedRoute {
  /** `Controller.method` */
  name: string;
  /** `GET`, … */
  method: string;
  /** As Nest registers it: `/v1/things/:id`. */
  path: string;
  /** Undefined: no decorator says so, on the handler or on the controller. */
  access: Access | undefined;
}

/** Who may call a handler: its own decorator, else its controller's. */
export function accessOf(handler: Function, controller: Function): Access | undefined {
  return (Reflect.getMetadata(ACCESS, handler) ?? Reflect.getMetadata(ACCESS, controller)) as Access | undefined;
}

/** Every route of every controller of an application. */
export function routesOf(modules: ModulesContainer): GuardedRoute[] {
  const scanner = new MetadataScanner();
  const routes: GuardedRoute[] = [];
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      const controller = metatype as Type;
      const prototype = controller.prototype as Record<string, unknown>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const handler = prototype[name];
        if (typeof handler !== 'function' || !Reflect.hasMetadata(PATH_METADATA, handler)) continue;
        const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number] ?? 'ALL';
        routes.push({
          name: `${controller.name}.${name}`,
          method,
          path: pathOf(controller, handler),
          access: accessOf(handler, controller),
        });
      }
    }
  }
  return routes;
}

function pathOf(...parts: Function[]): string {
  const words = parts.flatMap((part) => String(Reflect.getMetadata(PATH_METADATA, part) ?? '').split('/'));
  return `/${words.filter((word) => word !== '').join('/')}`;
}

/** @throws Error that names every route without `@Scopes`, `@AdminOnly` or `@Public` */
export function assertAllGuarded(modules: ModulesContainer): void {
  const open = routesOf(modules).filter((route) => route.access === undefined);
  if (open.length > 0) {
    throw new Error(`These routes say nothing of who may call them: ${open.map((route) => route.name).join(', ')}`);
  }
}
