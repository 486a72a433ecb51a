/** A client's receiver as a process of its own: answers at once, counts, and keeps a few requests so that their signatures can be checked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveParent } from './child';

/** Every such request is kept as it came. */
const SAMPLE_EVERY = 500;

export interface ReceivedSample {
  headers: Record<string, string>;
  body: string;
}

export interface Received {
  /** Requests a second from the first measured one to the last. */
  perSecond: number;
  total: number;
  /** Different `webhook-id`s. */
  distinct: number;
  /** Requests under way at the same time, at most. */
  mostAtOnce: number;
  samples: ReceivedSample[];
}

export type ReceiverCommand =
  | { type: 'port' }
  /** Begins to count anew. @property skip requests before the measured ones */
  | { type: 'expect'; total: number; skip: number }
  /** Answers when all that are expected have come. */
  | { type: 'received'; withinMs: number };

let expected = 0;
let skip = 0;
let count = 0;
let firstAt = 0;
let lastAt = 0;
let ids: Array<string | undefined> = [];
let samples: ReceivedSample[] = [];
let underWay = 0;
let mostAtOnce = 0;
let complete = () => {};
let whole: Promise<void> = Promise.resolve();

const server = createServer((request, response) => {
  const keep = count % SAMPLE_EVERY === 0;
  count++;
  mostAtOnce = Math.max(mostAtOnce, ++underWay);
  if (count === skip) firstAt = performance.now();
  ids.push(request.headers['webhook-id'] as string | undefined);
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => keep && chunks.push(chunk));
  request.on('end', () => {
    if (keep)
      samples.push({
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString(),
      });
    underWay--;
    response.end('ok');
    if (count !== expected) return;
    lastAt = performance.now();
    complete();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1');
const listening = once(server, 'listening');

serveParent<ReceiverCommand>(async (command) => {
  await listening;
  switch (command.type) {
    case 'port':
      return (server.address() as AddressInfo).port;
    case 'expect':
      ({ total: expected, skip } = command);
      count = 0;
      ids = [];
      samples = [];
      mostAtOnce = 0;
      whole = new Promise((resolve) => (complete = resolve));
      return null;
    case 'received': {
      const late = setTimeout(complete, command.withinMs);
      await whole;
      clearTimeout(late);
      const perSecond = ((count - skip) * 1000) / (lastAt - firstAt);
      return { perSecond, total: count, distinct: new Set(ids).size, mostAtOnce, samples } satisfies Received;
    }
  }
});
