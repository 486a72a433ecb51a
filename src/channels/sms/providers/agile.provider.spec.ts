import { Secret } from '../../../kernel/secret';
import type { CallbackRequest, CallbackSecrets, InboundEvent } from '../../../gateway/contracts/callback';
import { InvalidSignature } from '../../../gateway/contracts/gateway-error';
import { agile } from './agile.provider';

// The suite of all providers is about sending, which this one does not: here is what there is of it.
const TOKEN = 'abcdefghijklmnopqrstuvwxyz012345';
const BODY =
  'originator=%2B393331234567&destination=%2B393399957000&date_time=20261122093015&text=Ciao+%F0%9F%99%82+1%2B1%3D2%26';
const inbound = agile.callbacks.inbound!;

function secrets(token: string): CallbackSecrets {
  return { credentials: {}, settings: {}, urlToken: new Secret(token) };
}

function post(body = BODY, query = `token=${TOKEN}`): CallbackRequest {
  return {
    method: 'POST',
    publicUrl: `https://um.example.com/webhook/agile/inbound/cfg_1?${query}`,
    query: new URLSearchParams(query),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    rawBody: Buffer.from(body),
  };
}

const read = (body: string, settings?: Record<string, unknown>): InboundEvent =>
  inbound.parse(post(body), settings)[0] as InboundEvent;

describe('Agile Telecom', () => {
  it('sends nothing', async () => {
    const gateway = agile.create({} as never);
    expect(agile.inboundOnly).toBe(true);
    expect(gateway.validate({} as never, {})).toMatchObject([{ code: 'inbound_only' }]);
    await expect(gateway.send({} as never, {} as never)).rejects.toMatchObject({
      class: 'config',
      code: 'inbound_only',
    });
    expect(await gateway.healthCheck({} as never)).toEqual({ healthy: true });
  });

  it('is proved by the token in the URL, and by no other', () => {
    expect(inbound.authentication).toBe('url_token');
    expect(() => inbound.verify(post(), secrets(TOKEN), 0)).not.toThrow();
    for (const query of ['', 'token=', `token=${TOKEN.slice(1)}`, `token=${TOKEN}&token=${TOKEN}`, `Token=${TOKEN}`])
      expect(() => inbound.verify(post(BODY, query), secrets(TOKEN), 0)).toThrow(InvalidSignature);
    expect(() => inbound.verify(post(BODY, 'token='), secrets(''), 0)).toThrow(InvalidSignature);
  });

  it('is answered with +OK and nothing else', () => {
    expect(inbound.answer).toEqual({ status: 200, contentType: 'text/plain', body: '+OK' });
  });

  it('reads a message, whatever is in its text', () => {
    expect(inbound.parse(post())).toEqual([
      {
        kind: 'inbound',
        eventId: expect.stringMatching(/^[0-9a-f]{64}$/),
        repeatsFor: 24 * 3_600_000,
        // 9:30:15 in Rome.
        occurredAt: Date.UTC(2026, 10, 22, 8, 30, 15),
        rawWord: 'inbound',
        from: '+393331234567',
        to: '+393399957000',
        text: 'Ciao \u{1F642} 1+1=2&',
        detail: { date_time: '20261122093015' },
      },
    ]);
    expect(read('originator=393331234567&destination=48420&text=a%00b')).toMatchObject({
      from: '+393331234567',
      to: '48420',
      text: 'ab',
      occurredAt: null,
    });
    expect(read(BODY, { time_zone: 'UTC' }).occurredAt).toBe(Date.UTC(2026, 10, 22, 9, 30, 15));
    expect(read(BODY.replace('20261122', '20261399')).occurredAt).toBeNull();
    expect(inbound.locate(post())).toEqual({ recipient: '+393399957000' });
    expect(inbound.locate(post('%ff=%'))).toEqual({});
  });

  it('takes the same sender, number, time and text for the same message, and nothing else', () => {
    const { eventId } = read(BODY);
    const order = BODY.split('&').toReversed().join('&');
    expect(read(order).eventId).toBe(eventId);
    const others = ['originator=%2B39333123456', 'destination=%2B3933', 'date_time=2026', 'text=Ciao'].map((field) =>
      read(BODY.replace(field, `${field}9`)),
    );
    expect(new Set([eventId, ...others.map((event) => event.eventId)]).size).toBe(5);
  });

  it.each(['', 'text=x', 'originator=1&text=x', 'originator=1&destination=2'])('cannot read %p', (body) => {
    expect(() => inbound.parse(post(body))).toThrow('Agile Telecom');
  });

  it.each(['Mars/Olympus', ''])('takes no time zone %p', (zone) => {
    expect(agile.settings.safeParse({ time_zone: zone }).success).toBe(false);
    expect(agile.settings.parse({})).toEqual({ time_zone: 'Europe/Rome' });
  });
});
