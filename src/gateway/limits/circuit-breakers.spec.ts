import { ManualClock } from '../../kernel/clock';
import { CircuitBreakers } from './circuit-breakers';

describe('CircuitBreakers', () => {
  const make = (random = 0) => {
    const clock = new ManualClock();
    return { clock, circuits: new CircuitBreakers(clock, {}, () => random) };
  };
  const fail = (circuits: CircuitBreakers, times: number) => {
    for (let i = 0; i < times; i++) circuits.failed('cfg');
  };

  it('opens after five failures in a row, for this config only', () => {
    const { circuits } = make();
    fail(circuits, 4);
    expect(circuits.state('cfg')).toBe('closed');
    expect(circuits.canTry('cfg')).toBe(true);
    fail(circuits, 1);
    expect(circuits.state('cfg')).toBe('open');
    expect(circuits.canTry('cfg')).toBe(false);
    expect(circuits.tryProbe('cfg')).toBe(false);
    expect(circuits.canTry('other')).toBe(true);
    expect(circuits.notClosed()).toEqual(['cfg']);
  });

  it('a success between starts the row anew', () => {
    const { circuits } = make();
    for (let i = 0; i < 4; i++) {
      fail(circuits, 4);
      for (let j = 0; j < 8; j++) circuits.succeeded('cfg');
    }
    expect(circuits.state('cfg')).toBe('closed');
  });

  it('opens when half of the last calls fail, though never five in a row', () => {
    const { circuits } = make();
    for (let i = 0; i < 9; i++) {
      fail(circuits, 1);
      circuits.succeeded('cfg');
    }
    expect(circuits.state('cfg')).toBe('closed');
    fail(circuits, 2);
    expect(circuits.state('cfg')).toBe('open');
  });

  it('forgets failures of long ago', () => {
    const { circuits, clock } = make();
    for (let i = 0; i < 9; i++) {
      fail(circuits, 1);
      circuits.succeeded('cfg');
    }
    clock.advance(20_000);
    fail(circuits, 2);
    expect(circuits.state('cfg')).toBe('closed');
  });

  it('lets one probe through when its time is over, and closes on its success', () => {
    const { circuits, clock } = make();
    const changes: string[] = [];
    circuits.onChange((id) => changes.push(`${id} ${circuits.state(id)}`));
    fail(circuits, 5);
    expect(circuits.openUntil('cfg')).toBe(clock.now() + 10_000);
    clock.advance(9_999);
    expect(circuits.canTry('cfg')).toBe(false);
    clock.advance(1);
    expect(circuits.state('cfg')).toBe('half_open');
    expect(circuits.canTry('cfg')).toBe(true);
    expect(circuits.tryProbe('cfg')).toBe(true);
    expect(circuits.canTry('cfg')).toBe(false);
    expect(circuits.tryProbe('cfg')).toBe(false);
    circuits.succeeded('cfg');
    expect(circuits.state('cfg')).toBe('closed');
    expect(circuits.openUntil('cfg')).toBe(0);
    expect(changes).toEqual(['cfg open', 'cfg closed']);
  });

  it('stays open for twice as long each time that the probe fails, up to half a minute', () => {
    const { circuits, clock } = make(1);
    fail(circuits, 5);
    const spans: number[] = [];
    for (let i = 0; i < 7; i++) {
      spans.push(circuits.openUntil('cfg') - clock.now());
      clock.set(circuits.openUntil('cfg'));
      expect(circuits.tryProbe('cfg')).toBe(true);
      fail(circuits, 1);
    }
    expect(spans).toEqual([12_000, 24_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it('does not believe calls that began before it opened', () => {
    const { circuits } = make();
    fail(circuits, 5);
    const until = circuits.openUntil('cfg');
    circuits.succeeded('cfg');
    fail(circuits, 5);
    expect(circuits.state('cfg')).toBe('open');
    expect(circuits.openUntil('cfg')).toBe(until);
  });

  it("gives a probe's place to another when it is released, or when it never comes back", () => {
    const { circuits, clock } = make();
    fail(circuits, 5);
    clock.advance(10_000);
    expect(circuits.tryProbe('cfg')).toBe(true);
    circuits.released('cfg');
    expect(circuits.tryProbe('cfg')).toBe(true);
    clock.advance(59_999);
    expect(circuits.tryProbe('cfg')).toBe(false);
    clock.advance(1);
    expect(circuits.tryProbe('cfg')).toBe(true);
  });
});
