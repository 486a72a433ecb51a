import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import type { AuditAction } from './audit-actions';
import { AuditInterceptor, SHOWS_SECRET, type SecretShown } from './audit.interceptor';

/**
 * The answer of the route shows a secret: an entry of the audit log is stored before it leaves.
 * @param object the member of the answer's `data` that names what the secret belongs to
 */
export function ShowsSecret(action: AuditAction, object = 'id'): MethodDecorator {
  return applyDecorators(
    SetMetadata(SHOWS_SECRET, { action, object } satisfies SecretShown),
    UseInterceptors(AuditInterceptor),
  );
}
