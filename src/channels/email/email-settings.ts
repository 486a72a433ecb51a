import { z } from 'zod';
import type { EmailAddress, EmailContent } from '../../gateway/contracts/gateway';
import { textOf } from '../../gateway/contracts/provider-answer';
import { isEmailAddress } from '../../kernel/email-address';

const address = z.string().max(254).refine(isEmailAddress, 'must be an email address such as jane@example.com');
const displayName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must not hold line breaks or control characters');

/** Settings that every email config has. */
export const fromEmail = address.meta({
  description: 'Sender when the request names none.',
  example: 'orders@example.com',
});
export const fromName = displayName.optional().meta({
  description: 'Display name of that sender.',
  example: 'Example Shop',
});
export const replyToEmail = address.optional().meta({
  description: 'Where answers go when the request does not say. Absent: to the sender.',
  example: 'help@example.com',
});

/** A switch of an email config. */
export const flag = (description: string, example: boolean) => z.boolean().optional().meta({ description, example });

/** The sender of a mail: the request's, else the config's. */
export function senderOf(content: EmailContent, settings: Readonly<Record<string, unknown>>): EmailAddress {
  if (content.from) return content.from;
  const name = textOf(settings.from_name);
  return { email: textOf(settings.from_email) ?? '', ...(name !== undefined && { name }) };
}

/** Where answers go: as the request says, else the config; undefined: to the sender. */
export function replyToOf(
  content: EmailContent,
  settings: Readonly<Record<string, unknown>>,
): EmailAddress | undefined {
  const email = textOf(settings.reply_to_email);
  return content.reply_to ?? (email === undefined ? undefined : { email });
}

/** What a config says about a switch; undefined when it says nothing. */
export function settingOf(settings: Readonly<Record<string, unknown>>, name: string): boolean | undefined {
  const value = settings[name];
  return typeof value === 'boolean' ? value : undefined;
}
