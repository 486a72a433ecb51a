/** Tells who delivers inbound messages and who watches them, in this process, that some were committed. A hint: they also look by themselves. */
export class InboundSignal {
  private readonly deliverable = new Set<(numberIds: ReadonlySet<string>) => void>();
  private readonly unmatched = new Set<(clientIds: ReadonlySet<string>) => void>();

  /** There is something to deliver for these numbers. Answers how to stop listening. */
  onDeliverable(listener: (numberIds: ReadonlySet<string>) => void): () => void {
    this.deliverable.add(listener);
    return () => this.deliverable.delete(listener);
  }

  /** These tenants got messages to numbers that they do not have. Answers how to stop listening. */
  onUnmatched(listener: (clientIds: ReadonlySet<string>) => void): () => void {
    this.unmatched.add(listener);
    return () => this.unmatched.delete(listener);
  }

  /** Call after the commit. */
  committed(numberIds: ReadonlySet<string>, unmatchedClientIds: ReadonlySet<string> = new Set()): void {
    if (numberIds.size > 0) for (const listener of this.deliverable) listener(numberIds);
    if (unmatchedClientIds.size > 0) for (const listener of this.unmatched) listener(unmatchedClientIds);
  }
}
