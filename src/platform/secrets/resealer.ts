import type { Database } from '../database/database';
import { textArray } from '../database/pg-array';
import { CannotOpen, sealingKeyOf, type SecretBox } from './secret-box';

/** A column that holds what `SecretBox` seals. Its owner names it, beside the context that it seals for. */
export interface SealedColumn {
  table: string;
  /** The primary key. */
  key: string;
  column: string;
  /** What a row's value is sealed for. */
  context(row: { key: string; clientId: string }): string;
}

/** What became of one column. */
export interface ResealedColumn {
  /** `<table>.<column>` */
  name: string;
  resealed: number;
  /** Keys of rows whose value was changed or moved by somebody, so that no key opens it. */
  broken: string[];
  /** Values that other processes go on sealing with another key. */
  left: number;
}

/** The ring lacks keys that sealed values need. Nothing was changed. */
export class KeysMissing extends Error {
  constructor(needs: ReadonlyArray<{ key: string; name: string; count: number }>) {
    const what = needs.map(({ key, name, count }) => `"${key}" (${count} of ${name})`).join(', ');
    super(`UNIMSG_ENCRYPTION_KEYS: lacks keys that sealed values need: ${what}. Put them behind the new key.`);
    this.name = 'KeysMissing';
  }
}

const BATCH = 200;
/** A service that still seals with the old key could keep us busy for ever. */
const MOST_PASSES = 3;

interface SealedRow {
  key: string;
  client_id: string;
  sealed: string;
}

/**
 * Seals what was sealed with another key of the ring anew with the first one. Batch by batch; a value that somebody changes meanwhile keeps that
 * change; a run that was broken off goes on with what is left when it is started again.
 */
export class Resealer {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** @throws KeysMissing before anything is changed */
  async run(columns: readonly SealedColumn[]): Promise<ResealedColumn[]> {
    await this.checkKeys(columns);
    const results: ResealedColumn[] = [];
    for (const column of columns) results.push(await this.reseal(column));
    return results;
  }

  private async checkKeys(columns: readonly SealedColumn[]): Promise<void> {
    const missing: Array<{ key: string; name: string; count: number }> = [];
    for (const column of columns) {
      const found = await this.database.query<{ key: string; count: number }>(
        `SELECT split_part(${column.column}, '.', 2) AS key, count(*)::int AS count FROM ${column.table}
         WHERE ${column.column} IS NOT NULL GROUP BY 1 ORDER BY 1`,
      );
      for (const { key, count } of found) {
        if (!this.box.hasKey(key)) missing.push({ key, name: nameOf(column), count });
      }
    }
    if (missing.length > 0) throw new KeysMissing(missing);
  }

  private async reseal(column: SealedColumn): Promise<ResealedColumn> {
    const broken = new Set<string>();
    let resealed = 0;
    let left = 0;
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      left = 0;
      let after = '';
      for (;;) {
        const rows = await this.batch(column, after);
        if (rows.length === 0) break;
        after = rows.at(-1)!.key;
        const changed = this.sealAnew(column, rows, broken);
        const written = await this.write(column, changed);
        resealed += written;
        left += changed.length - written;
      }
      if (left === 0) break;
    }
    return { name: nameOf(column), resealed, broken: [...broken], left };
  }

  private batch({ table, key, column }: SealedColumn, after: string): Promise<SealedRow[]> {
    return this.database.query<SealedRow>(
      `SELECT ${key} AS key, client_id, ${column} AS sealed FROM ${table}
       WHERE ${column} IS NOT NULL AND NOT starts_with(${column}, $1) AND ${key} > $2 ORDER BY ${key} LIMIT ${BATCH}`,
      [this.box.sealedPrefix, after],
    );
  }

  private sealAnew(
    column: SealedColumn,
    rows: readonly SealedRow[],
    broken: Set<string>,
  ): Array<{ key: string; old: string; sealed: string }> {
    return rows.flatMap(({ key, client_id: clientId, sealed: old }) => {
      const context = column.context({ key, clientId });
      try {
        return [{ key, old, sealed: this.box.seal(this.box.open(old, context).reveal(), context) }];
      } catch (error) {
        // A key that is gone from the ring since the check would be a service with an older ring: that is not broken.
        if (!(error instanceof CannotOpen) || !this.box.hasKey(sealingKeyOf(old))) throw error;
        broken.add(key);
        return [];
      }
    });
  }

  /** Only what is still as it was read. Answers how many that were. */
  private async write(
    { table, key, column }: SealedColumn,
    changed: ReadonlyArray<{ key: string; old: string; sealed: string }>,
  ): Promise<number> {
    if (changed.length === 0) return 0;
    return this.database.execute(
      `UPDATE ${table} t SET ${column} = n.sealed FROM unnest($1::text[], $2::text[], $3::text[]) AS n(key, old, sealed)
       WHERE t.${key} = n.key AND t.${column} = n.old`,
      [
        textArray(changed.map((one) => one.key)),
        textArray(changed.map((one) => one.old)),
        textArray(changed.map((one) => one.sealed)),
      ],
    );
  }
}

function nameOf({ table, column }: SealedColumn): string {
  return `${table}.${column}`;
}
