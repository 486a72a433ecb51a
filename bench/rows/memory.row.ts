import type { Bed } from '../bed';
import { expectEqual, notRun, WrongResult, type Figure } from '../figure';
import { fill, type Past } from '../fill';
import type { Driver } from '../options';
import type { Service } from '../service';
import type { MemoryUse } from '../service.main';
import { spread } from '../statistics';
import { waitingMessages } from '../waiting';

const MIB = 2 ** 20;
const MOST_MIB = 150;
const IDLE_SECONDS = 5;

/**
 * What the process grows by while very many messages wait for a provider account that takes one a second. They are written by SQL, so the
 * process learns of them as it does after a crash: by its sweeps.
 */
export async function memoryRow(bed: Bed): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const driver of bed.options.drivers) figures.push(await measure(bed, driver));
  return figures;
}

async function measure(bed: Bed, driver: Driver): Promise<Figure> {
  const { waitingMessages: count, watchSeconds, rounds } = bed.options.effort;
  const what = `growth of the process while ${count.toLocaleString('en')} messages wait, ${driver} queue`;
  const missing = bed.missing(driver);
  if (missing) return notRun('memory', what, missing);
  const list: MemoryRound[] = [];
  for (let round = 0; round < rounds; round++) list.push(await measureRound(bed, driver));
  const growth = spread(list.map(({ idle, most }) => (most.rss - idle.rss) / MIB));
  const mib = (of: (round: MemoryRound) => number) => (spread(list.map(of)).median / MIB).toFixed(0);
  return {
    row: 'memory',
    what,
    unit: 'MiB',
    value: growth,
    reference: { what: 'idle', unit: 'MiB', value: spread(list.map(({ idle }) => idle.rss / MIB)) },
    target: { text: `+ ≤ ${MOST_MIB} MiB`, met: growth.median <= MOST_MIB },
    notes: [
      `resident memory, the highest in ${watchSeconds} s; at their end ${mib(({ last }) => last.rss)} MiB; heap after a collection ${mib(({ idle }) => idle.heap)} MiB idle, ${mib(({ last }) => last.heap)} MiB with the messages waiting`,
      `at the end ${list.map(({ waiting }) => waiting).join(', ')} waited and ${list.map(({ sent }) => sent).join(', ')} had been sent: none lost`,
    ],
  };
}

interface MemoryRound {
  idle: MemoryUse;
  most: MemoryUse;
  last: MemoryUse;
  waiting: number;
  sent: number;
}

async function measureRound(bed: Bed, driver: Driver): Promise<MemoryRound> {
  const { waitingMessages: count, watchSeconds } = bed.options.effort;
  const service = await bed.service({ driver });
  try {
    const tenant = await service.createTenant('Bench', 1);
    const before = await watch(service, IDLE_SECONDS);
    const idle = { rss: before.last.rss, heap: (await service.memory(true)).heap };
    const now = Date.now();
    const past: Past = { tenant, count, state: 'queued', from: now - 60_000, to: now };
    await fill(service.database, past);
    const { most, last } = await watch(service, watchSeconds);
    const heap = (await service.memory(true)).heap;
    const { waiting, sent } = await verify(service, count);
    return { idle, most, last: { rss: last.rss, heap }, waiting, sent };
  } finally {
    await service.stop();
    await bed.postgres.drop(service.database);
  }
}

async function watch(service: Service, seconds: number): Promise<{ most: MemoryUse; last: MemoryUse }> {
  let last = await service.memory();
  let most = last;
  for (let second = 0; second < seconds; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    last = await service.memory();
    if (last.rss > most.rss) most = last;
  }
  return { most, last };
}

/** All are there, nearly all still wait, and the process was at work: it sent some. */
async function verify(service: Service, count: number): Promise<{ waiting: number; sent: number }> {
  await service.database.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const waiting = await waitingMessages(service);
  const [row] = await service.database.query<{ all: number; gone: number }>(
    `SELECT count(*)::int AS all, count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM message_queue q WHERE q.message_id = m.id)
       AND status IN ('sent', 'delivered'))::int AS gone FROM messages m`,
  );
  await service.database.query('COMMIT');
  expectEqual('messages', row!.all, count);
  expectEqual('messages that wait or were sent', waiting + row!.gone, count);
  if (waiting < count * 0.99) throw new WrongResult(`only ${waiting} of ${count} messages still waited`);
  if (row!.gone === 0) throw new WrongResult('none of the waiting messages was sent');
  return { waiting, sent: row!.gone };
}
