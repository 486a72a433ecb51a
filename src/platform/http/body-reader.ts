import type { IncomingMessage, ServerResponse } from 'node:http';
import { Problem } from '../../kernel/problem';
import { parseJsonObject, storableUtf8 } from './json-body';
import { hasRawBody, type HttpRequest } from './http-request';

const MIB = 1024 * 1024;
/** Most bytes of a body. */
export const BODY_LIMIT = MIB;
/** The same for batches, notifications and email with attachments. */
export const LARGE_BODY_LIMIT = 10 * MIB;
/** Most bytes of a body that is read before it is known who sends it. */
const SMALL_BODY = MIB / 16;
/** What is read and dropped of a body that was refused, so that the client gets to read the answer; then the connection is cut. */
const DISCARD_LIMIT = 32 * MIB;

const EMAIL_PATHS = /^(\/v1\/email\/send|\/communication\/[^/]+\/emails)\/?$/;
const BATCH_PATHS = /^\/v1\/(messages\/batch|notifications)\/?$/;

/** Lists that are taken as CSV too: such a body is read as `{"csv": "<the text>"}`. */
const CSV_BODY_PATHS = /^\/v1\/suppressions\/?$/;

/** Bodies that their handlers read as they come; see {@link streamedBody}. */
const CSV_STREAM_PATHS = /^\/v1\/suppressions\/import\/?$/;
/** Most bytes of those. */
export const STREAM_LIMIT = 256 * MIB;

export function bodyLimit(path: string, csv = false): number {
  return csv || EMAIL_PATHS.test(path) || BATCH_PATHS.test(path) ? LARGE_BODY_LIMIT : BODY_LIMIT;
}

/** Whether a request has a body that costs next to nothing to read, or none. One of unknown length is not small. */
export function isSmallBody({ headers }: IncomingMessage): boolean {
  const declared = headers['content-length'];
  return declared === undefined ? headers['transfer-encoding'] === undefined : Number(declared) <= SMALL_BODY;
}

/**
 * Reads the body of a request into `request.body` (JSON) or `request.rawBody`, then calls `done` once; never when the client goes away.
 * A body that cannot be taken is refused before it is read.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  done: (problem?: Problem) => void,
): void {
  const { headers } = request;
  const declared = headers['content-length'];
  if (declared === undefined ? headers['transfer-encoding'] === undefined : declared === '0') {
    if (hasRawBody(path)) (request as HttpRequest).rawBody = Buffer.alloc(0);
    done();
    return;
  }
  if (CSV_STREAM_PATHS.test(path)) {
    const problem = Number(declared) > STREAM_LIMIT ? tooLarge(STREAM_LIMIT) : checkStream(headers);
    if (problem !== undefined) return refuseBody(request, () => done(problem));
    if (headers.expect !== undefined) response.writeContinue();
    done();
    return;
  }
  const raw = hasRawBody(path);
  const csv = CSV_BODY_PATHS.test(path) && isUtf8Of('text/csv', headers['content-type']);
  const limit = bodyLimit(path, csv);
  const refusal =
    declared !== undefined && Number(declared) > limit
      ? tooLarge(limit)
      : raw
        ? undefined
        : checkMediaType(headers, csv);
  if (refusal !== undefined) {
    refuseBody(request, () => done(refusal));
    return;
  }
  if (headers.expect !== undefined) response.writeContinue();

  let first: Buffer | undefined;
  let rest: Buffer[] | undefined;
  let size = 0;
  let refused = false;
  request.on('data', (chunk: Buffer) => {
    if (refused) return;
    size += chunk.length;
    if (size > limit) {
      refused = true;
      first = rest = undefined;
      refuseBody(request, () => done(tooLarge(limit)));
    } else if (first === undefined) first = chunk;
    else if (rest === undefined) rest = [first, chunk];
    else rest.push(chunk);
  });
  request.on('end', () => {
    if (refused) return;
    const bytes = rest === undefined ? (first ?? Buffer.alloc(0)) : Buffer.concat(rest, size);
    if (raw) {
      (request as HttpRequest).rawBody = bytes;
      done();
      return;
    }
    if (size === 0) {
      done();
      return;
    }
    let problem: Problem | undefined;
    try {
      const body: Record<string, unknown> = csv ? { csv: storableUtf8(bytes) } : parseJsonObject(bytes);
      if (size > BODY_LIMIT && EMAIL_PATHS.test(path) && !hasAttachments(body)) throw tooLarge(BODY_LIMIT);
      (request as HttpRequest).body = body;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem = error;
    }
    done(problem);
  });
}

function hasAttachments({ attachments }: Record<string, unknown>): boolean {
  return Array.isArray(attachments) && attachments.length > 0;
}

function tooLarge(limit: number): Problem {
  const message = `must have at most ${limit} bytes`;
  return new Problem('payload_too_large', `The body ${message}.`, {
    errors: [{ field: 'body', code: 'too_large', message: `body ${message}` }],
  });
}

/** Drops the rest of the body, and answers. */
export function refuseBody(request: IncomingMessage, answer: () => void): void {
  // A connection that is to end with the answer is cut then: whoever is still writing would get an error, and never the answer.
  if (request.headers.connection?.toLowerCase() === 'close' && request.headers.expect === undefined)
    request.once('end', answer);
  else answer();
  let dropped = 0;
  request.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > DISCARD_LIMIT) request.socket.destroy();
  });
}

function checkMediaType(headers: IncomingMessage['headers'], csv: boolean): Problem | undefined {
  const type = headers['content-type'];
  if (!csv && type !== 'application/json' && !isUtf8Of('application/json', type)) {
    return unsupported('content-type', 'must be application/json');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return unsupported('content-encoding', 'must be identity: compressed bodies are not taken');
  }
  return undefined;
}

function checkStream(headers: IncomingMessage['headers']): Problem | undefined {
  if (!isUtf8Of('text/csv', headers['content-type'])) return unsupported('content-type', 'must be text/csv in UTF-8');
  return checkMediaType(headers, true);
}

/** The bytes of a body that was left to its handler. @throws Problem payload_too_large at the end of a body that is too long */
export async function* streamedBody(request: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size <= STREAM_LIMIT) yield chunk;
    }
  } catch (error) {
    // Nobody reads the answer.
    throw new Problem('invalid_request', 'The body broke off.', { cause: error });
  }
  if (size > STREAM_LIMIT) throw tooLarge(STREAM_LIMIT);
}

/** Whether a content type is the wanted one, in UTF-8. */
function isUtf8Of(wanted: string, type: string | undefined): boolean {
  if (type === undefined) return false;
  const [essence, ...parameters] = type.toLowerCase().split(';');
  if (essence!.trim() !== wanted) return false;
  return parameters.every((one) => !one.trim().startsWith('charset=') || /^charset="?utf-?8"?$/.test(one.trim()));
}

function unsupported(field: string, message: string): Problem {
  return new Problem('invalid_request', `${field} ${message}.`, {
    status: 415,
    errors: [{ field, code: 'unsupported_media_type', message: `${field} ${message}` }],
  });
}
