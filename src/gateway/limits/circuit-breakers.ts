import type { Clock } from '../../kernel/clock';

export type CircuitState = 'closed' | 'open' | 'half_open';

export interface CircuitOptions {
  /** Failures in a row that open the circuit. */
  consecutiveFailures: number;
  /** Share of failures within `windowMs`, from `minimumCalls` calls on, that opens it too. */
  failureRate: number;
  minimumCalls: number;
  windowMs: number;
  /** How long it stays open, first and at most; doubled each time that a probe fails. */
  openMs: number;
  maxOpenMs: number;
  /** A probe that never reports back (its worker died) gives its place up after this. */
  probeMs: number;
}

const DEFAULTS: CircuitOptions = {
  consecutiveFailures: 5,
  failureRate: 0.5,
  minimumCalls: 20,
  windowMs: 10_000,
  openMs: 10_000,
  maxOpenMs: 30_000,
  probeMs: 60_000,
};

interface Circuit {
  consecutive: number;
  windowStart: number;
  calls: number;
  failures: number;
  /** 0: closed. */
  openUntil: number;
  /** How often it opened without a success between. */
  openings: number;
  /** When the probe under way began; 0: none. */
  probeSince: number;
}

/**
 * One circuit a config, in this process. Only faults of the provider count (`transient` and `ambiguous` outcomes): what is wrong with a
 * recipient, a content or a rate says nothing about the provider's health.
 *
 * closed → open after failures in a row, or too many of the last calls → half open once the time is over: one probe at a time →
 * closed when it succeeds, else open for twice as long.
 */
export class CircuitBreakers {
  private readonly circuits = new Map<string, Circuit>();
  private readonly options: CircuitOptions;
  private readonly listeners = new Set<(configId: string) => void>();

  constructor(
    private readonly clock: Clock,
    options: Partial<CircuitOptions> = {},
    /** 0 to 1, for the jitter. */
    private readonly random: () => number = Math.random,
  ) {
    this.options = { ...DEFAULTS, ...options };
  }

  /** Told each time that a circuit opens or closes. Answers how to stop listening. */
  onChange(listener: (configId: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  state(configId: string): CircuitState {
    const circuit = this.circuits.get(configId);
    if (!circuit || circuit.openUntil === 0) return 'closed';
    return this.clock.now() < circuit.openUntil ? 'open' : 'half_open';
  }

  /** When an open circuit may be probed, milliseconds since the epoch; 0 when it is closed. */
  openUntil(configId: string): number {
    return this.circuits.get(configId)?.openUntil ?? 0;
  }

  /** Whether a call may be planned: the circuit is closed, or half open with its probe not yet under way. Takes nothing. */
  canTry(configId: string): boolean {
    const circuit = this.circuits.get(configId);
    if (circuit === undefined || circuit.openUntil === 0) return true;
    const now = this.clock.now();
    return now >= circuit.openUntil && !this.probing(circuit, now);
  }

  /** Call right before a call to the provider: false means leave it. In half open it takes the one probe's place. */
  tryProbe(configId: string): boolean {
    if (!this.canTry(configId)) return false;
    const circuit = this.circuits.get(configId);
    if (circuit && circuit.openUntil !== 0) circuit.probeSince = this.clock.now();
    return true;
  }

  /** The provider answered as one that works: it took the message, or refused this recipient or content. */
  succeeded(configId: string): void {
    const circuit = this.circuits.get(configId);
    if (!circuit) return;
    if (circuit.openUntil !== 0) {
      // A call that began before the circuit opened proves nothing about now.
      if (circuit.probeSince === 0) return;
      this.circuits.delete(configId);
      this.tell(configId);
      return;
    }
    circuit.consecutive = 0;
    this.count(circuit, false);
  }

  /** A `transient` or `ambiguous` outcome. */
  failed(configId: string): void {
    const circuit = this.circuits.get(configId) ?? this.make(configId);
    if (circuit.openUntil !== 0) {
      if (circuit.probeSince !== 0) this.open(configId, circuit);
      return;
    }
    circuit.consecutive++;
    this.count(circuit, true);
    const { consecutiveFailures, minimumCalls, failureRate } = this.options;
    const tooMany = circuit.calls >= minimumCalls && circuit.failures / circuit.calls >= failureRate;
    if (circuit.consecutive >= consecutiveFailures || tooMany) this.open(configId, circuit);
  }

  /** The call said nothing about the provider's health (throttled, cancelled): a probe gives its place up. */
  released(configId: string): void {
    const circuit = this.circuits.get(configId);
    if (circuit) circuit.probeSince = 0;
  }

  /** Configs whose circuit is not closed. */
  notClosed(): string[] {
    return [...this.circuits].filter(([, circuit]) => circuit.openUntil !== 0).map(([configId]) => configId);
  }

  private make(configId: string): Circuit {
    const circuit: Circuit = {
      consecutive: 0,
      windowStart: this.clock.now(),
      calls: 0,
      failures: 0,
      openUntil: 0,
      openings: 0,
      probeSince: 0,
    };
    this.circuits.set(configId, circuit);
    return circuit;
  }

  private probing(circuit: Circuit, now: number): boolean {
    return circuit.probeSince !== 0 && now - circuit.probeSince < this.options.probeMs;
  }

  /** Counts are halved, not dropped, at the end of a window: a fault that straddles two windows is still seen. */
  private count(circuit: Circuit, failure: boolean): void {
    const now = this.clock.now();
    if (now - circuit.windowStart >= this.options.windowMs) {
      const past = now - circuit.windowStart >= 2 * this.options.windowMs ? 0 : 0.5;
      circuit.calls = Math.floor(circuit.calls * past);
      circuit.failures = Math.floor(circuit.failures * past);
      circuit.windowStart = now;
    }
    circuit.calls++;
    if (failure) circuit.failures++;
  }

  private open(configId: string, circuit: Circuit): void {
    const { openMs, maxOpenMs } = this.options;
    const full = Math.min(maxOpenMs, openMs * 2 ** Math.min(circuit.openings, 20));
    // Up to a fifth more, so that many processes do not probe at the same instant.
    circuit.openUntil = this.clock.now() + Math.min(maxOpenMs, Math.round(full * (1 + 0.2 * this.random())));
    circuit.openings++;
    circuit.probeSince = 0;
    this.tell(configId);
  }

  private tell(configId: string): void {
    for (const listener of this.listeners) listener(configId);
  }
}
