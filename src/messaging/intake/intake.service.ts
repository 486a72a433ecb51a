import { Inject, Injectable } from '@nestjs/common';
import type { Channel } from '../../kernel/channel';
import { CLOCK, type Clock } from '../../kernel/clock';
import { messageIdTime, newId } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import { GatewayFactory } from '../../gateway/gateway-factory';
import type { OutboundMessage, ValidationIssue } from '../../gateway/contracts/gateway';
import type { ProviderConfig } from '../../gateway/configs/provider-config';
import type { UsedUp } from '../../gateway/quotas/quota-hints';
import { QuotaLedger } from '../../gateway/quotas/quota-ledger';
import { quotaExceeded } from '../../gateway/quotas/quota-problem';
import { QUOTA_EXCEEDED, Router, type Candidate, type Route, type Skip } from '../../gateway/router';
import { completeNumber } from '../../gateway/routing/national-number';
import { validateBody } from '../../platform/http/validation';
import type { Principal } from '../../tenancy/principal';
import type { TenantLimits } from '../../tenancy/quotas';
import { ChannelRegistry, type ChannelDescriptor, type PreparedContent } from '../channel-registry';
import { inItem, readFallbackItem, type PlannedFallback } from '../fallback/fallback-item';
import { FallbackStore } from '../fallback/fallback-store';
import { QuietHours } from '../quiet/quiet-hours';
import { OwnTemplates } from '../own-templates';
import { PRIORITY_RANK } from '../record/message.types';
import { MessageInserter, type InsertResult, type StoredMessage } from './message-inserter';
import type { NewMessage } from './new-message';
import type { SendOptionsDto } from './send-options.dto';
import { bodyHash, checkMetadata, expiryTime, idempotencyKey, sendTime } from './send-options.rules';

/** What `on_undelivered` of a request comes to. */
interface Follows {
  planned: readonly PlannedFallback[];
  refusal: Problem | null;
}

const NO_FALLBACKS: Follows = { planned: [], refusal: null };

/** A message is routed anew when the quota of a config turns out to be used up; no route has so many of them. */
export const MOST_REROUTES = 20;

/** What a send answers. */
export interface AcceptedMessage {
  message_id: string;
  status: 'queued' | 'scheduled' | 'simulated';
  channel: string;
  client_id: string;
  created_at: string;
  segments: number | null;
  would_use_gateway?: string;
}

export interface Acceptance {
  /** 202 for a real send, 200 for a simulated one. */
  httpStatus: 200 | 202;
  replayed: boolean;
  data: AcceptedMessage;
}

/** A request to send that is being accepted. */
interface Send {
  id: string;
  principal: Principal;
  descriptor: ChannelDescriptor;
  dto: SendOptionsDto;
  idempotency: NewMessage['idempotency'];
  passOver: boolean | undefined;
}

interface AssessOptions {
  /** The message's id, when it has one. */
  id?: string;
  /** When it would be accepted: later than now for a fallback. */
  now?: number;
  /** Accounts whose quota is used up are passed over, whatever they say of it: the message was promised before. */
  passOver?: boolean | undefined;
}

const NO_OPTIONS: AssessOptions = {};

/** What intake knows of a request before it stores anything; a dry run shows it. */
export interface Assessment {
  prepared: PreparedContent;
  route: Route;
  /** Candidates that can carry this content, in order. */
  able: Candidate[];
  /** Candidates that cannot, and what they say. */
  unable: Array<{ candidate: Candidate; reason: string }>;
  /** The config that it would take, and that refuses it because its quota is used up; null: there is none. */
  exhausted: ProviderConfig | null;
  sendAt: number | null;
  expiresAt: number;
  /** When the quiet hours end that it would have to wait for; null: it need not. */
  quietUntil: number | null;
  sandbox: boolean;
  /** The items of `on_undelivered`, in order. */
  fallbacks: readonly PlannedFallback[];
  /** Why no gateway can take it, or one of the items that may follow it; null: one can. */
  refusal: Problem | null;
}

/**
 * Decides whether a send is accepted, and makes it durable. Everything that can be refused is refused here, before a row is written, so a refused
 * request uses up no idempotency key.
 */
@Injectable()
export class IntakeService {
  constructor(
    private readonly channels: ChannelRegistry,
    private readonly router: Router,
    private readonly gateways: GatewayFactory,
    private readonly inserter: MessageInserter,
    private readonly fallbacks: FallbackStore,
    private readonly quotas: QuotaLedger,
    private readonly quiet: QuietHours,
    private readonly templates: OwnTemplates,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Accepts one message; resolves when it is committed.
   * @param dto a validated body of the channel's DTO
   * @param headerKey the `Idempotency-Key` header
   * @param of `passOver` for a message that was promised before
   * @throws Problem
   */
  async accept(
    principal: Principal,
    channel: Channel,
    dto: SendOptionsDto,
    headerKey?: string,
    { passOver }: Pick<AssessOptions, 'passOver'> = NO_OPTIONS,
  ): Promise<Acceptance> {
    const descriptor = this.descriptor(channel);
    const key = idempotencyKey(dto, headerKey);
    const idempotency = key === undefined ? null : { key, bodyHash: bodyHash(channel, dto, principal.sandbox) };
    const sandbox = principal.sandbox || dto.sandbox === true;
    const id = newId(sandbox ? 'testMessage' : 'message');
    for (let tries = 1; ; tries++) {
      const accepted = await this.acceptOnce({ id, principal, descriptor, dto, idempotency, passOver });
      if ('httpStatus' in accepted) return accepted;
      // The quota of a config turned out to be used up. Now that this is known, the route passes it over.
      if (accepted.scope === '' || tries === MOST_REROUTES) throw quotaExceeded(accepted, this.clock.now());
    }
  }

  /** @returns the quota that left no place for the message, when only the statement that would have stored it showed that */
  private async acceptOnce(send: Send): Promise<Acceptance | UsedUp> {
    const { id, principal, descriptor, dto, idempotency, passOver } = send;
    const limits = principal.limits ?? (await this.quotas.limitsOf(principal));
    let assessment: Assessment;
    try {
      assessment = await this.assess(principal, descriptor, dto, { id, passOver });
      if (assessment.refusal) throw assessment.refusal;
      const usedUp = this.usedUp(principal.clientId, limits, assessment);
      if (usedUp) throw quotaExceeded(usedUp, this.clock.now());
    } catch (error) {
      // The first answer stands, also where the same request would be refused by now: its time is over, or its gateway is paused.
      const earlier =
        idempotency && error instanceof Problem
          ? await this.inserter.earlier(principal.clientId, idempotency.key, idempotency.bodyHash)
          : undefined;
      if (earlier?.kind !== 'replay' && earlier?.kind !== 'conflict') throw error;
      return this.repeated(principal.clientId, earlier, { channel: descriptor.channel, segments: null });
    }
    const candidate = assessment.able[0] ?? assessment.route.candidates[0];
    const { prepared, sendAt, expiresAt, quietUntil, sandbox, fallbacks } = assessment;
    const waitsFor = candidate ?? assessment.route.skipped.find(isAwaited);
    const message: NewMessage = {
      id,
      clientId: principal.clientId,
      channel: descriptor.channel,
      status: sandbox ? 'simulated' : sendAt === null ? 'queued' : 'scheduled',
      recipient: prepared.recipient,
      sender: prepared.sender,
      content: prepared.content,
      priority: PRIORITY_RANK[dto.priority ?? 'normal'],
      provider: dto.provider ?? null,
      reference: dto.reference ?? null,
      tags: dto.tags && dto.tags.length > 0 ? dto.tags : null,
      metadata: dto.metadata ?? null,
      encoding: prepared.encoding,
      segments: prepared.segments,
      sendAt,
      expiresAt,
      // One with a time of its own is looked at then; one that does not live so long is for the dispatcher to end at once.
      heldUntil: sandbox || sendAt !== null || quietUntil === null || quietUntil >= expiresAt ? null : quietUntil,
      gateway: sandbox ? (candidate?.gateway ?? null) : null,
      lane: sandbox ? null : (waitsFor?.configId ?? ''),
      idempotency,
      quotas: sandbox ? null : this.quotas.quotasFor(principal.clientId, limits, waitsFor?.config),
    };
    const result =
      fallbacks.length === 0 || sandbox
        ? await this.inserter.insert(message)
        : await this.insertWith(fallbacks, message);
    if (result.kind === 'stored') return this.answer(principal.clientId, message, message.gateway, false);
    return result.kind === 'over_quota' ? result.usedUp : this.repeated(principal.clientId, result, message);
  }

  /** What would refuse a message, as far as it is known here; null: nothing. */
  async refusal(principal: Principal, assessment: Assessment): Promise<Problem | null> {
    if (assessment.refusal) return assessment.refusal;
    const usedUp = this.usedUp(principal.clientId, await this.quotas.limitsOf(principal), assessment);
    return usedUp ? quotaExceeded(usedUp, this.clock.now()) : null;
  }

  /** The hard quota that is known to refuse a message of this assessment: the tenant's, that of the gateway that it would take, or those of all. */
  private usedUp(clientId: string, limits: TenantLimits, assessment: Assessment): UsedUp | undefined {
    const { sandbox, able, route, exhausted } = assessment;
    if (sandbox) return undefined;
    const ofTenant = this.quotas.tenantUsedUp(clientId, limits);
    if (ofTenant) return ofTenant;
    const ofFirst = exhausted && this.quotas.configUsedUp(exhausted);
    if (ofFirst) return ofFirst;
    if (able.length > 0 || route.skipped.some(isAwaited)) return undefined;
    const ofConfigs = route.skipped.flatMap(({ reason, config }) =>
      reason === QUOTA_EXCEEDED && config ? (this.quotas.configUsedUp(config) ?? []) : [],
    );
    // The first of them that is free again lets the message through.
    return ofConfigs.reduce<UsedUp | undefined>((one, other) => (one && one.end <= other.end ? one : other), undefined);
  }

  /** The longer way of a message that another one may follow: its plan is committed first, so there is no such message without it. */
  private async insertWith(fallbacks: readonly PlannedFallback[], message: NewMessage): Promise<InsertResult> {
    const { clientId, idempotency, id } = message;
    const earlier = idempotency && (await this.inserter.earlier(clientId, idempotency.key, idempotency.bodyHash));
    if (earlier) return earlier;
    await this.fallbacks.plan(id, clientId, message.heldUntil ?? message.sendAt ?? messageIdTime(id)!, fallbacks);
    const result = await this.inserter.insert(message);
    if (result.kind !== 'stored') await this.fallbacks.drop(id);
    return result;
  }

  /**
   * @param again the same send as it was repeated
   * @throws Problem idempotency_conflict
   */
  private repeated(
    clientId: string,
    result: Extract<InsertResult, { kind: 'replay' | 'conflict' }>,
    again: Pick<NewMessage, 'channel' | 'segments'>,
  ): Acceptance {
    if (result.kind === 'conflict') {
      throw new Problem(
        'idempotency_conflict',
        'This idempotency key was used with another body. Use a new key for another message.',
        {
          errors: [{ field: 'idempotency_key', code: 'idempotency_conflict', message: 'was used with another body' }],
        },
      );
    }
    return this.answer(clientId, replayOf(result.message, again), result.message.gateway, true);
  }

  /**
   * Everything that is decided about a request before it is stored. Stores nothing. Quotas of the tenant are no part of it.
   * @throws Problem 400 for what is wrong with the request itself; that no gateway can take it is in the answer
   */
  async assess(
    principal: Principal,
    descriptor: ChannelDescriptor,
    dto: SendOptionsDto,
    of: AssessOptions = NO_OPTIONS,
  ): Promise<Assessment> {
    const { id, now = this.clock.now(), passOver } = of;
    checkMetadata(dto.metadata);
    const sendAt = sendTime(dto, now);
    const start = sendAt ?? now;
    const expiry = expiryTime(dto, start);
    const template = descriptor.ownTemplate?.(dto);
    const prepared = descriptor.prepare(
      template === undefined
        ? dto
        : template.fill(await this.templates.render(principal.clientId, descriptor.channel, template.request)),
    );
    let route = await this.route(principal, descriptor.channel, prepared.recipient, dto, id);
    if (prepared.isNational) {
      prepared.recipient = completeNumber(prepared.recipient, route);
      route = await this.route(principal, descriptor.channel, prepared.recipient, dto, id);
    }
    const { clientId } = principal;
    const timed = {
      clientId,
      channel: descriptor.channel,
      recipient: prepared.recipient,
      priority: PRIORITY_RANK[dto.priority ?? 'normal'],
    };
    const timing = this.quiet.timing(timed, start, expiry ?? { lifeMs: descriptor.defaultExpiryMs });
    const { expiresAt, quietUntil } = timing instanceof Promise ? await timing : timing;
    const outbound: OutboundMessage = {
      id: id ?? '',
      clientId: principal.clientId,
      channel: descriptor.channel,
      to: prepared.recipient,
      from: prepared.sender,
      content: prepared.content as OutboundMessage['content'],
      priority: dto.priority ?? 'normal',
      expiresAt,
    };
    const able: Candidate[] = [];
    const unable: Assessment['unable'] = [];
    let issues: readonly ValidationIssue[] = [];
    for (const candidate of route.candidates) {
      const found = this.gateways
        .create(descriptor.channel, candidate.gateway)
        .validate(outbound, candidate.config.settings);
      if (found.length === 0) able.push(candidate);
      else {
        unable.push({ candidate, reason: found.map((issue) => `${issue.field}: ${issue.message}`).join('; ') });
        if (issues.length === 0) issues = found;
      }
    }
    const carries = ({ provider, settings }: ProviderConfig): boolean =>
      this.gateways.create(descriptor.channel, provider).validate(outbound, settings).length === 0;
    const refuses = route.exhausted?.find(
      ({ config, ahead }) => !ahead.some((candidate) => able.includes(candidate)) && carries(config),
    );
    const sandbox = principal.sandbox || dto.sandbox === true;
    const follows = dto.on_undelivered ? await this.assessFallbacks(principal, dto, sendAt ?? now) : NO_FALLBACKS;
    const refusal = (able.length === 0 ? refusalOf(route, issues, dto.provider) : null) ?? follows.refusal;
    return {
      prepared,
      route,
      able,
      unable,
      exhausted: passOver ? null : (refuses?.config ?? null),
      sendAt,
      expiresAt,
      quietUntil,
      sandbox,
      fallbacks: follows.planned,
      refusal,
    };
  }

  /** Each item as the send that it is going to be, by today's routes. @throws Problem 400 that names the item */
  private async assessFallbacks(principal: Principal, message: SendOptionsDto, start: number): Promise<Follows> {
    const planned: PlannedFallback[] = [];
    let refusal: Problem | null = null;
    let at = start;
    for (const [index, item] of message.on_undelivered!.entries()) {
      try {
        const { channel, afterSeconds, body } = readFallbackItem(item, message);
        at += afterSeconds * 1000;
        const descriptor = this.descriptor(channel);
        const dto = validateBody(descriptor.dto, body) as SendOptionsDto;
        const assessed = await this.assess(principal, descriptor, dto, { now: at });
        const { recipient } = assessed.prepared;
        if (assessed.refusal) refusal ??= inItem(assessed.refusal, index);
        planned.push({ channel: descriptor.channel, recipient, afterSeconds, body, candidates: assessed.able });
      } catch (error) {
        throw error instanceof Problem && error.status < 500 ? inItem(error, index) : error;
      }
    }
    return { planned, refusal };
  }

  private route(
    principal: Principal,
    channel: Channel,
    to: string,
    dto: SendOptionsDto,
    id: string | undefined,
  ): Route | Promise<Route> {
    const request = { channel, to, provider: dto.provider, messageId: id };
    return this.router.routeSync(principal.clientId, request) ?? this.router.route(principal.clientId, request);
  }

  /** @throws Problem for a channel that this build does not know */
  descriptor(channel: string): ChannelDescriptor {
    const descriptor = this.channels.get(channel);
    if (!descriptor)
      throw Problem.field('channel', 'invalid_value', `must be one of ${this.channels.names().join(', ')}`);
    return descriptor;
  }

  private answer(
    clientId: string,
    message: Pick<NewMessage, 'id' | 'channel' | 'segments' | 'status'>,
    gateway: string | null,
    replayed: boolean,
  ): Acceptance {
    return {
      httpStatus: message.status === 'simulated' ? 200 : 202,
      replayed,
      data: {
        message_id: message.id,
        status: message.status,
        channel: message.channel,
        client_id: clientId,
        created_at: new Date(messageIdTime(message.id)!).toISOString(),
        segments: message.segments,
        ...(message.status === 'simulated' && gateway ? { would_use_gateway: gateway } : {}),
      },
    };
  }
}

/** Why a message is refused that no gateway is able to carry; null: it may wait for one. */
function refusalOf(route: Route, issues: readonly ValidationIssue[], provider: string | undefined): Problem | null {
  // One whose quota is used up could carry it, perhaps: then it is the quota that refuses.
  if (issues.length > 0 && !route.skipped.some(({ reason }) => reason === QUOTA_EXCEEDED)) {
    const reasons = issues.map((issue) => `${issue.field} ${issue.message}`).join('; ');
    return new Problem('invalid_request', `No gateway can carry this message: ${reasons}`, {
      errors: issues.map(({ field, code, message }) => ({ field, code, message })),
    });
  }
  if (route.skipped.some((skip) => skip.temporary)) return null;
  const reasons = route.skipped.map((skip) => `${skip.gateway}: ${skip.reason}`).join('; ');
  return new Problem(
    'no_gateway_available',
    `No gateway can take this message${reasons ? ` (${reasons})` : ': none is set up for this channel'}.`,
    {
      errors: provider
        ? [{ field: 'provider', code: 'no_gateway_available', message: 'names no gateway that can take this message' }]
        : [],
    },
  );
}

/** A gateway that is passed over and that a message may wait for: its own period of a quota may be a month. */
function isAwaited({ temporary, reason }: Skip): boolean {
  return temporary && reason !== QUOTA_EXCEEDED;
}

function replayOf(
  stored: StoredMessage,
  again: Pick<NewMessage, 'channel' | 'segments'>,
): Pick<NewMessage, 'id' | 'channel' | 'segments' | 'status'> {
  const status = stored.id.startsWith('msg_test_') ? 'simulated' : stored.scheduled ? 'scheduled' : 'queued';
  const { channel, segments } = stored.channel === null ? again : { ...stored, channel: stored.channel };
  return { id: stored.id, channel, segments, status };
}
