import { EMAIL_PROVIDERS } from './channels/email/email.providers';
import { PUSH_PROVIDERS } from './channels/push/push.providers';
import { SMS_PROVIDERS } from './channels/sms/sms.providers';
import { TELEGRAM_PROVIDERS } from './channels/telegram/telegram.providers';
import { WHATSAPP_PROVIDERS } from './channels/whatsapp/whatsapp.providers';
import type { ProviderDefinition } from './gateway/contracts/provider-definition';

/** Every provider of every channel, for what is about all of them: the documents, the simulator as a program of its own, benchmarks. */
export const PROVIDERS: readonly ProviderDefinition[] = [
  ...SMS_PROVIDERS,
  ...WHATSAPP_PROVIDERS,
  ...EMAIL_PROVIDERS,
  ...TELEGRAM_PROVIDERS,
  ...PUSH_PROVIDERS,
];

/** Those by which messages go out. */
export const SENDERS: readonly ProviderDefinition[] = PROVIDERS.filter(({ inboundOnly }) => !inboundOnly);

/** Keys of those whose stand-in opens a server of its own, as it is not reached by HTTP. */
export const SOCKET_PROVIDERS: readonly string[] = PROVIDERS.filter(({ simulator }) => 'listen' in simulator).map(
  ({ key }) => key,
);
