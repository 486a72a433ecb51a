// Speaks the protocol itself (platform/smpp). npm's smpp 0.5.1 never calls back for what is pending when a connection ends, has no window and no
// time-outs, stops reading after one malformed PDU, and chooses data_coding by itself: see docs/adr/0012-smpp.md.
import type {
  Gateway,
  GatewayContext,
  HealthReport,
  OutboundMessage,
  SendResult,
  StatusReport,
  ValidationIssue,
} from '../../../gateway/contracts/gateway';
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import type { Clock } from '../../../kernel/clock';
import { systemClock } from '../../../kernel/clock';
import { isLongerThan } from '../../../kernel/text-length';
import { AddressNotAllowedError } from '../../../platform/http-client/ssrf-guard';
import {
  messageIdOf,
  SmppBindRefused,
  type SmppLink,
  SmppLost,
  type SmppResponse,
} from '../../../platform/smpp/smpp-link';
import { BodyReader, BodyWriter, SMPP_COMMANDS, SMPP_STATUS, SmppFormatError } from '../../../platform/smpp/smpp-pdu';
import { SmppSession } from '../../../platform/smpp/smpp-session';
import { encodeParts } from '../../../platform/smpp/smpp-text';
import { parseReport } from './smpp.reports';
import { sessionOptions, SmppAccount } from './smpp.sessions';
import { DEFAULT_WINDOW, SMPP_SETTINGS, smppSettings } from './smpp.settings';
import { smppSimulator } from './smpp.simulator';
import { alphabetOf, MOST_PARTS, sourceOf, type Submission, submissionsOf } from './smpp.submission';
import { SMPP_ERRORS, SMPP_STATUSES, stateError, stateWord, statusCode, statusRow } from './smpp.vocabulary';

const TITLE = 'SMPP';
/** Ten parts of UCS-2 are less than half of it; the parts are what counts, and bounds the length too. */
const MAX_BODY_LENGTH = 1600;
/** A number, a short code, or letters and digits; what the field can hold (SMPP 3.4, 4.4.1). */
const SENDER = /^(\+?\d{1,20}|(?=.*[A-Za-z])[A-Za-z0-9 ._&-]{1,11})$/;
/** Longest wait for the good-bye of a bind of a moment. */
const UNBIND_MS = 1_000;
/** Pause before a part is tried again whose fellow parts are taken. */
const PART_RETRY_MS = 500;

class SmppGateway implements Gateway {
  private readonly clock: Clock;
  private readonly accounts = new Map<string, SmppAccount>();
  /** Configs that another process may have by now; nothing is opened for them but by `open`. */
  private readonly released = new Set<string>();

  constructor(private readonly deps: GatewayDeps) {
    this.clock = deps.clock ?? systemClock;
  }

  validate(message: OutboundMessage, values: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content, from } = message as OutboundMessage<'sms'>;
    const settings = smppSettings(values);
    const issues: ValidationIssue[] = [];
    const alphabet = alphabetOf(content.text, settings);
    if (content.text === '') issues.push({ field: 'message', code: 'required', message: 'must not be empty' });
    else if (
      isLongerThan(content.text, MAX_BODY_LENGTH) ||
      (alphabet && encodeParts(content.text, alphabet).length > MOST_PARTS)
    )
      issues.push({ field: 'message', code: 'too_long', message: `must be at most ${MAX_BODY_LENGTH} characters` });
    if (alphabet === undefined)
      issues.push({
        field: 'message',
        code: 'unsupported_characters',
        message: 'has characters that are not in the GSM 7-bit alphabet, which this account is limited to',
      });
    if (from !== null && !SENDER.test(from)) {
      const message = 'must be a number, a short code or up to 11 letters and digits for SMPP';
      issues.push({ field: 'from', code: 'invalid_sender', message });
    }
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const account = this.accountFor(ctx);
    const link = await this.linkOf(account, ctx);
    const now = this.clock.now();
    const reference = account.nextReference(message.to);
    const parts = submissionsOf(message as OutboundMessage<'sms'>, account.settings, reference, now);
    const outcomes = await Promise.all(parts.map((part) => this.submit(account, link, part, ctx)));
    const taken = outcomes.some((outcome) => typeof outcome === 'string');
    if (taken && outcomes.length > 1) await this.completeParts(account, link, parts, outcomes, ctx);
    const ids: string[] = [];
    for (const outcome of outcomes) {
      if (typeof outcome === 'string') ids.push(outcome);
      else throw worst(outcomes, taken);
    }
    return { externalId: ids[0]!, ...(ids.length > 1 && { externalIds: ids }), segments: ids.length };
  }

  async getStatus(externalId: string, ctx: GatewayContext): Promise<StatusReport | null> {
    const account = this.accounts.get(ctx.configId);
    if (!account || this.released.has(ctx.configId)) throw elsewhere();
    const link = await this.linkOf(account, ctx);
    const source = sourceOf(account.ids.sourceOf(externalId) ?? null, account.settings);
    const body = new BodyWriter().text(externalId).octets(source.ton, source.npi).text(source.address).end();
    const response = await link.windowed(SMPP_COMMANDS.query_sm, body, ctx.timeoutMs, ctx.signal).catch((error) => {
      throw lost(error, 'read');
    });
    if (response.status === SMPP_STATUS.queryFailed || response.status === INVALID_MESSAGE_ID) return null;
    if (response.status !== SMPP_STATUS.ok) throw refused(response.status);
    return queried(externalId, response);
  }

  async open(ctx: GatewayContext): Promise<void> {
    this.released.delete(ctx.configId);
    const { session } = this.accountFor(ctx);
    await session.bound(ctx.timeoutMs, ctx.signal).catch((error: Error) => {
      throw unbound(error);
    });
  }

  /** Of the session where there is one; else by a bind of a moment, as one that stays would be one too many where the account allows one. */
  async healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    const isKept = this.accounts.has(ctx.configId) && !this.released.has(ctx.configId);
    const session = isKept
      ? this.accountFor(ctx).session
      : new SmppSession({
          ...sessionOptions(this.deps, ctx, smppSettings(ctx.settings)),
          onMessage: () => Promise.resolve(SMPP_STATUS.temporaryAppError),
        });
    try {
      await session.bound(ctx.timeoutMs, ctx.signal);
      return { healthy: true };
    } catch (error) {
      const failure = unbound(error as Error);
      return {
        healthy: false,
        error: failure.message,
        errorClass: failure.class === 'config' ? 'config' : 'transient',
      };
    } finally {
      // The SMSC has to know before the next bind that this one is over.
      if (!isKept) await session.close(UNBIND_MS);
    }
  }

  async release(configId: string): Promise<void> {
    this.released.add(configId);
    const account = this.accounts.get(configId);
    this.accounts.delete(configId);
    await account?.close();
  }

  /** A change of the config is a new session; a call that was begun before it goes over the new one. */
  private accountFor(ctx: GatewayContext): SmppAccount {
    if (this.released.has(ctx.configId)) throw elsewhere();
    const kept = this.accounts.get(ctx.configId);
    if (kept && kept.ctx.configVersion >= ctx.configVersion) return kept;
    const account = new SmppAccount(this.deps, ctx, kept);
    this.accounts.set(ctx.configId, account);
    return account;
  }

  private async linkOf(account: SmppAccount, ctx: GatewayContext): Promise<SmppLink> {
    try {
      return await account.session.sender(ctx.timeoutMs, ctx.signal);
    } catch (error) {
      throw unbound(error as Error);
    }
  }

  /** The id that the SMSC gave, or why there is none. */
  private async submit(
    account: SmppAccount,
    link: SmppLink,
    { body, source }: Submission,
    ctx: GatewayContext,
  ): Promise<string | GatewayError> {
    try {
      const submit = account.session
        .submit(link, SMPP_COMMANDS.submit_sm, body, ctx.timeoutMs, ctx.signal)
        .then((response) => {
          const id = response.status === SMPP_STATUS.ok ? messageIdOf(response) : undefined;
          // Before anything else is read from the link: the receipt can be the next thing on it.
          if (id !== undefined) account.ids.add(id, source.address);
          return response;
        });
      const response = await account.tracked(submit);
      if (response.status !== SMPP_STATUS.ok) return refused(response.status);
      return messageIdOf(response) ?? unreadable();
    } catch (error) {
      return lost(error, 'send');
    }
  }

  /** Parts that were refused for now are tried again, as the recipient's phone waits for them: the whole message again would be a duplicate. */
  private async completeParts(
    account: SmppAccount,
    link: SmppLink,
    parts: readonly Submission[],
    outcomes: Array<string | GatewayError>,
    ctx: GatewayContext,
  ): Promise<void> {
    const until = performance.now() + ctx.timeoutMs;
    for (let pause = PART_RETRY_MS; performance.now() + pause < until && !ctx.signal.aborted; pause *= 2) {
      const open = outcomes.flatMap((outcome, index) =>
        typeof outcome !== 'string' && (outcome.class === 'throttled' || outcome.class === 'transient') ? [index] : [],
      );
      if (open.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, pause));
      await Promise.all(
        open.map(async (index) => {
          outcomes[index] = await this.submit(account, link, parts[index]!, ctx);
        }),
      );
    }
  }
}

const INVALID_MESSAGE_ID = 0x0c;

/**
 * What the failures of a message's parts mean for the whole. When some parts are at the SMSC, only a refusal that would come again is one of
 * the message.
 */
function worst(outcomes: ReadonlyArray<string | GatewayError>, taken: boolean): GatewayError {
  const errors = outcomes.filter((outcome) => outcome instanceof GatewayError);
  const unknown = errors.find((error) => error.class === 'ambiguous');
  if (unknown) return unknown;
  const final = errors.find((error) => error.class === 'recipient_permanent' || error.class === 'content_permanent');
  if (final) return final;
  const first = errors[0]!;
  if (!taken) return first;
  return new GatewayError({
    class: 'ambiguous',
    code: 'partly_taken',
    message: `${TITLE}: some parts of the message were taken, others were not: ${first.message}`,
    ...(first.providerCode !== undefined && { providerCode: first.providerCode }),
    cause: first,
  });
}

/** What a `command_status` says. */
function refused(status: number): GatewayError {
  const row = statusRow(status);
  return new GatewayError({
    class: row.class,
    code: row.code,
    message: `${TITLE}: ${row.title}`,
    providerCode: statusCode(status),
    ...(row.scope && { scope: row.scope }),
    ...(row.retryAfterMs !== undefined && { retryAfterMs: row.retryAfterMs }),
  });
}

function unreadable(): GatewayError {
  return new GatewayError({
    class: 'ambiguous',
    code: 'unreadable_answer',
    message: `${TITLE}: the answer has no message id that can be read`,
    providerCode: statusCode(SMPP_STATUS.ok),
  });
}

/** A request without an answer. */
function lost(error: unknown, effect: 'send' | 'read'): GatewayError {
  if (!(error instanceof SmppLost)) throw error;
  const unknown = error.written && effect === 'send';
  return new GatewayError({
    class: unknown ? 'ambiguous' : 'transient',
    code: unknown ? 'no_answer' : 'not_reached',
    message: `${TITLE}: ${unknown ? 'no answer to a request that was sent' : 'could not be asked'} (${error.reason})`,
    providerCode: error.reason,
    cause: error,
  });
}

/** Why there is no bind: nothing was written of what it is for. */
function unbound(error: Error): GatewayError {
  if (error instanceof SmppBindRefused) return refused(error.status);
  if (error instanceof AddressNotAllowedError)
    return new GatewayError({
      class: 'config',
      code: 'address_not_allowed',
      message: `${TITLE}: ${error.message}`,
      providerCode: 'address_not_allowed',
      cause: error,
    });
  const reason = error instanceof SmppLost ? error.reason : networkReason(error);
  return new GatewayError({
    class: 'transient',
    code: 'not_reached',
    message: `${TITLE}: the SMSC could not be reached (${reason})`,
    providerCode: reason,
    cause: error,
  });
}

const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
};

/** In the words that HTTP providers have for it. */
function networkReason(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return (
    rowOf(NETWORK_REASONS, code) ?? (code && /CERT|TLS|SSL|ALTNAME|SIGNED/.test(code) ? 'tls' : 'connection_failed')
  );
}

function elsewhere(): GatewayError {
  return new GatewayError({
    class: 'transient',
    code: 'session_elsewhere',
    message: `${TITLE}: this process does not hold the session of the account`,
    providerCode: 'session_elsewhere',
  });
}

/** The body of `query_sm_resp` (4.8.2). */
function queried(externalId: string, { body }: SmppResponse): StatusReport {
  try {
    const reader = new BodyReader(body);
    reader.text();
    reader.text();
    const word = stateWord(reader.octet());
    const code = reader.octet();
    const error = stateError(word, code === 0 ? undefined : String(code));
    return {
      externalId,
      status: rowOf(SMPP_STATUSES, word) ?? null,
      rawWord: word,
      ...(error && { error: { code: error.code, message: error.message, providerCode: error.providerCode } }),
    };
  } catch (error) {
    if (error instanceof SmppFormatError) throw unreadable();
    throw error;
  }
}

/** SMPP 3.4, as an ESME. */
export const smpp: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'smpp',
  channel: 'sms',
  slug: 'smpp',
  aliases: [],
  title: TITLE,
  docsUrl: 'https://smpp.org/SMPP_v3_4_Issue1_2.pdf',
  baseUrl: null,
  settings: SMPP_SETTINGS,
  credentials: {
    system_id: {
      description: 'System id of the account, at most 15 characters.',
      secret: true,
      required: true,
      identifiesAccount: true,
      pattern: /^[\x21-\x7e]{1,15}$/,
      example: 'acme',
    },
    // Quirk: 8 characters are the most by the book; there are SMSCs that take longer ones, and a strict one refuses those itself.
    password: {
      description: 'Password of the account; the protocol has room for 8 characters, some SMSCs take more.',
      secret: true,
      required: true,
      pattern: /^[\x20-\x7e]{1,64}$/,
      example: 'secret08',
    },
  },
  capabilities: {
    status: 'push',
    inbound: true,
    media: false,
    templates: false,
    idempotency: false,
    lookup: false,
    maxBodyLength: MAX_BODY_LENGTH,
  },
  limits: { defaultPerSecond: null, timeoutMs: 10_000, window: DEFAULT_WINDOW, windowSetting: 'window_size' },
  create: (deps) => new SmppGateway(deps),
  session: { parse: (raw, settings) => parseReport(raw, smppSettings(settings)) },
  callbacks: {},
  statuses: SMPP_STATUSES,
  errors: SMPP_ERRORS,
  simulator: smppSimulator,
});
