import { randomBytes, randomInt } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { GatewayContext } from '../../../gateway/contracts/gateway';
import type { GatewayDeps } from '../../../gateway/contracts/provider-definition';
import { SMPP_STATUS, type SmppPdu } from '../../../platform/smpp/smpp-pdu';
import type { SmppResponse } from '../../../platform/smpp/smpp-link';
import { SmppSession, type SmppSessionOptions } from '../../../platform/smpp/smpp-session';
import { RecentIds } from './smpp.message-ids';
import { contentDigest, isFromPhone, keptReport, parseReport } from './smpp.reports';
import { smppSettings, type SmppSettings } from './smpp.settings';

/** How long what is under way may still get its response when a session is closed. */
const CLOSE_GRACE_MS = 3_000;
const ENQUIRE_TIMEOUT_MS = 10_000;
/** A receipt whose id is not known may be quicker than the response that tells it. */
const LONGEST_OVERTAKE_MS = 1_000;
/** Messages from phones that are remembered so that repeats are known. */
const MOST_REMEMBERED = 5_000;
/** How long after the first, on another connection, the same bytes are a repeat. */
const REPEAT_MS = 300_000;
const INTERFACE_VERSION = 0x34;
/** A receipt's id is its message's. */
const NO_KEY = '-';

/** A message from a phone that the SMSC may not know yet that we have. */
interface Unconfirmed {
  key: string;
  linkId: number;
  sequence: number;
  /** By the monotonic clock. */
  at: number;
  /** It was answered well. */
  confirmed: boolean;
}

/** The session of one config, and what has to be remembered of it as long as this process has it. */
export class SmppAccount {
  readonly settings: SmppSettings;
  readonly session: SmppSession;
  readonly ids: RecentIds;
  private readonly references: LRUCache<string, number>;
  private readonly inbound: LRUCache<string, Unconfirmed>;
  private readonly submitting = new Set<Promise<unknown>>();

  /** @param before the account's session until now; its binds end before new ones are made */
  constructor(
    private readonly deps: GatewayDeps,
    readonly ctx: Pick<
      GatewayContext,
      'clientId' | 'configId' | 'configVersion' | 'settings' | 'credentials' | 'perSecond'
    >,
    before: SmppAccount | undefined,
    options: Pick<SmppSessionOptions, 'backoff'> = {},
  ) {
    this.settings = smppSettings(ctx.settings);
    this.ids = before?.ids ?? new RecentIds();
    this.references = before?.references ?? new LRUCache({ max: 10_000 });
    this.inbound = before?.inbound ?? new LRUCache({ max: MOST_REMEMBERED });
    const free = before?.close() ?? Promise.resolve();
    this.session = new SmppSession({
      ...sessionOptions(deps, ctx, this.settings),
      ...options,
      dial: async (signal) => {
        await free;
        return dialFor(deps, this.settings, signal);
      },
      onMessage: (pdu, linkId) => this.take(pdu, linkId),
    });
  }

  close(): Promise<void> {
    return this.session.close(CLOSE_GRACE_MS);
  }

  /** A reference for the parts of one message: not used for the same recipient a moment ago. */
  nextReference(recipient: string): number {
    const reference = ((this.references.get(recipient) ?? randomInt(256)) + 1) & 0xff;
    this.references.set(recipient, reference);
    return reference;
  }

  /** Lets receipts that overtake a response wait for it. */
  async tracked(submit: Promise<SmppResponse>): Promise<SmppResponse> {
    this.submitting.add(submit);
    try {
      return await submit;
    } finally {
      this.submitting.delete(submit);
    }
  }

  /** Answers the `command_status` of the response: well only when what the PDU says is committed. */
  private async take(pdu: SmppPdu, linkId: number): Promise<number> {
    const { reports } = this.deps;
    if (!reports) return SMPP_STATUS.temporaryAppError;
    const { key, remembered } = isFromPhone(pdu) ? this.keyOf(pdu, linkId) : { key: NO_KEY };
    const raw = keptReport(pdu, key);
    const { clientId, configId } = this.ctx;
    await reports.deliver({ clientId, configId, provider: 'smpp', kind: 'events', raw, events: await this.read(raw) });
    if (remembered) remembered.confirmed = true;
    return SMPP_STATUS.ok;
  }

  /** Null for what cannot be read: sent again it would be no better. */
  private async read(raw: Buffer) {
    try {
      const events = parseReport(raw, this.settings);
      for (const event of events) {
        if (event.kind !== 'status' || event.externalId === undefined) continue;
        const forms = event.idForms ?? [event.externalId];
        const found = this.ids.find(forms) ?? (await this.overtaken(forms));
        if (found === undefined) continue;
        event.externalId = found.id;
        if (found.sure) delete event.idForms;
        else event.idForms = [...new Set([forms[0]!, found.id, ...forms])];
      }
      return events;
    } catch {
      return null;
    }
  }

  private async overtaken(forms: readonly string[]): Promise<ReturnType<RecentIds['find']>> {
    if (this.ids.areLikeliest || this.submitting.size === 0) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const time = new Promise((resolve) => (timer = setTimeout(resolve, LONGEST_OVERTAKE_MS)));
    await Promise.race([Promise.allSettled(this.submitting), time]);
    clearTimeout(timer);
    return this.ids.find(forms);
  }

  /**
   * A message from a phone has no id. The same bytes are a repeat when the SMSC may not know that we have the first: it got no good answer, or the
   * connection ended soon after; or when they come as the very same request. Otherwise a person said the same thing again.
   */
  private keyOf(pdu: SmppPdu, linkId: number): { key: string; remembered?: Unconfirmed } {
    const at = performance.now();
    const digest = contentDigest(pdu);
    const known = this.inbound.get(digest);
    const isRepeat =
      known !== undefined &&
      (!known.confirmed || (known.linkId === linkId ? known.sequence === pdu.sequence : at - known.at < REPEAT_MS));
    const key = isRepeat ? known.key : `${digest}-${randomBytes(6).toString('base64url')}`;
    const remembered = { key, linkId, sequence: pdu.sequence, at, confirmed: false };
    this.inbound.set(digest, remembered);
    return { key, remembered };
  }
}

/** What all binds of an account have in common. */
export function sessionOptions(
  deps: GatewayDeps,
  ctx: Pick<GatewayContext, 'credentials' | 'perSecond'>,
  settings: SmppSettings,
): Omit<SmppSessionOptions, 'onMessage'> {
  return {
    dial: (signal) => dialFor(deps, settings, signal),
    bind: {
      systemId: ctx.credentials.system_id?.reveal() ?? '',
      password: ctx.credentials.password?.reveal() ?? '',
      systemType: settings.systemType,
      interfaceVersion: INTERFACE_VERSION,
    },
    mode: settings.bind,
    perSecond: ctx.perSecond ?? null,
    link: {
      window: settings.windowSize,
      bindTimeoutMs: CONNECT_TIMEOUT_MS,
      enquireEveryMs: settings.enquireMs,
      enquireTimeoutMs: ENQUIRE_TIMEOUT_MS,
    },
  };
}

const CONNECT_TIMEOUT_MS = 10_000;

export function dialFor(deps: GatewayDeps, settings: SmppSettings, signal: AbortSignal) {
  const { host, port, tls } = settings;
  return deps.dialer.connect({ host, port, tls, timeoutMs: CONNECT_TIMEOUT_MS, signal });
}
