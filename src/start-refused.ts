/** A start that cannot be, for a reason that a person can mend. Its text is one clear line. */
export class StartRefused extends Error {}
