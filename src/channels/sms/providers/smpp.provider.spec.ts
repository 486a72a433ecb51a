import type { OutboundMessage } from '../../../gateway/contracts/gateway';
import { SAMPLE_NOW } from '../../../../test/contract/provider.contract';
import { socketProviderContract, type SocketFault } from '../../../../test/contract/socket-provider.contract';
import { ScriptedSmsc, type SmscScript, type WireMessage } from '../../../../test/support/scripted-smsc';
import { smpp } from './smpp.provider';

// The reference of a long message begins anywhere; here it is 0x2a.
jest.mock('node:crypto', () => ({ ...jest.requireActual<object>('node:crypto'), randomInt: () => 0x29 }));

const ACCOUNT = {
  settings: { host: 'smpp.example.com', source_addr: 'Acme' },
  credentials: { system_id: 'acme', password: 'pa55word' },
};
const OTHER = {
  settings: { host: 'smpp.example.com', source_addr: 'Acme' },
  credentials: { system_id: 'other', password: '0th3r' },
};

const MESSAGE: OutboundMessage<'sms'> = {
  id: 'msg_01hzx3v5q8k9m2n4p6r8s0t1v3',
  clientId: 'demo_0123456789abcdef',
  channel: 'sms',
  to: '+393331234567',
  from: null,
  content: { text: 'Hi [@] €' },
  priority: 'normal' as OutboundMessage['priority'],
  expiresAt: SAMPLE_NOW + (26 * 3600 + 62) * 1000,
};

/** Hexadecimal with texts in quotes; the length of each PDU is in front of it. */
function wire(...pdus: string[]): string {
  return pdus
    .map((one) => {
      const hex = one
        .replaceAll(/'([^']*)'/g, (_, text: string) => Buffer.from(text, 'latin1').toString('hex'))
        .replaceAll(/\s/g, '');
      return (hex.length / 2 + 4).toString(16).padStart(8, '0') + hex;
    })
    .join('\n');
}

const BIND = `00000009 00000000 00000001 'acme' 00 'pa55word' 00 00 34 00 00 00`;
/** From the header to the source address, and from the destination to the message. Validity: a day, two hours, a minute and two seconds. */
const HEAD = (sequence: number): string => `00000004 00000000 0000000${sequence} 00`;
const SOURCE = `05 00 'Acme' 00`;
const TARGET = `01 01 '393331234567' 00`;
const REST = (esmClass: string, dataCoding: string): string =>
  `${esmClass} 00 00 00 '000001020102000R' 00 01 00 ${dataCoding} 00`;
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

const LONG = 'a'.repeat(152) + '€' + 'b'.repeat(10);

function faultOf(fault: SocketFault, met: () => void): { onBind?: SmscScript; onSubmit?: SmscScript } {
  const act: SmscScript = (_, { socket }) => {
    met();
    if (fault.startsWith('reset')) socket.resetAndDestroy();
    if (fault.startsWith('close')) socket.end();
    if (fault.startsWith('garbage')) socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
  };
  return fault.endsWith('_before') ? { onBind: act } : { onSubmit: act };
}

const refuseSubmits =
  (status: number): SmscScript =>
  (pdu, connection) =>
    connection.answer(pdu, status);

const words = (text: string): string[] => text.split(' ');

const mets = new WeakMap<ScriptedSmsc, Promise<void>>();

describe('SMPP', () => {
  socketProviderContract<ScriptedSmsc>({
    definition: smpp,
    accounts: [ACCOUNT, OTHER],
    message: MESSAGE,
    start: async () => {
      const smsc = await ScriptedSmsc.start();
      smsc.idFor = ({ shortMessage }: WireMessage) =>
        shortMessage.toString('latin1').startsWith('msg')
          ? `x-${shortMessage.toString('latin1')}`
          : `id-${smsc.taken.length}`;
      return smsc;
    },
    settingsAt: (account, { port }) => ({ ...account.settings, host: '127.0.0.1', port }),
    wireOf: (smsc) => smsc.all.flatMap(({ received }) => received.map(({ raw }) => raw.toString('hex'))).join('\n'),
    arrange: (smsc, fault) => {
      mets.set(smsc, new Promise((met) => Object.assign(smsc, faultOf(fault, met))));
    },
    faultMet: (smsc) => mets.get(smsc)!,
    refuse: (smsc, code) => {
      smsc.onSubmit = refuseSubmits(Number(code));
      return true;
    },
    takenBy: (smsc) =>
      smsc.taken.map(
        ({ connection, message }) =>
          `${connection.systemId}:${connection.password} ${message.shortMessage.toString('latin1').replaceAll('\x11', '_')}`,
      ),
    shownAs: ({ credentials }) => `${credentials.system_id}:${credentials.password}`,
    echo: (smsc, { credentials }) => {
      smsc.onSubmit = (pdu, connection) =>
        connection.answer(pdu, 0x08, `${credentials.system_id} ${credentials.password}\0`);
    },
    marked: (mark) => ({ content: { text: mark } }),
    resultFor: (id) => ({ externalId: `x-${id.replaceAll('_', '\x11')}`, segments: 1 }),
    sends: [
      {
        name: 'GSM 7-bit, unpacked, the extension table by ESC',
        wire: wire(BIND, `${HEAD(2)} ${SOURCE} ${TARGET} ${REST('00', '00')} 0b 'Hi ' 1b3c 00 1b3e ' ' 1b65`),
        result: { externalId: 'id-1', segments: 1 },
      },
      {
        name: 'UCS-2, from a number',
        message: { content: { text: 'Ciao ✓😀' }, from: '+46700000000' },
        wire: wire(
          BIND,
          `${HEAD(2)} 01 01 '46700000000' 00 ${TARGET} ${REST('00', '08')} 10 0043 0069 0061 006f 0020 2713 d83d de00`,
        ),
        result: { externalId: 'id-1', segments: 1 },
      },
      {
        name: 'Latin-1 where the account wants it, from a short code',
        account: { settings: { encoding: 'latin1' } },
        message: { content: { text: 'façade' }, from: '71000' },
        wire: wire(BIND, `${HEAD(2)} 03 00 '71000' 00 ${TARGET} ${REST('00', '03')} 06 'fa' e7 'ade'`),
        result: { externalId: 'id-1', segments: 1 },
      },
      {
        name: 'types and plans of the account, its system type, and an unlimited validity',
        account: {
          settings: {
            source_addr: '12345',
            source_ton: 6,
            source_npi: 9,
            dest_ton: 2,
            dest_npi: 8,
            system_type: 'VMA',
          },
        },
        message: { content: { text: 'x' }, expiresAt: SAMPLE_NOW + 90 * 86_400_000 },
        wire: wire(
          `00000009 00000000 00000001 'acme' 00 'pa55word' 00 'VMA' 00 34 00 00 00`,
          `${HEAD(2)} 06 09 '12345' 00 02 08 '393331234567' 00 00 00 00 00 00 01 00 00 00 01 'x'`,
        ),
        result: { externalId: 'id-1', segments: 1 },
      },
      {
        name: 'a long text in parts with a user data header, no pair split',
        message: { content: { text: LONG } },
        wire: wire(
          BIND,
          `${HEAD(2)} ${SOURCE} ${TARGET} ${REST('40', '00')} 9e 050003 2a 02 01 ${hex('a'.repeat(152))}`,
          `${HEAD(3)} ${SOURCE} ${TARGET} ${REST('40', '00')} 12 050003 2a 02 02 1b65 ${hex('b'.repeat(10))}`,
        ),
        result: { externalId: 'id-1', externalIds: ['id-1', 'id-2'], segments: 2 },
      },
      {
        name: 'a long text in parts with SAR parameters',
        account: { settings: { concatenation: 'sar' } },
        message: { content: { text: LONG } },
        wire: wire(
          BIND,
          `${HEAD(2)} ${SOURCE} ${TARGET} ${REST('00', '00')} 98 ${hex('a'.repeat(152))} 020c0002002a 020e000102 020f000101`,
          `${HEAD(3)} ${SOURCE} ${TARGET} ${REST('00', '00')} 0c 1b65 ${hex('b'.repeat(10))} 020c0002002a 020e000102 020f000102`,
        ),
        result: { externalId: 'id-1', externalIds: ['id-1', 'id-2'], segments: 2 },
      },
      {
        name: 'a long text as one payload',
        account: { settings: { concatenation: 'payload' } },
        message: { content: { text: LONG } },
        wire: wire(
          BIND,
          `${HEAD(2)} ${SOURCE} ${TARGET} ${REST('00', '00')} 00 0424 00a4 ${hex('a'.repeat(152))} 1b65 ${hex('b'.repeat(10))}`,
        ),
        result: { externalId: 'id-1', segments: 1 },
      },
    ],
    codes: {
      content_permanent: words('0x01 0x33 0x34 0x54 0x55 0x61 0x62 0x63 0x65 0x66 0x0C 0x11 0x13 0x67'),
      config: words(
        '0x02 0x03 0x06 0x07 0x40 0x42 0x43 0x44 0xC0 0xC1 0xC2 0xC3 0xC4 0x104 0x0D 0x0E 0x0F 0x53 0x15 0x100 0x101 0x102 0x103 ' +
          '0x0A 0x48 0x49 0x402 0x50 0x51',
      ),
      recipient_permanent: ['0x0B'],
      throttled: ['0x14', '0x58', '0x05'],
      transient: words('0x04 0x08 0x45 0x64 0xFE 0xFF'),
      ambiguous: [],
    },
    statuses: {
      SCHEDULED: 'queued',
      ENROUTE: 'sent',
      ACCEPTD: 'sent',
      DELIVRD: 'delivered',
      EXPIRED: 'undelivered',
      DELETED: 'failed',
      UNDELIV: 'undelivered',
      UNKNOWN: null,
      REJECTD: 'undelivered',
      SKIPPED: 'failed',
    },
    // Reports come over the session: smpp.session.spec.ts.
    callbacks: [],
  });
});
