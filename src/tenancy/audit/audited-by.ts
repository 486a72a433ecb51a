import type { ClientAddress } from '../../platform/http/client-address';
import type { HttpRequest } from '../../platform/http/http-request';
import type { AuthenticatedRequest } from '../auth.decorators';
import type { NewAuditEntry } from './audit-log';

export type AuditedRequest = HttpRequest & AuthenticatedRequest;

/** Who makes a request, and from where. */
export function auditedBy(
  request: AuditedRequest,
  addresses: ClientAddress,
): Pick<NewAuditEntry, 'actor' | 'requestId' | 'ip'> {
  return {
    actor: request.principal?.keyId ?? 'operator',
    requestId: request.id,
    ip: addresses.of(request) || null,
  };
}
