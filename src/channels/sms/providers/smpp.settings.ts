import { z } from 'zod';
import { supportedCountries } from './sms-settings';

const number = (highest: number, description: string, example: number) =>
  z.int().min(0).max(highest).optional().meta({ description, example });

const TON = 'type of number (SMPP 3.4, 5.2.5), 0-6';
const NPI = 'numbering plan (SMPP 3.4, 5.2.6), 0-18';

/** Further fields of a config. Whatever an SMSC's contract can leave open is one. */
export const SMPP_SETTINGS = z.strictObject({
  host: z
    .string()
    .trim()
    .max(253)
    .regex(
      /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.|$))+$|^[0-9A-Fa-f:.]+$/,
      'must be a host name or an IP address',
    )
    .meta({ description: 'Host of the SMSC: a name or an address.', example: 'smpp.example.com' }),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .meta({ description: 'TCP port of the SMSC. Default: 2775, with TLS 3550.', example: 2775 }),
  tls: z
    .boolean()
    .optional()
    .meta({ description: 'TLS from the first byte, with the certificate checked. Default: false.', example: true }),
  bind: z.enum(['transceiver', 'transmitter+receiver']).optional().meta({
    description: 'One connection that does both, or one for each direction. Default: transceiver.',
    example: 'transceiver',
  }),
  system_type: z
    .string()
    .max(12)
    .regex(/^[\x20-\x7e]*$/, 'must be ASCII')
    .optional()
    .meta({ description: 'System type of the bind, where the SMSC wants one. At most 12 characters.', example: 'VMA' }),
  source_addr: z
    .string()
    .regex(/^(\+?\d{1,20}|(?=.*[A-Za-z])[A-Za-z0-9 ._&-]{1,11})$/, 'must be a number, or up to 11 letters and digits')
    .optional()
    .meta({
      description:
        'Sender when the request names none: a number, or up to 11 letters and digits. Absent: the SMSC chooses.',
      example: 'AcmeInc',
    }),
  source_ton: number(
    6,
    `Source address ${TON}. It is for senders of the kind of source_addr, letters or digits; for every sender when there is no source_addr. Default: by the sender, 5 for letters, 3 for a short code, 1 for a number.`,
    5,
  ),
  source_npi: number(18, `Source address ${NPI}; for the same senders. Default: 1 for a number, else 0.`, 0),
  dest_ton: number(6, `Destination address ${TON}. Default: 1, international.`, 1),
  dest_npi: number(18, `Destination address ${NPI}. Default: 1, ISDN.`, 1),
  window_size: z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .meta({ description: 'Most submit_sm without a response at once. Default: 10.', example: 10 }),
  enquire_link_seconds: z
    .int()
    .min(5)
    .max(600)
    .optional()
    .meta({ description: 'Seconds between two enquire_link. Default: 25.', example: 25 }),
  encoding: z.enum(['auto', 'gsm7', 'latin1', 'ucs2']).optional().meta({
    description:
      'How texts are written. `auto`: GSM 7-bit, or UCS-2 when a character is not in it. `gsm7`: nothing else; other texts are refused. `latin1`: Latin-1, or UCS-2. `ucs2`: always. Default: auto.',
    example: 'auto',
  }),
  default_alphabet: z.enum(['gsm7', 'latin1']).optional().meta({
    description: 'What the SMSC means by data_coding 0 in messages to us. Default: gsm7, one septet an octet.',
    example: 'gsm7',
  }),
  concatenation: z.enum(['udh', 'sar', 'payload']).optional().meta({
    description:
      'How the parts of a long message are told. `udh`: a user data header with an 8-bit reference. `sar`: the sar_* parameters. `payload`: one message_payload, which the SMSC splits. Default: udh.',
    example: 'udh',
  }),
  receipt_ids: z.enum(['auto', 'same', 'decimal', 'hexadecimal']).optional().meta({
    description:
      'How receipts write message ids. `same`: as in the response. `decimal`: the response is hexadecimal. `hexadecimal`: the response is decimal. `auto`: the first of these that fits. Default: auto.',
    example: 'auto',
  }),
  supported_countries: supportedCountries,
});

/** A config's settings, with what is the default. */
export interface SmppSettings {
  host: string;
  port: number;
  tls: boolean;
  bind: 'transceiver' | 'transmitter+receiver';
  systemType: string;
  sourceAddr: string | null;
  sourceTon: number | undefined;
  sourceNpi: number | undefined;
  destTon: number;
  destNpi: number;
  windowSize: number;
  enquireMs: number;
  encoding: 'auto' | 'gsm7' | 'latin1' | 'ucs2';
  defaultAlphabet: 'gsm7' | 'latin1';
  concatenation: 'udh' | 'sar' | 'payload';
  receiptIds: 'auto' | 'same' | 'decimal' | 'hexadecimal';
}

export const DEFAULT_WINDOW = 10;

export function smppSettings(values: Readonly<Record<string, unknown>>): SmppSettings {
  const read = values as z.infer<typeof SMPP_SETTINGS>;
  const tls = read.tls ?? false;
  return {
    host: read.host,
    port: read.port ?? (tls ? 3550 : 2775),
    tls,
    bind: read.bind ?? 'transceiver',
    systemType: read.system_type ?? '',
    sourceAddr: read.source_addr ?? null,
    sourceTon: read.source_ton,
    sourceNpi: read.source_npi,
    destTon: read.dest_ton ?? 1,
    destNpi: read.dest_npi ?? 1,
    windowSize: read.window_size ?? DEFAULT_WINDOW,
    enquireMs: (read.enquire_link_seconds ?? 25) * 1000,
    encoding: read.encoding ?? 'auto',
    defaultAlphabet: read.default_alphabet ?? 'gsm7',
    concatenation: read.concatenation ?? 'udh',
    receiptIds: read.receipt_ids ?? 'auto',
  };
}
