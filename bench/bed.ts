import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child';
import { cpuSeconds } from './cpu';
import type { LoadJob, LoadResult } from './load.types';
import type { BenchOptions, Driver } from './options';
import { BenchPostgres } from './postgres';
import { BenchRedis } from './redis';
import { Service, type ServiceOptions } from './service';
import type { SimulatorStats, StandInAddresses } from './simulator.main';
import { WrongResult } from './figure';

/** What the body of every send and of the reference looks like: four fields, equal in length. */
export const SEND_BODY = '{"to":"+3933{n}","message":"Your parcel is here.","from":"UniMsg","reference":"order-{n}"}';

/** CPU seconds of the processes that work for the service. */
export interface Cpu {
  service: number;
  postgres: number;
  empty: number;
  simulator: number;
}

/** What a row works on: started once for the run, stopped at its end whatever happens. */
export class Bed {
  readonly postgres: BenchPostgres;
  private loader!: Child;
  private simulator!: Child;
  private empty!: Child;
  private emptyPort = 0;
  private redisUrl: string | undefined;
  private ownRedis: BenchRedis | undefined;
  private twilioUrl = '';
  private databases = 0;
  private stopped: Promise<void> | undefined;
  /** Running number of every request of the run, so that no idempotency key comes twice. */
  private number = 0;

  constructor(readonly options: BenchOptions) {
    this.postgres = new BenchPostgres(options.profileDirectory !== undefined);
  }

  async start(givenRedisUrl: string | undefined): Promise<void> {
    await this.postgres.start();
    this.loader = Child.start('load.main', { name: 'load generator' });
    this.simulator = Child.start('simulator.main', { name: 'simulator' });
    this.empty = Child.start('empty-endpoint.main', { name: 'empty endpoint' });
    this.emptyPort = await this.empty.ask<number>({ type: 'port' });
    this.twilioUrl = (await this.simulatorStats()).baseUrl;
    this.redisUrl = givenRedisUrl;
    if (!givenRedisUrl && this.options.drivers.includes('bull')) {
      this.ownRedis = await BenchRedis.start();
      this.redisUrl = this.ownRedis?.url;
    }
  }

  /** Once, however often it is asked for. */
  stop(): Promise<void> {
    this.stopped ??= this.stopParts();
    return this.stopped;
  }

  private async stopParts(): Promise<void> {
    try {
      await Child.stopAll();
      await this.ownRedis?.stop();
    } finally {
      await this.postgres.stop();
    }
  }

  /** Why a driver cannot be measured here; undefined: it can. */
  missing(driver: Driver): string | undefined {
    return driver === 'bull' && !this.redisUrl ? 'no redis-server on the PATH and no REDIS_URL' : undefined;
  }

  /** A service on a database of its own. */
  async service(options: Partial<ServiceOptions> & { driver?: Driver } = {}): Promise<Service> {
    const { driver = 'in-process', ...rest } = options;
    return Service.start({
      database: rest.database ?? (await this.postgres.database(`bench_${++this.databases}`)),
      twilioUrl: this.twilioUrl,
      ...(driver === 'bull' ? { redisUrl: this.redisUrl } : {}),
      ...rest,
    });
  }

  /** Runs a round; with `--profile` the last one of a figure leaves a CPU profile of the service and what PostgreSQL did. */
  async round<Result>(service: Service, name: string, round: number, work: () => Promise<Result>): Promise<Result> {
    const { profileDirectory, effort } = this.options;
    if (!profileDirectory || round !== effort.rounds - 1) return work();
    mkdirSync(profileDirectory, { recursive: true });
    await this.postgres.resetStatements();
    const result = await service.profiled(join(profileDirectory, `${name}.cpuprofile`), work);
    writeFileSync(join(profileDirectory, `${name}.statements.txt`), await this.postgres.statements());
    return result;
  }

  /** Where the providers' stand-ins are, all in one process. */
  standIns(): Promise<StandInAddresses> {
    return this.simulator.ask({ type: 'addresses' });
  }

  simulatorStats(): Promise<SimulatorStats> {
    return this.simulator.ask({ type: 'stats' });
  }

  /** Load on the reference endpoint. */
  loadEmpty(job: Partial<LoadJob> = {}): Promise<LoadResult> {
    return this.load({
      port: this.emptyPort,
      expect: 202,
      source: {
        kind: 'template',
        path: '/messages',
        headers: { 'Content-Type': 'application/json' },
        body: SEND_BODY,
        firstNumber: 0,
      },
      ...job,
    });
  }

  /** Load on `POST /v1/sms/send`, an idempotency key of its own on each request. */
  async loadSends(
    service: Service,
    apiKey: string,
    job: Partial<LoadJob> & { body?: string } = {},
  ): Promise<LoadResult> {
    const { body = SEND_BODY, ...rest } = job;
    const result = await this.load({
      port: service.port,
      expect: 202,
      source: {
        kind: 'template',
        path: '/v1/sms/send',
        headers: {
          'Content-Type': 'application/json',
          Authorization: `Bearer ${apiKey}`,
          'Idempotency-Key': 'bench-{n}',
        },
        body,
        firstNumber: this.number,
      },
      ...rest,
    });
    this.number = result.nextNumber;
    return result;
  }

  /** @throws WrongResult when any request was not answered as expected */
  async load(job: Partial<LoadJob> & Pick<LoadJob, 'port' | 'expect' | 'source'>): Promise<LoadResult> {
    const { effort, connections } = this.options;
    const whole: LoadJob = {
      host: '127.0.0.1',
      connections,
      seconds: effort.seconds,
      warmupSeconds: effort.warmupSeconds,
      ...job,
    };
    const result = await this.loader.ask<LoadResult>({ type: 'run', job: whole });
    if (Object.keys(result.failures).length > 0)
      throw new WrongResult(`unexpected answers ${JSON.stringify(result.failures)}: ${result.sample ?? 'none came'}`);
    return result;
  }

  /** Changes the speed of the open loop that runs now. */
  setRate(rate: number): Promise<void> {
    return this.loader.ask({ type: 'rate', rate });
  }

  /** Successes of the load that runs now. */
  progress(): Promise<number> {
    return this.loader.ask({ type: 'progress' });
  }

  cpu(service: Service): Cpu {
    return {
      service: cpuSeconds(service.pid),
      postgres: this.postgres.cpuSeconds(),
      empty: cpuSeconds(this.empty.pid),
      simulator: cpuSeconds(this.simulator.pid),
    };
  }
}
