import { Injectable } from '@nestjs/common';
import { TenantDirectory, type TenantSnapshot } from '../../tenancy/tenant-directory';
import { RECIPIENT_ZONE, type QuietHours as QuietHoursSetting } from '../../tenancy/tenant-settings';
import { isPhoneChannel } from '../suppression/suppression';
import { PRIORITY_RANK } from '../record/message.types';
import { zonesOfNumber } from './number-zones';
import { minuteOfDay, quietAt, type DailyWindow, type QuietVerdict } from './quiet-window';

/** A message as far as quiet hours look at it. */
export interface Timed {
  clientId: string;
  channel: string;
  recipient: string;
  /** As `PRIORITY_RANK` has it. */
  priority: number;
}

/** When a message runs out, and until when quiet hours hold it; both milliseconds since the epoch. */
export interface Timing {
  expiresAt: number;
  /** Null: it need not wait. */
  quietUntil: number | null;
}

/** Of one place: a message of the evening asks for the night, and for the morning that it lives into. */
const MOST_VERDICTS = 16;

interface KnownHours {
  window: DailyWindow;
  channels: ReadonlySet<string>;
  /** By the list of zones, whose identity is that of the place: what holds there at the times that are asked for, now and some hours on. */
  verdicts: Map<readonly string[], Array<QuietVerdict & { from: number }>>;
  /** The list of the one zone that the setting names, or that recipients without a number go by. */
  ownZone: readonly string[];
}

/**
 * Says whether the recipient of a message is to be left alone. From memory: a tenant without quiet hours costs one look into a map, another one two, as
 * a verdict holds for hours and for all numbers of one place.
 */
@Injectable()
export class QuietHours {
  private readonly known = new WeakMap<QuietHoursSetting, KnownHours>();

  constructor(private readonly tenants: TenantDirectory) {}

  /** Until when (milliseconds) the message has to wait; null: it need not. */
  heldBy(tenant: TenantSnapshot, message: Timed, at: number): number | null {
    if (message.priority === PRIORITY_RANK.high) return null;
    const verdict = this.verdict(tenant, message, at);
    return verdict?.quiet ? verdict.until : null;
  }

  /**
   * How quiet hours bear on a message that is due at `start`. Its own time of life, where its client gave no expiry, stands still while it has to wait:
   * so none is accepted in the evening only to be too late in the morning.
   */
  timing(message: Timed, start: number, life: number | { lifeMs: number }): Timing | Promise<Timing> {
    const tenant = this.tenants.peek(message.clientId);
    if (tenant === undefined)
      return this.tenants.get(message.clientId).then((read) => this.timingFor(read, message, start, life));
    return this.timingFor(tenant, message, start, life);
  }

  /** What holds for a message at an instant; undefined: the tenant leaves such messages alone at no time. */
  verdict(tenant: TenantSnapshot, message: Timed, at: number): QuietVerdict | undefined {
    const { quietHours, timeZone } = tenant.settings;
    if (quietHours === null) return undefined;
    let known = this.known.get(quietHours);
    if (known === undefined) this.known.set(quietHours, (known = knownHours(quietHours, timeZone)));
    if (!known.channels.has(message.channel)) return undefined;
    const byNumber = quietHours.timeZone === RECIPIENT_ZONE && isPhoneChannel(message.channel);
    const zones = (byNumber ? zonesOfNumber(message.recipient) : undefined) ?? known.ownZone;
    let kept = known.verdicts.get(zones);
    if (kept === undefined) known.verdicts.set(zones, (kept = []));
    for (const verdict of kept) if (verdict.from <= at && at < verdict.until) return verdict;
    const verdict = { ...quietAt(known.window, zones, at), from: at };
    kept.push(verdict);
    if (kept.length > MOST_VERDICTS) kept.shift();
    return verdict;
  }

  private timingFor(tenant: TenantSnapshot, message: Timed, start: number, life: number | { lifeMs: number }): Timing {
    const first = message.priority === PRIORITY_RANK.high ? undefined : this.verdict(tenant, message, start);
    const quietUntil = first?.quiet ? first.until : null;
    if (typeof life === 'number') return { expiresAt: life, quietUntil };
    let at = start;
    let left = life.lifeMs;
    for (let verdict = first; verdict !== undefined; verdict = this.verdict(tenant, message, at)) {
      if (!verdict.quiet) {
        if (at + left <= verdict.until) break;
        left -= verdict.until - at;
      }
      at = verdict.until;
    }
    return { expiresAt: at + left, quietUntil };
  }
}

function knownHours(setting: QuietHoursSetting, tenantZone: string): KnownHours {
  return {
    window: { start: minuteOfDay(setting.start), end: minuteOfDay(setting.end) },
    channels: new Set(setting.channels),
    verdicts: new Map(),
    ownZone: [setting.timeZone === RECIPIENT_ZONE ? tenantZone : setting.timeZone],
  };
}
