// firebase-admin reads and checks the service account; the token is asked for here, as its own client ignores every address but Google's.
import { createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { cert } from 'firebase-admin/app';
import { LRUCache } from 'lru-cache';
import type { GatewayContext } from '../../../gateway/contracts/gateway';
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { AnswerRules } from '../../../gateway/contracts/provider-answer';
import { callProvider, jsonObject, refusalError, textOf } from '../../../gateway/contracts/provider-answer';
import type { GatewayDeps } from '../../../gateway/contracts/provider-definition';
import { type Clock, systemClock } from '../../../kernel/clock';
import { encodeForm } from '../../../kernel/form';
import { FCM_ERRORS } from './fcm.vocabulary';

/** What UniMsg may do with a token. */
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
/** What an assertion is addressed to, wherever it is sent. */
const AUDIENCE = 'https://oauth2.googleapis.com/token';
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ASSERTION_SECONDS = 3600;
/** A token is renewed this long before its end, or at half of its time when that is sooner. */
const RENEW_EARLY_MS = 5 * 60_000;
const MOST_KEPT = 10_000;
/** An account that was refused is not asked for again for a moment: each message of a queue would sign for it. */
const KEEP_REFUSED_MS = 5_000;
/** Bits of the largest key: Google's have 2048, and the time that a signature takes grows with the cube. */
const LARGEST_KEY = 4096;

const refused = { class: 'config', code: 'bad_credentials', title: 'no access token was given' } as const;
const RULES: AnswerRules = { title: 'Google OAuth', errors: FCM_ERRORS, httpStatus: { 400: refused } };

export interface ServiceAccount {
  projectId: string;
  clientEmail: string;
  privateKey: string;
  privateKeyId: string | undefined;
}

export interface AccessToken {
  value: string;
  /** The service account's own project. */
  projectId: string;
  /** It was asked for because of this call, so it cannot have been revoked since. */
  fresh: boolean;
}

/**
 * Reads the JSON key of a service account.
 * @throws Error that says what is wrong with it, without repeating any of it
 */
export function readServiceAccount(text: string): ServiceAccount {
  let fields: Record<string, unknown> | undefined;
  try {
    fields = jsonObject(Buffer.from(text));
    if (fields === undefined) throw new Error('it is no JSON object');
    cert(fields);
    checkKey(createPrivateKey(textOf(fields.private_key)!));
  } catch (error) {
    throw new Error(`is not the JSON key of a service account: ${faultOf(error)}`, { cause: error });
  }
  return {
    projectId: textOf(fields.project_id)!,
    clientEmail: textOf(fields.client_email)!,
    privateKey: textOf(fields.private_key)!,
    privateKeyId: textOf(fields.private_key_id),
  };
}

function checkKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): void {
  if (asymmetricKeyType !== 'rsa') throw new Error('its key is no RSA key');
  if ((asymmetricKeyDetails?.modulusLength ?? Infinity) > LARGEST_KEY)
    throw new Error(`its key has more than ${LARGEST_KEY} bits`);
}

/** OpenSSL's own words about a key are of no use to people. */
function faultOf(error: unknown): string {
  const text = error instanceof Error ? error.message : 'unreadable';
  return /private key/i.test(text) && !text.includes('"') ? 'its private key cannot be read' : text;
}

/** Access tokens of service accounts, kept by config and version until shortly before their end. Calls that need one at once share one request. */
export class AccessTokens {
  private readonly kept = new LRUCache<string, Omit<AccessToken, 'fresh'> & { renewAt: number }>({ max: MOST_KEPT });
  private readonly refused = new LRUCache<string, { error: GatewayError; until: number }>({ max: MOST_KEPT });
  private readonly pending = new Map<string, Promise<Omit<AccessToken, 'fresh'>>>();
  private readonly clock: Clock;

  constructor(private readonly deps: GatewayDeps) {
    this.clock = deps.clock ?? systemClock;
  }

  /** @throws GatewayError `config` when Google refuses the account, `transient` when it cannot be asked: nothing was sent then */
  async get(ctx: GatewayContext): Promise<AccessToken> {
    const key = keyOf(ctx);
    const kept = this.kept.get(key);
    if (kept && kept.renewAt > this.clock.now()) return { ...kept, fresh: false };
    const refused = this.refused.get(key);
    if (refused && refused.until > this.clock.now()) throw refused.error;
    let pending = this.pending.get(key);
    if (!pending) {
      // Without the signal of the caller: others wait for the same answer.
      pending = this.request(ctx, key).finally(() => this.pending.delete(key));
      this.pending.set(key, pending);
    }
    return { ...(await pending), fresh: true };
  }

  /** Forgets a token that was refused, unless there is another one by now. */
  drop(ctx: GatewayContext, token: AccessToken): void {
    if (this.kept.get(keyOf(ctx))?.value === token.value) this.kept.delete(keyOf(ctx));
  }

  release(configId: string): void {
    for (const answers of [this.kept, this.refused])
      for (const key of answers.keys()) if (key.startsWith(`${configId}:`)) answers.delete(key);
  }

  private async request(ctx: GatewayContext, key: string): Promise<Omit<AccessToken, 'fresh'>> {
    const account = accountOf(ctx);
    const assertion = await assertionOf(account, this.clock.now());
    const response = await callProvider(
      this.deps.http,
      RULES,
      {
        method: 'POST',
        url: `${this.deps.furtherUrl('oauth')}/token`,
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: encodeForm({ grant_type: GRANT_TYPE, assertion }),
        timeoutMs: ctx.timeoutMs,
      },
      'read',
    );
    const body = jsonObject(response.body);
    const token = textOf(body?.access_token);
    const seconds = Number(textOf(body?.expires_in));
    if (response.status === 200 && token !== undefined && seconds > 0) {
      const lifeMs = seconds * 1000;
      const renewAt = this.clock.now() + Math.max(lifeMs - RENEW_EARLY_MS, lifeMs / 2);
      const { projectId } = account;
      this.kept.set(key, { value: token, projectId, renewAt });
      return { value: token, projectId };
    }
    const error = refusalError(RULES, {
      response,
      code: textOf(body?.error),
      text: textOf(body?.error_description),
      credentials: ctx.credentials,
      now: this.clock.now(),
    });
    if (error.class === 'config') this.refused.set(key, { error, until: this.clock.now() + KEEP_REFUSED_MS });
    // No message was part of this request, so nothing can have been taken.
    if (error.class !== 'ambiguous' && error.class !== 'content_permanent') throw error;
    const { code, message, providerCode, providerText } = error;
    throw new GatewayError({
      class: 'transient',
      code,
      message,
      ...(providerCode !== undefined && { providerCode }),
      ...(providerText !== undefined && { providerText }),
    });
  }
}

/** @throws GatewayError `config` */
function accountOf(ctx: GatewayContext): ServiceAccount {
  try {
    return readServiceAccount(ctx.credentials.service_account_json?.reveal() ?? '');
  } catch (error) {
    throw new GatewayError({
      class: 'config',
      code: 'bad_credentials',
      message: `FCM: service_account_json ${(error as Error).message}`,
    });
  }
}

function keyOf(ctx: GatewayContext): string {
  return `${ctx.configId}:${ctx.configVersion}`;
}

/** In a thread of its own: other requests do not wait for it. */
const signed = promisify(sign);

/** RFC 7523: the service account says who it is, signed with its key (developers.google.com/identity/protocols/oauth2/service-account). */
export async function assertionOf(account: ServiceAccount, now: number): Promise<string> {
  const iat = Math.floor(now / 1000);
  const header = {
    alg: 'RS256',
    typ: 'JWT',
    ...(account.privateKeyId !== undefined && { kid: account.privateKeyId }),
  };
  const claims = { iss: account.clientEmail, scope: SCOPE, aud: AUDIENCE, iat, exp: iat + ASSERTION_SECONDS };
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = await signed('RSA-SHA256', Buffer.from(input), createPrivateKey(account.privateKey));
  return `${input}.${signature.toString('base64url')}`;
}
