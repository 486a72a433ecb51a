import { EventEmitter, once } from 'node:events';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { ChangeFeed } from './change-feed';

/** Two processes' feeds on one database; `seen` emits `changed` and `everything`. */
describe('ChangeFeed', () => {
  let test: TestDatabase;
  let near: ChangeFeed;
  let far: ChangeFeed;
  let seen: EventEmitter;
  let changes: string[];

  beforeEach(async () => {
    test = await createTestDatabase();
    near = new ChangeFeed(test.url);
    far = new ChangeFeed(test.url);
    seen = new EventEmitter();
    changes = [];
    far.on(
      'tenant',
      (id) => {
        changes.push(id);
        seen.emit('changed', id);
      },
      () => seen.emit('everything'),
    );
    const connected = once(seen, 'everything');
    near.onModuleInit();
    far.onModuleInit();
    await connected;
  });

  afterEach(async () => {
    await near.onApplicationShutdown();
    await far.onApplicationShutdown();
    await test.drop();
  });

  it('tells another process of a committed change, by topic', async () => {
    const changed = once(seen, 'changed');
    await test.database.transaction(async (tx) => {
      await near.publish(tx, 'gateways', 'other_topic');
      await near.publish(tx, 'tenant', 'acme_1:with:colons');
    });
    expect(await changed).toEqual(['acme_1:with:colons']);
    expect(changes).toEqual(['acme_1:with:colons']);
  });

  it('tells nothing of a change that was rolled back, or before its commit', async () => {
    const failed = test.database.transaction(async (tx) => {
      await near.publish(tx, 'tenant', 'rolled_back');
      throw new Error('stop');
    });
    await expect(failed).rejects.toThrow('stop');
    const changed = once(seen, 'changed');
    await test.database.transaction(async (tx) => {
      await near.publish(tx, 'tenant', 'committed');
      expect(changes).toEqual([]);
    });
    await changed;
    expect(changes).toEqual(['committed']);
  });

  it('comes back by itself after its connection was cut, and says that everything may have changed', async () => {
    const again = once(seen, 'everything');
    const cut = await test.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'unimsg-changes' AND datname = current_database()`,
    );
    expect(cut.length).toBeGreaterThanOrEqual(1);
    await again;
    const changed = once(seen, 'changed');
    await test.database.transaction((tx) => near.publish(tx, 'tenant', 'after'));
    expect(await changed).toEqual(['after']);
  });

  it('leaves no connection behind when it is closed, also while it connects', async () => {
    const third = new ChangeFeed(test.url);
    third.onModuleInit();
    await third.onApplicationShutdown();
    await far.onApplicationShutdown();
    await near.onApplicationShutdown();
    // A backend leaves the list a moment after its client said goodbye, so the server is asked until it is gone.
    for (;;) {
      const open = await test.database.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'unimsg-changes' AND datname = current_database()`,
      );
      if (open.length === 0) break;
    }
    await test.database.transaction((tx) => near.publish(tx, 'tenant', 'nobody'));
    expect(changes).toEqual([]);
  });

  it('stops telling a listener that left', async () => {
    const ids: string[] = [];
    const stop = far.on(
      'tenant',
      (id) => ids.push(id),
      () => {},
    );
    stop();
    const changed = once(seen, 'changed');
    await test.database.transaction((tx) => near.publish(tx, 'tenant', 'x'));
    await changed;
    expect(ids).toEqual([]);
  });
});
