import { type DynamicModule, Module } from '@nestjs/common';
import { BullModule, getQueueToken } from '@nestjs/bull';
import type { Queue, QueueOptions } from 'bull';
import { LOGGER, type Logger } from '../../kernel/logger';
import { type BullJob, BullQueue } from './bull.queue';
import { InProcessQueue } from './in-process.queue';
import { DISPATCH_QUEUE, type ReadyGroup } from './job-queue';

/** Name of the Bull queue in Redis. */
const DISPATCH = 'unimsg-dispatch';

/** Options for a Bull queue on a Redis URL. Reconnects for ever; a command fails at once while the connection is away. */
export function bullOptions(redisUrl: string): QueueOptions {
  const url = new URL(redisUrl);
  // An IPv6 address has brackets in a URL only.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    redis: {
      host,
      port: Number(url.port || 6379),
      username: url.username ? decodeURIComponent(url.username) : undefined,
      password: url.password ? decodeURIComponent(url.password) : undefined,
      db: Number(url.pathname.slice(1) || 0),
      ...(url.protocol === 'rediss:' ? { tls: { servername: host } } : {}),
      maxRetriesPerRequest: null,
      retryStrategy: (times: number) => Math.min(100 * times, 2_000),
    },
    // A hand-over takes no time, so a job that is still active after this belongs to a process that died.
    settings: { lockDuration: 10_000, stalledInterval: 10_000, maxStalledCount: 1 },
  };
}

/** Decides which queue driver runs. Owns the hints; knows nothing of what they hint at. */
@Module({})
export class QueueModule {
  static forRedis(redisUrl: string | undefined): DynamicModule {
    if (redisUrl === undefined) {
      return {
        module: QueueModule,
        global: true,
        providers: [
          {
            provide: DISPATCH_QUEUE,
            inject: [LOGGER],
            useFactory: (logger: Logger) => new InProcessQueue<ReadyGroup[]>(logger),
          },
        ],
        exports: [DISPATCH_QUEUE],
      };
    }
    return {
      module: QueueModule,
      global: true,
      imports: [BullModule.registerQueue({ name: DISPATCH, ...bullOptions(redisUrl) })],
      providers: [
        {
          provide: DISPATCH_QUEUE,
          inject: [getQueueToken(DISPATCH), LOGGER],
          useFactory: (queue: Queue<BullJob<ReadyGroup[]>>, logger: Logger) => new BullQueue(queue, logger),
        },
      ],
      exports: [DISPATCH_QUEUE],
    };
  }
}
