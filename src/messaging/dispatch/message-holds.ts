import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { TenantDirectory, type TenantSnapshot } from '../../tenancy/tenant-directory';
import { QuietHours } from '../quiet/quiet-hours';
import type { ClaimedMessage } from '../record/message.types';

/** Why no gateway may be asked for a message now. */
export interface Hold {
  /** Milliseconds since the epoch. */
  until: number;
  reason: 'quiet_hours' | 'suspended';
}

/** How soon the messages of a suspended tenant are looked at again. */
const SUSPENDED_MS = 30_000;

/** Says what holds a message back whichever gateway it would take. From memory; a promise only when the tenant is not there. */
@Injectable()
export class MessageHolds {
  constructor(
    private readonly tenants: TenantDirectory,
    private readonly quiet: QuietHours,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Null: nothing does. */
  of(message: ClaimedMessage): Hold | null | Promise<Hold | null> {
    const tenant = this.tenants.peek(message.clientId);
    if (tenant === undefined) return this.tenants.get(message.clientId).then((read) => this.by(read, message));
    return this.by(tenant, message);
  }

  private by(tenant: TenantSnapshot, message: ClaimedMessage): Hold | null {
    const now = this.clock.now();
    // What a suspended tenant had accepted stays until it is active again or runs out.
    if (tenant.status !== 'active') return { until: now + SUSPENDED_MS, reason: 'suspended' };
    const until = this.quiet.heldBy(tenant, message, now);
    return until === null ? null : { until, reason: 'quiet_hours' };
  }
}
