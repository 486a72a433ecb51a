import { CHANNELS, type Channel } from '../kernel/channel';
import type { FieldError } from '../kernel/problem';
import { isPlainObject } from '../platform/http/json-body';
import type { Escaping } from './liquid/liquid-engine';
import { LiquidRenderError, LiquidSyntaxError, LiquidText, RenderBudget } from './liquid/liquid-text';
import { fallbacks } from './locale';
import { fieldError } from './problem-path';
import type { DeclaredVariables } from './variables';

/** The fields of a channel's send, without its recipient; every text in it is Liquid. */
export type ChannelTemplate = Readonly<Record<string, unknown>>;
export type ChannelTemplates = Readonly<Partial<Record<Channel, ChannelTemplate>>>;

/** What one version of a template is. Never changed once it is stored. */
export interface TemplateContent {
  readonly channels: ChannelTemplates;
  /** By canonical BCP 47 tag. A channel that is not here is as in {@link channels}. */
  readonly locales: Readonly<Record<string, ChannelTemplates>>;
  readonly defaultLocale: string | null;
  /** As the client gave them. */
  readonly variables: DeclaredVariables;
}

/** The body of a channel's send, as far as a template makes it, or what is wrong with the data. */
export type Rendered = { fields: Record<string, unknown>; errors?: undefined } | { errors: FieldError[] };

/** Of which field a text is HTML or Markdown, so that values in it are escaped. */
function escapingOf(channel: Channel, path: string, template: ChannelTemplate): Escaping {
  if (channel === 'email') return path === 'html' ? 'html' : 'none';
  if (channel !== 'telegram' || (path !== 'message' && path !== 'media.caption')) return 'none';
  const mode = template['parse_mode'];
  return mode === 'HTML' ? 'html' : mode === 'MarkdownV2' ? 'markdown_v2' : mode === 'Markdown' ? 'markdown' : 'none';
}

/** Texts that a send cannot do without are kept when they are blank, so that the send says what is missing; the others are left out. */
const KEPT_WHEN_BLANK: ReadonlySet<string> = new Set(['message', 'subject']);

type Node =
  | { kind: 'constant'; value: unknown }
  | { kind: 'text'; path: string; text: LiquidText }
  | { kind: 'list'; items: Node[] }
  | { kind: 'object'; members: Array<[string, Node]>; keepsBlank: boolean };

interface Rendering {
  data: Readonly<Record<string, unknown>>;
  budget: RenderBudget;
  errors: FieldError[];
}

/** One channel of a template in one language, parsed. */
class CompiledChannel {
  constructor(
    readonly locale: string | null,
    private readonly root: Node,
    /** The field of the template that it is. */
    readonly where: string,
  ) {}

  /** @param budget shared by all channels of a recipient */
  render(data: Readonly<Record<string, unknown>>, budget: RenderBudget): Rendered {
    const errors: FieldError[] = [];
    const fields = this.fill(this.root, { data, budget, errors }) as Record<string, unknown>;
    return errors.length > 0 ? { errors } : { fields };
  }

  private fill(node: Node, rendering: Rendering): unknown {
    switch (node.kind) {
      case 'constant':
        return node.value;
      case 'list':
        return node.items.map((item) => this.fill(item, rendering));
      case 'object': {
        const filled: Record<string, unknown> = {};
        for (const [name, member] of node.members) {
          const value = this.fill(member, rendering);
          const isBlank = member.kind === 'text' && typeof value === 'string' && value.trim() === '';
          if (!isBlank || node.keepsBlank || KEPT_WHEN_BLANK.has(name)) filled[name] = value;
        }
        return filled;
      }
      case 'text':
        try {
          return node.text.render(rendering.data, rendering.budget);
        } catch (error) {
          if (!(error instanceof LiquidRenderError)) throw error;
          rendering.errors.push(renderFault(error, `${this.where}.${node.path}`));
          return '';
        }
    }
  }
}

/** A version of a template, ready to be rendered. */
export class CompiledTemplate {
  private constructor(
    readonly content: TemplateContent,
    private readonly parts: ReadonlyMap<string, CompiledChannel>,
    /** Names of the variables that its texts take. */
    readonly usedVariables: readonly string[],
  ) {}

  /** Parses all of it. Answers what is wrong, field by field. */
  static compile(content: TemplateContent): CompiledTemplate | FieldError[] {
    const errors: FieldError[] = [];
    const used = new Set<string>();
    const parts = new Map<string, CompiledChannel>();
    const add = (channels: ChannelTemplates, locale: string | null, where: string) => {
      for (const channel of CHANNELS) {
        const template = channels[channel];
        if (template === undefined) continue;
        const language = locale ?? content.defaultLocale ?? 'en';
        const parser = new Parser(channel, template, language, `${where}.${channel}`, errors, used);
        const root = parser.node(template, '');
        parts.set(`${locale ?? ''}/${channel}`, new CompiledChannel(locale, root, `${where}.${channel}`));
      }
    };
    add(content.channels, null, 'channels');
    for (const [locale, channels] of Object.entries(content.locales)) add(channels, locale, `locales.${locale}`);
    return errors.length > 0 ? errors : new CompiledTemplate(content, parts, [...used].sort());
  }

  get channels(): Channel[] {
    return CHANNELS.filter((channel) => this.content.channels[channel] !== undefined);
  }

  /** The channel in the language that fits best; undefined when the template does not have the channel. */
  channel(channel: Channel, locale: string | null): CompiledChannel | undefined {
    if (locale !== null) {
      for (const tag of fallbacks(locale)) {
        const found = this.parts.get(`${tag}/${channel}`);
        if (found !== undefined) return found;
      }
    }
    return this.parts.get(`/${channel}`);
  }
}

class Parser {
  constructor(
    private readonly channel: Channel,
    private readonly template: ChannelTemplate,
    private readonly language: string,
    private readonly where: string,
    private readonly errors: FieldError[],
    private readonly used: Set<string>,
  ) {}

  node(value: unknown, path: string): Node {
    if (typeof value === 'string') return this.text(value, path);
    if (Array.isArray(value))
      return { kind: 'list', items: value.map((item: unknown, index) => this.node(item, `${path}[${index}]`)) };
    if (!isPlainObject(value)) return { kind: 'constant', value };
    const members = Object.entries(value).map(
      ([name, member]) => [name, this.node(member, path === '' ? name : `${path}.${name}`)] as [string, Node],
    );
    // What an app makes of an empty value is its own business.
    return { kind: 'object', members, keepsBlank: path === 'data' };
  }

  private text(source: string, path: string): Node {
    if (!source.includes('{{') && !source.includes('{%')) return { kind: 'constant', value: source };
    try {
      const text = LiquidText.parse(source, escapingOf(this.channel, path, this.template), this.language);
      for (const name of text.variables()) this.used.add(name);
      return { kind: 'text', path, text };
    } catch (error) {
      if (!(error instanceof LiquidSyntaxError)) throw error;
      this.errors.push(fieldError(`${this.where}.${path}`, 'invalid_template', `is no valid Liquid: ${error.message}`));
      return { kind: 'constant', value: source };
    }
  }
}

function renderFault(error: LiquidRenderError, field: string): FieldError {
  if (error.reason === 'missing')
    return {
      field: `data.${error.variable}`,
      code: 'missing_variable',
      message: `data.${error.variable} is required: ${field} takes it`,
    };
  return error.reason === 'too_complex'
    ? fieldError(field, 'too_complex', error.message)
    : fieldError(field, 'invalid_template', `cannot be rendered: ${error.message}`);
}
