import { readFileSync } from 'node:fs';
import type { CallbackRequest, CallbackSecrets, NormalizedEvent } from '../../src/gateway/contracts/callback';
import type {
  CallbackKind,
  Gateway,
  GatewayContext,
  OutboundMessage,
  SendResult,
} from '../../src/gateway/contracts/gateway';
import {
  ERROR_CLASSES,
  type ErrorClass,
  GatewayError,
  InvalidSignature,
} from '../../src/gateway/contracts/gateway-error';
import type { ProviderDefinition } from '../../src/gateway/contracts/provider-definition';
import { MESSAGE_STATUSES, type MessageStatus } from '../../src/kernel/channel';
import { ManualClock } from '../../src/kernel/clock';
import { Secret } from '../../src/kernel/secret';
import { UndiciHttpClient } from '../../src/platform/http-client/undici-http-client';
import {
  answer,
  closeAfterRequest,
  closedOrigin,
  hang,
  json,
  resetAfterRequest,
  type Script,
  ScriptedServer,
  truncated,
  type WireRequest,
} from '../support/scripted-server';
import { gatewayDeps } from '../support/gateway-deps';

export interface SampleAccount {
  settings: Record<string, unknown>;
  credentials: Record<string, string>;
}

export interface SampleSend {
  name: string;
  message?: Partial<OutboundMessage>;
  account?: Partial<SampleAccount>;
  /** Every byte of the request; `{port}` stands for the server's port. */
  wire: string;
  answer: Script;
  result: SendResult;
}

export interface SampleCallback {
  name: string;
  kind: CallbackKind;
  /** As the provider would send it, signed for the account. */
  request(account: SampleAccount, now: number): CallbackRequest;
  events: NormalizedEvent[];
  account?: Partial<SampleAccount>;
  /** Changes that must be refused, besides those that the suite makes itself. */
  forged?: Record<string, (request: CallbackRequest) => CallbackRequest>;
  /** The provider signs something beside the body; then a signature proves only the body that it first came with. */
  signsNoBody?: boolean;
  /** Whether what proves it carries a time, so that an old one is refused. */
  timed?: boolean;
  /** The header that proves it; without it the callback is refused. */
  proofHeader?: string;
}

export interface ProviderSamples {
  definition: ProviderDefinition;
  /** Two tenants' accounts. */
  accounts: [SampleAccount, SampleAccount];
  message: OutboundMessage;
  sends: SampleSend[];
  accepted: Script;
  /** A recipient and sender that the provider does take, as the wire shows the credentials of the caller. */
  credentialsOnWire(request: { headers: Record<string, string>; body: string; target: string }): string;
  /** A message that shows the mark on the wire, for a provider whose requests do not carry our message id. */
  marked?(mark: string): Partial<OutboundMessage>;
  /** Provider codes by class, after the provider's documents: the whole error table. */
  codes: Record<ErrorClass, string[]>;
  /** How the API says a code; null for codes that only callbacks carry. */
  refusal(code: string): Script | null;
  /** What the provider gives as its code where the table's key says more, to tell apart what it does not. */
  providerCode?(code: string): string;
  /**
   * For an API with sessions: which request signs in, and its answer, which must tell the accounts apart. Sign-ins are no part of the exact bytes
   * or of the number of requests.
   */
  signIn?: { matches: (request: WireRequest) => boolean; answer: Script };
  /** Statuses that make the provider sign in anew and ask once more: the send is written twice, and only the second can have an effect. */
  askedAgain?: readonly number[];
  /** Classes by HTTP status for answers without a code, where they differ from the general ones. */
  httpClasses?: Partial<Record<number, ErrorClass>>;
  /** Status words after the provider's documents: the whole table. */
  statuses: Record<string, MessageStatus | null>;
  /** Empty for a provider that never calls back. */
  callbacks: SampleCallback[];
  /** A status callback with any word; left out by a provider that reports no statuses. */
  statusCallback?(word: string): CallbackRequest;
}

/** The tests' time: a whole second, so that stamps in seconds are exact. */
export const SAMPLE_NOW = Date.UTC(2026, 10, 22, 8, 0, 0);

const HTTP_CLASSES: Record<number, ErrorClass> = {
  302: 'config',
  400: 'content_permanent',
  401: 'config',
  403: 'config',
  404: 'config',
  408: 'ambiguous',
  418: 'ambiguous',
  422: 'content_permanent',
  429: 'throttled',
  500: 'ambiguous',
  502: 'ambiguous',
  503: 'transient',
  504: 'ambiguous',
};

/** A context for the account; other accounts need another `configId`, as sessions are kept by it. */
export function contextFor(account: SampleAccount, over: Partial<GatewayContext> = {}): GatewayContext {
  return {
    clientId: 'demo_0123456789abcdef',
    configId: 'cfg_1',
    configVersion: 1,
    settings: account.settings,
    credentials: Object.fromEntries(
      Object.entries(account.credentials).map(([name, value]) => [name, new Secret(value)]),
    ),
    callbackUrl: (kind, id) => `https://um.example.com/webhook/x/${kind}/cfg_1${id ? `?message_id=${id}` : ''}`,
    callbackToken: new Secret('url-token'),
    signal: new AbortController().signal,
    timeoutMs: 3000,
    attempt: 1,
    ...over,
  };
}

export function secretsOf(account: SampleAccount, urlToken = 'url-token'): CallbackSecrets {
  return { credentials: contextFor(account).credentials, settings: account.settings, urlToken: new Secret(urlToken) };
}

/** What every provider with an HTTP API must do, from its definition and a table of samples. */
export function providerContract(samples: ProviderSamples): void {
  const { definition, accounts, message } = samples;
  const [account, other] = accounts;
  const clock = new ManualClock(SAMPLE_NOW);
  let server: ScriptedServer;
  let http: UndiciHttpClient;
  let gateway: Gateway;
  const others: ScriptedServer[] = [];

  beforeEach(async () => {
    server = await ScriptedServer.start(samples.accepted);
    if (samples.signIn) server.aside = { matches: samples.signIn.matches, script: samples.signIn.answer };
    http = new UndiciHttpClient();
    gateway = definition.create(gatewayDeps({ http, baseUrl: server.origin, clock }));
  });

  afterEach(async () => {
    await http.close();
    await Promise.all([server, ...others.splice(0)].map((one) => one.close()));
  });

  /** The other account is another config. */
  const contextOf = (tenant: SampleAccount, over: Partial<GatewayContext> = {}): GatewayContext =>
    contextFor(tenant, { ...(tenant === other && { configId: 'cfg_2' }), ...over });
  const markedAs = (mark: string): Partial<OutboundMessage> => samples.marked?.(mark) ?? { id: mark };
  const writtenFor = (status: number): number => (samples.askedAgain?.includes(status) ? 2 : 1);

  const failureOf = async (sending: Promise<SendResult>): Promise<GatewayError> => {
    const error: unknown = await sending.then(
      (result) => new Error(`accepted: ${JSON.stringify(result)}`),
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(GatewayError);
    return error as GatewayError;
  };
  const failedSend = (over: Partial<GatewayContext> = {}): Promise<GatewayError> =>
    failureOf(gateway.send(message, contextFor(account, over)));

  commonContract(samples);

  describe('send', () => {
    it.each(samples.sends)('writes exactly the documented bytes and reads the answer: $name', async (sample) => {
      server.fallback = sample.answer;
      const from: SampleAccount = {
        settings: sample.account?.settings ?? account.settings,
        credentials: { ...account.credentials, ...sample.account?.credentials },
      };
      await expect(gateway.send({ ...message, ...sample.message }, contextFor(from))).resolves.toEqual(sample.result);
      expect(server.requests.map((request) => Buffer.from(request.raw, 'latin1').toString('utf8'))).toEqual([
        sample.wire.replaceAll('\n', '\r\n').replaceAll('{port}', String(server.port)),
      ]);
    });

    it('keeps a path prefix of the base URL', async () => {
      await gateway.send(message, contextFor(account));
      const prefixed = definition.create(gatewayDeps({ http, baseUrl: `${server.origin}/some/prefix`, clock }));
      await prefixed.send(message, contextFor(account));
      expect(server.requests[1]!.target).toBe(`/some/prefix${server.requests[0]!.target}`);
    });

    it("never swaps two tenants' credentials", async () => {
      const seen = new Set<string>();
      server.fallback = (socket, request) => {
        seen.add(
          `${samples.credentialsOnWire(request)} ${/(msg_[a-b])\d+/.exec(decodeURIComponent(request.body))![1]}`,
        );
        samples.accepted(socket, request);
      };
      const sends = Array.from({ length: 60 }, (_, i) => {
        const [who, tenant] = i % 2 === 0 ? (['a', account] as const) : (['b', other] as const);
        return gateway.send({ ...message, ...markedAs(`msg_${who}${i}`) }, contextOf(tenant));
      });
      await Promise.all(sends);
      const wireOf = async (tenant: SampleAccount, who: string): Promise<string> => {
        const before = server.requests.length;
        await gateway.send({ ...message, ...markedAs(`msg_${who}99`) }, contextOf(tenant));
        return `${samples.credentialsOnWire(server.requests[before]!)} msg_${who}`;
      };
      expect([...seen].sort()).toEqual([await wireOf(account, 'a'), await wireOf(other, 'b')].sort());
      expect(new Set([...seen].map((entry) => entry.split(' ')[0])).size).toBe(2);
    });

    const said = Object.entries(definition.errors).filter(([code]) => samples.refusal(code) !== null);
    it.each(said.map(([code, row]) => [code, row.class, row] as const))('code %s is %s', async (code, _, row) => {
      server.fallback = samples.refusal(code)!;
      const error = await failedSend();
      expect(error).toMatchObject({
        class: row.class,
        code: row.code,
        providerCode: samples.providerCode?.(code) ?? code,
        scope: row.scope ?? 'account',
      });
      expect(error.retryAfterMs).toBe(row.class === 'throttled' ? row.retryAfterMs : undefined);
      expect(server.requests).toHaveLength(writtenFor(Number(/^http_(\d+)$/.exec(code)?.[1])));
    });

    const statuses = { ...HTTP_CLASSES, ...samples.httpClasses };
    it.each(
      Object.entries(statuses).flatMap(([status, name]) => [
        [status, 'an empty body', name, answer(Number(status))] as const,
        [status, 'HTML', name, answer(Number(status), '<html>Oops</html>', { 'content-type': 'text/html' })] as const,
      ]),
    )('HTTP %s with %s is %s', async (status, _, expected, script) => {
      server.fallback = script;
      expect(await failedSend()).toMatchObject({ class: expected, providerCode: `http_${status}` });
      expect(server.requests).toHaveLength(writtenFor(Number(status)));
    });

    it.each([
      ['empty', answer(200)],
      ['HTML', answer(200, '<html></html>')],
      ['half a JSON text', answer(201, '{"sid":"SM')],
      ['JSON of another kind', json(200, [])],
      ['an empty object', json(201, {})],
      ['null', json(200, null)],
      ['garbage', answer(200, '\u0000\u0001\ufffd')],
    ])('a success that is %s is ambiguous', async (_, script) => {
      server.fallback = script;
      expect(await failedSend()).toMatchObject({ class: 'ambiguous', code: 'unreadable_answer' });
    });

    it.each([
      ['seconds', '7', 7000],
      ['an HTTP date', new Date(SAMPLE_NOW + 90_000).toUTCString(), 90_000],
      ['a date that is over', new Date(SAMPLE_NOW - 90_000).toUTCString(), 0],
      ['more than a day', '999999999', 24 * 3600 * 1000],
    ])('429 waits as told by Retry-After: %s', async (_, header, expected) => {
      server.fallback = answer(429, '', { 'retry-after': header });
      expect(await failedSend()).toMatchObject({ class: 'throttled', retryAfterMs: expected });
    });

    it.each(['soon', '', '-5', '1e9'])(
      '429 with the unreadable Retry-After %p does not invent a pause',
      async (header) => {
        server.fallback = answer(429, '', { 'retry-after': header });
        expect((await failedSend()).retryAfterMs).toBeUndefined();
      },
    );

    it('a refused connection is transient', async () => {
      const nowhere = definition.create(gatewayDeps({ http, baseUrl: await closedOrigin(), clock }));
      expect(await failureOf(nowhere.send(message, contextFor(account)))).toMatchObject({
        class: 'transient',
        providerCode: 'connection_refused',
      });
    });

    it('a name that does not resolve is transient', async () => {
      const nowhere = definition.create(gatewayDeps({ http, baseUrl: 'http://no-such-host.invalid', clock }));
      expect(await failureOf(nowhere.send(message, contextFor(account)))).toMatchObject({
        class: 'transient',
        providerCode: 'dns',
      });
    });

    it('a connection that ends before the request is transient', async () => {
      // TLS, so that the handshake comes before the first byte of the request.
      const broken = await ScriptedServer.start();
      others.push(broken);
      const secure = definition.create(gatewayDeps({ http, baseUrl: broken.origin.replace('http:', 'https:'), clock }));
      const failed = failureOf(secure.send(message, contextFor(account, { timeoutMs: 200 })));
      expect(await failed).toMatchObject({ class: 'transient' });
      expect(broken.requests).toHaveLength(0);
    });

    it.each([
      ['a reset after the request', resetAfterRequest, 'reset'],
      ['a close after the request', closeAfterRequest, 'reset'],
      ['an answer that is cut short', truncated(201, '{"sid":'), 'protocol'],
    ])('%s is ambiguous', async (_, script, reason) => {
      server.fallback = script;
      expect(await failedSend()).toMatchObject({ class: 'ambiguous', code: 'no_answer', providerCode: reason });
      expect(server.requests).toHaveLength(1);
    });

    it('a time-out after the request is ambiguous', async () => {
      server.fallback = hang;
      expect(await failedSend({ timeoutMs: 80 })).toMatchObject({ class: 'ambiguous', providerCode: 'timeout' });
    });

    it('ends at once when the caller gives up, and is ambiguous then', async () => {
      server.fallback = hang;
      const controller = new AbortController();
      const failed = failedSend({ signal: controller.signal });
      await server.waitFor(1);
      controller.abort();
      expect(await failed).toMatchObject({ class: 'ambiguous', providerCode: 'aborted' });
    });

    it('keeps credentials out of errors, even when the provider echoes them', async () => {
      const secrets = Object.entries(definition.credentials)
        .filter(([, field]) => field.secret)
        .flatMap(([name]) => account.credentials[name] ?? []);
      const echo = `echo ${secrets.join(' ')}`;
      const scripts = [
        json(400, { message: echo, detail: echo, title: echo }),
        json(200, { messages: [{ status: '3', 'error-text': echo }] }),
        hang,
      ];
      for (const script of scripts) {
        server.fallback = script;
        const error = await failedSend({ timeoutMs: 100 });
        const shown = JSON.stringify({ ...error, message: error.message, cause: String(error.cause) });
        for (const secret of secrets) expect(shown).not.toContain(secret);
      }
    });
  });
}

/** The part of the samples that has nothing to do with how a provider is reached. */
export type CommonSamples = Pick<
  ProviderSamples,
  'definition' | 'accounts' | 'codes' | 'statuses' | 'callbacks' | 'statusCallback'
>;

/** What every provider must do, however it is reached. */
export function commonContract(samples: CommonSamples): void {
  const { definition, accounts } = samples;
  const [account, other] = accounts;

  describe('definition', () => {
    it('is complete and cannot be changed', () => {
      expect(definition.key).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(definition.slug).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(Object.isFrozen(definition)).toBe(true);
      const urls = [definition.baseUrl, ...Object.values(definition.furtherUrls ?? {})].filter((url) => url !== null);
      for (const url of urls) {
        expect(new URL(url.default).origin).toBe(url.default);
        expect(url.env).toMatch(/^[A-Z0-9_]+_BASE_URL$/);
      }
      expect(definition.limits.timeoutMs).toBeGreaterThan(0);
    });

    it('takes the sample settings, refuses an unknown one and describes each', () => {
      expect(definition.settings.safeParse(account.settings).success).toBe(true);
      expect(definition.settings.safeParse({ ...account.settings, no_such_setting: 1 }).success).toBe(false);
      for (const [name, schema] of Object.entries(definition.settings.shape)) {
        expect([name, (schema as { meta(): unknown }).meta()]).toEqual([
          name,
          expect.objectContaining({ description: expect.stringMatching(/\.$/), example: expect.anything() }),
        ]);
      }
    });

    it('has credentials with examples that fit, one of which tells the account', () => {
      const fields = Object.entries(definition.credentials);
      expect(fields.filter(([, field]) => field.identifiesAccount).length).toBeLessThanOrEqual(1);
      for (const [name, field] of fields) {
        expect([name, field.description.length > 0]).toEqual([name, true]);
        if (field.pattern) expect(field.example).toMatch(field.pattern);
      }
    });

    it('maps exactly the documented status words', () => {
      expect(definition.statuses).toEqual(samples.statuses);
      for (const status of Object.values(definition.statuses)) expect([null, ...MESSAGE_STATUSES]).toContain(status);
    });

    it('has exactly the documented error codes, each in its class', () => {
      const byClass = Object.fromEntries(ERROR_CLASSES.map((name) => [name, [] as string[]]));
      for (const [code, row] of Object.entries(definition.errors)) {
        byClass[row.class]!.push(code);
        expect(row.code).toMatch(/^[a-z][a-z_]+$/);
        expect(row.title).not.toBe('');
      }
      const sorted = (table: Record<string, string[]>): Record<string, string[]> =>
        Object.fromEntries(Object.entries(table).map(([name, codes]) => [name, [...codes].sort()]));
      expect(sorted(byClass)).toEqual(sorted(samples.codes));
    });
  });

  describe('callbacks', () => {
    const samplesOf = samples.callbacks.map((sample) => [sample.name, sample] as const);
    const accountOf = (sample: SampleCallback): SampleAccount => ({
      settings: sample.account?.settings ?? account.settings,
      credentials: { ...account.credentials, ...sample.account?.credentials },
    });
    const definitionOf = (sample: SampleCallback) => definition.callbacks[sample.kind]!;
    const verify = (
      sample: SampleCallback,
      request: CallbackRequest,
      who = accountOf(sample),
      now = SAMPLE_NOW,
    ): void => definitionOf(sample).verify(request, secretsOf(who), now);

    it('has samples of every kind', () => {
      expect(new Set(samples.callbacks.map((sample) => sample.kind))).toEqual(
        new Set(Object.keys(definition.callbacks)),
      );
    });

    // A provider that never calls back has nothing to prove or read.
    if (samples.callbacks.length === 0) return;

    it.each(samplesOf)('verifies and reads: %s', (_, sample) => {
      const request = sample.request(accountOf(sample), SAMPLE_NOW);
      verify(sample, request);
      expect(definitionOf(sample).parse(request)).toEqual(sample.events);
    });

    it.each(samplesOf)('gives equal event ids for the same fact: %s', (_, sample) => {
      const ids = [SAMPLE_NOW, SAMPLE_NOW + 60_000].map((now) =>
        definitionOf(sample)
          .parse(sample.request(accountOf(sample), now))
          .map((event) => event.eventId),
      );
      expect(ids[0]).toEqual(ids[1]);
      expect(new Set(ids[0]).size).toBe(sample.events.length);
    });

    it.each(samplesOf)('refuses any changed byte: %s', (_, sample) => {
      const request = sample.request(accountOf(sample), SAMPLE_NOW);
      if (definitionOf(sample).authentication === 'url_token') {
        // The body is not proved by anything; all the more must the token be.
        const token = request.query.get('token')!;
        const wrong = [...token].map(
          (char, at) => `${token.slice(0, at)}${char === 'x' ? 'y' : 'x'}${token.slice(at + 1)}`,
        );
        for (const value of [...wrong, '', token.slice(0, -1), `${token}x`, token.toUpperCase()])
          expect(() => verify(sample, withQuery(request, 'token', value))).toThrow(InvalidSignature);
        expect(() => verify(sample, withoutToken(request))).toThrow(InvalidSignature);
        return;
      }
      if (definitionOf(sample).authentication === 'secret_header') {
        // As with the token: the header proves who sends, and nothing proves the body.
        const proof = request.headers[sample.proofHeader!]!;
        for (let at = 0; at < proof.length; at++) {
          const value = `${proof.slice(0, at)}${proof[at] === 'x' ? 'y' : 'x'}${proof.slice(at + 1)}`;
          const headers = { ...request.headers, [sample.proofHeader!]: value };
          expect(() => verify(sample, { ...request, headers })).toThrow(InvalidSignature);
        }
        return;
      }
      if (sample.signsNoBody) verify(sample, request);
      for (let at = 0; at < request.rawBody.length; at++) {
        const rawBody = Buffer.from(request.rawBody);
        // A letter that is no hexadecimal digit, so that the change is never one that means the same.
        rawBody[at] = rawBody[at] === 0x78 ? 0x79 : 0x78;
        expect(() => verify(sample, { ...request, rawBody })).toThrow(InvalidSignature);
      }
      if (request.method === 'GET') {
        for (const [name, value] of request.query) {
          if (name === 'message_id') continue;
          expect(() => verify(sample, withQuery(request, name, `${value}x`))).toThrow(InvalidSignature);
        }
      }
    });

    it.each(samplesOf)("refuses another account's secret: %s", (_, sample) => {
      const request = sample.request(accountOf(sample), SAMPLE_NOW);
      const stranger: SampleAccount = { settings: other.settings, credentials: { ...other.credentials } };
      for (const name of Object.keys(sample.account?.credentials ?? {})) {
        if (definition.credentials[name]?.secret === false)
          stranger.credentials[name] = sample.account!.credentials![name]!;
      }
      expect(() => definitionOf(sample).verify(request, secretsOf(stranger, 'another-token'), SAMPLE_NOW)).toThrow(
        InvalidSignature,
      );
    });

    it.each(samplesOf)('refuses a config without secrets: %s', (_, sample) => {
      const request = sample.request(accountOf(sample), SAMPLE_NOW);
      const nothing = { credentials: {}, settings: account.settings, urlToken: new Secret('another-token') };
      expect(() => definitionOf(sample).verify(request, nothing, SAMPLE_NOW)).toThrow(InvalidSignature);
    });

    it.each(samplesOf)('says the same in pieces as in one, each with less to keep: %s', (_, sample) => {
      const request = sample.request(accountOf(sample), SAMPLE_NOW);
      const { pieces, parse } = definitionOf(sample);
      const taken = [...(pieces?.(request) ?? [request])];
      expect(taken.flatMap((piece) => parse(piece, accountOf(sample).settings))).toEqual(sample.events);
      if (taken.length > 1)
        for (const { rawBody } of taken) expect(rawBody.length).toBeLessThan(request.rawBody.length);
    });

    const proved = samplesOf.filter(([, sample]) => sample.proofHeader);
    if (proved.length > 0)
      it.each(proved)('refuses a missing, empty or broken header: %s', (_, sample) => {
        const request = sample.request(accountOf(sample), SAMPLE_NOW);
        const proof = request.headers[sample.proofHeader!]!;
        for (const value of [undefined, '', 'x', proof.slice(0, -4), `${proof}x`, proof.toUpperCase()]) {
          const headers = { ...request.headers, [sample.proofHeader!]: value };
          expect(() => verify(sample, { ...request, headers })).toThrow(InvalidSignature);
        }
      });

    const timed = samplesOf.filter(([, sample]) => sample.timed);
    if (timed.length > 0)
      it.each(timed)('refuses an old and a future time stamp: %s', (_, sample) => {
        const at = (age: number): CallbackRequest => sample.request(accountOf(sample), SAMPLE_NOW - age);
        verify(sample, at(3600 * 1000));
        expect(() => verify(sample, at(73 * 3600 * 1000))).toThrow(InvalidSignature);
        expect(() => verify(sample, at(-3600 * 1000))).toThrow(InvalidSignature);
      });

    it.each(
      samples.callbacks.flatMap((sample) =>
        Object.entries(sample.forged ?? {}).map(([what, forge]) => [what, sample, forge] as const),
      ),
    )('refuses %s', (_, sample, forge) => {
      expect(() => verify(sample, forge(sample.request(accountOf(sample), SAMPLE_NOW)))).toThrow(InvalidSignature);
    });

    it.each(samplesOf)('finds account and message without proof, and survives nonsense: %s', (_, sample) => {
      const request = sample.request(accountOf(sample), SAMPLE_NOW);
      const identity = Object.entries(definition.credentials).find(([, field]) => field.identifiesAccount)?.[0];
      const located = definitionOf(sample).locate(request);
      if (identity && located.account !== undefined)
        expect(located.account).toBe(accountOf(sample).credentials[identity]);
      const ids = sample.events.flatMap(({ externalId }) => externalId ?? []);
      // Also the other ways in which the provider may have written them.
      const forms = sample.events.flatMap(({ idForms }) => idForms ?? []);
      expect(new Set(located.externalIds)).toEqual(new Set([...ids, ...forms]));
      for (const body of ['', '%', '{', 'null', '[1]', '\u0000', '{"a":{"b":1}}', 'a=%ff&a=%', '&&==', '"x"']) {
        const publicUrl = request.publicUrl.replace(/\?.*/, '');
        const nonsense = { ...request, publicUrl, query: new URLSearchParams(), rawBody: Buffer.from(body) };
        expect(() => definitionOf(sample).locate(nonsense)).not.toThrow();
        if (definitionOf(sample).authentication !== 'secret_header')
          expect(() => verify(sample, nonsense)).toThrow(InvalidSignature);
        expect(() => definitionOf(sample).parse(nonsense)).toThrow(Error);
      }
    });

    const { statusCallback } = samples;
    if (statusCallback === undefined) {
      it('reports no statuses', () =>
        expect([definition.capabilities.status, definition.statuses]).toEqual(['none', {}]));
      return;
    }

    it.each(Object.entries(samples.statuses))('the word %s means %s', (word, status) => {
      const [event] = definition.callbacks.status!.parse(statusCallback(word));
      expect(event).toMatchObject(
        status === null ? { kind: 'ignored', rawWord: word } : { kind: 'status', status, rawWord: word },
      );
    });

    it.each(['teleported', 'constructor', '__proto__', 'toString'])(
      'the invented word %s is kept as unmapped',
      (word) => {
        const [event] = definition.callbacks.status!.parse(statusCallback(word));
        expect(event).toMatchObject({
          kind: 'status',
          status: null,
          rawWord: word.toLowerCase() === word ? word : expect.any(String),
        });
      },
    );
  });

  it('is registered by one line', () => {
    const list = readFileSync(
      `${__dirname}/../../src/channels/${definition.channel}/${definition.channel}.providers.ts`,
      'utf8',
    );
    const name = definition.key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    expect(list).toMatch(new RegExp(`from '\\./providers/[a-z-]+\\.provider'`));
    expect(list.match(new RegExp(`\\b${name}\\b`, 'g'))!.length).toBeGreaterThanOrEqual(2);
  });
}

function withQuery(request: CallbackRequest, name: string, value: string): CallbackRequest {
  const query = new URLSearchParams(request.query);
  query.set(name, value);
  return { ...request, query, publicUrl: `${request.publicUrl.replace(/\?.*/, '')}?${query}` };
}

function withoutToken(request: CallbackRequest): CallbackRequest {
  const query = new URLSearchParams(request.query);
  query.delete('token');
  return { ...request, query, publicUrl: `${request.publicUrl.replace(/\?.*/, '')}?${query}` };
}
