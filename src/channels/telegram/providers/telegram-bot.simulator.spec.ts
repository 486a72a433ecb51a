import type {
  SimulatedCallback,
  SimulatedLife,
  SimulatorAnswer,
  SimulatorPort,
  SimulatorRequest,
} from '../../../gateway/contracts/simulator';
import { telegramSimulator } from './telegram-bot.simulator';

const TOKEN = '123:AAsimulated';

/** What a mistake in what UniMsg sends would be told by the stand-in, so that specs with it can fail. */
describe("the stand-in of Telegram's Bot API", () => {
  let played: SimulatedLife[];
  let port: SimulatorPort;
  beforeEach(() => {
    played = [];
    port = {
      now: () => 1_795_334_400_000,
      play: (life: SimulatedLife) => {
        played.push(life);
        return life.accepted();
      },
    } as SimulatorPort;
  });

  const ask = async (method: string, body: object, token = TOKEN, type = 'application/json') => {
    const request: SimulatorRequest = {
      method: 'POST',
      path: `/bot${token}/${method}`,
      query: new URLSearchParams(),
      headers: { 'content-type': type },
      body: Buffer.from(JSON.stringify(body)),
    };
    const answer = (await telegramSimulator.handle(request, port)) as SimulatorAnswer;
    const json = JSON.parse(answer.body) as { ok: boolean; result?: unknown; description?: string };
    return { status: answer.status, ...json };
  };

  it('remembers each webhook, and sends the answers of people there, with its secret', async () => {
    const url = 'http://127.0.0.1:9/webhook/telegram/events/cfg_1';
    expect((await ask('setWebhook', { url, secret_token: 's-1', allowed_updates: ['message'] })).result).toBe(true);
    await ask('setWebhook', { url: `${url}2`, secret_token: 's-2' }, '456:AAother');
    await ask('sendMessage', { chat_id: 7, text: 'Hi' });
    const replies = () => played[0]!.callbacks('inbound') as SimulatedCallback[];
    const [callback, ...rest] = replies();
    expect(rest).toEqual([]);
    expect(callback).toMatchObject({
      url,
      method: 'POST',
      headers: { 'x-telegram-bot-api-secret-token': 's-1', 'content-type': 'application/json' },
    });
    expect(JSON.parse(callback!.body)).toMatchObject({ message: { chat: { id: 7 }, text: 'Re: Hi' } });
    expect(JSON.parse(replies()[0]!.body).update_id).toBe(JSON.parse(callback!.body).update_id + 1);
    expect(played[0]!.callbacks('delivered')).toEqual([]);
    expect((await ask('getWebhookInfo', {})).result).toMatchObject({ url });
    await ask('setWebhook', { url: '' });
    expect(replies()).toEqual([]);
  });

  it.each<[string, string, object, number, string]>([
    ['an unknown parameter', 'sendMessage', { chat_id: 7, text: 'x', silent: true }, 400, 'unknown parameter silent'],
    ['a caption of a text', 'sendMessage', { chat_id: 7, text: 'x', caption: 'x' }, 400, 'unknown parameter caption'],
    ['no chat', 'sendMessage', { text: 'x' }, 400, 'chat_id is empty'],
    ['a chat that is none', 'sendMessage', { chat_id: 'acme', text: 'x' }, 400, 'chat not found'],
    ['no text', 'sendMessage', { chat_id: 7 }, 400, 'message text is empty'],
    ['a long text', 'sendMessage', { chat_id: 7, text: 'x'.repeat(4097) }, 400, 'message is too long'],
    ['another parse mode', 'sendMessage', { chat_id: 7, text: 'x', parse_mode: 'html' }, 400, 'unsupported parse_mode'],
    ['no photo', 'sendPhoto', { chat_id: 7 }, 400, 'there is no photo'],
    ['a photo that is no address', 'sendPhoto', { chat_id: 7, photo: 'x' }, 400, 'wrong HTTP URL'],
    [
      'a long caption',
      'sendPhoto',
      { chat_id: 7, photo: 'https://x.example/a', caption: 'x'.repeat(1025) },
      400,
      'caption is too long',
    ],
    ['a secret with spaces', 'setWebhook', { url: 'https://x.example', secret_token: 'a b' }, 400, 'secret token'],
    ['no URL', 'setWebhook', {}, 400, 'bad webhook'],
    ['an unknown method', 'sendFax', { chat_id: 7 }, 404, 'Not Found'],
  ])('refuses %s', async (_, method, body, status, description) => {
    const answer = await ask(method, body);
    expect([answer.status, answer.ok]).toEqual([status, false]);
    expect(answer.description).toContain(description);
    expect(played).toEqual([]);
  });

  it('refuses a form, a token that is none and one that begins with "invalid"', async () => {
    expect((await ask('sendMessage', { chat_id: 7, text: 'x' }, TOKEN, 'text/plain')).status).toBe(400);
    expect((await ask('getMe', {}, '%zz')).status).toBe(404);
    expect((await ask('getMe', {}, 'made-up')).status).toBe(200);
    expect((await ask('getMe', {}, '123:invalid-token')).status).toBe(401);
  });
});
