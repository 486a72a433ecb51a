import { decodeCursor, encodeCursor, type PageQueryDto } from '../../platform/http/cursor';
import { page, type Page } from '../../platform/http/envelope';
import type { ReportSchedulesService } from './report-schedules.service';
import { ReportScheduleView } from './report-schedules.view';

const LIST = 'report-schedules';

/** One page of the schedules of a tenant, or of the operator (`null`). */
export async function schedulePage(
  schedules: ReportSchedulesService,
  owner: string | null,
  { cursor, limit }: PageQueryDto,
): Promise<Page<ReportScheduleView>> {
  const [before] = cursor === undefined ? [] : decodeCursor(cursor, LIST, 1);
  const rows = await schedules.list(owner, before, limit + 1);
  const shown = rows.slice(0, limit);
  const next = rows.length > limit ? encodeCursor(LIST, shown.at(-1)!.id) : null;
  return page(
    shown.map((row) => ReportScheduleView.of(row)),
    next,
    limit,
  );
}
