import fc from 'fast-check';
import { ReadyLists } from './ready-lists';

const open = () => true;
const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

describe('ReadyLists', () => {
  it('takes tenants in turn, so one with many messages does not hold up another', () => {
    const lists = new ReadyLists(20_000);
    lists.add('big', 'lane', 1, ids('b', 10_000));
    lists.add('small', 'lane2', 1, ['s0']);
    expect(lists.take(4, open).map((message) => message.id)).toEqual(['b0', 's0', 'b1', 'b2']);
  });

  it('takes high before normal before bulk inside a tenant, and keeps the order in a list', () => {
    const lists = new ReadyLists(10);
    lists.add('t', 'lane', 2, ['bulk']);
    lists.add('t', 'lane', 1, ['n0', 'n1']);
    lists.add('t', 'lane', 0, ['high']);
    expect(lists.take(10, open).map((message) => message.id)).toEqual(['high', 'n0', 'n1', 'bulk']);
  });

  it('leaves a closed lane alone and goes on with the others', () => {
    const lists = new ReadyLists(10);
    lists.add('t', 'closed', 0, ['c']);
    lists.add('t', 'open', 2, ['o']);
    const taken = lists.take(10, (_, lane) => lane === 'open');
    expect(taken.map((message) => message.id)).toEqual(['o']);
    expect(lists.take(10, open).map((message) => message.id)).toEqual(['c']);
  });

  it('asks the gate once for each message that it hands out', () => {
    const lists = new ReadyLists(10);
    lists.add('t', 'lane', 1, ids('m', 5));
    let asked = 0;
    lists.take(3, () => ++asked > 0);
    expect(asked).toBe(3);
  });

  it('stays bounded and says where there is more once a list runs low', () => {
    const lists = new ReadyLists(4);
    expect(lists.add('t', 'lane', 1, ids('m', 6))).toBe(4);
    expect(lists.wantsMore()).toBe(false);
    lists.take(2, open);
    expect(lists.wantsMore()).toBe(true);
    expect(lists.takeOverflowed()).toEqual([{ clientId: 't', lane: 'lane', priority: 1 }]);
    expect(lists.takeOverflowed()).toEqual([]);
  });

  it('does not list an id twice while it is listed or handed out', () => {
    const lists = new ReadyLists(10);
    lists.add('t', 'lane', 1, ['a']);
    expect(lists.add('t', 'lane', 1, ['a'])).toBe(0);
    lists.take(1, open);
    expect(lists.add('t', 'other', 0, ['a'])).toBe(0);
    lists.forget('a');
    expect(lists.add('t', 'lane', 1, ['a'])).toBe(1);
  });

  it('hands out every id exactly once, whatever comes in which order', () => {
    const group = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      lane: fc.constantFrom('x', 'y'),
      priority: fc.integer({ min: 0, max: 2 }),
      count: fc.integer({ min: 0, max: 700 }),
    });
    fc.assert(
      fc.property(fc.array(group, { maxLength: 8 }), fc.integer({ min: 1, max: 300 }), (groups, step) => {
        const lists = new ReadyLists(100_000);
        const expected: string[] = [];
        groups.forEach((entry, index) => {
          const added = ids(`${index}-`, entry.count);
          expected.push(...added);
          lists.add(entry.client, `${entry.client}-${entry.lane}`, entry.priority, added);
        });
        const taken: string[] = [];
        for (;;) {
          const batch = lists.take(step, open);
          if (batch.length === 0) break;
          taken.push(...batch.map((message) => message.id));
        }
        expect(taken.sort()).toEqual(expected.sort());
      }),
      { numRuns: 50 },
    );
  });
});
