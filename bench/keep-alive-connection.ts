import { connect, type Socket } from 'node:net';

const HEADER_END = Buffer.from('\r\n\r\n');

/**
 * One HTTP/1.1 connection with one request under way at a time. It reads of an answer only its status and length, so it costs a fraction of
 * what it measures.
 */
export class KeepAliveConnection {
  private socket: Socket | undefined;
  private rest: Buffer | undefined;
  private closed = false;

  /**
   * @param onAnswer an answer is complete
   * @param onLost the connection broke, with or without a request under way
   */
  constructor(
    private readonly address: { host: string; port: number },
    private readonly onAnswer: (status: number, answer: Buffer) => void,
    private readonly onLost: () => void,
  ) {}

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.address);
      socket.setNoDelay(true);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.on('error', () => {});
        resolve();
      });
      socket.on('data', (chunk) => this.read(chunk));
      socket.on('close', () => {
        if (this.socket !== socket) return;
        this.socket = undefined;
        this.rest = undefined;
        if (!this.closed) this.onLost();
      });
      this.socket = socket;
    });
  }

  send(request: Buffer): void {
    this.socket?.write(request);
  }

  close(): void {
    this.closed = true;
    this.socket?.destroy();
  }

  private read(chunk: Buffer): void {
    const data = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
    const headEnd = data.indexOf(HEADER_END);
    const length = headEnd < 0 ? undefined : bodyLength(data, headEnd);
    if (length === undefined || data.length < headEnd + 4 + length) {
      this.rest = data;
      return;
    }
    this.rest = undefined;
    const status = (data[9]! - 48) * 100 + (data[10]! - 48) * 10 + (data[11]! - 48);
    this.onAnswer(status, data);
  }
}

function bodyLength(data: Buffer, headEnd: number): number {
  const head = data.toString('latin1', 0, headEnd);
  const match = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (!match) throw new Error(`an answer without Content-Length: ${head}`);
  return Number(match[1]);
}
