import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import type { AuditAction } from './audit-actions';
import { AUDITED, ChangeInterceptor, type AuditedChange } from './change.interceptor';

/**
 * The route changes what a tenant or the operator has set up: when it succeeds, an entry of the audit log is stored before the answer leaves. The
 * entry says who, from which address, what (the path's id, else the `id` of the answer, else the tenant), and the names of the fields that the body
 * set; never a value.
 * @param figures members of the answer's `data` that are counts worth keeping
 */
export function Audited(action: AuditAction, options: { figures?: readonly string[] } = {}): MethodDecorator {
  return applyDecorators(
    SetMetadata(AUDITED, { action, figures: options.figures ?? [] } satisfies AuditedChange),
    UseInterceptors(ChangeInterceptor),
  );
}
