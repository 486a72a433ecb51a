import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Templates with all their versions, and notifications: one message a recipient and channel of a template. */
export class Templates1763900700000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE templates (
        id text PRIMARY KEY,
        client_id text NOT NULL REFERENCES tenants (client_id),
        -- The newest one.
        version int NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        -- Versions stay: a notification that has begun goes on with its own.
        deleted_at timestamptz
      );
      CREATE INDEX templates_by_tenant ON templates (client_id, id) WHERE deleted_at IS NULL;
      SELECT unimsg_fence('templates');

      -- Never changed.
      CREATE TABLE template_versions (
        template_id text NOT NULL REFERENCES templates (id),
        version int NOT NULL,
        client_id text NOT NULL,
        name text NOT NULL,
        -- json, not jsonb: members are shown in the order in which they came.
        content json NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (template_id, version)
      );
      SELECT unimsg_fence('template_versions');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE template_versions; DROP TABLE templates');
  }
}
