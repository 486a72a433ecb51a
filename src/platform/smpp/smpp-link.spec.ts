import { once } from 'node:events';
import net from 'node:net';
import { COMMAND, pdu, ScriptedSmsc } from '../../../test/support/scripted-smsc';
import { messageIdOf, SmppBindRefused, SmppLink, type SmppLinkOptions, SmppLost } from './smpp-link';
import { PduReader, SmppFormatError, type SmppPdu } from './smpp-pdu';

const OPTIONS: SmppLinkOptions = {
  bind: { mode: 'transceiver', systemId: 'acme', password: 'pw', systemType: '', interfaceVersion: 0x34 },
  window: 2,
  bindTimeoutMs: 2_000,
  enquireEveryMs: 60_000,
  enquireTimeoutMs: 2_000,
  onMessage: () => Promise.resolve(0),
};

describe('SmppLink', () => {
  let smsc: ScriptedSmsc;
  const links: SmppLink[] = [];
  beforeEach(async () => {
    smsc = await ScriptedSmsc.start();
  });
  afterEach(async () => {
    for (const link of links.splice(0)) link.destroy();
    await smsc.close();
  });

  const connect = async (): Promise<net.Socket> => {
    const socket = net.connect(smsc.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  const bind = async (over: Partial<SmppLinkOptions> = {}): Promise<SmppLink> => {
    const link = await SmppLink.bind(await connect(), { ...OPTIONS, ...over });
    links.push(link);
    return link;
  };
  const lost = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'answered',
      (error: unknown) => error,
    );

  it('asks the other side whether it lives, again and again, and ends when it does not answer', async () => {
    const link = await bind({ enquireEveryMs: 5, enquireTimeoutMs: 60 });
    const enquiries = (): number =>
      smsc.all[0]!.received.filter(({ command }) => command === COMMAND.enquire_link).length;
    await smsc.until(() => enquiries() >= 3);
    expect(link.usable).toBe(true);
    smsc.serve = () => undefined;
    expect(await link.ended).toBe('timeout');
    expect(link.usable).toBe(false);
    expect(await lost(link.windowed(COMMAND.submit_sm, Buffer.alloc(17), 1_000))).toEqual(
      new SmppLost('timeout', false),
    );
  });

  it('answers enquire_link, whatever its own window is', async () => {
    await bind();
    expect(await smsc.bound[0]!.request(COMMAND.enquire_link)).toBe(0);
  });

  it('takes a nack for the answer that it is', async () => {
    const link = await bind();
    smsc.onSubmit = (request, { socket }) => socket.write(pdu(0x80000000, 0x03, request.sequence));
    expect(await link.windowed(COMMAND.submit_sm, Buffer.alloc(17), 1_000)).toMatchObject({ status: 3 });
  });

  it('takes a late answer for none, and gives the place in the window to the next', async () => {
    const link = await bind({ window: 1 });
    let first: (() => void) | undefined;
    smsc.onSubmit = (request, connection) => {
      if (!first) first = () => connection.answer(request, 0, 'late\0');
      else {
        first();
        connection.answer(request, 0, 'second\0');
      }
    };
    const body = Buffer.alloc(17);
    const sends = [link.windowed(COMMAND.submit_sm, body, 50), link.windowed(COMMAND.submit_sm, body, 2_000)];
    expect(await lost(sends[0]!)).toEqual(new SmppLost('timeout', true));
    expect(messageIdOf(await sends[1]!)).toBe('second');
    expect(link.underWay).toBe(0);
  });

  it('gives up waiting for room when the time is over or the caller does, and nothing was written', async () => {
    const link = await bind({ window: 1 });
    smsc.onSubmit = () => undefined;
    const body = Buffer.alloc(17);
    const abort = new AbortController();
    const sends = [
      lost(link.windowed(COMMAND.submit_sm, body, 60_000)),
      lost(link.windowed(COMMAND.submit_sm, body, 20)),
      lost(link.windowed(COMMAND.submit_sm, body, 60_000, abort.signal)),
    ];
    expect(await sends[1]).toEqual(new SmppLost('timeout', false));
    abort.abort();
    expect(await sends[2]).toEqual(new SmppLost('aborted', false));
    link.destroy();
    expect(await sends[0]).toEqual(new SmppLost('reset', true));
    expect(smsc.submits).toHaveLength(1);
  });

  it('is not there when the bind is refused or not answered', async () => {
    smsc.onBind = (request, connection) => connection.answer(request, 0x0e);
    expect(await lost(bind())).toEqual(new SmppBindRefused(0x0e));
    smsc.onBind = () => undefined;
    expect(await lost(bind({ bindTimeoutMs: 30 }))).toEqual(new SmppLost('timeout', true));
    expect(smsc.connections).toBe(2);
  });
});

describe('PduReader', () => {
  const all = Buffer.concat([pdu(4, 0, 1, 'abc'), pdu(0x15, 0, 2), pdu(0x80000004, 8, 3, 'x\0')]);
  const seen = (found: SmppPdu[]): string[] =>
    found.map(({ command, status, sequence, body }) => `${command} ${status} ${sequence} ${body.toString('latin1')}`);

  it.each([1, 2, 3, 7, 16, 19, 20, 1000])('reads the same from pieces of %i octets', (size) => {
    const reader = new PduReader();
    const found: SmppPdu[] = [];
    for (let at = 0; at < all.length; at += size) found.push(...reader.read(all.subarray(at, at + size)));
    expect(seen(found)).toEqual(['4 0 1 abc', '21 0 2 ', '2147483652 8 3 x\0']);
  });

  it.each([0, 15, 0xffffffff])('does not believe a length of %i', (length) => {
    const head = Buffer.alloc(16);
    head.writeUInt32BE(length, 0);
    expect(() => [...new PduReader().read(head)]).toThrow(SmppFormatError);
  });
});
