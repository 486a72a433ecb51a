import type { Type } from '@nestjs/common';
import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';
import { EVENT_TYPES } from '../platform/events/event-store';
import {
  AlertEventData,
  ConfigEventData,
  EngagementEventData,
  InboundEventData,
  MessageEventData,
  QuotaEventData,
  TestEventData,
} from './event-payloads.view';
import { UsageReportEventData } from './usage-report-event.view';

type Webhooks = NonNullable<OpenAPIObject['webhooks']>;

interface SentEvent {
  data: Type;
  summary: string;
  /** Fields of the example that differ from those of the view. */
  example?: object;
}

const message = (status: string, summary: string, more: object = {}): SentEvent => ({
  data: MessageEventData,
  summary,
  example: { status, ...more },
});

/** Every event that is sent, and what its `data` is. */
export const SENT_EVENTS: Readonly<Record<string, SentEvent>> = {
  'message.sent': message('sent', 'A provider took the message'),
  'message.delivered': message('delivered', 'The message reached the recipient'),
  'message.read': message('read', 'The recipient read the message'),
  'message.undelivered': message('undelivered', 'The provider could not deliver the message', failure()),
  'message.failed': message('failed', 'No gateway took the message, or it was refused for good', failure()),
  'message.expired': message('expired', 'The message lost its worth before it could be sent'),
  'message.canceled': message('canceled', 'The message was canceled before it was sent'),
  'email.opened': { data: EngagementEventData, summary: 'Somebody opened an email' },
  'email.clicked': { data: EngagementEventData, summary: 'Somebody clicked a link in an email' },
  'email.bounced': { data: EngagementEventData, summary: 'An email came back' },
  'email.complained': { data: EngagementEventData, summary: 'A recipient called an email spam' },
  'email.unsubscribed': { data: EngagementEventData, summary: 'A recipient unsubscribed' },
  'inbound.received': { data: InboundEventData, summary: 'A person wrote to you' },
  'config.error': { data: ConfigEventData, summary: 'A provider account stopped working' },
  'config.recovered': {
    data: ConfigEventData,
    summary: 'A provider account works again',
    example: { status: 'active', error: null },
  },
  'alert.raised': { data: AlertEventData, summary: 'Something needs a person' },
  'alert.cleared': { data: AlertEventData, summary: 'It no longer does' },
  'usage.quota_warning': {
    data: QuotaEventData,
    summary: 'Most of a quota, 80 %, is used; once a period',
  },
  'usage.quota_exceeded': {
    data: QuotaEventData,
    summary: 'A quota is used up; once a period',
    example: { used: 10000 },
  },
  'usage.report': { data: UsageReportEventData, summary: 'A report of your usage was made' },
  'webhook.test': { data: TestEventData, summary: 'You asked for a test of an endpoint; it cannot be subscribed to' },
};

/** Types that an endpoint may name already, although nothing sends them yet. */
export const UNSENT_EVENTS: readonly string[] = EVENT_TYPES.filter((type) => !(type in SENT_EVENTS));

function failure() {
  return { error_code: 'unreachable', error_message: 'Unreachable destination handset' };
}

const HEADERS = [
  ['webhook-id', 'Id of the event: the same in every repeat of it.', 'evt_01kaqz9yq8e5v6m3c2n1b0a9s8'],
  [
    'webhook-timestamp',
    'When this try was made, seconds since 1970. Refuse what is older than 5 minutes.',
    '1795336202',
  ],
  [
    'webhook-signature',
    '`v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`; the key is the base64 behind `whsec_`. Two, separated by a space, while a secret rotates.',
    'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  ],
] as const;

/** The `webhooks` of the document: what UniMsg posts to clients. */
export function openApiWebhooks(): Webhooks {
  return Object.fromEntries(
    Object.entries(SENT_EVENTS).map(([type, event]) => [type, { post: operation(type, event) }]),
  );
}

function operation(type: string, { data, summary }: SentEvent) {
  return {
    operationId: `on${type.replace(/(?:^|[._])(\w)/g, (_, first: string) => first.toUpperCase())}`,
    summary,
    tags: ['Webhooks'],
    security: [],
    parameters: HEADERS.map(([name, description, example]) => ({
      name,
      in: 'header' as const,
      required: true,
      description,
      schema: { type: 'string' as const, example },
    })),
    requestBody: { required: true, content: { 'application/json': { schema: bodySchema(type, data) } } },
    responses: {
      '2XX': { description: 'Taken. Any 2xx within 15 seconds, whatever its body.' },
      default: { description: 'Not taken: it is tried again, 9 times over about two days.' },
    },
  };
}

function bodySchema(type: string, data: Type) {
  return {
    type: 'object',
    required: ['event', 'data', 'id', 'created_at'],
    properties: {
      event: { type: 'string', enum: [type], description: 'What happened.', example: type },
      data: { $ref: getSchemaPath(data) },
      id: {
        type: 'string',
        description: 'Id of the fact, the same in every repeat: drop what you have seen.',
        example: 'evt_01kaqz9yq8e5v6m3c2n1b0a9s8',
      },
      created_at: {
        type: 'string',
        format: 'date-time',
        description: 'When it was recorded.',
        example: '2026-11-22T08:30:02.100Z',
      },
    },
  };
}

/** The views that {@link openApiWebhooks} names. */
export const WEBHOOK_MODELS: Type[] = [...new Set(Object.values(SENT_EVENTS).map(({ data }) => data))];

/** What differs in the example of one event. */
export function exampleOfEvent(type: string): object {
  return SENT_EVENTS[type]?.example ?? {};
}
