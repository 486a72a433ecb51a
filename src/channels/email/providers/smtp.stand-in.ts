import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { REFUSED_SECRET_PREFIX, type SimulatorOutcome, type SocketStandIn } from '../../../gateway/contracts/simulator';
import { isAscii } from '../../../platform/smtp/smtp-mail';

const MAX_BYTES = 35 * 1024 * 1024;
const MAX_LINE = 4096;
const EXTENSIONS = ['PIPELINING', `SIZE ${MAX_BYTES}`, '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN'];

/** A mail as a server got it. */
export interface ReceivedMail {
  from: string;
  recipients: string[];
  /** `ENVID` of the sender. */
  envelopeId: string | null;
  bytes: Buffer;
}

/** What a mail is answered with: `body` holds the whole reply, CR LF included; without it the reply is cut short. */
export type MailHandler = (mail: ReceivedMail) => SimulatorOutcome | Promise<SimulatorOutcome>;

/** A small mail server on loopback (RFC 5321) that takes all users but those of refused secrets and hands each mail to the handler. No TLS. */
export class SmtpStandIn implements SocketStandIn {
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    new Conversation(socket, this.handler);
  });

  private constructor(private readonly handler: MailHandler) {}

  static async start(handler: MailHandler): Promise<SmtpStandIn> {
    const standIn = new SmtpStandIn(handler);
    standIn.server.listen(0, '127.0.0.1');
    await once(standIn.server, 'listening');
    return standIn;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

class Conversation {
  private pending = Buffer.alloc(0);
  private envelope: Omit<ReceivedMail, 'bytes'> | undefined;
  /** What the next line is, when it is no command. */
  private expecting: ((line: string) => string) | undefined;
  private inData = false;
  private busy = false;

  constructor(
    private readonly socket: Socket,
    private readonly handler: MailHandler,
  ) {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      this.pending = Buffer.concat([this.pending, chunk]);
      void this.proceed();
    });
    this.reply('220 simulator.test ESMTP stand-in');
  }

  private async proceed(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    // Commands that came together are answered together.
    this.socket.cork();
    while (await this.next());
    this.socket.uncork();
    this.busy = false;
  }

  /** Whether something was read. */
  private async next(): Promise<boolean> {
    if (this.inData) return this.mail();
    const end = this.pending.indexOf('\r\n');
    if (end < 0) {
      if (this.pending.length > MAX_LINE) this.socket.end('500 5.5.6 Line too long\r\n');
      return false;
    }
    const line = this.pending.subarray(0, end).toString('utf8');
    this.pending = this.pending.subarray(end + 2);
    const { expecting } = this;
    this.expecting = undefined;
    const answer = expecting ? expecting(line) : this.command(line);
    if (answer !== '') this.reply(answer);
    return true;
  }

  private reply(text: string): void {
    this.socket.write(`${text}\r\n`);
  }

  private command(line: string): string {
    const [verb = '', ...rest] = line.split(' ');
    const argument = rest.join(' ');
    switch (verb.toUpperCase()) {
      case 'EHLO':
        this.envelope = undefined;
        return ['simulator.test', 'AUTH PLAIN LOGIN', ...EXTENSIONS].map(ehloLine).join('\r\n');
      case 'HELO':
        this.envelope = undefined;
        return '250 simulator.test';
      case 'AUTH':
        return this.authenticate(argument);
      case 'MAIL':
        return this.from(argument);
      case 'RCPT':
        return this.to(argument);
      case 'DATA':
        if (!this.envelope || this.envelope.recipients.length === 0) return '503 5.5.1 No recipients';
        this.inData = true;
        return '354 End data with <CR><LF>.<CR><LF>';
      case 'RSET':
        this.envelope = undefined;
        return '250 2.0.0 Ok';
      case 'NOOP':
        return '250 2.0.0 Ok';
      case 'QUIT':
        this.socket.end('221 2.0.0 Bye\r\n');
        return '';
      default:
        return '500 5.5.1 Command not known';
    }
  }

  private authenticate(argument: string): string {
    const [mechanism = '', initial] = argument.split(' ');
    const judge = (...secrets: string[]): string =>
      secrets.some((secret) => secret.startsWith(REFUSED_SECRET_PREFIX))
        ? '535 5.7.8 Authentication credentials invalid'
        : '235 2.7.0 Authentication successful';
    const ask = (prompt: string, then: (text: string) => string): string => {
      this.expecting = (line) => (line === '*' ? '501 5.0.0 Cancelled' : then(decode(line)));
      return `334 ${Buffer.from(prompt).toString('base64')}`;
    };
    if (mechanism.toUpperCase() === 'PLAIN') {
      const plain = (text: string): string => judge(...text.split('\0').slice(1));
      return initial === undefined ? ask('', plain) : plain(decode(initial));
    }
    if (mechanism.toUpperCase() === 'LOGIN') {
      const password = (user: string): string => ask('Password:', (text) => judge(user, text));
      return initial === undefined ? ask('Username:', password) : password(decode(initial));
    }
    return '504 5.5.4 Mechanism not known';
  }

  private from(argument: string): string {
    const read = /^FROM:<([^<>]*)>((?: \S+)*)$/i.exec(argument);
    if (read === null) return '501 5.5.4 Syntax: MAIL FROM:<address>';
    const parameters = new Map(
      read[2]!
        .split(' ')
        .filter(Boolean)
        .map((text) => {
          const [name = '', value = ''] = text.split('=');
          return [name.toUpperCase(), value] as const;
        }),
    );
    const unknown = [...parameters.keys()].find((name) => !/^(SIZE|BODY|SMTPUTF8|RET|ENVID|AUTH)$/.test(name));
    if (unknown !== undefined) return '555 5.5.4 Parameter not known';
    if (Number(parameters.get('SIZE') ?? 0) > MAX_BYTES) return '552 5.3.4 Message too large';
    if (!isAscii(read[1]!) && !parameters.has('SMTPUTF8')) return '553 5.6.7 SMTPUTF8 is needed';
    const envelopeId = parameters.get('ENVID');
    // Coded as RFC 3461 §4 says.
    const id = envelopeId?.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    this.envelope = { from: read[1]!, recipients: [], envelopeId: id ?? null };
    return '250 2.1.0 Ok';
  }

  private to(argument: string): string {
    if (!this.envelope) return '503 5.5.1 MAIL first';
    const read = /^TO:<([^<>]+)>((?: \S+)*)$/i.exec(argument);
    if (read === null) return '501 5.5.4 Syntax: RCPT TO:<address>';
    this.envelope.recipients.push(read[1]!);
    return '250 2.1.5 Ok';
  }

  private async mail(): Promise<boolean> {
    const end = this.pending.subarray(0, 3).equals(Buffer.from('.\r\n')) ? -2 : this.pending.indexOf('\r\n.\r\n');
    if (end === -1) {
      if (this.pending.length > MAX_BYTES * 2) this.socket.destroy();
      return false;
    }
    const bytes = unstuffed(this.pending.subarray(0, Math.max(0, end + 2)));
    this.pending = this.pending.subarray(end + 5);
    this.inData = false;
    const envelope = this.envelope!;
    this.envelope = undefined;
    if (bytes.length > MAX_BYTES) {
      this.reply('552 5.3.4 Message too large');
      return true;
    }
    const outcome = await this.handler({ ...envelope, bytes });
    if (outcome === 'reset') this.socket.resetAndDestroy();
    else if (outcome === 'hang') return false;
    else if (outcome.body.endsWith('\r\n')) this.socket.write(outcome.body);
    else this.socket.end(outcome.body);
    return true;
  }
}

function ehloLine(text: string, index: number, all: readonly string[]): string {
  return `250${index === all.length - 1 ? ' ' : '-'}${text}`;
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}

function unstuffed(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  return Buffer.from(text.replace(/(^|\r\n)\.\./g, '$1.'), 'latin1');
}
