import { CaptureTag, type Context, Liquid, toValue, type Emitter } from 'liquidjs';

/** What becomes of a value that a template puts out, so that it cannot become markup. */
export type Escaping = 'none' | 'html' | 'markdown' | 'markdown_v2';

/** Longest text of a template; parsing time grows with it. */
export const LONGEST_SOURCE = 400_000;
/** Characters and list items that one rendering may make. */
const MEMORY = 3_000_000;

/**
 * Those that make a value of their input and nothing else. Not here: random ones, digests and encodings of bytes, and those that take an expression
 * as text.
 */
const FILTERS: ReadonlySet<string> = new Set(
  (
    'abs at_least at_most ceil divided_by floor minus modulo plus round times append capitalize downcase ' +
    'lstrip normalize_whitespace number_of_words prepend remove remove_first remove_last replace ' +
    'replace_first replace_last rstrip split squish strip strip_newlines truncate truncatewords upcase ' +
    'array_to_sentence_string escape escape_once newline_to_br strip_html xml_escape cgi_escape slugify ' +
    'uri_escape url_decode url_encode compact concat find find_index first group_by has join last map pop ' +
    'push reject reverse shift size slice sort sort_natural sum uniq unshift where date ' +
    'date_to_long_string date_to_rfc822 date_to_string date_to_xmlschema default json raw to_integer'
  ).split(' '),
);

/** No tag that reads another template: there are no files behind this engine. */
const TAGS: ReadonlySet<string> = new Set(
  '# assign break capture case comment continue cycle decrement echo for if increment liquid raw tablerow unless'.split(
    ' ',
  ),
);

const MARKDOWN = /[_*`[]/g;
const MARKDOWN_V2 = /[_*[\]()~`>#+\-=|{}.!\\]/g;
const HTML = /[&<>"']/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};

const ESCAPES: Readonly<Record<Escaping, (text: string) => string>> = {
  none: (text) => text,
  html: (text) => text.replace(HTML, (character) => ENTITIES[character]!),
  markdown: (text) => text.replace(MARKDOWN, '\\$&'),
  markdown_v2: (text) => text.replace(MARKDOWN_V2, '\\$&'),
};

const engines = new Map<string, Liquid>();
const MOST_ENGINES = 200;

/** @param language BCP 47, canonical; the names of days and months are in it */
export function liquidEngine(escaping: Escaping, language: string): Liquid {
  const key = `${escaping} ${language}`;
  let engine = engines.get(key);
  if (engine === undefined) {
    if (engines.size >= MOST_ENGINES) engines.clear();
    engines.set(key, (engine = createEngine(escaping, language)));
  }
  return engine;
}

function createEngine(escaping: Escaping, language: string): Liquid {
  const escape = ESCAPES[escaping];
  const liquid = new Liquid({
    strictVariables: true,
    strictFilters: true,
    // `{% if name %}` and `| default:` are how a template asks whether there is something.
    lenientIf: true,
    ownPropertyOnly: true,
    locale: language,
    // Else the machine's own.
    timezoneOffset: 'Etc/UTC',
    templates: {},
    parseLimit: LONGEST_SOURCE,
    memoryLimit: MEMORY,
    outputEscape: function (this: { context: Context } | void, value: unknown): string {
      const text = textOf(value);
      if (escaping !== 'none') (this as { context: Context }).context.memoryLimit.use(text.length);
      return escape(text);
    },
  });
  for (const name of Object.keys(liquid.filters)) if (!FILTERS.has(name)) liquid.unregisterFilter(name);
  for (const name of Object.keys(liquid.tags)) if (!TAGS.has(name)) delete liquid.tags[name];
  if (escaping === 'html') {
    // Who escapes by hand, as other Liquids want it, gets it once.
    for (const name of ['escape', 'escape_once', 'xml_escape']) {
      const handler = liquid.filters[name] as (value: unknown) => unknown;
      liquid.registerFilter(name, { handler, raw: true });
    }
  }
  liquid.registerTag('capture', BoundedCapture);
  return liquid;
}

/** Holds what a template puts out, as long as `use` agrees with its length. */
export class BoundedEmitter implements Emitter {
  buffer = '';

  constructor(private readonly use: (length: number) => void) {}

  write(value: unknown): void {
    const text = textOf(value);
    this.use(text.length);
    this.buffer += text;
  }
}

/** Liquid's own does not count what it keeps, and a loop can double it each time. */
class BoundedCapture extends CaptureTag {
  override *render(context: Context): Generator<unknown, void, string> {
    const emitter = new BoundedEmitter((length) => context.memoryLimit.use(length));
    yield (this.liquid as Liquid).renderer.renderTemplates(this.templates, context, emitter);
    (context.bottom() as Record<string, unknown>)[this.variable] = emitter.buffer;
  }
}

/** @throws Error for an object: nobody wants to read `[object Object]` */
function textOf(value: unknown): string {
  const plain = toValue(value) as unknown;
  if (typeof plain === 'string') return plain;
  if (plain === null || plain === undefined) return '';
  if (Array.isArray(plain)) return plain.map(textOf).join('');
  if (typeof plain === 'number' || typeof plain === 'boolean') return String(plain);
  throw new Error('an object has no text of its own: name one of its members, or use the filter json');
}
