import { createHash } from 'node:crypto';
import type { OutboundMessage, PushContent, ValidationIssue } from '../../../gateway/contracts/gateway';
import { asUri } from '../../../kernel/uri';

/** FCM keeps no message longer: four weeks. */
const MAX_TTL_SECONDS = 2_419_200;
/** Bytes of all keys and values (firebase.google.com/docs/cloud-messaging/concept-options, 2026-11). */
const MAX_BYTES = 4096;
const MAX_TOPIC_BYTES = 2048;
/** APNs' limit; the other platforms have none as small, and the web's is met by a hash. */
const MAX_COLLAPSE_BYTES = 64;
const RESERVED = /^(from|message_type|google\..*|gcm\.notification\..*)$/;
/** What a Web Push `Topic` may be (RFC 8030 §5.4). */
const WEB_TOPIC = /^[A-Za-z0-9_-]{1,32}$/;

/** What of a push only a shown notification can have. */
const NEEDS_NOTIFICATION = ['image_url', 'badge_count', 'sound', 'click_action'] as const;

type PushMessage = Pick<OutboundMessage<'push'>, 'id' | 'to' | 'content' | 'expiresAt'>;

export interface PushDefaults {
  ttlSeconds: number | undefined;
  priority: 'high' | 'normal';
}

/** What FCM cannot do with a push. */
export function pushIssues(content: PushContent): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  const refuse = (field: string, code: string, message: string): void => void issues.push({ field, code, message });
  const isShown = content.title !== undefined || content.body !== undefined;
  if (!isShown && content.data === undefined) refuse('title', 'required', 'is required, or body or data in its place');
  for (const field of NEEDS_NOTIFICATION) {
    if (!isShown && content[field] !== undefined)
      refuse(field, 'needs_notification', 'goes with a title or a body, not with data alone');
  }
  for (const key of Object.keys(content.data ?? {})) {
    if (RESERVED.test(key)) refuse(`data.${key}`, 'reserved', 'is a name that FCM keeps for itself');
  }
  if (bytes(content.collapse_key) > MAX_COLLAPSE_BYTES)
    refuse('collapse_key', 'too_long', `FCM takes at most ${MAX_COLLAPSE_BYTES} bytes`);
  const limit = content.topic === undefined ? MAX_BYTES : MAX_TOPIC_BYTES;
  if (payloadBytes(content) > limit) {
    const field = content.data === undefined ? 'body' : 'data';
    refuse(field, 'too_large', `FCM takes at most ${limit} bytes of title, body, image and data together`);
  }
  return issues;
}

function payloadBytes(content: PushContent): number {
  let size = bytes(content.title) + bytes(content.body) + bytes(content.image_url);
  for (const [key, value] of Object.entries(content.data ?? {})) size += bytes(key) + bytes(value);
  return size;
}

function bytes(text: string | undefined): number {
  return text === undefined ? 0 : Buffer.byteLength(text);
}

/**
 * The `Message` of FCM's HTTP v1 API. What all platforms share is said once, and what each calls by its own name in its block.
 *
 * A notification without a collapse key gets our message id in its place where that does no harm: should a send of unknown fate be repeated, the
 * second takes the place of the first on the device.
 */
export function fcmMessage(message: PushMessage, defaults: PushDefaults, now: number): Record<string, unknown> {
  const { content } = message;
  const isShown = content.title !== undefined || content.body !== undefined;
  const isHigh = (content.device_priority ?? defaults.priority) === 'high';
  const ttl = ttlOf(message, defaults, now);
  return {
    ...(content.topic === undefined ? { token: message.to } : { topic: content.topic }),
    ...(isShown && {
      notification: {
        ...(content.title !== undefined && { title: content.title }),
        ...(content.body !== undefined && { body: content.body }),
        ...(content.image_url !== undefined && { image: asUri(content.image_url) }),
      },
    }),
    ...(content.data !== undefined && { data: content.data }),
    android: android(message, isShown, isHigh, ttl),
    apns: apns(message, isShown, isHigh, ttl === 0 ? 0 : Math.floor(now / 1000) + ttl),
    webpush: webpush(message, isShown, isHigh, ttl),
  };
}

/** Seconds that FCM keeps it: as asked, else as the config says, else until the message has lost its worth. */
function ttlOf({ content, expiresAt }: PushMessage, defaults: PushDefaults, now: number): number {
  const asked = content.ttl_seconds ?? defaults.ttlSeconds;
  return Math.min(asked ?? Math.max(1, Math.floor((expiresAt - now) / 1000)), MAX_TTL_SECONDS);
}

function android({ id, content }: PushMessage, isShown: boolean, isHigh: boolean, ttl: number): object {
  return {
    // Quirk: FCM keeps at most four collapse keys a device, so only one that was asked for is used (firebase.google.com/docs/cloud-messaging/concept-options, 2026-11).
    ...(content.collapse_key !== undefined && { collapseKey: content.collapse_key }),
    priority: isHigh ? 'HIGH' : 'NORMAL',
    ttl: `${ttl}s`,
    ...(isShown && {
      notification: {
        tag: content.collapse_key ?? id,
        ...(content.sound !== undefined && { sound: content.sound }),
        ...(content.click_action !== undefined && { clickAction: content.click_action }),
        ...(content.badge_count !== undefined && { notificationCount: content.badge_count }),
      },
    }),
  };
}

function apns({ id, content }: PushMessage, isShown: boolean, isHigh: boolean, expiration: number): object {
  return {
    headers: {
      // Quirk: APNs refuses a background push of priority 10 (developer.apple.com, Sending notification requests to APNs, 2026-11).
      'apns-priority': isHigh && isShown ? '10' : '5',
      'apns-expiration': String(expiration),
      'apns-collapse-id': content.collapse_key ?? id,
      'apns-push-type': isShown ? 'alert' : 'background',
    },
    payload: {
      aps: {
        ...(!isShown && { 'content-available': 1 }),
        ...(content.badge_count !== undefined && { badge: content.badge_count }),
        ...(content.sound !== undefined && { sound: content.sound }),
        ...(content.click_action !== undefined && { category: content.click_action }),
        // Lets the app's extension fetch the image.
        ...(content.image_url !== undefined && { 'mutable-content': 1 }),
      },
    },
    ...(content.image_url !== undefined && { fcmOptions: { image: asUri(content.image_url) } }),
  };
}

function webpush({ id, content }: PushMessage, isShown: boolean, isHigh: boolean, ttl: number): object {
  const link = content.click_action;
  return {
    headers: {
      TTL: String(ttl),
      Urgency: isHigh ? 'high' : 'normal',
      ...(content.collapse_key !== undefined && { Topic: webTopic(content.collapse_key) }),
    },
    ...(isShown && {
      notification: {
        tag: content.collapse_key ?? id,
        ...(content.image_url !== undefined && { image: asUri(content.image_url) }),
      },
    }),
    // Only an https address can be opened on the web; another action is for the apps.
    ...(link?.startsWith('https://') && URL.canParse(link) && { fcmOptions: { link: asUri(link) } }),
  };
}

function webTopic(key: string): string {
  return WEB_TOPIC.test(key) ? key : createHash('sha256').update(key).digest('base64url').slice(0, 32);
}
