import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { signedHeaders, signingKey, newSigningSecret } from '../../src/platform/delivery/standard-webhooks';
import { InboundBed } from '../support/inbound-bed';
import { until } from '../support/until';

const GUIDE = readFileSync(resolve(__dirname, '../../docs/inbound.md'), 'utf8');

interface Program {
  name: string;
  fence: string;
  /** What runs it; `FILE` and `PORT` are filled in. */
  command: string[];
}

const PROGRAMS: Program[] = [
  { name: 'Node', fence: 'js', command: [process.execPath, 'FILE'] },
  { name: 'Python', fence: 'python', command: ['python3', 'FILE'] },
  { name: 'PHP', fence: 'php', command: ['php', '-S', '127.0.0.1:PORT', 'FILE'] },
  { name: 'Ruby', fence: 'ruby', command: ['ruby', 'FILE'] },
  { name: 'Go', fence: 'go', command: ['go', 'run', 'FILE'] },
  { name: 'Java', fence: 'java', command: ['java', 'FILE'] },
];

// The others are run by who changes them: UNIMSG_GUIDE=PHP,Ruby,Go,Java npm test -- receivers-guide
const wanted = new Set(['Node', 'Python', ...(process.env.UNIMSG_GUIDE ?? '').split(',')]);
const missing = ({ command }: Program): boolean => spawnSync('which', [command[0]!]).status !== 0;

const TEXTS = [
  'plain',
  '1 + 1 = 2 & 50% "off" \'now\'; a=b&c=d',
  'two\nlines\r\nand\ttab',
  'Grüße 你好 مرحبا 👩‍👩‍👧 \u00a0€',
  ' blanks around ',
  '%2B%00 +OK \\ <b>',
];

describe('the receivers of docs/inbound.md', () => {
  let bed: InboundBed;
  let folder: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    bed = await InboundBed.start();
    bed.clock.set(Date.now());
    folder = mkdtempSync(join(tmpdir(), 'unimsg-guide-'));
  });
  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid!, 'SIGKILL');
        await once(child, 'close');
      }
    }
    await bed.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are given for each language', () => {
    const fences = [...GUIDE.matchAll(/^```(\w+)$/gm)].map(([, fence]) => fence);
    for (const fence of [...PROGRAMS.map((one) => one.fence), 'csharp']) {
      expect(fences.filter((one) => one === fence)).toHaveLength(1);
    }
  });

  for (const program of PROGRAMS.filter(({ name }) => wanted.has(name))) {
    const isMissing = missing(program);
    const title = `${program.name}: takes each message once, byte for byte, and refuses what is forged`;
    // A machine without the language cannot run it; CI installs what it needs.
    (isMissing ? it.skip : it)(
      isMissing ? `${title} (${program.command[0]} is not installed)` : title,
      async () => {
        const { url, lines } = await run(program);
        const number = await bed.number([{ url }]);
        const service = await bed.service();
        const ids = await bed.arrive(
          number,
          TEXTS.map((text) => ({ text, from: '+393331234567' })),
        );
        await until('all are taken', async () => (await bed.count('succeeded')) === TEXTS.length);
        for (const id of ids.slice(0, 2)) await bed.redeliver(id, number.receivers[0]!);
        const repeated = () =>
          bed.deliveries(number.receivers[0]!).then((rows) => rows.filter((row) => row.attempt_log.length === 2));
        await until('two are delivered again', async () => (await repeated()).length === 2);
        expect((await repeated()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
        await service.stop();

        for (const [what, status] of await forgeries(url)) expect([what, status]).toEqual([what, 401]);

        await until('each is told', () => lines().length >= TEXTS.length);
        const at = new Date(bed.clock.now()).toISOString();
        expect(lines().map((line) => JSON.parse(line) as unknown)).toEqual(
          TEXTS.map((text, index) => ({ sequence: index + 1, from: '+393331234567', to: number.number, at, text })),
        );
        await bed.reset();
        bed.clock.set(Date.now());
      },
      60_000,
    );
  }

  async function run({ name, fence, command }: Program): Promise<{ url: string; lines: () => string[] }> {
    const code = new RegExp(`^\`\`\`${fence}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(GUIDE)![1]!;
    const file = join(folder, /(\w+\.\w+): UNIMSG/.exec(code)![1]!);
    writeFileSync(file, code);
    const port = String(await freePort());
    const [executable, ...rest] = command.map((part) => part.replace('FILE', file).replace('PORT', port));
    const child = spawn(executable!, rest, {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        PORT: port,
        INBOX: join(folder, `inbox-${name}`),
        UNIMSG_SIGNING_SECRET: bed.secret.reveal(),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    children.push(child);
    let output = '';
    let trouble = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (trouble += text));
    await until(
      `${name} listens`,
      () => {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${trouble}`);
        return listens(Number(port));
      },
      40_000,
    );
    const lines = (): string[] => output.split('\n').filter((line) => line.startsWith('{"sequence"'));
    return { url: `http://127.0.0.1:${port}/sms`, lines };
  }

  /** What nobody but us could have sent, spoilt in one place each, with the status that it got. */
  async function forgeries(url: string): Promise<Array<[what: string, status: number]>> {
    const body = 'originator=%2B1&destination=%2B2&date_time=2026-11-20T10%3A00%3A00.000Z&text=forged';
    const now = Date.now();
    const signed = (id: string, at = now, secret = bed.secret): Record<string, string> => ({
      ...signedHeaders(id, at, body, [signingKey(secret)]),
      'content-type': 'application/x-www-form-urlencoded',
      'x-unimsg-sequence': '99',
    });
    const without = (name: string): Record<string, string> => {
      const headers = signed('inb_forged');
      delete headers[name];
      return headers;
    };
    const attempts: Array<[string, Record<string, string>, string]> = [
      ['another secret', signed('inb_forged', now, newSigningSecret()), body],
      ['another body', signed('inb_forged'), `${body}!`],
      ['another id', { ...signed('inb_forged'), 'webhook-id': 'inb_other' }, body],
      ['an old one', signed('inb_forged', now - 400_000), body],
      ['one of the future', signed('inb_forged', now + 400_000), body],
      ['a time that is none', { ...signed('inb_forged'), 'webhook-timestamp': 'now' }, body],
      ['an empty signature', { ...signed('inb_forged'), 'webhook-signature': 'v1,' }, body],
      ['no signature', without('webhook-signature'), body],
      ['no time', without('webhook-timestamp'), body],
      ['no id', without('webhook-id'), body],
    ];
    const seen: Array<[string, number]> = [];
    for (const [what, headers, text] of attempts) {
      const response = await fetch(url, { method: 'POST', headers, body: text });
      expect(await response.text()).not.toContain('+OK');
      seen.push([what, response.status]);
    }
    return seen;
  }
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
