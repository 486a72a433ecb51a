import { z } from 'zod';
import { fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { Problem } from '../../kernel/problem';

const client = 'acme_corp_1234567890123456';
const stranger = 'stranger_1234567890123456';

/** A token given in the document itself, as `"telegram": {"primary": "chat_bot", "bot_token": "…"}`. */
describe('GatewayRoutesService: a bot token in the document', () => {
  const bot = fakeProvider({
    key: 'chat_bot',
    slug: 'chat',
    aliases: ['chat-old'],
    channel: 'telegram',
    settings: z.strictObject({}),
    credentials: {
      bot_token: { description: 'Token.', secret: true, required: true, pattern: /^\d+:\w+$/, example: '1:a' },
      webhook_secret: { description: 'Secret.', secret: true, required: false, example: 's' },
    },
  });
  const other = fakeProvider({ key: 'no_token', slug: 'no-token', aliases: [], channel: 'telegram' });
  let stack: GatewayStack;
  beforeEach(async () => {
    stack = await createGatewayStack({ definitions: [bot, other] });
  });
  afterEach(() => stack.close());

  const put = (telegram: object, more: object = {}) =>
    stack.routes.replaceDocument(client, { gateways: { telegram, ...more } });
  const configs = (of = client) => stack.configs.list(of, bot, { limit: 10 });
  const tokenOf = async (id: string) => {
    const { credentials } = await stack.secrets.open((await stack.directory.config(client, id))!);
    return credentials.bot_token!.reveal();
  };
  const fields = async (work: Promise<unknown>): Promise<string[]> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Problem);
    const problem = error as Problem;
    expect(JSON.stringify([problem.detail, problem.options])).not.toContain('s3cret');
    return problem.options.errors!.map(({ field, code }) => `${field} ${code}`);
  };

  it('makes the config, seals the token and reads back "encrypted"', async () => {
    const document = { telegram: { primary: 'chat_bot', bot_token: 'encrypted' } };
    await expect(put({ primary: 'chat_bot', bot_token: '1:s3cret' })).resolves.toEqual(document);
    await expect(stack.routes.get(client)).resolves.toEqual(document);
    const [config, ...rest] = await configs();
    expect(rest).toEqual([]);
    expect(config).toMatchObject({ status: 'active', channel: 'telegram' });
    await expect(tokenOf(config!.id)).resolves.toBe('1:s3cret');
    const [stored] = await stack.database.query<{ text: string }>(
      `SELECT (SELECT string_agg(r::text, '') FROM gateway_routes r) || (SELECT string_agg(c::text, '') FROM provider_configs c)
           || (SELECT string_agg(s::text, '') FROM secrets s) AS text`,
    );
    expect(stored!.text).not.toContain('s3cret');
    await expect(configs(stranger)).resolves.toEqual([]);
    const route = await stack.router.route(client, { channel: 'telegram', to: '5' });
    expect(route.candidates.map(({ configId }) => configId)).toEqual([config!.id]);
  });

  it('changes the config that there is, and leaves it alone when it gets back what it showed', async () => {
    await put({ primary: 'chat_bot', bot_token: '1:s3cret' });
    const { id } = (await configs())[0]!;
    await put({ primary: 'chat_bot', bot_token: '2:s3cret' });
    expect((await configs()).map((config) => config.id)).toEqual([id]);
    await expect(tokenOf(id)).resolves.toBe('2:s3cret');
    const { version } = (await stack.directory.config(client, id))!;
    await put({ primary: 'chat_bot', bot_token: 'encrypted' });
    expect((await stack.directory.config(client, id))!.version).toBe(version);
    await expect(tokenOf(id)).resolves.toBe('2:s3cret');
    await put({ primary: id, bot_token: '3:s3cret' });
    await expect(tokenOf(id)).resolves.toBe('3:s3cret');
    await put({ primary: 'chat-old' });
    await expect(stack.routes.get(client)).resolves.toEqual({ telegram: { primary: 'chat-old' } });
  });

  it('puts a paused or draft config into service', async () => {
    const { id } = await stack.configs.create(client, bot, { credentials: { bot_token: '1:old' } });
    await put({ primary: 'chat_bot', bot_token: '1:s3cret' });
    expect(await stack.directory.config(client, id)).toMatchObject({ status: 'active' });
    await stack.configs.act(client, bot, id, 'pause');
    await put({ primary: id, bot_token: '2:s3cret' });
    expect(await stack.directory.config(client, id)).toMatchObject({ status: 'active' });
    await stack.configs.act(client, bot, id, 'decommission');
    await put({ primary: 'chat_bot', bot_token: '3:s3cret' });
    expect((await configs()).map((config) => config.id)).not.toContain(id);
  });

  it.each<[string, object, string[]]>([
    [
      'a token that is none',
      { primary: 'chat_bot', bot_token: 's3cret' },
      ['gateways.telegram.bot_token invalid_format'],
    ],
    ['an empty token', { primary: 'chat_bot', bot_token: '' }, ['gateways.telegram.bot_token too_short']],
    [
      'a provider without one',
      { primary: 'no_token', bot_token: '1:s3cret' },
      ['gateways.telegram.bot_token invalid_value'],
    ],
    [
      'an unknown provider',
      { primary: 'nobody', bot_token: '1:s3cret' },
      ['gateways.telegram.primary unknown_provider'],
    ],
    ['an unknown config', { primary: 'cfg_1', bot_token: '1:s3cret' }, ['gateways.telegram.primary unknown_config']],
    [
      'another target without config',
      { primary: 'chat_bot', bot_token: '1:s3cret', fallback: ['no_token'] },
      ['gateways.telegram.fallback[0] no_active_config'],
    ],
    [
      'what was never given',
      { primary: 'chat_bot', bot_token: 'encrypted' },
      ['gateways.telegram.primary no_active_config'],
    ],
  ])('makes nothing of %s', async (_, telegram, expected) => {
    await expect(fields(put(telegram))).resolves.toEqual(expected);
    await expect(configs()).resolves.toEqual([]);
    await expect(stack.routes.get(client)).resolves.toEqual({});
  });

  it('knows no token in other channels', async () => {
    const sms = { primary: 'x', bot_token: '1:s3cret' };
    await expect(fields(stack.routes.replaceDocument(client, { gateways: { sms } }))).resolves.toEqual([
      'gateways.sms.bot_token unknown_field',
    ]);
  });
});
