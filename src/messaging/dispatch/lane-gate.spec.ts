import { ManualClock } from '../../kernel/clock';
import type { ConfigDirectory } from '../../gateway/configs/config-directory';
import { LocalRates } from '../../gateway/limits/gateway-rates';
import type { ProviderRegistry } from '../../gateway/provider-registry';
import { LaneOwnership } from '../../gateway/sessions/lane-ownership';
import { LaneGate } from './lane-gate';

describe('LaneGate', () => {
  function gate(perSecond: number | null = 1) {
    const clock = new ManualClock(1_000_000);
    const rates = new LocalRates(clock);
    const config = { id: 'cfg_a', provider: 'x', perSecond };
    const directory = { snapshotSync: () => ({ config: () => config }) } as unknown as ConfigDirectory;
    const registry = { require: () => ({ limits: { window: 2 } }) } as unknown as ProviderRegistry;
    return { clock, rates, gate: new LaneGate(directory, rates, registry, new LaneOwnership(registry), clock) };
  }

  it('closes a lane for its rate, and opens it in time', () => {
    const { clock, gate: lanes } = gate();
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
    lanes.leave('cfg_a', { unused: false });
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
    expect(lanes.opensIn()).toBe(1_000);
    clock.advance(1_000);
    // Open by now, whether anybody comes or not: waiting for it would be a timer without end.
    expect(lanes.opensIn()).toBeUndefined();
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
  });

  it('takes messages of a lane with a session only while this process holds it, and lets those of a paused config go on', () => {
    const clock = new ManualClock(1_000_000);
    const config = { id: 'cfg_a', provider: 'x', perSecond: null, status: 'active', settings: { room: 3 } };
    const directory = { snapshotSync: () => ({ config: () => config }) } as unknown as ConfigDirectory;
    const limits = { window: 2, windowSetting: 'room' };
    const registry = { require: () => ({ limits, session: {} }) } as unknown as ProviderRegistry;
    const ownership = new LaneOwnership(registry);
    const lanes = new LaneGate(directory, new LocalRates(clock), registry, ownership, clock);
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
    ownership.hold('cfg_a', performance.now() - 1);
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
    ownership.hold('cfg_a', performance.now() + 60_000);
    // The config's own window, not the provider's.
    expect([1, 2, 3, 4].map(() => lanes.enter('t', 'cfg_a'))).toEqual([true, true, true, false]);
    lanes.leave('cfg_a', { unused: false });
    ownership.drop('cfg_a');
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
    config.status = 'paused';
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
  });

  it('lets another through in place of one that made no call', () => {
    const { gate: lanes } = gate();
    for (let i = 0; i < 5; i++) {
      expect(lanes.enter('t', 'cfg_a')).toBe(true);
      expect(lanes.enter('t', 'cfg_a')).toBe(false);
      lanes.leave('cfg_a', { unused: true });
    }
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
  });

  it('takes and gives no token in a long pause, which is not waited for', () => {
    const { clock, rates, gate: lanes } = gate();
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
    rates.pause('cfg_a', clock.now() + 60_000);
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
    lanes.leave('cfg_a', { unused: true });
    lanes.leave('cfg_a', { unused: false });
    clock.advance(60_000 - 5_000);
    expect(lanes.enter('t', 'cfg_a')).toBe(false);
    expect(lanes.isClosed('cfg_a')).toBe(true);
  });

  it('keeps to the window of calls under way', () => {
    const { gate: lanes } = gate(null);
    expect([1, 2, 3].map(() => lanes.enter('t', 'cfg_a'))).toEqual([true, true, false]);
    lanes.leave('cfg_a', { unused: false });
    expect(lanes.enter('t', 'cfg_a')).toBe(true);
  });
});
