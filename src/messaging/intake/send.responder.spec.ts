import type { Request, Response } from 'express';
import { silentLogger } from '../../kernel/logger';
import type { Principal } from '../../tenancy/principal';
import type { MessageReader } from '../record/message-reader';
import { MessageSignal } from '../record/message-signal';
import type { DryRunService } from './dry-run.service';
import type { IntakeService } from './intake.service';
import { SendResponder } from './send.responder';
import { SendWaits } from './send-waits';

type Waiting = ReadonlyArray<{ messageId: string }>;

describe('SendResponder', () => {
  const signal = new MessageSignal();

  function responder(reader: Partial<Record<keyof MessageReader, unknown>>, status = 'queued') {
    let accepted = 0;
    const all = reader as unknown as MessageReader;
    const accept = () =>
      Promise.resolve({ httpStatus: 202, replayed: false, data: { message_id: `msg_${++accepted}`, status } });
    const sender = new SendResponder(
      { accept } as unknown as IntakeService,
      {} as DryRunService,
      all,
      new SendWaits(all, signal),
      silentLogger,
    );
    return async (wait = 1) => {
      const answer: { status: number; waited: boolean } = { status: 0, waited: false };
      const response = {
        status: (code: number) => (answer.status = code),
        setHeader: () => (answer.waited = true),
        destroyed: false,
      } as unknown as Response;
      const request = { headers: { prefer: `wait=${wait}` } } as unknown as Request;
      const body = await sender.respond({ clientId: 't' } as Principal, 'sms', {}, request, response);
      return { ...answer, body };
    };
  }

  const away = () => Promise.reject(new Error('Connection terminated'));
  const allLeft = (some: Waiting) => Promise.resolve(new Set(some.map(({ messageId }) => messageId)));
  const get = (_: string, id: string) => Promise.resolve({ message_id: id, status: 'sent' });

  it('answers 202 when it cannot look at a message that it accepted: a refusal would have it sent again', async () => {
    expect(await responder({ leftQueue: away })()).toMatchObject({
      status: 202,
      body: { success: true, data: { message_id: 'msg_1', status: 'queued' } },
    });
    expect((await responder({ leftQueue: allLeft, get: away })()).status).toBe(202);
  });

  it('answers 200 with the message once it has left the queue', async () => {
    const answer = await responder({ leftQueue: allLeft, get })();
    expect(answer).toMatchObject({ status: 200, waited: true, body: { data: { status: 'sent' } } });
  });

  it('does not wait for a message that is for later', async () => {
    const answer = await responder({ leftQueue: away, get }, 'scheduled')(30);
    expect(answer).toMatchObject({ status: 202, waited: false, body: { data: { status: 'scheduled' } } });
  });

  it('looks at all that wait with one statement, is woken by a change, and turns nobody away but beyond its room', async () => {
    const looks: number[] = [];
    const left = new Set<string>();
    const leftQueue = (some: Waiting) => {
      looks.push(some.length);
      return Promise.resolve(new Set(some.map(({ messageId }) => messageId).filter((id) => left.has(id))));
    };
    const send = responder({ leftQueue, get });
    const waiting = Array.from({ length: 1_000 }, () => send(30));
    await new Promise((resolve) => setImmediate(resolve));
    expect(looks.reduce((sum, size) => sum + size)).toBe(1_000);
    expect(looks.length).toBeLessThan(5);
    expect(await send(30)).toMatchObject({ status: 202, waited: false });
    for (let i = 1; i <= 1_000; i++) left.add(`msg_${i}`);
    signal.changed(left);
    const answers = await Promise.all(waiting);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(looks.length).toBeLessThan(10);
  });

  it('sees what another process wrote, of which nothing tells it', async () => {
    let asked = 0;
    const leftQueue = (some: Waiting) => (++asked < 3 ? Promise.resolve(new Set<string>()) : allLeft(some));
    expect((await responder({ leftQueue, get })(10)).status).toBe(200);
  });

  it('answers 202 when the time is over', async () => {
    const leftQueue = () => Promise.resolve(new Set<string>());
    expect(await responder({ leftQueue, get })()).toMatchObject({ status: 202, waited: true });
  });
});
