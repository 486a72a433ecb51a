import type { PushContent } from '../../gateway/contracts/gateway';
import { Problem } from '../../kernel/problem';
import type { ChannelDescriptor, PreparedContent } from '../../messaging/channel-registry';
import { SendPushDto } from './send-push.dto';

const TOPICS = '/topics/';
const MOST_DATA = 100;
const LONGEST_DATA = 4096;

/** Fields of the DTO that are the notification, as they are. */
const CONTENT_FIELDS = [
  'title',
  'body',
  'image_url',
  'data',
  'ttl_seconds',
  'collapse_key',
  'badge_count',
  'sound',
  'click_action',
] as const;

/** Push, as intake needs it. */
export const pushChannel: ChannelDescriptor<SendPushDto> = {
  channel: 'push',
  dto: SendPushDto,
  defaultExpiryMs: 3_600_000,

  prepare(dto: SendPushDto): PreparedContent {
    const address = addressOf(dto);
    checkData(dto.data);
    const isEmpty = (text: string | undefined): boolean => text === undefined || text.trim() === '';
    if (isEmpty(dto.title) && isEmpty(dto.body) && Object.keys(dto.data ?? {}).length === 0)
      throw Problem.field('title', 'required', 'is required, or body or data in its place');
    const content: PushContent = {
      ...address.content,
      ...Object.fromEntries(CONTENT_FIELDS.flatMap((name) => (dto[name] === undefined ? [] : [[name, dto[name]]]))),
      // Only what the request says itself: without it the config decides.
      ...(dto.priority !== undefined && { device_priority: dto.priority === 'high' ? 'high' : 'normal' }),
    };
    return {
      recipient: address.recipient,
      sender: null,
      content,
      encoding: null,
      segments: null,
      ucs2Characters: [],
    };
  },
};

function addressOf({ target, topic }: SendPushDto): {
  recipient: string;
  content: Pick<PushContent, 'target' | 'topic'>;
} {
  if (target !== undefined && topic !== undefined) {
    const message = 'only one of target and topic';
    throw new Problem('invalid_request', 'target and topic: only one of them can be given', {
      errors: ['target', 'topic'].map((field) => ({ field, code: 'conflict', message })),
    });
  }
  if (target !== undefined) return { recipient: target.device_token, content: { target: { ...target } } };
  if (topic === undefined) throw Problem.field('target', 'required', 'is required, or topic in its place');
  const name = topic.startsWith(TOPICS) ? topic.slice(TOPICS.length) : topic;
  return { recipient: TOPICS + name, content: { topic: name } };
}

function checkData(data: Record<string, string> | undefined): void {
  if (data === undefined) return;
  const entries = Object.entries(data);
  if (entries.length > MOST_DATA) throw Problem.field('data', 'too_many', `must have at most ${MOST_DATA} members`);
  for (const [key, value] of entries) {
    const field = `data.${key.slice(0, 64)}`;
    if (key === '' || key.length > 256)
      throw Problem.field(field, 'invalid_key', 'must have a key of 1 to 256 characters');
    if (typeof value !== 'string') throw Problem.field(field, 'invalid_type', 'must be a string');
    if (value.length > LONGEST_DATA)
      throw Problem.field(field, 'too_long', `must have at most ${LONGEST_DATA} characters`);
  }
}
