import { FAKE_ACCOUNT, FAKE_TOKEN, type FakeTwilio } from './fake-twilio';
import { until } from './until';

export const ADMIN_KEY = 'operator-key-of-the-crash-specs';

/** A message as `GET /v1/messages` shows it. */
export interface ShownMessage {
  message_id: string;
  status: string;
  possible_duplicate: boolean;
  attempts: Array<{ outcome: string; error_code?: string }>;
}

/** An answer that was no 2xx. */
export interface Refusal {
  status: number;
  contentType: string | null;
  retryAfter: string | null;
  body: Record<string, unknown>;
}

/** A tenant with one Twilio account. Unknown fates are looked into for a second only, so that specs end soon. */
export async function createTenant(url: string, adminKey = ADMIN_KEY): Promise<string> {
  const tenant = await call<{ api_key: string }>(url, adminKey, 'POST', '/admin/tenants', { name: 'Crash' });
  await call(url, tenant.api_key, 'POST', '/communication/twilio/configs/', {
    display_name: 'Fake',
    status: 'active',
    credentials: { account_sid: FAKE_ACCOUNT, auth_token: FAKE_TOKEN },
    from_number: '+15005550006',
  });
  await call(url, tenant.api_key, 'PUT', '/v1/gateways', {
    gateways: { sms: { primary: 'twilio', reconcile_seconds: 1 } },
  });
  return tenant.api_key;
}

/** The `data` of a 2xx answer. */
export async function call<T = unknown>(
  url: string,
  key: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (JSON.parse(text) as { data: T }).data;
}

/**
 * Clients that send without a pause and do as they should: a send that was refused with 5xx or got no answer is repeated with its
 * idempotency key until it is accepted.
 */
export class SendLoad {
  /** Message id to text, of every 202. */
  readonly accepted = new Map<string, string>();
  /** Answers that were no 2xx. */
  readonly refusals: Refusal[] = [];
  /** Requests that got no answer. */
  unanswered = 0;
  /** Longest time from a 202 to the next one, over all clients. */
  longestGapMs = 0;
  private lastAt = performance.now();
  private number = 0;
  private running = true;
  private readonly clients: Array<Promise<void>>;

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly options: { tag: string; clients?: number; pauseMs?: number },
  ) {
    this.clients = Array.from({ length: options.clients ?? 8 }, () => this.client());
  }

  /** Resolves when so many more were accepted. */
  async more(count: number, deadlineMs = 30_000): Promise<void> {
    const goal = this.accepted.size + count;
    await until(`${count} more messages accepted`, () => this.accepted.size >= goal, deadlineMs);
  }

  /** No further sends begin; resolves when those under way are accepted. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.clients);
  }

  private async client(): Promise<void> {
    while (this.running) {
      const number = this.number++;
      const text = `${this.options.tag} ${number}`;
      const body = { to: `+4670${1_000_000 + number}`, message: text, idempotency_key: text };
      const deadline = performance.now() + 60_000;
      while (!(await this.send(text, body))) {
        if (performance.now() > deadline) throw new Error(`${text} was not accepted within 60 s`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await new Promise((resolve) => setTimeout(resolve, this.options.pauseMs ?? 10));
    }
  }

  private async send(text: string, body: object): Promise<boolean> {
    let response: Response;
    let answer: Record<string, unknown>;
    try {
      response = await fetch(`${this.url}/v1/sms/send`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
      });
      answer = (await response.json()) as Record<string, unknown>;
    } catch {
      this.unanswered++;
      return false;
    }
    if (response.status !== 202) {
      const { status, headers } = response;
      this.refusals.push({
        status,
        contentType: headers.get('content-type'),
        retryAfter: headers.get('retry-after'),
        body: answer,
      });
      return false;
    }
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt);
    this.lastAt = now;
    this.accepted.set((answer.data as { message_id: string }).message_id, text);
    return true;
  }
}

/** What became of every message of a load. */
export interface Account {
  accepted: number;
  /** Accepted and neither sent nor delivered. */
  lost: ShownMessage[];
  /** Accepted, and the provider never saw the text. */
  unseen: string[];
  /** The provider has the text, and no accepted message says so. */
  strange: string[];
  /** Sent more than once. */
  doubled: number;
  /** Sent more than once, and the message does not say so. */
  unflagged: string[];
  /** Messages that say that they may have been sent twice. */
  flagged: number;
}

const DONE = new Set(['sent', 'delivered']);
const WAITING = ['queued', 'sending'];

/** Waits until every message of the load is with the provider, then compares both sides' books. */
export async function settle(
  url: string,
  key: string,
  load: SendLoad,
  fake: FakeTwilio,
  deadlineMs = 30_000,
): Promise<Account> {
  let shown = new Map<string, ShownMessage>();
  await until(
    'no message is on its way to the provider',
    async () => {
      for (const status of WAITING) {
        const some = await call<unknown[]>(url, key, 'GET', `/v1/messages?status=${status}&limit=1`);
        if (some.length > 0) return false;
      }
      // One may have gone from `sending` back to `queued` between the two looks.
      shown = await readAll(url, key);
      return ![...shown.values()].some(({ status }) => WAITING.includes(status));
    },
    deadlineMs,
  );
  const counts = fake.counts();
  const textsOf = new Set(load.accepted.values());
  const idOf = new Map([...load.accepted].map(([id, text]) => [text, id]));
  const doubled = [...counts].filter(([text, count]) => count > 1 && textsOf.has(text)).map(([text]) => text);
  return {
    accepted: load.accepted.size,
    lost: [...load.accepted.keys()]
      .filter((id) => !DONE.has(shown.get(id)?.status ?? ''))
      .map((id) => shown.get(id) ?? { message_id: id, status: 'missing', possible_duplicate: false, attempts: [] }),
    unseen: [...textsOf].filter((text) => !counts.has(text)),
    strange: [...counts.keys()].filter((text) => !textsOf.has(text)),
    doubled: doubled.length,
    unflagged: doubled.filter((text) => !shown.get(idOf.get(text)!)?.possible_duplicate),
    flagged: [...shown.values()].filter((message) => message.possible_duplicate).length,
  };
}

/** A send whose outcome was not stored after this time would have been stuck, not in flight. */
const IN_FLIGHT_MS = 2_000;

/** Texts that were sent twice although the first time was not just before one of the kills (milliseconds since the epoch). */
export function sentLongBefore(kills: readonly number[], fake: FakeTwilio): string[] {
  const first = new Map<string, number>();
  for (const { body, at } of fake.taken) if (!first.has(body)) first.set(body, at.getTime());
  return [...fake.counts()]
    .filter(([, count]) => count > 1)
    .map(([text]) => text)
    .filter((text) => {
      const at = first.get(text)!;
      return !kills.some((kill) => at <= kill + 100 && at > kill - IN_FLIGHT_MS);
    });
}

async function readAll(url: string, key: string): Promise<Map<string, ShownMessage>> {
  const all = new Map<string, ShownMessage>();
  let cursor: string | null = null;
  do {
    const response: Response = await fetch(
      `${url}/v1/messages?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
      { headers: { authorization: `Bearer ${key}` } },
    );
    const page = (await response.json()) as { data: ShownMessage[]; meta: { next_cursor: string | null } };
    for (const message of page.data) all.set(message.message_id, message);
    cursor = page.meta.next_cursor;
  } while (cursor);
  return all;
}
