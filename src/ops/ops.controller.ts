import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { ApiMalformed } from '../platform/http/openapi.decorators';
import { Public } from '../tenancy/auth.decorators';
import { ProcessMetrics } from './process-metrics';

@ApiTags('Operation')
@Controller()
export class OpsController {
  constructor(private readonly metrics: ProcessMetrics) {}

  @Get('metrics')
  @Public()
  @ApiMalformed()
  @ApiProduces('text/plain')
  @ApiOperation({ operationId: 'getMetrics', summary: 'Metrics in the Prometheus text format' })
  @ApiResponse({
    status: 200,
    description: 'The metrics of this process.',
    schema: { type: 'string', example: 'unimsg_messages_accepted_total{channel="sms",status="queued"} 3' },
  })
  async getMetrics(@Res() response: Response): Promise<void> {
    const text = await this.metrics.text();
    response.setHeader('Content-Type', this.metrics.contentType);
    response.end(text);
  }
}
