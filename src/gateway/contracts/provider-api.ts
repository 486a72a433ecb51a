import type { Clock } from '../../kernel/clock';
import { systemClock } from '../../kernel/clock';
import type { HttpRequest, HttpResponse } from '../../platform/http-client/http-client';
import type { GatewayContext, HealthReport } from './gateway';
import { GatewayError } from './gateway-error';
import type { AnswerRules, Refusal } from './provider-answer';
import { callProvider, refusalError, unreadableAnswer } from './provider-answer';
import type { GatewayDeps } from './provider-definition';

/** One provider's HTTP API: what every gateway does in the same way. Holds nothing of a tenant. */
export class ProviderApi {
  readonly clock: Clock;

  constructor(
    private readonly deps: GatewayDeps,
    private readonly rules: AnswerRules,
  ) {
    this.clock = deps.clock ?? systemClock;
  }

  /**
   * Makes one call within the context's time and signal.
   * @param effect see {@link callProvider}
   * @throws GatewayError when there is no answer
   */
  call(
    request: Omit<HttpRequest, 'timeoutMs' | 'signal'>,
    ctx: GatewayContext,
    effect: 'send' | 'read',
  ): Promise<HttpResponse> {
    return callProvider(
      this.deps.http,
      this.rules,
      { ...request, timeoutMs: ctx.timeoutMs, signal: ctx.signal },
      effect,
    );
  }

  /** Classifies an answer that did not take the message. @param rules where a part of the answer means another table */
  refusal(
    response: HttpResponse,
    ctx: GatewayContext,
    said: Pick<Refusal, 'code' | 'text' | 'row' | 'retryAfterMs'> = {},
    rules: AnswerRules = this.rules,
  ): GatewayError {
    return refusalError(rules, { response, ...said, credentials: ctx.credentials, now: this.clock.now() });
  }

  /** See {@link unreadableAnswer}. */
  unreadable(response: HttpResponse): GatewayError {
    return unreadableAnswer(this.rules, response);
  }

  /**
   * A health check: whatever goes wrong is told, nothing is thrown.
   * @param look resolves with what is wrong with the account, undefined when nothing is; throws GatewayError when it cannot be found out
   */
  async health(look: () => Promise<string | undefined>): Promise<HealthReport> {
    try {
      const fault = await look();
      if (fault === undefined) return { healthy: true };
      return { healthy: false, error: `${this.rules.title}: ${fault}`.slice(0, 200), errorClass: 'config' };
    } catch (error) {
      if (!(error instanceof GatewayError))
        return { healthy: false, error: `${this.rules.title} could not be asked`, errorClass: 'transient' };
      return { healthy: false, error: error.message, errorClass: error.class === 'config' ? 'config' : 'transient' };
    }
  }
}

/** The value of an `Authorization` header. */
export function basicAuth(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
