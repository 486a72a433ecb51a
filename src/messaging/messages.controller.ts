import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { decodeCursor, encodeCursor } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../platform/http/openapi.decorators';
import { timeOf } from '../platform/http/query-text';
import { CurrentTenant, Scopes } from '../tenancy/auth.decorators';
import type { Principal } from '../tenancy/principal';
import { BatchService } from './intake/batch.service';
import { BatchDto, BatchView, ListMessagesQueryDto } from './messages.dto';
import { MessageActions } from './record/message-actions';
import { MessageReader } from './record/message-reader';
import { MessageView } from './record/message.view';

const LIST = 'messages';

@ApiTags('Messages')
@Controller('v1/messages')
export class MessagesController {
  constructor(
    private readonly reader: MessageReader,
    private readonly actions: MessageActions,
    private readonly batches: BatchService,
  ) {}

  @Get()
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'listMessages', summary: 'List messages, newest first' })
  @ApiPage(MessageView, { description: 'One page of messages, without their events.' })
  @ApiProblems('invalid_request')
  async list(@CurrentTenant() tenant: Principal, @Query() query: ListMessagesQueryDto): Promise<Page<MessageView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const views = await this.reader.list(tenant.clientId, {
      ...query,
      createdFrom: query.created_from === undefined ? undefined : timeOf(query.created_from),
      createdTo: query.created_to === undefined ? undefined : timeOf(query.created_to),
      before,
      limit: query.limit + 1,
    });
    const more = views.length > query.limit;
    const items = more ? views.slice(0, query.limit) : views;
    return page(items, more ? encodeCursor(LIST, items.at(-1)!.message_id) : null, query.limit);
  }

  @Post('batch')
  @HttpCode(202)
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'sendBatch',
    summary: 'Send up to 1000 messages',
    description: 'Each message stands alone, and the order is kept.',
  })
  @ApiBody({ type: BatchDto })
  @ApiData(BatchView, { status: 202, description: 'What became of each message.' })
  @ApiProblems('invalid_request', 'payload_too_large')
  async batch(@CurrentTenant() tenant: Principal, @Body() body: BatchDto): Promise<Success<BatchView>> {
    return ok(await this.batches.accept(tenant, body.messages));
  }

  @Get(':message_id')
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'getMessage', summary: 'Read a message with its attempts and events' })
  @ApiParam({ name: 'message_id', description: 'Id of the message.', example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(MessageView, { description: 'The message.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('message_id') id: string): Promise<Success<MessageView>> {
    return ok(await this.actions.view(tenant.clientId, id));
  }

  @Post(':message_id/cancel')
  @HttpCode(200)
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'cancelMessage',
    summary: 'Cancel a message that is still scheduled or queued',
    description:
      'One that a provider may have taken (an attempt of unknown fate, `possible_duplicate`) cannot be canceled, as one that is under way: 409.',
  })
  @ApiParam({ name: 'message_id', description: 'Id of the message.', example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(MessageView, { description: 'The canceled message.' })
  @ApiProblems('not_found', 'conflict')
  async cancel(@CurrentTenant() tenant: Principal, @Param('message_id') id: string): Promise<Success<MessageView>> {
    return ok(await this.actions.cancel(tenant.clientId, id));
  }

  @Post(':message_id/refresh')
  @HttpCode(200)
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'refreshMessage', summary: 'Ask the provider what became of a message' })
  @ApiParam({ name: 'message_id', description: 'Id of the message.', example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(MessageView, { description: 'The message, with what the provider said.' })
  @ApiProblems('not_found', 'conflict', 'all_gateways_failed')
  async refresh(@CurrentTenant() tenant: Principal, @Param('message_id') id: string): Promise<Success<MessageView>> {
    return ok(await this.actions.refresh(tenant.clientId, id));
  }
}
