import { StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type Express, type Response } from 'express';
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { newId } from '../../kernel/ids';
import type { Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import { logAccess } from './access-log';
import { readBody } from './body-reader';
import { hasRawBody, type HttpRequest } from './http-request';
import { internalProblem, problemBody, toProblem, writeProblem } from './problem-answer';
import { checkPath, parseQueryString } from './query-string';

const REQUEST_ID = /^[A-Za-z0-9._~-]{1,128}$/;

/** How long a request under way may go on after the server was told to close. */
const CLOSE_GRACE_MS = 10_000;

/**
 * Express under Nest, with the work that every request needs done before Express sees it: request id, headers, path, query and body. A
 * chain of middlewares would cost more than the parsing itself.
 */
export class HttpAdapter extends ExpressAdapter {
  private closing = false;

  constructor(private readonly log: () => Logger) {
    super(createExpress());
  }

  override initHttpServer(): void {
    const app = this.getInstance<Express>();
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      this.receive(request as HttpRequest, response, () => app(request as HttpRequest, response as Response));
    };
    const server = createServer(
      {
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

  private receive(request: HttpRequest, response: ServerResponse, proceed: () => void): void {
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
      readBody(request, response, path, (problem) => {
        if (problem === undefined) proceed();
        else writeProblem(response, problem, id);
      });
    } catch (error) {
      const problem = toProblem(error);
      if (problem === undefined) this.log().error({ err: error, request_id: id }, 'request failed');
      writeProblem(response, problem ?? internalProblem(), id);
    }
  }
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
