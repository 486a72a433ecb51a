import { Body, Controller, Get, Param, Post, Query, Req, Res, type Type } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ok, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems } from '../../platform/http/openapi.decorators';
import { pascal } from '../../gateway/configs/config.view';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { ApiSend } from '../intake/send.openapi';
import { ListNamedQueryDto } from './list-named.dto';
import type { NamedMessageView } from './named-message.view';
import type { NamedSendKind, NamedSendOptionsDto } from './named-send';
import { NamedSendService } from './named-send.service';

/**
 * The paths `/communication/{provider}/…` of every kind of messages, once for each provider's slug and once for each alias. For a channel's
 * module: `controllers: [SmsController, ...namedSendControllers(SMS_PROVIDERS, SMS_KINDS)]`.
 * @param kinds in the order in which their paths are matched: `messages/text` before `messages`
 */
export function namedSendControllers(
  definitions: readonly ProviderDefinition[],
  kinds: readonly NamedSendKind[],
): Type[] {
  const senders = definitions.filter(({ inboundOnly }) => !inboundOnly);
  return senders.flatMap((definition) =>
    [definition.slug, ...definition.aliases].flatMap((name) =>
      kinds.map((kind) => namedSendController(definition, kind, name)),
    ),
  );
}

function namedSendController(definition: ProviderDefinition, kind: NamedSendKind, name: string): Type {
  const { title } = definition;
  const { one, many } = kind.words;
  const { body: BodyDto, view } = kind;

  @ApiTags('Sending by provider')
  @Controller(`communication/${name}/${kind.path}`)
  class ProviderMessagesController {
    constructor(private readonly messages: NamedSendService) {}

    @Post()
    @Scopes('messages:send')
    @ApiOperation({
      operationId: `send${pascal(name)}${kind.noun.one}`,
      summary: `Send ${one} by ${title}`,
      description: `As the channel’s own send, by your ${title} account and no other. Answers 202 once the message is durable.`,
    })
    @ApiBody({
      type: BodyDto,
      examples: { simple: { summary: 'A message', value: kind.examples?.[definition.slug] ?? kind.example } },
    })
    @ApiSend(view)
    send(
      @CurrentTenant() tenant: Principal,
      @Body() body: NamedSendOptionsDto,
      @Req() request: Request,
      @Res({ passthrough: true }) response: Response,
    ): Promise<Success<object>> {
      return this.messages.send(tenant, definition, kind, body, { request, response });
    }

    @Get()
    @Scopes('messages:read')
    @ApiOperation({
      operationId: `list${pascal(name)}${kind.noun.many}`,
      summary: `List ${many} of ${title}, newest first`,
      description: `Those that ${title} took, on whatever path they were sent, and those that wait for it alone.`,
    })
    @ApiPage(view, { description: 'One page of messages, without their events.' })
    @ApiProblems('invalid_request')
    list(@CurrentTenant() tenant: Principal, @Query() query: ListNamedQueryDto): Promise<Page<NamedMessageView>> {
      return this.messages.list(tenant, definition, kind, query);
    }

    @Get(':message_id')
    @Scopes('messages:read')
    @ApiOperation({ operationId: `get${pascal(name)}${kind.noun.one}`, summary: `Read ${one} of ${title}` })
    @ApiParam({ name: 'message_id', description: 'Id of the message.', example: 'msg_01kaqz9yq8e5v6m3c2n1b0a9s8' })
    @ApiData(view, { description: 'The message with its attempts and events.' })
    @ApiProblems('not_found')
    async get(@CurrentTenant() tenant: Principal, @Param('message_id') id: string): Promise<Success<NamedMessageView>> {
      return ok(await this.messages.get(tenant, definition, kind, id));
    }
  }
  const { prototype } = ProviderMessagesController;
  // The validation pipe and the document read a parameter's class from here, and this one is known at run time only.
  Reflect.defineMetadata('design:paramtypes', [Object, BodyDto, Object, Object], prototype, 'send');
  Object.defineProperty(ProviderMessagesController, 'name', { value: `${pascal(name)}${kind.noun.one}Controller` });
  return ProviderMessagesController;
}
