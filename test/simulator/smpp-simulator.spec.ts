import { EventEmitter, once } from 'node:events';
import { smpp } from '../../src/channels/sms/providers/smpp.provider';
import type { NormalizedEvent } from '../../src/gateway/contracts/callback';
import type { Gateway, GatewayContext, OutboundMessage } from '../../src/gateway/contracts/gateway';
import { STAND_IN_HOST } from '../../src/gateway/contracts/simulator';
import { Dialer } from '../../src/platform/http-client/dialer';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { Simulator } from '../../src/simulator/simulator';
import { contextFor } from '../contract/provider.contract';
import { gatewayDeps } from '../support/gateway-deps';

const magic = (number: number): string => `+1500555${String(number).padStart(4, '0')}`;

describe('simulated smpp', () => {
  const http = new UndiciHttpClient();
  const told = new EventEmitter();
  const events: NormalizedEvent[] = [];
  /** Reports that are refused before the first is taken. */
  let refusals = 0;
  let simulator: Simulator;
  let gateway: Gateway;
  let sent = 0;

  beforeEach(async () => {
    simulator = await Simulator.start({ standIn: () => smpp.simulator, socketProviders: ['smpp'], callbackDelayMs: 0 });
    const port = simulator.socketPorts().get('smpp');
    events.length = 0;
    refusals = 0;
    gateway = smpp.create(
      gatewayDeps({
        http,
        baseUrl: '',
        dialer: new Dialer(new SsrfGuard([]), (host) => (host === STAND_IN_HOST ? port : undefined)),
        reports: {
          deliver: async (report) => {
            if (refusals-- > 0) throw new Error('not now');
            events.push(...report.events!);
            told.emit('report');
          },
        },
      }),
    );
  });
  afterEach(async () => {
    await gateway.release!('cfg_1');
    await simulator.close();
  });
  afterAll(() => http.close());

  const context = (over: Partial<GatewayContext> = {}, credentials: object = {}): GatewayContext =>
    contextFor(
      {
        settings: { host: STAND_IN_HOST, tls: true, source_addr: '+15005550100' },
        credentials: { system_id: 'acme', password: 'pa55word', ...credentials },
      },
      over,
    );
  const message = (to: string, text = `Hello ${++sent} €`): OutboundMessage<'sms'> => ({
    id: `msg_${sent}`,
    clientId: 'demo_0123456789abcdef',
    channel: 'sms',
    to,
    from: null,
    priority: 'normal',
    content: { text },
    expiresAt: Date.now() + 3_600_000,
  });
  const reported = async (count: number): Promise<unknown[]> => {
    while (events.length < count) await once(told, 'report');
    return events.map((event) => event.rawWord);
  };

  it.each([
    ['an ordinary number', '+393331234567', ['DELIVRD']],
    ['…0002', magic(2), ['UNDELIV']],
    ['…0008', magic(8), ['DELIVRD']],
    ['…0010', magic(10), ['DELIVRD', 'DELIVRD', 'DELIVRD']],
    ['…0011', magic(11), ['DELIVRD', 'UNDELIV']],
    ['…0012', magic(12), ['DELIVRD', 'deliver_sm']],
  ])('%s: takes it and reports over the session', async (_, to, words) => {
    const out = message(to);
    const { externalId } = await gateway.send(out, context());
    expect(await reported(words.length)).toEqual(words);
    const statuses = events.filter((event) => event.kind === 'status');
    expect(new Set(statuses.map((event) => event.externalId))).toEqual(new Set([externalId]));
    expect(new Set(statuses.map((event) => event.eventId)).size).toBe(
      new Set(statuses.map(({ rawWord }) => rawWord)).size,
    );
    expect(simulator.messages({ to, limit: 5 })).toMatchObject([
      {
        provider: 'smpp',
        externalId,
        to,
        from: '+15005550100',
        body: out.content.text,
        reference: null,
        accepted: true,
      },
    ]);
  });

  it('…0012: the reply comes from the recipient, to the sender', async () => {
    const out = message(magic(12));
    await gateway.send(out, context());
    await reported(2);
    expect(events[1]).toMatchObject({
      kind: 'inbound',
      from: out.to,
      to: '+15005550100',
      text: `Re: ${out.content.text}`,
    });
  });

  it.each([
    ['…0001', magic(1), { class: 'recipient_permanent', providerCode: '0x0B' }],
    ['…0003', magic(3), { class: 'throttled', providerCode: '0x58' }],
    ['…0004', magic(4), { class: 'transient', providerCode: '0x08' }],
    ['…0005', magic(5), { class: 'ambiguous', code: 'no_answer', providerCode: 'timeout' }],
    ['…0006', magic(6), { class: 'ambiguous', code: 'no_answer', providerCode: 'reset' }],
    ['…0007', magic(7), { class: 'ambiguous', code: 'unreadable_answer' }],
  ])('%s: fails as an SMSC does', async (_, to, expected) => {
    await expect(gateway.send(message(to), context({ timeoutMs: 300 }))).rejects.toMatchObject(expected);
  });

  it('…0003: takes it at the second try', async () => {
    const out = message(magic(3));
    await expect(gateway.send(out, context())).rejects.toMatchObject({ class: 'throttled', retryAfterMs: 1000 });
    await gateway.send(out, context());
    expect(await reported(1)).toEqual(['DELIVRD']);
  });

  it('…0013: reports nothing, but a query knows the message', async () => {
    const { externalId } = await gateway.send(message(magic(13)), context());
    await expect(gateway.getStatus!(externalId, context())).resolves.toMatchObject({ externalId, status: 'delivered' });
    await expect(gateway.getStatus!('0000', context())).resolves.toBeNull();
    expect(events).toEqual([]);
  });

  it('sees each part, and reports each', async () => {
    const { externalIds } = await gateway.send(message('+393331234567', 'ж'.repeat(80)), context());
    await reported(2);
    expect(new Set(events.map((event) => event.externalId))).toEqual(new Set(externalIds));
    expect(events).toHaveLength(externalIds!.length);
    expect(
      simulator
        .messages({ provider: 'smpp', limit: 5 })
        .map(({ body }) => body.length)
        .toSorted((a, b) => a - b),
    ).toEqual([13, 67]);
  });

  it('reports again what was not taken', async () => {
    refusals = 2;
    await gateway.send(message('+393331234567'), context());
    expect(await reported(1)).toEqual(['DELIVRD']);
  });

  it('refuses wrong credentials', async () => {
    for (const [wrong, code] of [
      [{ password: 'invalid-1' }, '0x0E'],
      [{ system_id: 'invalid' }, '0x0F'],
    ] as const) {
      const ctx = context({ configId: `cfg_${code}` }, wrong);
      await expect(gateway.healthCheck(ctx)).resolves.toMatchObject({ healthy: false, errorClass: 'config' });
      await expect(gateway.send(message(magic(0)), ctx)).rejects.toMatchObject({ class: 'config', providerCode: code });
      await gateway.release!(ctx.configId);
    }
    await expect(gateway.healthCheck(context())).resolves.toEqual({ healthy: true });
  });
});
