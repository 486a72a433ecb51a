const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * Where a text stops being JSON: the offset of the first character that no JSON text could have there. `JSON.parse` tells it only in a
 * message that also shows the input.
 */
export function jsonErrorPosition(text: string): number {
  let at = 0;
  const open: string[] = [];
  // What may come: a value, a value or `]`, a key or `}`, a key, a colon, or what follows a value.
  let expect: 'value' | 'first_item' | 'first_key' | 'key' | 'colon' | 'next' = 'value';
  for (;;) {
    at = match(SPACE, text, at);
    if (at >= text.length) return at;
    const char = text[at]!;
    if (expect === 'colon') {
      if (char !== ':') return at;
      at++;
      expect = 'value';
    } else if (expect === 'next') {
      const container = open.at(-1);
      if (container === undefined) return at;
      if (char === ',') expect = container === '{' ? 'key' : 'value';
      else if (char === (container === '{' ? '}' : ']')) open.pop();
      else return at;
      at++;
    } else if (expect === 'key' || expect === 'first_key') {
      if (char === '"') {
        const end = stringEnd(text, at);
        if (!end.ok) return end.at;
        at = end.at;
        expect = 'colon';
      } else if (char === '}' && expect === 'first_key') {
        open.pop();
        at++;
        expect = 'next';
      } else return at;
    } else if (char === '{' || char === '[') {
      open.push(char);
      at++;
      expect = char === '{' ? 'first_key' : 'first_item';
    } else if (char === ']' && expect === 'first_item') {
      open.pop();
      at++;
      expect = 'next';
    } else if (char === '"') {
      const end = stringEnd(text, at);
      if (!end.ok) return end.at;
      at = end.at;
      expect = 'next';
    } else {
      const end = Math.max(match(NUMBER, text, at), match(WORD, text, at));
      if (end === at) return at;
      at = end;
      expect = 'next';
    }
  }
}

function stringEnd(text: string, start: number): { ok: boolean; at: number } {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return { ok: true, at: at + 1 };
    if (code < 0x20) return { ok: false, at };
    if (code === 0x5c) {
      const end = match(ESCAPE, text, at);
      if (end === at) return { ok: false, at };
      at = end;
    } else at++;
  }
  return { ok: false, at };
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
