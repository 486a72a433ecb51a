import type { Request, Response } from 'express';
import { systemClock } from '../../kernel/clock';
import { silentLogger } from '../../kernel/logger';
import type { Principal } from '../../tenancy/principal';
import type { MessageReader } from '../record/message-reader';
import { MessageSignal } from '../record/message-signal';
import type { DryRunService } from './dry-run.service';
import type { IntakeService } from './intake.service';
import { SendResponder } from './send.responder';

describe('SendResponder', () => {
  const accepted = { httpStatus: 202, replayed: false, data: { message_id: 'msg_1', status: 'queued' } };

  async function send(reader: Partial<MessageReader>) {
    const responder = new SendResponder(
      { accept: () => Promise.resolve(accepted) } as unknown as IntakeService,
      {} as DryRunService,
      reader as MessageReader,
      new MessageSignal(),
      systemClock,
      silentLogger,
    );
    let status = 0;
    const response = { status: (code: number) => (status = code), setHeader() {} } as unknown as Response;
    const request = { headers: { prefer: 'wait=1' } } as unknown as Request;
    const body = await responder.respond({ clientId: 't' } as Principal, 'sms', {}, request, response);
    return { status, body };
  }

  it('answers 202 when it cannot look at a message that it accepted: a refusal would have it sent again', async () => {
    const away = () => Promise.reject(new Error('Connection terminated'));
    expect(await send({ hasLeftQueue: away })).toEqual({ status: 202, body: { success: true, data: accepted.data } });
    expect((await send({ hasLeftQueue: () => Promise.resolve(true), get: away })).status).toBe(202);
  });

  it('answers 200 with the message once it has left the queue', async () => {
    const get = () => Promise.resolve({ message_id: 'msg_1', status: 'sent' });
    const answer = await send({ hasLeftQueue: () => Promise.resolve(true), get } as unknown as Partial<MessageReader>);
    expect(answer).toMatchObject({ status: 200, body: { data: { status: 'sent' } } });
  });
});
