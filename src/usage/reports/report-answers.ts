import { applyDecorators, StreamableFile } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { Response } from 'express';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { page, type Page } from '../../platform/http/envelope';
import { UsageReportDocument } from './report-document.view';
import { reportFile } from './report-file';
import type { ReportStore } from './report-store';
import type { DownloadReportQueryDto, ListReportsQueryDto } from './reports.dto';
import { UsageReportView } from './reports.view';

const LIST = 'usage-reports';

/** One page of the reports of a tenant, or of the operator (`null`). */
export async function reportPage(
  reports: ReportStore,
  owner: string | null,
  { cursor, limit, schedule_id: scheduleId }: ListReportsQueryDto,
  path: string,
): Promise<Page<UsageReportView>> {
  const [before] = cursor === undefined ? [] : decodeCursor(cursor, LIST, 1);
  const rows = await reports.list(owner, scheduleId, before, limit + 1);
  const shown = rows.slice(0, limit);
  const next = rows.length > limit ? encodeCursor(LIST, shown.at(-1)!.report.id) : null;
  return page(
    shown.map((row) => UsageReportView.of(row, path)),
    next,
    limit,
  );
}

/** The report as a file. */
export async function download(
  reports: ReportStore,
  owner: string | null,
  id: string,
  query: DownloadReportQueryDto,
  response: Response,
): Promise<StreamableFile> {
  const { document, format } = await reports.document(owner, id);
  const { filename, contentType, content } = reportFile(document, query.format ?? format);
  response.setHeader('Cache-Control', 'no-store');
  return new StreamableFile(Buffer.from(content), {
    type: contentType,
    disposition: `attachment; filename="${filename}"`,
  });
}

/** Documents {@link download}. */
export function ApiReportFile(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(UsageReportDocument),
    ApiResponse({
      status: 200,
      description: 'The report as a file, without envelope.',
      headers: {
        'X-Request-Id': { description: 'Id of this request.', schema: { type: 'string' } },
        'Content-Disposition': {
          description: 'Names the file.',
          schema: { type: 'string', example: 'attachment; filename="usage-2026-03-29.csv"' },
        },
      },
      content: {
        'text/csv': {
          schema: {
            type: 'string',
            description:
              "One row for each part: `group` is `total`, `previous` (the period before), `day`, `channel`, `config` or `tenant`. Names that a spreadsheet would run have a `'` in front.",
            example: 'report_id,time_zone,group,from,to,key,name,channel,sends,…\r\n',
          },
        },
        'application/json': { schema: { $ref: getSchemaPath(UsageReportDocument) } },
      },
    }),
  );
}
