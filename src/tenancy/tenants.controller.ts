import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { PageQueryDto } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../platform/http/openapi.decorators';
import { ApiKeysService } from './api-keys.service';
import { Audited } from './audit/audited.decorator';
import { ShowsSecret } from './audit/shows-secret.decorator';
import { AdminOnly } from './auth.decorators';
import { CreateApiKeyDto, CreatedApiKeyView } from './dto/api-keys.dto';
import { newApiKeyOf, createdApiKeyView } from './api-keys.controller';
import { CreateTenantDto, UpdateTenantDto } from './dto/tenants.dto';
import { CreatedTenantView, SigningSecretView, TenantView } from './dto/tenants.view';
import { TenantService } from './tenant.service';

const CLIENT_ID = { name: 'client_id', description: 'Id of the tenant.', example: 'acme_4k2jx81m0qv7e3hz' };

@ApiTags('Tenants (operator)')
@AdminOnly()
@Controller('admin/tenants')
export class TenantsController {
  constructor(
    private readonly tenants: TenantService,
    private readonly keys: ApiKeysService,
  ) {}

  @Post()
  @ShowsSecret('tenant_secrets.shown', 'client_id')
  @Audited('tenant.created')
  @ApiOperation({ operationId: 'createTenant', summary: 'Make a tenant with its first API key' })
  @ApiData(CreatedTenantView, { status: 201, description: 'The tenant, its first key and its signing secret.' })
  @ApiProblems('invalid_request', 'payload_too_large')
  async create(@Body() body: CreateTenantDto): Promise<Success<CreatedTenantView>> {
    const { clientId, name, createdAt, apiKey, webhookSigningSecret } = await this.tenants.create({
      name: body.name,
      slug: body.slug?.toLowerCase(),
      allowedSecretRefs: body.allowed_secret_refs,
    });
    return ok({
      client_id: clientId,
      name,
      api_key: apiKey.reveal(),
      webhook_signing_secret: webhookSigningSecret.reveal(),
      created_at: createdAt.toISOString(),
    });
  }

  @Get()
  @ApiOperation({ operationId: 'listTenants', summary: 'List tenants, newest first' })
  @ApiPage(TenantView, { description: 'A page of tenants.' })
  @ApiProblems('invalid_request')
  async list(@Query() query: PageQueryDto): Promise<Page<TenantView>> {
    const { tenants, next } = await this.tenants.list(query.limit, query.cursor);
    return page(
      tenants.map((tenant) => TenantView.of(tenant)),
      next,
      query.limit,
    );
  }

  @Get(':client_id')
  @ApiOperation({ operationId: 'getTenant', summary: 'Read a tenant' })
  @ApiParam(CLIENT_ID)
  @ApiData(TenantView, { description: 'The tenant.' })
  @ApiProblems('invalid_request', 'not_found')
  async get(@Param('client_id') clientId: string): Promise<Success<TenantView>> {
    return ok(TenantView.of(await this.tenants.get(clientId)));
  }

  @Patch(':client_id')
  @Audited('tenant.updated')
  @ApiOperation({ operationId: 'updateTenant', summary: 'Rename, suspend or limit a tenant, or change its settings' })
  @ApiParam(CLIENT_ID)
  @ApiData(TenantView, { description: 'The tenant as it is now.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async update(@Param('client_id') clientId: string, @Body() body: UpdateTenantDto): Promise<Success<TenantView>> {
    const { name, status, quotas, allowed_secret_refs: allowedSecretRefs, settings } = body;
    const changes = { name, status, quotas, allowedSecretRefs, settings };
    return ok(TenantView.of(await this.tenants.update(clientId, changes, 'settings.')));
  }

  @Post(':client_id/signing-secret/rotate')
  @ShowsSecret('signing_secret.shown', 'client_id')
  @HttpCode(200)
  @Audited('signing_secret.rotated')
  @ApiOperation({ operationId: 'rotateTenantSigningSecret', summary: 'Replace the signing secret of a tenant' })
  @ApiParam(CLIENT_ID)
  @ApiData(SigningSecretView, { description: 'The new secret.' })
  @ApiProblems('invalid_request', 'not_found')
  async rotate(@Param('client_id') clientId: string): Promise<Success<SigningSecretView>> {
    const secret = await this.tenants.rotateSigningSecret(clientId);
    return ok({ client_id: clientId, webhook_signing_secret: secret.reveal() });
  }

  @Post(':client_id/api-keys')
  @ShowsSecret('api_key.shown')
  @Audited('api_key.created')
  @ApiOperation({ operationId: 'createTenantApiKey', summary: 'Make an API key for a tenant that lost its own' })
  @ApiParam(CLIENT_ID)
  @ApiData(CreatedApiKeyView, { status: 201, description: 'The key.' })
  @ApiProblems('invalid_request', 'not_found', 'conflict', 'payload_too_large')
  async createKey(
    @Param('client_id') clientId: string,
    @Body() body: CreateApiKeyDto,
  ): Promise<Success<CreatedApiKeyView>> {
    const tenant = await this.tenants.get(clientId);
    return ok(createdApiKeyView(await this.keys.create(tenant.clientId, newApiKeyOf(body))));
  }
}
