/** Where the ingress reports what it did; `ops` connects it to Prometheus. */
export interface CallbackObserver {
  received(provider: string, kind: string, storedAfterMs: number): void;
  refused(provider: string): void;
  /** A status word that the provider's table does not have. */
  unmapped(provider: string, word: string): void;
}

/** Fans out to observers; none by default. */
export class CallbackMetrics implements CallbackObserver {
  private readonly observers: CallbackObserver[] = [];

  observe(observer: CallbackObserver): void {
    this.observers.push(observer);
  }

  received(provider: string, kind: string, storedAfterMs: number): void {
    for (const observer of this.observers) observer.received(provider, kind, storedAfterMs);
  }

  refused(provider: string): void {
    for (const observer of this.observers) observer.refused(provider);
  }

  unmapped(provider: string, word: string): void {
    for (const observer of this.observers) observer.unmapped(provider, word);
  }
}
