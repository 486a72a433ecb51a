/** Most items of a page that may be asked for. */
export const MOST_OF_PAGE = 200;

/** The body of every success with one object. */
export interface Success<T> {
  success: true;
  data: T;
}

/** The body of every list. */
export interface Page<T> {
  success: true;
  data: T[];
  meta: {
    /** Give it back as `?cursor=` for the next page; null on the last one. */
    next_cursor: string | null;
    limit: number;
  };
}

/** Wraps an answer. Controllers call it themselves: an interceptor would cost rxjs on every request. */
export function ok<T>(data: T): Success<T> {
  return { success: true, data };
}

/** Wraps a list that is always answered whole. */
export function whole<T>(items: T[]): Page<T> {
  return page(items, null, Math.max(MOST_OF_PAGE, items.length));
}

/** Wraps one page of a list. `nextCursor` comes from `encodeCursor`, or is null when nothing follows. */
export function page<T>(items: T[], nextCursor: string | null, limit: number): Page<T> {
  return { success: true, data: items, meta: { next_cursor: nextCursor, limit } };
}
