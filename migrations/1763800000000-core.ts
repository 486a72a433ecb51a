import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What every later table builds on: the scope that row-level security reads, and monthly partitions.
 */
export class Core1763800000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Second fence behind the client_id in every query. A connection says '*' (the system) or a tenant's id; one that says nothing sees nothing.
      CREATE FUNCTION unimsg_fence(target regclass) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
        EXECUTE format(
          'CREATE POLICY tenant_scope ON %s USING (current_setting(''unimsg.scope'', true) IN (''*'', client_id)) WITH CHECK (current_setting(''unimsg.scope'', true) IN (''*'', client_id))',
          target);
      END $$;

      -- Monthly partitions <table>_yYYYYmMM from the month of a day on; those that exist are left alone. Answers how many were made.
      CREATE FUNCTION unimsg_make_partitions(parent text, first_day date, months int, storage text DEFAULT '') RETURNS int LANGUAGE plpgsql AS $$
      DECLARE
        month date := date_trunc('month', first_day)::date;
        name text;
        made int := 0;
      BEGIN
        FOR i IN 1..months LOOP
          name := parent || to_char(month, '"_y"YYYY"m"MM');
          IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L) %s',
              name, parent, month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00', storage);
            made := made + 1;
          END IF;
          month := (month + interval '1 month')::date;
        END LOOP;
        RETURN made;
      END $$;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP FUNCTION unimsg_make_partitions(text, date, int, text);
      DROP FUNCTION unimsg_fence(regclass);
    `);
  }
}
