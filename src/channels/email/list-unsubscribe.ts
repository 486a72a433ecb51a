import type { EmailContent, GatewayContext, OutboundMessage, ValidationIssue } from '../../gateway/contracts/gateway';
import { unsubscribeToken } from '../../gateway/contracts/unsubscribe-token';

/**
 * Header fields that let the recipient unsubscribe with one click (RFC 8058), for providers that have no way of their own. The URL is this
 * service's: a POST unsubscribes, a GET shows a page that asks.
 */
export function listUnsubscribeHeaders(
  message: OutboundMessage<'email'>,
  ctx: Pick<GatewayContext, 'configId' | 'callbackToken' | 'callbackUrl'>,
): Record<string, string> {
  const callback = ctx.callbackUrl('status');
  // Beside the callbacks, so under the same public URL.
  const base = callback.slice(0, callback.lastIndexOf('/webhook/'));
  const token = unsubscribeToken({ configId: ctx.configId, messageId: message.id }, ctx.callbackToken);
  return {
    'List-Unsubscribe': `<${base}/unsubscribe/${token}>`,
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  };
}

/** Whether a mail brings its own `List-Unsubscribe`, to which nothing is added. */
export function hasOwnListUnsubscribe(content: EmailContent): boolean {
  return Object.keys(content.headers ?? {}).some((name) => name.toLowerCase() === 'list-unsubscribe');
}

/** Whether to add {@link listUnsubscribeHeaders}. @param byConfig what the config says where the message says nothing */
export function wantsListUnsubscribe(content: EmailContent, byConfig = false): boolean {
  return (content.tracking?.unsubscribe ?? byConfig) && !hasOwnListUnsubscribe(content);
}

/** All recipients of one mail get the same header fields, so a link cannot tell which of several unsubscribes. */
export function listUnsubscribeIssues(content: EmailContent, title: string, byConfig = false): ValidationIssue[] {
  const recipients = content.to.length + (content.cc?.length ?? 0) + (content.bcc?.length ?? 0);
  if (recipients < 2 || !wantsListUnsubscribe(content, byConfig)) return [];
  const message = `needs a mail to one recipient for ${title}: the link could not tell who unsubscribes`;
  return [{ field: 'tracking.unsubscribe', code: 'several_recipients', message }];
}
