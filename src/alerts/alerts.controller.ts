import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { alertsTable } from '../platform/alerts/alert-words';
import { decodeCursor, encodeCursor } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../platform/http/openapi.decorators';
import { AdminOnly, CurrentTenant, Scopes } from '../tenancy/auth.decorators';
import type { Principal } from '../tenancy/principal';
import { AlertReader, type AlertFilter } from './alert-reader';
import { AlertView } from './alert.view';
import { ListAlertsQueryDto, ListAllAlertsQueryDto } from './alerts.dto';

const LIST = 'alerts';

const DESCRIPTION = `An alert is raised once and lasts until what it is about is over; then it clears by itself. Both are told by the events \`alert.raised\` and \`alert.cleared\`, and by email to \`alert_emails\` of the tenant’s settings. Cleared ones are kept for 90 days.

${alertsTable()}`;

/** What needs a person: for a tenant its own alerts, for the operator everybody's. */
@ApiTags('Alerts')
@Controller()
export class AlertsController {
  constructor(private readonly reader: AlertReader) {}

  @Get('v1/alerts')
  @Scopes('usage:read')
  @ApiOperation({ operationId: 'listAlerts', summary: 'List your alerts, newest first', description: DESCRIPTION })
  @ApiPage(AlertView, { description: 'A page of alerts.' })
  @ApiProblems('invalid_request')
  list(@CurrentTenant() tenant: Principal, @Query() query: ListAlertsQueryDto): Promise<Page<AlertView>> {
    return this.page(query, tenant.clientId);
  }

  @Get('v1/alerts/:id')
  @Scopes('usage:read')
  @ApiOperation({ operationId: 'getAlert', summary: 'Read an alert' })
  @ApiParam({ name: 'id', description: 'Id of the alert.', example: 'alr_01kaqz9yq8e5v6m3c2n1b0a9s8' })
  @ApiData(AlertView, { description: 'The alert.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<AlertView>> {
    return ok(AlertView.of(await this.reader.get(tenant.clientId, id)));
  }

  @Get('admin/alerts')
  @AdminOnly()
  @ApiOperation({
    operationId: 'listAllAlerts',
    summary: 'List the alerts of all tenants, newest first',
    description: 'Told by email to `UNIMSG_ALERT_EMAIL` too.',
  })
  @ApiPage(AlertView, { description: 'A page of alerts.' })
  @ApiProblems('invalid_request')
  listAll(@Query() query: ListAllAlertsQueryDto): Promise<Page<AlertView>> {
    return this.page(query, query.client_id);
  }

  private async page(query: ListAlertsQueryDto, clientId: string | undefined): Promise<Page<AlertView>> {
    const { state, alert, subject, limit, cursor } = query;
    const [before] = cursor === undefined ? [] : decodeCursor(cursor, LIST, 1);
    const filter: AlertFilter = { clientId, alert, subject, before, limit: limit + 1 };
    const rows = await this.reader.list({ ...filter, state: state === 'all' ? undefined : state });
    const items = rows.slice(0, limit);
    return page(
      items.map((row) => AlertView.of(row)),
      rows.length > limit ? encodeCursor(LIST, items.at(-1)!.id) : null,
      limit,
    );
  }
}
