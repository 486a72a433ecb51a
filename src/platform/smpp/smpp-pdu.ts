/** Commands of SMPP 3.4 (5.1.2.1). A response is its request with the highest bit set. */
export const SMPP_COMMANDS = {
  bind_receiver: 0x01,
  bind_transmitter: 0x02,
  query_sm: 0x03,
  submit_sm: 0x04,
  deliver_sm: 0x05,
  unbind: 0x06,
  bind_transceiver: 0x09,
  enquire_link: 0x15,
  alert_notification: 0x102,
  data_sm: 0x103,
} as const;

export const GENERIC_NACK = 0x80000000;
const RESPONSE = 0x80000000;

/** The numbers of `command_status` that the protocol itself needs (5.1.3). */
export const SMPP_STATUS = {
  ok: 0x00,
  invalidLength: 0x01,
  invalidCommandLength: 0x02,
  invalidCommand: 0x03,
  wrongBindState: 0x04,
  alreadyBound: 0x05,
  systemError: 0x08,
  invalidDestination: 0x0b,
  bindFailed: 0x0d,
  wrongPassword: 0x0e,
  wrongSystemId: 0x0f,
  throttled: 0x58,
  temporaryAppError: 0x64,
  queryFailed: 0x67,
} as const;

/** Tags of optional parameters (5.3.2). */
export const SMPP_TLV = {
  receipted_message_id: 0x001e,
  sar_msg_ref_num: 0x020c,
  sar_total_segments: 0x020e,
  sar_segment_seqnum: 0x020f,
  network_error_code: 0x0423,
  message_payload: 0x0424,
  message_state: 0x0427,
} as const;

const HEADER = 16;
/** Nothing that is sent to a client comes near it: a message_payload of 64 KB and its fields. */
const LONGEST_PDU = 0x12000;

/** One PDU as it came. */
export interface SmppPdu {
  /** `command_id`; with the highest bit for a response. */
  command: number;
  status: number;
  sequence: number;
  /** What comes after the header. */
  body: Buffer;
}

/** Octets that are no PDU of SMPP; nothing after them can be read. */
export class SmppFormatError extends Error {}

export const isResponse = (command: number): boolean => command >= RESPONSE;
export const responseTo = (command: number): number => (command | RESPONSE) >>> 0;

export function encodePdu(command: number, status: number, sequence: number, body?: Buffer): Buffer {
  const size = HEADER + (body?.length ?? 0);
  const pdu = Buffer.allocUnsafe(size);
  pdu.writeUInt32BE(size, 0);
  pdu.writeUInt32BE(command, 4);
  pdu.writeUInt32BE(status, 8);
  pdu.writeUInt32BE(sequence, 12);
  body?.copy(pdu, HEADER);
  return pdu;
}

/** Cuts a stream into PDUs. */
export class PduReader {
  private rest: Buffer | undefined;

  /** @throws SmppFormatError when a length cannot be one */
  *read(chunk: Buffer): Generator<SmppPdu> {
    let data = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
    this.rest = undefined;
    while (data.length >= 4) {
      const size = data.readUInt32BE(0);
      if (size < HEADER || size > LONGEST_PDU) throw new SmppFormatError(`a PDU cannot have ${size} octets`);
      if (data.length < size) break;
      yield {
        command: data.readUInt32BE(4),
        status: data.readUInt32BE(8),
        sequence: data.readUInt32BE(12),
        body: data.subarray(HEADER, size),
      };
      data = data.subarray(size);
    }
    if (data.length > 0) this.rest = data;
  }
}

/** Writes the fields of a body one after the other. */
export class BodyWriter {
  private readonly fields: Buffer[] = [];

  /** A C-octet string; its terminator is added. */
  text(value: string): this {
    this.fields.push(Buffer.from(`${value}\0`, 'latin1'));
    return this;
  }

  octets(...values: number[]): this {
    this.fields.push(Buffer.from(values));
    return this;
  }

  bytes(value: Buffer): this {
    this.fields.push(value);
    return this;
  }

  tlv(tag: number, value: Buffer): this {
    const head = Buffer.allocUnsafe(4);
    head.writeUInt16BE(tag, 0);
    head.writeUInt16BE(value.length, 2);
    this.fields.push(head, value);
    return this;
  }

  end(): Buffer {
    return Buffer.concat(this.fields);
  }
}

/** Reads the fields of a body one after the other. */
export class BodyReader {
  private at = 0;

  constructor(private readonly body: Buffer) {}

  /** A C-octet string. @throws SmppFormatError when it has no end */
  text(): string {
    const end = this.body.indexOf(0, this.at);
    if (end < 0) throw new SmppFormatError('a text without its end');
    const value = this.body.toString('latin1', this.at, end);
    this.at = end + 1;
    return value;
  }

  octet(): number {
    if (this.at >= this.body.length) throw new SmppFormatError('a body that is too short');
    return this.body[this.at++]!;
  }

  bytes(size: number): Buffer {
    if (this.at + size > this.body.length) throw new SmppFormatError('a body that is too short');
    return this.body.subarray(this.at, (this.at += size));
  }

  /** The optional parameters, which are last. One that is cut off is left out: the message before it can be read. */
  tlvs(): ReadonlyMap<number, Buffer> {
    const found = new Map<number, Buffer>();
    while (this.at + 4 <= this.body.length) {
      const tag = this.body.readUInt16BE(this.at);
      const size = this.body.readUInt16BE(this.at + 2);
      if (this.at + 4 + size > this.body.length) break;
      found.set(tag, this.body.subarray(this.at + 4, this.at + 4 + size));
      this.at += 4 + size;
    }
    return found;
  }
}

export interface SmppAddress {
  ton: number;
  npi: number;
  address: string;
}

/** What `submit_sm`, `deliver_sm` and `data_sm` have in common. */
export interface SmppMessage {
  source: SmppAddress;
  destination: SmppAddress;
  esmClass: number;
  /** `YYMMDDhhmmsstnnp`, or empty for the SMSC's default. */
  validityPeriod: string;
  registeredDelivery: number;
  dataCoding: number;
  /** `short_message` with its header, or `message_payload` where that is used. */
  shortMessage: Buffer;
  tlvs: ReadonlyMap<number, Buffer>;
}

/** The body of `submit_sm` (4.4.1) and `deliver_sm` (4.6.1), which have one layout. */
export function encodeMessage(message: SmppMessage): Buffer {
  const { source, destination, shortMessage } = message;
  const writer = new BodyWriter()
    .text('')
    .octets(source.ton, source.npi)
    .text(source.address)
    .octets(destination.ton, destination.npi)
    .text(destination.address)
    // protocol_id and priority_flag, then schedule_delivery_time.
    .octets(message.esmClass, 0, 0)
    .text('')
    .text(message.validityPeriod)
    // replace_if_present_flag, and sm_default_msg_id behind the coding.
    .octets(message.registeredDelivery, 0, message.dataCoding, 0, shortMessage.length)
    .bytes(shortMessage);
  for (const [tag, value] of message.tlvs) writer.tlv(tag, value);
  return writer.end();
}

/** @throws SmppFormatError */
export function decodeMessage(body: Buffer): SmppMessage {
  const reader = new BodyReader(body);
  reader.text();
  const source = readAddress(reader);
  const destination = readAddress(reader);
  const esmClass = reader.octet();
  reader.bytes(2);
  reader.text();
  const validityPeriod = reader.text();
  const registeredDelivery = reader.octet();
  reader.octet();
  const dataCoding = reader.octet();
  reader.octet();
  const short = reader.bytes(reader.octet());
  const tlvs = reader.tlvs();
  const shortMessage = short.length > 0 ? short : (tlvs.get(SMPP_TLV.message_payload) ?? short);
  return { source, destination, esmClass, validityPeriod, registeredDelivery, dataCoding, shortMessage, tlvs };
}

/** The body of `data_sm` (4.7.1), by which some SMSCs send receipts. @throws SmppFormatError */
export function decodeData(body: Buffer): SmppMessage {
  const reader = new BodyReader(body);
  reader.text();
  const source = readAddress(reader);
  const destination = readAddress(reader);
  const esmClass = reader.octet();
  const registeredDelivery = reader.octet();
  const dataCoding = reader.octet();
  const tlvs = reader.tlvs();
  const shortMessage = tlvs.get(SMPP_TLV.message_payload) ?? Buffer.alloc(0);
  return { source, destination, esmClass, validityPeriod: '', registeredDelivery, dataCoding, shortMessage, tlvs };
}

function readAddress(reader: BodyReader): SmppAddress {
  return { ton: reader.octet(), npi: reader.octet(), address: reader.text() };
}

export interface SmppBind {
  systemId: string;
  password: string;
  systemType: string;
  /** 0x34 for 3.4. */
  interfaceVersion: number;
}

/** The body of the three binds (4.1). The address range is left to the SMSC's set-up. */
export function encodeBind(bind: SmppBind): Buffer {
  return new BodyWriter()
    .text(bind.systemId)
    .text(bind.password)
    .text(bind.systemType)
    .octets(bind.interfaceVersion, 0, 0)
    .text('')
    .end();
}

/** @throws SmppFormatError */
export function decodeBind(body: Buffer): SmppBind {
  const reader = new BodyReader(body);
  return {
    systemId: reader.text(),
    password: reader.text(),
    systemType: reader.text(),
    interfaceVersion: reader.octet(),
  };
}

/** The first part of a header in the user data that tells a part of a long message (GSM 03.40, 9.2.3.24). */
export interface SmppPart {
  reference: number;
  /** 1-based. */
  number: number;
  total: number;
}

/** Header for one part: 8-bit reference. */
export function encodePartHeader(part: SmppPart): Buffer {
  return Buffer.from([5, 0, 3, part.reference & 0xff, part.total, part.number]);
}

/** Bit of `esm_class`: the short message begins with a user data header. */
export const ESM_HEADER = 0x40;

/** Takes the header off the user data, and the place among the parts from it or from the SAR parameters. */
export function readParts(message: SmppMessage): { part?: SmppPart; userData: Buffer } {
  if (!(message.esmClass & ESM_HEADER)) {
    const part = sarPart(message.tlvs);
    return { userData: message.shortMessage, ...(part && { part }) };
  }
  const data = message.shortMessage;
  const end = 1 + (data[0] ?? 0);
  const userData = data.subarray(end);
  for (let at = 1; at + 2 <= end && at + 2 + data[at + 1]! <= data.length; at += 2 + data[at + 1]!) {
    const [tag, size] = [data[at]!, data[at + 1]!];
    const value = data.subarray(at + 2, at + 2 + size);
    const wide = tag === 0x08 && size === 4;
    if (!wide && !(tag === 0x00 && size === 3)) continue;
    const part = {
      reference: wide ? value.readUInt16BE(0) : value[0]!,
      total: value[size - 2]!,
      number: value[size - 1]!,
    };
    if (isPart(part)) return { part, userData };
  }
  return { userData };
}

function sarPart(tlvs: ReadonlyMap<number, Buffer>): SmppPart | undefined {
  const numberOf = (tag: number): number | undefined => {
    const value = tlvs.get(tag);
    return value && value.length > 0 && value.length <= 4 ? value.readUIntBE(0, value.length) : undefined;
  };
  const reference = numberOf(SMPP_TLV.sar_msg_ref_num);
  const total = numberOf(SMPP_TLV.sar_total_segments);
  const number = numberOf(SMPP_TLV.sar_segment_seqnum);
  if (reference === undefined || total === undefined || number === undefined) return undefined;
  const part = { reference, total, number };
  return isPart(part) ? part : undefined;
}

const isPart = ({ total, number }: SmppPart): boolean => total > 1 && number >= 1 && number <= total;
