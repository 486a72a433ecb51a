import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit log tells of changes too, and from where they came; and nothing empties it. */
export class AuditOfChanges1763900800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE audit_entries ADD COLUMN ip inet;
      CREATE INDEX audit_entries_by_object ON audit_entries (client_id, object, id);
      CREATE TRIGGER audit_entries_stay BEFORE TRUNCATE ON audit_entries
        FOR EACH STATEMENT EXECUTE FUNCTION unimsg_audit_stands();
      -- Privileges are looked at before triggers, and a trigger can be disabled: so there are two locks. The role of this migration owns the table and
      -- could open both again; one that only runs the service cannot.
      REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM PUBLIC;
      REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM CURRENT_USER;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      GRANT UPDATE, DELETE, TRUNCATE ON audit_entries TO CURRENT_USER;
      DROP TRIGGER audit_entries_stay ON audit_entries;
      DROP INDEX audit_entries_by_object;
      ALTER TABLE audit_entries DROP COLUMN ip;
    `);
  }
}
