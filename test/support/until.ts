const LOOK_MS = 25;

/**
 * Resolves as soon as the condition holds, for what happens in another process and tells nobody.
 * @throws after the deadline, with what was waited for and the last answer or error
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 20_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      last = await condition();
      if (last) return last as NonNullable<T>;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
