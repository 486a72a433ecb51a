import type { OutboundMessage } from '../../../gateway/contracts/gateway';
import {
  encodeMessage,
  encodePartHeader,
  ESM_HEADER,
  SMPP_TLV,
  type SmppAddress,
} from '../../../platform/smpp/smpp-pdu';
import {
  alphabetFor,
  DATA_CODINGS,
  encodeParts,
  encodeText,
  type SmppAlphabet,
} from '../../../platform/smpp/smpp-text';
import type { SmppSettings } from './smpp.settings';

/** Digits only, or with `+`: a number. Up to this length it is a short code. */
const NUMBER = /^\+?\d+$/;
const LONGEST_SHORT_CODE = 8;

/** Final receipts, of success and of failure (5.2.17). */
const RECEIPTS = 0x01;

/** A number of parts that one octet can tell. */
export const MOST_PARTS = 255;

const ALPHABETS: Readonly<Record<SmppSettings['encoding'], readonly SmppAlphabet[]>> = {
  auto: ['gsm7', 'ucs2'],
  gsm7: ['gsm7'],
  latin1: ['latin1', 'ucs2'],
  ucs2: ['ucs2'],
};

/** How a text is written; undefined when the account's encoding does not have its characters. */
export function alphabetOf(text: string, settings: SmppSettings): SmppAlphabet | undefined {
  return alphabetFor(text, ALPHABETS[settings.encoding]);
}

/** One `submit_sm`, without its header. */
export interface Submission {
  body: Buffer;
  source: SmppAddress;
}

/**
 * The bodies of the `submit_sm` of a message, one a part.
 * @param reference tells the parts of this message from those of another one to the same recipient
 */
export function submissionsOf(
  message: OutboundMessage<'sms'>,
  settings: SmppSettings,
  reference: number,
  now: number,
): Submission[] {
  const { text } = message.content;
  const alphabet = alphabetOf(text, settings) ?? 'ucs2';
  const source = sourceOf(message.from, settings);
  const common = {
    source,
    destination: { ton: settings.destTon, npi: settings.destNpi, address: message.to.replace(/^\+/, '') },
    validityPeriod: validityPeriod(message.expiresAt - now),
    registeredDelivery: RECEIPTS,
    dataCoding: DATA_CODINGS[alphabet],
  };
  const parts = encodeParts(text, alphabet);
  const total = parts.length;
  const bodies =
    total === 1
      ? [encodeMessage({ ...common, esmClass: 0, shortMessage: parts[0]!, tlvs: NO_TLVS })]
      : settings.concatenation === 'payload'
        ? [encodeMessage({ ...common, esmClass: 0, shortMessage: EMPTY, tlvs: payloadTlv(text, alphabet) })]
        : parts.map((part, index) => {
            const place = { reference, number: index + 1, total };
            return settings.concatenation === 'udh'
              ? encodeMessage({
                  ...common,
                  esmClass: ESM_HEADER,
                  shortMessage: Buffer.concat([encodePartHeader(place), part]),
                  tlvs: NO_TLVS,
                })
              : encodeMessage({ ...common, esmClass: 0, shortMessage: part, tlvs: sarTlvs(place) });
          });
  return bodies.map((body) => ({ body, source }));
}

const NO_TLVS: ReadonlyMap<number, Buffer> = new Map();
const EMPTY = Buffer.alloc(0);

function payloadTlv(text: string, alphabet: SmppAlphabet): ReadonlyMap<number, Buffer> {
  return new Map([[SMPP_TLV.message_payload, encodeText(text, alphabet)]]);
}

function sarTlvs(place: { reference: number; number: number; total: number }): ReadonlyMap<number, Buffer> {
  return new Map([
    [SMPP_TLV.sar_msg_ref_num, Buffer.from([place.reference >> 8, place.reference & 0xff])],
    [SMPP_TLV.sar_total_segments, Buffer.from([place.total])],
    [SMPP_TLV.sar_segment_seqnum, Buffer.from([place.number])],
  ]);
}

/** The source address of a sender; without one the SMSC's own, an empty address. */
export function sourceOf(from: string | null, settings: SmppSettings): SmppAddress {
  const sender = from ?? settings.sourceAddr;
  if (sender === null) return { ton: settings.sourceTon ?? 0, npi: settings.sourceNpi ?? 0, address: '' };
  const isNumber = NUMBER.test(sender);
  const shape = !isNumber
    ? { ton: 5, npi: 0 }
    : !sender.startsWith('+') && sender.length <= LONGEST_SHORT_CODE
      ? { ton: 3, npi: 0 }
      : { ton: 1, npi: 1 };
  // TON and NPI of a number would be wrong for letters, and the other way round.
  const applies = settings.sourceAddr === null || NUMBER.test(settings.sourceAddr) === isNumber;
  return {
    ton: (applies ? settings.sourceTon : undefined) ?? shape.ton,
    npi: (applies ? settings.sourceNpi : undefined) ?? shape.npi,
    address: sender.replace(/^\+/, ''),
  };
}

const DAY = 86_400;
/** Months differ in length, so no longer time is given in days alone. */
const LONGEST_VALIDITY_DAYS = 28;

/** Relative, `YYMMDDhhmmss000R` (7.1.1.2): no clock but the SMSC's has to be right. */
function validityPeriod(remainingMs: number): string {
  const seconds = Math.max(1, Math.floor(remainingMs / 1000));
  const days = Math.floor(seconds / DAY);
  if (days >= LONGEST_VALIDITY_DAYS) return '';
  const two = (value: number): string => String(value).padStart(2, '0');
  const rest = seconds % DAY;
  return `0000${two(days)}${two(Math.floor(rest / 3600))}${two(Math.floor(rest / 60) % 60)}${two(rest % 60)}000R`;
}
