import { applyDecorators, type Type } from '@nestjs/common';
import { ApiData, ApiProblems } from '../../platform/http/openapi.decorators';
import { AcceptedMessageView, MessageView } from '../record/message.view';
import { DryRunView } from './dry-run.view';

/**
 * Documents what every send answers.
 * @param message what `Prefer: wait` shows
 */
export function ApiSendAnswers(message: Type = MessageView): MethodDecorator {
  const replayed = {
    'Idempotent-Replayed': {
      description: '`true` when this is the first answer again.',
      schema: { type: 'string' as const, example: 'true' },
    },
  };
  return applyDecorators(
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
