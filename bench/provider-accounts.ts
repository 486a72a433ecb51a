import type { z } from 'zod';
import { simulatedServiceAccount } from '../src/channels/push/providers/fcm.simulator';
import type { ContentByChannel, GatewayContext, OutboundMessage } from '../src/gateway/contracts/gateway';
import type { ProviderDefinition } from '../src/gateway/contracts/provider-definition';
import { STAND_IN_HOST } from '../src/gateway/contracts/simulator';
import type { Channel } from '../src/kernel/channel';
import { newId } from '../src/kernel/ids';
import { Secret } from '../src/kernel/secret';
import { MAGIC_RECIPIENTS } from '../src/simulator/magic-recipients';

interface Account {
  settings: Record<string, unknown>;
  credentials: Record<string, string>;
}

/** What a stand-in needs besides the examples of the required fields. */
const MORE: Readonly<Record<string, () => Partial<Account>>> = {
  skebby: () => ({ settings: { sender: 'UniMsg' } }),
  smpp: () => ({ settings: { host: STAND_IN_HOST, window_size: 50 } }),
  smtp: () => ({ settings: { host: STAND_IN_HOST, port: 2525, tls: 'none' } }),
  fcm: () => ({ credentials: { service_account_json: simulatedServiceAccount('acme-app') } }),
};

/** An account that the provider's stand-in takes. */
function accountFor(definition: ProviderDefinition): Account {
  const more = MORE[definition.key]?.() ?? {};
  const settings: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(definition.settings.shape)) {
    const field = schema as z.ZodType;
    if (!field.safeParse(undefined).success) settings[name] = field.meta()?.example;
  }
  const credentials = Object.fromEntries(
    Object.entries(definition.credentials)
      .filter(([, field]) => field.required)
      .map(([name, field]) => [name, field.example]),
  );
  return {
    settings: definition.settings.parse({ ...settings, ...more.settings }),
    credentials: { ...credentials, ...more.credentials },
  };
}

/** What each call gets: the account, and callback URLs as the service would make them. */
export function contextFor(definition: ProviderDefinition): GatewayContext {
  const { settings, credentials } = accountFor(definition);
  const configId = newId('config');
  return {
    clientId: 'bench_0123456789abcdef',
    configId,
    configVersion: 1,
    settings,
    credentials: Object.fromEntries(Object.entries(credentials).map(([name, value]) => [name, new Secret(value)])),
    callbackUrl: (kind, messageId) =>
      `https://um.example.com/webhook/${definition.slug}/${kind}/${configId}?message_id=${messageId}&token=0123456789abcdef`,
    callbackToken: new Secret('0123456789abcdef'),
    signal: new AbortController().signal,
    timeoutMs: definition.limits.timeoutMs,
    attempt: 1,
  };
}

const TEXT = 'Your parcel is here.';

const CONTENTS: { [C in Channel]: (recipient: string) => ContentByChannel[C] } = {
  sms: () => ({ text: TEXT }),
  whatsapp: () => ({ text: TEXT }),
  email: (email) => ({ to: [{ email }], subject: 'Your parcel', text: TEXT }),
  telegram: () => ({ text: TEXT }),
  push: (token) => ({ target: { device_token: token }, title: 'Your parcel', body: TEXT }),
};

/** Messages of a channel, to the recipient that makes no callbacks: those would be work for nobody. */
export function messagesOf(channel: Channel): () => OutboundMessage {
  const to = MAGIC_RECIPIENTS.find((one) => one.channel === channel && one.behaviour === 'no_callback')!.recipient;
  const content = CONTENTS[channel](to);
  return () => ({
    id: newId('message'),
    clientId: 'bench_0123456789abcdef',
    channel,
    to,
    from: null,
    content,
    priority: 'normal',
    expiresAt: Date.now() + 3_600_000,
  });
}
