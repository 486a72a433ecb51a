import type { Response } from 'express';
import type { Database } from '../platform/database/database';
import type { HttpRequest } from '../platform/http/http-request';
import type { JobQueue } from '../platform/queue/job-queue';
import { HealthController } from './health.controller';

describe('HealthController', () => {
  const ask = async (parts: { database: boolean; queue: boolean }, stopping = false) => {
    const database = { query: () => (parts.database ? Promise.resolve([]) : Promise.reject(new Error('secret-host'))) };
    const queue = { waiting: () => Promise.resolve(parts.queue ? 0 : null) };
    const controller = new HealthController(database as unknown as Database, queue as unknown as JobQueue<unknown>);
    if (stopping) controller.shutDown();
    const answered = { status: 200, headers: {} as Record<string, string> };
    const response = {
      status(code: number) {
        answered.status = code;
        return this;
      },
      setHeader: (name: string, value: string) => (answered.headers[name] = value),
    };
    const body = await controller.ready({ id: 'req_1' } as HttpRequest, response as unknown as Response);
    return { ...answered, body };
  };

  it('is ready when database and queue are up', async () => {
    expect(await ask({ database: true, queue: true })).toMatchObject({
      status: 200,
      body: { success: true, status: 'ok', checks: { database: { status: 'up' }, queue: { status: 'up' } } },
    });
  });

  it.each([
    [{ database: false, queue: true }, false, 'Not ready: the database is down.'],
    [{ database: false, queue: false }, false, 'Not ready: the database is down, the queue is down.'],
    [{ database: true, queue: true }, true, 'Not ready: the process is stopping.'],
  ])('tells orchestrators and readers of problems what is wrong: %j, stopping %p', async (parts, stopping, detail) => {
    const { status, headers, body } = await ask(parts, stopping);
    expect([status, headers]).toEqual([503, { 'Retry-After': '1' }]);
    const down = (up: boolean) => ({ status: up ? 'up' : 'down' });
    expect(body).toMatchObject({
      success: false,
      type: '/problems/internal',
      title: 'Something went wrong on our side',
      status: 'unavailable',
      detail,
      code: 'internal',
      errors: [],
      request_id: 'req_1',
      checks: { database: down(parts.database), queue: down(parts.queue) },
    });
    expect(JSON.stringify(body)).not.toContain('secret-host');
  });
});
