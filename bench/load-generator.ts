import { once } from 'node:events';
import { EventEmitter } from 'node:events';
import { KeepAliveConnection } from './keep-alive-connection';
import type { LoadJob, LoadResult } from './load.types';
import { requestMaker, type RequestMaker } from './request-maker';
import { percentile } from './statistics';

/** Longest wait for the answers that are still under way at the end. */
const TAIL_MS = 20_000;

interface Line {
  connection: KeepAliveConnection;
  /** When the request under way was due; undefined: none is. */
  due: number | undefined;
}

/**
 * Sends requests over a number of keep-alive connections and counts. In an open loop a request that finds no free connection waits, and its
 * wait counts as latency, so a service that stalls cannot hide it.
 */
export class LoadGenerator {
  private readonly maker: RequestMaker;
  private readonly lines: Line[] = [];
  private readonly free: Line[] = [];
  private readonly overdue: number[] = [];
  private readonly events = new EventEmitter();
  private latencies = new Float64Array(1 << 16);
  private measured = 0;
  private underWay = 0;
  private total = 0;
  private readonly failures: Record<string, number> = {};
  private sample: string | undefined;
  private measureFrom = Number.POSITIVE_INFINITY;
  private measureTo = Number.POSITIVE_INFINITY;
  private stopping = false;
  private rate: number | undefined;

  constructor(private readonly job: LoadJob) {
    this.maker = requestMaker(`${job.host}:${job.port}`, job.source);
    this.rate = job.rate;
  }

  /** Successes so far. */
  get accepted(): number {
    return this.total;
  }

  /** Changes the speed of an open loop. */
  setRate(rate: number): void {
    this.rate = rate;
  }

  async run(): Promise<LoadResult> {
    const { job } = this;
    await Promise.all(Array.from({ length: job.connections }, () => this.addLine()));
    const begin = performance.now();
    this.measureFrom = begin + job.warmupSeconds * 1000;
    this.measureTo = this.measureFrom + job.seconds * 1000;
    let cpu = process.cpuUsage();
    const marks = [
      setTimeout(() => (cpu = process.cpuUsage()), job.warmupSeconds * 1000),
      setTimeout(() => (cpu = process.cpuUsage(cpu)), (job.warmupSeconds + job.seconds) * 1000),
    ];
    const over = new Promise<void>((resolve) => marks.push(setTimeout(resolve, this.measureTo - begin + 5)));
    if (this.rate === undefined) {
      for (const line of this.free.splice(0)) this.send(line, performance.now());
      await Promise.race([over, once(this.events, 'exhausted')]);
    } else {
      await this.pace();
    }
    this.stopping = true;
    for (const mark of marks) clearTimeout(mark);
    const ranOut = performance.now() < this.measureTo;
    if (ranOut) {
      this.measureTo = performance.now();
      cpu = process.cpuUsage(cpu);
    }
    await this.tail();
    for (const { connection } of this.lines) connection.close();
    return this.result((cpu.user + cpu.system) / 1e6);
  }

  private async addLine(): Promise<void> {
    const line: Line = {
      due: undefined,
      connection: new KeepAliveConnection(
        this.job,
        (status, answer) => this.answered(line, status, answer),
        () => this.lost(line),
      ),
    };
    await line.connection.open();
    this.lines.push(line);
    this.free.push(line);
  }

  private send(line: Line, due: number): void {
    const request = this.maker.next();
    if (request === undefined) {
      this.free.push(line);
      this.events.emit('exhausted');
      return;
    }
    line.due = due;
    this.underWay++;
    line.connection.send(request);
  }

  private answered(line: Line, status: number, answer: Buffer): void {
    const now = performance.now();
    const due = line.due;
    if (due === undefined) return;
    this.finished(line);
    if (status === this.job.expect) {
      this.total++;
      if (now >= this.measureFrom && now < this.measureTo) this.note(now - due);
    } else {
      this.failures[status] = (this.failures[status] ?? 0) + 1;
      this.sample ??= answer.toString('utf8', 0, 2000);
    }
    this.goOn(line, now);
  }

  private goOn(line: Line, now: number): void {
    const next = this.rate === undefined ? now : this.overdue.shift();
    if (next === undefined || this.stopping) this.free.push(line);
    else this.send(line, next);
  }

  private lost(line: Line): void {
    if (line.due !== undefined) {
      this.failures[0] = (this.failures[0] ?? 0) + 1;
      this.finished(line);
    } else {
      const index = this.free.indexOf(line);
      if (index >= 0) this.free.splice(index, 1);
    }
    if (this.stopping) return;
    line.connection.open().then(
      () => this.goOn(line, performance.now()),
      () => (this.sample ??= 'a connection was refused'),
    );
  }

  private finished(line: Line): void {
    line.due = undefined;
    this.underWay--;
    if (this.stopping && this.underWay === 0) this.events.emit('idle');
  }

  /** Sends what is due, every millisecond. */
  private async pace(): Promise<void> {
    let due = performance.now();
    for (;;) {
      const now = performance.now();
      if (now >= this.measureTo) return;
      for (; due <= now; due += 1000 / this.rate!) {
        const line = this.free.pop();
        if (line) this.send(line, due);
        else this.overdue.push(due);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  private async tail(): Promise<void> {
    // What an open loop could not even send has the latency that it had by now, or the stall would not count.
    for (const due of this.overdue.splice(0)) if (due >= this.measureFrom) this.note(performance.now() - due, false);
    if (this.underWay === 0) return;
    const patience = setTimeout(() => this.events.emit('idle'), TAIL_MS);
    await once(this.events, 'idle');
    clearTimeout(patience);
    if (this.underWay > 0) this.failures[0] = (this.failures[0] ?? 0) + this.underWay;
  }

  private unsent = 0;

  private note(latency: number, answered = true): void {
    if (!answered) this.unsent++;
    if (this.measured === this.latencies.length) {
      const larger = new Float64Array(this.latencies.length * 2);
      larger.set(this.latencies);
      this.latencies = larger;
    }
    this.latencies[this.measured++] = latency;
  }

  private result(cpuSeconds: number): LoadResult {
    const sorted = this.latencies.subarray(0, this.measured).sort();
    const seconds = (this.measureTo - this.measureFrom) / 1000;
    const measured = this.measured - this.unsent;
    return {
      measured,
      seconds,
      perSecond: measured / seconds,
      total: this.total,
      failures: this.failures,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      max: percentile(sorted, 1),
      nextNumber: this.maker.number,
      cpuSeconds,
      ...(this.sample === undefined ? {} : { sample: this.sample }),
    };
  }
}
