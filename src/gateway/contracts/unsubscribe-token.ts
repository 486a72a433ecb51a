import { createHmac } from 'node:crypto';
import { equalInConstantTime } from '../../kernel/constant-time';
import type { Secret } from '../../kernel/secret';

/** What an unsubscribe link is about. The recipient is the message's own. */
export interface UnsubscribeClaim {
  configId: string;
  messageId: string;
}

/** The last part of `/unsubscribe/{token}`: opens nothing, and says for which message its recipient unsubscribes. @param key the config's callback token */
export function unsubscribeToken(claim: UnsubscribeClaim, key: Secret): string {
  return `${claim.configId}.${claim.messageId}.${proofOf(claim, key)}`;
}

/** What a token says, unproved; undefined when it is none. */
export function readUnsubscribeToken(token: string): UnsubscribeClaim | undefined {
  const [configId, messageId, proof, ...rest] = token.split('.');
  return configId && messageId && proof && rest.length === 0 ? { configId, messageId } : undefined;
}

/** Whether the config whose key this is made the token. In constant time. */
export function isUnsubscribeToken(token: string, claim: UnsubscribeClaim, key: Secret): boolean {
  return key.reveal() !== '' && equalInConstantTime(token, unsubscribeToken(claim, key));
}

function proofOf({ configId, messageId }: UnsubscribeClaim, key: Secret): string {
  // The text before the ids keeps this apart from anything else that the key may ever prove.
  return createHmac('sha256', key.reveal()).update(`unsubscribe\n${configId}\n${messageId}`).digest('base64url');
}
