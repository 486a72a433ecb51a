import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { ProviderDefinition } from './gateway/contracts/provider-definition';

/** A surprise of a provider's API, as a comment `Quirk: … (source, date)` says it. */
export interface Quirk {
  text: string;
  /** From the repository's root. */
  file: string;
}

/** Where a provider's own code may lie; what it imports from elsewhere is common to all. */
const OWN = /^src\/(channels\/[^/]+\/|gateway\/vendors\/|platform\/smpp\/|platform\/smtp\/)/;

/**
 * The quirks in a provider's files: its definition, and what that imports of its channel, its company and its protocol.
 * @param root of the repository, with its sources
 */
export function quirksOf(definition: ProviderDefinition, root: string): Quirk[] {
  const name = definition.key.replaceAll('_', '-');
  const first = join(root, 'src', 'channels', definition.channel, 'providers', `${name}.provider.ts`);
  const files = new Set<string>([first]);
  for (const file of files) for (const imported of importsOf(file, root)) files.add(imported);
  return [...files]
    .map((file) => ({ file: relative(root, file), source: readFileSync(file, 'utf8') }))
    .sort((a, b) => (a.file < b.file ? -1 : 1))
    .flatMap(({ file, source }) => quirksIn(source).map((text) => ({ text, file })));
}

function importsOf(file: string, root: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^(?:import|export|\}) .*?from '(\.[^']+)';$/gm)]
    .map(([, path]) => `${resolve(dirname(file), path!)}.ts`)
    .filter((path) => OWN.test(relative(root, path)) && existsSync(path));
}

/** Exported for its spec. */
export function quirksIn(source: string): string[] {
  // One match a comment: a block, or lines of // that follow each other.
  const comments = source.matchAll(/\/\*\*?([\s\S]*?)\*\/|(?:^|[^:'"`\S])((?:[ \t]*\/\/.*(?:\n|$))+)/gm);
  return [...comments].flatMap(([, block, lines]) => {
    const text = (block ?? lines ?? '')
      .split('\n')
      .map((line) => line.replace(/^\s*(\*|\/\/)?\s?/, ''))
      .join(' ')
      .replace(/\s+/g, ' ');
    return text.split(/(?=Quirk: )/).flatMap((part) => {
      if (!part.startsWith('Quirk: ')) return [];
      const words = part.slice('Quirk: '.length).trim();
      // What follows the source is about the code, not about the provider.
      return [/^.*?\([^()]*\d{4}(?:-\d\d)?\)\.?/.exec(words)?.[0] ?? words];
    });
  });
}
