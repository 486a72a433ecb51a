import { EventEmitter, once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A PDU, read by this file's own means: nothing of the service's code is between the wire and a test. */
export interface WirePdu {
  command: number;
  status: number;
  sequence: number;
  body: Buffer;
  /** Every octet. */
  raw: Buffer;
}

export interface WireMessage {
  serviceType: string;
  source: { ton: number; npi: number; address: string };
  destination: { ton: number; npi: number; address: string };
  esmClass: number;
  validityPeriod: string;
  registeredDelivery: number;
  dataCoding: number;
  shortMessage: Buffer;
  tlvs: Record<string, string>;
}

/** What the SMSC does with a request; undefined: it takes it. */
export type SmscScript = (pdu: WirePdu, connection: SmscConnection) => void;

export const COMMAND = {
  bind_receiver: 1,
  bind_transmitter: 2,
  query_sm: 3,
  submit_sm: 4,
  deliver_sm: 5,
  unbind: 6,
  bind_transceiver: 9,
  enquire_link: 0x15,
} as const;
const RESPONSE = 0x80000000;

export function pdu(command: number, status: number, sequence: number, body: Buffer | string = ''): Buffer {
  const content = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const header = Buffer.alloc(16);
  [16 + content.length, command >>> 0, status, sequence].forEach((value, index) =>
    header.writeUInt32BE(value, index * 4),
  );
  return Buffer.concat([header, content]);
}

/** The body of a deliver_sm, field by field. */
export function deliverBody(fields: {
  from: string;
  to: string;
  esmClass?: number;
  dataCoding?: number;
  text: Buffer | string;
  tlvs?: Array<[tag: number, value: Buffer]>;
}): Buffer {
  const text = typeof fields.text === 'string' ? Buffer.from(fields.text, 'latin1') : fields.text;
  const tlvs = (fields.tlvs ?? []).map(([tag, value]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(tag, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value]);
  });
  return Buffer.concat([
    Buffer.from(`\0\x01\x01${fields.from}\0\x01\x01${fields.to}\0`, 'latin1'),
    Buffer.from([fields.esmClass ?? 0, 0, 0]),
    Buffer.from('\0\0'),
    Buffer.from([0, 0, fields.dataCoding ?? 0, 0, text.length]),
    text,
    ...tlvs,
  ]);
}

export function readMessage(body: Buffer): WireMessage {
  let at = 0;
  const text = (): string => {
    const end = body.indexOf(0, at);
    const value = body.toString('latin1', at, end);
    at = end + 1;
    return value;
  };
  const octet = (): number => body[at++]!;
  const address = () => ({ ton: octet(), npi: octet(), address: text() });
  const serviceType = text();
  const source = address();
  const destination = address();
  const esmClass = octet();
  at += 2;
  text();
  const validityPeriod = text();
  const registeredDelivery = octet();
  at++;
  const dataCoding = octet();
  at++;
  const size = octet();
  const shortMessage = body.subarray(at, at + size);
  at += size;
  const tlvs: Record<string, string> = {};
  while (at < body.length) {
    const length = body.readUInt16BE(at + 2);
    tlvs[body.toString('hex', at, at + 2)] = body.toString('hex', at + 4, at + 4 + length);
    at += 4 + length;
  }
  return {
    serviceType,
    source,
    destination,
    esmClass,
    validityPeriod,
    registeredDelivery,
    dataCoding,
    shortMessage,
    tlvs,
  };
}

/** One ESME at the SMSC. */
export class SmscConnection {
  readonly received: WirePdu[] = [];
  bound: 'transceiver' | 'transmitter' | 'receiver' | undefined;
  systemId = '';
  password = '';
  private sequence = 0;
  private readonly waiting = new Map<number, (status: number) => void>();

  constructor(
    readonly socket: Socket,
    private readonly smsc: ScriptedSmsc,
  ) {
    let rest = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= rest.readUInt32BE(0)) {
        const raw = rest.subarray(0, rest.readUInt32BE(0));
        rest = rest.subarray(raw.length);
        this.take({
          command: raw.readUInt32BE(4),
          status: raw.readUInt32BE(8),
          sequence: raw.readUInt32BE(12),
          body: raw.subarray(16),
          raw,
        });
      }
    });
  }

  answer(request: WirePdu, status: number, body: Buffer | string = ''): void {
    this.socket.write(pdu((request.command | RESPONSE) >>> 0, status, request.sequence, body));
  }

  /** Sends a request; the status of its response. Never settles when there is none. */
  request(command: number, body: Buffer | string = '', sequence = ++this.sequence): Promise<number> {
    return new Promise((resolve) => {
      this.waiting.set(sequence, resolve);
      this.socket.write(pdu(command, 0, sequence, body));
    });
  }

  deliver(body: Buffer, sequence?: number): Promise<number> {
    return this.request(COMMAND.deliver_sm, body, sequence);
  }

  private take(one: WirePdu): void {
    this.received.push(one);
    if (one.command >= RESPONSE) this.waiting.get(one.sequence)?.(one.status);
    else this.smsc.serve(one, this);
    this.smsc.told();
  }
}

const BINDS: Record<number, SmscConnection['bound']> = {
  [COMMAND.bind_transceiver]: 'transceiver',
  [COMMAND.bind_transmitter]: 'transmitter',
  [COMMAND.bind_receiver]: 'receiver',
};

/** An SMSC on a loopback port that records every octet and does as it is told. */
export class ScriptedSmsc {
  /** Every connection made so far. */
  readonly all: SmscConnection[] = [];
  readonly submits: Array<{ message: WireMessage; connection: SmscConnection; pdu: WirePdu }> = [];
  /** What was taken of it. */
  readonly taken: Array<{ message: WireMessage; connection: SmscConnection }> = [];
  /** Done with a bind or a submit in place of taking it. */
  onBind: SmscScript | undefined;
  onSubmit: SmscScript | undefined;
  onConnect: ((socket: Socket) => void) | undefined;
  /** The id that a message gets. */
  idFor: (message: WireMessage) => string;
  mostBound = 0;
  private ids = 0;
  private readonly open = new Set<SmscConnection>();
  private readonly changed = new EventEmitter().setMaxListeners(0);
  private readonly server = createServer((socket) => {
    const connection = new SmscConnection(socket, this);
    this.all.push(connection);
    this.open.add(connection);
    this.onConnect?.(socket);
    socket.on('close', () => {
      this.open.delete(connection);
      this.told();
    });
    this.told();
  });

  constructor() {
    this.idFor = () => `id-${++this.ids}`;
  }

  static async start(port = 0): Promise<ScriptedSmsc> {
    const smsc = new ScriptedSmsc();
    smsc.server.listen(port, '127.0.0.1');
    await once(smsc.server, 'listening');
    return smsc;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.all.length;
  }

  /** Connections that are open and bound. */
  get bound(): SmscConnection[] {
    return [...this.open].filter((connection) => connection.bound !== undefined);
  }

  told(): void {
    this.mostBound = Math.max(this.mostBound, this.bound.length);
    this.changed.emit('change');
  }

  /** Resolves once something is so. */
  async until<T>(fits: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = fits();
      if (found !== undefined && found !== false) return found;
      await once(this.changed, 'change');
    }
  }

  take(one: WirePdu, connection: SmscConnection): void {
    const message = readMessage(one.body);
    this.taken.push({ message, connection });
    connection.answer(one, 0, `${this.idFor(message)}\0`);
  }

  serve(one: WirePdu, connection: SmscConnection): void {
    if (BINDS[one.command]) {
      if (this.onBind) return this.onBind(one, connection);
      return this.acceptBind(one, connection);
    }
    if (one.command === COMMAND.submit_sm) {
      this.submits.push({ message: readMessage(one.body), connection, pdu: one });
      return (this.onSubmit ?? ((p, c) => this.take(p, c)))(one, connection);
    }
    connection.answer(one, 0);
    if (one.command === COMMAND.unbind) {
      connection.bound = undefined;
      connection.socket.end();
    }
  }

  acceptBind(one: WirePdu, connection: SmscConnection): void {
    connection.bound = BINDS[one.command];
    [connection.systemId, connection.password] = one.body.toString('latin1').split('\0') as [string, string];
    connection.answer(one, 0, 'SMSC\0');
  }

  async close(): Promise<void> {
    for (const connection of this.open) connection.socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }
}
