import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LRUCache } from 'lru-cache';
import type {
  ProviderSimulator,
  SimulatedAccount,
  SimulatedBehaviour,
  SimulatedLife,
  SimulatedMessage,
  SimulatedText,
  SimulatorAnswer,
  SimulatorOutcome,
  SimulatorPort,
  SocketStandIn,
} from '../gateway/contracts/simulator';
import type { HttpClient } from '../platform/http-client/http-client';
import { UndiciHttpClient } from '../platform/http-client/undici-http-client';
import type { Script } from './callback-sender';
import { CallbackSender, handOver, type SimulatedHandover } from './callback-sender';
import { behaviourFor } from './magic-recipients';
import type { KeptMessage } from './message-ring';
import { MessageRing } from './message-ring';

const MOST_MESSAGES = 10_000;
/** As much as an email with attachments may have. */
const MOST_BODY_BYTES = 40 * 1024 * 1024;
const NO_PROVIDER: SimulatorAnswer = { status: 404, body: 'simulator: no such provider' };
const NO_QUERY = new URLSearchParams();

/** What happens to an accepted message. */
const SCRIPTS: Readonly<Record<SimulatedBehaviour, Script>> = {
  delivered: ['sent', 'delivered'],
  undelivered: ['sent', 'undelivered'],
  throttled: ['sent', 'delivered'],
  hang_after_accepting: ['sent', 'delivered'],
  malformed_body: ['sent', 'delivered'],
  callback_before_response: ['sent', 'delivered'],
  callbacks_out_of_order: ['delivered', 'sent'],
  repeated_callback: ['sent', 'delivered', 'delivered', 'delivered'],
  late_bounce: ['sent', 'delivered', 500, 'undelivered'],
  inbound_reply: ['sent', 'delivered', 'inbound'],
  no_callback: [],
  read: ['sent', 'delivered', 'read'],
  engaged: ['sent', 'delivered', 'opened', 'clicked'],
  complained: ['sent', 'delivered', 'complained'],
  unsubscribed: ['sent', 'delivered', 'unsubscribed'],
  hard_bounce: ['sent', 'hard_bounce'],
  soft_bounce: ['sent', 'soft_bounce'],
  window_closed: ['window_closed'],
  invalid_recipient: [],
  server_error: [],
  connection_reset: [],
};

/** Callbacks under way at once. */
export const CALLBACK_CONCURRENCY = 32;

type ClosableClient = HttpClient & { close(): Promise<void> };

export interface SimulatorOptions {
  /** The stand-in of a provider key; asked at every request. */
  standIn(provider: string): ProviderSimulator | undefined;
  /** Keys of the providers whose stand-ins open servers of their own (`ProviderSimulator.listen`). */
  socketProviders?: readonly string[];
  /** See {@link SimulatorPort.accounts}. Default: none. */
  accounts?(provider: string, account: string): Promise<readonly SimulatedAccount[]>;
  /** Default 0: any free one. */
  port?: number;
  /** Between a message's acceptance and its first callback, milliseconds. Default 50. */
  callbackDelayMs?: number;
  /** Callbacks under way at once. Default {@link CALLBACK_CONCURRENCY}. */
  callbackConcurrency?: number;
  /** Makes the callbacks; closed with the simulator. Default: one that reaches every address. */
  callbackClient?: ClosableClient;
}

export interface MessageFilter {
  to?: string | undefined;
  provider?: string | undefined;
  /** The message id that the provider was given. */
  reference?: string | undefined;
  /** Only what came in before the message in this place. */
  before?: number | undefined;
  limit: number;
}

/**
 * An HTTP server on loopback that stands in for the providers' APIs, each under `/<provider key>`; `/stats` tells counts, for benchmarks. Keeps what it received, makes signed callbacks,
 * and fails as the recipient demands. Knows nothing of Nest, so that tests and benchmarks run it too.
 */
export class Simulator implements SimulatorPort {
  private readonly ring = new MessageRing(MOST_MESSAGES);
  private readonly throttledOnce = new LRUCache<string, true>({ max: MOST_MESSAGES });
  private readonly http: ClosableClient;
  private readonly sender: CallbackSender;
  private readonly server = createServer(
    { keepAliveTimeout: 60_000 },
    (request, response) => void this.serve(request, response),
  );

  private readonly sockets = new Map<string, SocketStandIn>();

  private constructor(private readonly options: SimulatorOptions) {
    const concurrency = options.callbackConcurrency ?? CALLBACK_CONCURRENCY;
    this.http = options.callbackClient ?? new UndiciHttpClient({ connectionsPerOrigin: concurrency });
    this.sender = new CallbackSender(this.http, { concurrency, delayMs: options.callbackDelayMs ?? 50 });
  }

  static async start(options: SimulatorOptions): Promise<Simulator> {
    const simulator = new Simulator(options);
    simulator.server.listen(options.port ?? 0, '127.0.0.1');
    await once(simulator.server, 'listening');
    for (const provider of options.socketProviders ?? []) {
      const standIn = await options.standIn(provider)?.listen?.(simulator);
      if (standIn) simulator.sockets.set(provider, standIn);
    }
    return simulator;
  }

  /** TCP ports on loopback of the stand-ins that do not speak HTTP, by provider key. */
  socketPorts(): ReadonlyMap<string, number> {
    return new Map([...this.sockets].map(([provider, { port }]) => [provider, port]));
  }

  /** Where a provider's API is, for its base URL. */
  baseUrl(provider: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${provider}`;
  }

  /** Kept messages, newest first. */
  messages(filter: MessageFilter): SimulatedMessage[] {
    return this.page(filter).messages;
  }

  /** As {@link messages}, and the place to go on before; null when nothing older is kept that fits. */
  page({ to, provider, reference, before, limit }: MessageFilter): {
    messages: SimulatedMessage[];
    next: number | null;
  } {
    const messages: SimulatedMessage[] = [];
    let last = 0;
    for (const [place, message] of this.ring.newestFirst(before)) {
      if (to !== undefined && message.to !== to) continue;
      if (provider !== undefined && message.provider !== provider) continue;
      if (reference !== undefined && message.reference !== reference) continue;
      if (messages.length === limit) return { messages, next: last };
      messages.push(message);
      last = place;
    }
    return { messages, next: null };
  }

  /** Counts since the start, and the messages whose callbacks are not over. */
  stats(): { received: number; callbacks: Readonly<CallbackSender['counts']>; unfinished: number } {
    return { received: this.ring.total, callbacks: this.sender.counts, unfinished: this.sender.unfinished };
  }

  /** Ends at once: requests that hang are cut, callbacks that wait are not made. */
  async close(): Promise<void> {
    this.sender.close();
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await Promise.all([closed, this.http.close(), ...[...this.sockets.values()].map((standIn) => standIn.close())]);
  }

  now(): number {
    return Date.now();
  }

  find(provider: string, externalId: string): SimulatedMessage | undefined {
    return this.ring.find(provider, externalId);
  }

  list(provider: string): SimulatedMessage[] {
    return this.messages({ provider, limit: MOST_MESSAGES });
  }

  async accounts(provider: string, account: string): Promise<readonly SimulatedAccount[]> {
    return (await this.options.accounts?.(provider, account)) ?? [];
  }

  play(life: SimulatedLife): SimulatorOutcome | Promise<SimulatorOutcome> {
    const { submission } = life;
    const behaviour = behaviourFor(submission.to, submission.provider);
    if (behaviour === 'invalid_recipient' || behaviour === 'server_error') {
      this.keep(life, behaviour, false);
      return life.refused(behaviour);
    }
    if (behaviour === 'connection_reset') {
      this.keep(life, behaviour, false);
      return 'reset';
    }
    if (behaviour === 'throttled' && this.isFirstTry(life)) {
      this.keep(life, behaviour, false);
      return life.refused('throttled');
    }
    const message = this.keep(life, behaviour, true);
    const script = SCRIPTS[behaviour];
    if (behaviour === 'callback_before_response')
      return this.sender.now(message, life, script).then(() => life.accepted());
    if (script.length > 0) this.sender.later(message, life, script);
    if (behaviour === 'hang_after_accepting') return 'hang';
    const answer = life.accepted();
    if (behaviour !== 'malformed_body') return answer;
    return life.garbled?.() ?? { ...answer, body: answer.body.slice(0, answer.body.length / 2) };
  }

  /**
   * A person texts an account: makes the provider's callbacks, one after the other, and the whole once more for each repeat.
   * @returns what UniMsg answered to each; undefined when nobody can write to accounts of the provider
   */
  async text(
    provider: string,
    text: SimulatedText,
    account: SimulatedAccount,
    times = 1,
  ): Promise<SimulatedHandover[] | undefined> {
    const callbacks = this.options.standIn(provider)?.inbound?.(text, account, this);
    if (callbacks === undefined) return undefined;
    const handovers: SimulatedHandover[] = [];
    for (let time = 0; time < times; time++)
      for (const callback of callbacks) handovers.push(await handOver(this.http, callback));
    return handovers;
  }

  private keep({ submission }: SimulatedLife, behaviour: SimulatedBehaviour, accepted: boolean): KeptMessage {
    const message = { ...submission, behaviour, accepted, receivedAt: Date.now(), callbacks: [] };
    this.ring.add(message);
    return message;
  }

  /** A message is known by our reference, else by its text. */
  private isFirstTry({ submission: { provider, to, reference, body } }: SimulatedLife): boolean {
    const key = `${provider} ${to} ${reference ?? body}`;
    if (this.throttledOnce.has(key)) return false;
    this.throttledOnce.set(key, true);
    return true;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await readBody(request);
      if (body === null) return end(response, { status: 413, headers: { connection: 'close' }, body: '' });
      const outcome = await this.answer(request, body);
      if (outcome === 'reset') request.socket.resetAndDestroy();
      else if (outcome !== 'hang') end(response, outcome);
    } catch (error) {
      // A client that is gone needs no answer; what else goes wrong is a fault of a stand-in and must be seen.
      if (!request.complete || response.headersSent) return;
      end(response, { status: 500, body: `simulator: ${error instanceof Error ? error.message : 'failed'}` });
    }
  }

  private statsAnswer(): SimulatorAnswer {
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(this.stats()) };
  }

  private answer(request: IncomingMessage, body: Buffer): SimulatorOutcome | Promise<SimulatorOutcome> {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const slash = path.indexOf('/', 1);
    const provider = slash < 0 ? path.slice(1) : path.slice(1, slash);
    const standIn = this.options.standIn(provider);
    if (standIn === undefined) return path === '/stats' ? this.statsAnswer() : NO_PROVIDER;
    return standIn.handle(
      {
        method: request.method ?? 'GET',
        path: slash < 0 ? '/' : path.slice(slash),
        query: mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1)),
        headers: request.headers,
        body,
      },
      this,
    );
  }
}

function end(response: ServerResponse, answer: SimulatorAnswer): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(answer.body);
}

/** The whole body; null when it is too long. Rejects when the client goes away. */
function readBody(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST_BODY_BYTES) resolve(null);
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('close', () => void (request.complete || reject(new Error('the client went away'))));
  });
}
