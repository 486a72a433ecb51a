/** Most items of `on_undelivered`. */
export const MOST_FALLBACKS = 5;

/** Longest wait of an item: a week. */
export const LONGEST_AFTER_SECONDS = 7 * 24 * 3600;
