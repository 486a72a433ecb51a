/** How the load generator makes its requests. `{n}` in a text stands for the running number, eight digits. */
export type RequestSource =
  | { kind: 'template'; path: string; headers: Record<string, string>; body: string; firstNumber: number }
  | {
      kind: 'twilio-status';
      path: string;
      /** As the service knows itself: what is signed. */
      publicUrl: string;
      authToken: string;
      accountSid: string;
      /** Messages to report on: Twilio's id and ours. Each is reported once. */
      messages: ReadonlyArray<readonly [externalId: string, messageId: string]>;
    }
  | {
      kind: 'twilio-inbound';
      path: string;
      /** As the service knows itself: what is signed. */
      publicUrl: string;
      authToken: string;
      accountSid: string;
      /** Where the messages go, in turn. */
      numbers: readonly string[];
      /** The running number of the first message, and how many there are. */
      firstNumber: number;
      count: number;
    };

/** One run of the load generator. */
export interface LoadJob {
  host: string;
  port: number;
  connections: number;
  seconds: number;
  /** Before the measurement; requests of it are counted in `total` only. */
  warmupSeconds: number;
  /** Requests a second whatever the answers do (open loop); missing: each connection asks again when it was answered (closed loop). */
  rate?: number;
  source: RequestSource;
  /** The status that counts as a success. */
  expect: number;
}

export interface LoadResult {
  /** Successes whose answer came inside the measured time. */
  measured: number;
  seconds: number;
  perSecond: number;
  /** All successes, warm-up and tail included: what must be found in the database. */
  total: number;
  /** Everything else, by status; `0`: no answer. */
  failures: Record<string, number>;
  /** Milliseconds; in an open loop from when the request was due, not from when it could be sent. */
  p50: number;
  p99: number;
  max: number;
  /** The running number after the last request. */
  nextNumber: number;
  /** User and system seconds of the generator in the measured time. */
  cpuSeconds: number;
  /** A failed answer, to see why. */
  sample?: string;
}

export type LoadCommand = { type: 'run'; job: LoadJob } | { type: 'rate'; rate: number } | { type: 'progress' };
