import { StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type Express, type Response } from 'express';
import { createServer, IncomingMessage, ServerResponse, STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { newId } from '../../kernel/ids';
import type { Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { logAccess } from './access-log';
import { isSmallBody, readBody, refuseBody } from './body-reader';
import { hasRawBody, type HttpRequest } from './http-request';
import { internalProblem, problemBody, toProblem, writeProblem } from './problem-answer';
import { checkPath, parseQueryString } from './query-string';
import { RouteTable, type RouteHandler, type RouteMatch } from './route-table';

const REQUEST_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** How long a request under way may go on after the server was told to close. */
const CLOSE_GRACE_MS = 10_000;

/**
 * Asked before a body that is not small is read, with the path of the route as it was registered. What it throws (or its promise) is the
 * answer, and the body is not read.
 */
export type BodyGate = (request: HttpRequest, response: Response, route: string) => void | Promise<void>;

/**
 * Express under Nest, with the work that every request needs done before Express sees it: request id, headers, path, query and body. A
 * chain of middlewares would cost more than the parsing itself.
 *
 * Nest's routes are found by a table and called past Express's router, which tries the pattern of each route in turn (with 120 routes that
 * costs as much as all the rest). So what is mounted at the root with `use` would not be run for them, and is refused.
 */
export class HttpAdapter extends ExpressAdapter {
  /** Set by who knows who may call what; undefined: every body is read. */
  bodyGate: BodyGate | undefined;
  private closing = false;
  private readonly routes = new RouteTable();

  constructor(private readonly log: () => Logger) {
    super(createExpress());
  }

  override initHttpServer(): void {
    const app = this.getInstance<Express>();
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      this.receive(request as HttpRequest, response as Response, app);
    const server = createServer(
      {
        ...messageClasses(app),
        // A head or a body that trickles in must not hold a connection for ever.
        headersTimeout: 15_000,
        requestTimeout: 60_000,
        // Longer than the idle time of usual load balancers (60 s), so that they never use a connection that is being closed.
        keepAliveTimeout: 75_000,
        connectionsCheckingInterval: 5_000,
        noDelay: true,
      },
      listener,
    );
    // Not answered by `100 Continue` before the length was looked at.
    server.on('checkContinue', listener);
    server.on('clientError', refuseConnection);
    this.httpServer = server;
  }

  /** JSON answers without Express's `send`, which works out what is known here. Everything else goes the usual way. */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    if (this.closing && !response.headersSent) response.setHeader('Connection', 'close');
    if (!isJsonBody(body) || response.hasHeader('Content-Type'))
      return super.reply(response, body, statusCode) as unknown;
    if (statusCode !== undefined) response.statusCode = statusCode;
    const text = JSON.stringify(body);
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Length', Buffer.byteLength(text));
    return response.end(text);
  }

  override beforeClose(): void {
    super.beforeClose();
    this.closing = true;
  }

  /** Takes no new connection, lets requests under way finish, and closes each kept-alive connection once it has nothing to do. */
  override async close(): Promise<undefined> {
    this.closing = true;
    const server = this.httpServer as Server | undefined;
    if (!server?.listening) return;
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const late = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    await new Promise<void>((closed) => server.close(() => closed()));
    clearInterval(idle);
    clearTimeout(late);
  }

  override get(...args: unknown[]): unknown {
    this.addRoute('GET', args);
    return (super.get as Method).apply(this, args);
  }

  override post(...args: unknown[]): unknown {
    this.addRoute('POST', args);
    return (super.post as Method).apply(this, args);
  }

  override put(...args: unknown[]): unknown {
    this.addRoute('PUT', args);
    return (super.put as Method).apply(this, args);
  }

  override patch(...args: unknown[]): unknown {
    this.addRoute('PATCH', args);
    return (super.patch as Method).apply(this, args);
  }

  override delete(...args: unknown[]): unknown {
    this.addRoute('DELETE', args);
    return (super.delete as Method).apply(this, args);
  }

  override use(...args: unknown[]): unknown {
    if (typeof args[0] === 'function') throw new Error('a middleware needs a path here: see HttpAdapter');
    return (super.use as Method).apply(this, args);
  }

  override createMiddlewareFactory(): never {
    throw new Error("Nest's middlewares are not run here: see HttpAdapter");
  }

  override setNotFoundHandler(handler: Function): unknown {
    return this.getInstance<Express>().use(handler as RouteHandler);
  }

  override setErrorHandler(handler: Function): unknown {
    return this.getInstance<Express>().use(handler as RouteHandler);
  }

  private receive(request: HttpRequest, response: Response, app: Express): void {
    const startedAt = performance.now();
    const given = request.headers['x-request-id'];
    const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : newId('request');
    request.id = id;
    response.setHeader('X-Request-Id', id);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (this.closing) response.setHeader('Connection', 'close');
    response.on('close', () => logAccess(this.log(), request, response, startedAt));
    try {
      const path = readTarget(request);
      const match = this.routes.find(request.method, path);
      const read = () =>
        readBody(request, response, path, (problem) => {
          if (problem === undefined) this.route(request, response, match, app);
          else writeProblem(response, problem, id);
        });
      if (match === undefined || this.bodyGate === undefined || isSmallBody(request)) read();
      else void this.readIfLetIn(request, response, match, read);
    } catch (error) {
      this.fail(request, response, error);
    }
  }

  private async readIfLetIn(
    request: HttpRequest,
    response: Response,
    match: RouteMatch,
    read: () => void,
  ): Promise<void> {
    try {
      await this.bodyGate?.(request, response, match.path);
    } catch (error) {
      refuseBody(request, () => this.fail(request, response, error));
      return;
    }
    try {
      read();
    } catch (error) {
      this.fail(request, response, error);
    }
  }

  private fail(request: HttpRequest, response: Response, error: unknown): void {
    const problem = toProblem(error);
    if (problem === undefined) this.log().error({ err: error, request_id: request.id }, 'request failed');
    writeProblem(response, problem ?? internalProblem(), request.id);
  }

  private route(request: HttpRequest, response: Response, match: RouteMatch | undefined, app: Express): void {
    if (match === undefined) {
      app(request, response);
      return;
    }
    request.res = response;
    response.req = request;
    response.locals = {};
    request.originalUrl = request.url;
    request.baseUrl = '';
    request.params = match.params;
    request.route = { path: match.path };
    // Nest answers its own errors; a handler that passes on leaves the request to Express.
    match.handler(request, response, () => app(request, response));
  }

  /** Express gets the route too: it answers HEAD and OPTIONS. */
  private addRoute(method: string, args: unknown[]): void {
    const [path, handler, ...more] = args;
    if (typeof path === 'string' && typeof handler === 'function' && more.length === 0) {
      this.routes.add(method, path, handler as RouteHandler);
    }
  }
}

type Method = (...args: unknown[]) => unknown;

/**
 * Express gives each request and response another prototype, which makes every later access to them slow. These are made with that
 * prototype.
 */
function messageClasses(app: Express) {
  const { request, response } = app as unknown as { request: object; response: object };
  function AppRequest(...args: unknown[]): object {
    return Reflect.construct(IncomingMessage, args, AppRequest) as object;
  }
  AppRequest.prototype = request;
  function AppResponse(...args: unknown[]): object {
    return Reflect.construct(ServerResponse, args, AppResponse) as object;
  }
  AppResponse.prototype = response;
  return {
    IncomingMessage: AppRequest as unknown as typeof IncomingMessage,
    ServerResponse: AppResponse as unknown as typeof ServerResponse,
  };
}

function createExpress(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // One spelling of a path, so that what is decided by path (raw bodies, size limits) cannot be passed by.
  app.enable('case sensitive routing');
  app.set('query parser', false);
  return app;
}

/** Checks path and query, sets `request.query`, answers the path. */
function readTarget(request: HttpRequest): string {
  // A proxy's form, `GET http://host/path`.
  if (!request.url.startsWith('/')) request.url = request.url.replace(/^[a-z]+:\/\/[^/?]*\/?/i, '/');
  const { url } = request;
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  checkPath(path);
  const text = mark === -1 ? '' : url.slice(mark + 1);
  const query = hasRawBody(path) ? Object.fromEntries(new URLSearchParams(text)) : parseQueryString(text);
  // Express's own `query` is a getter that parses at each look.
  Object.defineProperty(request, 'query', { value: query, configurable: true, writable: true });
  return path;
}

function isJsonBody(body: unknown): body is object {
  return typeof body === 'object' && body !== null && !(body instanceof StreamableFile) && !(body instanceof Error);
}

/** A request that is no HTTP: there is no request object, so the answer is written by hand. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  const answer = (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;
  if (error.code === 'ECONNRESET' || !socket.writable || answer?.headersSent) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const detail =
    status === 431
      ? 'The header fields are too large.'
      : status === 408
        ? 'The request did not arrive in time.'
        : 'This is not a valid HTTP request.';
  const id = newId('request');
  const text = JSON.stringify(problemBody(new Problem('invalid_request', detail, { status }), id));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\nX-Request-Id: ${id}\r\n` +
      `Connection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
