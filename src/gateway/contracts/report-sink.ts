import type { NormalizedEvent } from './callback';
import type { CallbackKind } from './gateway';

/** What a provider told over a session that we keep open, instead of calling us back. */
export interface SessionReport {
  clientId: string;
  configId: string;
  /** Provider key. */
  provider: string;
  kind: CallbackKind;
  /** As {@link SessionDefinition.parse} reads it. */
  raw: Buffer;
  /** Null when it cannot be read: it is kept all the same. */
  events: NormalizedEvent[] | null;
}

/** Takes what comes in over sessions. */
export interface ReportSink {
  /**
   * Resolves when everything is committed, or was before; only then may the provider hear that we have it.
   * @throws when it could not be kept: the provider must send it again
   */
  deliver(report: SessionReport): Promise<void>;
}
