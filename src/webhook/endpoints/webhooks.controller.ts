import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { CLOCK, type Clock } from '../../kernel/clock';
import { decodeCursor, encodeCursor, PageQueryDto } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { ShowsSecret } from '../../tenancy/audit/shows-secret.decorator';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { CreateWebhookDto, UpdateWebhookDto } from './dto/webhooks.dto';
import { DeletedWebhookView, WebhookTestView, WebhookView, WebhookWithSecretView } from './dto/webhooks.view';
import { attemptView } from './delivery.rows';
import { WebhookEndpointsService } from './webhook-endpoints.service';

const LIST = 'webhooks';
const ID = { name: 'id', description: 'Id of the endpoint.', example: 'whe_01kaqz9yq8e5v6m3c2n1b0a9s8' };

@ApiTags('Webhooks')
@Controller('v1/webhooks')
export class WebhooksController {
  constructor(
    private readonly endpoints: WebhookEndpointsService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Post()
  @Scopes('webhooks:write')
  @ShowsSecret('webhook_secret.shown')
  @Audited('webhook.created')
  @ApiOperation({
    operationId: 'createWebhook',
    summary: 'Have events posted to a URL',
    description:
      'Events created from now on are posted, signed as Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`). Any 2xx within 15 s is success; else it is tried again after about 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 6 h, 12 h and 24 h, then kept as a dead letter. At least once, so drop repeats by `id`; events of one message come in order.',
  })
  @ApiData(WebhookWithSecretView, { status: 201, description: 'The endpoint, with its secret.' })
  @ApiProblems('invalid_request', 'conflict', 'payload_too_large')
  async create(
    @CurrentTenant() tenant: Principal,
    @Body() body: CreateWebhookDto,
  ): Promise<Success<WebhookWithSecretView>> {
    const { row, secret } = await this.endpoints.create(tenant.clientId, {
      url: body.url,
      events: body.events,
      description: body.description ?? null,
      enabled: body.enabled ?? true,
      format: body.format ?? 'json',
    });
    return ok({ ...WebhookView.of(row, this.clock.now()), secret: secret.reveal() });
  }

  @Get()
  @Scopes('webhooks:read')
  @ApiOperation({ operationId: 'listWebhooks', summary: 'List webhook endpoints, newest first' })
  @ApiPage(WebhookView, { description: 'A page of endpoints.' })
  @ApiProblems('invalid_request')
  async list(@CurrentTenant() tenant: Principal, @Query() query: PageQueryDto): Promise<Page<WebhookView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const rows = await this.endpoints.list(tenant.clientId, before, query.limit + 1);
    const shown = rows.slice(0, query.limit);
    const now = this.clock.now();
    return page(
      shown.map((row) => WebhookView.of(row, now)),
      rows.length > shown.length ? encodeCursor(LIST, shown.at(-1)!.id) : null,
      query.limit,
    );
  }

  @Get(':id')
  @Scopes('webhooks:read')
  @ApiOperation({ operationId: 'getWebhook', summary: 'Read a webhook endpoint' })
  @ApiParam(ID)
  @ApiData(WebhookView, { description: 'The endpoint, without its secret.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<WebhookView>> {
    return ok(WebhookView.of(await this.endpoints.get(tenant.clientId, id), this.clock.now()));
  }

  @Patch(':id')
  @Scopes('webhooks:write')
  @Audited('webhook.updated')
  @ApiOperation({ operationId: 'updateWebhook', summary: 'Change a webhook endpoint' })
  @ApiParam(ID)
  @ApiData(WebhookView, { description: 'The endpoint as it is now.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async update(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() body: UpdateWebhookDto,
  ): Promise<Success<WebhookView>> {
    return ok(WebhookView.of(await this.endpoints.update(tenant.clientId, id, body), this.clock.now()));
  }

  @Delete(':id')
  @Scopes('webhooks:write')
  @Audited('webhook.deleted')
  @ApiOperation({ operationId: 'deleteWebhook', summary: 'Delete a webhook endpoint and what waits for it' })
  @ApiParam(ID)
  @ApiData(DeletedWebhookView, { description: 'It is deleted.' })
  @ApiProblems('not_found')
  async delete(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<DeletedWebhookView>> {
    await this.endpoints.delete(tenant.clientId, id);
    return ok({ id, deleted: true });
  }

  @Post(':id/rotate-secret')
  @HttpCode(200)
  @Scopes('webhooks:write')
  @ShowsSecret('webhook_secret.shown')
  @Audited('webhook_secret.rotated')
  @ApiOperation({
    operationId: 'rotateWebhookSecret',
    summary: 'Replace the signing secret',
    description: 'For 24 hours every delivery carries two signatures, of the new and of the old secret.',
  })
  @ApiParam(ID)
  @ApiData(WebhookWithSecretView, { description: 'The endpoint, with its new secret.' })
  @ApiProblems('not_found')
  async rotate(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<WebhookWithSecretView>> {
    const { row, secret } = await this.endpoints.rotate(tenant.clientId, id);
    return ok({ ...WebhookView.of(row, this.clock.now()), secret: secret.reveal() });
  }

  @Post(':id/test')
  @HttpCode(200)
  @Scopes('webhooks:write')
  @ApiOperation({
    operationId: 'testWebhook',
    summary: 'Post a signed test event now',
    description: 'Of the type `webhook.test`; it is not retried and not kept. Answers what the receiver said.',
  })
  @ApiParam(ID)
  @ApiData(WebhookTestView, { description: 'What came of it; a failure is a 200 too.' })
  @ApiProblems('not_found')
  async test(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<WebhookTestView>> {
    const { eventId, attempt } = await this.endpoints.test(tenant.clientId, id);
    return ok({
      succeeded: attempt.error === undefined,
      event_id: eventId,
      attempt: attemptView(attempt),
      status_code: attempt.statusCode ?? null,
      latency_ms: attempt.latencyMs,
    });
  }
}
