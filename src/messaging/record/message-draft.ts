import type { MessageStatus } from '../../kernel/channel';
import type { EventType } from '../../platform/events/event-store';
import { advances, isFinal, statusOfParts } from './message-state';
import { contributionOf, type Contribution } from '../metering/contribution';
import type { AttemptRecord, DispatchOutcome, MessageState, ReportedStatus, Requeue } from './message.types';

/** The most that the column holds. */
const MOST_SEGMENTS = 32_767;

/** Why a message did not arrive. */
interface Failure {
  code: string;
  message: string;
  /** The provider's own code. */
  providerCode?: string;
  /** The recipient whose mailbox is gone for good. */
  bounced?: string;
}

/** A message in memory while changes are applied to it. */
export interface Draft {
  row: MessageState;
  status: MessageStatus;
  gateway: string | null;
  configId: string | null;
  externalId: string | null;
  externalIds: string[];
  parts: Record<string, MessageStatus> | null;
  attempts: AttemptRecord[];
  cost: { amount: string; currency: string } | null;
  segments: number | null;
  error: Failure | null;
  clearError: boolean;
  possibleDuplicate: boolean;
  requeue: Requeue | null;
  leaveQueue: boolean;
  events: Array<{ type: EventType; occurredAt: number; data: object; gateway: string | null }>;
}

export function draftOf(row: MessageState): Draft {
  return {
    row,
    status: row.status,
    gateway: null,
    configId: null,
    externalId: null,
    externalIds: [],
    parts: null,
    attempts: [],
    cost: null,
    segments: null,
    error: null,
    clearError: false,
    possibleDuplicate: false,
    requeue: null,
    leaveQueue: false,
    events: [],
  };
}

export function attemptOf(outcome: DispatchOutcome): AttemptRecord[] {
  return outcome.attempt ? [outcome.attempt] : [];
}

export function applyOutcome(draft: Draft, outcome: DispatchOutcome, now: number): void {
  draft.attempts.push(...attemptOf(outcome));
  if (outcome.possibleDuplicate) draft.possibleDuplicate = true;
  const { next } = outcome;
  if (next.type === 'requeue') {
    // A report that came meanwhile has settled the message; then there is nothing to wait for.
    if (isOpen(draft.status)) draft.requeue = next.requeue;
    else draft.leaveQueue = true;
    return;
  }
  draft.leaveQueue = true;
  if (next.type === 'final') {
    const providerCode = outcome.attempt?.error_code;
    const { errorCode: code, errorMessage: message, bounced } = next;
    setStatus(draft, next.status, now, { error: { code, message, providerCode, ...(bounced && { bounced }) } });
    return;
  }
  draft.gateway = next.gateway;
  draft.configId = next.configId;
  draft.externalId = next.externalId;
  draft.externalIds = next.externalIds ?? [next.externalId];
  if (draft.externalIds.length > 1) {
    const early = draft.row.parts ?? {};
    draft.parts = Object.fromEntries(draft.externalIds.map((id) => [id, early[id] ?? ('sent' as MessageStatus)]));
  }
  applyDetails(draft, next);
  setStatus(draft, next.status, now, { gateway: next.gateway, externalId: next.externalId });
}

export function applyReport(draft: Draft, report: ReportedStatus): void {
  const configId = draft.configId ?? draft.row.config_id;
  const failure = report.status === 'undelivered' || report.status === 'failed';
  // After a failover the message is with another gateway: what became of the first try matters only when it was delivered after all.
  if (failure && configId !== null && configId !== report.configId) return;
  // Nor may it end a message that goes on after an attempt of unknown fate was given up: another gateway may be sending it by now.
  if (failure && configId === null && (draft.possibleDuplicate || draft.row.possible_duplicate)) return;
  let status = report.status;
  // Whatever a provider says of a message that it was not known to have taken, it has it.
  if (configId === null && !failure && !advances('sent', status)) status = 'sent';
  const parts = draft.parts ?? draft.row.parts;
  if (parts && report.externalId !== undefined && report.externalId in parts && configId === report.configId) {
    const before = parts[report.externalId]!;
    draft.parts = { ...parts, [report.externalId]: advances(before, status) ? status : before };
    status = statusOfParts(draft.parts);
  }
  applyDetails(draft, report);
  if (configId === null) {
    // The report overtook the provider's answer, or settles an attempt whose fate was open.
    draft.gateway = report.gateway;
    draft.configId = report.configId;
    if (report.externalId !== undefined) {
      draft.externalId = report.externalId;
      draft.externalIds = [report.externalId];
    }
  }
  if (!advances(draft.status, status)) return;
  draft.leaveQueue = true;
  setStatus(draft, status, report.occurredAt, {
    gateway: report.gateway,
    externalId: report.externalId,
    error: failure
      ? {
          code: report.error?.code ?? report.status,
          message: report.error?.message ?? `The provider reports ${report.status}.`,
          providerCode: report.error?.providerCode,
        }
      : undefined,
  });
}

/** What a provider says of price and parts, when it can be: a word of nonsense must not keep the rest from being written. */
function applyDetails(draft: Draft, { cost, segments }: Pick<ReportedStatus, 'cost' | 'segments'>): void {
  if (cost && /^-?\d{1,15}(\.\d{1,15})?$/.test(cost.amount) && /^[A-Z]{3}$/.test(cost.currency)) draft.cost = cost;
  if (segments !== undefined && Number.isInteger(segments) && segments > 0 && segments <= MOST_SEGMENTS)
    draft.segments = segments;
}

/** Moves a draft forward and notes the event; does nothing when that would be a step back. */
function setStatus(
  draft: Draft,
  status: MessageStatus,
  at: number,
  detail: { gateway?: string; externalId?: string; error?: Failure },
): void {
  if (!advances(draft.status, status)) return;
  draft.status = status;
  draft.clearError = detail.error === undefined && (status === 'delivered' || status === 'read');
  if (detail.error) draft.error = detail.error;
  const gateway = detail.gateway ?? draft.gateway;
  const externalId = detail.externalId ?? draft.externalId ?? draft.row.external_id;
  draft.events.push({
    type: `message.${status}` as EventType,
    occurredAt: at,
    gateway,
    data: messageEventData(draft.row, status, at, { gateway, externalId, error: detail.error }),
  });
}

/** What clients are told of a message that came to a status; the one shape of every `message.*` event. */
export function messageEventData(
  message: Pick<MessageState, 'id' | 'client_id' | 'channel' | 'recipient' | 'reference' | 'metadata'>,
  status: MessageStatus,
  at: number,
  detail: { gateway?: string | null; externalId?: string | null; error?: Failure } = {},
): object {
  const { gateway, externalId, error } = detail;
  return {
    message_id: message.id,
    client_id: message.client_id,
    channel: message.channel,
    status,
    to: message.recipient,
    ...(gateway ? { gateway } : {}),
    ...(externalId ? { external_id: externalId } : {}),
    ...(message.reference ? { reference: message.reference } : {}),
    ...(message.metadata ? { metadata: message.metadata } : {}),
    ...(error ? { error_code: error.code, error_message: error.message } : {}),
    ...(error?.providerCode !== undefined ? { provider_code: error.providerCode } : {}),
    occurred_at: new Date(at).toISOString(),
  };
}

function isOpen(status: MessageStatus): boolean {
  return !isFinal(status) && status !== 'sent';
}

/** Whether there is anything to write. A repeated report leaves nothing. */
export function isChanged(draft: Draft): boolean {
  return (
    draft.status !== draft.row.status ||
    draft.attempts.length > 0 ||
    draft.parts !== null ||
    draft.cost !== null ||
    draft.segments !== null ||
    draft.externalId !== null ||
    draft.possibleDuplicate ||
    draft.leaveQueue
  );
}

/** The message as it is once the draft is written. */
export function stateAfter(draft: Draft): MessageState {
  return {
    ...draft.row,
    status: draft.status,
    config_id: draft.configId ?? draft.row.config_id,
    external_id: draft.externalId ?? draft.row.external_id,
    parts: draft.parts ?? draft.row.parts,
    segments: draft.segments ?? draft.row.segments,
    cost_amount: draft.cost?.amount ?? draft.row.cost_amount,
    cost_currency: draft.cost?.currency ?? draft.row.cost_currency,
    attempted_config: draft.attempts.at(-1)?.config_id ?? draft.row.attempted_config,
    possible_duplicate: draft.possibleDuplicate || draft.row.possible_duplicate,
    version: draft.row.version + 1,
  };
}

/** How the message counts once the draft is written. */
export function contributionAfter({ row, status, configId, segments, cost, attempts }: Draft): Contribution {
  return contributionOf({
    status,
    config_id: configId ?? row.config_id,
    attempted_config: attempts.at(-1)?.config_id ?? row.attempted_config,
    segments: segments ?? row.segments,
    cost_amount: cost?.amount ?? row.cost_amount,
    cost_currency: cost?.currency ?? row.cost_currency,
  });
}
