/** The stable machine words of the contract, and the HTTP status that each one usually has. */
export const PROBLEM_STATUS = {
  invalid_request: 400,
  unauthorized: 401,
  invalid_signature: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  payload_too_large: 413,
  idempotency_conflict: 422,
  no_gateway_available: 422,
  all_gateways_failed: 502,
  quota_exceeded: 429,
  rate_limited: 429,
  internal: 500,
} as const;

export type ProblemCode = keyof typeof PROBLEM_STATUS;

/** One field that is wrong. `field` is a path such as `recipients[3].email`; `code` is a stable word such as `invalid_phone_number`. */
export interface FieldError {
  field: string;
  code: string;
  message: string;
}

const TITLES: Record<ProblemCode, string> = {
  invalid_request: 'The request is not valid',
  unauthorized: 'Authentication is missing or wrong',
  invalid_signature: 'The signature is missing or wrong',
  forbidden: 'The key does not have the scope that this call needs',
  not_found: 'There is no such resource',
  conflict: 'The resource is in a state that does not allow this',
  payload_too_large: 'The request body is too large',
  idempotency_conflict: 'The idempotency key was used with another body',
  no_gateway_available: 'No gateway can take this message',
  all_gateways_failed: 'Every gateway failed',
  quota_exceeded: 'The quota is used up',
  rate_limited: 'Too many requests',
  internal: 'Something went wrong on our side',
};

/**
 * An expected refusal, answered as RFC 9457. Thrown anywhere; one filter in `platform/http` writes it.
 * `detail` and `errors` go to the client: they never hold a stack trace, a query, a credential or another tenant's data.
 */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly options: {
      status?: number;
      errors?: FieldError[];
      headers?: Record<string, string>;
      cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = 'Problem';
    this.status = options.status ?? PROBLEM_STATUS[code];
    this.title = TITLES[code];
  }

  /** A 400 about one field. */
  static field(field: string, code: string, message: string): Problem {
    return new Problem('invalid_request', `${field}: ${message}`, { errors: [{ field, code, message }] });
  }

  static notFound(what: string): Problem {
    return new Problem('not_found', `There is no such ${what}.`);
  }

  /** A 503: nothing was changed, the same call may succeed in a moment. */
  static unavailable(detail: string, cause?: unknown): Problem {
    return new Problem('internal', detail, { status: 503, headers: { 'Retry-After': '1' }, cause });
  }
}
