/** Whose mails those are that no tenant asked for. */
export const OPERATOR = 'operator';

/** A mail of the service itself, to one recipient: several recipients are several mails, so that one who is refused takes none from the others. */
export interface Mail {
  /** Whose mail it is, a tenant's id or {@link OPERATOR}: owners take turns. */
  owner: string;
  /** It goes before those that are not. Default: false. */
  urgent?: boolean;
  /** See `Mailer.address`. */
  from: { email: string; name?: string };
  /** One address. */
  to: string;
  subject: string;
  text: string;
  /** The same for those who read HTML. Whoever makes it escapes what others wrote. */
  html?: string;
  attachments?: ReadonlyArray<{ filename: string; contentType: string; content: string | Buffer }>;
  /** Further header fields by name. */
  headers?: Readonly<Record<string, string>>;
  /** `left@right`, without brackets; the same at each try of the same mail, so that a repeat can be recognised. See `Mailer.messageId`. */
  messageId: string;
}

/**
 * What kind of failure it is.
 * - `permanent`: the server refused this mail or this recipient for good (5xx)
 * - `transient`: it was not taken, and may be later
 * - `ambiguous`: the whole mail was sent and no answer came; it may have been taken
 */
export type MailFailureClass = 'permanent' | 'transient' | 'ambiguous';

/** What came of one try. */
export type MailOutcome = {
  /** When it began, milliseconds since the epoch. */
  at: number;
  latencyMs: number;
  /** The server's last words, without credentials; missing when it said nothing. */
  reply?: string;
  /** The three digits of them. */
  replyCode?: number;
} & (
  | { sent: true }
  | {
      sent: false;
      failure: MailFailureClass;
      /**
       * A stable word: `mail_not_configured`, `mail_recipient_refused`, `mail_refused`, `mail_deferred`, `mail_login_refused`, `mail_server_refused`,
       * `mail_server_busy`, `mail_no_answer`, or why the server could not be asked (`dns`, `connection_refused`, `tls`, `certificate`, `timeout`, …).
       */
      error: string;
    }
);
