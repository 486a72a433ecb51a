import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { Problem } from '../kernel/problem';

/** In a process that is no API: answers health and metrics, and nothing else. */
@Injectable()
export class OperationOnlyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { path } = context.switchToHttp().getRequest<Request>();
    if (path === '/metrics' || path.startsWith('/health/')) return true;
    throw new Problem('not_found', 'This process does background work only; call one whose role is api.');
  }
}
