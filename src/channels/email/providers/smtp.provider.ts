// Speaks SMTP through nodemailer's connections and builds mails with its composer, over a pool of its own: see platform/smtp.
import net from 'node:net';
import { z } from 'zod';
import type {
  EmailContent,
  Gateway,
  GatewayContext,
  HealthReport,
  OutboundMessage,
  SendResult,
  ValidationIssue,
} from '../../../gateway/contracts/gateway';
import { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { GatewayDeps, ProviderDefinition } from '../../../gateway/contracts/provider-definition';
import type { Clock } from '../../../kernel/clock';
import { systemClock } from '../../../kernel/clock';
import { isStale, SmtpFailure } from '../../../platform/smtp/smtp-failure';
import { isAscii } from '../../../platform/smtp/smtp-mail';
import { SmtpPool } from '../../../platform/smtp/smtp-pool';
import { SmtpSession, type SmtpLimit, type SmtpTarget } from '../../../platform/smtp/smtp-session';
import { fromEmail, fromName, replyToEmail, replyToOf, senderOf } from '../email-settings';
import { listUnsubscribeHeaders, listUnsubscribeIssues, wantsListUnsubscribe } from '../list-unsubscribe';
import { asGatewayError, failure } from './smtp.errors';
import { composeMail, type ComposedMail } from './smtp.mail';
import { smtpSimulator } from './smtp.simulator';
import { SMTP_ERRORS } from './smtp.vocabulary';

/** Mails under way at once and config, and so sessions. */
const WINDOW = 10;
const MOST_CONNECTIONS = 50;

/** What an attachment-laden mail may have, in characters before encoding; the API takes 10 MiB. */
const MAX_BODY_LENGTH = 10 * 1024 * 1024;

class SmtpGateway implements Gateway {
  private readonly clock: Clock;
  private readonly pool = new SmtpPool({
    perConfig: MOST_CONNECTIONS,
    total: 500,
    idleMs: 20_000,
    mailsPerSession: 100,
  });

  constructor(private readonly deps: GatewayDeps) {
    this.clock = deps.clock ?? systemClock;
  }

  validate(message: OutboundMessage, settings: Readonly<Record<string, unknown>>): ValidationIssue[] {
    const { content } = message as OutboundMessage<'email'>;
    const issues: ValidationIssue[] = [];
    const cannot = (field: string, what: string): void =>
      void issues.push({ field, code: 'unsupported', message: `SMTP ${what}` });
    if (content.template_id !== undefined) cannot('template_id', 'has no templates');
    else if (content.text === undefined && content.html === undefined) {
      issues.push({ field: 'text', code: 'required', message: 'a mail needs text or html' });
    }
    if (content.tracking?.opens) cannot('tracking.opens', 'tells of no opens');
    if (content.tracking?.clicks) cannot('tracking.clicks', 'tells of no clicks');
    issues.push(...listUnsubscribeIssues(content, 'SMTP'));
    // Quirk: nodemailer asks for SMTPUTF8 for envelope addresses only (10.6, 2026-11).
    const replyTo = replyToOf(content, settings);
    const isOrdinary = [senderOf(content, settings), ...recipientsOf(content)].every(isPlainLocal);
    if (replyTo && !isPlainLocal(replyTo) && isOrdinary)
      cannot('reply_to', 'takes an ASCII local part only, when the other addresses have one');
    return issues;
  }

  async send(message: OutboundMessage, ctx: GatewayContext): Promise<SendResult> {
    const limit = limitOf(ctx);
    const target = targetOf(ctx);
    const mail = this.compose(message as OutboundMessage<'email'>, ctx);
    try {
      const rested = this.pool.take(ctx);
      if (rested) {
        try {
          return await this.deliver(rested, mail, message.id, ctx, limit);
        } catch (error) {
          // The server had closed the session while it rested: nothing was said, so another one says it for the first time.
          if (!isStale(error)) throw error;
        }
      }
      return await this.deliver(await SmtpSession.open(this.deps.dialer, target, limit), mail, message.id, ctx, limit);
    } catch (error) {
      const recipients = recipientsOf((message as OutboundMessage<'email'>).content).map(({ email }) => email);
      throw asGatewayError(error, ctx.credentials, recipients);
    }
  }

  async healthCheck(ctx: GatewayContext): Promise<HealthReport> {
    try {
      const session = await SmtpSession.open(this.deps.dialer, targetOf(ctx), limitOf(ctx));
      session.quit();
      return { healthy: true };
    } catch (error) {
      if (!(error instanceof SmtpFailure) && !(error instanceof GatewayError))
        return { healthy: false, error: 'SMTP: the server could not be asked', errorClass: 'transient' };
      const { message, providerText, class: errorClass } = asGatewayError(error, ctx.credentials);
      return {
        healthy: false,
        error: (providerText === undefined ? message : `${message} (${providerText})`).slice(0, 300),
        errorClass: errorClass === 'config' ? 'config' : 'transient',
      };
    }
  }

  async release(configId: string): Promise<void> {
    this.pool.release(configId);
  }

  private async deliver(
    session: SmtpSession,
    mail: ComposedMail,
    id: string,
    ctx: GatewayContext,
    limit: SmtpLimit,
  ): Promise<SendResult> {
    let failed: SmtpFailure | undefined;
    try {
      if (mail.needsSmtpUtf8 && !session.offers('SMTPUTF8')) throw failure('smtputf8', SMTP_ERRORS.smtputf8!);
      if (mail.bytes.length > (session.sizeLimit ?? Infinity)) throw failure('size', SMTP_ERRORS['5.3.4']!);
      await session.send(mail, id, limit);
      return { externalId: mail.messageId };
    } catch (error) {
      if (error instanceof SmtpFailure) failed = error;
      throw error;
    } finally {
      // The answer does not wait for the session to be ready again.
      void this.pool.give(ctx, session, failed);
    }
  }

  private compose(message: OutboundMessage<'email'>, ctx: GatewayContext): ComposedMail {
    const { content } = message;
    const replyTo = replyToOf(content, ctx.settings);
    return composeMail({
      id: message.id,
      content,
      from: senderOf(content, ctx.settings),
      ...(replyTo && { replyTo }),
      headers: wantsListUnsubscribe(content) ? listUnsubscribeHeaders(message, ctx) : {},
      date: this.clock.now(),
    });
  }
}

/** @throws GatewayError `config` when only one half of the credentials is there */
function targetOf({ settings, credentials }: GatewayContext): SmtpTarget {
  const { host, port, tls } = settings as Settings;
  const user = credentials.username?.reveal() ?? '';
  const pass = credentials.password?.reveal() ?? '';
  if ((user === '') !== (pass === '')) {
    const missing = user === '' ? 'username' : 'password';
    throw failure('credentials', {
      class: 'config',
      code: 'bad_credentials',
      title: `the ${missing} is missing: both are needed, or none`,
    });
  }
  return { host, port, tls, ...(user !== '' && { auth: { user, pass } }) };
}

function limitOf(ctx: GatewayContext): SmtpLimit {
  return { deadline: performance.now() + ctx.timeoutMs, signal: ctx.signal };
}

function recipientsOf({ to, cc = [], bcc = [] }: EmailContent): Array<{ email: string }> {
  return [...to, ...cc, ...bcc];
}

function isPlainLocal({ email }: { email: string }): boolean {
  return isAscii(email.slice(0, email.lastIndexOf('@')));
}

const HOST =
  /^(?=.{1,253}$)(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

const settings = z.strictObject({
  host: z
    .string()
    .refine((host) => net.isIP(host) !== 0 || HOST.test(host), 'must be a host name or an IP address')
    .meta({
      description: 'The mail server: a host name or an IP address on the public internet.',
      example: 'smtp.example.com',
    }),
  port: z.int().min(1).max(65_535).meta({
    description: 'TCP port: 587 for `starttls`, 465 for `implicit`, mostly.',
    example: 587,
  }),
  tls: z.enum(['starttls', 'implicit', 'none']).meta({
    description:
      '`starttls`: begins in clear and goes on only when TLS is made; `implicit`: TLS from the first byte; `none`: in clear. The certificate must fit the host and come from a known authority; NODE_EXTRA_CA_CERTS of the service adds authorities.',
    example: 'starttls',
  }),
  from_email: fromEmail,
  from_name: fromName,
  reply_to_email: replyToEmail,
  max_connections: z
    .int()
    .min(1)
    .max(MOST_CONNECTIONS)
    .optional()
    .meta({
      description: `Connections at once and worker process; each carries one mail after the other. Absent: ${WINDOW}. Some servers allow as few as 3.`,
      example: WINDOW,
    }),
});
type Settings = z.infer<typeof settings>;

/** Any mail server that takes mail for submission or relay. */
export const smtp: ProviderDefinition = Object.freeze<ProviderDefinition>({
  key: 'smtp',
  channel: 'email',
  slug: 'smtp',
  aliases: [],
  title: 'SMTP',
  docsUrl: 'https://www.rfc-editor.org/rfc/rfc5321',
  baseUrl: null,
  settings,
  credentials: {
    username: {
      description: 'User name. Absent together with the password: no authentication.',
      secret: true,
      required: false,
      example: 'shop@example.com',
    },
    password: {
      description: 'Password of that user.',
      secret: true,
      required: false,
      example: 'correct-horse-battery',
    },
  },
  capabilities: {
    // Quirk: a server that takes a mail (250) says no more of it; bounces go as mails to the sender's mailbox, which UniMsg does not read, with our
    // message id as Original-Envelope-Id where servers know DSN (RFC 5321 §6.1, RFC 3464, 2026-11).
    status: 'none',
    inbound: false,
    media: true,
    templates: false,
    idempotency: false,
    lookup: false,
    maxBodyLength: MAX_BODY_LENGTH,
  },
  limits: { defaultPerSecond: null, timeoutMs: 30_000, window: WINDOW, windowSetting: 'max_connections' },
  create: (deps) => new SmtpGateway(deps),
  callbacks: {},
  statuses: {},
  errors: SMTP_ERRORS,
  simulator: smtpSimulator,
});
