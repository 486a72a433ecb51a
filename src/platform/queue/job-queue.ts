/**
 * Carries hints from who writes work to who does it. PostgreSQL holds the truth: a job that is lost, repeated or late harms nothing, since
 * workers also look for themselves. So `publish` never fails and never waits for the network.
 *
 * Two drivers pass one contract suite (`test/contract/queue.contract.ts`): Bull on Redis, and in-process.
 */
export interface JobQueue<Payload> {
  readonly driver: 'bull' | 'in-process';
  /** Hands a payload to one consumer, soon. Dropped (and counted) when the queue is out of reach. */
  publish(payload: Payload): void;
  /**
   * Begins to consume; one consumer a process. The handler must be quick: it takes over, it does not do the work.
   * @param wantsOwn asked for each payload that this very process publishes: whether to hand it over here and now, without the way through the
   * queue. Missing: never
   */
  consume(handler: (payload: Payload) => void, wantsOwn?: (payload: Payload) => boolean): void;
  /** Jobs that wait for a consumer; null when the queue is out of reach. */
  waiting(): Promise<number | null>;
  /** Payloads dropped so far because the queue was out of reach. */
  dropped(): number;
  /** Takes no more jobs and lets go of its connections. */
  close(): Promise<void>;
}

/** Ids of messages that wait in one lane (all that ask one config first). */
export interface ReadyGroup {
  clientId: string;
  lane: string;
  /** 0 high, 1 normal, 2 bulk. */
  priority: number;
  ids: string[];
}

/** DI token of the `JobQueue<ReadyGroup[]>` that tells workers of accepted messages. One job carries the ids of a whole flush. */
export const DISPATCH_QUEUE = Symbol('DispatchQueue');
