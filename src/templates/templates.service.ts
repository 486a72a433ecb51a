import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import { newId } from '../kernel/ids';
import { Problem } from '../kernel/problem';
import { Database, type Transaction } from '../platform/database/database';
import { lockTenant } from '../tenancy/tenant-lock';
import type { TemplateDto, UpdateTemplateDto } from './dto/templates.dto';
import { changeTemplate, readTemplate, type NewTemplate } from './template-input';
import { CompiledTemplate, type TemplateContent } from './template-content';

const MOST_TEMPLATES = 2_000;
const KEPT_BYTES = 32 * 1024 * 1024;

/** One version of a template. */
export interface TemplateVersion extends NewTemplate {
  id: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

interface Row {
  id: string;
  version: number;
  name: string;
  content: TemplateContent;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = 't.id, v.version, v.name, v.content, t.created_at, v.created_at AS updated_at';
const VERSIONS = `templates t JOIN template_versions v ON v.template_id = t.id`;

/** Templates and their versions. A version is never changed, so what was parsed of one can be kept. */
@Injectable()
export class TemplatesService {
  private readonly compiled = new LRUCache<string, CompiledTemplate>({ maxSize: KEPT_BYTES, max: 5_000 });

  constructor(private readonly database: Database) {}

  /** @throws Problem that names every wrong field; conflict when there are too many */
  async create(clientId: string, dto: TemplateDto): Promise<TemplateVersion> {
    const template = readTemplate(dto);
    const id = newId('template');
    return this.database.tenant(clientId, async (tx) => {
      await lockTenant(tx, clientId);
      const [count] = await tx.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM templates WHERE client_id = $1 AND deleted_at IS NULL',
        [clientId],
      );
      if (count!.n >= MOST_TEMPLATES)
        throw new Problem('conflict', `A tenant has at most ${MOST_TEMPLATES} templates.`);
      await tx.execute(
        'INSERT INTO templates (id, client_id, version, created_at, updated_at) VALUES ($1, $2, 1, now(), now())',
        [id, clientId],
      );
      return this.addVersion(tx, clientId, id, 1, template);
    });
  }

  /** Newest first. */
  async list(clientId: string, before: string | undefined, limit: number): Promise<TemplateVersion[]> {
    const rows = await this.database.tenant(clientId, (tx) =>
      tx.query<Row>(
        `SELECT ${COLUMNS} FROM ${VERSIONS} AND v.version = t.version
         WHERE t.client_id = $1 AND t.deleted_at IS NULL AND ($2::text IS NULL OR t.id < $2) ORDER BY t.id DESC LIMIT $3`,
        [clientId, before ?? null, limit],
      ),
    );
    return rows.map(versionOf);
  }

  /** @param version default: the newest. @throws Problem not_found */
  async get(clientId: string, id: string, version?: number): Promise<TemplateVersion> {
    return this.database.tenant(clientId, (tx) => this.find(tx, clientId, id, version));
  }

  /** All versions, newest first. @throws Problem not_found */
  async versions(clientId: string, id: string, before: number | undefined, limit: number): Promise<TemplateVersion[]> {
    return this.database.tenant(clientId, async (tx) => {
      await this.find(tx, clientId, id);
      const rows = await tx.query<Row>(
        `SELECT ${COLUMNS} FROM ${VERSIONS}
         WHERE t.client_id = $1 AND t.id = $2 AND ($3::int IS NULL OR v.version < $3) ORDER BY v.version DESC LIMIT $4`,
        [clientId, id, before ?? null, limit],
      );
      return rows.map(versionOf);
    });
  }

  /** @throws Problem not_found, or that names every wrong field */
  async replace(clientId: string, id: string, dto: TemplateDto): Promise<TemplateVersion> {
    const template = readTemplate(dto);
    return this.change(clientId, id, () => template);
  }

  /** @throws Problem not_found, or that names every wrong field */
  async update(clientId: string, id: string, dto: UpdateTemplateDto): Promise<TemplateVersion> {
    return this.change(clientId, id, (old) => changeTemplate(old, dto));
  }

  /** Notifications that have begun go on. @throws Problem not_found */
  async delete(clientId: string, id: string): Promise<void> {
    const gone = await this.database.tenant(clientId, (tx) =>
      tx.execute('UPDATE templates SET deleted_at = now() WHERE client_id = $1 AND id = $2 AND deleted_at IS NULL', [
        clientId,
        id,
      ]),
    );
    if (gone === 0) throw Problem.notFound('template');
  }

  /** A version that is to be sent, also of a template that was deleted since. @throws Problem not_found */
  async pinned(clientId: string, id: string, version: number): Promise<CompiledTemplate> {
    const kept = this.compiled.get(keyOf(clientId, id, version));
    if (kept !== undefined) return kept;
    const [row] = await this.database.tenant(clientId, (tx) =>
      tx.query<Row>(`SELECT ${COLUMNS} FROM ${VERSIONS} WHERE t.client_id = $1 AND t.id = $2 AND v.version = $3`, [
        clientId,
        id,
        version,
      ]),
    );
    if (row === undefined) throw Problem.notFound('template');
    return this.compile(clientId, versionOf(row));
  }

  compile(clientId: string, { id, version, content }: TemplateVersion): CompiledTemplate {
    const key = keyOf(clientId, id, version);
    const kept = this.compiled.get(key);
    if (kept !== undefined) return kept;
    const compiled = CompiledTemplate.compile(content);
    if (!(compiled instanceof CompiledTemplate)) throw new Error(`version ${version} of ${id} cannot be read`);
    // What is parsed takes several times its text.
    this.compiled.set(key, compiled, { size: Math.min(KEPT_BYTES, 4 * JSON.stringify(content).length) });
    return compiled;
  }

  private async change(
    clientId: string,
    id: string,
    change: (old: TemplateVersion) => NewTemplate,
  ): Promise<TemplateVersion> {
    return this.database.tenant(clientId, async (tx) => {
      await tx.query('SELECT 1 FROM templates WHERE client_id = $1 AND id = $2 FOR UPDATE', [clientId, id]);
      const old = await this.find(tx, clientId, id);
      const changed = change(old);
      if (changed.name === old.name && isDeepStrictEqual(changed.content, old.content)) return old;
      const version = old.version + 1;
      await tx.execute('UPDATE templates SET version = $3, updated_at = now() WHERE client_id = $1 AND id = $2', [
        clientId,
        id,
        version,
      ]);
      return this.addVersion(tx, clientId, id, version, changed);
    });
  }

  private async addVersion(
    tx: Transaction,
    clientId: string,
    id: string,
    version: number,
    { name, content }: NewTemplate,
  ): Promise<TemplateVersion> {
    await tx.execute(
      `INSERT INTO template_versions (template_id, version, client_id, name, content, created_at)
       VALUES ($1, $2, $3, $4, $5, now())`,
      [id, version, clientId, name, JSON.stringify(content)],
    );
    return this.find(tx, clientId, id);
  }

  private async find(tx: Transaction, clientId: string, id: string, version?: number): Promise<TemplateVersion> {
    const [row] = await tx.query<Row>(
      `SELECT ${COLUMNS} FROM ${VERSIONS} AND v.version = coalesce($3::int, t.version)
       WHERE t.client_id = $1 AND t.id = $2 AND t.deleted_at IS NULL`,
      [clientId, id, version ?? null],
    );
    if (row === undefined) throw Problem.notFound(version === undefined ? 'template' : 'version of the template');
    return versionOf(row);
  }
}

function keyOf(clientId: string, id: string, version: number): string {
  return `${clientId} ${id} ${version}`;
}

function versionOf(row: Row): TemplateVersion {
  const { id, version, name, content, created_at: createdAt, updated_at: updatedAt } = row;
  return { id, version, name, content, createdAt, updatedAt };
}
