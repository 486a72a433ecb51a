import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AddressInfo } from 'node:net';
import { startProcess, type RunningProcess } from '../../src/process';
import { magicRecipientsTable } from '../../src/simulator/magic-recipients';

const ROOT = resolve(__dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** Code blocks of a language, in order. */
const blocks = (language: string): string[] =>
  [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code!);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** An answer of the API, as far as it is looked into here. */
interface Answer {
  success: boolean;
  data: { message_id: string; id: string; gateways: { sms: object } };
}

/** One shell, as of a reader who types block after block. */
class Terminal {
  output = '';
  private readonly shell;
  private waiting: (() => void) | undefined;

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.shell = spawn('bash', ['--noprofile', '--norc'], { cwd, env, detached: true });
    for (const stream of [this.shell.stdout, this.shell.stderr]) {
      stream.on('data', (data) => {
        this.output += String(data);
        this.waiting?.();
      });
    }
  }

  /** Runs a block and answers what it wrote. */
  async run(block: string): Promise<string> {
    const start = this.output.length;
    const mark = `block-${start}-ends`;
    this.shell.stdin.write(`${block}\necho; echo ${mark}\n`);
    await this.until(() => this.output.includes(`\n${mark}\n`, start));
    return this.output.slice(start, this.output.indexOf(`\n${mark}\n`, start));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.waiting = resolve));
  }

  async close(): Promise<void> {
    const ended = once(this.shell, 'close');
    // What it started in the background too.
    process.kill(-this.shell.pid!, 'SIGKILL');
    await ended;
  }
}

describe('README.md', () => {
  let directory: string;
  let service: RunningProcess;
  let terminal: Terminal;
  const answers: Answer[][] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'unimsg-readme-'));
    // Under root PostgreSQL runs as another user, and stays in this directory only when that one can reach it.
    chmodSync(directory, 0o755);
    const [variable, value] = /^(UNIMSG_ALLOWED_PRIVATE_CIDRS)=(\S+) npm start$/m.exec(blocks('sh')[0]!)!.slice(1);
    service = await startProcess(
      { UNIMSG_DATA_DIR: join(directory, '.unimsg'), PORT: '0', UNIMSG_LOG_LEVEL: 'error', [variable!]: value },
      { quiet: true },
    );
    const receiverPort = String(await freePort());
    const onFreePorts = (text: string): string =>
      text.replaceAll('http://127.0.0.1:3000', service.url).replace(/\b4000\b/g, receiverPort);
    const [receiver] = blocks('js');
    writeFileSync(join(directory, 'receiver.mjs'), onFreePorts(receiver!));
    terminal = new Terminal(directory, {
      PATH: process.env.PATH,
      TWILIO_SID: `AC${'0'.repeat(32)}`,
      TWILIO_TOKEN: 'f'.repeat(32),
    });
    for (const block of blocks('bash')) {
      const written = await terminal.run(onFreePorts(block));
      // Two curls in one block leave two documents in one line, and the receiver in the background writes when it likes.
      const documents = written
        .replaceAll('}{', '}\n{')
        .replace(/(?:message|email|inbound)\.\w+ (?:msg|inb)_\w+\n/g, '\n')
        .split('\n');
      answers.push(documents.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Answer));
    }
  }, 60_000);

  afterAll(async () => {
    await terminal?.close();
    await service?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('every call in it succeeds', () => {
    expect(answers.map((some) => some.map(({ success }) => success))).toEqual([
      [true],
      [true],
      [],
      [true],
      [true],
      [true, true, true, true],
      [true],
      [true, true],
      [true],
      [true],
      [true],
      [true, true],
      [true],
    ]);
  });

  test('the answer that it shows is like the real one', () => {
    const [shown] = blocks('json').map((text) => JSON.parse(text) as { data: object });
    const real = answers[0]![0]!;
    expect(Object.keys(real.data)).toEqual(Object.keys(shown!.data));
    expect(real).toMatchObject({ data: { status: 'queued', channel: 'sms', segments: 1 } });
    expect(answers[1]![0]!.data).toMatchObject([{ message_id: real.data.message_id, reference: 'order-1' }]);
  });

  test('its receiver proves the signatures and hears what became of the message', async () => {
    const id = answers[3]![0]!.data.message_id;
    // Not `message.sent`: a report of delivery that overtakes the provider's answer leaves nothing to say of it.
    await terminal.until(() => terminal.output.includes(`message.delivered ${id}\n`));
    expect(terminal.output).toContain(`message.delivered ${id}\n`);
    const port = /listen\((\d+)/.exec(readFileSync(join(directory, 'receiver.mjs'), 'utf8'))![1]!;
    const forged = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{"event":"message.delivered"}' });
    expect(forged.status).toBe(401);
  });

  test('the message that fails at Twilio goes out over Vonage', () => {
    expect(answers[10]![0]!.data).toMatchObject({
      gateway: 'vonage',
      possible_duplicate: true,
      attempts: [
        { gateway: 'twilio', outcome: 'unknown' },
        { gateway: 'vonage', outcome: 'accepted' },
      ],
    });
  });

  test('the text to its number arrives, and goes to the mailbox', async () => {
    const [played, list] = answers[7]!;
    expect(played!.data).toMatchObject({ provider: 'twilio', accepted: true });
    expect(list!.data).toMatchObject([{ to: '+15005550006', text: 'Where is my parcel? 📦', state: 'received' }]);
    const mails = async (): Promise<unknown[]> => {
      const answer = await fetch(`${service.url}/simulator/messages?provider=smtp&to=inbox@simulator.test`);
      return ((await answer.json()) as { data: unknown[] }).data;
    };
    while ((await mails()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await mails()).toMatchObject([{ body: expect.stringContaining('Where is my parcel? 📦') }]);
  });

  test('the notification makes a message a channel, and usage counts what was sent', () => {
    expect(answers[8]![0]!.data).toMatchObject({ notification_id: expect.stringMatching(/^ntf_/) });
    const { groups } = answers[9]![0]!.data as unknown as { groups: Array<{ key: string; sends: number }> };
    expect(groups.find(({ key }) => key === 'sms')!.sends).toBeGreaterThanOrEqual(2);
  });

  test('the account of the three calls is in service and routed over', () => {
    const [config, routes] = answers[11]!;
    expect(config!.data).toMatchObject({ status: 'active', display_name: 'Twilio' });
    expect(routes!.data.gateways.sms).toMatchObject({ primary: config!.data.id });
  });

  test('its table of recipients is the simulator’s', () => {
    const plain = (text: string): string => text.replace(/ +/g, ' ').replace(/-+/g, '-');
    expect(plain(README)).toContain(plain(magicRecipientsTable()));
  });
});
