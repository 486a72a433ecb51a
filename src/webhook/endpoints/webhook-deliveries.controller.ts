import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Problem } from '../../kernel/problem';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { timeOf } from '../../platform/http/query-text';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { DeliveryLogService } from './delivery-log.service';
import { ListDeliveriesQueryDto, ReplayDto } from './dto/webhooks.dto';
import { ReplayView, WebhookDeliveryView } from './dto/webhooks.view';

const LIST = 'webhook-deliveries';
const ID = { name: 'id', description: 'Id of the endpoint.', example: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8' };

@ApiTags('Webhooks')
@Controller('v1/webhooks/:id')
export class WebhookDeliveriesController {
  constructor(private readonly log: DeliveryLogService) {}

  @Get('deliveries')
  @Scopes('webhooks:read')
  @ApiOperation({ operationId: 'listWebhookDeliveries', summary: 'List what was posted to an endpoint, newest first' })
  @ApiParam(ID)
  @ApiPage(WebhookDeliveryView, { description: 'A page of deliveries with every try.' })
  @ApiProblems('invalid_request', 'not_found')
  async list(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Query() query: ListDeliveriesQueryDto,
  ): Promise<Page<WebhookDeliveryView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const { status, event } = query;
    const views = await this.log.list(tenant.clientId, id, { status, event, before, limit: query.limit + 1 });
    const shown = views.slice(0, query.limit);
    return page(shown, views.length > shown.length ? encodeCursor(LIST, shown.at(-1)!.id) : null, query.limit);
  }

  @Post('deliveries/:delivery_id/replay')
  @HttpCode(202)
  @Scopes('webhooks:write')
  @ApiOperation({
    operationId: 'replayWebhookDelivery',
    summary: 'Post an event again',
    description: 'With the same event id. A delivery that is waiting for its next try is tried now.',
  })
  @ApiParam(ID)
  @ApiParam({ name: 'delivery_id', description: 'Id of the delivery.', example: 'whd_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(WebhookDeliveryView, { status: 202, description: 'The delivery, pending again.' })
  @ApiProblems('not_found', 'conflict')
  async replay(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Param('delivery_id') deliveryId: string,
  ): Promise<Success<WebhookDeliveryView>> {
    return ok(await this.log.replay(tenant.clientId, id, deliveryId));
  }

  @Post('replay')
  @HttpCode(202)
  @Scopes('webhooks:write')
  @ApiOperation({
    operationId: 'replayWebhookEvents',
    summary: 'Post the events of a time again',
    description: 'With the same event ids.',
  })
  @ApiParam(ID)
  @ApiData(ReplayView, { status: 202, description: 'How many are on their way.' })
  @ApiProblems('invalid_request', 'not_found', 'conflict', 'payload_too_large')
  async replayRange(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() body: ReplayDto,
  ): Promise<Success<ReplayView>> {
    const from = timeOf(body.from);
    const to = timeOf(body.to);
    if (to <= from) throw Problem.field('to', 'invalid_range', 'must be after from');
    const onlyFailed = body.only_failed ?? false;
    return ok({ replayed: await this.log.replayRange(tenant.clientId, id, { from, to, onlyFailed }) });
  }
}
