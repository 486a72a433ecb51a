import fc from 'fast-check';
import { fakeProvider } from '../../../test/factories/fake-provider';
import type { ConfigDirectory } from '../configs/config-directory';
import { CONFIG_STATUSES, type ProviderConfig } from '../configs/provider-config';
import { ManualClock } from '../../kernel/clock';
import { CircuitBreakers } from '../limits/circuit-breakers';
import { ProviderRegistry } from '../provider-registry';
import { Router } from '../router';
import type { RoutesByChannel } from './routes';
import { TenantGateways } from './tenant-gateways';

const NO_BUDGETS = { isEmpty: true, of: () => undefined };
const PROVIDERS = ['acme', 'bell', 'cord'];
const registry = new ProviderRegistry();
for (const key of PROVIDERS)
  registry.register(fakeProvider({ key, slug: key, aliases: key === 'acme' ? ['acme-old'] : [] }));
registry.register(fakeProvider({ key: 'mailer', slug: 'mailer', aliases: [], channel: 'email' }));

let sequence = 0;
function config(provider: string, more: Partial<ProviderConfig> = {}): ProviderConfig {
  return {
    id: `cfg_${String(++sequence).padStart(6, '0')}`,
    clientId: 'client',
    provider,
    channel: 'sms',
    displayName: '',
    quotas: null,
    status: 'active',
    settings: {},
    credentials: {},
    accountFingerprint: null,
    callbackTokenSealed: '',
    maxPerSecond: null,
    perSecond: null,
    version: 1,
    lastError: null,
    errorSince: null,
    errorVersion: null,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    activatedAt: null,
    countries: null,
    ...more,
  };
}

function routerOver(configs: ProviderConfig[], routes: RoutesByChannel) {
  const circuits = new CircuitBreakers(new ManualClock());
  const snapshot = new TenantGateways(registry, configs, routes);
  const directory = { snapshotSync: () => snapshot } as unknown as ConfigDirectory;
  const router = new Router(
    directory,
    circuits,
    { configUsedUp: () => undefined, enter: async () => true },
    NO_BUDGETS,
  );
  return {
    circuits,
    route: (to: string, provider?: string) => router.routeSync('client', { channel: 'sms', to, provider })!,
  };
}

const names = (route: { candidates: Array<{ gateway: string; reason: string }> }) =>
  route.candidates.map(({ gateway, reason }) => `${gateway} ${reason}`);
const skips = (route: { skipped: Array<{ gateway: string; reason: string; temporary: boolean }> }) =>
  route.skipped.map(({ gateway, reason, temporary }) => `${gateway} ${reason}${temporary ? ' for now' : ''}`);

describe('routing', () => {
  const three = () => PROVIDERS.map((provider) => config(provider));

  it('takes the longest prefix, then primary, then fallback, each once', () => {
    const { route } = routerOver(three(), {
      sms: {
        primary: 'acme',
        fallback: ['bell', 'cord', 'acme-old'],
        routing: { '+39': 'cord', '+3933': 'bell', '*': 'acme' },
      },
    });
    expect(names(route('+393331234567'))).toEqual(['bell routing[+3933]', 'acme primary', 'cord fallback[1]']);
    expect(names(route('+390612345678'))).toEqual(['cord routing[+39]', 'acme primary', 'bell fallback[0]']);
    expect(names(route('+46701234567'))).toEqual(['acme routing[*]', 'bell fallback[0]', 'cord fallback[1]']);
  });

  it('has no candidate without a document, and takes a forced provider all the same', () => {
    const { route } = routerOver(three(), {});
    expect(route('+46701234567')).toMatchObject({ candidates: [], skipped: [] });
    expect(names(route('+46701234567', 'acme-old'))).toEqual(['acme provider']);
  });

  it('uses a forced provider or config alone', () => {
    const configs = [...three(), config('acme')];
    const { route } = routerOver(configs, { sms: { primary: 'bell', fallback: ['cord'] } });
    expect(names(route('+46701234567', 'acme'))).toEqual(['acme provider']);
    expect(route('+46701234567', 'acme').candidates[0]!.configId).toBe(configs[0]!.id);
    expect(route('+46701234567', configs[3]!.id).candidates.map((one) => one.configId)).toEqual([configs[3]!.id]);
    expect(skips(route('+46701234567', 'nobody'))).toEqual(['nobody unknown_provider']);
    expect(skips(route('+46701234567', 'mailer'))).toEqual(['mailer unknown_provider']);
    expect(skips(route('+46701234567', 'cfg_nobody'))).toEqual(['cfg_nobody unknown_config']);
  });

  it.each([
    ['draft', 'acme config_draft'],
    ['paused', 'acme config_paused'],
    ['decommissioned', 'acme config_decommissioned'],
    ['error', 'acme config_error for now'],
  ] as const)('passes over a config that is %s', (status, expected) => {
    const { route } = routerOver([config('acme', { status }), config('bell')], {
      sms: { primary: 'acme', fallback: ['bell', 'cord'] },
    });
    expect(names(route('+46701234567'))).toEqual(['bell fallback[0]']);
    expect(skips(route('+46701234567'))).toEqual([expected, 'cord no_config']);
  });

  it("takes a provider's oldest active config", () => {
    const configs = [config('acme', { status: 'error' }), config('acme'), config('acme')];
    const { route } = routerOver(configs, { sms: { primary: 'acme', fallback: [configs[2]!.id] } });
    expect(route('+46701234567').candidates.map((one) => one.configId)).toEqual([configs[1]!.id, configs[2]!.id]);
  });

  it('passes over configs that do not serve the country', () => {
    const { route } = routerOver(
      [config('acme', { countries: new Set(['US']) }), config('bell', { countries: new Set(['SE', 'CA', 'KZ']) })],
      { sms: { primary: 'acme', fallback: ['bell'] } },
    );
    expect(names(route('+12025550123'))).toEqual(['acme primary']);
    expect(skips(route('+12025550123'))).toEqual(['bell country_not_supported']);
    expect(names(route('+14165550123'))).toEqual(['bell fallback[0]']);
    expect(names(route('+46701234567'))).toEqual(['bell fallback[0]']);
    expect(names(route('+77011234567'))).toEqual(['bell fallback[0]']);
    expect(names(route('+79161234567'))).toEqual([]);
    expect(names(route('+883510012345'))).toEqual([]);
  });

  it('passes over an open circuit for now', () => {
    const configs = three();
    const { route, circuits } = routerOver(configs, { sms: { primary: 'acme', fallback: ['bell'] } });
    for (let i = 0; i < 5; i++) circuits.failed(configs[0]!.id);
    expect(names(route('+46701234567'))).toEqual(['bell fallback[0]']);
    expect(skips(route('+46701234567'))).toEqual(['acme circuit_open for now']);
  });

  it("hands on the channel's policy for unknown outcomes", () => {
    expect(routerOver(three(), { sms: { primary: 'acme' } }).route('+46701234567')).toMatchObject({
      onAmbiguous: 'failover',
      reconcileSeconds: 10,
    });
    const held = { sms: { primary: 'acme', on_ambiguous: 'hold', reconcile_seconds: 0 } } satisfies RoutesByChannel;
    expect(routerOver(three(), held).route('+46701234567')).toMatchObject({ onAmbiguous: 'hold', reconcileSeconds: 0 });
  });

  describe('for any document and any configs', () => {
    const target = fc.constantFrom(...PROVIDERS, 'acme-old', 'nobody');
    const prefix = fc.oneof(
      fc.constant('*'),
      fc
        .array(fc.constantFrom('1', '3', '4', '9'), { minLength: 1, maxLength: 4 })
        .map((digits) => `+${digits.join('')}`),
    );
    const scene = fc.record({
      configs: fc.array(
        fc.record({ provider: fc.constantFrom(...PROVIDERS), status: fc.constantFrom(...CONFIG_STATUSES) }),
        { maxLength: 6 },
      ),
      primary: target,
      fallback: fc.array(target, { maxLength: 4 }),
      routing: fc.dictionary(prefix, target, { maxKeys: 6 }),
      to: fc
        .array(fc.constantFrom('1', '3', '4', '9'), { minLength: 7, maxLength: 12 })
        .map((digits) => `+${digits.join('')}`),
      open: fc.constantFrom(...PROVIDERS, 'none'),
    });

    it('each gateway is named once, in the order of the rules, and exactly the usable ones are candidates', () => {
      fc.assert(
        fc.property(scene, ({ configs: given, primary, fallback, routing, to, open }) => {
          const configs = given.map((one) => config(one.provider, { status: one.status }));
          const { route, circuits } = routerOver(configs, { sms: { primary, fallback, routing } });
          const opened = configs.find((one) => one.provider === open && one.status === 'active');
          if (opened) for (let i = 0; i < 5; i++) circuits.failed(opened.id);
          const found = route(to);

          // Worked out again, the plain way.
          const prefixes = Object.keys(routing).filter((one) => one !== '*' && to.startsWith(one));
          const longest = prefixes.sort((a, b) => b.length - a.length)[0] ?? (Object.hasOwn(routing, '*') ? '*' : '');
          const targets = [...(longest === '' ? [] : [routing[longest]!]), primary, ...fallback];
          const providers = [...new Set(targets.map((one) => (one === 'acme-old' ? 'acme' : one)))];
          const active = (provider: string) =>
            configs.find((one) => one.provider === provider && one.status === 'active');
          const usable = providers.filter((one) => active(one) && active(one) !== opened);
          expect(found.candidates.map((one) => one.gateway)).toEqual(usable);
          expect(found.candidates.map((one) => one.configId)).toEqual(usable.map((one) => active(one)!.id));
          expect(found.skipped.map((one) => one.gateway)).toEqual(providers.filter((one) => !usable.includes(one)));
          // The same question has the same answer.
          expect(route(to)).toEqual(found);
        }),
        { numRuns: 500 },
      );
    });
  });

  it('costs at most some microseconds a message', () => {
    const configs = [...three().map((one) => ({ ...one, countries: new Set(['SE', 'US', 'IT']) })), ...three()];
    const routing = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`+${i + 100}`, 'bell']));
    const { route } = routerOver(configs, { sms: { primary: 'acme', fallback: ['bell', 'cord'], routing } });
    const recipients = Array.from({ length: 1000 }, (_, i) => `+4670${String(i).padStart(7, '0')}`);
    const round = (): number => {
      const from = performance.now();
      for (const to of recipients) route(to);
      return ((performance.now() - from) / recipients.length) * 1000;
    };
    round();
    const best = Math.min(...Array.from({ length: 20 }, round));
    expect(best).toBeLessThan(5);
  });
});
