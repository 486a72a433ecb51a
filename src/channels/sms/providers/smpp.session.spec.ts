import type { GatewayContext, OutboundMessage, SendResult } from '../../../gateway/contracts/gateway';
import type { GatewayError } from '../../../gateway/contracts/gateway-error';
import type { NormalizedEvent } from '../../../gateway/contracts/callback';
import type { SessionReport } from '../../../gateway/contracts/report-sink';
import { UndiciHttpClient } from '../../../platform/http-client/undici-http-client';
import { contextFor } from '../../../../test/contract/provider.contract';
import { gatewayDeps } from '../../../../test/support/gateway-deps';
import {
  COMMAND,
  deliverBody,
  pdu,
  ScriptedSmsc,
  type SmscConnection,
  type WirePdu,
} from '../../../../test/support/scripted-smsc';
import { smpp } from './smpp.provider';

const RECEIPT = 0x04;
const T_APPN = 0x64;
const DELIVERED = 'sub:001 dlvrd:001 submit date:2611220800 done date:2611220801 stat:DELIVRD err:000 text:Hello';

describe('an SMPP session', () => {
  const http = new UndiciHttpClient();
  const reports: SessionReport[] = [];
  let keep: (report: SessionReport) => Promise<void>;
  let smsc: ScriptedSmsc;
  const gateway = smpp.create(
    gatewayDeps({
      http,
      baseUrl: '',
      reports: { deliver: (report) => keep(report) },
    }),
  );

  beforeEach(async () => {
    smsc = await ScriptedSmsc.start();
    reports.length = 0;
    keep = async (report) => void reports.push(report);
  });
  afterEach(async () => {
    await Promise.all(['cfg_1', 'cfg_2'].map((id) => gateway.release!(id)));
    await smsc.close();
  });
  afterAll(() => http.close());

  const ctxOf = (settings: object = {}, over: Partial<GatewayContext> = {}): GatewayContext =>
    contextFor(
      {
        settings: { host: '127.0.0.1', port: smsc.port, source_addr: 'Acme', ...settings },
        credentials: { system_id: 'acme', password: 'pa55word' },
      },
      over,
    );
  const messageOf = (text = 'Hello'): OutboundMessage<'sms'> => ({
    id: 'msg_1',
    clientId: 'demo_1',
    channel: 'sms',
    to: '+393331234567',
    from: null,
    content: { text },
    priority: 'normal' as OutboundMessage['priority'],
    expiresAt: Date.now() + 3_600_000,
  });
  /** Opened as the keeper does; a released config is only opened so. */
  const opened = async (settings: object = {}, over: Partial<GatewayContext> = {}): Promise<GatewayContext> => {
    const ctx = ctxOf(settings, over);
    await gateway.open!(ctx);
    return ctx;
  };
  const failure = async (sending: Promise<unknown>): Promise<GatewayError> =>
    sending.then(
      () => Promise.reject(new Error('it was taken')),
      (error: GatewayError) => error,
    );
  const events = (): Array<NormalizedEvent | undefined> => reports.map((report) => report.events?.[0]);
  const link = (): SmscConnection => smsc.bound[0]!;
  const receipt = (text: string, tlvs?: Array<[number, Buffer]>): Buffer =>
    deliverBody({ from: '393331234567', to: 'Acme', esmClass: RECEIPT, text, ...(tlvs && { tlvs }) });

  describe('receipts', () => {
    it.each([
      ['as the spec writes them', `id:abc-1 ${DELIVERED}`],
      ['in another case and order', `Stat:delivrd  ERR:000 ID:abc-1 text:`],
      ['with the words in full', `id:abc-1 stat:DELIVERED err:0`],
      ['without a text', `id:abc-1 stat:DELIVRD`],
    ])('are read %s', async (_, text) => {
      await opened();
      expect(await link().deliver(receipt(text))).toBe(0);
      expect(reports[0]).toMatchObject({
        clientId: 'demo_0123456789abcdef',
        configId: 'cfg_1',
        provider: 'smpp',
        kind: 'events',
      });
      expect(events()).toEqual([
        expect.objectContaining({
          kind: 'status',
          status: 'delivered',
          externalId: 'abc-1',
          eventId: 'dlr:abc-1:DELIVRD',
          rawWord: 'DELIVRD',
          occurredAt: null,
        }),
      ]);
    });

    it.each([
      ['ENROUTE', 1, 'sent', undefined],
      ['DELIVRD', 2, 'delivered', undefined],
      ['EXPIRED', 3, 'undelivered', 'expired_at_provider'],
      ['DELETED', 4, 'failed', 'deleted_at_provider'],
      ['UNDELIV', 5, 'undelivered', 'recipient_unreachable'],
      ['ACCEPTD', 6, 'sent', undefined],
      ['UNKNOWN', 7, null, undefined],
      ['REJECTD', 8, 'undelivered', 'rejected'],
      ['42', 42, null, undefined],
    ])('say %s by text, and by parameters, which go before the text', async (word, state, status, code) => {
      await opened();
      const tlvs: Array<[number, Buffer]> = [
        [0x001e, Buffer.from('abc-2\0')],
        [0x0427, Buffer.from([state])],
        [0x0423, Buffer.from([3, 0, 27])],
      ];
      await link().deliver(receipt(`id:abc-1 stat:${word} err:27`));
      await link().deliver(receipt('id:wrong stat:SCHEDULED', tlvs));
      await link().deliver(deliverBody({ from: '1', to: '2', text: '', tlvs }));
      const said = { kind: 'status', status, rawWord: word };
      expect(events()).toMatchObject([
        { ...said, externalId: 'abc-1', ...(code && { error: { code, providerCode: '27' } }) },
        { ...said, externalId: 'abc-2', ...(code && { error: { code, providerCode: '3:27' } }) },
        { ...said, externalId: 'abc-2' },
      ]);
    });

    it('are found again by today’s parser from what is kept', async () => {
      await opened();
      await link().deliver(receipt(`id:abc-1 ${DELIVERED}`));
      const [event] = smpp.session!.parse(reports[0]!.raw, ctxOf().settings);
      expect(event).toMatchObject({ eventId: 'dlr:abc-1:DELIVRD', externalId: 'abc-1', status: 'delivered' });
    });

    it.each([
      ['hexadecimal', '1a2b3c4d', '439041101'],
      ['hexadecimal with zeros in front', '000000FF', '255'],
      ['decimal', '439041101', '1A2B3C4D'],
      ['the same but for zeros and case', '00abCD', 'ABCD'],
    ])('find a message whose id was %s in the response', async (_, given, told) => {
      smsc.idFor = () => given;
      const ctx = await opened();
      await gateway.send(messageOf(), ctx);
      await link().deliver(receipt(`id:${told} ${DELIVERED}`));
      expect(events()).toMatchObject([{ externalId: given, status: 'delivered' }]);
      // An older message may have that very id: it is looked for first.
      const isSame = told.toLowerCase() === given.toLowerCase().replace(/^0+/, '');
      expect(events()[0]).toEqual(
        isSame
          ? expect.not.objectContaining({ idForms: expect.anything() })
          : expect.objectContaining({ idForms: expect.arrayContaining([told, given]) }),
      );
    });

    it('in another form, again and again and never as they were given, are sure at last', async () => {
      let next = 0xa0;
      smsc.idFor = () => (++next).toString(16);
      const ctx = await opened();
      for (let i = 0; i < 21; i++) {
        await gateway.send(messageOf(), ctx);
        await link().deliver(receipt(`id:${next} ${DELIVERED}`));
      }
      expect(events().map((event) => event!.externalId)).toEqual(
        Array.from({ length: 21 }, (_, i) => (0xa1 + i).toString(16)),
      );
      expect(events().filter((event) => event!.idForms === undefined)).toHaveLength(1);
    });

    it('as they were given mean no other message that has the number in another form', async () => {
      const ids = ['256', '300'];
      smsc.idFor = () => ids.shift()!;
      const ctx = await opened();
      await gateway.send(messageOf(), ctx);
      await gateway.send(messageOf(), ctx);
      await link().deliver(receipt(`id:300 ${DELIVERED}`));
      // Of a message before the restart; 0x100 is 256.
      await link().deliver(receipt(`id:100 ${DELIVERED}`));
      expect(events()).toMatchObject([{ externalId: '300' }, { externalId: '100' }]);
    });

    it('of messages that are not remembered name the forms that their id may have', async () => {
      await opened();
      await link().deliver(receipt(`id:255 ${DELIVERED}`));
      expect(events()).toMatchObject([
        { externalId: '255', idForms: ['255', 'ff', 'FF', '000000ff', '000000FF', '597'] },
      ]);
      await gateway.release!('cfg_1');
      await opened({ receipt_ids: 'same' });
      await link().deliver(receipt(`id:255 ${DELIVERED}`));
      expect(events()[1]).not.toHaveProperty('idForms');
      await gateway.release!('cfg_1');
      await opened({ receipt_ids: 'decimal' });
      await link().deliver(receipt(`id:255 ${DELIVERED}`));
      expect(events()[2]).toMatchObject({ externalId: 'ff' });
    });

    it('that overtake the response find the id that it brings', async () => {
      smsc.idFor = () => 'ff';
      let told: Promise<number> | undefined;
      smsc.onSubmit = (request, connection) => {
        told = connection.deliver(receipt(`id:255 ${DELIVERED}`));
        smsc.take(request, connection);
      };
      await gateway.send(messageOf(), await opened());
      expect(await told).toBe(0);
      expect(events()).toMatchObject([{ externalId: 'ff' }]);
    });

    it('are refused for now when they cannot be kept, and taken when they come again', async () => {
      await opened();
      keep = () => Promise.reject(new Error('the database is away'));
      expect(await link().deliver(receipt(`id:abc-1 ${DELIVERED}`))).toBe(T_APPN);
      keep = async (report) => void reports.push(report);
      expect(await link().deliver(receipt(`id:abc-1 ${DELIVERED}`))).toBe(0);
      expect(reports).toHaveLength(1);
    });

    it('are answered only when they are kept', async () => {
      await opened();
      let commit!: () => void;
      keep = () => new Promise((resolve) => (commit = resolve));
      let answered = false;
      const delivery = link()
        .deliver(receipt(`id:abc-1 ${DELIVERED}`))
        .then((status) => {
          answered = true;
          return status;
        });
      // An answer that was written before would have come before this one.
      expect(await link().request(COMMAND.enquire_link)).toBe(0);
      expect(answered).toBe(false);
      commit();
      expect(await delivery).toBe(0);
    });

    it('that nobody can read are kept, and not asked for again', async () => {
      await opened();
      expect(await link().deliver(Buffer.from('no deliver_sm'))).toBe(0);
      expect(await link().deliver(receipt('stat:DELIVRD without an id'))).toBe(0);
      expect(reports.map((report) => report.events)).toEqual([null, null]);
    });

    it('come by data_sm too, and acknowledgements of phones mean nothing', async () => {
      await opened();
      const data = Buffer.concat([
        Buffer.from('\0\x01\x01393331234567\0\x05\0Acme\0\x04\0\0', 'latin1'),
        Buffer.from('001e0006616263' + '2d3100' + '0427000102', 'hex'),
      ]);
      expect(await link().request(0x103, data)).toBe(0);
      expect(
        await link().deliver(deliverBody({ from: '1', to: '2', esmClass: 0x08, text: 'id:abc-1 stat:DELIVRD' })),
      ).toBe(0);
      expect(events()).toMatchObject([
        { kind: 'status', externalId: 'abc-1', status: 'delivered' },
        { kind: 'ignored' },
      ]);
    });
  });

  describe('messages from phones', () => {
    const mo = (text: Buffer | string, over: object = {}): Buffer =>
      deliverBody({ from: '393331234567', to: '46700000000', text, ...over });

    it.each([
      ['GSM 7-bit', 0, Buffer.from([0x00, 0x1b, 0x65, 0x20, 0x7f]), '@€ à'],
      ['Latin-1', 3, Buffer.from('façade', 'latin1'), 'façade'],
      ['UCS-2', 8, Buffer.from('00480069d83dde00', 'hex'), 'Hi😀'],
      ['GSM data coding scheme, UCS-2', 0x18, Buffer.from('04220435', 'hex'), 'Те'],
      ['GSM message class, default alphabet', 0xf1, Buffer.from([0x11]), '_'],
      ['Cyrillic', 6, Buffer.from([0xb4]), 'Д'],
    ])('are read as %s', async (_, dataCoding, text, expected) => {
      await opened();
      expect(await link().deliver(mo(text, { dataCoding }))).toBe(0);
      expect(events()).toEqual([
        expect.objectContaining({ kind: 'inbound', from: '+393331234567', to: '+46700000000', text: expected }),
      ]);
    });

    it('that look like a receipt are messages all the same', async () => {
      await opened();
      await link().deliver(mo(`id:abc-1 ${DELIVERED}`));
      expect(events()).toMatchObject([{ kind: 'inbound', text: `id:abc-1 ${DELIVERED}` }]);
    });

    it.each([
      ['an 8-bit reference', Buffer.from('0500032a0302', 'hex'), 0x40, undefined, '42'],
      ['a 16-bit reference', Buffer.from('060804012c0302', 'hex'), 0x40, undefined, '300'],
      ['one that has other elements before it', Buffer.from('0b05040b8423f000032a0302', 'hex'), 0x40, undefined, '42'],
      [
        'SAR parameters',
        Buffer.alloc(0),
        0,
        [
          [0x020c, Buffer.from([1, 0x2c])],
          [0x020e, Buffer.from([3])],
          [0x020f, Buffer.from([2])],
        ],
        '300',
      ],
    ])('tell their place among parts by %s', async (_, header, esmClass, tlvs, reference) => {
      await opened();
      await link().deliver(mo(Buffer.concat([header, Buffer.from('part')]), { esmClass, ...(tlvs && { tlvs }) }));
      expect(events()).toMatchObject([{ kind: 'inbound', text: 'part', part: { reference, number: 2, total: 3 } }]);
    });

    it('come in a payload, and as bytes where they are no text', async () => {
      await opened();
      await link().deliver(mo('', { tlvs: [[0x0424, Buffer.from('long')]] }));
      await link().deliver(mo(Buffer.from([1, 2, 255]), { dataCoding: 4 }));
      expect(events()).toMatchObject([{ text: 'long' }, { text: '', detail: { data_coding: 4, data: '0102ff' } }]);
    });

    it('are the same when they come again unanswered, on a new connection or as the same request; else somebody said it twice', async () => {
      await opened({ enquire_link_seconds: 600 });
      const ids = (): unknown[] => events().map((event) => event?.eventId);
      const seen: string[] = [];
      keep = async (report) => {
        seen.push(report.events![0]!.eventId);
        throw new Error('away');
      };
      expect(await link().deliver(mo('Yes'), 1)).toBe(T_APPN);
      keep = async (report) => void reports.push(report);
      expect(await link().deliver(mo('Yes'), 2)).toBe(0);
      expect(await link().deliver(mo('Yes'), 2)).toBe(0);
      expect(ids()).toEqual([seen[0], seen[0]]);
      await link().deliver(mo('Yes'), 3);
      expect(ids()[2]).not.toBe(seen[0]);
      const before = link();
      before.socket.destroy();
      await smsc.until(() => smsc.bound.some((one) => one !== before));
      await smsc.bound.find((one) => one !== before)!.deliver(mo('Yes'), 1);
      expect(ids()[3]).toBe(ids()[2]);
    });
  });

  describe('the connection', () => {
    const held: Array<{ request: WirePdu; connection: SmscConnection }> = [];
    const hold = (request: WirePdu, connection: SmscConnection): void => void held.push({ request, connection });
    beforeEach(() => (held.length = 0));

    it('has no more in its window than the account allows, and goes on as answers come', async () => {
      const ctx = await opened({ window_size: 3 });
      smsc.onSubmit = (request, connection) => {
        hold(request, connection);
        smsc.told();
      };
      const sends = Array.from({ length: 7 }, () => gateway.send(messageOf(), ctx));
      await smsc.until(() => held.length === 3);
      expect(await link().request(COMMAND.enquire_link)).toBe(0);
      expect(held).toHaveLength(3);
      for (let taken = 0; taken < 7; taken++) {
        const { request, connection } = await smsc.until(() => held[taken]);
        expect(held.length).toBeLessThanOrEqual(taken + 3);
        smsc.take(request, connection);
      }
      expect(new Set((await Promise.all(sends)).map((sent) => sent.externalId)).size).toBe(7);
    });

    it('lost: what was written is ambiguous, what was not is transient, and the next send goes over a new one', async () => {
      const ctx = await opened({ window_size: 2 });
      smsc.onSubmit = (request, connection) => {
        hold(request, connection);
        smsc.told();
      };
      const sends = Array.from({ length: 5 }, () => failure(gateway.send(messageOf(), ctx)));
      await smsc.until(() => held.length === 2);
      smsc.onSubmit = undefined;
      link().socket.resetAndDestroy();
      const classes = (await Promise.all(sends)).map((error) => `${error.class} ${error.code}`);
      expect(classes.sort()).toEqual([
        'ambiguous no_answer',
        'ambiguous no_answer',
        'transient not_reached',
        'transient not_reached',
        'transient not_reached',
      ]);
      await smsc.until(() => smsc.bound.length === 1);
      await gateway.open!(ctx);
      await expect(gateway.send(messageOf(), ctx)).resolves.toMatchObject({ segments: 1 });
      expect(smsc.connections).toBe(2);
      expect(smsc.mostBound).toBe(1);
    });

    it('ends when the SMSC says good-bye, and is made again', async () => {
      const ctx = await opened();
      const first = link();
      expect(await first.request(COMMAND.unbind)).toBe(0);
      first.bound = undefined;
      await smsc.until(() => smsc.connections === 2 && smsc.bound.length === 1);
      await gateway.open!(ctx);
      await expect(gateway.send(messageOf(), ctx)).resolves.toBeDefined();
    });

    it('says good-bye when it is released, after what was under way; a straggler opens no other', async () => {
      const ctx = await opened();
      smsc.onSubmit = (request, connection) => {
        hold(request, connection);
        smsc.told();
      };
      const sent = gateway.send(messageOf(), ctx);
      await smsc.until(() => held.length === 1);
      const released = gateway.release!('cfg_1');
      const connection = link();
      smsc.take(held[0]!.request, held[0]!.connection);
      await expect(sent).resolves.toMatchObject({ segments: 1 });
      await released;
      expect(connection.received.map(({ command }) => command)).toEqual([
        COMMAND.bind_transceiver,
        COMMAND.submit_sm,
        COMMAND.unbind,
      ]);
      expect(await failure(gateway.send(messageOf(), ctx))).toMatchObject({
        class: 'transient',
        code: 'session_elsewhere',
      });
      expect(await failure(gateway.getStatus!('id-1', ctx))).toMatchObject({ class: 'transient' });
      expect(smsc.connections).toBe(1);
    });

    it('binds for each direction where the account wants it', async () => {
      const ctx = await opened({ bind: 'transmitter+receiver' });
      expect(smsc.bound).toHaveLength(2);
      expect(new Set(smsc.bound.map(({ bound }) => bound))).toEqual(new Set(['receiver', 'transmitter']));
      await gateway.send(messageOf(), ctx);
      expect(smsc.submits.map(({ connection }) => connection.bound)).toEqual(['transmitter']);
      expect(await smsc.bound.find(({ bound }) => bound === 'receiver')!.deliver(receipt(`id:id-1 ${DELIVERED}`))).toBe(
        0,
      );
      expect(events()).toMatchObject([{ externalId: 'id-1', status: 'delivered' }]);
    });

    it('unbinds the old before it binds the new when the config changes', async () => {
      await opened();
      const ctx = await opened({}, { configVersion: 2 });
      await gateway.send(messageOf(), ctx);
      expect(smsc.connections).toBe(2);
      expect(smsc.mostBound).toBe(1);
      expect(smsc.all[0]!.received.at(-1)!.command).toBe(COMMAND.unbind);
    });

    it('answers what it does not know, and what cannot be a PDU', async () => {
      await opened();
      const connection = link();
      connection.socket.write(pdu(0x7777, 0, 9));
      const nack = await smsc.until(() => connection.received.find(({ command }) => command === 0x80000000));
      expect(nack.raw.toString('hex')).toBe('00000010800000000000000300000009');
      connection.socket.write(Buffer.from('00000001', 'hex'));
      await smsc.until(() => connection.received.some(({ status, sequence }) => status === 2 && sequence === 0));
      await smsc.until(() => smsc.connections === 2 && smsc.bound.length === 1);
    });

    it('is refused: the class is in the table, and the session is not asked for again at once', async () => {
      smsc.onBind = (request, connection) => connection.answer(request, 0x0e);
      const ctx = ctxOf();
      expect(await failure(gateway.open!(ctx))).toMatchObject({
        class: 'config',
        code: 'bad_credentials',
        providerCode: '0x0E',
      });
      expect(await failure(gateway.send(messageOf(), ctx))).toMatchObject({ class: 'config' });
      expect(await gateway.healthCheck(ctx)).toMatchObject({ healthy: false, errorClass: 'config' });
      expect(smsc.connections).toBe(1);
    });

    it('tells its health; without a session a bind of a moment does', async () => {
      const ctx = ctxOf({}, { configId: 'cfg_2' });
      expect(await gateway.healthCheck(ctx)).toEqual({ healthy: true });
      // It is over before the answer is given, so that a bind which follows at once is not one too many.
      expect(smsc.bound).toHaveLength(0);
      expect(smsc.all[0]!.received.map(({ command }) => command)).toEqual([COMMAND.bind_transceiver, COMMAND.unbind]);
      await gateway.open!(ctx);
      expect(await gateway.healthCheck(ctx)).toEqual({ healthy: true });
      expect(smsc.connections).toBe(2);
    });
  });

  describe('parts', () => {
    const LONG = 'x'.repeat(400);
    const refuseOnce = (at: number, status: number): void => {
      smsc.onSubmit = (request, connection) =>
        smsc.submits.length === at ? connection.answer(request, status) : smsc.take(request, connection);
    };
    const partsTold = (): string[] =>
      smsc.submits.map(({ message }) => message.shortMessage.toString('hex', 0, 6).slice(-2));

    it('refused for now are sent again, alone', async () => {
      refuseOnce(2, 0x58);
      const sent: SendResult = await gateway.send(messageOf(LONG), await opened());
      expect(sent.externalIds).toEqual(['id-1', 'id-3', 'id-2']);
      expect(partsTold()).toEqual(['01', '02', '03', '02']);
    });

    it('keep to the rate of the account, each by itself', async () => {
      const ctx = await opened({}, { perSecond: 20 });
      const from = performance.now();
      await gateway.send(messageOf(LONG), ctx);
      await gateway.send(messageOf(LONG), ctx);
      // Six parts, fifty milliseconds apart; timers may be a little early.
      expect(performance.now() - from).toBeGreaterThan(5 * 50 - 10);
      expect(smsc.submits).toHaveLength(6);
    });

    it('all refused are a message refused', async () => {
      smsc.onSubmit = (request, connection) => connection.answer(request, 0x58);
      expect(await failure(gateway.send(messageOf(LONG), await opened()))).toMatchObject({
        class: 'throttled',
        retryAfterMs: 1000,
      });
      expect(smsc.submits).toHaveLength(3);
    });

    it('taken in part, with the rest refused for good, are what the refusal says; for the sender’s sake, ambiguous', async () => {
      const ctx = await opened();
      refuseOnce(3, 0x0b);
      expect(await failure(gateway.send(messageOf(LONG), ctx))).toMatchObject({ class: 'recipient_permanent' });
      smsc.submits.length = 0;
      refuseOnce(3, 0x0a);
      expect(await failure(gateway.send(messageOf(LONG), ctx))).toMatchObject({
        class: 'ambiguous',
        code: 'partly_taken',
      });
    });

    it('of two messages to one recipient have references of their own', async () => {
      const ctx = await opened();
      await Promise.all([gateway.send(messageOf(LONG), ctx), gateway.send(messageOf(LONG), ctx)]);
      const references = smsc.submits.map(({ message }) => message.shortMessage[3]);
      expect(new Set(references).size).toBe(2);
    });
  });

  it('asks what became of a message, from the address that it was sent from', async () => {
    const ctx = await opened();
    const sent = await gateway.send({ ...messageOf(), from: '+46700000000' }, ctx);
    const asked: WirePdu[] = [];
    const answers: Record<string, [number, Buffer]> = {
      'id-1': [0, Buffer.from('id-1\x00261122080000000+\0\x05\x1b', 'latin1')],
      gone: [0x67, Buffer.alloc(0)],
      odd: [0x08, Buffer.alloc(0)],
    };
    const serve = smsc.serve.bind(smsc);
    smsc.serve = (request, connection) => {
      if (request.command !== COMMAND.query_sm) return serve(request, connection);
      asked.push(request);
      const [status, body] = answers[request.body.toString('latin1').split('\0')[0]!]!;
      connection.answer(request, status, body);
    };
    expect(await gateway.getStatus!(sent.externalId, ctx)).toMatchObject({
      externalId: 'id-1',
      status: 'undelivered',
      rawWord: 'UNDELIV',
      error: { code: 'recipient_unreachable', providerCode: '27' },
    });
    expect(asked[0]!.body.toString('latin1')).toBe('id-1\0\x01\x0146700000000\0');
    expect(await gateway.getStatus!('gone', ctx)).toBeNull();
    expect(await failure(gateway.getStatus!('odd', ctx))).toMatchObject({ class: 'transient', providerCode: '0x08' });
  });

  it('says before sending what it cannot send', () => {
    const codesOf = (text: string, settings: object, from: string | null = null): string[] =>
      gateway
        .validate({ ...messageOf(text), from }, { host: 'h', ...settings })
        .map(({ field, code }) => `${field} ${code}`);
    expect(codesOf('Hello ✓', {})).toEqual([]);
    expect(codesOf('Hello ✓', { encoding: 'gsm7' })).toEqual(['message unsupported_characters']);
    expect(codesOf('x'.repeat(1601), {})).toEqual(['message too_long']);
    expect(codesOf('🙂'.repeat(1600), {})).toEqual([]);
    expect(codesOf('', {})).toEqual(['message required']);
    expect(codesOf('x', {}, 'Much too long a name')).toEqual(['from invalid_sender']);
  });
});
