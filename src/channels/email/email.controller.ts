import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ApiSend } from '../../messaging/intake/send.openapi';
import { SendResponder } from '../../messaging/intake/send.responder';
import type { Success } from '../../platform/http/envelope';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { SendEmailDto } from './send-email.dto';

/** The first one is what Swagger UI offers to send. */
const EXAMPLES = {
  simple: {
    summary: 'A mail',
    value: {
      to: 'jane@example.com',
      subject: 'Your order is on its way',
      text: 'Hello Jane, your order is on its way.',
      html: '<p>Hello Jane, your order is on its way.</p>',
    },
  },
  engaged: {
    summary: 'Simulator: delivered, opened, and a link clicked',
    value: {
      to: 'engaged@simulator.test',
      subject: 'Your order is on its way',
      html: '<p>Hello, <a href="https://example.com/orders/8121">your order</a> is on its way.</p>',
      tracking: { opens: true, clicks: true },
    },
  },
  whole: {
    summary: 'Several recipients, a file, headers of your own',
    value: {
      to: [{ email: 'jane@example.com', name: 'Jane Doe' }],
      cc: ['team@example.com'],
      from: { email: 'orders@example.com', name: 'Example Shop' },
      reply_to: 'help@example.com',
      subject: 'Your invoice',
      text: 'Hello Jane, your invoice is attached.',
      headers: { 'X-Entity-Ref-ID': 'order-8121' },
      attachments: [{ filename: 'invoice.pdf', content_type: 'application/pdf', content: 'JVBERi0xLjQK' }],
      reference: 'order-8121',
      tags: ['invoices'],
    },
  },
};

@ApiTags('Sending')
@Controller('v1/email')
export class EmailController {
  constructor(private readonly responder: SendResponder) {}

  @Post('send')
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'sendEmail',
    summary: 'Send an email',
    description:
      'Answers 202 once the message is durable. The body may have 10 MiB. All recipients get one mail; the message’s status is that of the first one in `to`, engagement counts for all of them.',
  })
  @ApiBody({ type: SendEmailDto, examples: EXAMPLES })
  @ApiSend()
  send(
    @CurrentTenant() tenant: Principal,
    @Body() body: SendEmailDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<object>> {
    return this.responder.respond(tenant, 'email', body, request, response);
  }
}
