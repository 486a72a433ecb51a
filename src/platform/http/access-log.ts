import type { ServerResponse } from 'node:http';
import type { Logger } from '../../kernel/logger';
import type { HttpRequest } from './http-request';

/**
 * One line a request when it is over: which route, whose, with what result. No query, no body, no path parameter: those hold recipients.
 * Successes are `debug`, refusals `info`, failures `warn`, so that the default level costs nothing on the path of a message.
 */
export function logAccess(logger: Logger, request: HttpRequest, response: ServerResponse, startedAt: number): void {
  const { statusCode: status } = response;
  const fields = {
    method: request.method,
    route: routeOf(request),
    status,
    ms: Math.round((performance.now() - startedAt) * 10) / 10,
    request_id: request.id,
    client_id: request.clientId,
    aborted: response.writableFinished ? undefined : true,
  };
  if (status >= 500) logger.warn(fields, 'request');
  else if (status >= 400) logger.info(fields, 'request');
  else logger.debug(fields, 'request');
}

/** The template of the route, never the path that was asked for; undefined when no route matched. */
function routeOf(request: HttpRequest): string | undefined {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : undefined;
}
