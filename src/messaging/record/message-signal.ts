/** Tells waiters in this process that messages changed. A hint: who waits also looks by itself, since another process may have written. */
export class MessageSignal {
  private readonly waiters = new Map<string, Set<() => void>>();

  /** Calls back once when the message changes; answers how to stop waiting. */
  once(messageId: string, callback: () => void): () => void {
    const callbacks = this.waiters.get(messageId) ?? new Set();
    callbacks.add(callback);
    this.waiters.set(messageId, callbacks);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0) this.waiters.delete(messageId);
    };
  }

  changed(messageIds: Iterable<string>): void {
    if (this.waiters.size === 0) return;
    for (const id of messageIds) {
      const callbacks = this.waiters.get(id);
      if (!callbacks) continue;
      this.waiters.delete(id);
      for (const callback of callbacks) callback();
    }
  }
}
