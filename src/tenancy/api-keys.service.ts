import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../kernel/clock';
import { newId } from '../kernel/ids';
import { Problem } from '../kernel/problem';
import type { Secret } from '../kernel/secret';
import { ChangeFeed } from '../platform/database/change-feed';
import { Database, type Transaction } from '../platform/database/database';
import { decodeCursor, encodeCursor } from '../platform/http/cursor';
import { hashApiKey, newApiKey } from './api-key';
import { ApiKeyEntity } from './api-key.entity';
import { API_KEYS_CHANGED, KeyDirectory } from './key-directory';
import type { Principal, Scope } from './principal';
import { lockTenant } from './tenant-lock';

export interface NewApiKey {
  name: string;
  scopes: Scope[];
  sandbox: boolean;
  expiresAt: Date | null;
}

const LIST = 'keys';
const MOST_KEYS = 200;

/** Makes, lists and revokes the API keys of a tenant. */
@Injectable()
export class ApiKeysService {
  constructor(
    private readonly database: Database,
    private readonly feed: ChangeFeed,
    private readonly keys: KeyDirectory,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param by the key that asks; it can give nothing that it lacks. Undefined: the operator.
   * @returns the key itself, which cannot be read again
   */
  async create(clientId: string, input: NewApiKey, by?: Principal): Promise<{ key: ApiKeyEntity; apiKey: Secret }> {
    if (by !== undefined) refuseMoreThan(by, input);
    // Also false for a date that does not exist, such as 30 February.
    if (input.expiresAt !== null && !(input.expiresAt.getTime() > this.clock.now())) {
      throw Problem.field('expires_at', 'invalid_date', 'must be a time in the future');
    }
    const apiKey = newApiKey();
    const key = await this.database.tenant(clientId, async (tx) => {
      await lockTenant(tx, clientId);
      const expiresAt = by === undefined ? input.expiresAt : await expiryWithin(tx, by, input.expiresAt);
      if ((await tx.manager.countBy(ApiKeyEntity, { clientId })) >= MOST_KEYS) {
        throw new Problem('conflict', `A tenant has at most ${MOST_KEYS} API keys. Delete one first.`);
      }
      const entity = tx.manager.create(ApiKeyEntity, {
        id: newId('apiKey'),
        clientId,
        ...input,
        expiresAt,
        hash: hashApiKey(apiKey),
        createdAt: new Date(this.clock.now()),
        lastUsedAt: null,
      });
      await tx.manager.insert(ApiKeyEntity, entity);
      await this.feed.publish(tx, API_KEYS_CHANGED, clientId);
      return entity;
    });
    this.keys.forget(clientId);
    return { key, apiKey };
  }

  /** Newest first. */
  async list(clientId: string, limit: number, cursor?: string): Promise<{ keys: ApiKeyEntity[]; next: string | null }> {
    const found = await this.database.tenant(clientId, async (tx) => {
      const query = tx.manager
        .createQueryBuilder(ApiKeyEntity, 'k')
        .where('k.client_id = :clientId', { clientId })
        .orderBy('k.id', 'DESC')
        .limit(limit + 1);
      if (cursor !== undefined) query.andWhere('k.id < :before', { before: decodeCursor(cursor, LIST, 1)[0] });
      return query.getMany();
    });
    const keys = found.slice(0, limit);
    return { keys, next: found.length > limit ? encodeCursor(LIST, keys.at(-1)!.id) : null };
  }

  /**
   * The key stops working at once, in other processes within moments. The last working key that can make keys stays: without it the tenant
   * would be locked out until the operator helps.
   * @throws Problem not_found, conflict
   */
  async delete(clientId: string, id: string): Promise<void> {
    await this.database.tenant(clientId, async (tx) => {
      await lockTenant(tx, clientId);
      const key = await tx.manager.findOneBy(ApiKeyEntity, { clientId, id });
      if (key === null) throw Problem.notFound('API key');
      if (this.canMakeKeys(key)) {
        const all = await tx.manager.findBy(ApiKeyEntity, { clientId });
        if (!all.some((other) => other.id !== id && this.canMakeKeys(other))) {
          throw new Problem('conflict', 'This is the last key with the scope keys:write. Make another one first.');
        }
      }
      await tx.manager.delete(ApiKeyEntity, { clientId, id });
      await this.feed.publish(tx, API_KEYS_CHANGED, clientId);
    });
    this.keys.forget(clientId);
  }

  private canMakeKeys(key: ApiKeyEntity): boolean {
    return (
      key.scopes.includes('keys:write') &&
      !key.sandbox &&
      (key.expiresAt === null || key.expiresAt.getTime() > this.clock.now())
    );
  }
}

/** A key does not outlive the one that made it. @throws Problem 403 for one that is to, 401 when the calling one is deleted by now */
async function expiryWithin(tx: Transaction, by: Principal, asked: Date | null): Promise<Date | null> {
  const caller = await tx.manager.findOneBy(ApiKeyEntity, { clientId: by.clientId, id: by.keyId });
  if (caller === null) throw new Problem('unauthorized', 'There is no such API key.');
  if (caller.expiresAt === null || asked === null) return asked ?? caller.expiresAt;
  if (asked.getTime() <= caller.expiresAt.getTime()) return asked;
  const message = `must not be after the calling key’s own, ${caller.expiresAt.toISOString()}`;
  throw new Problem('forbidden', 'A key cannot give more than it has.', {
    errors: [{ field: 'expires_at', code: 'not_allowed', message }],
  });
}

function refuseMoreThan(by: Principal, input: NewApiKey): void {
  const errors = input.scopes.flatMap((scope, index) =>
    by.scopes.includes(scope)
      ? []
      : [{ field: `scopes[${index}]`, code: 'not_allowed', message: `the calling key does not have ${scope}` }],
  );
  if (by.sandbox && !input.sandbox) {
    errors.push({ field: 'sandbox', code: 'not_allowed', message: 'a sandbox key can make sandbox keys only' });
  }
  if (errors.length > 0) throw new Problem('forbidden', 'A key cannot give more than it has.', { errors });
}
