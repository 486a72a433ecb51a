import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { PROBLEM_STATUS, Problem, type ProblemCode } from '../../kernel/problem';
import { ProblemView } from './problem.view';

const PROBLEM_CODES = 'unimsg:problem-codes';

const RESPONSE_HEADERS = {
  'X-Request-Id': {
    description: 'Id of this request; your own when you sent a well-formed one.',
    schema: { type: 'string', example: 'req_01kaqz9yq8e5v6m3c2n1b0a9s8' },
  },
} as const;

export interface ApiDataOptions {
  description: string;
  /** Default 200. */
  status?: number;
  /** Response headers besides `X-Request-Id`. */
  headers?: Record<
    string,
    { description: string; schema: { type: 'string' | 'integer' | 'boolean'; example?: unknown } }
  >;
}

/** Documents `{"success": true, "data": View}`. An array of views documents "one of these". */
export function ApiData(view: Type | Type[], options: ApiDataOptions): MethodDecorator {
  const views = Array.isArray(view) ? view : [view];
  const refs = views.map((one) => ({ $ref: getSchemaPath(one) }));
  const single = refs.length === 1 ? refs[0]! : { anyOf: refs };
  return applyDecorators(
    ApiExtraModels(...views),
    ApiResponse({
      status: options.status ?? 200,
      description: options.description,
      headers: { ...RESPONSE_HEADERS, ...options.headers },
      schema: envelope(single, {}),
    }),
  );
}

const PAGE_META = {
  meta: {
    type: 'object',
    required: ['next_cursor', 'limit'],
    properties: {
      next_cursor: {
        type: 'string',
        nullable: true,
        description: 'Give it back as `cursor` for the next page; null on the last one.',
        example: 'eyJ2IjoxLCJrIjpbIm1zZ18wMWthcXo5eXE4ZTV2Nm0zYzJuMWIwYTlzOCJdfQ',
      },
      limit: { type: 'integer', description: 'Most items of a page.', example: 50 },
    },
  },
};

/**
 * Documents one page of a list: `{"success": true, "data": [View], "meta": {"next_cursor", "limit"}}`.
 * `csv`: the route answers the whole list as CSV too.
 */
export function ApiPage(view: Type, options: { description: string; csv?: boolean }): MethodDecorator {
  const schema = envelope({ type: 'array', items: { $ref: getSchemaPath(view) } }, PAGE_META);
  const { description } = options;
  return applyDecorators(
    ApiExtraModels(view),
    ApiResponse({
      status: 200,
      description,
      headers: RESPONSE_HEADERS,
      ...(options.csv
        ? { content: { 'application/json': { schema }, 'text/csv': { schema: { type: 'string' } } } }
        : { schema }),
    }),
  );
}

/**
 * Documents the error answers of a route, or of all routes of a controller; may be applied several times. 500 and 503 come by themselves;
 * 401, 403 and 429 come with the decorators of `tenancy/auth.decorators`.
 */
export function ApiProblems(...codes: ProblemCode[]): MethodDecorator & ClassDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const holder = (descriptor?.value ?? target) as object;
    const known = (Reflect.getOwnMetadata(PROBLEM_CODES, holder) as ProblemCode[] | undefined) ?? [];
    const all = [...new Set<ProblemCode>([...known, ...codes, 'internal'])];
    // A route's own 429 replaces the controller's, so it has to name both.
    if (all.includes('quota_exceeded') && !all.includes('rate_limited')) all.push('rate_limited');
    Reflect.defineMetadata(PROBLEM_CODES, all, holder);
    const byStatus = new Map<number, ProblemCode[]>();
    for (const code of all) {
      const status = PROBLEM_STATUS[code];
      byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
    }
    const responses = [...byStatus].map(([status, some]) => problemResponse(status, some));
    responses.push(
      problemResponse(503, ['internal'], 'Not possible right now; nothing was changed. Try again after `Retry-After`.'),
    );
    for (const decorate of [ApiExtraModels(ProblemView), ...responses]) {
      (decorate as (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => void)(
        target,
        key,
        descriptor,
      );
    }
  };
}

/** Documents the only refusal of a public route without parameters: a path or query that cannot be read. */
export function ApiMalformed(): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(ProblemView),
    problemResponse(400, ['invalid_request'], 'The path or the query cannot be read.'),
  );
}

/** Documents a 422 whose code is `invalid_request`: well-formed, and not possible with the values that it has. */
export function ApiUnprocessable(text: string, errors: ProblemView['errors']): MethodDecorator {
  return applyDecorators(
    ApiExtraModels(ProblemView),
    ApiResponse({ status: 422, ...problemAnswer(422, ['invalid_request'], text, errors) }),
  );
}

/** What the HTTP platform itself refuses, by status, for every route with a path parameter (400) or with a body. */
export function platformRefusals(hasBody: boolean): Record<string, object> {
  const malformed = problemAnswer(400, ['invalid_request']);
  if (!hasBody) return { 400: malformed };
  const type = {
    field: 'content-type',
    code: 'unsupported_media_type',
    message: 'content-type must be application/json',
  };
  return {
    400: malformed,
    413: problemAnswer(413, ['payload_too_large']),
    415: problemAnswer(
      415,
      ['invalid_request'],
      'The body is not of the type that the route takes, not in UTF-8, or compressed.',
      [type],
    ),
  };
}

function problemResponse(status: number, codes: ProblemCode[], text?: string): MethodDecorator & ClassDecorator {
  return ApiResponse({ status, ...problemAnswer(status, codes, text) });
}

function problemAnswer(status: number, codes: ProblemCode[], text?: string, errors?: ProblemView['errors']) {
  const titles = codes.map((code) => `\`${code}\`: ${new Problem(code, '').title}.`);
  const retry = {
    'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' as const, example: 1 } },
  };
  return {
    description: text ?? titles.join(' '),
    headers: status === 429 || status === 503 ? { ...RESPONSE_HEADERS, ...retry } : RESPONSE_HEADERS,
    content: {
      'application/problem+json': {
        schema: { $ref: getSchemaPath(ProblemView) },
        examples: Object.fromEntries(
          codes.map((code) => [
            code,
            { summary: code, value: { ...problemExample(status, code), ...(errors && { errors }) } },
          ]),
        ),
      },
    },
  };
}

function problemExample(status: number, code: ProblemCode): ProblemView {
  const { title } = new Problem(code, '');
  return {
    success: false,
    type: `/problems/${code}`,
    title,
    status,
    detail: `${title}.`,
    code,
    errors:
      code === 'invalid_request' ? [{ field: 'limit', code: 'too_large', message: 'limit must be at most 200' }] : [],
    request_id: 'req_01kaqz9yq8e5v6m3c2n1b0a9s8',
  };
}

function envelope(data: object, more: Record<string, object>) {
  return {
    type: 'object',
    required: ['success', 'data', ...Object.keys(more)],
    properties: {
      success: { type: 'boolean', enum: [true], description: 'Always true.', example: true },
      data,
      ...more,
    },
  };
}
