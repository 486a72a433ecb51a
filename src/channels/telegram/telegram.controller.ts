import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ApiSend } from '../../messaging/intake/send.openapi';
import { SendResponder } from '../../messaging/intake/send.responder';
import type { Success } from '../../platform/http/envelope';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { SendTelegramDto } from './send-telegram.dto';

/** The first one is what Swagger UI offers to send. */
const EXAMPLES = {
  simple: { summary: 'A message', value: { to: '5005550000', message: 'Your parcel is here.' } },
  formatted: {
    summary: 'With formatting, to a channel',
    value: { to: '@acme_news', message: '<b>Sale</b>: all parcels at half price.', parse_mode: 'HTML' },
  },
  photo: {
    summary: 'A photo',
    value: { to: '5005550000', media: { url: 'https://cdn.example.com/parcel.jpg', caption: 'Your parcel' } },
  },
  reply: {
    summary: 'Simulator: answered by an inbound message',
    value: { to: '5005550012', message: 'Are you at home?' },
  },
};

@ApiTags('Sending')
@Controller('v1/telegram')
export class TelegramController {
  constructor(private readonly responder: SendResponder) {}

  @Post('send')
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'sendTelegram',
    summary: 'Send a Telegram message',
    description:
      '`message`, `media` or both. Answers 202 once the message is durable. Telegram reports no deliveries: `sent` means that it has the message.',
  })
  @ApiBody({ type: SendTelegramDto, examples: EXAMPLES })
  @ApiSend()
  send(
    @CurrentTenant() tenant: Principal,
    @Body() body: SendTelegramDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<object>> {
    return this.responder.respond(tenant, 'telegram', body, request, response);
  }
}
