import { createHmac, randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { ScriptedProvider, type ProviderCall } from './scripted-provider';

export interface VonageMessage {
  id: string;
  /** Ids of all parts, the first one is `id`. A text of over 160 characters has several. */
  partIds: string[];
  to: string;
  text: string;
  callback: string;
  clientRef: string;
}

/** Vonage's SMS API as far as the service calls it. Numbers are given to it with their `+`, as everywhere in the specs. */
export class ScriptedVonage extends ScriptedProvider {
  readonly messages: VonageMessage[] = [];

  protected isSend(call: ProviderCall): boolean {
    return call.path === '/sms/json';
  }

  protected recipientOf(call: ProviderCall): string {
    return `+${call.form.to}`;
  }

  protected handle(call: ProviderCall, response: ServerResponse): void {
    if (!this.isSend(call)) {
      this.json(response, 200, { value: 10.5, autoReload: false });
      return;
    }
    const to = this.recipientOf(call);
    const behaviour = this.next(to);
    const length = call.form.text!.length;
    const partIds = Array.from({ length: length <= 160 ? 1 : Math.ceil(length / 153) }, () =>
      randomBytes(8).toString('hex').toUpperCase(),
    );
    const message = {
      id: partIds[0]!,
      partIds,
      to,
      text: call.form.text!,
      callback: call.form.callback!,
      clientRef: call.form['client-ref']!,
    };
    if (behaviour.take) this.messages.push(message);
    behaviour.answer(response, () =>
      this.json(response, 200, {
        'message-count': String(partIds.length),
        messages: partIds.map((id) => ({
          to: call.form.to,
          'message-id': id,
          status: '0',
          'remaining-balance': '10.0',
          'message-price': '0.03330000',
          network: '22210',
        })),
      }),
    );
  }

  taken(to: string): VonageMessage | undefined {
    return this.messages.findLast((message) => message.to === to);
  }
}

/** The parameters of a delivery receipt with Vonage's `sig`, made here from its documentation. */
export function signedReceipt(secret: string, fields: Record<string, string>): URLSearchParams {
  const text = Object.keys(fields)
    .sort()
    .map((name) => `&${name}=${fields[name]!.replace(/[&=]/g, '_')}`)
    .join('');
  return new URLSearchParams({ ...fields, sig: createHmac('sha256', secret).update(text).digest('hex') });
}
