import { EventEmitter, once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import type { ScriptedSocketServer } from '../contract/socket-provider.contract';

/** Where in a conversation. `END` is the dot that ends a mail, `GREETING` what the server says first. */
export const SMTP_STEPS = ['GREETING', 'EHLO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'END'] as const;
export type SmtpStep = (typeof SMTP_STEPS)[number];

/** What the server does at a step: a reply, or anything that a socket allows. */
export type SmtpAction = string | ((socket: Socket, line: string) => void);

export const reset: SmtpAction = (socket) => void socket.resetAndDestroy();
export const close: SmtpAction = (socket) => void socket.end();
/** Nothing more is read. */
export const hang: SmtpAction = () => undefined;
export const garbage: SmtpAction = (socket) => void socket.write('\u0001\u0002 HTTP/1.1 what?\r\n');

/** A mail that the server took. */
export interface TakenMail {
  /** `user:password`, empty without authentication. */
  credentials: string;
  secure: boolean;
  from: string;
  recipients: string[];
  /** Without dot-stuffing. */
  bytes: Buffer;
}

export interface ScriptedSmtpOptions {
  extensions?: string[];
  /** For STARTTLS, or for the whole connection with `implicit`. */
  tls?: { key: string; cert: string; implicit?: boolean };
}

/** A mail server on a loopback port that takes everything, and at each step does what the test says instead. */
export class ScriptedSmtp implements ScriptedSocketServer {
  /** What to do instead of the usual, by step. */
  readonly script: Partial<Record<SmtpStep, SmtpAction>> = {};
  /** What clients said, byte for byte, mails with their dots. */
  heard = '';
  /** What clients said before the connection was secured. */
  heardInClear = '';
  readonly taken: TakenMail[] = [];
  /** Every command that came, `RCPT` and so on, and `END` for each whole mail. */
  readonly steps: string[] = [];
  connections = 0;
  /** Conversations that are open. */
  readonly sockets = new Set<Socket>();
  readonly events = new EventEmitter();
  extensions: string[];

  private readonly server = createServer((socket) => this.accept(socket));

  private constructor(readonly options: ScriptedSmtpOptions) {
    this.extensions = options.extensions ?? ['PIPELINING', 'SIZE 10485760', '8BITMIME', 'SMTPUTF8', 'DSN'];
  }

  static async start(options: ScriptedSmtpOptions = {}): Promise<ScriptedSmtp> {
    const server = new ScriptedSmtp(options);
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Resolves when `step` has come `count` times. */
  async reached(step: string, count = 1): Promise<void> {
    while (this.steps.filter((one) => one === step).length < count) await once(this.events, 'step');
  }

  /** Resolves when so many conversations are open. */
  async open(count: number): Promise<void> {
    while (this.sockets.size !== count) await once(this.events, 'sockets');
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.server.listening) await new Promise((done) => this.server.close(done));
  }

  step(name: string): void {
    this.steps.push(name);
    this.events.emit('step');
  }

  secure(socket: Socket): Socket {
    return new tls.TLSSocket(socket, { isServer: true, ...this.options.tls });
  }

  private accept(socket: Socket): void {
    this.connections++;
    socket.setNoDelay(true);
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.events.emit('sockets');
    });
    this.events.emit('sockets');
    const { implicit } = this.options.tls ?? {};
    new Conversation(this, implicit ? this.secure(socket) : socket, implicit === true).greet();
  }
}

class Conversation {
  private pending = Buffer.alloc(0);
  private credentials = '';
  private user = '';
  private awaited: 'plain' | 'user' | 'password' | undefined;
  private from: string | undefined;
  private recipients: string[] = [];
  private inMail = false;
  private stuck = false;

  constructor(
    private readonly server: ScriptedSmtp,
    private socket: Socket,
    private isSecure: boolean,
  ) {
    this.listen();
  }

  greet(): void {
    this.act('GREETING', '', () => this.say('220 mx.example.com ESMTP'));
  }

  private listen(): void {
    const { socket } = this;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (socket !== this.socket) return;
      const text = chunk.toString('latin1');
      this.server.heard += text;
      if (!this.isSecure) this.server.heardInClear += text;
      this.pending = Buffer.concat([this.pending, chunk]);
      while (this.read());
    });
  }

  private say(reply: string): void {
    if (this.socket.writable) this.socket.write(`${reply}\r\n`);
  }

  /** Does what the script says, else the usual. A scripted refusal is said in place of the usual. */
  private act(step: SmtpStep, line: string, usual: () => void): void {
    const action = this.server.script[step];
    this.server.step(step);
    if (action === undefined) usual();
    else if (typeof action === 'string') this.say(action);
    else {
      this.stuck = action === hang;
      action(this.socket, line);
    }
  }

  private read(): boolean {
    if (this.stuck) return false;
    if (this.inMail) {
      const end = this.pending.indexOf('\r\n.\r\n');
      if (end < 0) return false;
      const bytes = this.pending
        .subarray(0, end + 2)
        .toString('latin1')
        .replace(/(^|\r\n)\.\./g, '$1.');
      this.pending = this.pending.subarray(end + 5);
      this.inMail = false;
      const { credentials, isSecure: secure, from = '', recipients } = this;
      this.act('END', '', () => {
        this.server.taken.push({ credentials, secure, from, recipients, bytes: Buffer.from(bytes, 'latin1') });
        this.say('250 2.0.0 Ok: queued as 4F1A2B3C4D');
      });
      return true;
    }
    const end = this.pending.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.pending.subarray(0, end).toString('utf8');
    this.pending = this.pending.subarray(end + 2);
    if (this.awaited) this.login(line);
    else this.command(line);
    return true;
  }

  private command(line: string): void {
    const verb = line.split(' ')[0]!.toUpperCase();
    const address = /<(.*?)>/.exec(line)?.[1] ?? '';
    if (verb === 'EHLO') return this.act('EHLO', line, () => this.ehlo());
    if (verb === 'STARTTLS') return this.act('STARTTLS', line, () => this.startTls());
    if (verb === 'AUTH') return this.act('AUTH', line, () => this.auth(line));
    if (verb === 'MAIL') {
      this.from = undefined;
      this.recipients = [];
      return this.act('MAIL', line, () => {
        this.from = address;
        this.say('250 2.1.0 Ok');
      });
    }
    if (verb === 'RCPT') {
      return this.act('RCPT', line, () => {
        if (this.from === undefined) return this.say('503 5.5.1 MAIL first');
        this.recipients.push(address);
        this.say('250 2.1.5 Ok');
      });
    }
    if (verb === 'DATA') {
      return this.act('DATA', line, () => {
        if (this.recipients.length === 0) return this.say('554 5.5.1 No valid recipients');
        this.inMail = true;
        this.say('354 Go ahead');
      });
    }
    this.server.step(verb);
    if (verb === 'QUIT') this.socket.end('221 2.0.0 Bye\r\n');
    else this.say(verb === 'RSET' || verb === 'NOOP' || verb === 'HELO' ? '250 2.0.0 Ok' : '502 5.5.1 Not known');
  }

  private ehlo(): void {
    const startTls = this.server.options.tls && !this.isSecure ? ['STARTTLS'] : [];
    const all = ['mx.example.com', ...startTls, 'AUTH PLAIN LOGIN', ...this.server.extensions];
    all.forEach((text, index) => this.say(`250${index === all.length - 1 ? ' ' : '-'}${text}`));
  }

  private startTls(): void {
    if (!this.server.options.tls) return this.say('502 5.5.1 Not known');
    this.say('220 2.0.0 Ready to start TLS');
    this.socket.removeAllListeners('data');
    this.socket = this.server.secure(this.socket);
    this.isSecure = true;
    this.listen();
  }

  private auth(line: string): void {
    const [, mechanism, initial] = line.split(' ');
    this.awaited = mechanism === 'LOGIN' ? 'user' : 'plain';
    if (initial !== undefined) return this.login(initial);
    this.say(mechanism === 'LOGIN' ? '334 VXNlcm5hbWU6' : '334 ');
  }

  private login(line: string): void {
    const text = Buffer.from(line, 'base64').toString('utf8');
    if (this.awaited === 'user') {
      this.user = text;
      this.awaited = 'password';
      return this.say('334 UGFzc3dvcmQ6');
    }
    this.credentials = this.awaited === 'plain' ? text.split('\0').slice(1).join(':') : `${this.user}:${text}`;
    this.awaited = undefined;
    this.say('235 2.7.0 Authentication successful');
  }
}
