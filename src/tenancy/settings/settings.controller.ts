import { Body, Controller, Get, Patch } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { ok, type Success } from '../../platform/http/envelope';
import { ApiData, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../audit/audited.decorator';
import { CurrentTenant, Scopes } from '../auth.decorators';
import type { Principal } from '../principal';
import { tenantSettings } from '../tenant-settings';
import { TenantService } from '../tenant.service';
import { UpdateSettingsDto } from './settings.dto';
import { SettingsView } from './settings.view';

/** What a tenant sets for itself. */
@ApiTags('Settings')
@Controller('v1/settings')
export class SettingsController {
  constructor(private readonly tenants: TenantService) {}

  @Get()
  @Scopes('configs:read')
  @ApiOperation({
    operationId: 'getSettings',
    summary: 'Read your settings',
    description: 'Time zone, alert addresses, quiet hours, retention and the objective of the error budget.',
  })
  @ApiData(SettingsView, { description: 'All settings; what you did not set has its default.' })
  @ApiProblems()
  async get(@CurrentTenant() tenant: Principal): Promise<Success<SettingsView>> {
    return ok(SettingsView.of(tenantSettings((await this.tenants.get(tenant.clientId)).settings)));
  }

  @Patch()
  @Scopes('configs:write')
  @Audited('settings.updated')
  @ApiOperation({
    operationId: 'updateSettings',
    summary: 'Change your settings',
    description: 'What is left out stays as it is; null takes the default. Every process goes by it within moments.',
  })
  @ApiData(SettingsView, { description: 'All settings as they are now.' })
  @ApiProblems('invalid_request', 'payload_too_large')
  async update(@CurrentTenant() tenant: Principal, @Body() body: UpdateSettingsDto): Promise<Success<SettingsView>> {
    const changed = await this.tenants.update(tenant.clientId, { settings: body });
    return ok(SettingsView.of(tenantSettings(changed.settings)));
  }
}
