import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Problem } from '../kernel/problem';
import { decodeCursor, encodeCursor, PageQueryDto } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems, ApiUnprocessable } from '../platform/http/openapi.decorators';
import { Audited } from '../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../tenancy/auth.decorators';
import type { Principal } from '../tenancy/principal';
import { PreviewTemplateDto, TemplateDto, UpdateTemplateDto } from './dto/templates.dto';
import { DeletedTemplateView, TemplatePreviewView, TemplateView } from './dto/templates.view';
import { TemplatePreview } from './template-preview';
import { TemplatesService, type TemplateVersion } from './templates.service';

const LIST = 'templates';
const VERSION_LIST = 'template versions';
const ID = { name: 'id', description: 'Id of the template.', example: 'tpl_01kaqz9yq8e5v6m3c2n1b0a9s8' };
const VERSION = { name: 'version', description: 'Number of the version.', example: '2' };
const MOST = 2_147_483_647;

@ApiTags('Templates')
@Controller('v1/templates')
export class TemplatesController {
  constructor(
    private readonly templates: TemplatesService,
    private readonly previews: TemplatePreview,
  ) {}

  @Post()
  @Scopes('messages:send')
  @Audited('template.created')
  @ApiOperation({
    operationId: 'createTemplate',
    summary: 'Create a template',
    description:
      'Texts are Liquid (`{{ name }}`, `{% if … %}`, filters). A variable without a value is refused when the template is used, never sent as nothing; `{% if name %}` and `{{ name | default: "you" }}` ask whether there is one. Values are escaped in the HTML of an email, and in Telegram texts as their `parse_mode` wants it. Tags that read other templates are not there.',
  })
  @ApiData(TemplateView, { status: 201, description: 'The template, in its version 1.' })
  @ApiProblems('invalid_request', 'conflict', 'payload_too_large')
  async create(@CurrentTenant() tenant: Principal, @Body() body: TemplateDto): Promise<Success<TemplateView>> {
    return ok(this.view(tenant, await this.templates.create(tenant.clientId, body)));
  }

  @Get()
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'listTemplates', summary: 'List templates, newest first' })
  @ApiPage(TemplateView, { description: 'A page of templates, each in its newest version.' })
  @ApiProblems('invalid_request')
  async list(@CurrentTenant() tenant: Principal, @Query() query: PageQueryDto): Promise<Page<TemplateView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const found = await this.templates.list(tenant.clientId, before, query.limit + 1);
    const shown = found.slice(0, query.limit);
    return page(
      shown.map((one) => this.view(tenant, one)),
      found.length > shown.length ? encodeCursor(LIST, shown.at(-1)!.id) : null,
      query.limit,
    );
  }

  @Get(':id')
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'getTemplate', summary: 'Read a template' })
  @ApiParam(ID)
  @ApiData(TemplateView, { description: 'The template in its newest version.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<TemplateView>> {
    return ok(this.view(tenant, await this.templates.get(tenant.clientId, id)));
  }

  @Put(':id')
  @Scopes('messages:send')
  @Audited('template.updated')
  @ApiOperation({
    operationId: 'replaceTemplate',
    summary: 'Replace a template by a new version',
    description: 'Notifications that have begun go on with the version that they began with.',
  })
  @ApiParam(ID)
  @ApiData(TemplateView, { description: 'The new version; the old one when nothing is different.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async replace(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() body: TemplateDto,
  ): Promise<Success<TemplateView>> {
    return ok(this.view(tenant, await this.templates.replace(tenant.clientId, id, body)));
  }

  @Patch(':id')
  @Scopes('messages:send')
  @Audited('template.updated')
  @ApiOperation({
    operationId: 'updateTemplate',
    summary: 'Change parts of a template, as a new version',
    description: 'Notifications that have begun go on with the version that they began with.',
  })
  @ApiParam(ID)
  @ApiData(TemplateView, { description: 'The new version; the old one when nothing is different.' })
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async update(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() body: UpdateTemplateDto,
  ): Promise<Success<TemplateView>> {
    return ok(this.view(tenant, await this.templates.update(tenant.clientId, id, body)));
  }

  @Delete(':id')
  @Scopes('messages:send')
  @Audited('template.deleted')
  @ApiOperation({
    operationId: 'deleteTemplate',
    summary: 'Delete a template',
    description: 'Notifications that have begun go on.',
  })
  @ApiParam(ID)
  @ApiData(DeletedTemplateView, { description: 'It is deleted.' })
  @ApiProblems('not_found')
  async delete(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<DeletedTemplateView>> {
    await this.templates.delete(tenant.clientId, id);
    return ok({ id, deleted: true });
  }

  @Get(':id/versions')
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'listTemplateVersions', summary: 'List the versions of a template, newest first' })
  @ApiParam(ID)
  @ApiPage(TemplateView, { description: 'A page of versions.' })
  @ApiProblems('invalid_request', 'not_found')
  async listVersions(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Query() query: PageQueryDto,
  ): Promise<Page<TemplateView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, VERSION_LIST, 1);
    const number = before === undefined ? undefined : numberOf(before);
    if (number === null) throw Problem.field('cursor', 'invalid_cursor', 'is not a cursor of this list');
    const found = await this.templates.versions(tenant.clientId, id, number, query.limit + 1);
    const shown = found.slice(0, query.limit);
    return page(
      shown.map((one) => this.view(tenant, one)),
      found.length > shown.length ? encodeCursor(VERSION_LIST, String(shown.at(-1)!.version)) : null,
      query.limit,
    );
  }

  @Get(':id/versions/:version')
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'getTemplateVersion', summary: 'Read one version of a template' })
  @ApiParam(ID)
  @ApiParam(VERSION)
  @ApiData(TemplateView, { description: 'The version.' })
  @ApiProblems('not_found')
  async getVersion(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Param('version') version: string,
  ): Promise<Success<TemplateView>> {
    const number = numberOf(version);
    if (number === null) throw Problem.notFound('version of the template');
    return ok(this.view(tenant, await this.templates.get(tenant.clientId, id, number)));
  }

  @Post(':id/preview')
  @HttpCode(200)
  @Scopes('messages:read')
  @ApiOperation({
    operationId: 'previewTemplate',
    summary: 'Show what a template would say',
    description:
      'Renders each channel and measures SMS. Nothing is sent or stored. A missing variable is 422, named in `errors` as `data.<path>`.',
  })
  @ApiParam(ID)
  @ApiData(TemplatePreviewView, { description: 'What each channel would get.' })
  @ApiUnprocessable('A variable has no value, or what comes of a text cannot be sent.', [
    { field: 'data.name', code: 'missing_variable', message: 'data.name is required' },
  ])
  @ApiProblems('invalid_request', 'not_found', 'payload_too_large')
  async preview(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Body() body: PreviewTemplateDto,
  ): Promise<Success<TemplatePreviewView>> {
    return ok(await this.previews.show(tenant.clientId, id, body));
  }

  private view(tenant: Principal, template: TemplateVersion): TemplateView {
    const { id, version, name, content, createdAt, updatedAt } = template;
    return {
      id,
      template_id: id,
      name,
      version,
      channels: content.channels,
      locales: content.locales,
      variables: content.variables,
      default_locale: content.defaultLocale,
      used_variables: [...this.templates.compile(tenant.clientId, template).usedVariables],
      created_at: createdAt.toISOString(),
      updated_at: updatedAt.toISOString(),
    };
  }
}

/** Null for what is no number of a version. */
function numberOf(text: string): number | null {
  const number = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : MOST + 1;
  return number > MOST ? null : number;
}
