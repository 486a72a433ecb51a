import express from 'express';
import fc from 'fast-check';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RouteTable } from './route-table';

const words = ['v1', 'sms', 'send', 'messages', 'x-1', 'a.b', '~'];
const segment = fc.oneof(fc.constantFrom(...words), fc.constantFrom(':id', ':key'));
const route = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .filter(
    (segments) =>
      new Set(segments.filter((one) => one.startsWith(':'))).size ===
      segments.filter((one) => one.startsWith(':')).length,
  )
  .map((segments) => `/${segments.join('/')}`);
const method = fc.constantFrom('GET', 'POST', 'DELETE');
const asked = fc
  .tuple(fc.array(fc.oneof(fc.constantFrom(...words, 'V1', '%41', 'c%2Fd', '')), { maxLength: 5 }), fc.boolean())
  .map(([segments, slash]) => `/${segments.join('/')}${slash ? '/' : ''}`);

/** Which route Express would take: the answer of a handler, without a server. */
function expressMatch(routes: Array<[string, string]>, verb: string, url: string) {
  const app = express();
  app.enable('case sensitive routing');
  app.disable('x-powered-by');
  let found: { index: number; params: object } | undefined;
  routes.forEach(([way, path], index) => {
    const name = way.toLowerCase() as 'get' | 'post' | 'delete';
    app[name](path, (request) => void (found = { index, params: { ...request.params } }));
  });
  const request = { method: verb, url, headers: {} } as unknown as IncomingMessage;
  (app as unknown as { handle(req: unknown, res: unknown, done: () => void): void }).handle(
    request,
    {} as ServerResponse,
    () => {},
  );
  return found;
}

describe('RouteTable', () => {
  it('finds the route that Express would', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(method, route), { maxLength: 8 }), method, asked, (routes, verb, url) => {
        const table = new RouteTable();
        const handlers = routes.map(([way, path]) => {
          const handler = () => {};
          expect(table.add(way, path, handler)).toBe(true);
          return handler;
        });
        const match = table.find(verb, url);
        const expected = expressMatch(routes, verb, url);
        expect(match && { index: handlers.indexOf(match.handler as () => void), params: { ...match.params } }).toEqual(
          expected,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('leaves patterns to Express', () => {
    const table = new RouteTable();
    for (const path of ['*path', '/docs/*path', '/a{/:b}', '/a/:b.json', '/', '', '/:a-:b']) {
      expect(table.add('GET', path, () => {})).toBe(false);
    }
  });
});
