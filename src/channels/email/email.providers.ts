import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { mailgun } from './providers/mailgun.provider';
import { sendgrid } from './providers/sendgrid.provider';
import { smtp } from './providers/smtp.provider';

/** Every email provider, one line each. Nothing else is registered anywhere. */
export const EMAIL_PROVIDERS: readonly ProviderDefinition[] = [sendgrid, mailgun, smtp];
