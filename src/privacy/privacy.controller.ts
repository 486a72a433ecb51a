import { Body, Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { idTime } from '../kernel/ids';
import { Problem } from '../kernel/problem';
import { decodeCursor, encodeCursor, PageQueryDto } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../platform/http/openapi.decorators';
import { Audited } from '../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../tenancy/auth.decorators';
import type { Principal } from '../tenancy/principal';
import { ErasureService } from './erasure.service';
import { ErasureView } from './erasure.view';
import { ErasePersonDto } from './privacy.dto';

const LIST = 'erasures';

/** A person's right to be forgotten. */
@ApiTags('Privacy')
@Controller('v1/privacy')
export class PrivacyController {
  constructor(private readonly erasures: ErasureService) {}

  @Post('erase')
  @Scopes('keys:write')
  @Audited('privacy.erased')
  @ApiOperation({
    operationId: 'erasePerson',
    summary: 'Erase one person’s data',
    description:
      'Address, content and metadata of messages to and from the person, their events, raw callbacks, logs of deliveries and what was to follow them. What waits to be sent is canceled. The records stay for the counts, with a hash in place of the address; an entry of the suppression list stays by its hash, so that the person is not written to again. 200 with the receipt; 202 when it takes longer and goes on in the background.',
  })
  @ApiData(ErasureView, { description: 'The receipt: all is erased.' })
  @ApiData(ErasureView, { status: 202, description: 'It goes on in the background; read the receipt again.' })
  @ApiProblems('invalid_request', 'payload_too_large')
  async erase(
    @CurrentTenant() tenant: Principal,
    @Body() body: ErasePersonDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<ErasureView>> {
    const erasure = await this.erasures.erase(tenant.clientId, body.recipient);
    response.status(erasure.state === 'completed' ? 200 : 202);
    return ok(ErasureView.of(erasure));
  }

  @Get('erasures')
  @Scopes('keys:write')
  @ApiOperation({ operationId: 'listErasures', summary: 'List receipts of erasures, newest first' })
  @ApiPage(ErasureView, { description: 'A page of receipts.' })
  @ApiProblems('invalid_request')
  async list(@CurrentTenant() tenant: Principal, @Query() query: PageQueryDto): Promise<Page<ErasureView>> {
    const [before] = query.cursor === undefined ? [null] : decodeCursor(query.cursor, LIST, 1);
    const rows = await this.erasures.list(tenant.clientId, before!, query.limit + 1);
    const shown = rows.slice(0, query.limit);
    const next = rows.length > query.limit ? encodeCursor(LIST, shown.at(-1)!.id) : null;
    return page(
      shown.map((row) => ErasureView.of(row)),
      next,
      query.limit,
    );
  }

  @Get('erasures/:id')
  @Scopes('keys:write')
  @ApiOperation({ operationId: 'getErasure', summary: 'Read the receipt of an erasure' })
  @ApiParam({ name: 'id', description: 'Id of the receipt.', example: 'ers_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(ErasureView, { description: 'The receipt.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ErasureView>> {
    if (idTime(id, 'erasure') === null) throw Problem.notFound('erasure');
    return ok(ErasureView.of(await this.erasures.get(tenant.clientId, id)));
  }
}
