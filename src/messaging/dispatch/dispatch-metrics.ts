import type { AttemptOutcome } from '../record/message.types';

/** Where dispatch reports what it did; `ops` connects it to Prometheus. */
export interface DispatchObserver {
  attempt(gateway: string, outcome: AttemptOutcome, durationMs: number): void;
}

/** Fans out to observers; none by default. */
export class DispatchMetrics implements DispatchObserver {
  private readonly observers: DispatchObserver[] = [];

  observe(observer: DispatchObserver): void {
    this.observers.push(observer);
  }

  attempt(gateway: string, outcome: AttemptOutcome, durationMs: number): void {
    for (const observer of this.observers) observer.attempt(gateway, outcome, durationMs);
  }
}
