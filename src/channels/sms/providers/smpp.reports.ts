import { createHash } from 'node:crypto';
import type { InboundEvent, NormalizedEvent, StatusEvent } from '../../../gateway/contracts/callback';
import { rowOf } from '../../../gateway/contracts/provider-answer';
import {
  decodeData,
  decodeMessage,
  readParts,
  SMPP_COMMANDS,
  SMPP_TLV,
  SmppFormatError,
  type SmppAddress,
  type SmppMessage,
  type SmppPdu,
} from '../../../platform/smpp/smpp-pdu';
import { decodeText } from '../../../platform/smpp/smpp-text';
import { idForms } from './smpp.message-ids';
import type { SmppSettings } from './smpp.settings';
import { receiptWord, SMPP_STATUSES, stateError, stateWord } from './smpp.vocabulary';

/** The kinds of a `deliver_sm` by bits 2 to 5 of its `esm_class` (5.2.12). */
const KIND = 0x3c;
const RECEIPT = 0x04;
const INTERMEDIATE = 0x20;

/** As a report is kept: which command it was, and its body in hexadecimal, so that it can be shown and read again. */
export function keptReport(pdu: SmppPdu, key: string): Buffer {
  const command = pdu.command === SMPP_COMMANDS.data_sm ? 'data_sm' : 'deliver_sm';
  return Buffer.from(`${command} ${key} ${pdu.body.toString('hex')}`);
}

/** Reads what {@link keptReport} made. @throws Error when it cannot be read */
export function parseReport(raw: Buffer, settings: SmppSettings): NormalizedEvent[] {
  const [, command, key, hex] = /^(deliver_sm|data_sm) (\S+) ((?:[0-9a-f]{2})*)$/.exec(raw.toString('latin1')) ?? [];
  if (command === undefined) throw new SmppFormatError('no report');
  const body = Buffer.from(hex!, 'hex');
  const message = command === 'data_sm' ? decodeData(body) : decodeMessage(body);
  return [eventOf(message, settings, key!)];
}

/** What repeats of a message from a phone have in common. */
export function contentDigest(pdu: SmppPdu): string {
  return createHash('sha256').update(pdu.body).digest('base64url').slice(0, 22);
}

/** Whether it is neither a receipt nor an acknowledgement. */
export function isFromPhone(pdu: SmppPdu): boolean {
  try {
    const message = pdu.command === SMPP_COMMANDS.data_sm ? decodeData(pdu.body) : decodeMessage(pdu.body);
    return (message.esmClass & KIND) === 0 && !isReceipt(message);
  } catch (error) {
    if (error instanceof SmppFormatError) return false;
    throw error;
  }
}

/**
 * Quirk: some SMSCs forget the bits of esm_class on receipts; the parameters tell them all the same. The text alone proves nothing: a phone can
 * send it too.
 */
function isReceipt({ esmClass, tlvs }: SmppMessage): boolean {
  const kind = esmClass & KIND;
  if (kind & (RECEIPT | INTERMEDIATE)) return true;
  return kind === 0 && tlvs.has(SMPP_TLV.receipted_message_id) && tlvs.has(SMPP_TLV.message_state);
}

function eventOf(message: SmppMessage, settings: SmppSettings, key: string): NormalizedEvent {
  if (isReceipt(message)) return receiptOf(message, settings);
  if ((message.esmClass & KIND) === 0) return inboundOf(message, settings, key);
  // Acknowledgements of the phone's user, which nobody asked for.
  return { kind: 'ignored', eventId: `ack:${key}`, occurredAt: null, rawWord: `esm_class ${message.esmClass}` };
}

/** Fields of a receipt's text. */
const FIELDS = {
  id: /(?:^|\s)id\s*[:=]\s*(\S+)/i,
  stat: /(?:^|\s)stat\s*[:=]\s*(\S+)/i,
  err: /(?:^|\s)err\s*[:=]\s*(\S+)/i,
};

/**
 * Quirk: the text of a receipt is the SMSC's affair (appendix B is an example), so case, order and spacing are not relied on, and the optional
 * parameters go before it. `done date` has no time zone, so the time of a report is when it came.
 */
function receiptOf(message: SmppMessage, settings: SmppSettings): StatusEvent {
  const { shortMessage, dataCoding, tlvs } = message;
  const text = decodeText(shortMessage, dataCoding, 'latin1') ?? shortMessage.toString('latin1');
  const field = (name: keyof typeof FIELDS): string | undefined => FIELDS[name].exec(text)?.[1];
  const given = cString(tlvs.get(SMPP_TLV.receipted_message_id)) ?? field('id');
  const state = tlvs.get(SMPP_TLV.message_state);
  const stat = field('stat');
  const word = state?.length === 1 ? stateWord(state[0]!) : receiptWord(stat ?? '');
  const err = field('err') ?? networkError(tlvs.get(SMPP_TLV.network_error_code));
  const error = stateError(word, err);
  if (given === undefined) throw new SmppFormatError('a receipt without a message id');
  const forms = idForms(given, settings.receiptIds);
  return {
    kind: 'status',
    status: rowOf(SMPP_STATUSES, word) ?? null,
    eventId: `dlr:${given}:${word}`,
    externalId: forms[0]!,
    ...(forms.length > 1 && { idForms: forms }),
    occurredAt: null,
    rawWord: word,
    ...(error && { error }),
  };
}

/** The value of a C-octet string parameter; some forget its end. */
function cString(value: Buffer | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  const text = value.toString('latin1', 0, end < 0 ? value.length : end).trim();
  return text === '' ? undefined : text;
}

/** Network type and code (5.3.2.31), as `<type>:<code>`. */
function networkError(value: Buffer | undefined): string | undefined {
  if (value?.length !== 3) return undefined;
  const code = value.readUInt16BE(1);
  return code === 0 ? undefined : `${value[0]}:${code}`;
}

function inboundOf(message: SmppMessage, settings: SmppSettings, key: string): InboundEvent {
  const { part, userData } = readParts(message);
  const text = decodeText(userData, message.dataCoding, settings.defaultAlphabet);
  return {
    kind: 'inbound',
    eventId: `mo:${key}`,
    occurredAt: null,
    rawWord: 'deliver_sm',
    from: addressOf(message.source),
    to: addressOf(message.destination),
    text: text ?? '',
    ...(part && { part: { reference: String(part.reference), number: part.number, total: part.total } }),
    ...(text === undefined && { detail: { data_coding: message.dataCoding, data: userData.toString('hex') } }),
  };
}

const INTERNATIONAL = 1;
const UNKNOWN_TON = 0;
/** No shorter number has a country code. */
const SHORTEST_INTERNATIONAL = 10;

/** E.164 for an international number, else as it came. */
function addressOf({ ton, address }: SmppAddress): string {
  if (!/^[1-9]\d{6,14}$/.test(address)) return address;
  if (ton === INTERNATIONAL) return `+${address}`;
  return ton === UNKNOWN_TON && address.length >= SHORTEST_INTERNATIONAL ? `+${address}` : address;
}
