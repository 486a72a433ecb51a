import type { Bed } from '../bed';
import { expectEqual, notRun, WrongResult, type Figure } from '../figure';
import type { LoadResult } from '../load.types';
import type { Driver } from '../options';
import { cpuNote, Rounds } from '../rounds';
import type { BenchTenant, Service } from '../service';

const REFERENCE = 'the same stack’s empty endpoint';
const LOOK_MS = 250;
/** Messages that are accepted and not finished while the highest speed is held: enough to keep every part busy. */
const KEPT_WAITING = 1000;
/** What waits in the last third of a measurement may be so many seconds' work more than in the first third. */
const GROWTH_SECONDS = 1;

/** Accepted without callbacks. */
const QUIET_BODY = '{"to":"+15005550013","message":"Your parcel {n} is here.","from":"UniMsg","reference":"order-{n}"}';
/** Accepted, then reported sent and delivered by signed callbacks. */
const REPORTED_BODY = '{"to":"+3933{n}","message":"Your parcel {n} is here.","from":"UniMsg","reference":"order-{n}"}';

interface Variant {
  name: string;
  body: string;
  callbacks: boolean;
  /** Least median ratio; missing: the line only informs. */
  least?: number;
}

const VARIANTS: readonly Variant[] = [
  { name: 'accept → provider → result stored', body: QUIET_BODY, callbacks: false, least: 0.35 },
  { name: 'the same with both status callbacks applied', body: REPORTED_BODY, callbacks: true },
];

/**
 * The whole path through the simulator at the highest speed that it holds: the load is steered so that about a thousand messages are on their
 * way, and what is counted is what is finished.
 */
export async function pathRow(bed: Bed): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const driver of bed.options.drivers) {
    for (const variant of VARIANTS) figures.push(...(await measure(bed, driver, variant)));
  }
  return figures;
}

async function measure(bed: Bed, driver: Driver, variant: Variant): Promise<Figure[]> {
  const what = `${variant.name}, ${driver} queue`;
  const missing = bed.missing(driver);
  if (missing) return [notRun('path', what, missing)];
  const service = await bed.service({ driver });
  try {
    const run = new PathRun(bed, service, await service.createTenant('Bench'), variant);
    const { effort } = bed.options;
    const rounds = new Rounds();
    for (let round = 0; round < effort.rounds; round++) {
      const before = bed.cpu(service);
      const empty = await bed.loadEmpty();
      const name = `path-${driver}${variant.callbacks ? '-callbacks' : ''}`;
      const path = await bed.round(service, name, round, () => run.measure(effort.seconds));
      rounds.add(path, empty, before, bed.cpu(service));
    }
    const verified = await run.verify();
    const figure = rounds.figure('path', what, REFERENCE, undefined, [cpuNote(rounds, 'message'), verified]);
    return [figure, await sustained(bed, run, what, variant)];
  } finally {
    await service.stop();
  }
}

/** One long stretch, between two measurements of the reference. */
async function sustained(bed: Bed, run: PathRun, what: string, variant: Variant): Promise<Figure> {
  const rounds = new Rounds();
  const before = bed.cpu(run.service);
  const empty = [await bed.loadEmpty()];
  const path = await run.measure(bed.options.effort.sustainedSeconds);
  if (path.backlogAtEnd > path.backlogAtBegin + path.perSecond * GROWTH_SECONDS)
    throw new WrongResult(`the backlog grew from ${path.backlogAtBegin} to ${path.backlogAtEnd}`);
  empty.push(await bed.loadEmpty());
  const perSecond = (empty[0]!.perSecond + empty[1]!.perSecond) / 2;
  rounds.add(path, { perSecond, total: empty[0]!.total + empty[1]!.total }, before, bed.cpu(run.service));
  const notes = [
    `waiting: ${path.backlogAtBegin} in the first third, ${path.backlogAtEnd} in the last, ${path.mostBacklog} at most`,
    cpuNote(rounds, 'message'),
    await run.verify(),
  ];
  const seconds = bed.options.effort.sustainedSeconds;
  return rounds.figure('path', `${what}, sustained ${seconds} s`, REFERENCE, variant.least, notes);
}

interface PathResult {
  perSecond: number;
  total: number;
  backlogAtBegin: number;
  backlogAtEnd: number;
  mostBacklog: number;
}

/** Messages through one service, steered by what waits. */
class PathRun {
  private accepted = 0;
  private rate = 500;
  private readonly receivedBefore: Promise<number>;

  constructor(
    private readonly bed: Bed,
    readonly service: Service,
    private readonly tenant: BenchTenant,
    private readonly variant: Variant,
  ) {
    this.receivedBefore = bed.simulatorStats().then((stats) => stats.received);
  }

  /** What waits is drained afterwards, so that each measurement begins with nothing. */
  async measure(seconds: number): Promise<PathResult> {
    const { bed } = this;
    await this.receivedBefore;
    const warmupSeconds = Math.max(3, bed.options.effort.warmupSeconds * 2);
    const load = bed.loadSends(this.service, this.tenant.apiKey, {
      body: this.variant.body,
      rate: this.rate,
      warmupSeconds,
      seconds,
    });
    const result = await this.steer(load, warmupSeconds * 1000, (warmupSeconds + seconds) * 1000);
    const { total } = await load;
    this.accepted += total;
    await this.drained();
    return { ...result, total };
  }

  private async steer(load: Promise<LoadResult>, from: number, to: number): Promise<Omit<PathResult, 'total'>> {
    let ended = false;
    // The caller awaits the load itself.
    const finish = () => (ended = true);
    load.then(finish, finish);
    const startedAt = performance.now();
    const samples: Sample[] = [];
    let last: Sample | undefined;
    let speed = this.rate;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (ended) break;
      const sample = await this.look(startedAt);
      if (sample.at > to) break;
      if (last) {
        const now = (sample.finished - last.finished) / ((sample.at - last.at) / 1000);
        speed = speed * 0.8 + now * 0.2;
        this.rate = Math.max(100, speed + 3 * (KEPT_WAITING - sample.waiting));
        await this.bed.setRate(this.rate);
      }
      if (sample.at >= from) samples.push(sample);
      last = sample;
    }
    const third = Math.floor(samples.length / 3);
    if (third === 0) throw new WrongResult('the load ended before anything was measured');
    const begin = samples[0]!;
    const end = samples.at(-1)!;
    const perSecond = (end.finished - begin.finished) / ((end.at - begin.at) / 1000);
    const atBegin = meanWaiting(samples.slice(0, third));
    const atEnd = meanWaiting(samples.slice(-third));
    const mostBacklog = Math.max(...samples.map((sample) => sample.waiting));
    return { perSecond, backlogAtBegin: atBegin, backlogAtEnd: atEnd, mostBacklog };
  }

  private async look(startedAt: number): Promise<Sample> {
    const at = performance.now() - startedAt;
    const [accepted, waiting] = await Promise.all([this.bed.progress(), this.waiting()]);
    return { at, waiting, finished: accepted - waiting };
  }

  /** Messages that are accepted and not finished. */
  private async waiting(): Promise<number> {
    const [row] = await this.service.database.query<{ n: number }>('SELECT count(*)::int AS n FROM message_queue');
    const unfinished = this.variant.callbacks ? (await this.bed.simulatorStats()).unfinished : 0;
    return row!.n + unfinished;
  }

  private async drained(): Promise<void> {
    while ((await this.waiting()) > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  /** Every accepted message went to the provider once and is stored as what came of it. */
  async verify(): Promise<string> {
    const status = this.variant.callbacks ? 'delivered' : 'sent';
    const [row] = await this.service.database.query<{ stored: number; done: number; once: number; known: number }>(
      `SELECT count(*)::int AS stored, count(*) FILTER (WHERE status = $1)::int AS done,
         count(*) FILTER (WHERE jsonb_array_length(attempts) = 1 AND NOT possible_duplicate)::int AS once,
         count(DISTINCT external_id)::int AS known FROM messages`,
      [status],
    );
    const received = (await this.bed.simulatorStats()).received - (await this.receivedBefore);
    expectEqual('messages stored', row!.stored, this.accepted);
    expectEqual(`messages ${status}`, row!.done, this.accepted);
    expectEqual('messages with one attempt', row!.once, this.accepted);
    expectEqual('distinct external ids', row!.known, this.accepted);
    expectEqual('messages at the provider', received, this.accepted);
    return `${this.accepted} accepted = at the provider = ${status}, each once`;
  }
}

function meanWaiting(samples: readonly Sample[]): number {
  return Math.round(samples.reduce((sum, sample) => sum + sample.waiting, 0) / samples.length);
}

interface Sample {
  /** Milliseconds since the load began. */
  at: number;
  finished: number;
  waiting: number;
}
