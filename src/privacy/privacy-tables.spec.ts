import { createTestDatabase, type TestDatabase } from '../../test/support/test-database';

/** Tables whose rows may name a person, and are gone through by an erasure (`eraser.ts`). */
const ERASED = [
  'alerts',
  'events',
  'external_ids',
  'inbound_deliveries',
  'inbound_messages',
  'inbound_parts',
  'message_fallbacks',
  'messages',
  'notification_items',
  'notification_recipients',
  'provider_events',
  'suppressions',
  'webhook_deliveries',
];

/** Tables with nothing of a recipient in them, and why. */
const NOTHING_PERSONAL: Readonly<Record<string, string>> = {
  alert_mails: 'the addresses of the tenant’s own people',
  alert_watches: 'places in other tables',
  api_keys: 'the tenant’s own',
  audit_entries: 'names of fields, never values',
  erasures: 'a hash, and the address sealed while it is needed',
  gateway_budgets: 'figures',
  gateway_outcomes: 'figures',
  gateway_routes: 'the tenant’s own',
  gateway_sessions: 'accounts',
  gateway_states: 'accounts',
  idempotency_keys: 'the client’s own keys, which must be known again while they count (a day), and a hash of the body',
  message_queue: 'ids',
  migrations: 'no tenant’s',
  notifications: 'the tenant’s own',
  number_receivers: 'the tenant’s own receivers',
  numbers: 'the tenant’s own numbers',
  privacy_keys: 'a sealed key',
  provider_configs: 'the tenant’s own',
  provider_event_keys: 'the providers’ ids of events, or hashes',
  provider_sequences: 'the providers’ counts',
  quota_usage: 'figures',
  receiver_minutes: 'figures',
  report_deliveries: 'the addresses of the tenant’s own people',
  report_schedules: 'the addresses of the tenant’s own people',
  retention_cursors: 'ids',
  retention_left: 'ids',
  secrets: 'sealed, the tenant’s own',
  sequence_gaps: 'the providers’ counts',
  status_poll_cursors: 'places in the events',
  status_polls: 'ids',
  template_versions: 'the tenant’s own words',
  templates: 'the tenant’s own words',
  tenants: 'the tenant itself',
  usage_costs: 'figures',
  usage_counters: 'figures',
  usage_deltas: 'figures',
  usage_reports: 'figures',
  webhook_endpoints: 'the tenant’s own receivers',
  workers: 'processes',
};

describe('what is personal', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
  });
  afterAll(() => test.drop());

  it('is known of every table', async () => {
    const rows = await test.database.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1`,
    );
    const unknown = rows
      .map(({ name }) => name)
      .filter((name) => !ERASED.includes(name) && !(name in NOTHING_PERSONAL))
      .map(
        (name) =>
          `${name}: have it gone through in src/privacy/eraser.ts (and retention.ts), or say here why it names nobody`,
      );
    expect(unknown).toEqual([]);
    expect(rows.length).toBeGreaterThan(25);
  });
});
