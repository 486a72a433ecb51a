import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { SendResponder } from '../../messaging/intake/send.responder';
import { ApiSendAnswers } from '../../messaging/intake/send.openapi';
import type { Success } from '../../platform/http/envelope';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { SendSmsDto } from './send-sms.dto';

@ApiTags('Sending')
@Controller('v1/sms')
export class SmsController {
  constructor(private readonly responder: SendResponder) {}

  @Post('send')
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'sendSms',
    summary: 'Send an SMS',
    description:
      'Answers 202 once the message is durable. Routing, failover, retries and callbacks follow by themselves.',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'The same as `idempotency_key` in the body.',
    schema: { type: 'string', maxLength: 255 },
  })
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N` (1 to 30): answer with the message as soon as it has left the queue.',
    schema: { type: 'string', example: 'wait=10' },
  })
  @ApiSendAnswers()
  send(
    @CurrentTenant() tenant: Principal,
    @Body() body: SendSmsDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<object>> {
    return this.responder.respond(tenant, 'sms', body, request, response);
  }
}
