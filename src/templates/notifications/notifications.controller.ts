import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Problem } from '../../kernel/problem';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { ok, page, type Page, type Success } from '../../platform/http/envelope';
import { ApiData, ApiPage, ApiProblems, ApiUnprocessable } from '../../platform/http/openapi.decorators';
import { CurrentTenant, Scopes } from '../../tenancy/auth.decorators';
import type { Principal } from '../../tenancy/principal';
import { ListNotificationsQueryDto, ListRecipientsQueryDto, NotificationDto } from './dto/notifications.dto';
import { NotificationRecipientView, NotificationView, NotificationWithCountsView } from './dto/notifications.view';
import { NotificationCancellation } from './notification-cancellation';
import { NotificationReader } from './notification-reader';
import { NotificationRunner } from './notification-runner';
import { NotificationsService } from './notifications.service';

const LIST = 'notifications';
const RECIPIENTS = 'notification recipients';
const ID = { name: 'id', description: 'Id of the notification.', example: 'ntf_01kaqz9yq8e5v6m3c2n1b0a9s8' };

@ApiTags('Notifications')
@Controller('v1/notifications')
export class NotificationsController {
  constructor(
    private readonly notifications: NotificationsService,
    private readonly reader: NotificationReader,
    private readonly cancellation: NotificationCancellation,
    private readonly runner: NotificationRunner,
  ) {}

  @Post()
  @HttpCode(202)
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'createNotification',
    summary: 'Send a template to many recipients',
    description:
      'Makes one message a recipient and channel. All of it is checked first: a wrong address or a variable without a value refuses it, named as `recipients[3].data.name`, and nothing is sent. Answers 202 once all of it is durable; the messages are made in the background, and go on after a restart. Run again with the same `idempotency_prefix`, after whatever has happened, it sends nobody anything twice: who got the same message counts as `replayed`, who got another one as `already_sent`. A body may have 10 MiB.',
  })
  @ApiData(NotificationView, { status: 202, description: 'Accepted.' })
  @ApiUnprocessable('A variable has no value, the template is not there, or what comes of it cannot be sent.', [
    { field: 'recipients[3].data.name', code: 'missing_variable', message: 'recipients[3].data.name is required' },
  ])
  @ApiProblems('invalid_request', 'payload_too_large')
  async create(@CurrentTenant() tenant: Principal, @Body() body: NotificationDto): Promise<Success<NotificationView>> {
    const id = await this.notifications.create(tenant, body);
    const { counts: _counts, totals: _totals, ...view } = await this.reader.get(tenant.clientId, id);
    return ok(view);
  }

  @Get()
  @Scopes('messages:read')
  @ApiOperation({ operationId: 'listNotifications', summary: 'List notifications, newest first' })
  @ApiPage(NotificationView, { description: 'A page of notifications, without their counts.' })
  @ApiProblems('invalid_request')
  async list(
    @CurrentTenant() tenant: Principal,
    @Query() query: ListNotificationsQueryDto,
  ): Promise<Page<NotificationView>> {
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, LIST, 1);
    const found = await this.reader.list(tenant.clientId, query, before, query.limit + 1);
    const shown = found.slice(0, query.limit);
    const next = found.length > shown.length ? encodeCursor(LIST, shown.at(-1)!.notification_id) : null;
    return page(shown, next, query.limit);
  }

  @Get(':id')
  @Scopes('messages:read')
  @ApiOperation({
    operationId: 'getNotification',
    summary: 'Read a notification with its messages counted by channel and status',
  })
  @ApiParam(ID)
  @ApiData(NotificationWithCountsView, { description: 'The notification.' })
  @ApiProblems('not_found')
  async get(@CurrentTenant() tenant: Principal, @Param('id') id: string): Promise<Success<NotificationWithCountsView>> {
    return ok(await this.reader.get(tenant.clientId, id));
  }

  @Get(':id/recipients')
  @Scopes('messages:read')
  @ApiOperation({
    operationId: 'listNotificationRecipients',
    summary: 'List the recipients of a notification with what became of their messages',
    description: 'In the order of the request.',
  })
  @ApiParam(ID)
  @ApiPage(NotificationRecipientView, { description: 'A page of recipients.' })
  @ApiProblems('invalid_request', 'not_found')
  async recipients(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
    @Query() query: ListRecipientsQueryDto,
  ): Promise<Page<NotificationRecipientView>> {
    const [after = '-1'] = query.cursor === undefined ? [] : decodeCursor(query.cursor, RECIPIENTS, 1);
    if (!/^(-1|\d{1,9})$/.test(after)) throw Problem.field('cursor', 'invalid_cursor', 'is not a cursor of this list');
    const found = await this.reader.recipients(tenant.clientId, id, query, Number(after), query.limit + 1);
    const shown = found.slice(0, query.limit);
    return page(
      shown.map(({ view }) => view),
      found.length > shown.length ? encodeCursor(RECIPIENTS, String(shown.at(-1)!.position)) : null,
      query.limit,
    );
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Scopes('messages:send')
  @ApiOperation({
    operationId: 'cancelNotification',
    summary: 'Stop a notification',
    description:
      'Messages that are not made yet never are; those that are `scheduled` or `queued` are canceled, which goes on in the background (`canceling`). What is with a provider is not called back. Canceling again changes nothing.',
  })
  @ApiParam(ID)
  @ApiData(NotificationWithCountsView, { description: 'The notification, `canceling` or `canceled`.' })
  @ApiProblems('not_found', 'conflict')
  async cancel(
    @CurrentTenant() tenant: Principal,
    @Param('id') id: string,
  ): Promise<Success<NotificationWithCountsView>> {
    await this.cancellation.request(tenant.clientId, id);
    this.runner.wake();
    return ok(await this.reader.get(tenant.clientId, id));
  }
}
