/** Whether a text has more characters than that: code points, as limits of the contract count them, so that an emoji outside the BMP is one. */
export function isLongerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  let count = 0;
  for (const _ of text) if (++count > characters) return true;
  return false;
}
