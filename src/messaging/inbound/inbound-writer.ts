import { Injectable } from '@nestjs/common';
import type { InboundEvent } from '../../gateway/contracts/callback';
import { ProviderRegistry } from '../../gateway/provider-registry';
import type { Channel } from '../../kernel/channel';
import { newId } from '../../kernel/ids';
import type { Transaction } from '../../platform/database/database';
import { plainArray, textArray } from '../../platform/database/pg-array';
import { EventStore } from '../../platform/events/event-store';
import { inboundAddress } from './inbound-address';
import { claimMessages, messageOfCallback } from './inbound-claim';
import { inboundEventData } from './inbound-event';
import { holdParts, takeOverdueParts, type JoinedMessage, type ReceivedPart } from './inbound-parts';
import { InboundSignal } from './inbound-signal';
import { UnmatchedAlerts } from './unmatched-alerts';
import {
  INSERT_INBOUND,
  insertParameters,
  PLACE,
  RECEIVERS,
  type NewInbound,
  type PlaceRow,
  type ReceiverRow,
} from './inbound-statements';

/** A message that a provider has proved to be its own. */
export interface ReceivedInbound {
  clientId: string;
  configId: string;
  /** Provider key. */
  provider: string;
  event: InboundEvent;
  /** Milliseconds since the epoch. */
  receivedAt: number;
}

/** What was written; for {@link InboundWriter.committed}. */
export interface InboundOutcome {
  /** One an input: whether the tenant has the number that it came to. */
  known: boolean[];
  clientIds: Set<string>;
  /** Numbers with something to deliver. */
  numberIds: Set<string>;
  /** Tenants with messages to numbers that they do not have. */
  unmatched: Set<string>;
  /** Which of them were told by an alert. */
  alerted: string[];
}

/** Whom a message is from and to, before it is known which number that is. */
interface Draft {
  clientId: string;
  configId: string;
  provider: string;
  channel: Channel;
  sender: string;
  recipient: string;
  text: string;
  occurredAt: number;
  receivedAt: number;
  externalId: string | null;
  providerSequence: number | null;
  detail: Record<string, unknown> | null;
}

interface Place {
  numberId: string;
  number: string;
  sequence: number;
}

/** No clock is beyond it, and PostgreSQL can keep it: the year 2100. */
const LATEST = 4_102_444_800_000;

/** The only writer of inbound messages: message, place in the number's sequence, what is owed to each receiver and event are committed together. */
@Injectable()
export class InboundWriter {
  constructor(
    private readonly events: EventStore,
    private readonly providers: ProviderRegistry,
    private readonly signal: InboundSignal,
    private readonly alerts: UnmatchedAlerts,
  ) {}

  /**
   * Writes messages in the transaction that took their keys, so that each comes here once. A fixed number of statements, however many they are.
   * Locks: sets of parts, then numbers.
   */
  async writeIn(tx: Transaction, received: readonly ReceivedInbound[]): Promise<InboundOutcome> {
    const waiting: Draft[] = [];
    const parts: ReceivedPart[] = [];
    const whole: Draft[] = [];
    const order: Draft[] = [];
    for (const one of received) {
      const draft = this.draftOf(one);
      order.push(draft);
      const { part } = one.event;
      if (part === undefined || part.total <= 1) whole.push(draft);
      else {
        waiting.push(draft);
        parts.push(partOf(draft, part));
      }
    }
    const joined = parts.length > 0 ? await holdParts(tx, parts) : [];
    const drafts = [...whole, ...joined.map((message) => this.draftOfJoined(message))];
    const { outcome, matched } = await this.place(tx, drafts, waiting);
    outcome.known = order.map((draft) => matched.has(draft));
    return outcome;
  }

  /** Messages that are whole, as {@link arrivedParameters} wants them; where they belong is found when they are written. */
  prepare(received: readonly ReceivedInbound[]): Array<NewInbound & { data: object }> {
    return received.map((one) => {
      const message = newInbound(this.draftOf(one), undefined);
      return { ...message, data: inboundEventData(message) };
    });
  }

  /** Writes what is there of long messages whose parts have waited long enough. Answers how many sets of parts were looked at. */
  async writeOverdueIn(
    tx: Transaction,
    now: number,
    limit: number,
  ): Promise<{ taken: number; outcome: InboundOutcome }> {
    const { messages, taken } = await takeOverdueParts(tx, now, limit);
    const drafts = messages.map((message) => this.draftOfJoined({ ...message, receivedAt: now }));
    return { taken, outcome: (await this.place(tx, drafts, [])).outcome };
  }

  /** Gives the message that a callback became a place, where its number is the tenant's by now. `known` is empty when there is no such message. */
  async placeIn(tx: Transaction, received: ReceivedInbound): Promise<InboundOutcome> {
    const { clientId, configId, sender, receivedAt } = this.draftOf(received);
    const { externalId, part } = received.event;
    const inParts = part !== undefined && part.total > 1;
    const message = await messageOfCallback(tx, clientId, { configId, sender, externalId, inParts, receivedAt });
    const outcome = emptyOutcome();
    if (!message) return outcome;
    // One that had its place stays as it is, also when the number is another one by now: only a redelivery sends it again.
    if (message.number_id === null) await claimMessages(tx, clientId, [message]);
    if (message.number_id !== null) outcome.numberIds.add(message.number_id);
    return { ...outcome, known: [message.number_id !== null] };
  }

  /** Call after the commit. */
  committed({ clientIds, numberIds, unmatched, alerted }: InboundOutcome): void {
    this.alerts.committed(alerted);
    if (clientIds.size > 0) this.events.signal.committed(clientIds);
    this.signal.committed(numberIds, unmatched);
  }

  private async place(
    tx: Transaction,
    drafts: readonly Draft[],
    waiting: readonly Draft[],
  ): Promise<{ outcome: InboundOutcome; matched: Set<Draft> }> {
    const outcome = emptyOutcome();
    const matched = new Set<Draft>();
    const all = [...drafts, ...waiting];
    if (all.length === 0) return { outcome, matched };
    const rows = await tx.query<PlaceRow>(PLACE, [
      textArray(all.map((draft) => draft.clientId)),
      textArray(all.map((draft) => draft.configId)),
      textArray(all.map((draft) => draft.provider)),
      textArray(all.map((draft) => draft.channel)),
      textArray(all.map((draft) => draft.recipient)),
      plainArray(all.map((_, index) => index < drafts.length)),
    ]);
    const places = new Map<Draft, Place>();
    const given = new Map<string, number>();
    for (const { n, id, number, before } of rows) {
      const draft = all[n - 1]!;
      if (n > drafts.length) matched.add(draft);
      else if (before !== null) {
        matched.add(draft);
        const sequence = (given.get(id) ?? before) + 1;
        given.set(id, sequence);
        places.set(draft, { numberId: id, number: number!, sequence });
      }
    }
    if (drafts.length === 0) return { outcome, matched };
    const receivers = await this.receiversOf(tx, [...given.keys()]);
    const messages = drafts.map((draft) => newInbound(draft, places.get(draft)));
    const deliveries = messages.flatMap((message) =>
      (receivers.get(message.numberId ?? '') ?? []).map((receiver) => ({ message, receiver })),
    );
    await tx.execute(INSERT_INBOUND, insertParameters(messages, deliveries));
    await this.events.insert(
      tx,
      messages.map((message) => ({
        id: message.eventId,
        clientId: message.clientId,
        type: 'inbound.received',
        occurredAt: message.occurredAt,
        gateway: message.provider,
        data: inboundEventData(message),
      })),
    );
    outcome.alerted = await this.alerts.raiseIn(tx, messages);
    for (const { clientId, numberId } of messages) {
      outcome.clientIds.add(clientId);
      if (numberId === null) outcome.unmatched.add(clientId);
      else outcome.numberIds.add(numberId);
    }
    return { outcome, matched };
  }

  private async receiversOf(tx: Transaction, numberIds: readonly string[]): Promise<Map<string, ReceiverRow[]>> {
    const byNumber = new Map<string, ReceiverRow[]>();
    if (numberIds.length === 0) return byNumber;
    for (const row of await tx.query<ReceiverRow>(RECEIVERS, [textArray(numberIds)])) {
      const rows = byNumber.get(row.number_id);
      if (rows) rows.push(row);
      else byNumber.set(row.number_id, [row]);
    }
    return byNumber;
  }

  private draftOf({ clientId, configId, provider, event, receivedAt }: ReceivedInbound): Draft {
    const { channel } = this.providers.require(provider);
    const at = event.occurredAt;
    return {
      clientId,
      configId,
      provider,
      channel,
      sender: inboundAddress(channel, event.from),
      recipient: inboundAddress(channel, event.to),
      text: event.text,
      occurredAt: at !== null && at >= 0 && at <= LATEST ? at : receivedAt,
      receivedAt,
      externalId: event.externalId ?? null,
      providerSequence: event.sequence ?? null,
      detail: event.detail && Object.keys(event.detail).length > 0 ? event.detail : null,
    };
  }

  private draftOfJoined({ set, ...message }: JoinedMessage): Draft {
    const { clientId, configId, provider, sender, recipient } = set;
    const { channel } = this.providers.require(provider);
    return { clientId, configId, provider, channel, sender, recipient, providerSequence: null, ...message };
  }
}

function emptyOutcome(): InboundOutcome {
  return { known: [], clientIds: new Set(), numberIds: new Set(), unmatched: new Set(), alerted: [] };
}

function newInbound(draft: Draft, place: Place | undefined): NewInbound {
  const { recipient, ...rest } = draft;
  return {
    ...rest,
    id: newId('inbound'),
    eventId: newId('event'),
    recipient: recipient === '' ? (place?.number ?? '') : recipient,
    numberId: place?.numberId ?? null,
    sequence: place?.sequence ?? null,
    state: place ? 'received' : 'unmatched',
  };
}

function partOf(draft: Draft, part: NonNullable<InboundEvent['part']>): ReceivedPart {
  const { clientId, configId, provider, sender, recipient, text, occurredAt, receivedAt, externalId, detail } = draft;
  const { reference, total, number, head, tail } = part;
  return {
    clientId,
    configId,
    provider,
    sender,
    recipient,
    reference: reference.slice(0, 255),
    total,
    part: {
      number,
      text,
      occurredAt,
      receivedAt,
      externalId,
      detail,
      ...(head !== undefined && { head }),
      ...(tail !== undefined && { tail }),
    },
  };
}
