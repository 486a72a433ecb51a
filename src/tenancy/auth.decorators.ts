import { applyDecorators, createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/openapi.decorators';
import type { Principal, Scope } from './principal';

/** Names of the OpenAPI security schemes. */
export const SECURITY_SCHEMES = {
  tenantBearer: 'api_key',
  tenantHeader: 'api_key_header',
  admin: 'admin_key',
} as const;

/** Who may call a route. */
export type Access = { kind: 'public' } | { kind: 'admin' } | { kind: 'tenant'; scopes: readonly Scope[] };

/** Metadata key of {@link Access}, on the handler or on the controller; the handler's wins. */
export const ACCESS = 'unimsg:access';

/** Needs an API key that has all of these scopes; none named: any valid key. */
export function Scopes(...scopes: Scope[]): MethodDecorator & ClassDecorator {
  return applyDecorators(
    SetMetadata(ACCESS, { kind: 'tenant', scopes } satisfies Access),
    ApiSecurity(SECURITY_SCHEMES.tenantBearer),
    ApiSecurity(SECURITY_SCHEMES.tenantHeader),
    ApiProblems('unauthorized', 'forbidden', 'rate_limited'),
  );
}

/** Needs the operator's key. */
export function AdminOnly(): MethodDecorator & ClassDecorator {
  return applyDecorators(
    SetMetadata(ACCESS, { kind: 'admin' } satisfies Access),
    ApiSecurity(SECURITY_SCHEMES.admin),
    ApiProblems('unauthorized', 'rate_limited'),
  );
}

/** Needs no key: health, metrics, documentation, and callbacks that prove themselves by a signature. */
export function Public(): MethodDecorator & ClassDecorator {
  return SetMetadata(ACCESS, { kind: 'public' } satisfies Access);
}

/** A request that the guard let through to a tenant's route. */
export interface AuthenticatedRequest {
  principal?: Principal;
}

/** The {@link Principal} of a route with `@Scopes`. */
export const CurrentTenant = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
  if (principal === undefined) throw new Error('@CurrentTenant() is used on a route without @Scopes()');
  return principal;
});
