import type { OpenAPIObject } from '@nestjs/swagger';

interface Answer {
  description?: string;
  headers?: Record<string, object>;
  content?: Record<string, { examples?: Record<string, object> }>;
}

/**
 * Writes each header and each named example of an answer once, under `components`, and refers to it: hundreds of operations refuse with the same
 * words, which made up two thirds of the document. The answers themselves stay where they are, for readers that look at an operation alone.
 */
export function shareParts(document: OpenAPIObject): void {
  const headers = new Shared('headers');
  const examples = new Shared('examples');
  for (const answer of answersOf(document)) {
    if (answer.headers !== undefined) answer.headers = headers.refer(answer.headers);
    for (const media of Object.values(answer.content ?? {})) {
      if (media.examples !== undefined) media.examples = examples.refer(media.examples);
    }
  }
  Object.assign((document.components ??= {}), { headers: headers.parts, examples: examples.parts });
}

/** A controller's answer and its operation's of the same status come as one, with the text of both: what both say is said once. */
export function sayOnce(document: OpenAPIObject): void {
  for (const answer of answersOf(document)) {
    const texts = [...new Set(answer.description?.split('\n\n'))];
    const told = texts.filter((text) => !texts.some((other) => other !== text && other.includes(text)));
    if (told.length > 0) answer.description = told.join('\n\n');
  }
}

function answersOf(document: OpenAPIObject): Answer[] {
  return Object.values(document.paths)
    .flatMap((path) => Object.values(path) as Array<{ responses: Record<string, Answer> }>)
    .flatMap(({ responses }) => Object.values(responses));
}

class Shared {
  readonly parts: Record<string, object> = {};
  private readonly names = new Map<string, string>();

  constructor(private readonly kind: 'headers' | 'examples') {}

  refer(parts: Record<string, object>): Record<string, object> {
    const refs = Object.entries(parts).map(([name, part]) => [name, { $ref: this.refTo(name, part) }] as const);
    return Object.fromEntries(refs);
  }

  private refTo(name: string, part: object): string {
    const text = JSON.stringify([name, part]);
    let known = this.names.get(text);
    if (known === undefined) {
      known = name;
      for (let n = 2; known in this.parts; n += 1) known = `${name}_${n}`;
      this.names.set(text, known);
      this.parts[known] = part;
    }
    return `#/components/${this.kind}/${known}`;
  }
}
