import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { idTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { isTime, timeOf } from '../../platform/http/query-text';
import { validateBody } from '../../platform/http/validation';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { InboundLogService, type InboundFilter } from './inbound-log.service';
import { InboundRedeliveryService } from './inbound-redelivery.service';
import { ListInboundQueryDto, RedeliverInboundDto, RedeliverManyDto } from './inbound.dto';
import { InboundMessageDetailView, InboundMessageView, RedeliveredView } from './inbound.view';

const LIST = 'inbound';
const ID = { name: 'id', description: 'Id of the message.', example: 'inb_01kaqz9yq8e5v6m3c2n1b0a9s8' };

@ApiTags('Inbound')
@Controller('v1/inbound')
export class InboundController {
  constructor(
    private readonly log: InboundLogService,
    private readonly redelivery: InboundRedeliveryService,
  ) {}

  @Get()
  @Scopes('messages:read')
  @ApiOperation({
    operationId: 'listInbound',
    summary: 'List what people wrote to you, newest first',
    description:
      'Messages to your numbers, and those that came by your accounts to numbers that you do not have (`unmatched`).',
  })
  @ApiPage(InboundMessageView, { description: 'A page of messages, without the tries to deliver them.' })
  @ApiProblems('invalid_request')
  async list(
    @CurrentTenant() tenant: Principal,
    @Query() query: ListInboundQueryDto,
  ): Promise<Page<InboundMessageView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    if (before !== undefined && idTime(before, 'inbound') === null)
      throw Problem.field('cursor', 'invalid_cursor', 'is not a cursor of this list');
    const found = await this.log.list(tenant.clientId, {
      ...filterOf(query),
      ...(before !== undefined && { before }),
      limit: query.limit + 1,
    });
    const shown = found.slice(0, query.limit);
    return page(shown, found.length > shown.length ? encodeCursor(LIST, shown.at(-1)!.id) : null, query.limit);
  }

  @Get(':id')
  @Scopes('messages:read')
  @ApiOperation({
    operationId: 'getInbound',
    summary: 'Read a message that somebody wrote to you',
    description: 'With every try to deliver it: time, result, latency, status and the first KiB of the answer.',
  })
  @ApiParam(ID)
  @ApiData(InboundMessageDetailView, { description: 'The message.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<InboundMessageDetailView>> {
    return ok(await this.log.get(tenant.clientId, id));
  }

  @Post('redeliver')
  @HttpCode(202)
  @Scopes('webhooks:write')
  @ApiOperation({
    operationId: 'redeliverManyInbound',
    summary: 'Deliver many messages again',
    description:
      'Begins a new round of tries for every dead letter, or for other messages of a time. Each message keeps its event id and its sequence.',
  })
  @ApiBody({ type: RedeliverManyDto, required: false })
  @ApiData(RedeliveredView, { status: 202, description: 'How many are on their way.' })
  @ApiProblems('invalid_request', 'payload_too_large')
  async redeliverMany(@CurrentTenant() tenant: Principal, @Body() given: unknown): Promise<Success<RedeliveredView>> {
    const body = validateBody(RedeliverManyDto, given === undefined ? {} : given);
    const status = body.status ?? 'dead_letter';
    if (status === 'all' && body.from === undefined) throw Problem.field('from', 'required', 'is required for all');
    if (status === 'all' && body.to === undefined) throw Problem.field('to', 'required', 'is required for all');
    const filter: InboundFilter = {
      ...(body.number !== undefined && { number: body.number }),
      ...(body.from !== undefined && { since: timeOf(body.from) }),
      ...(body.to !== undefined && { until: timeOf(body.to) }),
    };
    return ok(await this.redelivery.many(tenant.clientId, filter, status));
  }

  @Post(':id/redeliver')
  @HttpCode(202)
  @Scopes('webhooks:write')
  @ApiOperation({
    operationId: 'redeliverInbound',
    summary: 'Deliver a message again',
    description:
      'Begins a new round of tries, with the same event id and sequence; what waits for its next try is tried now. A message that came before you had its number gets a place in the number’s sequence, and is delivered.',
  })
  @ApiParam(ID)
  @ApiBody({ type: RedeliverInboundDto, required: false })
  @ApiData(InboundMessageDetailView, {
    status: 202,
    description: 'The message, with deliveries that are pending again.',
  })
  @ApiProblems('invalid_request', 'not_found', 'conflict', 'payload_too_large')
  async redeliver(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() given: unknown,
  ): Promise<Success<InboundMessageDetailView>> {
    const { deliveries } = validateBody(RedeliverInboundDto, given === undefined ? {} : given);
    await this.redelivery.one(tenant.clientId, id, deliveries);
    return ok(await this.log.get(tenant.clientId, id));
  }
}

/** `from` and `to` are a sender and a number, or the bounds of a time: whichever they can be read as. */
function filterOf(query: ListInboundQueryDto): InboundFilter {
  const [fromTime, toTime] = [query.from, query.to].map((text) =>
    text !== undefined && isTime(text) ? text : undefined,
  );
  const since = query.received_from ?? fromTime;
  const until = query.received_to ?? toTime;
  const number = query.number ?? (toTime === undefined ? query.to : undefined);
  return {
    ...(number !== undefined && { number }),
    ...(query.from !== undefined && fromTime === undefined && { sender: query.from }),
    ...(query.channel !== undefined && { channel: query.channel }),
    ...(query.state !== undefined && { state: query.state }),
    ...(query.delivery_status !== undefined && { deliveryStatus: query.delivery_status }),
    ...(since !== undefined && { since: timeOf(since) }),
    ...(until !== undefined && { until: timeOf(until) }),
  };
}
