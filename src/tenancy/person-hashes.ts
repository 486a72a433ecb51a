import { createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { CLOCK, type Clock } from '../kernel/clock';
import { Database } from '../platform/database/database';
import type { SealedColumn } from '../platform/secrets/resealer';
import { SecretBox } from '../platform/secrets/secret-box';

/** What stands in the place of an address that was erased begins with this. */
export const ERASED_PREFIX = 'erased:';

/** What stands in the place of an address: the same for the same person of one tenant, and nothing that leads back to it. */
export type PersonHash = (address: string) => string;

const MOST_KEPT = 10_000;
const HASH_CHARACTERS = 32;

/** The keyed hashes of persons whose data were erased. The key is the tenant's own, sealed, and never changes. */
@Injectable()
export class PersonHashes {
  private readonly kept = new LRUCache<string, PersonHash>({ max: MOST_KEPT });

  constructor(
    private readonly database: Database,
    private readonly secrets: SecretBox,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Undefined: nobody was ever erased, so nobody is known by a hash. */
  async known(clientId: string): Promise<PersonHash | undefined> {
    const kept = this.kept.get(clientId);
    if (kept !== undefined) return kept;
    const [row] = await this.database.query<{ hash_key: string }>(
      'SELECT hash_key FROM privacy_keys WHERE client_id = $1',
      [clientId],
    );
    if (row === undefined) return undefined;
    const key = Buffer.from(this.secrets.open(row.hash_key, hashKeyContext(clientId)).reveal(), 'base64');
    const hash: PersonHash = (address) =>
      ERASED_PREFIX + createHmac('sha256', key).update(address).digest('hex').slice(0, HASH_CHARACTERS);
    this.kept.set(clientId, hash);
    return hash;
  }

  /** Makes the tenant's key when there is none. */
  async of(clientId: string): Promise<PersonHash> {
    const known = await this.known(clientId);
    if (known !== undefined) return known;
    const sealed = this.secrets.seal(randomBytes(32).toString('base64'), hashKeyContext(clientId));
    await this.database.execute(
      'INSERT INTO privacy_keys (client_id, hash_key, created_at) VALUES ($1, $2, to_timestamp($3 / 1000.0)) ON CONFLICT DO NOTHING',
      [clientId, sealed, this.clock.now()],
    );
    return (await this.known(clientId))!;
  }
}

function hashKeyContext(clientId: string): string {
  return `privacy_keys.hash_key:${clientId}`;
}

export const PERSON_HASHES_SEALED: SealedColumn = {
  table: 'privacy_keys',
  key: 'client_id',
  column: 'hash_key',
  context: ({ clientId }) => hashKeyContext(clientId),
};
