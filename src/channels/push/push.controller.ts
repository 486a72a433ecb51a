import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ApiSend } from '../../messaging/intake/send.openapi';
import { SendResponder } from '../../messaging/intake/send.responder';
import type { Success } from '../../platform/http/envelope';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { SendPushDto } from './send-push.dto';

/** The first one is what Swagger UI offers to send. */
const EXAMPLES = {
  simple: {
    summary: 'A notification',
    value: { target: { device_token: 'simulator-delivered' }, title: 'Your parcel', body: 'It is at the door.' },
  },
  full: {
    summary: 'Urgent, with image and data',
    value: {
      target: { device_token: 'simulator-delivered', platform: 'android' },
      title: 'Your parcel',
      body: 'It is at the door.',
      image_url: 'https://cdn.example.com/parcel.jpg',
      data: { order_id: '8121' },
      ttl_seconds: 3600,
      collapse_key: 'order-8121',
      badge_count: 1,
      sound: 'default',
      click_action: 'OPEN_ORDER',
      priority: 'high',
    },
  },
  topic: { summary: 'To a topic', value: { topic: 'news', title: 'Sale', body: 'All parcels at half price.' } },
  dead: {
    summary: 'Simulator: a device that has gone',
    value: { target: { device_token: 'simulator-invalid-recipient' }, title: 'Your parcel' },
  },
};

@ApiTags('Sending')
@Controller('v1/push')
export class PushController {
  constructor(private readonly responder: SendResponder) {}

  @Post('send')
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'sendPush',
    summary: 'Send a push notification',
    description:
      '`target` or `topic`, and at least one of `title`, `body` and `data`. Answers 202 once the message is durable. Push services report no deliveries: `sent` means that they have it. A device token that is no longer registered fails as `unregistered_device`.',
  })
  @ApiBody({ type: SendPushDto, examples: EXAMPLES })
  @ApiSend()
  send(
    @CurrentTenant() tenant: Principal,
    @Body() body: SendPushDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Success<object>> {
    return this.responder.respond(tenant, 'push', body, request, response);
  }
}
