import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type {
  ProviderSimulator,
  SimulatedDelivery,
  SimulatedEvent,
  SimulatorAnswer,
  SimulatorPort,
  SocketStandIn,
} from '../../../gateway/contracts/simulator';
import { cutText, replyTo } from '../../../gateway/contracts/simulated-callback';
import { REFUSED_SECRET_PREFIX, STAND_IN_HOST } from '../../../gateway/contracts/simulator';
import {
  BodyReader,
  BodyWriter,
  decodeBind,
  decodeMessage,
  encodeMessage,
  encodePdu,
  GENERIC_NACK,
  isResponse,
  PduReader,
  readParts,
  responseTo,
  SMPP_COMMANDS,
  SMPP_STATUS,
  SMPP_TLV,
  SmppFormatError,
  type SmppMessage,
  type SmppPdu,
} from '../../../platform/smpp/smpp-pdu';
import { DATA_CODINGS, decodeText, encodeText } from '../../../platform/smpp/smpp-text';

const SC_INTERFACE_VERSION = 0x0210;
const RECEIPT = 0x04;
const DELIVER_TIMEOUT_MS = 10_000;
const MOST_ADDRESS = 20;

const BINDS: Readonly<Record<number, { sends: boolean; receives: boolean }>> = {
  [SMPP_COMMANDS.bind_transmitter]: { sends: true, receives: false },
  [SMPP_COMMANDS.bind_receiver]: { sends: false, receives: true },
  [SMPP_COMMANDS.bind_transceiver]: { sends: true, receives: true },
};

/** What receipts say of each event; the others are not reported (registered_delivery 1). */
const RECEIPTS: Partial<Record<SimulatedEvent, { stat: string; state: number; err: string; dlvrd: string }>> = {
  delivered: { stat: 'DELIVRD', state: 2, err: '000', dlvrd: '001' },
  undelivered: { stat: 'UNDELIV', state: 5, err: '027', dlvrd: '000' },
};

const REFUSALS = {
  invalid_recipient: SMPP_STATUS.invalidDestination,
  throttled: SMPP_STATUS.throttled,
  server_error: SMPP_STATUS.systemError,
} as const;

/** A running simulator's SMSC; a simulator that ends takes it along. */
const running = new WeakMap<SimulatorPort, Smsc>();

/** An SMSC that takes every system id and password but those that are to be refused. Its API by HTTP is none. */
export const smppSimulator: ProviderSimulator = {
  account: () => ({
    credentials: { system_id: 'demo', password: randomBytes(4).toString('hex') },
    host: STAND_IN_HOST,
    source_addr: 'UniMsg',
  }),

  handle: () => ({ status: 404, body: 'SMPP is no HTTP API' }),

  inboundParts: true,
  inbound({ from, to, text, parts }, { credentials: { system_id: systemId = '' } }, port) {
    const texts = cutText(text, parts, 'ucs2');
    const reference = randomInt(256);
    return texts.map((part, index) => {
      const header = texts.length > 1 ? Buffer.from([5, 0, 3, reference, texts.length, index + 1]) : undefined;
      const message = fromPhone(addressOf(from), addressOf(to), part, header);
      return {
        word: 'deliver_sm',
        deliver: () => running.get(port)?.receiverOf(systemId)?.deliver(message) ?? Promise.resolve(false),
      };
    });
  },

  async listen(port): Promise<SocketStandIn> {
    const smsc = new Smsc(port);
    running.set(port, smsc);
    const server = net.createServer((socket) => smsc.accept(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as net.AddressInfo).port,
      close: async () => {
        smsc.close();
        await new Promise((closed) => server.close(closed));
      },
    };
  },
};

class Smsc {
  private readonly connections = new Set<Connection>();

  constructor(readonly port: SimulatorPort) {}

  accept(socket: net.Socket): void {
    const connection = new Connection(socket, this);
    this.connections.add(connection);
    socket.on('close', () => this.connections.delete(connection));
  }

  /** A connection of the account that takes messages. */
  receiverOf(systemId: string): Connection | undefined {
    for (const connection of this.connections)
      if (connection.systemId === systemId && connection.bound?.receives) return connection;
    return undefined;
  }

  close(): void {
    for (const connection of this.connections) connection.destroy();
  }
}

/** One connection of an ESME. */
class Connection {
  systemId: string | undefined;
  bound: { sends: boolean; receives: boolean } | undefined;
  private readonly reader = new PduReader();
  private readonly waiting = new Map<number, (took: boolean) => void>();
  private sequence = 0;

  constructor(
    private readonly socket: net.Socket,
    private readonly smsc: Smsc,
  ) {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const settle of this.waiting.values()) settle(false);
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const pdu of this.reader.read(chunk)) this.handle(pdu);
      } catch (error) {
        if (!(error instanceof SmppFormatError)) throw error;
        this.write(encodePdu(GENERIC_NACK, SMPP_STATUS.invalidCommandLength, 0));
        socket.end();
      }
    });
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Whether the ESME took a message; not while it does not answer. */
  deliver(message: SmppMessage): Promise<boolean> {
    return new Promise((resolve) => {
      this.sequence++;
      const { sequence } = this;
      const timer = setTimeout(() => settle(false), DELIVER_TIMEOUT_MS);
      timer.unref();
      const settle = (took: boolean): void => {
        clearTimeout(timer);
        this.waiting.delete(sequence);
        resolve(took);
      };
      this.waiting.set(sequence, settle);
      this.write(encodePdu(SMPP_COMMANDS.deliver_sm, SMPP_STATUS.ok, sequence, encodeMessage(message)));
    });
  }

  private handle(pdu: SmppPdu): void {
    if (isResponse(pdu.command)) return this.waiting.get(pdu.sequence)?.(pdu.status === SMPP_STATUS.ok);
    if (BINDS[pdu.command]) return this.bind(pdu);
    switch (pdu.command) {
      case SMPP_COMMANDS.enquire_link:
        return this.answer(pdu, SMPP_STATUS.ok);
      case SMPP_COMMANDS.unbind:
        this.answer(pdu, SMPP_STATUS.ok);
        this.socket.end();
        return;
      case SMPP_COMMANDS.submit_sm:
      case SMPP_COMMANDS.query_sm:
        if (!this.bound?.sends) return this.answer(pdu, SMPP_STATUS.wrongBindState);
        if (pdu.command === SMPP_COMMANDS.query_sm) return this.query(pdu);
        void this.submit(pdu);
        return;
      default:
        this.write(encodePdu(GENERIC_NACK, SMPP_STATUS.invalidCommand, pdu.sequence));
    }
  }

  private bind(pdu: SmppPdu): void {
    if (this.bound) return this.answer(pdu, SMPP_STATUS.alreadyBound);
    const { systemId, password } = decodeBind(pdu.body);
    if (systemId === '' || systemId.startsWith(REFUSED_SECRET_PREFIX))
      return this.answer(pdu, SMPP_STATUS.wrongSystemId);
    if (password === '' || password.startsWith(REFUSED_SECRET_PREFIX))
      return this.answer(pdu, SMPP_STATUS.wrongPassword);
    this.bound = BINDS[pdu.command]!;
    this.systemId = systemId;
    const body = new BodyWriter()
      .text('SIMULATOR')
      .tlv(SC_INTERFACE_VERSION, Buffer.from([0x34]))
      .end();
    this.answer(pdu, SMPP_STATUS.ok, body);
  }

  private async submit(pdu: SmppPdu): Promise<void> {
    const message = decodeMessage(pdu.body);
    const { address } = message.destination;
    if (!/^\d+$/.test(address) || address.length > MOST_ADDRESS)
      return this.answer(pdu, SMPP_STATUS.invalidDestination);
    if (message.shortMessage.length > 254 && !message.tlvs.has(SMPP_TLV.message_payload))
      return this.answer(pdu, SMPP_STATUS.invalidLength);
    const externalId = randomBytes(8).toString('hex');
    const { userData } = readParts(message);
    const body = decodeText(userData, message.dataCoding, 'gsm7') ?? '';
    const from = message.source.address === '' ? null : senderOf(message);
    const systemId = this.systemId!;
    const outcome = await this.smsc.port.play({
      submission: { provider: 'smpp', externalId, to: `+${address}`, from, body, reference: null },
      accepted: () => answerOf(SMPP_STATUS.ok, `${externalId}\0`),
      refused: (why) => answerOf(REFUSALS[why], ''),
      callbacks: (event) => this.reportsOf(event, systemId, externalId, message, body),
    });
    if (outcome === 'reset') this.socket.resetAndDestroy();
    else if (outcome !== 'hang') this.answer(pdu, outcome.status, Buffer.from(outcome.body, 'latin1'));
  }

  private reportsOf(
    event: SimulatedEvent,
    systemId: string,
    externalId: string,
    submitted: SmppMessage,
    body: string,
  ): SimulatedDelivery[] {
    const receipt = RECEIPTS[event];
    // Source and destination change places.
    const common = {
      source: submitted.destination,
      destination: submitted.source,
      validityPeriod: '',
      registeredDelivery: 0,
      dataCoding: 0,
    };
    const deliver = (message: SmppMessage, word: string): SimulatedDelivery => ({
      word,
      deliver: () => this.smsc.receiverOf(systemId)?.deliver(message) ?? Promise.resolve(false),
    });
    if (receipt && submitted.registeredDelivery & 0x01) {
      const tlvs = new Map([
        [SMPP_TLV.message_state, Buffer.from([receipt.state])],
        [SMPP_TLV.receipted_message_id, Buffer.from(`${externalId}\0`)],
      ]);
      const at = stamp(this.smsc.port.now());
      const text = `id:${externalId} sub:001 dlvrd:${receipt.dlvrd} submit date:${at} done date:${at} stat:${receipt.stat} err:${receipt.err} text:`;
      return [deliver({ ...common, esmClass: RECEIPT, shortMessage: Buffer.from(text), tlvs }, receipt.stat)];
    }
    if (event !== 'inbound') return [];
    const reply = replyTo(body).slice(0, 70);
    return [deliver(fromPhone(submitted.destination, submitted.source, reply), 'deliver_sm')];
  }

  private query(pdu: SmppPdu): void {
    const id = new BodyReader(pdu.body).text();
    const message = this.smsc.port.find('smpp', id);
    if (!message?.accepted) return this.answer(pdu, SMPP_STATUS.queryFailed);
    const state = message.behaviour === 'undelivered' ? 5 : 2;
    const done = `${stamp(message.receivedAt)}00000+`;
    this.answer(pdu, SMPP_STATUS.ok, new BodyWriter().text(id).text(done).octets(state, 0).end());
  }

  private answer(pdu: SmppPdu, status: number, body?: Buffer): void {
    this.write(encodePdu(responseTo(pdu.command), status, pdu.sequence, body));
  }

  private write(pdu: Buffer): void {
    if (this.socket.writable) this.socket.write(pdu);
  }
}

const USER_DATA_HEADER = 0x40;

/** What a phone sends. @param header tells the part of a long text */
function fromPhone(
  source: SmppMessage['source'],
  destination: SmppMessage['source'],
  text: string,
  header?: Buffer,
): SmppMessage {
  const userData = encodeText(text, 'ucs2');
  return {
    source,
    destination,
    esmClass: header ? USER_DATA_HEADER : 0,
    dataCoding: DATA_CODINGS.ucs2,
    shortMessage: header ? Buffer.concat([header, userData]) : userData,
    validityPeriod: '',
    registeredDelivery: 0,
    tlvs: new Map(),
  };
}

/** The number as an SMSC writes it: international without its plus. */
function addressOf(text: string): SmppMessage['source'] {
  return text.startsWith('+')
    ? { ton: INTERNATIONAL, npi: 1, address: text.slice(1) }
    : { ton: /^\d+$/.test(text) ? 0 : ALPHANUMERIC, npi: 0, address: text };
}

/** What the response says: its `command_status`, and its body a character an octet. */
function answerOf(status: number, body: string): SimulatorAnswer {
  return { status, body };
}

const INTERNATIONAL = 1;
const ALPHANUMERIC = 5;

function senderOf({ source }: SmppMessage): string {
  return source.ton === INTERNATIONAL ? `+${source.address}` : source.address;
}

/** `YYMMDDhhmmss`, UTC. */
function stamp(at: number): string {
  return new Date(at).toISOString().replace(/\D/g, '').slice(2, 14);
}
