import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks';
import { request } from 'undici';
import { ScriptedProvider, type ProviderCall } from './scripted-provider';

export interface TwilioMessage {
  sid: string;
  account: string;
  to: string;
  body: string;
  status: string;
  /** Where it reports, without the fragment. */
  statusCallback: string;
  createdAt: number;
  /** False: the look-up does not show it. */
  listed: boolean;
}

/** Twilio's REST API as far as the service calls it, and its signed callbacks. */
export class ScriptedTwilio extends ScriptedProvider {
  readonly messages: TwilioMessage[] = [];
  /** Tokens that are refused with 401. */
  readonly refusedTokens = new Set<string>();
  /** Runs before the answer to a send that was taken. */
  onTaken: ((message: TwilioMessage) => Promise<void> | void) | undefined;

  protected isSend(call: ProviderCall): boolean {
    return call.method === 'POST' && call.path.endsWith('/Messages.json');
  }

  protected recipientOf(call: ProviderCall): string {
    return call.form.To ?? '';
  }

  protected handle(call: ProviderCall, response: ServerResponse): void {
    const [account, token] = Buffer.from(String(call.headers.authorization).slice(6), 'base64').toString().split(':');
    if (this.refusedTokens.has(token!)) {
      this.json(response, 401, { code: 20003, message: 'Authenticate', more_info: '', status: 401 });
      return;
    }
    if (this.isSend(call)) void this.send(call, account!, response);
    else if (call.path.endsWith('/Messages.json')) {
      const found = this.messages.filter(
        (message) => message.listed && message.account === account && message.to === call.query.get('To'),
      );
      this.json(response, 200, { messages: found.map(resourceOf) });
    } else if (/\/Messages\/[^/]+\.json$/.test(call.path)) {
      const sid = call.path.split('/').at(-1)!.slice(0, -5);
      const found = this.messages.find((message) => message.sid === sid && message.account === account);
      if (found) this.json(response, 200, resourceOf(found));
      else this.json(response, 404, { code: 20404, message: 'not found', status: 404 });
    } else this.json(response, 200, { sid: account, status: 'active' });
  }

  private async send(call: ProviderCall, account: string, response: ServerResponse): Promise<void> {
    const behaviour = this.next(this.recipientOf(call));
    const message: TwilioMessage = {
      sid: `SM${randomBytes(16).toString('hex')}`,
      account,
      to: call.form.To!,
      body: call.form.Body!,
      status: 'queued',
      statusCallback: (call.form.StatusCallback ?? '').replace(/#.*$/, ''),
      createdAt: Date.now(),
      listed: behaviour.hidden !== true,
    };
    if (behaviour.take) {
      this.messages.push(message);
      await this.onTaken?.(message);
    }
    behaviour.answer(response, () => this.json(response, 201, resourceOf(message)));
  }

  /** The newest message that was taken for a number. */
  taken(to: string): TwilioMessage | undefined {
    return this.messages.findLast((message) => message.to === to);
  }
}

function resourceOf(message: TwilioMessage): object {
  return {
    sid: message.sid,
    account_sid: message.account,
    to: message.to,
    body: message.body,
    status: message.status,
    direction: 'outbound-api',
    date_created: new Date(message.createdAt).toUTCString(),
    num_segments: '1',
    price: null,
    price_unit: 'USD',
    error_code: null,
    error_message: null,
  };
}

export interface TwilioCallback {
  url: string;
  authToken: string;
  fields: Record<string, string>;
  /** Changes the request after it was signed. */
  forge?: (request: { url: string; headers: Record<string, string>; body: string }) => void;
}

/** Reports as Twilio does: a form, signed with the account's token by Twilio's own code. Answers the status. */
export async function twilioCallback(callback: TwilioCallback): Promise<{ status: number; text: string }> {
  const { url, authToken, fields } = callback;
  const sent = {
    url,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': getExpectedTwilioSignature(authToken, url, fields),
    } as Record<string, string>,
    body: new URLSearchParams(fields).toString(),
  };
  callback.forge?.(sent);
  const answer = await request(sent.url, { method: 'POST', headers: sent.headers, body: sent.body });
  return { status: answer.statusCode, text: await answer.body.text() };
}

/** The fields of a status callback. */
export function statusFields(
  message: TwilioMessage,
  status: string,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    AccountSid: message.account,
    ApiVersion: '2010-04-01',
    From: '+15005550006',
    To: message.to,
    MessageSid: message.sid,
    SmsSid: message.sid,
    MessageStatus: status,
    SmsStatus: status,
    ...more,
  };
}
