import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length } from 'class-validator';
import { PageQueryDto, decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { ProviderEventReader } from './provider-event-reader';
import { ProviderEventView } from './provider-event.view';

/** `GET /v1/provider-events` */
export class ListProviderEventsQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    description: 'Only those whose message was found (`true`), or was not (`false`).',
    enum: ['true', 'false'],
    example: 'false',
  })
  @IsOptional()
  @IsIn(['true', 'false'])
  matched?: 'true' | 'false';

  @ApiPropertyOptional({ description: 'Only of this provider.', example: 'twilio' })
  @IsOptional()
  @IsString()
  @Length(1, 40)
  provider?: string;
}

const LIST = 'provider-events';

@ApiTags('Provider callbacks')
@Controller('v1/provider-events')
export class ProviderEventsController {
  constructor(private readonly reader: ProviderEventReader) {}

  @Get()
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'listProviderEvents', summary: 'List stored callbacks of providers, newest first' })
  @ApiPage(ProviderEventView, { description: 'One page of callbacks.' })
  @ApiProblems('invalid_request')
  async list(
    @CurrentTenant() tenant: Principal,
    @Query() query: ListProviderEventsQueryDto,
  ): Promise<Page<ProviderEventView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const matched = query.matched === undefined ? undefined : query.matched === 'true';
    const views = await this.reader.list(tenant.clientId, {
      matched,
      provider: query.provider,
      before,
      limit: query.limit + 1,
    });
    const more = views.length > query.limit;
    const items = views.slice(0, query.limit);
    return page(items, more ? encodeCursor(LIST, items.at(-1)!.id) : null, query.limit);
  }

  @Post(':id/reprocess')
  @HttpCode(200)
  @Scopes('configs:write')
  @ApiOperation({
    operationId: 'reprocessProviderEvent',
    summary: 'Read a stored callback again with today’s parser and apply it',
  })
  @ApiParam({ name: 'id', description: 'Id of the stored callback.', example: 'pev_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(ProviderEventView, { description: 'The callback, as it stands now.' })
  @ApiProblems('not_found', 'conflict')
  async reprocess(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ProviderEventView>> {
    return ok(await this.reader.reprocess(tenant.clientId, id));
  }
}
