import { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res, StreamableFile } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { idTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { streamedBody } from '../../platform/http/body-reader';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { validateBody } from '../../platform/http/validation';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { DeletedSuppressionView, SuppressionImportView, SuppressionView } from './suppression.view';
import { CreateSuppressionsDto, DeleteSuppressionQueryDto, ListSuppressionsQueryDto } from './suppressions.dto';
import { SuppressionsService } from './suppressions.service';

const LIST = 'suppressions';

@ApiTags('Suppressions')
@Controller('v1/suppressions')
export class SuppressionsController {
  constructor(private readonly suppressions: SuppressionsService) {}

  @Get()
  @Scopes('messages:read')
  @ApiOperation({
    operationId: 'listSuppressions',
    summary: 'List whom nothing more is sent to, newest first',
    description:
      'With `?format=csv` or `Accept: text/csv`: the whole list, as it can be imported again; text that a spreadsheet would run as a formula has an apostrophe in front, which an import takes away.',
  })
  @ApiPage(SuppressionView, { description: 'One page of entries, or all of them as CSV.', csv: true })
  @ApiProblems('invalid_request')
  async list(
    @CurrentTenant() tenant: Principal,
    @Query() query: ListSuppressionsQueryDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Page<SuppressionView> | StreamableFile> {
    if (query.format === 'csv' || (query.format === undefined && wantsCsv(request.headers.accept))) {
      response.setHeader('Cache-Control', 'no-store');
      return new StreamableFile(Readable.from(this.suppressions.csv(tenant.clientId, query)), {
        type: 'text/csv; charset=utf-8',
        disposition: 'attachment; filename="suppressions.csv"',
      });
    }
    const [before] = query.cursor === undefined ? [null] : decodeCursor(query.cursor, LIST, 1);
    const views = await this.suppressions.list(tenant.clientId, query, before!, query.limit + 1);
    const more = views.length > query.limit;
    const items = more ? views.slice(0, query.limit) : views;
    return page(items, more ? encodeCursor(LIST, items.at(-1)!.id) : null, query.limit);
  }

  @Post()
  @Scopes('messages:send')
  @Audited('suppression.entered', { figures: ['created', 'updated', 'rejected'] })
  @ApiOperation({
    operationId: 'createSuppressions',
    summary: 'Put one recipient or many on the list',
    description:
      'One recipient: `channel` and `recipient`; 201 with the entry, 200 when it was there and got the new reason. Many: `suppressions`, `csv`, or a body of the type `text/csv` (up to 10 MiB); 200 with what came of them.',
  })
  @ApiData(SuppressionView, { status: 201, description: 'The recipient is on the list.' })
  @ApiData([SuppressionView, SuppressionImportView], {
    description: 'The recipient was on the list already, or what came of many.',
  })
  @ApiProblems('invalid_request', 'payload_too_large')
  async create(
    @CurrentTenant() tenant: Principal,
    @Body() body: CreateSuppressionsDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<SuppressionView | SuppressionImportView>> {
    const { suppressions, csv, ...one } = body;
    const given = [suppressions, csv, Object.values(one).find((value) => value !== undefined)];
    if (given.filter((value) => value !== undefined).length > 1)
      throw Problem.field(
        suppressions === undefined ? 'csv' : 'suppressions',
        'excluded',
        'must be given alone: without `channel`, `recipient` or another list',
      );
    response.status(200);
    if (suppressions !== undefined) return ok(await this.suppressions.enterMany(tenant.clientId, suppressions));
    if (csv !== undefined) return ok(await this.suppressions.import(tenant.clientId, csv));
    const { created, view } = await this.suppressions.enter(tenant.clientId, one);
    response.status(created ? 201 : 200);
    return ok(view);
  }

  @Post('import')
  @HttpCode(200)
  @Scopes('messages:send')
  @Audited('suppression.entered', { figures: ['created', 'updated', 'rejected'] })
  @ApiOperation({
    operationId: 'importSuppressions',
    summary: 'Put a long list of recipients on the list',
    description:
      'A body of the type `text/csv`, up to 256 MiB, entered as it comes: a first line with the names of the columns, of which `channel` and `recipient` must be there, `reason` and `detail` may, and others do not count. A `reason` of another service is taken for `manual` and kept in `detail`. A wrong line is told of by its number and does not keep the others off the list. What was entered stays when the connection breaks; the same file can be sent again.',
  })
  @ApiConsumes('text/csv')
  @ApiBody({
    required: true,
    schema: { type: 'string', example: 'channel,recipient,reason\nsms,+393331234567,stop\n' },
  })
  @ApiData(SuppressionImportView, { description: 'What came of the lines.' })
  @ApiProblems('invalid_request', 'payload_too_large')
  async import(@CurrentTenant() tenant: Principal, @Req() request: Request): Promise<Success<SuppressionImportView>> {
    return ok(await this.suppressions.importStream(tenant.clientId, streamedBody(request)));
  }

  @Delete()
  @Scopes('messages:send')
  @Audited('suppression.deleted')
  @ApiOperation({
    operationId: 'deleteSuppressionOf',
    summary: 'Take a recipient off the list',
    description: 'Named by `channel` and `recipient`, or by `id`: in the query, or as the members of a JSON body.',
  })
  @ApiData(DeletedSuppressionView, { description: 'It is off the list.' })
  @ApiProblems('invalid_request', 'not_found')
  async removeRecipient(
    @CurrentTenant() tenant: Principal,
    @Query() query: DeleteSuppressionQueryDto,
    @Req() request: Request,
  ): Promise<Success<DeletedSuppressionView>> {
    const body = request.body as object | undefined;
    const { channel, recipient, id } =
      body === undefined ? query : validateBody(DeleteSuppressionQueryDto, { ...query, ...body });
    if (id !== undefined) {
      if (channel !== undefined || recipient !== undefined)
        throw Problem.field('id', 'excluded', 'must be given without `channel` and `recipient`');
      return this.remove(tenant, id);
    }
    if (channel === undefined) throw Problem.field('channel', 'required', 'is required, with `recipient`, or `id`');
    if (recipient === undefined) throw Problem.field('recipient', 'required', 'is required');
    return ok({ id: await this.suppressions.remove(tenant.clientId, { channel, recipient }), deleted: true });
  }

  @Delete(':id')
  @Scopes('messages:send')
  @Audited('suppression.deleted')
  @ApiOperation({ operationId: 'deleteSuppression', summary: 'Take an entry off the list' })
  @ApiParam({ name: 'id', description: 'Id of the entry.', example: 'sup_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(DeletedSuppressionView, { description: 'It is off the list.' })
  @ApiProblems('not_found')
  async remove(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<DeletedSuppressionView>> {
    if (idTime(id, 'suppression') === null) throw Problem.notFound('suppression');
    return ok({ id: await this.suppressions.remove(tenant.clientId, { id }), deleted: true });
  }
}

/** Whether CSV is asked for by name: a browser takes anything. */
function wantsCsv(accept: string | undefined): boolean {
  return accept !== undefined && /(^|,)\s*text\/csv\s*(;|,|$)/i.test(accept) && !/application\/json/i.test(accept);
}
