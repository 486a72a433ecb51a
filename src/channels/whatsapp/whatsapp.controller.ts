import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { SendResponder } from '../../messaging/intake/send.responder';
import { ApiSend } from '../../messaging/intake/send.openapi';
import type { Success } from '../../platform/http/envelope';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { SendWhatsAppDto } from './send-whatsapp.dto';

/** The first one is what Swagger UI offers to send. */
const EXAMPLES = {
  template: {
    summary: 'A template: the way to write first',
    value: {
      to: '+393331234567',
      template: { name: 'order_shipped', language: 'en_US', parameters: ['Ann', '8121'] },
    },
  },
  text: {
    summary: 'Free text, within 24 hours after the recipient wrote',
    value: { to: '+393331234567', message: 'Your parcel is here.' },
  },
  media: {
    summary: 'A document',
    value: {
      to: '+393331234567',
      media: { url: 'https://cdn.example.com/invoice-8121.pdf', caption: 'Your invoice' },
    },
  },
  read: {
    summary: 'Simulator: delivered, then read',
    value: { to: '+15005550015', message: 'Your parcel is here.' },
  },
};

@ApiTags('Sending')
@Controller('v1/whatsapp')
export class WhatsAppController {
  constructor(private readonly responder: SendResponder) {}

  @Post('send')
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'sendWhatsApp',
    summary: 'Send a WhatsApp message',
    description:
      'Exactly one of `message`, `template` and `media`. Answers 202 once the message is durable; the status becomes `read` when the recipient has read receipts on.',
  })
  @ApiBody({ type: SendWhatsAppDto, examples: EXAMPLES })
  @ApiSend()
  send(
    @CurrentTenant() tenant: Principal,
    @Body() body: SendWhatsAppDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<object>> {
    return this.responder.respond(tenant, 'whatsapp', body, request, response);
  }
}
