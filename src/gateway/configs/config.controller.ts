import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, type Type } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Problem } from '../../kernel/problem';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { ShowsSecret } from '../../tenancy/audit/shows-secret.decorator';
import { GatewayError } from '../contracts/gateway-error';
import type { ProviderDefinition } from '../contracts/provider-definition';
import { GatewayCalls } from '../gateway-calls';
import { UsagePeriodQueryDto } from '../usage/usage-query';
import { UsagePanelView } from '../usage/usage.view';
import { ConfigPresenter } from './config.presenter';
import { ConfigService } from './config.service';
import {
  CallbackUrlsView,
  ConfigTestView,
  configViewOf,
  ListConfigsQueryDto,
  pascal,
  type ConfigView,
} from './config.view';
import { configChangesSchema, hasOwnHost, newConfigSchema } from './config-input';
import type { ConfigAction } from './provider-config';

const ID_PARAM = { name: 'id', description: 'Id of the config.', example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8' };

type Body_ = Record<string, unknown> | undefined;

/** The config routes of every provider, once for its slug and once for each alias. */
export function configControllers(definition: ProviderDefinition): Type[] {
  const view = configViewOf(definition);
  return [definition.slug, ...definition.aliases].map((name) => configController(definition, view, name));
}

/** One class a path, so that the document shows each provider's own fields. */
function configController(definition: ProviderDefinition, View: Type<ConfigView>, name: string): Type {
  const { title } = definition;
  const named = pascal(name);
  const list = `configs:${definition.key}`;

  @ApiTags(name === definition.slug ? `${definition.title} configs` : `${definition.title} configs as “${name}”`)
  @Controller(`communication/${name}/configs`)
  class ProviderConfigController {
    constructor(
      private readonly configs: ConfigService,
      private readonly presenter: ConfigPresenter,
      private readonly calls: GatewayCalls,
    ) {}

    @Post()
    @Scopes('configs:write')
    @Audited('config.created')
    @ApiOperation({
      operationId: `create${named}Config`,
      summary: `Add a ${title} account`,
      description:
        'It begins as a `draft`; `activate` it to send, or give `"status": "active"`. Secrets given in clear are sealed and never shown again.',
    })
    @ApiBody({ schema: newConfigSchema(definition), required: true })
    @ApiData(View, { status: 201, description: 'The config.' })
    @ApiProblems('invalid_request', 'conflict')
    async create(@CurrentTenant() tenant: Principal, @Body() body: Body_): Promise<Success<ConfigView>> {
      return this.shown(tenant, await this.configs.create(tenant.clientId, definition, body ?? {}));
    }

    @Get()
    @Scopes('configs:read')
    @ApiOperation({ operationId: `list${named}Configs`, summary: `List ${title} accounts, oldest first` })
    @ApiPage(View, { description: 'One page of configs.' })
    @ApiProblems('invalid_request')
    async list(@CurrentTenant() tenant: Principal, @Query() query: ListConfigsQueryDto): Promise<Page<ConfigView>> {
      const { limit, cursor, status } = query;
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, list, 1);
      const found = await this.configs.list(tenant.clientId, definition, { status, after, limit });
      const items = found.slice(0, limit);
      const next = found.length > limit ? encodeCursor(list, items.at(-1)!.id) : null;
      return page(await this.presenter.views(tenant.clientId, items), next, limit);
    }

    @Get(':id')
    @Scopes('configs:read')
    @ApiOperation({ operationId: `get${named}Config`, summary: `Read a ${title} account` })
    @ApiParam(ID_PARAM)
    @ApiData(View, { description: 'The config.' })
    @ApiProblems('not_found')
    async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigView>> {
      return this.shown(tenant, await this.configs.get(tenant.clientId, definition, id));
    }

    @Patch(':id')
    @Scopes('configs:write')
    @Audited('config.updated')
    @ApiOperation({
      operationId: `update${named}Config`,
      summary: `Change a ${title} account`,
      description:
        'Fields that are left out stay; `null` takes an optional one away. Credentials are merged field by field.' +
        (hasOwnHost(definition)
          ? ' A change of `host`, `port` or `tls` takes the secrets again: what was given for one server is not sent to another.'
          : ''),
    })
    @ApiParam(ID_PARAM)
    @ApiBody({ schema: configChangesSchema(definition), required: true })
    @ApiData(View, { description: 'The config as it is now.' })
    @ApiProblems('invalid_request', 'not_found', 'conflict')
    async update(
      @CurrentTenant() tenant: Principal,
      @Param('id') id: string,
      @Body() body: Body_,
    ): Promise<Success<ConfigView>> {
      return this.shown(tenant, await this.configs.update(tenant.clientId, definition, id, body ?? {}));
    }

    @Delete(':id')
    @Scopes('configs:write')
    @Audited('config.decommissioned')
    @ApiOperation({
      operationId: `delete${named}Config`,
      summary: `Decommission a ${title} account`,
      description:
        'For good: it leaves the lists and cannot be made active again. It can still be read, since messages name it, and reports that arrive late still count.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(View, { description: 'The config, `decommissioned`.' })
    @ApiProblems('not_found')
    async remove(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigView>> {
      return this.shown(tenant, await this.configs.remove(tenant.clientId, definition, id));
    }

    @Post(':id/activate')
    @HttpCode(200)
    @Scopes('configs:write')
    @Audited('config.activated')
    @ApiOperation({
      operationId: `activate${named}Config`,
      summary: `Put a ${title} account into service`,
      description: 'From `draft`, `paused` or `error`. Its secrets must resolve.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(View, { description: 'The config, `active`.' })
    @ApiProblems('not_found', 'conflict')
    activate(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigView>> {
      return this.act(tenant, id, 'activate');
    }

    @Post(':id/pause')
    @HttpCode(200)
    @Scopes('configs:write')
    @Audited('config.paused')
    @ApiOperation({
      operationId: `pause${named}Config`,
      summary: `Take a ${title} account out of service`,
      description: 'From `active`.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(View, { description: 'The config, `paused`.' })
    @ApiProblems('not_found', 'conflict')
    pause(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigView>> {
      return this.act(tenant, id, 'pause');
    }

    @Post(':id/resume')
    @HttpCode(200)
    @Scopes('configs:write')
    @Audited('config.resumed')
    @ApiOperation({
      operationId: `resume${named}Config`,
      summary: `Put a paused ${title} account back into service`,
      description: 'From `paused`.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(View, { description: 'The config, `active`.' })
    @ApiProblems('not_found', 'conflict')
    resume(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigView>> {
      return this.act(tenant, id, 'resume');
    }

    @Post(':id/decommission')
    @HttpCode(200)
    @Scopes('configs:write')
    @Audited('config.decommissioned')
    @ApiOperation({
      operationId: `decommission${named}Config`,
      summary: `Decommission a ${title} account, once`,
      description: 'As `DELETE`, but a second time is a conflict.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(View, { description: 'The config, `decommissioned`.' })
    @ApiProblems('not_found', 'conflict')
    decommission(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigView>> {
      return this.act(tenant, id, 'decommission');
    }

    @Post(':id/test')
    @HttpCode(200)
    @Scopes('configs:write')
    @ApiOperation({
      operationId: `test${named}Config`,
      summary: `Ask ${title} whether the account works`,
      description: 'Sends nothing. A config in `error` that is found to work becomes `active` again.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(ConfigTestView, { description: 'What was found.' })
    @ApiProblems('not_found', 'conflict')
    async test(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<ConfigTestView>> {
      const config = await this.configs.get(tenant.clientId, definition, id);
      return ok(await this.presenter.test(config));
    }

    @Get(':id/callback-urls')
    @Scopes('configs:write')
    @ShowsSecret('callback_urls.shown')
    @ApiOperation({
      operationId: `get${named}ConfigCallbackUrls`,
      summary: `Show where ${title} must report, tokens included`,
      description:
        'For the provider’s console, where it has to be entered by hand. Needs `configs:write`, as a token is a secret; each showing is noted in the audit log.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(CallbackUrlsView, { description: 'The URLs. None for a provider that does not call back.' })
    @ApiProblems('not_found', 'conflict')
    async callbackUrls(
      @CurrentTenant() tenant: Principal,
      @Param('id') id: string,
    ): Promise<Success<CallbackUrlsView>> {
      const config = await this.configs.get(tenant.clientId, definition, id);
      try {
        return ok({ id: config.id, callback_urls_with_token: await this.calls.callbackUrls(config) });
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        throw new Problem('conflict', `The URLs cannot be shown: ${error.message}.`);
      }
    }

    @Get(':id/usage')
    @Scopes('usage:read')
    @ApiOperation({
      operationId: `get${named}ConfigUsage`,
      summary: `What a ${title} account has sent, and how much is left`,
      description:
        'Deliveries, opens, clicks and cost of the messages that this account took (or was the last to refuse), how far its quota is used, and its error budget. Exact up to this moment.',
    })
    @ApiParam(ID_PARAM)
    @ApiData(UsagePanelView, { description: 'The figures.' })
    @ApiProblems('invalid_request', 'not_found')
    async usage(
      @CurrentTenant() tenant: Principal,
      @Param('id') id: string,
      @Query() query: UsagePeriodQueryDto,
    ): Promise<Success<UsagePanelView>> {
      return ok(await this.presenter.usage(await this.configs.get(tenant.clientId, definition, id), query));
    }

    private async act(tenant: Principal, id: string, action: ConfigAction): Promise<Success<ConfigView>> {
      return this.shown(tenant, await this.configs.act(tenant.clientId, definition, id, action));
    }

    private async shown(tenant: Principal, config: Parameters<ConfigPresenter['views']>[1][number]) {
      return ok((await this.presenter.views(tenant.clientId, [config]))[0]!);
    }
  }
  Object.defineProperty(ProviderConfigController, 'name', { value: `${named}ConfigController` });
  return ProviderConfigController;
}
