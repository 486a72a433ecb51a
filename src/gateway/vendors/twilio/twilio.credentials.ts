import type { CredentialField } from '../../contracts/provider-definition';

/** What opens a Twilio account, whatever it sends. */
export const TWILIO_CREDENTIALS: Readonly<Record<string, CredentialField>> = Object.freeze({
  account_sid: {
    description: 'Account SID, AC and 32 hexadecimal digits.',
    secret: true,
    required: true,
    identifiesAccount: true,
    pattern: /^AC[0-9a-fA-F]{32}$/,
    example: 'AC0123456789abcdef0123456789abcdef',
  },
  auth_token: {
    description: 'Auth token of the account. Also proves the callbacks.',
    secret: true,
    required: true,
    example: '0123456789abcdef0123456789abcdef',
  },
  messaging_service_sid: {
    description: 'Messaging Service that picks the sender, MG and 32 hexadecimal digits.',
    secret: false,
    required: false,
    pattern: /^MG[0-9a-fA-F]{32}$/,
    example: 'MG0123456789abcdef0123456789abcdef',
  },
});
