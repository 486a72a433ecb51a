import pino from 'pino';
import type { Logger } from '../../kernel/logger';

/** Names of fields that hold secrets wherever they turn up. The last fence: nothing should hand them to a log in the first place. */
const SECRET_FIELDS = [
  'authorization',
  'api_key',
  'apiKey',
  'auth_token',
  'token',
  'password',
  'secret',
  'credentials',
  'signature',
];

/**
 * The service's log: one JSON object a line on standard output.
 * @param level least level; `silent` for none
 */
export function createLogger(level: string): Logger {
  return pino({
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[secret]' },
    serializers: { err: errorFields },
  });
}

/** What of an error may be logged: no request, no response, no query parameters that libraries hang on their errors. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: errorFields(error.cause) } : {}),
  };
}
