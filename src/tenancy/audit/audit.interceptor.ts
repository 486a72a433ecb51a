import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { mergeMap, type Observable } from 'rxjs';
import { ClientAddress } from '../../platform/http/client-address';
import type { Success } from '../../platform/http/envelope';
import type { AuditAction } from './audit-actions';
import { AuditLog } from './audit-log';
import { auditedBy, type AuditedRequest } from './audited-by';

/** Metadata key of a {@link SecretShown}, on the handler. */
export const SHOWS_SECRET = 'unimsg:shows-secret';

/** What a route's answer shows. */
export interface SecretShown {
  action: AuditAction;
  /** The member of the answer's `data` that names what the secret belongs to. */
  object: string;
}

/** Stores who is shown a secret before the answer leaves; without the entry there is no answer. */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(
    private readonly log: AuditLog,
    private readonly addresses: ClientAddress,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler<Success<Record<string, string>>>): Observable<unknown> {
    const request = context.switchToHttp().getRequest<AuditedRequest>();
    const { action, object } = Reflect.getMetadata(SHOWS_SECRET, context.getHandler()) as SecretShown;
    return next.handle().pipe(
      mergeMap(async (answer) => {
        const clientId = request.principal?.clientId ?? request.params.client_id ?? answer.data.client_id;
        await this.log.record({
          clientId: String(clientId),
          ...auditedBy(request, this.addresses),
          action,
          object: answer.data[object]!,
        });
        return answer;
      }),
    );
  }
}
