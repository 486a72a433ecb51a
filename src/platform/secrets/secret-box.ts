import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Secret } from '../../kernel/secret';

const ALGORITHM = 'aes-256-gcm';
const FORMAT = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** A sealed text that cannot be opened: changed, moved to another row, or sealed with a key that the ring no longer holds. Names no secret. */
export class CannotOpen extends Error {
  constructor(reason: string, options?: { cause?: unknown }) {
    super(`a sealed value cannot be opened: ${reason}`, options);
    this.name = 'CannotOpen';
  }
}

/**
 * Seals small values for the database with AES-256-GCM.
 *
 * The sealed text is `v1.<key id>.<base64url of nonce, ciphertext and tag>`. The first key of the ring seals; any key of the ring opens, so a key is
 * rotated by putting a new one in front. `context` names the row and column (`tenants.signing_secret:acme_1`) and is authenticated, not
 * stored: a sealed text that is copied to another row does not open there.
 */
export class SecretBox {
  private readonly keys: ReadonlyMap<string, Buffer>;
  private readonly sealingId: string;

  /** @param ring `id:base64key[,id:base64key…]`, keys of 32 bytes, already validated by the configuration */
  constructor(ring: string) {
    const keys = new Map<string, Buffer>();
    for (const part of ring.split(',')) {
      const [id, key] = part.trim().split(':');
      const bytes = Buffer.from(key ?? '', 'base64');
      if (!id || bytes.length !== 32)
        throw new Error('the encryption key ring is not id:base64key[,…] of 32-byte keys');
      keys.set(id, bytes);
    }
    this.keys = keys;
    this.sealingId = keys.keys().next().value!;
  }

  /** What every text that is sealed now begins with. */
  get sealedPrefix(): string {
    return `${FORMAT}.${this.sealingId}.`;
  }

  /** The id of the key that seals. */
  get sealingKey(): string {
    return this.sealingId;
  }

  hasKey(id: string): boolean {
    return this.keys.has(id);
  }

  seal(plain: string, context: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.keys.get(this.sealingId)!, iv);
    cipher.setAAD(associated(this.sealingId, context));
    const body = Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${FORMAT}.${this.sealingId}.${body.toString('base64url')}`;
  }

  /** @throws CannotOpen */
  open(sealed: string, context: string): Secret<string> {
    const [format, id, text, ...rest] = sealed.split('.');
    if (format !== FORMAT || id === undefined || text === undefined || rest.length > 0)
      throw new CannotOpen('it is not in the known form');
    const key = this.keys.get(id);
    if (!key) throw new CannotOpen(`the key ring has no key "${id}"`);
    const body = Buffer.from(text, 'base64url');
    if (body.length < IV_BYTES + TAG_BYTES) throw new CannotOpen('it is too short');
    const decipher = createDecipheriv(ALGORITHM, key, body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(associated(id, context));
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    try {
      const plain = Buffer.concat([decipher.update(body.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
      return new Secret(plain.toString('utf8'));
    } catch (cause) {
      throw new CannotOpen('it was changed or belongs to another place', { cause });
    }
  }
}

/** The id of the key that a text was sealed with. */
export function sealingKeyOf(sealed: string): string {
  return sealed.split('.')[1] ?? '';
}

function associated(keyId: string, context: string): Buffer {
  return Buffer.from(`${FORMAT}\0${keyId}\0${context}`, 'utf8');
}
