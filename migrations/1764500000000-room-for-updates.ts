import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Room on each page of `messages` for the versions that follow the first (ADR 25). */
export class RoomForUpdates1764500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(setFillfactor(32));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(setFillfactor(45));
  }
}

/** For pages that are filled from now on; what lies there stays as it is. */
function setFillfactor(percent: number): string {
  return `
    DO $$
    DECLARE
      partition regclass;
    BEGIN
      FOR partition IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'messages'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = ${percent})', partition);
      END LOOP;
    END $$`;
}
