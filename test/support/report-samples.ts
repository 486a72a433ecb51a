import { systemClock } from '../../src/kernel/clock';
import { silentLogger } from '../../src/kernel/logger';
import { EventSignal, EventStore } from '../../src/platform/events/event-store';
import type { Database } from '../../src/platform/database/database';
import { ReportFigures } from '../../src/usage/reports/report-figures';
import { ReportMaker } from '../../src/usage/reports/report-maker';
import type { UsagePanel } from '../../src/usage/usage-panel';
import { UsageReader } from '../../src/usage/usage-reader';
import { eventually } from './api-client';
import { assertStatus, type Service, type Tenant } from './e2e-service';

/** What a tenant has left is asked of the whole service; here it is this. */
const PANEL = {
  of: async () => ({
    quota: null,
    error_budget: { objective: 0.95, remaining: 0.4, state: 'green', window_days: 30 },
  }),
} as unknown as UsagePanel;

/** Figures of a database, without a service. */
export function sampleFigures(database: Database): ReportFigures {
  return new ReportFigures(new UsageReader(database), PANEL, database);
}

const SCHEDULE = { period: 'monthly', time_zone: 'UTC', at: '12:00' };

/** A schedule of a tenant, or of the operator (`null`), and a report of it. */
export async function makeReport(
  service: Service,
  tenant: Tenant | null,
  schedule: Record<string, unknown> = {},
): Promise<{ schedule: string; report: string }> {
  const base = tenant === null ? '/admin/usage' : '/v1/usage';
  const api = tenant === null ? service.admin : tenant.api;
  // Without an event, which would go to the tenant's webhooks.
  const deliver = [{ type: 'email', to: 'reports@unimsg.test' }];
  const created = await api.post(`${base}/schedules`, { ...SCHEDULE, deliver, ...schedule });
  assertStatus(created, 201);
  const { id } = created.body.data;
  await makeDue(service, id);
  // The service's own scheduler may have been first.
  const { body } = await eventually(
    () => api.get(`${base}/reports?schedule_id=${id}`),
    (answer) => answer.body.data.length > 0,
  );
  return { schedule: id, report: body.data[0].id };
}

/** Makes the next report of a schedule now, although its period may not be over. */
export async function makeDue(service: Service, scheduleId: string): Promise<void> {
  const { database } = service.database;
  await database.execute(`UPDATE report_schedules SET next_due_at = now() - interval '1 second' WHERE id = $1`, [
    scheduleId,
  ]);
  const events = new EventStore(new EventSignal());
  await new ReportMaker(database, sampleFigures(database), events, systemClock, silentLogger).run();
}
