import { createHash } from 'node:crypto';
import { Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { PublicUrl } from '../../config/public-url';
import { CLOCK, type Clock } from '../../kernel/clock';
import { LOGGER, type Logger } from '../../kernel/logger';
import { Problem } from '../../kernel/problem';
import type { CallbackAnswer, CallbackDefinition, CallbackRequest } from '../../gateway/contracts/callback';
import { CALLBACK_KINDS, type CallbackKind } from '../../gateway/contracts/gateway';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { ProviderRegistry } from '../../gateway/provider-registry';
import { Public } from '../../tenancy/auth.decorators';
import { CallbackProof, type ProvedCallback } from './callback-proof';
import { readCallback } from './callback-events';
import { CallbackStore } from './callback-store';
import { KnownIds } from './known-ids';
import { UNPARSABLE, type ReceivedEvent } from './received-event';
import { CallbackMetrics } from './callback-metrics';
import { ApiCallback } from './callback.openapi';

/** Headers that are kept with a raw callback: enough to read it again, nothing that proves or opens anything. */
const KEPT_HEADERS = ['content-type', 'user-agent', 'i-twilio-idempotency-token'];

/** What one callback may hold, and become: events, and bytes that are kept of it. More is refused whole. */
const MOST_EVENTS = 10_000;
const MOST_BYTES = 16 * 1024 * 1024;
/** Events of one callback that are handed over together. */
const AT_ONCE = 500;

interface CallbackPath {
  provider: string;
  kind: string;
  config_id?: string;
}

/**
 * Where providers report. The order is the point: find whose secret applies, prove the raw bytes, and only then read them; answer when all is
 * committed.
 */
@ApiTags('Provider callbacks')
@Controller('webhook')
export class CallbackController {
  constructor(
    private readonly registry: ProviderRegistry,
    private readonly proof: CallbackProof,
    private readonly ids: KnownIds,
    private readonly store: CallbackStore,
    private readonly publicUrl: PublicUrl,
    private readonly metrics: CallbackMetrics,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  // GET: some providers report in the query, and WhatsApp's verification challenge comes as one.
  @Post(':provider/:kind/:config_id')
  @Public()
  @ApiCallback('receiveCallbackFor', { method: 'POST', config: true })
  async receiveFor(@Param() path: CallbackPath, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.receive(path, request, response);
  }

  @Get(':provider/:kind/:config_id')
  @Public()
  @ApiCallback('receiveCallbackForByGet', { method: 'GET', config: true })
  async receiveQueryFor(
    @Param() path: CallbackPath,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await this.receive(path, request, response);
  }

  @Post(':provider/:kind')
  @Public()
  @ApiCallback('receiveCallback', { method: 'POST', config: false })
  async receiveAny(@Param() path: CallbackPath, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.receive(path, request, response);
  }

  @Get(':provider/:kind')
  @Public()
  @ApiCallback('receiveCallbackByGet', { method: 'GET', config: false })
  async receiveQuery(@Param() path: CallbackPath, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.receive(path, request, response);
  }

  private async receive(path: CallbackPath, request: Request, response: Response): Promise<void> {
    const { provider: providerName, kind, config_id: configId } = path;
    const definition = this.registry.find(providerName);
    const callback = CALLBACK_KINDS.includes(kind as CallbackKind)
      ? definition?.callbacks[kind as CallbackKind]
      : undefined;
    if (!definition || !callback) throw Problem.notFound('callback');
    const route = { definition, callback, configId };
    const raw = this.callbackRequest(request);
    const answer = raw.method === 'GET' ? await this.proof.answer(route, raw) : undefined;
    if (answer) return end(response, answer);
    const proved = await this.proof.prove(route, raw);
    const receivedAt = this.clock.now();
    const events = this.read(definition, kind, callback, proved, receivedAt);
    await this.chooseIds(events);
    // Some at a time: one long callback must not fill what waits to be written, so that the others are sent away.
    for (let from = 0; from < events.length; from += AT_ONCE)
      await Promise.all(events.slice(from, from + AT_ONCE).map((one) => this.store.store(one)));
    this.metrics.received(definition.key, kind, this.clock.now() - receivedAt);
    end(response, callback.answer);
  }

  private callbackRequest(request: Request & { rawBody?: Buffer }): CallbackRequest {
    const path = request.originalUrl;
    const mark = path.indexOf('?');
    return {
      method: request.method as 'GET' | 'POST',
      publicUrl: `${this.publicUrl.get()}${path}`,
      query: new URLSearchParams(mark < 0 ? '' : path.slice(mark + 1)),
      headers: request.headers as Record<string, string | undefined>,
      rawBody: request.rawBody ?? Buffer.alloc(0),
    };
  }

  /** Where a provider may have written the id of a message in several ways: the one by which we know it. */
  private async chooseIds(events: ReceivedEvent[]): Promise<void> {
    const open = events.filter(({ event }) => event?.idForms !== undefined);
    for (const configId of new Set(open.map((one) => one.configId))) {
      const group = open.filter((one) => one.configId === configId);
      const chosen = await this.ids.choose(
        configId,
        group.map(({ event }) => event!),
      );
      group.forEach((one, index) => (one.event = chosen[index]!));
    }
  }

  /** @throws Problem payload_too_large */
  private read(
    definition: ProviderDefinition,
    kind: string,
    callback: CallbackDefinition,
    proved: readonly ProvedCallback[],
    receivedAt: number,
  ): ReceivedEvent[] {
    const events: ReceivedEvent[] = [];
    let bytes = 0;
    for (const part of proved) {
      for (const request of callback.pieces?.(part.request) ?? [part.request]) {
        const read = this.readPiece(definition, kind, callback, { ...part, request }, receivedAt);
        for (const event of read) events.push(event);
        // Each event is kept with its own piece.
        bytes += request.rawBody.length * read.length;
        if (events.length > MOST_EVENTS || bytes > MOST_BYTES)
          throw new Problem('payload_too_large', `One callback may have at most ${MOST_EVENTS} events.`);
      }
    }
    return events;
  }

  private readPiece(
    definition: ProviderDefinition,
    kind: string,
    callback: CallbackDefinition,
    { config: { config }, request }: ProvedCallback,
    receivedAt: number,
  ): ReceivedEvent[] {
    const base = {
      clientId: config.clientId,
      configId: config.id,
      provider: definition.key,
      kind,
      receivedAt,
      request: keptRequest(request),
      rawBody: request.rawBody,
    };
    try {
      return readCallback(callback, request, config.settings).map((event) => {
        if (event.kind === 'status' && event.status === null) this.metrics.unmapped(definition.key);
        return { ...base, event, eventId: event.eventId };
      });
    } catch (error) {
      // It is proved to be the provider's, so it is kept, for a better parser.
      this.logger.error({ err: error, provider: definition.key, kind }, 'callback could not be read');
      const digest = createHash('sha256').update(request.publicUrl).update(request.rawBody).digest('hex');
      return [{ ...base, event: null, eventId: UNPARSABLE + digest }];
    }
  }
}

function end(response: Response, { status, contentType, body }: CallbackAnswer): void {
  response.status(status);
  if (contentType) response.setHeader('Content-Type', contentType);
  response.end(body ?? '');
}

function keptRequest(request: CallbackRequest): { method: string; query: string; headers: Record<string, string> } {
  const mark = request.publicUrl.indexOf('?');
  let query = mark < 0 ? '' : request.publicUrl.slice(mark + 1);
  // The token opens this config's callbacks; its name may be written in escapes too.
  if (/token|%/i.test(query)) {
    const rest = new URLSearchParams(request.query);
    rest.delete('token');
    query = rest.toString();
  }
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = request.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { method: request.method, query, headers };
}
