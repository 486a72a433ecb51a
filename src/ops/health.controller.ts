import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiOperation,
  ApiProperty,
  ApiPropertyOptional,
  ApiResponse,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Response } from 'express';
import { PROBLEM_STATUS, Problem, type ProblemCode } from '../kernel/problem';
import { Database } from '../platform/database/database';
import { DISPATCH_QUEUE, type JobQueue } from '../platform/queue/job-queue';
import type { HttpRequest } from '../platform/http/http-request';
import { ApiMalformed } from '../platform/http/openapi.decorators';
import { problemBody } from '../platform/http/problem-answer';
import { FieldErrorView, type ProblemView } from '../platform/http/problem.view';
import { Public } from '../tenancy/auth.decorators';

export class HealthCheckView {
  @ApiProperty({ description: 'Whether it works.', enum: ['up', 'down'], example: 'up' })
  status: 'up' | 'down';

  @ApiProperty({ description: 'Milliseconds that the check took.', example: 1 })
  latency_ms: number;
}

export class HealthView {
  @ApiProperty({ description: 'Whether the process can work.', example: true })
  success: boolean;

  @ApiProperty({ description: '`ok` when the process can work.', enum: ['ok', 'unavailable'], example: 'ok' })
  status: 'ok' | 'unavailable';

  @ApiPropertyOptional({
    description: 'What was checked.',
    type: 'object',
    additionalProperties: { $ref: getSchemaPath(HealthCheckView) },
    example: { database: { status: 'up', latency_ms: 1 }, queue: { status: 'up', latency_ms: 0 } },
  })
  checks?: Record<string, HealthCheckView>;
}

/** Not ready. What an orchestrator reads, and beside it the members of a problem, for clients that read every answer as one; `status` stays a word. */
export class UnreadyView extends HealthView implements Omit<ProblemView, 'success' | 'status'> {
  @ApiProperty({ description: 'What kind of problem it is.', example: '/problems/internal' })
  type: string;

  @ApiProperty({ description: 'The kind in words.', example: 'Something went wrong on our side' })
  title: string;

  @ApiProperty({ description: 'What does not work.', example: 'Not ready: the database is down.' })
  detail: string;

  @ApiProperty({
    description: 'Stable machine word.',
    enum: Object.keys(PROBLEM_STATUS),
    enumName: 'ProblemCode',
    example: 'internal',
  })
  code: ProblemCode;

  @ApiProperty({ description: 'Always empty: no field is wrong.', type: [FieldErrorView], example: [] })
  errors: FieldErrorView[];

  @ApiProperty({ description: 'As `X-Request-Id`.', example: 'req_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  request_id: string;
}

/** A check that takes longer is down: an orchestrator asks every few seconds. */
const CHECK_MS = 2_000;

@ApiTags('Operation')
@ApiExtraModels(HealthCheckView)
@Controller('health')
export class HealthController {
  private stopping = false;

  constructor(
    private readonly database: Database,
    @Inject(DISPATCH_QUEUE) private readonly queue: JobQueue<unknown>,
  ) {}

  /** From now on not ready: a load balancer looks elsewhere while requests under way finish. */
  shutDown(): void {
    this.stopping = true;
  }

  @Get('live')
  @Public()
  @ApiMalformed()
  @ApiOperation({ operationId: 'getLiveness', summary: 'Whether the process runs' })
  @ApiResponse({ status: 200, description: 'It runs.', type: HealthView })
  live(): HealthView {
    return { success: true, status: 'ok' };
  }

  @Get('ready')
  @Public()
  @ApiMalformed()
  @ApiOperation({ operationId: 'getReadiness', summary: 'Whether the process can work: database and queue' })
  @ApiResponse({ status: 200, description: 'It can.', type: HealthView })
  @ApiResponse({ status: 503, description: 'It cannot, now.', type: UnreadyView })
  async ready(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: Response,
  ): Promise<HealthView | UnreadyView> {
    const [database, queue] = await Promise.all([
      timed(() => this.database.query('SELECT 1').then(() => true)),
      timed(async () => (await this.queue.waiting()) !== null),
    ]);
    const checks = { database, queue };
    const faults = Object.entries(checks).flatMap(([name, { status }]) =>
      status === 'up' ? [] : [`the ${name} is down`],
    );
    if (this.stopping) faults.push('the process is stopping');
    if (faults.length === 0) return { success: true, status: 'ok', checks };
    response.status(503).setHeader('Retry-After', '1');
    const problem = problemBody(Problem.unavailable(`Not ready: ${faults.join(', ')}.`), request.id);
    return { ...problem, status: 'unavailable', checks };
  }
}

async function timed(check: () => Promise<boolean>): Promise<HealthCheckView> {
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), CHECK_MS)));
  const up = await Promise.race([check().catch(() => false), late]);
  clearTimeout(timer);
  return { status: up ? 'up' : 'down', latency_ms: Math.round(performance.now() - startedAt) };
}
