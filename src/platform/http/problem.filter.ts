import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import type { Logger } from '../../kernel/logger';
import type { HttpRequest } from './http-request';
import { internalProblem, toProblem, writeProblem } from './problem-answer';

/** Answers everything that is thrown as RFC 9457. What is not expected becomes a bare `internal`, logged under the request id. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const response = http.getResponse<Response>();
    // The client went away: nobody reads an answer, and whatever broke because of that is no fault.
    if (response.destroyed) return;
    const problem = toProblem(error);
    if (problem === undefined) {
      this.logger.error({ err: error, request_id: request.id, method: request.method }, 'request failed');
    } else if (problem.status >= 500) {
      this.logger.warn({ err: problem.options.cause ?? problem, request_id: request.id }, 'request refused');
    }
    if (response.headersSent) {
      // Half an answer cannot be taken back; a cut connection tells the client that it is not whole.
      response.destroy();
      return;
    }
    writeProblem(response, problem ?? internalProblem(), request.id);
  }
}
