import { LRUCache } from 'lru-cache';
import type { SmppSettings } from './smpp.settings';

const MOST_RECENT = 50_000;
/** So many receipts in a row in another form are no chance. */
const ENOUGH = 20;

/**
 * The ways in which a receipt's id may have been written in the response to `submit_sm`, the likeliest first.
 * Quirk: SMSCs write ids in one of the two as decimal and in the other as hexadecimal numbers, with zeros in front or not, in either case
 * (SMPP 3.4, appendix B, leaves the format to the SMSC).
 */
export function idForms(id: string, format: SmppSettings['receiptIds']): string[] {
  const same = [id, id.replace(/^0+(?=.)/, ''), id.toLowerCase(), id.toUpperCase()];
  const fromDecimal = /^\d{1,38}$/.test(id) ? hexForms(BigInt(id).toString(16)) : [];
  const fromHexadecimal = /^[0-9a-f]{1,32}$/i.test(id) ? [BigInt(`0x${id}`).toString()] : [];
  const forms = {
    auto: [...same, ...fromDecimal, ...fromHexadecimal],
    same,
    decimal: [...fromDecimal, ...same],
    hexadecimal: [...fromHexadecimal, ...same],
  }[format];
  return [...new Set(forms)];
}

/** Commonly written with eight digits. */
function hexForms(hex: string): string[] {
  const upper = hex.toUpperCase();
  return [hex, upper, hex.padStart(8, '0'), upper.padStart(8, '0')];
}

/**
 * The ids that an SMSC gave of late. A report can come before our own record of the message is committed; and once one was recognised in another
 * form, the others are most likely to be so too.
 */
export class RecentIds {
  private readonly sources = new LRUCache<string, { id: string; source: string }>({ max: MOST_RECENT });
  /** A receipt had its id in the likeliest form, and no message has another one of its forms. */
  private likeliestSeen = false;
  /** Receipts that were recognised by another form only. */
  private othersSeen = 0;

  /** Whether receipts are known to have ids in the likeliest form. */
  get areLikeliest(): boolean {
    return this.likeliestSeen;
  }

  add(id: string, source: string): void {
    this.sources.set(canonical(id), { id, source });
  }

  /** The source address that a message was sent from; query_sm wants it. */
  sourceOf(id: string): string | undefined {
    return this.sources.peek(canonical(id))?.source;
  }

  /**
   * The one of the forms that was given lately.
   * @returns `sure`: no other message can be meant. Else one that is older may have the likeliest form, which is to be looked for first
   */
  find(forms: readonly string[]): { id: string; sure: boolean } | undefined {
    const [first, ...others] = forms;
    if (first === undefined) return undefined;
    const likeliest = this.sources.peek(canonical(first))?.id;
    let other: string | undefined;
    for (const form of others) {
      const found = this.sources.peek(canonical(form))?.id;
      if (found !== undefined && found !== likeliest) other ??= found;
    }
    const areOthers = !this.likeliestSeen && this.othersSeen >= ENOUGH;
    if (likeliest !== undefined && (other === undefined || !areOthers)) {
      if (other === undefined) this.likeliestSeen = true;
      return { id: likeliest, sure: true };
    }
    if (other === undefined || this.likeliestSeen) return undefined;
    this.othersSeen++;
    return { id: other, sure: areOthers };
  }
}

/** Equal for ids that differ in case and in zeros in front only. */
function canonical(id: string): string {
  return id.toLowerCase().replace(/^0+(?=.)/, '');
}
