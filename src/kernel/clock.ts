/** Where the service reads the time, so that tests can set it. Milliseconds since the epoch. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** DI token of the {@link Clock}. */
export const CLOCK = Symbol('Clock');

/** A clock that stands still until it is moved; for tests and for replaying scripts. */
export class ManualClock implements Clock {
  constructor(private current = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.current;
  }

  set(at: number): void {
    this.current = at;
  }

  advance(ms: number): void {
    this.current += ms;
  }
}
