import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { createHash, hash as hashOf, timingSafeEqual } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Response } from 'express';
import { APP_CONFIG, type AppConfig } from '../config/app-config';
import { CLOCK, type Clock } from '../kernel/clock';
import { Problem } from '../kernel/problem';
import { ClientAddress } from '../platform/http/client-address';
import { HttpAdapter } from '../platform/http/http-adapter';
import type { HttpRequest } from '../platform/http/http-request';
import { RateLimitHeaders } from '../platform/http/rate-limit-headers';
import type { Access, AuthenticatedRequest } from './auth.decorators';
import { KeyDirectory, type KnownKey } from './key-directory';
import { KeyUsage } from './key-usage';
import type { Scope } from './principal';
import { accessOf, assertAllGuarded, routesOf } from './route-access';
import { WRONG_KEYS_PER_SECOND, WrongKeyThrottle } from './wrong-key-throttle';

type GuardedRequest = HttpRequest & AuthenticatedRequest;

/** Longer than any key that we make; what is longer is not hashed. */
const LONGEST_KEY = 512;

/**
 * Who may call what, for every route of the service. A route that says nothing of it stops the start. With a key that is in memory the
 * answer comes without a promise.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  private readonly adminDigest: Buffer;
  private readonly rateLimit: RateLimitHeaders;
  private readonly wrongKeyLimit = new RateLimitHeaders(WRONG_KEYS_PER_SECOND, 'wrong-keys');
  private readonly access = new WeakMap<Function, WeakMap<Function, Access>>();
  /** By method and path, as {@link GuardedRoute} has them. */
  private readonly byRoute = new Map<string, Access>();

  constructor(
    private readonly keys: KeyDirectory,
    private readonly usage: KeyUsage,
    private readonly throttle: WrongKeyThrottle,
    private readonly modules: ModulesContainer,
    private readonly adapters: HttpAdapterHost,
    private readonly addresses: ClientAddress,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(APP_CONFIG) config: AppConfig,
  ) {
    this.adminDigest = createHash('sha256').update(config.adminKey).digest();
    this.rateLimit = new RateLimitHeaders(config.rateLimit);
  }

  onModuleInit(): void {
    assertAllGuarded(this.modules);
    for (const { method, path, access } of routesOf(this.modules)) {
      if (access !== undefined) this.byRoute.set(`${method} ${path}`, access);
    }
    const adapter: unknown = this.adapters.httpAdapter;
    if (adapter instanceof HttpAdapter)
      adapter.bodyGate = (request, response, route) => this.letBodyIn(request, response, route);
  }

  /** Whoever has no key at all cannot make the service read and parse megabytes. The route itself asks again, and for more. */
  private letBodyIn(request: HttpRequest, response: ServerResponse, route: string): void | Promise<void> {
    const access = this.byRoute.get(`${request.method} ${route}`);
    if (access === undefined || access.kind === 'public') return;
    const key = presentedKey(request);
    if (access.kind === 'admin') {
      this.admitOperator(request, response, key);
      return;
    }
    const hash = hashOf('sha256', key, 'hex');
    if (this.keys.peek(hash) === undefined) return this.known(hash, request, response).then(() => undefined);
  }

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = this.accessFor(context.getHandler(), context.getClass());
    if (access.kind === 'public') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<GuardedRequest>();
    const key = presentedKey(request);
    if (access.kind === 'admin') return this.admitOperator(request, http.getResponse<Response>(), key);
    const hash = hashOf('sha256', key, 'hex');
    const known = this.keys.peek(hash);
    if (known !== undefined) return this.admit(known, access.scopes, request, http.getResponse<Response>());
    return this.lookUp(hash, access.scopes, request, http.getResponse<Response>());
  }

  private accessFor(handler: Function, controller: Function): Access {
    let handlers = this.access.get(controller);
    if (handlers === undefined) this.access.set(controller, (handlers = new WeakMap()));
    let access = handlers.get(handler);
    if (access === undefined) {
      access = accessOf(handler, controller);
      if (access === undefined) throw new Error(`${controller.name}.${handler.name} says nothing of who may call it`);
      handlers.set(handler, access);
    }
    return access;
  }

  private admitOperator(request: HttpRequest, response: ServerResponse, key: string): boolean {
    const digest = createHash('sha256').update(key).digest();
    // Digests have one length, so the comparison tells nothing of the key's.
    if (timingSafeEqual(digest, this.adminDigest)) return true;
    this.countWrong(digest.toString('hex'), request, response);
    throw unauthorized("This needs the operator's key.");
  }

  private async lookUp(
    hash: string,
    scopes: readonly Scope[],
    request: GuardedRequest,
    response: Response,
  ): Promise<boolean> {
    return this.admit(await this.known(hash, request, response), scopes, request, response);
  }

  private async known(hash: string, request: HttpRequest, response: ServerResponse): Promise<KnownKey> {
    const isSuspect = !this.keys.isFamiliar(hash) && this.throttle.waitMs(this.addresses.of(request)) > 0;
    const find = () => this.keys.find(hash);
    const known = await (isSuspect ? this.throttle.inTurn(find) : find());
    if (known !== undefined) return known;
    this.countWrong(hash, request, response);
    throw noSuchKey();
  }

  private admit(known: KnownKey, scopes: readonly Scope[], request: GuardedRequest, response: Response): boolean {
    const { principal } = known;
    request.clientId = principal.clientId;
    if (known.expiresAt <= this.clock.now()) throw unauthorized('This API key has expired.');
    if (known.bucket !== undefined) this.takeToken(known.bucket, response);
    if (known.tenantStatus !== 'active') {
      throw new Problem('forbidden', 'This tenant is suspended. Ask the operator.');
    }
    for (const scope of scopes) {
      if (!principal.scopes.includes(scope)) {
        throw new Problem('forbidden', `This API key does not have the scope ${scope}.`);
      }
    }
    this.usage.note(principal.keyId);
    request.principal = principal;
    return true;
  }

  private takeToken(bucket: NonNullable<KnownKey['bucket']>, response: Response): void {
    const taken = bucket.take();
    const remaining = bucket.available();
    this.rateLimit.set(response, remaining, remaining >= bucket.rate ? 0 : 1000);
    if (!taken) throw rateLimited('This API key makes too many requests.', bucket.waitMs());
  }

  /** @throws Problem 429 when too many came from the address already */
  private countWrong(hash: string, request: HttpRequest, response: ServerResponse): void {
    const waitMs = this.throttle.wrong(this.addresses.of(request), hash);
    if (waitMs === 0) return;
    this.wrongKeyLimit.set(response, 0, waitMs);
    throw rateLimited('Too many wrong keys came from this address.', waitMs);
  }
}

/** @throws Problem when there is none, or two that differ */
function presentedKey(request: HttpRequest): string {
  const { authorization, 'x-api-key': header } = request.headers;
  let key: string | undefined;
  if (authorization !== undefined) {
    if (!/^bearer /i.test(authorization)) throw unauthorized('The Authorization header must be `Bearer <key>`.');
    key = authorization.slice(7).trim();
  }
  if (typeof header === 'string') {
    if (key !== undefined && key !== header) throw unauthorized('Authorization and X-API-Key name different keys.');
    key = header;
  }
  if (!key) throw unauthorized('An API key is needed: `Authorization: Bearer <key>`.');
  if (key.length > LONGEST_KEY) throw noSuchKey();
  return key;
}

function noSuchKey(): Problem {
  return unauthorized('There is no such API key.');
}

function unauthorized(detail: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': 'Bearer' } });
}

function rateLimited(detail: string, waitMs: number): Problem {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new Problem('rate_limited', detail, { headers: { 'Retry-After': String(seconds) } });
}
