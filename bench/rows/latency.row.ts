import type { Bed } from '../bed';
import { expectEqual, notRun, type Figure } from '../figure';
import type { Driver } from '../options';
import { spread } from '../statistics';
import { storedSends } from '../waiting';

const MOST_MS = 50;
/** The generator must have kept the pace, or the figure says nothing. */
const LEAST_PACE = 0.97;

/** How long an accept takes at half of the speed limit, which is found right before. */
export async function latencyRow(bed: Bed): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const driver of bed.options.drivers) figures.push(await measure(bed, driver));
  return figures;
}

async function measure(bed: Bed, driver: Driver): Promise<Figure> {
  const what = `accept p99 at half of the accept limit, ${driver} queue, messages wait`;
  const missing = bed.missing(driver);
  if (missing) return notRun('latency', what, missing);
  const service = await bed.service({ driver });
  try {
    // One provider call a second: what is measured is the accept.
    const tenant = await service.createTenant('Bench', 1);
    const limits: number[] = [];
    const paces: number[] = [];
    const p50: number[] = [];
    const p99: number[] = [];
    const worst: number[] = [];
    let accepted = 0;
    for (let round = 0; round < bed.options.effort.rounds; round++) {
      const limit = await bed.loadSends(service, tenant.apiKey);
      const half = await bed.round(service, `latency-${driver}`, round, () =>
        bed.loadSends(service, tenant.apiKey, { rate: limit.perSecond / 2 }),
      );
      limits.push(limit.perSecond);
      paces.push(half.perSecond / (limit.perSecond / 2));
      p50.push(half.p50);
      p99.push(half.p99);
      worst.push(half.max);
      accepted += limit.total + half.total;
    }
    const stored = await storedSends(service);
    expectEqual('messages stored', stored.messages, accepted);
    expectEqual('distinct messages stored', stored.references, accepted);
    expectEqual('idempotency keys stored', stored.keys, accepted);
    const median = spread(p99).median;
    const pace = spread(paces);
    return {
      row: 'latency',
      what,
      unit: 'ms',
      value: spread(p99),
      reference: { what: 'limit', unit: '/s', value: spread(limits) },
      target: { text: `≤ ${MOST_MS} ms`, met: median <= MOST_MS && pace.median >= LEAST_PACE },
      notes: [
        `open loop, latency from when a request was due; median ${spread(p50).median.toFixed(1)} ms, slowest of all ${spread(worst).max.toFixed(0)} ms; ${(pace.median * 100).toFixed(1)} % of the asked pace was kept`,
        `${accepted} accepted = stored, none twice`,
      ],
    };
  } finally {
    await service.stop();
  }
}
