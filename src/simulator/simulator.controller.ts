import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Problem } from '../kernel/problem';
import { decodeCursor, encodeCursor } from '../platform/http/cursor';
import { ok, page, type Page, type Success } from '../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../platform/http/openapi.decorators';
import { Public } from '../tenancy/auth.decorators';
import { magicRecipientsTable } from './magic-recipients';
import { SimulateInboundDto } from './simulated-inbound.dto';
import { SimulatedInboundService } from './simulated-inbound.service';
import { SimulatedInboundView } from './simulated-inbound.view';
import { SimulatedMessageQueryDto } from './simulated-message.query';
import { SimulatedMessageView } from './simulated-message.view';
import { Simulator } from './simulator';

const LIST = 'simulator/messages';

const DESCRIPTION = `The stand-ins keep the newest 10,000 messages. The recipient chooses what happens:

${magicRecipientsTable()}

Any other recipient is delivered. An email address may have a tag (\`hard-bounce+2@simulator.test\`), since one that bounced is suppressed from then on. A secret that begins with \`invalid\` is refused as wrong credentials.`;

@ApiTags('Simulator')
@Controller('simulator')
export class SimulatorController {
  constructor(
    private readonly simulator: Simulator,
    private readonly inbound: SimulatedInboundService,
  ) {}

  @Get('messages')
  @Public()
  @ApiOperation({
    operationId: 'listSimulatedMessages',
    summary: 'List what the stand-ins received, newest first',
    description: DESCRIPTION,
  })
  @ApiPage(SimulatedMessageView, { description: 'A page of messages.' })
  @ApiProblems('invalid_request')
  list(@Query() query: SimulatedMessageQueryDto): Page<SimulatedMessageView> {
    const { cursor, message_id: messageId, reference = messageId, ...filter } = query;
    const [before] = cursor === undefined ? [] : decodeCursor(cursor, LIST, 1);
    if (before !== undefined && !/^\d{1,15}$/.test(before))
      throw Problem.field('cursor', 'invalid_cursor', 'is not a cursor of this list');
    const found = this.simulator.page({
      ...filter,
      reference,
      before: before === undefined ? undefined : Number(before),
    });
    return page(
      found.messages.map((message) => SimulatedMessageView.of(message)),
      found.next === null ? null : encodeCursor(LIST, String(found.next)),
      query.limit,
    );
  }

  @Post('inbound')
  @Public()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'simulateInbound',
    summary: 'Play a person who writes to a number',
    description:
      'The provider’s stand-in hands the text over as the real one does: a signed callback to the webhook URL of the account, by HTTP (SMPP: over its connection). Read it with `GET /v1/inbound`; it goes to the receivers of the number from there.',
  })
  @ApiData(SimulatedInboundView, { description: 'What UniMsg answered to the provider.' })
  @ApiProblems('invalid_request', 'not_found', 'no_gateway_available', 'payload_too_large')
  async receive(@Body() body: SimulateInboundDto): Promise<Success<SimulatedInboundView>> {
    return ok(SimulatedInboundView.of(await this.inbound.play(body)));
  }
}
