import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { SendResponder } from '../../messaging/intake/send.responder';
import { ApiSend } from '../../messaging/intake/send.openapi';
import type { Success } from '../../platform/http/envelope';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { SendSmsDto } from './send-sms.dto';

/** The first one is what Swagger UI offers to send. */
const EXAMPLES = {
  simple: {
    summary: 'A message',
    value: { to: '+393331234567', message: 'Your parcel is here.' },
  },
  failover: {
    summary: 'Simulator: Twilio answers 500, the next gateway delivers',
    value: { to: '+15005550014', message: 'Your parcel is here.' },
  },
  code: {
    summary: 'Urgent, with your own words on it',
    value: {
      to: '+393331234567',
      message: 'Your code is 482913.',
      priority: 'high',
      reference: 'login-8121',
      tags: ['login'],
      metadata: { session: '8121' },
    },
  },
};

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
  @ApiBody({ type: SendSmsDto, examples: EXAMPLES })
  @ApiSend()
  send(
    @CurrentTenant() tenant: Principal,
    @Body() body: SendSmsDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<object>> {
    return this.responder.respond(tenant, 'sms', body, request, response);
  }
}
