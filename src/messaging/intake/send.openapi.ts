import { applyDecorators, type Type } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { ApiData, ApiProblems } from '../../platform/http/openapi.decorators';
import { AcceptedMessageView, MessageView } from '../record/message.view';
import { DryRunView } from './dry-run.view';

/**
 * Documents the headers that every send takes and what it answers.
 * @param message what `Prefer: wait` shows
 */
export function ApiSend(message: Type = MessageView): MethodDecorator {
  const replayed = {
    'Idempotent-Replayed': {
      description: '`true` when this is the first answer again.',
      schema: { type: 'string' as const, example: 'true' },
    },
  };
  return applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: 'The same as `idempotency_key` in the body.',
      schema: { type: 'string', minLength: 1, maxLength: 255, example: 'order-8121-confirmation' },
    }),
    ApiHeader({
      name: 'Prefer',
      required: false,
      description:
        '`wait=N` (1 to 30): answer with the message as soon as it has left the queue. Answered at once, with 202, for a message that is scheduled, and while too many requests wait already.',
      schema: { type: 'string', example: 'wait=10' },
    }),
    ApiData(AcceptedMessageView, { status: 202, description: 'Accepted: the message is durable.', headers: replayed }),
    ApiData([AcceptedMessageView, message, DryRunView], {
      status: 200,
      description: 'Sandbox: simulated. With `Prefer: wait`: the message as it stands. Dry run: what would happen.',
      headers: replayed,
    }),
    ApiProblems(
      'invalid_request',
      'idempotency_conflict',
      'no_gateway_available',
      'payload_too_large',
      'quota_exceeded',
    ),
  );
}
