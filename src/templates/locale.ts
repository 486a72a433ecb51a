/** Longest tag that is taken; RFC 5646 wants 35 characters to be enough. */
const LONGEST = 35;

/** The canonical form of a BCP 47 language tag (`de-at` is `de-AT`); undefined for what is none. */
export function canonicalLocale(tag: string): string | undefined {
  if (tag.length > LONGEST) return undefined;
  try {
    return Intl.getCanonicalLocales(tag)[0];
  } catch {
    return undefined;
  }
}

/** A tag and what it falls back to, most special first: `de-AT-1996`, `de-AT`, `de` (RFC 4647 §3.4). */
export function* fallbacks(locale: string): Generator<string> {
  let tag = locale;
  for (;;) {
    yield tag;
    const cut = tag.lastIndexOf('-');
    if (cut === -1) return;
    tag = tag.slice(0, cut);
    // `zh-x` or `de-u` say nothing without what follows.
    if (/-[a-z0-9]$/i.test(tag)) tag = tag.slice(0, -2);
  }
}
