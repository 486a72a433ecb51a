import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { isDatabaseUnavailable } from '../../platform/database/database';
import { CircuitBreakers } from '../../gateway/limits/circuit-breakers';
import { ConfigLifeCycle } from '../../gateway/configs/config-life-cycle';
import { GatewayError } from '../../gateway/contracts/gateway-error';
import { GatewayRates } from '../../gateway/limits/gateway-rates';
import { Router, type Candidate, type Route, type RouteRequest } from '../../gateway/router';
import type { AttemptRecord, ClaimedMessage, DispatchOutcome, Requeue } from '../record/message.types';
import type { Suppressed } from '../suppression/suppression-directory';
import { GatewaySender } from './gateway-sender';
import type { Hold } from './message-holds';
import { RecipientPauses } from './recipient-pauses';
import { SentLookup } from './sent-lookup';
import { DEFAULT_PAUSE_MS, FAILOVER_POLICY, LONGEST_PAUSE_MS, LONGEST_WAIT_MS, retryDelayMs } from './failover.policy';

/** How soon after an attempt of unknown fate the provider is asked for the first time. */
const FIRST_LOOKUP_MS = 1_000;

/**
 * How much later than the others a message that failed before asks for the probe of an open circuit. One that fails wherever it goes
 * would else keep a working gateway shut: the oldest message is claimed first.
 */
const PROBE_DEFERENCE_MS = 1_000;

/** How long, about, a message waits for another one that probes a circuit. Each look is a claim and a write of its queue row. */
const PROBE_WAIT_MS = 2_000;

type Next = DispatchOutcome['next'];

/**
 * Takes one claimed message one step further: at most one attempt at one gateway, the one that the claim is for. What follows is decided by
 * {@link FAILOVER_POLICY} alone. Does not throw: whatever happens is an outcome.
 */
@Injectable()
export class AttemptRunner {
  private readonly throttles = new Map<string, number>();
  private readonly recipients: RecipientPauses;

  constructor(
    private readonly router: Router,
    private readonly sender: GatewaySender,
    private readonly lookup: SentLookup,
    private readonly rates: GatewayRates,
    private readonly circuits: CircuitBreakers,
    private readonly lifecycle: ConfigLifeCycle,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.recipients = new RecipientPauses(clock);
  }

  async run(message: ClaimedMessage, signal: AbortSignal): Promise<DispatchOutcome> {
    try {
      const request = routeRequest(message);
      const route =
        this.router.routeSync(message.clientId, request) ?? (await this.router.route(message.clientId, request));
      const { next, ...rest } = message.unknown
        ? await this.reconcile(message, route, signal)
        : await this.attempt(message, route, signal);
      const goesOn = next.type === 'requeue' && next.requeue.lane !== message.lane && next.requeue.lane !== '';
      return { message, ...rest, next: goesOn ? await this.enter(message, next.requeue) : next };
    } catch (error) {
      // A fault of ours before anything was sent: the message stays, and is tried again. A database that went away while routing says so
      // to each message in hand and is none of the messages' doing.
      const level = isDatabaseUnavailable(error) ? 'warn' : 'error';
      this.logger[level]({ err: error, messageId: message.id }, 'attempt not begun');
      return {
        message,
        next: requeue(message, { dueAt: this.clock.now() + retryDelayMs(1, Math.random()), waitingOn: 'retry' }),
      };
    }
  }

  /** An unknown attempt for a message whose worker died with it in hand. */
  async abandoned(message: ClaimedMessage, claimedAt: number): Promise<DispatchOutcome> {
    if (message.unknown) return { message, next: requeue(message, { dueAt: this.clock.now(), waitingOn: 'retry' }) };
    const route = await this.router.route(message.clientId, routeRequest(message));
    const gateway = route.candidates.find((candidate) => candidate.configId === message.lane)?.gateway ?? '';
    const attempt: AttemptRecord = {
      gateway,
      config_id: message.lane,
      started_at: new Date(claimedAt).toISOString(),
      finished_at: new Date(this.clock.now()).toISOString(),
      outcome: 'unknown',
      error_code: 'worker_lost',
      error_message: 'The process that had this message in hand ended; whether the provider took it is not known.',
      reason: 'worker_lost',
    };
    return { message, attempt, next: this.beginReconcile(message, route, claimedAt) };
  }

  /** Going on to another config needs a place in its quotas. Without one the message looks further from where it is. Does not throw. */
  private async enter(message: ClaimedMessage, to: Requeue): Promise<Next> {
    const back = (dueAt: number, tried: string[]): Next => ({
      type: 'requeue',
      requeue: { ...to, lane: message.lane, dueAt, tried },
    });
    try {
      const entered = this.router.enter(message.clientId, to.lane, message.id);
      if (entered === true || (await entered)) return { type: 'requeue', requeue: to };
      return back(to.dueAt, [...to.tried, to.lane]);
    } catch (error) {
      // What the attempt came to must be written all the same.
      this.logger.warn({ err: error, messageId: message.id }, 'quota of the next gateway not read');
      return back(Math.max(to.dueAt, this.clock.now() + retryDelayMs(1, Math.random())), to.tried);
    }
  }

  private async attempt(
    message: ClaimedMessage,
    route: Route,
    signal: AbortSignal,
  ): Promise<Omit<DispatchOutcome, 'message'>> {
    const now = this.clock.now();
    if (message.expiresAt <= now) return { next: lapsed(message) };
    const looked = this.sender.suppressed(message);
    const suppressed = looked && (await looked);
    if (suppressed) return { next: suppressedEnd(suppressed) };
    const asked = this.sender.held(message);
    const hold = asked instanceof Promise ? await asked : asked;
    if (hold !== null) return { next: heldBack(message, hold) };
    const candidate = this.nextCandidate(message, route, now);
    if (!candidate) return { next: this.endOfRound(message, route, now) };
    if (candidate.configId !== message.lane)
      return { next: requeue(message, { lane: candidate.configId, dueAt: now, waitingOn: null }) };
    const wait = this.pausedUntil(candidate.configId, message) - now;
    if (wait > 0) {
      const dueAt = Math.min(now + wait, message.expiresAt);
      return { next: requeue(message, { dueAt, waitingOn: 'gateway_rate' }) };
    }
    if (!this.circuits.tryProbe(candidate.configId)) {
      const dueAt = Math.min(this.mayProbeAt(candidate.configId, message, now), message.expiresAt);
      return { next: requeue(message, { dueAt, waitingOn: 'circuit_open' }) };
    }
    const sent = await this.sender.send(message, candidate, signal);
    if (sent instanceof GatewayError) return this.failed(message, route, candidate, now, sent);
    this.throttles.delete(candidate.configId);
    this.recipients.succeeded(candidate.configId);
    return {
      attempt: this.record(candidate, now, { outcome: 'accepted', external_id: sent.externalId }),
      next: {
        type: 'sent',
        gateway: candidate.gateway,
        configId: candidate.configId,
        externalId: sent.externalId,
        externalIds: sent.externalIds,
        status: sent.status ?? 'sent',
        segments: sent.segments,
        cost: sent.cost,
      },
    };
  }

  private async failed(
    message: ClaimedMessage,
    route: Route,
    candidate: Candidate,
    startedAt: number,
    error: GatewayError,
  ): Promise<Omit<DispatchOutcome, 'message'>> {
    const rule = FAILOVER_POLICY[error.class];
    const now = this.clock.now();
    const attempt = this.record(candidate, startedAt, {
      outcome: rule.outcome,
      error_code: clean(error.providerCode ?? error.code),
      error_message: clean(error.providerText ?? error.message),
      reason: error.code,
    });
    if (rule.disablesConfig && error.scope === 'account') {
      await this.disable(candidate, error);
    }
    const text = clean(error.providerText ?? error.message);
    switch (rule.then) {
      case 'fail':
        return {
          attempt,
          next: {
            type: 'final',
            status: 'failed',
            errorCode: error.code,
            errorMessage: text,
            ...(error.bounced !== undefined && { bounced: error.bounced }),
          },
        };
      case 'next_gateway':
        return { attempt, next: this.tryNext({ ...message, attempted: true }, route, candidate, now) };
      case 'pause': {
        const told = error.retryAfterMs ?? 0;
        // "At once" is no pause: who keeps saying it would be asked without end.
        const pause = told < DEFAULT_PAUSE_MS ? this.nextPause(candidate.configId, now) : told;
        const onlyThisRecipient =
          error.scope === 'recipient' && !this.recipients.throttled(candidate.configId, message.recipient, now + pause);
        if (!onlyThisRecipient) this.rates.pause(candidate.configId, now + pause);
        if (pause > LONGEST_WAIT_MS) {
          return { attempt, next: this.tryNext(message, route, candidate, now, { notBefore: now + pause, text }) };
        }
        const waiting = requeue(message, { dueAt: now + pause, waitingOn: 'gateway_rate' });
        return { attempt, next: expiring(message, waiting, text) };
      }
      case 'reconcile':
        return { attempt, next: this.beginReconcile(message, route, startedAt) };
    }
  }

  /** A failure to do so must not cost the attempt's outcome; the next message that fails tries again. */
  private async disable(candidate: Candidate, error: GatewayError): Promise<void> {
    try {
      await this.lifecycle.markError(candidate.configId, candidate.config.version, {
        code: error.code,
        message: clean(error.providerText ?? error.message),
        ...(error.providerCode === undefined ? {} : { providerCode: clean(error.providerCode) }),
      });
    } catch (failure) {
      this.logger.warn({ err: failure, configId: candidate.configId }, 'config not put into error');
    }
  }

  /** The first candidate that was not tried in this round, is not in a long pause and can carry the message, as the intake chose it. */
  private nextCandidate(message: ClaimedMessage, route: Route, now: number): Candidate | undefined {
    return route.candidates.find(
      (candidate) =>
        !message.tried.includes(candidate.configId) &&
        this.pausedUntil(candidate.configId, message) - now <= LONGEST_WAIT_MS &&
        this.isAble(message, candidate),
    );
  }

  private isAble(message: ClaimedMessage, candidate: Pick<Candidate, 'gateway' | 'config'>): boolean {
    return this.sender.validate(message, candidate).length === 0;
  }

  /** When the config may send to this recipient again. */
  private pausedUntil(configId: string, { recipient }: ClaimedMessage): number {
    return Math.max(this.rates.pausedUntil(configId), this.recipients.pausedUntil(configId, recipient));
  }

  /**
   * Goes on to the next candidate, or ends the round.
   * @param throttled when the gateway that just refused is free again, and its words; a round that ends here waits for it
   */
  private tryNext(
    message: ClaimedMessage,
    route: Route,
    done: Candidate,
    now: number,
    throttled?: { notBefore: number; text: string },
  ): Next {
    const tried = [...message.tried, done.configId];
    const next = this.nextCandidate({ ...message, tried }, route, now);
    if (next) return requeue(message, { lane: next.configId, tried, dueAt: now, waitingOn: null });
    if (throttled) {
      // Every gateway pauses: no attempt is used up, the message waits for the first that is free.
      const first = route.candidates
        .filter((candidate) => !message.tried.includes(candidate.configId) && this.isAble(message, candidate))
        .map(({ configId }) => ({ lane: configId, dueAt: this.pausedUntil(configId, message) }))
        .filter(({ dueAt }) => dueAt > now)
        .reduce((one, other) => (other.dueAt < one.dueAt ? other : one), {
          lane: done.configId,
          dueAt: throttled.notBefore,
        });
      const waiting = requeue(message, { ...first, tried: message.tried, waitingOn: 'gateway_rate' });
      return expiring(message, waiting, throttled.text);
    }
    return this.endOfRound({ ...message, tried }, route, now);
  }

  /** When to ask for the probe of a circuit: when it may be probed first or, while another message is the probe, when that one is back. */
  private mayProbeAt(configId: string, message: ClaimedMessage, now: number): number {
    const opens = this.circuits.openUntil(configId);
    const soonest = opens > now ? opens : now + Math.round(PROBE_WAIT_MS * (0.75 + Math.random() / 2));
    return message.attempts > 0 ? soonest + PROBE_DEFERENCE_MS : soonest;
  }

  private endOfRound(message: ClaimedMessage, route: Route, now: number): Next {
    const candidates = route.candidates.filter((candidate) => this.isAble(message, candidate));
    const skipped = route.skipped.filter(
      ({ temporary, config }) =>
        temporary && (config === undefined || this.isAble(message, { gateway: config.provider, config })),
    );
    const refused = candidates.length === 0 && skipped.length === 0 ? route.candidates[0] : undefined;
    if (refused) return this.unable(message, refused);
    const pauses = candidates
      .map((candidate) => this.pausedUntil(candidate.configId, message))
      .filter((until) => until > now);
    const opens = skipped.flatMap((skip) =>
      skip.reason === 'circuit_open' && skip.configId ? [this.mayProbeAt(skip.configId, message, now)] : [],
    );
    // Nobody could be asked: that is no round. Wait for the circuit or the pause that ends first.
    if (message.tried.length === 0 && (pauses.length > 0 || opens.length > 0)) {
      const dueAt = Math.min(...pauses, ...opens);
      return expiring(
        message,
        requeue(message, { dueAt, waitingOn: pauses.includes(dueAt) ? 'gateway_rate' : 'circuit_open' }),
        'No gateway became free in time.',
      );
    }
    const rounds = message.rounds + 1;
    const lane = candidates[0]?.configId ?? skipped[0]?.configId ?? message.lane;
    const dueAt = now + retryDelayMs(rounds, Math.random());
    return expiring(
      message,
      requeue(message, { lane, rounds, tried: [], dueAt, waitingOn: 'retry' }),
      'Every gateway failed until the message expired.',
    );
  }

  /** No gateway of the route can carry the message as it is, now or later. */
  private unable(message: ClaimedMessage, candidate: Candidate): Next {
    const issues = this.sender.validate(message, candidate);
    const text = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
    return { type: 'final', status: 'failed', errorCode: issues[0]!.code, errorMessage: clean(text) };
  }

  private beginReconcile(message: ClaimedMessage, route: Route, since: number): Next {
    const now = this.clock.now();
    const reconcileUntil = now + route.reconcileSeconds * 1000;
    return requeue(message, {
      dueAt: Math.min(now + FIRST_LOOKUP_MS, reconcileUntil),
      waitingOn: 'retry',
      unknown: { since, configId: message.lane, reconcileUntil },
    });
  }

  /** Asks the provider for a message of unknown fate; when the time is over, the channel's `on_ambiguous` decides. */
  private async reconcile(
    message: ClaimedMessage,
    route: Route,
    signal: AbortSignal,
  ): Promise<Omit<DispatchOutcome, 'message'>> {
    const unknown = message.unknown!;
    let found: Next | undefined;
    try {
      found = await this.lookup.find(message, unknown, signal);
    } catch (error) {
      this.logger.warn({ err: error, messageId: message.id }, 'message of unknown fate not looked up');
      // Sent again now, it might arrive twice though its provider could have told. One that has expired is not sent any more.
      const later = this.clock.now() + retryDelayMs(1, Math.random());
      if (signal.aborted || this.clock.now() < message.expiresAt)
        return { next: requeue(message, { dueAt: later, waitingOn: 'retry' }) };
    }
    if (found) return { next: found };
    const now = this.clock.now();
    if (now < unknown.reconcileUntil) {
      return { next: requeue(message, { dueAt: unknown.reconcileUntil, waitingOn: 'retry' }) };
    }
    if (route.onAmbiguous === 'hold') {
      return {
        next: {
          type: 'final',
          status: 'failed',
          errorCode: 'outcome_unknown',
          errorMessage:
            'Whether the provider took the message could not be found out, and the channel holds such messages.',
        },
      };
    }
    const tried = [...message.tried, unknown.configId];
    const rest: ClaimedMessage = { ...message, unknown: null, tried };
    if (message.expiresAt <= now) {
      return {
        next: {
          type: 'final',
          status: 'failed',
          errorCode: 'outcome_unknown',
          errorMessage: 'The message expired while its fate was not known.',
        },
      };
    }
    const candidate = this.nextCandidate(rest, route, now);
    const next = candidate
      ? requeue(rest, { lane: candidate.configId, tried, dueAt: now, waitingOn: null, unknown: null })
      : this.endOfRound(rest, route, now);
    return { possibleDuplicate: true, next };
  }

  private nextPause(configId: string, now: number): number {
    // Calls that were under way together are throttled together: that is one pause, not one the longer for each.
    const left = this.rates.pausedUntil(configId) - now;
    if (left > 0) return left;
    const streak = this.throttles.get(configId) ?? 0;
    this.throttles.set(configId, streak + 1);
    return Math.min(DEFAULT_PAUSE_MS * 2 ** streak, LONGEST_PAUSE_MS);
  }

  private record(
    candidate: Candidate,
    startedAt: number,
    rest: Omit<AttemptRecord, 'gateway' | 'config_id' | 'started_at' | 'finished_at'>,
  ): AttemptRecord {
    return {
      gateway: candidate.gateway,
      config_id: candidate.configId,
      started_at: new Date(startedAt).toISOString(),
      finished_at: new Date(this.clock.now()).toISOString(),
      ...rest,
    };
  }
}

/** The route of a message that was accepted: the place in the quota of its own config is taken already. */
function routeRequest({ id, channel, recipient, provider, lane }: ClaimedMessage): RouteRequest {
  return { channel, to: recipient, provider: provider ?? undefined, lane, messageId: id };
}

function requeue(
  message: ClaimedMessage,
  change: Partial<Requeue> & Pick<Requeue, 'dueAt' | 'waitingOn'>,
): Next & { type: 'requeue' } {
  return {
    type: 'requeue',
    requeue: { lane: message.lane, rounds: message.rounds, tried: message.tried, unknown: message.unknown, ...change },
  };
}

/**
 * A wait that would outlast the message. One that a gateway has failed ends now: its client learns at once, and nothing is sent late. One that was only
 * told to wait is kept until it expires.
 */
function expiring(message: ClaimedMessage, next: Next & { type: 'requeue' }, errorMessage: string): Next {
  if (next.requeue.dueAt < message.expiresAt) return next;
  if (!message.attempted) return { ...next, requeue: { ...next.requeue, dueAt: message.expiresAt } };
  return { type: 'final', status: 'failed', errorCode: 'all_gateways_failed', errorMessage };
}

/** The time of a message ran out before this attempt: `expired` when no gateway had failed it, else its attempts had all failed. */
function lapsed(message: ClaimedMessage): Next {
  if (!message.attempted) {
    return {
      type: 'final',
      status: 'expired',
      errorCode: 'expired',
      errorMessage: 'The message expired before it could be sent.',
    };
  }
  return {
    type: 'final',
    status: 'failed',
    errorCode: 'all_gateways_failed',
    errorMessage: 'Every gateway failed until the message expired.',
  };
}

/** A recipient who is on the tenant's list gets nothing, and neither do the others of the same message. */
function suppressedEnd({ recipient, reason }: Suppressed): Next {
  return {
    type: 'final',
    status: 'failed',
    errorCode: 'suppressed',
    errorMessage: clean(`${recipient} is on the suppression list (${reason}).`),
  };
}

/** Quiet hours that outlast a message expire it now: its client learns at once, and nothing is sent late. */
function heldBack(message: ClaimedMessage, { until, reason }: Hold): Next {
  if (reason === 'suspended')
    return requeue(message, { dueAt: Math.min(until, message.expiresAt), waitingOn: 'retry' });
  if (until < message.expiresAt) return requeue(message, { dueAt: until, waitingOn: 'quiet_hours' });
  return {
    type: 'final',
    status: 'expired',
    errorCode: 'quiet_hours',
    errorMessage: `The quiet hours of the recipient end at ${new Date(until).toISOString()}, when the message has expired.`,
  };
}

/** What PostgreSQL can store as JSON: no NUL, no half of a surrogate pair. */
function clean(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed().slice(0, 500);
}
