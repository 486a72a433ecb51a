import type { Bed } from '../bed';
import { expectEqual, type Figure } from '../figure';
import { fill, type Past } from '../fill';
import { Rounds } from '../rounds';
import type { BenchTenant, Service } from '../service';
import { storedSends } from '../waiting';

const DAY = 86_400_000;

interface Side {
  service: Service;
  tenant: BenchTenant;
  accepted: number;
}

/** Accept with millions of old messages, of the same tenant, in the tables of last month and this one, beside accept with none. */
export async function bigTablesRow(bed: Bed): Promise<Figure[]> {
  const { effort } = bed.options;
  const full = await side(bed);
  const empty = await side(bed);
  try {
    const count = effort.bigTableRows;
    const months = await fillPast(full, count);
    await bed.postgres.checkpoint();
    const rounds = new Rounds();
    for (let round = 0; round < effort.rounds; round++) {
      const before = bed.cpu(full.service);
      const measure = {
        full: () => bed.round(full.service, 'big-tables', round, () => send(bed, full)),
        none: () => send(bed, empty),
      };
      // Who comes first takes turns.
      const none = round % 2 === 0 ? await measure.none() : undefined;
      const withPast = await measure.full();
      rounds.add(withPast, none ?? (await measure.none()), before, bed.cpu(full.service));
    }
    const old = `SELECT count(*)::int AS n FROM messages WHERE reference LIKE 'past-%'`;
    expectEqual('old messages', (await full.service.database.query<{ n: number }>(old))[0]!.n, count);
    expectEqual('old messages beside it', (await empty.service.database.query<{ n: number }>(old))[0]!.n, 0);
    await verify(full);
    await verify(empty);
    const notes = [
      `the old messages lie in ${months} monthly tables, each with its idempotency key, provider id and event; analysed, and a checkpoint before the first round`,
      `${full.accepted} and ${empty.accepted} accepted = stored, none twice`,
    ];
    const what = `durable accept with ${count.toLocaleString('en')} messages in the tables, in-process queue, messages wait`;
    return [rounds.figure('big-tables', what, 'with none', 0.9, notes)];
  } finally {
    await Promise.all([full.service.stop(), empty.service.stop()]);
    await bed.postgres.drop(full.service.database);
  }
}

async function side(bed: Bed): Promise<Side> {
  const service = await bed.service();
  return { service, tenant: await service.createTenant('Bench', 1), accepted: 0 };
}

/** From the beginning of last month until now. Answers over how many tables. */
async function fillPast({ service, tenant }: Side, count: number): Promise<number> {
  const now = new Date();
  const from = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1) + DAY;
  const past: Past = { tenant, count, state: 'delivered', from, to: now.getTime() };
  await fill(service.database, past);
  const [row] = await service.database.query<{ n: number }>('SELECT count(DISTINCT tableoid)::int AS n FROM messages');
  return row!.n;
}

async function send(bed: Bed, at: Side) {
  const result = await bed.loadSends(at.service, at.tenant.apiKey);
  at.accepted += result.total;
  return result;
}

async function verify({ service, accepted }: Side): Promise<void> {
  const stored = await storedSends(service);
  expectEqual('messages stored', stored.messages, accepted);
  expectEqual('distinct messages stored', stored.references, accepted);
  expectEqual('idempotency keys stored', stored.keys, accepted);
}
