import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import { telegramBot } from './providers/telegram-bot.provider';

/** Every Telegram provider, one line each. Nothing else is registered anywhere. */
export const TELEGRAM_PROVIDERS: readonly ProviderDefinition[] = [telegramBot];
