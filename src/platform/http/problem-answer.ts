import { HttpException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Problem, type ProblemCode } from '../../kernel/problem';
import { isDatabaseUnavailable } from '../database/database';
import type { ProblemView } from './problem.view';

/** Problem codes of statuses that a library may raise. Any other 4xx is `invalid_request`. */
const CODES: Readonly<Record<number, ProblemCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'payload_too_large',
  429: 'rate_limited',
};

const DETAILS: Readonly<Partial<Record<ProblemCode, string>>> = {
  not_found: 'There is no such route.',
  invalid_request: 'The request could not be understood.',
};

/** An expected refusal, or undefined when the error is a fault of ours. A library's own message is not shown: it may echo input. */
export function toProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (isDatabaseUnavailable(error)) {
    return Problem.unavailable('The database cannot be reached right now. Try again.', error);
  }
  const status = error instanceof HttpException ? error.getStatus() : exposedStatus(error);
  if (status === undefined || status < 400 || status > 599) return undefined;
  if (status === 503) return Problem.unavailable('Not possible right now. Nothing was changed.', error);
  if (status >= 500) return undefined;
  const code = CODES[status] ?? 'invalid_request';
  return new Problem(code, DETAILS[code] ?? `${new Problem(code, '').title}.`, { status, cause: error });
}

/** Express and its parts mark an error that is the client's with `status` and `expose`. */
function exposedStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { status, expose } = error as { status?: unknown; expose?: unknown };
  if (typeof status !== 'number' || status >= 500) return undefined;
  return expose === false ? undefined : status;
}

export function internalProblem(): Problem {
  return new Problem('internal', 'Something went wrong on our side. It was logged with this request id.');
}

export function problemBody(problem: Problem, requestId: string): ProblemView {
  return {
    success: false,
    type: `/problems/${problem.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    code: problem.code,
    errors: problem.options.errors ?? [],
    request_id: requestId,
  };
}

/** Answers a problem on any response whose headers are not sent. */
export function writeProblem(response: ServerResponse, problem: Problem, requestId: string): void {
  const text = JSON.stringify(problemBody(problem, requestId));
  response.statusCode = problem.status;
  for (const [name, value] of Object.entries(problem.options.headers ?? {})) response.setHeader(name, value);
  response.setHeader('Content-Type', 'application/problem+json');
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}
