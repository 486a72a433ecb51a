import { AddressNotAllowedError } from '../http-client/ssrf-guard';
import { readReply, type SmtpReply, type SmtpStage } from './smtp-reply';

/** Why there was no reply. */
export type SmtpTrouble =
  | 'address_not_allowed'
  | 'dns'
  | 'connection_refused'
  | 'unreachable'
  | 'tls'
  | 'certificate'
  | 'timeout'
  | 'reset'
  | 'protocol'
  | 'aborted'
  | 'closed';

/** A step that did not succeed: by a reply, or without one. */
export class SmtpFailure extends Error {
  constructor(
    readonly stage: SmtpStage,
    readonly details: {
      /** The server's refusal. */
      reply?: SmtpReply;
      /** Whom it refuses, as the server was told; only at RCPT. */
      recipient?: string;
      trouble?: SmtpTrouble;
      /** What is known of the trouble besides. */
      text?: string;
      /** Whether the end of the mail may have reached the server. */
      ended: boolean;
      /** Whether the server had said anything to this mail. */
      answered: boolean;
      cause?: unknown;
    },
  ) {
    super(`${stage}: ${details.reply?.code ?? details.trouble ?? 'failed'}`, { cause: details.cause });
    this.name = 'SmtpFailure';
  }
}

/** What was said in a conversation since its mail began. */
export interface Said {
  /** Whether the server said anything. */
  answered: boolean;
  /** Refusals of recipients, or of the sender, after which those of recipients say nothing. */
  refused: ReadonlyArray<{ stage: 'MAIL' | 'RCPT'; reply: string; recipient?: string }>;
}

/** Fields of nodemailer's errors. */
interface ConnectionError extends Error {
  code?: string;
  originalCode?: string;
  command?: string;
  response?: string | false;
}

/**
 * What a failed step of a conversation was.
 * @param stage where it was, unless the error says so
 * @param ended whether the end of the mail may have reached the server
 */
export function failureOf(error: unknown, stage: SmtpStage, ended: boolean, transcript: Said): SmtpFailure {
  if (error instanceof SmtpFailure) return error;
  const { command = '', response, trouble } = error as ConnectionError & { trouble?: SmtpTrouble };
  const { answered, refused } = transcript;
  if (refused.length > 0 && !ended) {
    // The sender decides, then a recipient who is refused for good; the others would not get it anyway.
    const first = refused[0]!;
    const worst = (first.stage === 'RCPT' && refused.find(({ reply }) => reply.startsWith('5'))) || first;
    return said(worst.reply, worst.stage, worst.recipient);
  }
  const at = stageOf(command) ?? stage;
  if (response) return said(response, at);
  return new SmtpFailure(at, {
    trouble: trouble ?? troubleOf(error as ConnectionError),
    text: (error as Error).message,
    ended,
    answered,
    cause: error,
  });

  function said(words: string, where: SmtpStage, recipient?: string): SmtpFailure {
    const reply = readReply(words);
    const details = reply
      ? { reply, ...(recipient !== undefined && { recipient }) }
      : { trouble: 'protocol' as const, text: words };
    return new SmtpFailure(where, { ...details, ended, answered, cause: error });
  }
}

/** Whether the server had closed a resting session before it heard of the mail: another session may say it for the first time. */
export function isStale(error: unknown): boolean {
  if (!(error instanceof SmtpFailure)) return false;
  const { answered, ended, reply, trouble } = error.details;
  return !ended && (reply?.code === 421 ? error.stage === 'MAIL' : !answered && trouble === 'reset');
}

function stageOf(command: string): SmtpStage | undefined {
  if (command.startsWith('AUTH')) return 'AUTH';
  if (command === 'MAIL FROM') return 'MAIL';
  if (command === 'RCPT TO') return 'RCPT';
  if (command === 'DATA') return 'DATA';
  if (command === 'STARTTLS') return 'STARTTLS';
  return command === 'EHLO' || command === 'HELO' ? 'CONNECT' : undefined;
}

const REFUSED = new Set(['ECONNREFUSED']);
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL']);

export function troubleOf(error: ConnectionError): SmtpTrouble {
  if (error instanceof AddressNotAllowedError) return 'address_not_allowed';
  const code = error.originalCode ?? error.code ?? '';
  if (isCertificateError(code)) return 'certificate';
  if (code === 'ENOTFOUND' || code.startsWith('EAI_') || code === 'EDNS') return 'dns';
  if (REFUSED.has(code)) return 'connection_refused';
  if (UNREACHABLE.has(code)) return 'unreachable';
  if (code === 'ETIMEDOUT') return 'timeout';
  if (code === 'EPROTOCOL' || code === 'EENVELOPE' || code === 'EMESSAGE') return 'protocol';
  if (code === 'ETLS' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code === 'EPROTO') return 'tls';
  return 'reset';
}

/** Codes of Node and OpenSSL for a certificate that is not to be trusted (Node documentation, tls, "X509 certificate error codes"). */
function isCertificateError(code: string): boolean {
  return (
    code === 'ERR_TLS_CERT_ALTNAME_INVALID' ||
    /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERROR_IN_C|INVALID_(CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH)/.test(
      code,
    )
  );
}
