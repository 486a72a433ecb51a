import { Injectable } from '@nestjs/common';
import { idTime } from '../../kernel/ids';
import { Problem } from '../../kernel/problem';
import type { CallbackRequest, NormalizedEvent } from '../../gateway/contracts/callback';
import type { CallbackKind } from '../../gateway/contracts/gateway';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { MessageWriter, type AppliedChanges } from '../../messaging/record/message-writer';
import { Database, type Transaction } from '../../platform/database/database';
import { EventSignal } from '../../platform/events/event-store';
import { CallbackEffects, hasEffects, type CallbackOutcome } from './callback-effects';
import { textArray } from '../../platform/database/pg-array';
import { readCallback, storableEvents } from './callback-events';
import { reportChange } from './callback-store';
import { stateOf, UNPARSABLE } from './received-event';
import type { ProviderEventView } from './provider-event.view';

interface Row {
  id: string;
  at: string;
  provider: string;
  kind: string;
  config_id: string;
  event_id: string;
  external_id: string | null;
  message_id: string | null;
  state: string;
  normalized: Record<string, unknown> | null;
  request: { method: 'GET' | 'POST'; query: string; headers: Record<string, string>; erased?: true };
  raw_body: Buffer;
}

/** What reading a callback again has changed. */
interface Applied {
  changes: AppliedChanges[];
  outcomes: CallbackOutcome[];
}

const COLUMNS =
  'id, created_at::text AS at, provider, kind, config_id, event_id, external_id, message_id, state, normalized, request, raw_body';

/** Reads stored callbacks for their tenant, and reads them again with today's parser. */
@Injectable()
export class ProviderEventReader {
  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly writer: MessageWriter,
    private readonly effects: CallbackEffects,
    private readonly eventSignal: EventSignal,
  ) {}

  /** Newest first. `before`: the last id of the page before. */
  async list(
    clientId: string,
    filter: { matched?: boolean; provider?: string; before?: string; limit: number },
  ): Promise<ProviderEventView[]> {
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<Row>(
        `SELECT ${COLUMNS} FROM provider_events
         WHERE client_id = $1 AND ($2::bool IS NULL OR (state = 'matched') = $2) AND ($3::text IS NULL OR provider = $3) AND ($4::text IS NULL OR id < $4)
         ORDER BY id DESC LIMIT $5`,
        [
          clientId,
          filter.matched ?? null,
          this.registry.find(filter.provider ?? '')?.key ?? filter.provider ?? null,
          filter.before ?? null,
          filter.limit,
        ],
      ),
    );
    return rows.map(viewOf);
  }

  /** @throws Problem not_found; conflict when it was erased */
  async reprocess(clientId: string, id: string): Promise<ProviderEventView> {
    if (idTime(id, 'providerEvent') === null) throw Problem.notFound('provider event');
    const { changes, outcomes } = await this.database.tenant(clientId, async (tx) => {
      const row = await this.find(tx, clientId, id, 'FOR UPDATE');
      if (row.request.erased) throw new Problem('conflict', 'What the provider sent was erased.');
      return this.apply(tx, clientId, row);
    });
    for (const { drafts } of changes) this.writer.announce(drafts);
    for (const outcome of outcomes) this.effects.committed(outcome);
    this.eventSignal.committed([clientId]);
    return viewOf(await this.database.tenant(clientId, (tx) => this.find(tx, clientId, id)));
  }

  private async find(tx: Transaction, clientId: string, id: string, lock: '' | 'FOR UPDATE' = ''): Promise<Row> {
    const [row] = await tx.query<Row>(
      `SELECT ${COLUMNS} FROM provider_events WHERE client_id = $1 AND id = $2 ${lock}`,
      [clientId, id],
    );
    if (!row) throw Problem.notFound('provider event');
    return row;
  }

  /** What was stored as one event is applied as that one; what could not be read, as all that it is found to say now. */
  private async apply(tx: Transaction, clientId: string, row: Row): Promise<Applied> {
    const all: Applied = { changes: [], outcomes: [] };
    let events = await this.eventsOf(tx, clientId, row);
    if (!row.event_id.startsWith(UNPARSABLE)) {
      const same = events.find((candidate) => candidate.eventId === row.event_id);
      // The parser may name events in another way today. Of several nobody knows then which one it was, so nothing is changed.
      if (!same && events.length > 1) return all;
      if (same) events = [same];
    }
    let shown: { event: NormalizedEvent; messageId: string | null; known: boolean } | undefined;
    for (const event of events) {
      const messageId = await this.messageOf(tx, row, event);
      const known = await this.applyEvent(tx, clientId, row, event, messageId, all);
      if (!shown || (known && !shown.known)) shown = { event, messageId, known };
    }
    await tx.execute(
      `UPDATE provider_events SET state = $4, message_id = $5, external_id = $6, normalized = $7
       WHERE client_id = $1 AND id = $2 AND created_at = $3::timestamptz`,
      [
        clientId,
        row.id,
        row.at,
        stateOf(shown?.event ?? null, shown?.known ?? false),
        shown?.known ? shown.messageId : null,
        shown?.event.externalId ?? row.external_id,
        shown ? JSON.stringify(shown.event) : null,
      ],
    );
    return all;
  }

  /** Whether the message, or the number, that the event is about is there. */
  private async applyEvent(
    tx: Transaction,
    clientId: string,
    row: Row,
    event: NormalizedEvent,
    messageId: string | null,
    all: Applied,
  ): Promise<boolean> {
    const receivedAt = Date.parse(row.at);
    if (event.kind === 'status' && event.status !== null && messageId !== null) {
      const change = reportChange(event, messageId, clientId, row.config_id, row.provider, receivedAt);
      const applied = await this.writer.applyIn(tx, [change]);
      all.changes.push(applied);
      return applied.results[0] === true;
    }
    if (!hasEffects(event)) return false;
    if (event.kind === 'inbound' && row.normalized?.kind === 'inbound') {
      const outcome = await this.effects.placeIn(tx, {
        clientId,
        configId: row.config_id,
        event,
        receivedAt,
        provider: row.provider,
      });
      all.outcomes.push(outcome);
      return outcome.known[0] ?? row.state === 'matched';
    }
    if (isDone(row, event) || !(await this.takesKey(tx, row, event))) return row.state === 'matched';
    const callback = { clientId, configId: row.config_id, provider: row.provider, event, messageId, receivedAt };
    const outcome = await this.effects.applyIn(tx, [callback]);
    all.outcomes.push(outcome);
    return outcome.known[0] === true;
  }

  /** What today's parser reads out of it; nothing when it cannot. */
  private async eventsOf(tx: Transaction, clientId: string, row: Row): Promise<NormalizedEvent[]> {
    const read = await this.parserOf(tx, clientId, row);
    try {
      return read();
    } catch {
      return [];
    }
  }

  /** Whether the event has not come in another callback, which today's parser could read when it came. */
  private async takesKey(tx: Transaction, row: Row, event: NormalizedEvent): Promise<boolean> {
    if (event.eventId === row.event_id) return true;
    const taken = await tx.execute(
      'INSERT INTO provider_event_keys (config_id, event_id, created_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING',
      [row.config_id, event.eventId],
    );
    return taken > 0;
  }

  /** Today's way to read what is kept. */
  private async parserOf(tx: Transaction, clientId: string, row: Row): Promise<() => NormalizedEvent[]> {
    const definition = this.registry.get(row.provider);
    const callback = definition?.callbacks[row.kind as CallbackKind];
    const session = definition?.session;
    if (!callback && !session) throw new Problem('conflict', `${row.provider} has no callbacks of this kind any more.`);
    const [config] = await tx.query<{ settings: Record<string, unknown> }>(
      'SELECT settings FROM provider_configs WHERE client_id = $1 AND id = $2',
      [clientId, row.config_id],
    );
    const settings = config?.settings ?? {};
    return callback
      ? () => readCallback(callback, requestOf(row), settings)
      : () => storableEvents(session!.parse(row.raw_body, settings));
  }

  private async messageOf(tx: Transaction, row: Row, event: NormalizedEvent): Promise<string | null> {
    const [mapped] = await tx.query<{ message_id: string }>(
      // The likeliest form of the id first.
      `SELECT message_id FROM external_ids WHERE config_id = $1 AND external_id = ANY($2::text[])
       ORDER BY array_position($2::text[], external_id) LIMIT 1`,
      [row.config_id, textArray(event.idForms ?? [event.externalId ?? ''])],
    );
    return mapped?.message_id ?? event.messageId ?? null;
  }
}

/** What was counted once is not again. */
function isDone(row: Row, event: NormalizedEvent): boolean {
  return row.normalized?.kind === event.kind && row.state === 'matched';
}

function requestOf(row: Row): CallbackRequest {
  return {
    method: row.request.method,
    publicUrl: '',
    query: new URLSearchParams(row.request.query),
    headers: row.request.headers,
    rawBody: row.raw_body,
  };
}

/** Mailgun signs within the body, and not the event: whoever could read that could report in its name. */
function withoutProof(body: string): string {
  return body.replaceAll(/("(?:signature|token)"\s*:\s*")[^"]*"/g, '$1…"');
}

function viewOf(row: Row): ProviderEventView {
  return {
    id: row.id,
    provider: row.provider,
    kind: row.kind,
    config_id: row.config_id,
    matched: row.state === 'matched',
    state: row.state,
    message_id: row.message_id,
    external_id: row.external_id,
    normalized: row.normalized,
    raw_body: withoutProof(row.raw_body.toString('utf8')),
    received_at: new Date(row.at).toISOString(),
  };
}
