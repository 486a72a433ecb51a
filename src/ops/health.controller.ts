import { Controller, Get, Inject, Res } from '@nestjs/common';
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
import { Database } from '../platform/database/database';
import { DISPATCH_QUEUE, type JobQueue } from '../platform/queue/job-queue';
import { ApiMalformed } from '../platform/http/openapi.decorators';
import { Public } from '../tenancy/auth.decorators';

export class HealthCheckView {
  @ApiProperty({ description: 'Whether it works.', enum: ['up', 'down'], example: 'up' })
  status: 'up' | 'down';

  @ApiProperty({ description: 'Milliseconds that the check took.', example: 1 })
  latency_ms: number;
}

export class HealthView {
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
    return { status: 'ok' };
  }

  @Get('ready')
  @Public()
  @ApiMalformed()
  @ApiOperation({ operationId: 'getReadiness', summary: 'Whether the process can work: database and queue' })
  @ApiResponse({ status: 200, description: 'It can.', type: HealthView })
  @ApiResponse({ status: 503, description: 'It cannot, now.', type: HealthView })
  async ready(@Res({ passthrough: true }) response: Response): Promise<HealthView> {
    const [database, queue] = await Promise.all([
      timed(() => this.database.query('SELECT 1').then(() => true)),
      timed(async () => (await this.queue.waiting()) !== null),
    ]);
    const ok = database.status === 'up' && queue.status === 'up' && !this.stopping;
    response.status(ok ? 200 : 503);
    return { status: ok ? 'ok' : 'unavailable', checks: { database, queue } };
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
