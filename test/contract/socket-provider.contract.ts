import type { Gateway, GatewayContext, OutboundMessage, SendResult } from '../../src/gateway/contracts/gateway';
import { type ErrorClass, GatewayError } from '../../src/gateway/contracts/gateway-error';
import { Dialer } from '../../src/platform/http-client/dialer';
import { SsrfGuard } from '../../src/platform/http-client/ssrf-guard';
import { ManualClock } from '../../src/kernel/clock';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import { gatewayDeps } from '../support/gateway-deps';
import { type CommonSamples, commonContract, contextFor, SAMPLE_NOW, type SampleAccount } from './provider.contract';

/** A server of the provider's protocol that does as it is told, on a loopback port. */
export interface ScriptedSocketServer {
  port: number;
  /** Connections made so far. */
  connections: number;
  close(): Promise<void>;
}

/** What a server may do instead of answering: `before` it was handed the message, or `after`, when it may have taken it. */
export const SOCKET_FAULTS = [
  'reset_before',
  'close_before',
  'hang_before',
  'garbage_before',
  'reset_after',
  'close_after',
  'hang_after',
  'garbage_after',
] as const;
export type SocketFault = (typeof SOCKET_FAULTS)[number];

export interface SocketSend {
  name: string;
  message?: Partial<OutboundMessage>;
  account?: Partial<SampleAccount>;
  /** Everything that the client says, byte for byte, as the provider's spec writes it down. */
  wire: string;
  result: SendResult;
}

export interface SocketSamples<Server extends ScriptedSocketServer> extends CommonSamples {
  message: OutboundMessage;
  /** A server that takes everything. */
  start(): Promise<Server>;
  /** The account's settings with the server as its host. */
  settingsAt(account: SampleAccount, server: Server): Record<string, unknown>;
  sends: ReadonlyArray<SocketSend>;
  /** What clients have said so far, in the form of {@link SocketSend.wire}. */
  wireOf(server: Server): string;
  /** Makes the server misbehave so from now on. */
  arrange(server: Server, fault: SocketFault): void;
  /** Resolves when a client has met the fault that was arranged. */
  faultMet(server: Server): Promise<void>;
  /** Makes the server refuse with this code of the error table; false for a code that no answer to a send carries, with the reason in the spec. */
  refuse(server: Server, code: string): boolean;
  /** What the error gives as the provider's code, where the table's key says more. */
  providerCode?(code: string): string;
  /** Who sent which message: `<credentials> <message id>`, for each message that the server took. */
  takenBy(server: Server): string[];
  /** What {@link takenBy} shows of an account's credentials. */
  shownAs(account: SampleAccount): string;
  /** Makes the server repeat the credentials in a refusal. */
  echo(server: Server, account: SampleAccount): void;
  /** A message that shows the mark on the wire, for a provider whose requests do not carry our message id. */
  marked?(mark: string): Partial<OutboundMessage>;
  /** What a resolved send answers for a message id. */
  resultFor(id: string): SendResult;
}

/** What every provider that is reached by sockets must do, from its definition and a table of samples. */
export function socketProviderContract<Server extends ScriptedSocketServer>(samples: SocketSamples<Server>): void {
  const { definition, accounts, message } = samples;
  const [account, other] = accounts;
  const clock = new ManualClock(SAMPLE_NOW);
  const http = new UndiciHttpClient();
  let server: Server;
  let gateway: Gateway;

  commonContract(samples);

  beforeEach(async () => {
    server = await samples.start();
    gateway = definition.create(gatewayDeps({ http, baseUrl: '', clock }));
  });

  afterEach(async () => {
    await gateway.release?.('cfg_1');
    await gateway.release?.('cfg_2');
    await server.close();
  });
  afterAll(() => http.close());

  const contextOf = (tenant: SampleAccount, over: Partial<GatewayContext> = {}): GatewayContext => {
    const at = { ...tenant, settings: samples.settingsAt(tenant, server) };
    return contextFor(at, { ...(tenant === other && { configId: 'cfg_2' }), ...over });
  };
  const failedSend = async (over: Partial<GatewayContext> = {}): Promise<GatewayError> => {
    const error: unknown = await gateway.send(message, contextOf(account, over)).then(
      (result) => new Error(`accepted: ${JSON.stringify(result)}`),
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(GatewayError);
    return error as GatewayError;
  };

  describe('send', () => {
    it.each(samples.sends)('says exactly what the protocol asks for and reads the answer: $name', async (sample) => {
      const from: SampleAccount = {
        settings: { ...account.settings, ...sample.account?.settings },
        credentials: sample.account?.credentials ?? account.credentials,
      };
      await expect(gateway.send({ ...message, ...sample.message }, contextOf(from))).resolves.toEqual(sample.result);
      expect(samples.wireOf(server)).toBe(sample.wire);
    });

    it("never swaps two tenants' credentials", async () => {
      const sends = Array.from({ length: 60 }, async (_, i) => {
        const [who, tenant] = i % 2 === 0 ? (['a', account] as const) : (['b', other] as const);
        const id = `msg_${who}${i}`;
        await expect(
          gateway.send({ ...message, ...(samples.marked?.(id) ?? { id }) }, contextOf(tenant)),
        ).resolves.toEqual(samples.resultFor(id));
        return `${samples.shownAs(tenant)} ${id}`;
      });
      const expected = await Promise.all(sends);
      expect(samples.shownAs(account)).not.toBe(samples.shownAs(other));
      expect([...samples.takenBy(server)].sort()).toEqual(expected.sort());
    });

    it('opens a new session when the config changed, and none when it did not', async () => {
      const send = (configVersion: number, tenant = account): Promise<SendResult> =>
        gateway.send(message, contextOf(tenant, { configId: 'cfg_1', configVersion }));
      await send(1);
      await send(1);
      expect(server.connections).toBe(1);
      await send(2, other);
      expect(server.connections).toBe(2);
      expect(samples.takenBy(server).at(-1)).toContain(samples.shownAs(other));
    });

    it.each(Object.entries(definition.errors).map(([code, row]) => [code, row.class, row] as const))(
      'code %s is %s',
      async (code, _, row) => {
        if (!samples.refuse(server, code)) return expect(samples.takenBy(server)).toEqual([]);
        const error = await failedSend();
        expect(error).toMatchObject({
          class: row.class,
          code: row.code,
          providerCode: samples.providerCode?.(code) ?? code,
          scope: row.scope ?? 'account',
        });
        expect(error.retryAfterMs).toBe(row.class === 'throttled' ? row.retryAfterMs : undefined);
        expect(samples.takenBy(server)).toEqual([]);
      },
    );

    it('a port that nobody listens on is transient', async () => {
      const ctx = contextOf(account);
      await server.close();
      const failed = gateway.send(message, ctx);
      await expect(failed).rejects.toMatchObject({
        class: 'transient',
        code: 'not_reached',
        providerCode: 'connection_refused',
      });
      server = await samples.start();
    });

    it('a name that does not resolve is transient', async () => {
      const ctx = contextOf(account);
      const settings = { ...ctx.settings, host: 'no-such-host.invalid' };
      await expect(gateway.send(message, { ...ctx, settings })).rejects.toMatchObject({
        class: 'transient',
        providerCode: 'dns',
      });
    });

    it('an internal address is refused before a connection is made', async () => {
      const dialer = new Dialer(new SsrfGuard([]));
      const guarded = definition.create(gatewayDeps({ http, baseUrl: '', clock, dialer }));
      await expect(guarded.send(message, contextOf(account))).rejects.toMatchObject({
        class: 'config',
        code: 'address_not_allowed',
      });
      expect(server.connections).toBe(0);
    });

    const outcomes: Record<SocketFault, [ErrorClass, string]> = {
      reset_before: ['transient', 'reset'],
      close_before: ['transient', 'reset'],
      hang_before: ['transient', 'timeout'],
      garbage_before: ['transient', 'protocol'],
      reset_after: ['ambiguous', 'reset'],
      close_after: ['ambiguous', 'reset'],
      hang_after: ['ambiguous', 'timeout'],
      garbage_after: ['ambiguous', 'protocol'],
    };
    it.each(SOCKET_FAULTS)('%s the message was handed over', async (fault) => {
      samples.arrange(server, fault);
      const [errorClass, providerCode] = outcomes[fault];
      const timeoutMs = fault.startsWith('hang') ? 200 : 3000;
      expect(await failedSend({ timeoutMs })).toMatchObject({ class: errorClass, providerCode });
    });

    it.each([
      ['hang_before', 'transient'],
      ['hang_after', 'ambiguous'],
    ] as const)('ends at once when the caller gives up: %s', async (fault, expected) => {
      samples.arrange(server, fault);
      const controller = new AbortController();
      const failed = failedSend({ signal: controller.signal, timeoutMs: 60_000 });
      await samples.faultMet(server);
      controller.abort();
      expect(await failed).toMatchObject({ class: expected, providerCode: 'aborted' });
    });

    it('does not begin when the caller gave up before', async () => {
      expect(await failedSend({ signal: AbortSignal.abort() })).toMatchObject({ class: 'transient' });
      expect(samples.takenBy(server)).toEqual([]);
    });

    it('keeps credentials out of errors, even when the server repeats them', async () => {
      samples.echo(server, account);
      const error = await failedSend();
      const shown = JSON.stringify({ ...error, message: error.message, cause: String(error.cause) });
      const secrets = Object.entries(definition.credentials).filter(([, field]) => field.secret);
      expect(secrets.length).toBeGreaterThan(0);
      for (const [name] of secrets) expect(shown).not.toContain(account.credentials[name]);
    });
  });
}
