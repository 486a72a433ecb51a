import type { ErrorClass, ErrorRow } from '../../../gateway/contracts/gateway-error';
import { errorRows } from '../../../gateway/contracts/error-rows';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import type { MessageStatus } from '../../../kernel/channel';

/** The words of `stat:` in a receipt (SMPP 3.4, appendix B), and two of 5.0 that 3.4 SMSCs send too. */
export const SMPP_STATUSES: Readonly<Record<string, MessageStatus | null>> = Object.freeze({
  SCHEDULED: 'queued',
  ENROUTE: 'sent',
  // Quirk: a final state by the book ("manually read on behalf of the subscriber"), but most SMSCs say it when they take a message.
  ACCEPTD: 'sent',
  DELIVRD: 'delivered',
  EXPIRED: 'undelivered',
  DELETED: 'failed',
  UNDELIV: 'undelivered',
  // The SMSC does not know; so nor do we.
  UNKNOWN: null,
  REJECTD: 'undelivered',
  SKIPPED: 'failed',
});

/** The words by `message_state` (5.2.28). */
const STATES = [
  'SCHEDULED',
  'ENROUTE',
  'DELIVRD',
  'EXPIRED',
  'DELETED',
  'UNDELIV',
  'ACCEPTD',
  'UNKNOWN',
  'REJECTD',
  'SKIPPED',
];

/** Quirk: some SMSCs write the names of the states in full, or the names of 5.0 (node-smpp and jSMPP examples, 2026-11). */
const LONG_WORDS: Readonly<Record<string, string>> = {
  DELIVERED: 'DELIVRD',
  ACCEPTED: 'ACCEPTD',
  ACCEPTE: 'ACCEPTD',
  UNDELIVERABLE: 'UNDELIV',
  UNDELIVERED: 'UNDELIV',
  UNDELIVRD: 'UNDELIV',
  REJECTED: 'REJECTD',
  REJECTE: 'REJECTD',
};

/** A state's word; for a number that is none, the number. */
export function stateWord(state: number): string {
  return STATES[state] ?? String(state);
}

export function receiptWord(word: string): string {
  const upper = word.toUpperCase();
  return rowOf(LONG_WORDS, upper) ?? upper;
}

/** What a state that is no success means. */
const STATE_ERRORS: Readonly<Record<string, { class: ErrorClass; code: string; message: string }>> = {
  EXPIRED: {
    class: 'transient',
    code: 'expired_at_provider',
    message: 'The validity period ended before the message could be delivered',
  },
  DELETED: { class: 'transient', code: 'deleted_at_provider', message: 'The message was deleted at the SMSC' },
  UNDELIV: { class: 'recipient_permanent', code: 'recipient_unreachable', message: 'The message is undeliverable' },
  REJECTD: { class: 'content_permanent', code: 'rejected', message: 'The message was rejected' },
  SKIPPED: { class: 'transient', code: 'deleted_at_provider', message: 'The message was skipped at the SMSC' },
};

/** @param err the SMSC's own code, which means something else at each */
export function stateError(
  word: string,
  err: string | undefined,
): { class: ErrorClass; code: string; message: string; providerCode: string } | undefined {
  const row = rowOf(STATE_ERRORS, word);
  return row && { ...row, providerCode: err === undefined || /^0*$/.test(err) ? word : err };
}

/** `command_status` as it is kept and shown: `0x0B`. */
export function statusCode(status: number): string {
  return `0x${status.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** A status that is in no document was an answer: the message was refused, and perhaps another gateway takes it. */
const UNDOCUMENTED: ErrorRow = {
  class: 'transient',
  code: 'refused_by_provider',
  title: 'the SMSC refused with a status that is not documented',
};

export function statusRow(status: number): ErrorRow {
  return rowOf(SMPP_ERRORS, statusCode(status)) ?? UNDOCUMENTED;
}

/** `command_status` after SMPP 3.4 (5.1.3); from 0x100 on after SMPP 5.0 and, 0x402, Agile Telecom's documents (2026-11). The classes are ours. */
export const SMPP_ERRORS: Readonly<Record<string, ErrorRow>> = Object.freeze({
  ...errorRows(
    { class: 'content_permanent', code: 'invalid_content' },
    {
      '0x01': 'ESME_RINVMSGLEN: the message length is not valid',
      '0x33': 'ESME_RINVNUMDESTS: the number of destinations is not valid',
      '0x34': 'ESME_RINVDLNAME: the distribution list is not valid',
      '0x54': 'ESME_RINVREPFLAG: the replace flag is not valid',
      '0x55': 'ESME_RINVNUMMSGS: the number of messages is not valid',
      '0x61': 'ESME_RINVSCHED: the scheduled time is not valid',
      '0x62': 'ESME_RINVEXPIRY: the validity period is not valid',
      '0x63': 'ESME_RINVDFTMSGID: the predefined message is not valid',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'rejected' },
    {
      '0x65': 'ESME_RX_P_APPN: permanent error of the receiving application',
      '0x66': 'ESME_RX_R_APPN: the receiving application rejects the message',
    },
  ),
  ...errorRows(
    { class: 'content_permanent', code: 'unknown_message' },
    {
      '0x0C': 'ESME_RINVMSGID: the message id is not valid',
      '0x11': 'ESME_RCANCELFAIL: the message could not be cancelled',
      '0x13': 'ESME_RREPLACEFAIL: the message could not be replaced',
      '0x67': 'ESME_RQUERYFAIL: the message could not be looked up',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'protocol_not_supported' },
    {
      '0x02': 'ESME_RINVCMDLEN: the command length is not valid',
      '0x03': 'ESME_RINVCMDID: the command is not known, or not allowed to this account',
      '0x06': 'ESME_RINVPRTFLG: the priority flag is not valid',
      '0x07': 'ESME_RINVREGDLVFLG: the registered delivery flag is not valid',
      '0x40': 'ESME_RINVDESTFLAG: the destination flag is not valid',
      '0x42': 'ESME_RINVSUBREP: submit with replace is not supported',
      '0x43': 'ESME_RINVESMCLASS: the esm_class is not valid',
      '0x44': 'ESME_RCNTSUBDL: submitting to a distribution list is not possible',
      '0xC0': 'ESME_RINVOPTPARSTREAM: an optional parameter is not valid here',
      '0xC1': 'ESME_ROPTPARNOTALLWD: an optional parameter is not allowed',
      '0xC2': 'ESME_RINVPARLEN: the length of a parameter is not valid',
      '0xC3': 'ESME_RMISSINGOPTPARAM: an expected optional parameter is missing',
      '0xC4': 'ESME_RINVOPTPARAMVAL: the value of an optional parameter is not valid',
      '0x104': 'ESME_RINVDCS: the data_coding is not valid',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'bad_credentials' },
    {
      '0x0D': 'ESME_RBINDFAIL: the bind failed',
      '0x0E': 'ESME_RINVPASWD: the password is wrong',
      '0x0F': 'ESME_RINVSYSID: the system id is wrong',
      '0x53': 'ESME_RINVSYSTYP: the system type is wrong',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'service_denied' },
    {
      '0x15': 'ESME_RINVSERTYP: the service type is not valid',
      '0x100': 'ESME_RSERTYPUNAUTH: the account may not use this service type',
      '0x101': 'ESME_RPROHIBITED: the account may not do this',
      '0x102': 'ESME_RSERTYPUNAVAIL: the service type is not available',
      '0x103': 'ESME_RSERTYPDENIED: the service is denied, for want of credit perhaps',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'sender_not_allowed', scope: 'sender' },
    {
      '0x0A': 'ESME_RINVSRCADR: the source address is not valid',
      '0x48': 'ESME_RINVSRCTON: the type of number of the source is not valid',
      '0x49': 'ESME_RINVSRCNPI: the numbering plan of the source is not valid',
      '0x402': 'The sender is not allowed (Agile Telecom)',
    },
  ),
  ...errorRows(
    { class: 'config', code: 'destination_not_allowed', scope: 'country' },
    {
      '0x50': 'ESME_RINVDSTTON: the type of number of the destination is not valid',
      '0x51': 'ESME_RINVDSTNPI: the numbering plan of the destination is not valid',
    },
  ),
  ...errorRows(
    { class: 'recipient_permanent', code: 'invalid_recipient' },
    { '0x0B': 'ESME_RINVDSTADR: the destination address is not valid' },
  ),
  ...errorRows(
    { class: 'throttled', code: 'throttled', retryAfterMs: 1_000 },
    {
      '0x14': 'ESME_RMSGQFUL: the message queue is full',
      '0x58': 'ESME_RTHROTTLED: the allowed rate is exceeded',
    },
  ),
  // A bind of a process that died is there until the SMSC notices.
  ...errorRows(
    { class: 'throttled', code: 'too_many_binds', retryAfterMs: 10_000 },
    { '0x05': 'ESME_RALYBND: the account is bound already as often as it may' },
  ),
  ...errorRows(
    { class: 'transient', code: 'provider_unavailable' },
    {
      '0x04': 'ESME_RINVBNDSTS: the bind does not allow this command now',
      '0x08': 'ESME_RSYSERR: system error',
      '0x45': 'ESME_RSUBMITFAIL: the message could not be submitted',
      '0x64': 'ESME_RX_T_APPN: temporary error of the receiving application',
      '0xFE': 'ESME_RDELIVERYFAILURE: delivery failed',
      '0xFF': 'ESME_RUNKNOWNERR: unknown error',
    },
  ),
});
