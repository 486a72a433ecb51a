import { LRUCache } from 'lru-cache';
import type { GatewayContext } from '../../../gateway/contracts/gateway';
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { ProviderApi } from '../../../gateway/contracts/provider-api';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { encodeForm } from '../../../kernel/form';

/** What proves a call. Both are secrets. */
export interface SkebbySession {
  readonly userKey: string;
  readonly accessToken: string;
}

/** A refused sign-in is always about the account: nothing of a message is in it. */
const RULES: AnswerRules = {
  title: 'Skebby',
  errors: {
    http_400: { class: 'config', code: 'bad_credentials', title: 'the sign-in was refused' },
    // Quirk: wrong credentials are a 404 (smsend/REST-API, Authentication API, 2026-11).
    http_404: { class: 'config', code: 'bad_credentials', title: 'the username or password is wrong' },
  },
};

const MOST_SESSIONS = 5_000;

/**
 * Access tokens by config id and version, so that changed credentials are a new sign-in. Calls that need the same one at the same time share one
 * sign-in. Quirk: a token does not expire, a session key dies after 5 minutes without calls, so the token it is; whether a new token ends the
 * one before is not documented, so a process asks for one only when it has none or its own is refused (smsend/REST-API, 2026-11).
 */
export class SkebbySessions {
  private readonly kept = new LRUCache<string, Promise<SkebbySession>>({ max: MOST_SESSIONS });

  constructor(
    private readonly api: ProviderApi,
    private readonly baseUrl: () => string,
  ) {}

  /** The config's token; signs in when there is none. @throws GatewayError `config` or `transient`: nothing was sent */
  get(ctx: GatewayContext): Promise<SkebbySession> {
    const key = keyOf(ctx);
    let session = this.kept.get(key);
    if (session === undefined) {
      session = this.signIn(ctx);
      this.kept.set(key, session);
      const forget = (): void => {
        if (this.kept.peek(key) === session) this.kept.delete(key);
      };
      session.catch(forget);
    }
    return unlessAborted(session, ctx.signal);
  }

  /** Takes a token that was refused out of use; one that took its place meanwhile stays. */
  async drop(ctx: GatewayContext, refused: SkebbySession): Promise<void> {
    const kept = this.kept.peek(keyOf(ctx));
    if (kept !== undefined && (await kept.catch(() => refused)) === refused) this.kept.delete(keyOf(ctx));
  }

  release(configId: string): void {
    for (const key of this.kept.keys()) if (key.startsWith(`${configId}/`)) this.kept.delete(key);
  }

  private async signIn(ctx: GatewayContext): Promise<SkebbySession> {
    const query = encodeForm({
      username: ctx.credentials.username?.reveal() ?? '',
      password: ctx.credentials.password?.reveal() ?? '',
    });
    // Not the caller's signal: others may wait for the same sign-in.
    const shared = { ...ctx, signal: AbortSignal.timeout(ctx.timeoutMs) };
    const url = `${this.baseUrl()}/API/v1.0/REST/token?${query}`;
    const response = await this.api.call({ method: 'GET', url, headers: { accept: 'text/plain' } }, shared, 'read');
    if (response.status !== 200) throw nothingSent(this.api.refusal(response, ctx, {}, RULES));
    const [, userKey, accessToken] =
      /^\s*([\x21-\x3a\x3c-\x7e]+);([\x21-\x7e]+)\s*$/.exec(response.body.toString()) ?? [];
    if (userKey === undefined || accessToken === undefined) throw nothingSent(this.api.unreadable(response));
    return { userKey, accessToken };
  }
}

function keyOf(ctx: GatewayContext): string {
  return `${ctx.configId}/${ctx.configVersion}`;
}

/** A sign-in has no effect, so its failure is never `ambiguous`. */
function nothingSent(error: GatewayError): GatewayError {
  if (error.class === 'config' || error.class === 'throttled') return error;
  return new GatewayError({
    class: 'transient',
    code: 'sign_in_failed',
    message: 'Skebby: the sign-in failed',
    ...(error.providerCode !== undefined && { providerCode: error.providerCode }),
    cause: error,
  });
}

/** The wait for a sign-in that others may share ends when this caller gives up. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const failed = (): GatewayError =>
    new GatewayError({
      class: 'transient',
      code: 'not_reached',
      message: 'Skebby: given up during the sign-in',
      providerCode: 'aborted',
    });
  if (signal.aborted) throw failed();
  let abort: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(failed());
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}
