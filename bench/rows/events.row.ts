import { Webhook } from 'standardwebhooks';
import { WEBHOOK_PROFILE } from '../../src/webhook/endpoints/webhook-delivery.service';
import { webhookBody } from '../../src/webhook/endpoints/webhook-event';
import type { Bed } from '../bed';
import { Child } from '../child';
import { expectEqual, WrongResult, type Figure } from '../figure';
import type { Received } from '../receiver.main';
import { cpuNote, Rounds } from '../rounds';
import type { BenchTenant, Service } from '../service';

/** Sets the size of a round: about what is delivered in a second. */
const EVENTS_PER_SECOND = 8000;
/** The reference is quicker, so it has more to do in a round. */
const LOOP_FACTOR = 3;
const WITHIN_MS = 180_000;
const CONNECTIONS = WEBHOOK_PROFILE.firstTries;

/** Events that are in the table → one client's endpoint, signed, each delivery recorded. */
export async function eventsRow(bed: Bed): Promise<Figure[]> {
  const { effort } = bed.options;
  const skip = effort.warmupSeconds * EVENTS_PER_SECOND;
  const count = skip + effort.seconds * EVENTS_PER_SECOND;
  const service = await bed.service();
  const receiver = Child.start('receiver.main', { name: 'receiver' });
  const poster = Child.start('poster.main', { name: 'undici loop' });
  try {
    const port = await receiver.ask<number>({ type: 'port' });
    const tenant = await service.createTenant('Bench');
    const { secret } = await service.call<{ secret: string }>('POST', '/v1/webhooks', tenant.apiKey, {
      url: `http://127.0.0.1:${port}/hook`,
      events: ['*'],
    });
    const received = async (factor: number, start: (total: number) => Promise<unknown>): Promise<Received> => {
      await receiver.ask({ type: 'expect', total: count * factor, skip: skip * factor });
      await start(count * factor);
      const result = await receiver.ask<Received>({ type: 'received', withinMs: WITHIN_MS });
      expectEqual('requests received', result.total, count * factor);
      return result;
    };
    const rounds = new Rounds();
    let delivered = 0;
    let checked = 0;
    let body = SAMPLE_BODY;
    for (let round = 0; round < effort.rounds; round++) {
      const loop = await received(LOOP_FACTOR, (total) =>
        poster.ask({ type: 'post', port, connections: CONNECTIONS, total, body }),
      );
      await bed.postgres.checkpoint();
      const before = bed.cpu(service);
      const events = await bed.round(service, 'events', round, () =>
        received(1, (total) => addEvents(service, tenant, round, total)),
      );
      expectEqual('different events received', events.distinct, count);
      if (events.mostAtOnce > CONNECTIONS) throw new WrongResult(`${events.mostAtOnce} deliveries at the same time`);
      checked += checkSignatures(events, secret);
      body = events.samples[0]!.body;
      delivered += count;
      await recorded(service, delivered);
      rounds.add(events, loop, before, bed.cpu(service));
    }
    const notes = [
      cpuNote(rounds, 'event', ['service', 'postgres']),
      `${delivered} events = received, none twice = recorded as delivered at the first try; ${checked} signatures checked with the standardwebhooks package`,
    ];
    const what = `client event → signed, delivered, recorded; one endpoint, ${CONNECTIONS} connections`;
    return [rounds.figure('events', what, `undici POST loop, ${CONNECTIONS} connections`, 0.25, notes)];
  } finally {
    await Promise.all([service.stop(), receiver.stop(), poster.stop()]);
  }
}

/** What the reference posts in the first round; afterwards it is a body that was delivered. */
const SAMPLE_BODY = webhookBody(
  {
    id: `evt_${'0'.repeat(26)}`,
    type: 'message.delivered',
    createdAt: new Date(0).toISOString(),
    data: JSON.stringify({
      message_id: `msg_${'0'.repeat(26)}`,
      status: 'delivered',
      channel: 'sms',
      to: '+393300000000',
    }),
  },
  'json',
);

/** One commit, so that they are all there when the service sees the first. */
async function addEvents(service: Service, tenant: BenchTenant, round: number, count: number): Promise<void> {
  const { database } = service;
  await database.query('BEGIN');
  await database.query(
    `WITH numbers AS (
       SELECT lpad(to_hex($2::bigint * 100000000 + n), 26, '0') AS id, n FROM generate_series(1, $3::int) AS n
     )
     INSERT INTO events (id, created_at, client_id, type, message_id, occurred_at, gateway, data)
     SELECT 'evt_' || id, now(), $1, 'message.delivered', 'msg_' || id, now(), 'twilio',
       jsonb_build_object('message_id', 'msg_' || id, 'client_id', $1::text, 'channel', 'sms', 'status', 'delivered',
         'to', '+3933' || lpad(n::text, 8, '0'), 'gateway', 'twilio', 'external_id', 'SM' || md5(n::text), 'reference', 'order-' || n,
         'occurred_at', now())
     FROM numbers`,
    [tenant.clientId, round + 1, count],
  );
  await database.query('ANALYZE events');
  await database.query('COMMIT');
}

function checkSignatures({ samples }: Received, secret: string): number {
  const webhook = new Webhook(secret);
  for (const { headers, body } of samples) webhook.verify(body, headers);
  if (samples.length === 0) throw new WrongResult('no request was kept');
  return samples.length;
}

/** Waits for the record of the last chunk, then compares. */
async function recorded(service: Service, expected: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const [row] = await service.database.query<{ rows: number; events: number; first: number }>(
      `SELECT count(*)::int AS rows, count(DISTINCT event_id)::int AS events,
         count(*) FILTER (WHERE status = 'succeeded' AND attempts = 1)::int AS first FROM webhook_deliveries`,
    );
    if (row!.rows < expected && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    expectEqual('deliveries recorded', row!.rows, expected);
    expectEqual('different events recorded', row!.events, expected);
    expectEqual('deliveries that succeeded at the first try', row!.first, expected);
    return;
  }
}
