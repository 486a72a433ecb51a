import type { Wire } from '../support/api-client';
import { assertStatus, Service, type Tenant } from '../support/e2e-service';

const REMINDER = {
  name: 'Game reminder',
  channels: {
    sms: { message: 'Hi {{ name }}, game at {{ time }}.' },
    email: {
      subject: 'Game at {{ time }}',
      text: 'Hi {{ name }}',
      html: '<p>Hi {{ name }}</p>',
    },
    push: { title: 'Game', body: 'Hi {{ name }}', data: { game: '{{ game.id }}' } },
  },
  locales: { de: { sms: { message: 'Hallo {{ name }}, Spiel um {{ time }}.' } } },
  variables: ['name', 'time'],
};
const DATA = { name: 'Åsa', time: '18:30', game: { id: 7 } };

describe('templates', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  async function create(template: object = REMINDER): Promise<Wire> {
    const created = await tenant.api.post('/v1/templates', template);
    assertStatus(created, 201);
    return created.body.data;
  }
  const preview = (id: string, body: object) => tenant.api.post(`/v1/templates/${id}/preview`, body);
  const one = (message: string, more: object = {}) => create({ name: 'one', channels: { sms: { message } }, ...more });

  it('keeps what it is given, makes a version of each change, and forgets a deleted one', async () => {
    const made = await create();
    expect(made).toMatchObject({
      ...REMINDER,
      version: 1,
      used_variables: ['game', 'name', 'time'],
      default_locale: null,
    });
    expect(made.id).toMatch(/^tpl_/);
    const path = `/v1/templates/${made.id}`;
    expect((await tenant.api.get(path)).body.data).toEqual(made);

    const patched = await tenant.api.patch(path, {
      name: 'Reminder',
      channels: { push: null, telegram: { message: 'Hi' } },
      locales: { 'de-at': { sms: { message: 'Servus {{ name }}' } } },
    });
    expect(patched.body.data).toMatchObject({ version: 2, name: 'Reminder', created_at: made.created_at });
    expect(Object.keys(patched.body.data.channels)).toEqual(['sms', 'email', 'telegram']);
    expect(patched.body.data.locales).toEqual({
      ...REMINDER.locales,
      'de-AT': { sms: { message: 'Servus {{ name }}' } },
    });
    // Nothing is different, so there is no new version.
    expect((await tenant.api.patch(path, { name: 'Reminder' })).body.data.version).toBe(2);
    expect((await tenant.api.patch(path, { locales: { de: null }, variables: null })).body.data).toMatchObject({
      version: 3,
      locales: { 'de-AT': {} },
      variables: null,
    });
    const replaced = await tenant.api.put(path, REMINDER);
    expect(replaced.body.data).toMatchObject({ ...REMINDER, version: 4 });

    const versions = await tenant.api.get(`${path}/versions?limit=3`);
    expect(versions.body.data.map((each: Wire) => each.version)).toEqual([4, 3, 2]);
    const rest = await tenant.api.get(`${path}/versions?limit=3&cursor=${versions.body.meta.next_cursor}`);
    expect([rest.body.data.map((each: Wire) => each.version), rest.body.meta.next_cursor]).toEqual([[1], null]);
    expect((await tenant.api.get(`${path}/versions/1`)).body.data).toEqual(made);
    expect((await tenant.api.get(`${path}/versions/5`)).status).toBe(404);

    expect((await tenant.api.delete(path)).body.data).toEqual({ id: made.id, deleted: true });
    for (const gone of [path, `${path}/versions`, `${path}/versions/1`])
      expect([gone, (await tenant.api.get(gone)).status]).toEqual([gone, 404]);
    expect((await tenant.api.delete(path)).status).toBe(404);
  });

  it('keeps one channel', async () => {
    const { id } = await one('x');
    const refused = await tenant.api.patch(`/v1/templates/${id}`, { channels: { sms: null } });
    expect([refused.status, refused.body.errors[0].field]).toEqual([400, 'channels.sms']);
    const other = await tenant.api.patch(`/v1/templates/${id}`, { channels: { sms: null, push: { title: 'x' } } });
    expect(Object.keys(other.body.data.channels)).toEqual(['push']);
    const absent = await preview(id, { channel: 'sms' });
    expect([absent.status, absent.body.errors[0].field]).toEqual([422, 'channel']);
  });

  it('lists pages, newest first', async () => {
    const ids = [];
    for (let i = 0; i < 3; i++) ids.unshift((await create()).id);
    const first = await tenant.api.get('/v1/templates?limit=2');
    expect(first.body.data.map((each: Wire) => each.id)).toEqual(ids.slice(0, 2));
    const second = await tenant.api.get(`/v1/templates?limit=2&cursor=${first.body.meta.next_cursor}`);
    expect(second.body.data[0].id).toBe(ids[2]);
  });

  it('shows what each channel would say, and sends nothing', async () => {
    const { id } = await create();
    const shown = await preview(id, { data: { ...DATA, name: 'Ann & <Bo>' } });
    assertStatus(shown, 200);
    expect(shown.body.data).toEqual({
      template_id: id,
      version: 1,
      channels: {
        sms: {
          locale: null,
          content: { message: 'Hi Ann & <Bo>, game at 18:30.' },
          encoding: 'gsm7',
          segments: 1,
          characters: 29,
          ucs2_characters: [],
        },
        email: {
          locale: null,
          content: { subject: 'Game at 18:30', text: 'Hi Ann & <Bo>', html: '<p>Hi Ann &amp; &lt;Bo&gt;</p>' },
          encoding: null,
          segments: null,
          characters: null,
          ucs2_characters: [],
        },
        push: {
          locale: null,
          content: { title: 'Game', body: 'Hi Ann & <Bo>', data: { game: '7' } },
          encoding: null,
          segments: null,
          characters: null,
          ucs2_characters: [],
        },
      },
    });
    expect((await tenant.api.get('/v1/messages')).body.data).toEqual([]);
  });

  it('measures an SMS as it would go out', async () => {
    const { id } = await one('{{ text }}');
    const measured = async (text: string) => (await preview(id, { data: { text } })).body.data.channels.sms;
    expect(await measured('x'.repeat(161))).toMatchObject({ encoding: 'gsm7', segments: 2, characters: 161 });
    expect(await measured(`ć${'x'.repeat(70)}ł`)).toMatchObject({
      encoding: 'ucs2',
      segments: 2,
      characters: 72,
      ucs2_characters: ['ć', 'ł'],
    });
  });

  it.each<[string | undefined, string, string | null]>([
    ['de', 'Hallo', 'de'],
    ['de-CH-1996', 'Hallo', 'de'],
    ['DE-at', 'Servus', 'de-AT'],
    ['de-AT-x-wien', 'Servus', 'de-AT'],
    ['fr-CA', 'Hi', null],
    [undefined, 'Hi', null],
  ])('speaks to %s in the language that fits best', async (locale, word, chosen) => {
    const { id } = await create({
      ...REMINDER,
      locales: {
        de: { sms: { message: 'Hallo {{ name }}' } },
        'de-AT': { sms: { message: 'Servus {{ name }}' } },
      },
    });
    const { sms, push } = (await preview(id, { locale, data: DATA })).body.data.channels;
    expect([sms.content.message, sms.locale]).toEqual([expect.stringMatching(`^${word} Åsa`), chosen]);
    // A channel that the language does not have is as in the default.
    expect([push.content.title, push.locale]).toEqual(['Game', null]);
  });

  it('names days and months in the language', async () => {
    const { id } = await one('{{ at | date: "%A" }}', {
      locales: { sv: { sms: { message: '{{ at | date: "%A" }}' } } },
    });
    const data = { at: '2026-03-01T12:00:00Z' };
    const { sms } = (await preview(id, { locale: 'sv-SE', data })).body.data.channels;
    expect(sms.content.message).toBe('söndag');
    expect((await preview(id, { data })).body.data.channels.sms.content.message).toBe('Sunday');
  });

  it('names every missing variable, and those of the wrong type', async () => {
    const { id } = await create();
    const missing = await preview(id, { data: { game: {} } });
    expect([missing.status, missing.body.errors.map((error: Wire) => [error.field, error.code])]).toEqual([
      422,
      [
        ['data.name', 'missing_variable'],
        ['data.time', 'missing_variable'],
        ['data.game.id', 'missing_variable'],
      ],
    ]);
    // Null is no value.
    expect((await preview(id, { data: { ...DATA, name: null } })).body.errors[0].field).toBe('data.name');
    const typed = await create({
      ...REMINDER,
      variables: {
        name: { type: 'string', default: 'player' },
        time: { type: 'string', required: true, example: '18:30' },
        'game.id': { type: 'number', example: 7 },
        team: { required: false },
      },
    });
    const defaults = await preview(typed.id, { data: { time: '9', game: { id: 7 } } });
    expect(defaults.body.data.channels.sms.content.message).toBe('Hi player, game at 9.');
    expect((await preview(typed.id, {})).body.data.channels.push.content.data).toEqual({ game: '7' });
    const wrong = await preview(typed.id, { data: { time: [], game: { id: 'x' } } });
    expect([wrong.status, wrong.body.errors.map((error: Wire) => error.field)]).toEqual([
      422,
      ['data.time', 'data.game.id'],
    ]);
  });

  it.each([
    [
      { name: 'string', due: 'the day of the game' },
      { name: { type: 'string' }, due: { description: 'the day of the game' } },
    ],
    [['name', { name: 'due', type: 'date', required: false }], { name: {}, due: { type: 'date', required: false } }],
  ])('takes variables as %j', async (variables, shown) => {
    const { id } = await create({ name: 'x', channels: { sms: { message: '{{ name }}' } }, variables });
    expect((await tenant.api.get(`/v1/templates/${id}`)).body.data.variables).toEqual(shown);
  });

  it.each([
    ['integer', [7, -1], [7.5, '7']],
    ['date', ['2026-02-28'], ['2026-02-30', '2026-13-01', '28.2.2026', '2026-02-28T12:00:00Z']],
    [
      'datetime',
      ['2026-02-28T18:30Z', '2026-02-28T18:30:00.5+01:00', '2026-02-28 18:30'],
      ['2026-02-28', '2026-02-28T25:00Z'],
    ],
    ['url', ['https://example.com/a?b', 'app://open'], ['example.com', 7]],
    ['email', ['ada@example.com'], ['ada', 'Ada <ada@example.com>']],
  ])('takes for a variable of the type %s what is one', async (type, right, wrong) => {
    const { id } = await create({ name: 'x', channels: { sms: { message: 'x{{ a }}' } }, variables: { a: type } });
    for (const a of right) expect([a, (await preview(id, { data: { a } })).status]).toEqual([a, 200]);
    for (const a of wrong) {
      const refused = await preview(id, { data: { a } });
      expect([a, refused.status, refused.body.errors[0]]).toMatchObject([
        a,
        422,
        { field: 'data.a', code: 'invalid_type' },
      ]);
    }
  });

  it('says which text is too long or broken with the data', async () => {
    const { id } = await create({
      name: 'x',
      channels: { sms: { message: '{{ a }}' }, email: { subject: '{{ b }}', text: 'x' } },
    });
    const refused = async (data: object) => {
      const { status, body } = await preview(id, { data });
      return [status, body.errors.map((error: Wire) => [error.field, error.code])];
    };
    expect(await refused({ a: 'x'.repeat(1601), b: 'x' })).toEqual([422, [['channels.sms.message', 'invalid_value']]]);
    expect(await refused({ a: ' ', b: 'x' })).toEqual([422, [['channels.sms.message', 'required']]]);
    expect(await refused({ a: 'x', b: 'x\r\nBcc: all@example.com' })).toEqual([
      422,
      [['channels.email.subject', 'invalid_characters']],
    ]);
    expect(await refused({ a: {}, b: 'x' })).toEqual([422, [['channels.sms.message', 'invalid_template']]]);
  });

  it('does not let a template hold up the service', async () => {
    const { id } = await one('{% for a in (1..1000000) %}{% for b in (1..1000000) %}{{ b }}{% endfor %}{% endfor %}');
    const start = performance.now();
    const [bomb, live] = await Promise.all([preview(id, { data: {} }), service.anonymous.get('/health/live')]);
    expect([bomb.status, bomb.body.errors[0].field, bomb.body.errors[0].code, live.status]).toEqual([
      422,
      'channels.sms.message',
      'too_complex',
      200,
    ]);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it.each<[object, string, string?]>([
    [{ name: '' }, 'name'],
    [{ channels: {} }, 'channels'],
    [{ channels: { fax: {} } }, 'channels.fax'],
    [{ channels: { sms: {} } }, 'channels.sms.message'],
    [{ channels: { sms: { message: 'a\n{% if x %}' } } }, 'channels.sms.message', 'line 2, column 1'],
    [{ channels: { email: { subject: '{{ x', html: '<p>' } } }, 'channels.email.subject', 'line 1'],
    [{ channels: { sms: { message: '{{ x | nonsense }}' } } }, 'channels.sms.message', 'undefined filter: nonsense'],
    [{ channels: { sms: { message: '{% include "x" %}' } } }, 'channels.sms.message', 'include'],
    [{ channels: { email: { subject: 'x' } } }, 'channels.email'],
    [{ channels: { push: { sound: 'x' } } }, 'channels.push'],
    [{ channels: { push: { data: { a: '{{' } } } }, 'channels.push.data.a', 'line 1'],
    [
      { channels: { push: { data: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`a${i}`, ''])) } } },
      'channels.push.data',
      '50',
    ],
    [{ channels: { whatsapp: { message: 'x', template: { name: 'x' } } } }, 'channels.whatsapp'],
    [{ locales: { xx_YY: { sms: { message: 'x' } } } }, 'locales.xx_YY'],
    [{ locales: { de: { sms: {} } } }, 'locales.de.sms.message'],
    [{ locales: { de: { telegram: { message: 'x' } } } }, 'channels.telegram'],
    [{ locales: { de: { sms: { message: '{%' } } } }, 'locales.de.sms.message', 'line 1'],
    [{ locales: { de: {}, DE: {} } }, 'locales.DE'],
    [{ variables: ['1x'] }, 'variables[0]'],
    [{ variables: { x: { type: 'duration' } } }, 'variables.x.type'],
    [{ variables: { x: { type: 'date', default: '2026-02-30' } } }, 'variables.x.default'],
    [{ variables: { x: 7 } }, 'variables.x'],
    [{ variables: { x: 'y'.repeat(501) } }, 'variables.x'],
    [{ variables: [{ type: 'string' }] }, 'variables[0].name'],
    [{ variables: ['x', { name: 'x' }] }, 'variables[1].name'],
    [{ variables: [{ name: 'x', kind: 'string' }] }, 'variables[0].kind'],
    [{ variables: { x: { type: 'number', default: 'x' } } }, 'variables.x.default'],
    [{ default_locale: 'nonsense_' }, 'default_locale'],
  ])('refuses %j and names %s', async (wrong, field, text = '') => {
    const refused = await tenant.api.post('/v1/templates', { ...REMINDER, locales: undefined, ...wrong });
    expect([refused.status, refused.body.errors[0].field]).toEqual([400, field]);
    expect(refused.body.errors[0].message).toContain(text);
  });

  it('is another tenant’s to nobody', async () => {
    const other = await service.tenant({ twilio: false, vonage: false, sms: null });
    const { id } = await create();
    const path = `/v1/templates/${id}`;
    const answers = await Promise.all([
      other.api.get(path),
      other.api.put(path, REMINDER),
      other.api.patch(path, { name: 'x' }),
      other.api.delete(path),
      other.api.get(`${path}/versions`),
      other.api.get(`${path}/versions/1`),
      other.api.post(`${path}/preview`, { data: DATA }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
    expect((await other.api.get('/v1/templates')).body.data).toEqual([]);
    for (const table of ['templates', 'template_versions'])
      expect(
        await service.database.database.tenant(other.clientId, (tx) => tx.query(`SELECT 1 FROM ${table}`)),
      ).toEqual([]);
    expect((await tenant.api.get(path)).body.data.version).toBe(1);
  });
});
