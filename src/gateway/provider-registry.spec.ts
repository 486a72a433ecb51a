import { fakeAccount, fakeProvider } from '../../test/factories/fake-provider';
import type { HttpClient } from '../platform/http-client/http-client';
import { GatewayFactory } from './gateway-factory';
import { ProviderRegistry } from './provider-registry';
import { SimulatorAddress } from './simulator-address';
import { SsrfGuard } from '../platform/http-client/ssrf-guard';

const http = {} as HttpClient;

describe('ProviderRegistry', () => {
  it('finds a provider by key, slug and alias, in its channel only', () => {
    const registry = new ProviderRegistry();
    const acme = fakeProvider({ key: 'acme_sms', slug: 'acme', aliases: ['old'] });
    registry.register(acme);
    for (const name of ['acme_sms', 'acme', 'old']) {
      expect(registry.find(name)).toBe(acme);
      expect(registry.find(name, 'sms')).toBe(acme);
      expect(registry.find(name, 'email')).toBeUndefined();
    }
    expect(registry.get('acme')).toBeUndefined();
    expect(registry.find('constructor')).toBeUndefined();
    expect(registry.inChannel('sms')).toEqual([acme]);
    expect(registry.inChannel('email')).toEqual([]);
    expect(() => registry.require('bell')).toThrow('no provider "bell"');
  });

  it('refuses a name that is taken', () => {
    const registry = new ProviderRegistry();
    registry.register(fakeProvider());
    expect(() => registry.register(fakeProvider({ key: 'bell', slug: 'acme-old', aliases: [] }))).toThrow(
      'the provider name "acme-old" is used by both acme and bell',
    );
  });
});

describe('GatewayFactory', () => {
  const factory = (overrides: Record<string, string>, simulator: SimulatorAddress) => {
    const account = fakeAccount();
    const registry = new ProviderRegistry();
    registry.register(fakeProvider({}, account));
    const gateways = new GatewayFactory(registry, { http, guard: new SsrfGuard([]) }, overrides, simulator);
    return { gateways, account };
  };

  it('takes the operator’s address, else the simulator’s, else the provider’s', () => {
    const on = new SimulatorAddress(true);
    on.listening((provider) => `http://127.0.0.1:9/${provider}`);
    const operator = { TWILIO_BASE_URL: 'http://proxy.example/twilio' };
    for (const [overrides, simulator, expected] of [
      [operator, on, 'http://proxy.example/twilio'],
      [{}, on, 'http://127.0.0.1:9/acme'],
      [{}, new SimulatorAddress(false), 'https://api.acme.example'],
    ] as const) {
      const { gateways, account } = factory(overrides, simulator);
      gateways.create('sms', 'acme');
      expect(account.made[0]!.baseUrl).toBe(expected);
    }
  });

  it('never falls back to the real provider while the simulator is not up yet', () => {
    const simulator = new SimulatorAddress(true);
    const { gateways, account } = factory({}, simulator);
    gateways.create('sms', 'acme');
    expect(() => account.made[0]!.baseUrl).toThrow('not known yet');
    simulator.listening(() => 'http://127.0.0.1:9');
    expect(account.made[0]!.baseUrl).toBe('http://127.0.0.1:9');
  });

  it('makes one instance for all names of a provider', () => {
    const { gateways, account } = factory({}, new SimulatorAddress(false));
    expect(gateways.create('sms', 'acme')).toBe(gateways.create('sms', 'acme-old'));
    expect(account.made).toHaveLength(1);
    expect(() => gateways.create('email', 'acme')).toThrow('the channel email has no provider "acme"');
    expect(() => gateways.create('sms', 'bell')).toThrow('no provider "bell"');
  });
});
