import type { Secret } from '../../../kernel/secret';
import { GatewayError, type ErrorRow } from '../../../gateway/contracts/gateway-error';
import { SmtpFailure, type SmtpTrouble } from '../../../platform/smtp/smtp-failure';
import { onWire } from './smtp.mail';
import { isHardBounce, replyRow } from './smtp.vocabulary';

type Credentials = Readonly<Record<string, Secret | undefined>>;

/** What it means that there is no reply, as long as the end of the mail was not sent; what is not listed is `transient`. */
const TROUBLES: Partial<Record<SmtpTrouble, ErrorRow>> = {
  certificate: {
    class: 'config',
    code: 'certificate_refused',
    title: 'the certificate of the server is not to be trusted',
  },
  address_not_allowed: { class: 'config', code: 'address_not_allowed', title: 'the server is at an internal address' },
};

/** A failure that no reply of the server tells. @param providerCode a word for it */
export function failure(providerCode: string, row: ErrorRow, text?: string, bounced?: string): GatewayError {
  return new GatewayError({
    class: row.class,
    code: row.code,
    message: `SMTP: ${row.title}`,
    providerCode,
    ...(text !== undefined && { providerText: text }),
    ...(row.scope && { scope: row.scope }),
    ...(bounced !== undefined && { bounced }),
  });
}

/**
 * Classifies a failed session or mail. A reply says for sure that the mail was not taken, even after its end; without one, the mail may have been
 * taken once its end was on the way.
 * @param recipients addresses of the mail, if it was about one
 */
export function asGatewayError(
  error: unknown,
  credentials: Credentials,
  recipients: readonly string[] = [],
): GatewayError {
  if (!(error instanceof SmtpFailure)) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  const { reply, recipient, trouble = 'reset', text, ended } = error.details;
  if (reply) {
    const row = replyRow(error.stage, reply);
    const code = reply.enhanced === undefined ? String(reply.code) : `${reply.code} ${reply.enhanced}`;
    const isGone = row.class === 'recipient_permanent' && recipient !== undefined && isHardBounce(reply);
    const bounced = isGone ? recipients.find((address) => onWire(address) === recipient) : undefined;
    return failure(code, row, withoutSecrets(reply.text, credentials), bounced);
  }
  if (ended) {
    const unreadable = trouble === 'protocol';
    return failure(trouble, {
      class: 'ambiguous',
      code: unreadable ? 'unreadable_answer' : 'no_answer',
      title: unreadable
        ? 'the answer to a mail that was sent cannot be read'
        : `no answer to a mail that was sent (${trouble})`,
    });
  }
  const row = TROUBLES[trouble];
  if (row) return failure(trouble, row, text === undefined ? undefined : withoutSecrets(text, credentials));
  const title = `could not be asked (${trouble} at ${error.stage})`;
  return failure(trouble, { class: 'transient', code: 'not_reached', title });
}

/** Servers repeat what they were told, as it is or as it was coded. */
function withoutSecrets(text: string, credentials: Credentials): string {
  let clean = text.slice(0, 2000);
  for (const secret of Object.values(credentials)) {
    const value = secret?.reveal();
    if (!value) continue;
    clean = clean.replaceAll(value, '[secret]').replaceAll(Buffer.from(value).toString('base64'), '[secret]');
  }
  return clean;
}
