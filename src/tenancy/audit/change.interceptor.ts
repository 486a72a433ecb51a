import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { mergeMap, type Observable } from 'rxjs';
import { ClientAddress } from '../../platform/http/client-address';
import type { Success } from '../../platform/http/envelope';
import type { AuditAction } from './audit-actions';
import { AuditLog } from './audit-log';
import { auditedBy, type AuditedRequest } from './audited-by';
import { changedFields } from './changed-fields';

/** Metadata key of an {@link AuditedChange}, on the handler. */
export const AUDITED = 'unimsg:audited';

/** What a route changes. */
export interface AuditedChange {
  action: AuditAction;
  /** Members of the answer's `data` that are counts worth keeping. */
  figures: readonly string[];
}

/** Notes a change that was made before its answer leaves; without the entry there is no answer. What was refused is not noted. */
@Injectable()
export class ChangeInterceptor implements NestInterceptor {
  constructor(
    private readonly log: AuditLog,
    private readonly addresses: ClientAddress,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AuditedRequest>();
    const { action, figures } = Reflect.getMetadata(AUDITED, context.getHandler()) as AuditedChange;
    // Taken before the handler, which may change what it was given.
    const fields = changedFields(request.body);
    return next.handle().pipe(
      mergeMap(async (answer) => {
        const data = ((answer as Partial<Success<unknown>> | undefined)?.data ?? {}) as Record<string, unknown>;
        const counts = figures.filter((name) => typeof data[name] === 'number').map((name) => [name, data[name]]);
        const detail = { ...(fields.length > 0 && { fields }), ...Object.fromEntries(counts) };
        const clientId = textOf(request.principal?.clientId ?? request.params.client_id ?? data.client_id);
        await this.log.record({
          clientId,
          ...auditedBy(request, this.addresses),
          action,
          object: textOf(request.params.id ?? data.id ?? clientId) ?? 'installation',
          ...(Object.keys(detail).length > 0 && { detail }),
        });
        return answer;
      }),
    );
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
