import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { PageQueryDto } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../platform/http/openapi.decorators';
import type { Secret } from '../kernel/secret';
import type { ApiKeyEntity } from './api-key.entity';
import { ApiKeysService, type NewApiKey } from './api-keys.service';
import { Audited } from './audit/audited.decorator';
import { ShowsSecret } from './audit/shows-secret.decorator';
import { CurrentTenant, Scopes } from './auth.decorators';
import { ApiKeyView, CreateApiKeyDto, CreatedApiKeyView, DeletedApiKeyView } from './dto/api-keys.dto';
import { MeView } from './dto/tenants.view';
import type { Principal } from './principal';
import { TenantDirectory } from './tenant-directory';

@ApiTags('API keys')
@Controller('v1')
export class ApiKeysController {
  constructor(
    private readonly keys: ApiKeysService,
    private readonly directory: TenantDirectory,
  ) {}

  @Get('me')
  @Scopes()
  @ApiOperation({ operationId: 'getMe', summary: 'Whose key this is, and what it may do' })
  @ApiData(MeView, { description: 'Tenant and scopes.' })
  @ApiProblems()
  async me(@CurrentTenant() principal: Principal): Promise<Success<MeView>> {
    const { name } = await this.directory.get(principal.clientId);
    return ok({ client_id: principal.clientId, name, scopes: [...principal.scopes] });
  }

  @Post('api-keys')
  @Scopes('keys:write')
  @ShowsSecret('api_key.shown')
  @Audited('api_key.created')
  @ApiOperation({ operationId: 'createApiKey', summary: 'Make an API key' })
  @ApiData(CreatedApiKeyView, { status: 201, description: 'The key; it is shown only here.' })
  @ApiProblems('invalid_request', 'conflict', 'payload_too_large')
  async create(
    @CurrentTenant() principal: Principal,
    @Body() body: CreateApiKeyDto,
  ): Promise<Success<CreatedApiKeyView>> {
    return ok(createdApiKeyView(await this.keys.create(principal.clientId, newApiKeyOf(body), principal)));
  }

  @Get('api-keys')
  @Scopes('keys:write')
  @ApiOperation({ operationId: 'listApiKeys', summary: 'List API keys, newest first' })
  @ApiPage(ApiKeyView, { description: 'A page of keys, without the keys themselves.' })
  @ApiProblems('invalid_request')
  async list(@CurrentTenant() principal: Principal, @Query() query: PageQueryDto): Promise<Page<ApiKeyView>> {
    const { keys, next } = await this.keys.list(principal.clientId, query.limit, query.cursor);
    return page(
      keys.map((key) => ApiKeyView.of(key)),
      next,
      query.limit,
    );
  }

  @Delete('api-keys/:id')
  @Scopes('keys:write')
  @Audited('api_key.deleted')
  @ApiOperation({
    operationId: 'deleteApiKey',
    summary: 'Revoke an API key',
    description: 'It stops working at once. The last working key with `keys:write` cannot be deleted (409).',
  })
  @ApiParam({ name: 'id', description: 'Id of the key.', example: 'key_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(DeletedApiKeyView, { description: 'It is deleted.' })
  @ApiProblems('invalid_request', 'not_found', 'conflict')
  async delete(@CurrentTenant() principal: Principal, @Param('id') id: string): Promise<Success<DeletedApiKeyView>> {
    await this.keys.delete(principal.clientId, id);
    return ok({ id, deleted: true });
  }
}

export function newApiKeyOf(body: CreateApiKeyDto): NewApiKey {
  return {
    name: body.name,
    scopes: body.scopes,
    sandbox: body.sandbox ?? false,
    expiresAt: body.expires_at === undefined ? null : new Date(body.expires_at),
  };
}

export function createdApiKeyView(created: { key: ApiKeyEntity; apiKey: Secret }): CreatedApiKeyView {
  return { ...ApiKeyView.of(created.key), api_key: created.apiKey.reveal() };
}
