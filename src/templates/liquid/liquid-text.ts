import { Context, LiquidError, type Liquid, type Template, toValueSync } from 'liquidjs';
import { BoundedEmitter, liquidEngine, LONGEST_SOURCE, type Escaping } from './liquid-engine';

/** Tags and outputs that the texts of one rendering may run together, those in loops each time. */
const MOST_STEPS = 20_000;
/** Longest time that they may take together; a second try tells a slow template from a busy machine. */
const LONGEST_MS = 100;
/** Longest text that a rendering may make. */
const LONGEST_OUTPUT = 1_000_000;

/** A template's text that is no Liquid. The message says where. */
export class LiquidSyntaxError extends Error {}

/** A text that could not be rendered with the data that it was given. */
export class LiquidRenderError extends Error {
  /**
   * @param reason `missing`: a variable is not in the data; `too_complex`: it takes too long or makes too much; `failed`: a filter or tag refuses its
   * input
   * @param variable path of the missing variable
   */
  constructor(
    readonly reason: 'missing' | 'too_complex' | 'failed',
    message: string,
    readonly variable?: string,
  ) {
    super(message);
  }
}

class OverLimit extends Error {}

/** What all texts of one rendering (of a recipient, of a preview) may take together. */
export class RenderBudget {
  steps = MOST_STEPS;
  leftMs = LONGEST_MS;
  /** Whether one of the texts may be tried again. */
  hasRetry = true;
}

/** One text of a template, parsed. */
export class LiquidText {
  private constructor(
    private readonly engine: Liquid,
    private readonly templates: Template[],
  ) {}

  /** @throws LiquidSyntaxError with line and column */
  static parse(source: string, escaping: Escaping, language: string): LiquidText {
    if (source.length > LONGEST_SOURCE) throw new LiquidSyntaxError(`must have at most ${LONGEST_SOURCE} characters`);
    const engine = liquidEngine(escaping, language);
    try {
      return new LiquidText(engine, engine.parse(source));
    } catch (error) {
      throw new LiquidSyntaxError(describe(error));
    }
  }

  /** Names of the variables that it takes from the data. */
  variables(): string[] {
    return this.engine.globalVariablesSync(this.templates);
  }

  /**
   * Pure, and all texts of a budget together never longer than some tenths of a second.
   * @throws LiquidRenderError
   */
  render(data: Readonly<Record<string, unknown>>, budget = new RenderBudget()): string {
    const { steps } = budget;
    try {
      return this.run(data, budget);
    } catch (error) {
      if (!budget.hasRetry || !(error instanceof LiquidRenderError && error.message === TOO_SLOW)) throw error;
      Object.assign(budget, { steps, leftMs: LONGEST_MS, hasRetry: false });
      return this.run(data, budget);
    }
  }

  private run(data: Readonly<Record<string, unknown>>, budget: RenderBudget): string {
    const start = performance.now();
    const deadline = start + budget.leftMs;
    const renderLimit = {
      use: () => undefined,
      check: (now: number) => {
        if (--budget.steps < 0) throw new OverLimit(`takes more than ${MOST_STEPS} steps`);
        if (now > deadline) throw new OverLimit(TOO_SLOW);
      },
    };
    let length = 0;
    const emitter = new BoundedEmitter((more) => {
      length += more;
      if (length > LONGEST_OUTPUT) throw new OverLimit(`makes more than ${LONGEST_OUTPUT} characters`);
    });
    const { engine } = this;
    const context = new Context(
      data,
      engine.options,
      { sync: true },
      { renderLimit: renderLimit as never, liquid: engine },
    );
    try {
      toValueSync(engine.renderer.renderTemplates(this.templates, context, emitter));
    } catch (error) {
      throw renderError(error);
    } finally {
      budget.leftMs -= performance.now() - start;
    }
    return emitter.buffer;
  }
}

const TOO_SLOW = `takes longer than ${LONGEST_MS} ms`;

function renderError(error: unknown): LiquidRenderError {
  const causes = [...causesOf(error)];
  const missing = causes.find(({ name }) => name === 'InternalUndefinedVariableError');
  if (missing !== undefined) {
    const variable = (missing as { variableName?: string }).variableName ?? '';
    return new LiquidRenderError('missing', `the variable ${variable} has no value`, variable);
  }
  const over = causes.find((one) => one instanceof OverLimit);
  if (over !== undefined) return new LiquidRenderError('too_complex', over.message);
  // Liquid's own limit of memory; a template that nests too deeply; a text longer than any can be.
  if (causes.some((one) => one.name === 'RangeError' || one.message.endsWith(' limit exceeded')))
    return new LiquidRenderError('too_complex', 'makes or nests more than a rendering may');
  return new LiquidRenderError('failed', describe(error));
}

function* causesOf(error: unknown): Generator<Error> {
  for (let at = error; at !== undefined; at = (at as { originalError?: unknown }).originalError) yield at as Error;
}

/** What is wrong, and where in the text. */
function describe(error: unknown): string {
  if ([...causesOf(error)].some((one) => one.name === 'RangeError')) return 'is nested too deeply';
  if (!(error instanceof Error)) return 'cannot be read';
  const text = error.message.replace(/(, file:[^,]*)?, line:\d+, col:\d+$/, '').toWellFormed();
  if (!LiquidError.is(error)) return text;
  const [line, column] = (error as LiquidError).token.getPosition();
  return `line ${line}, column ${column}: ${text.slice(0, 300)}`;
}
