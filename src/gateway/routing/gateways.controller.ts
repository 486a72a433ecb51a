import { Body, Controller, Get, HttpCode, Post, Put } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { readNationalNumber, readPhoneNumber } from '../../kernel/phone-number';
import { ok, whole, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { Audited } from '../../tenancy/audit/audited.decorator';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { jsonSchema } from '../configs/json-schema';
import { BudgetDirectory } from '../budget/budget-directory';
import { DegradedView } from '../budget/degraded.view';
import { ConfigDirectory } from '../configs/config-directory';
import { GatewayHealth } from '../health/gateway-health';
import { GatewayStates } from '../limits/gateway-states';
import { QuotaReader } from '../quotas/quota-reader';
import { QUOTA_EXCEEDED, Router, type Route } from '../router';
import { GatewayHealthView, GatewaysView, PreviewDto, PreviewView } from './gateways.dto';
import { completeNumber, notANumber } from './national-number';
import { routesDocumentSchema } from './routes.schema';
import { GatewayRoutesService } from './gateway-routes.service';

@ApiTags('Gateways')
@Controller('v1/gateways')
export class GatewaysController {
  constructor(
    private readonly routes: GatewayRoutesService,
    private readonly router: Router,
    private readonly directory: ConfigDirectory,
    private readonly health: GatewayHealth,
    private readonly states: GatewayStates,
    private readonly quotas: QuotaReader,
    private readonly budgets: BudgetDirectory,
  ) {}

  @Get()
  @Scopes('configs:read')
  @ApiOperation({ operationId: 'getGateways', summary: 'Read how messages find their gateway' })
  @ApiData(GatewaysView, { description: 'The document.' })
  @ApiProblems()
  async get(@CurrentTenant() tenant: Principal): Promise<Success<GatewaysView>> {
    return ok({ client_id: tenant.clientId, gateways: await this.routes.get(tenant.clientId) });
  }

  @Put()
  @Scopes('configs:write')
  @Audited('gateways.updated')
  @ApiOperation({
    operationId: 'replaceGateways',
    summary: 'Replace how messages find their gateway',
    description:
      'The whole document. A target is a provider key or an alias (your active config of that provider, the oldest when there are several) or a `cfg_…`; each must have an active config.',
  })
  @ApiBody({ schema: jsonSchema(routesDocumentSchema, 'input'), required: true })
  @ApiData(GatewaysView, { description: 'The document as it is now.' })
  @ApiProblems('invalid_request')
  async replace(
    @CurrentTenant() tenant: Principal,
    @Body() body: Record<string, unknown> | undefined,
  ): Promise<Success<GatewaysView>> {
    return ok({ client_id: tenant.clientId, gateways: await this.routes.replaceDocument(tenant.clientId, body ?? {}) });
  }

  @Post('preview')
  @HttpCode(200)
  @Scopes('configs:read')
  @ApiOperation({ operationId: 'previewGateways', summary: 'Which gateways a message would take, and why' })
  @ApiBody({ type: PreviewDto })
  @ApiData(PreviewView, { description: 'The route of such a message at the moment.' })
  @ApiProblems('invalid_request')
  async preview(@CurrentTenant() tenant: Principal, @Body() body: PreviewDto): Promise<Success<PreviewView>> {
    // Reads those that other processes have used up.
    await this.quotas.ofAll(tenant.clientId);
    const route = await this.routeOf(tenant.clientId, body);
    const first = route.exhausted?.find(({ ahead }) => ahead.length === 0)?.config;
    const last =
      route.candidates.length === 0 ? route.skipped.find(({ reason }) => reason === QUOTA_EXCEEDED) : undefined;
    const refusal = await this.quotas.refusal(tenant.clientId, first ?? last?.config);
    return ok({
      candidates: route.candidates.map(({ gateway, configId, reason, degraded }) => ({
        gateway,
        config_id: configId,
        reason,
        ...(degraded && { degraded: DegradedView.of(degraded) }),
      })),
      skipped: route.skipped.map(({ gateway, configId, reason, temporary }) => ({
        gateway,
        ...(configId !== undefined && { config_id: configId }),
        reason,
        temporary,
      })),
      ...(refusal && { refusal: { code: refusal.code, detail: refusal.detail } }),
    });
  }

  @Get('health')
  @Scopes('configs:read')
  @ApiOperation({
    operationId: 'getGatewayHealth',
    summary: 'How each config is doing',
    description: 'Asks each provider, at most every 10 seconds. Nothing is sent, and no config changes its status.',
  })
  @ApiPage(GatewayHealthView, { description: 'Every config that is in use (active, paused or in error), on one page.' })
  @ApiProblems()
  async healthOfAll(@CurrentTenant() tenant: Principal): Promise<Page<GatewayHealthView>> {
    const snapshot = await this.directory.snapshot(tenant.clientId);
    const states = await this.states.ofTenant(tenant.clientId);
    const configs = [...snapshot.allConfigs()].filter(
      ({ status }) => status === 'active' || status === 'paused' || status === 'error',
    );
    const views = await Promise.all(
      configs.map(async (config): Promise<GatewayHealthView> => {
        const check = await this.health.recent(config);
        const degraded = this.budgets.of(config.id);
        return {
          gateway: config.provider,
          config_id: config.id,
          healthy: check.healthy,
          circuit: states.get(config.id)?.circuit ?? 'closed',
          checked_at: new Date(check.checkedAt).toISOString(),
          latency_ms: check.latencyMs,
          ...(check.error !== undefined && { error: check.error }),
          ...(degraded && { degraded: DegradedView.of(degraded) }),
        };
      }),
    );
    return whole(views);
  }

  /** Reads the recipient as a send does. @throws Problem 400 for one that is none */
  private async routeOf(clientId: string, body: PreviewDto): Promise<Route> {
    if (body.channel !== 'sms' && body.channel !== 'whatsapp') return this.router.route(clientId, body);
    const to = readPhoneNumber(body.to);
    if (to !== undefined) return this.router.route(clientId, { ...body, to });
    const national = body.channel === 'sms' ? readNationalNumber(body.to) : undefined;
    if (national === undefined) throw notANumber();
    const route = await this.router.route(clientId, { ...body, to: national });
    return this.router.route(clientId, { ...body, to: completeNumber(national, route) });
  }
}
