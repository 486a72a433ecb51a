import type { SimulatorAnswer, SimulatorRequest } from '../../../gateway/contracts/simulator';

/** Username and password of Basic authentication; null when the request carries none. */
export function basicCredentials(request: SimulatorRequest): { username: string; password: string } | null {
  const header = request.headers.authorization;
  if (typeof header !== 'string' || !header.startsWith('Basic ')) return null;
  const text = Buffer.from(header.slice(6), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

export function jsonAnswer(status: number, body: unknown, headers?: Record<string, string>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

export function textAnswer(status: number, body: string, headers?: Record<string, string>): SimulatorAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}
