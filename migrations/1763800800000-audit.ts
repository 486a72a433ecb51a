import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who was shown which secret, and what was done to all of them. Never a value. */
export class Audit1763800800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_entries (
        id text PRIMARY KEY,
        -- Null: it concerns the whole installation.
        client_id text,
        actor text NOT NULL,
        action text NOT NULL,
        object text NOT NULL,
        at timestamptz NOT NULL,
        request_id text,
        detail jsonb
      );
      CREATE INDEX audit_entries_by_tenant ON audit_entries (client_id, id);
      SELECT unimsg_fence('audit_entries');
      -- An entry stands as it was written.
      CREATE FUNCTION unimsg_audit_stands() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'an audit entry is neither changed nor deleted';
      END $$;
      CREATE TRIGGER audit_entries_stand BEFORE UPDATE OR DELETE ON audit_entries
        FOR EACH ROW EXECUTE FUNCTION unimsg_audit_stands();
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit_entries; DROP FUNCTION unimsg_audit_stands()');
  }
}
