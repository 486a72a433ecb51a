import { LiquidRenderError, LiquidSyntaxError, LiquidText, RenderBudget } from './liquid-text';
import type { Escaping } from './liquid-engine';

const render = (source: string, data: object = {}, escaping: Escaping = 'none', language = 'en') =>
  LiquidText.parse(source, escaping, language).render(data as Record<string, unknown>);

function refusal(source: string, data: object = {}, escaping: Escaping = 'none'): LiquidRenderError {
  try {
    render(source, data, escaping);
  } catch (error) {
    if (error instanceof LiquidRenderError) return error;
    throw error;
  }
  throw new Error(`${source} was rendered`);
}

function syntax(source: string): string {
  try {
    LiquidText.parse(source, 'none', 'en');
  } catch (error) {
    if (error instanceof LiquidSyntaxError) return error.message;
    throw error;
  }
  throw new Error(`${source} was parsed`);
}

describe('LiquidText', () => {
  it('fills in values, also with loops, branches and filters', () => {
    expect(render('Hello {{ name }}', { name: 'Åsa' })).toBe('Hello Åsa');
    expect(
      render('{% for x in list %}{{ x.a | upcase }}{% unless forloop.last %}, {% endunless %}{% endfor %}', {
        list: [{ a: 'b' }, { a: 'c' }],
      }),
    ).toBe('B, C');
    expect(
      render('{{ price | times: 2 | round: 2 }} {{ when | date: "%Y-%m-%d %H:%M" }}', {
        price: 1.25,
        when: '2026-03-01T12:30:00+01:00',
      }),
    ).toBe('2.5 2026-03-01 11:30');
    expect(render('{{ when | date: "%A %B" }}', { when: '2026-03-01T12:30:00Z' }, 'none', 'de')).toBe('Sonntag März');
    expect(render('{{ when | date: "%H:%M", "Europe/Stockholm" }}', { when: '2026-07-01T12:30:00Z' })).toBe('14:30');
  });

  it.each<[string, string]>([
    ['{{ name }}', 'name'],
    ['{{ player.name }}', 'player.name'],
    ['{{ player.team.name }}', 'player.team.name'],
    ['{% for x in list %}{% endfor %}', 'list'],
    ['{{ constructor }}', 'constructor'],
    ['{{ player.constructor }}', 'player.constructor'],
    ['{{ player.__proto__ }}', 'player.__proto__'],
    ['{{ toString }}', 'toString'],
    ['{{ player.hasOwnProperty }}', 'player.hasOwnProperty'],
  ])('names the missing variable of %s', (source, variable) => {
    expect(refusal(source, { player: { team: {} } })).toMatchObject({ reason: 'missing', variable });
  });

  it('lets a template ask whether there is a value', () => {
    expect(render('{% if name %}{{ name }}{% else %}you{% endif %}')).toBe('you');
    expect(render('{{ name | default: "you" }}')).toBe('you');
  });

  it.each<[Escaping, string, string]>([
    ['none', '<b>&"\'', '<b>&"\''],
    ['html', '<b>&"\'', '&lt;b&gt;&amp;&#34;&#39;'],
    ['markdown', 'a_b*c`d[e', 'a\\_b\\*c\\`d\\[e'],
    ['markdown_v2', '1.5-2 (x)!', '1\\.5\\-2 \\(x\\)\\!'],
  ])('escapes for %s', (escaping, value, expected) => {
    expect(render('{{ value }}', { value }, escaping)).toBe(expected);
    expect(render('{{ value | raw }}', { value }, escaping)).toBe(value);
    expect(render('<b>*', {}, escaping)).toBe('<b>*');
  });

  it('escapes HTML once where the template does it by hand', () => {
    expect(render('{{ x | escape }}', { x: '<' }, 'html')).toBe('&lt;');
    expect(render('{{ x | escape_once }}', { x: '&lt;<' }, 'html')).toBe('&lt;&lt;');
    expect(render('{% capture y %}{{ x }}{% endcapture %}{{ y | raw }}', { x: '<' }, 'html')).toBe('&lt;');
  });

  it.each([
    ['{% include "x" %}', /line 1, column 1: tag "include" not found/],
    ['{% render "/etc/passwd" %}', /tag "render" not found/],
    ['{% layout "x" %}', /tag "layout" not found/],
    ['{{ x | sha256 }}', /undefined filter: sha256/],
    ['{{ x | sample }}', /undefined filter: sample/],
    ['a\nb {% if x %}\nc', /line 2, column 3: tag {% if x %} not closed/],
    ['a\n{{ x', /line 2, column 1: output "{{ x" not closed/],
    ['{% bogus %}', /line 1, column 1: tag "bogus" not found/],
  ])('says where %j cannot be read', (source, message) => {
    expect(syntax(source)).toMatch(message);
  });

  it('refuses what is nested too deeply', () => {
    expect(syntax('{% if x %}'.repeat(30_000))).toBe('is nested too deeply');
  });

  it('prints no object', () => {
    expect(refusal('{{ player }}', { player: { a: 1 } })).toMatchObject({
      reason: 'failed',
      message: /^line 1, column 1: an object/,
    });
    expect(refusal('{{ player }}', { player: { a: 1 } }, 'html').reason).toBe('failed');
    expect(render('{{ player | json }}', { player: { a: 1 } })).toBe('{"a":1}');
  });

  const wide = `{% for a in (1..9000) %}${'x'.repeat(1000)}{% endfor %}`;
  it.each([
    ['an endless loop', '{% for a in (1..100000000) %}x{% endfor %}'],
    ['loops in loops', '{% for a in (1..1000) %}{% for b in (1..1000) %}x{% endfor %}{% endfor %}'],
    ['an empty loop', '{% for a in (1..1000) %}{% for b in (1..1000) %}{% endfor %}{% endfor %}'],
    ['a table', '{% tablerow a in (1..1000000) %}x{% endtablerow %}'],
    ['a long output', wide],
    [
      'a text that doubles',
      '{% assign a = "xxxxxxxxxx" %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}{{ a }}',
    ],
    [
      'a captured text that doubles',
      '{% assign a = "xxxxxxxxxx" %}{% for i in (1..60) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}',
    ],
    [
      'a captured text in html',
      '{% assign a = "<" %}{% for i in (1..60) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}',
      'html',
    ],
    [
      'a list that doubles',
      '{% assign a = "1,2" | split: "," %}{% for i in (1..60) %}{% assign a = a | concat: a %}{% endfor %}',
    ],
    ['a wide number', '{{ "2026-01-01" | date: "%999999999d" }}'],
    [
      'much replacing',
      '{% assign a = text %}{% for i in (1..2000) %}{% assign a = a | replace: "x", "xx" %}{% endfor %}',
    ],
    ['much comparing', '{% for i in (1..19000) %}{% if list contains "no" %}{% endif %}{% endfor %}'],
  ])('ends %s soon', (_what, source, escaping: string = 'none') => {
    const start = performance.now();
    const data = { text: 'x'.repeat(10_000), list: Array.from({ length: 10_000 }, (_, i) => `n${i}`) };
    expect(refusal(source, data, escaping as Escaping).reason).toBe('too_complex');
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('lets all texts of a budget take together what one may', () => {
    const source = '{% for i in (1..9) %}{% if a %}{% endif %}{% endfor %}';
    const text = LiquidText.parse(source, 'none', 'en');
    const one = new RenderBudget();
    const before = one.steps;
    text.render({}, one);
    const steps = before - one.steps;
    expect(steps).toBeGreaterThan(9);
    const budget = Object.assign(new RenderBudget(), { steps: 2 * steps });
    expect(text.render({}, budget)).toBe('');
    expect(text.render({}, budget)).toBe('');
    expect(() => text.render({}, budget)).toThrow('takes more than 20000 steps');
    expect(text.render({})).toBe('');

    const slow = LiquidText.parse(
      '{% for i in (1..9000) %}{% if list contains "no" %}{% endif %}{% endfor %}',
      'none',
      'en',
    );
    const list = Array.from({ length: 20_000 }, (_, i) => `n${i}`);
    const shared = new RenderBudget();
    const start = performance.now();
    for (let i = 0; i < 50; i++) expect(() => slow.render({ list }, shared)).toThrow(LiquidRenderError);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('does not read the machine: no environment, files, globals', () => {
    expect(refusal('{{ process.env.HOME }}')).toMatchObject({ reason: 'missing', variable: 'process' });
    expect(refusal('{{ globalThis }}').reason).toBe('missing');
  });

  it('knows the variables that it takes', () => {
    const text = LiquidText.parse(
      '{{ a.b }}{% assign c = d %}{{ c }}{% for e in f %}{{ e }}{{ g | plus: h }}{% endfor %}',
      'none',
      'en',
    );
    expect(text.variables().toSorted()).toEqual(['a', 'd', 'f', 'g', 'h']);
  });
});
