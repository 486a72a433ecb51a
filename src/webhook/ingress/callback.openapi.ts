import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiParam, ApiResponse } from '@nestjs/swagger';
import { CALLBACK_KINDS } from '../../gateway/contracts/gateway';
import { ApiProblems } from '../../platform/http/openapi.decorators';

const FOR_CONFIG =
  'This is the URL that UniMsg hands to providers. The signature is checked on the raw bytes before anything is read.';
const FOR_ANY =
  'The config is found from the account, number or message that the payload names, else among the configs that were changed last; its secret must prove the request. A URL with the id of the config is surer.';
const BY_GET = 'For providers that report in the query, or that ask here whether the URL is yours.';

/** Documents a route where providers report. What they send is theirs, so the body has no fields of ours. */
export function ApiCallback(operationId: string, path: { method: 'GET' | 'POST'; config: boolean }): MethodDecorator {
  const isPost = path.method === 'POST';
  return applyDecorators(
    ApiOperation({
      operationId,
      summary: `Receive a callback of a provider${path.config ? ' for one config' : ''}${isPost ? '' : ', in the query'}`,
      description: `${path.config ? FOR_CONFIG : FOR_ANY}${isPost ? '' : ` ${BY_GET}`}`,
    }),
    ApiParam({ name: 'provider', description: 'Path name of the provider.', example: 'twilio' }),
    ApiParam({ name: 'kind', description: 'What it reports.', enum: CALLBACK_KINDS, example: 'status' }),
    ...(path.config
      ? [
          ApiParam({
            name: 'config_id',
            description: 'The config that the callback is for.',
            example: 'cfg_01kaqz9yq8e5v6m3c2n1b0a9s8',
          }),
        ]
      : []),
    ...(isPost
      ? [
          ApiConsumes('application/x-www-form-urlencoded', 'application/json'),
          ApiBody({
            required: true,
            description: 'What the provider sends, in its own words.',
            schema: {
              type: 'object',
              additionalProperties: true,
              example: { MessageSid: 'SM0123456789abcdef0123456789abcdef', MessageStatus: 'delivered' },
            },
          }),
        ]
      : []),
    ApiResponse({
      status: 200,
      description: 'Stored and applied, or known already. The body is what the provider wants to read.',
    }),
    ApiProblems('invalid_signature', 'not_found', ...(isPost ? (['payload_too_large'] as const) : [])),
  );
}
