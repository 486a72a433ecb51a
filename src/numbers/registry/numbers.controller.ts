import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { CreateNumberDto, ListNumbersQueryDto, UpdateNumberDto } from './numbers.dto';
import { DeletedNumberView, NumberView } from './numbers.view';
import { NumbersService } from './numbers.service';

const LIST = 'numbers';
const ID = { name: 'id', description: 'Id of the number.', example: 'num_01kaqz9yq8e5v6m3c2n1b0a9s8' };

@ApiTags('Numbers')
@Controller('v1/numbers')
export class NumbersController {
  constructor(private readonly numbers: NumbersService) {}

  @Post()
  @Scopes('configs:write')
  @Audited('number.created')
  @ApiOperation({
    operationId: 'createNumber',
    summary: 'Assign a number, and say who is told of messages to it',
    description:
      'Messages that come to it from now on, by an account of yours at the provider, get a place in its gapless sequence and are delivered to each receiver. You may have a number once a channel, for SMS and for WhatsApp.',
  })
  @ApiData(NumberView, { status: 201, description: 'The number.' })
  @ApiProblems('invalid_request', 'conflict', 'payload_too_large')
  async create(@CurrentTenant() tenant: Principal, @Body() body: CreateNumberDto): Promise<Success<NumberView>> {
    const { row, receivers } = await this.numbers.create(tenant.clientId, body);
    return ok(NumberView.of(row, receivers));
  }

  @Get()
  @Scopes('configs:read')
  @ApiOperation({ operationId: 'listNumbers', summary: 'List numbers, newest first' })
  @ApiPage(NumberView, { description: 'A page of numbers.' })
  @ApiProblems('invalid_request')
  async list(@CurrentTenant() tenant: Principal, @Query() query: ListNumbersQueryDto): Promise<Page<NumberView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const found = await this.numbers.list(tenant.clientId, {
      ...(query.number !== undefined && { number: query.number }),
      ...(query.channel !== undefined && { channel: query.channel }),
      ...(query.provider !== undefined && { provider: query.provider }),
      ...(before !== undefined && { before }),
      limit: query.limit + 1,
    });
    const shown = found.slice(0, query.limit);
    return page(
      shown.map(({ row, receivers }) => NumberView.of(row, receivers)),
      found.length > shown.length ? encodeCursor(LIST, shown.at(-1)!.row.id) : null,
      query.limit,
    );
  }

  @Get(':id')
  @Scopes('configs:read')
  @ApiOperation({ operationId: 'getNumber', summary: 'Read a number' })
  @ApiParam(ID)
  @ApiData(NumberView, { description: 'The number.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<NumberView>> {
    const { row, receivers } = await this.numbers.get(tenant.clientId, id);
    return ok(NumberView.of(row, receivers));
  }

  @Patch(':id')
  @Scopes('configs:write')
  @Audited('number.updated')
  @ApiOperation({ operationId: 'updateNumber', summary: 'Change a number, or who is told of messages to it' })
  @ApiParam(ID)
  @ApiData(NumberView, { description: 'The number as it is now.' })
  @ApiProblems('invalid_request', 'not_found', 'conflict', 'payload_too_large')
  async update(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() body: UpdateNumberDto,
  ): Promise<Success<NumberView>> {
    const { row, receivers } = await this.numbers.update(tenant.clientId, id, body);
    return ok(NumberView.of(row, receivers));
  }

  @Delete(':id')
  @Scopes('configs:write')
  @Audited('number.deleted')
  @ApiOperation({
    operationId: 'deleteNumber',
    summary: 'Give a number back',
    description: 'Its messages stay and can be read; what waited for a receiver becomes a dead letter.',
  })
  @ApiParam(ID)
  @ApiData(DeletedNumberView, { description: 'It is free.' })
  @ApiProblems('not_found')
  async delete(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<DeletedNumberView>> {
    await this.numbers.delete(tenant.clientId, id);
    return ok({ id, deleted: true });
  }
}
