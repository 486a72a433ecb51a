import { randomBytes } from 'node:crypto';
import PostalMime from 'postal-mime';
import type { RunningProcess } from '../../src/process';
import { eventually, type Wire } from '../support/api-client';
import { ClientReceiver } from '../support/client-receiver';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { ScriptedSmtp } from '../support/scripted-smtp';
import { twilioCallback } from '../support/scripted-twilio';

const OPERATOR = 'operator@unimsg.example';
const DESK = ['ops@acme.example', 'boss@acme.example'];

describe('alerts', () => {
  let service: Service;
  let second: RunningProcess;
  let smtp: ScriptedSmtp;
  let acme: Tenant;
  let bell: Tenant;

  beforeAll(async () => {
    smtp = await ScriptedSmtp.start();
    service = await Service.start({
      UNIMSG_SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
      UNIMSG_MAIL_DOMAIN: 'unimsg.example',
      UNIMSG_ALERT_EMAIL: OPERATOR,
    });
    second = await service.another();
    acme = await service.tenant({ name: 'Acme' });
    bell = await service.tenant({ name: 'Bell' });
    assertStatus(await acme.api.patch('/v1/settings', { alert_emails: DESK }), 200);
  }, 60_000);
  afterAll(async () => {
    await second?.stop();
    await service?.stop();
    await smtp?.close();
  });

  const writes = (to: string, body = 'hello', url = service.url, at = acme) =>
    twilioCallback({
      url: `${url}/webhook/twilio/inbound/${at.twilio.id}`,
      authToken: at.twilio.authToken,
      fields: { MessageSid: `SM${randomBytes(16).toString('hex')}`, From: '+393331234567', To: to, Body: body },
    });
  /** Half of them at each process, at the same time. */
  const write = async (to: string, count: number, at = acme): Promise<void> => {
    const urls = [service.url, second.url];
    const answers = await Promise.all(
      Array.from({ length: count }, (_, index) => writes(to, `text ${index}`, urls[index % 2], at)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  };
  const assign = async (url: string, more: object = {}): Promise<Wire> => {
    const delivery = [{ type: 'webhook', url, format: 'form' }];
    const body = { number: freshNumber('+39350'), provider: 'twilio', delivery, ...more };
    const made = await acme.api.post('/v1/numbers', body);
    assertStatus(made, 201);
    return made.body.data;
  };
  const list = async (query: string, of = acme): Promise<Wire[]> => {
    const answer = await of.api.get(`/v1/alerts?${query}`);
    assertStatus(answer, 200);
    return answer.body.data;
  };
  const alert = (query: string): Promise<Wire> =>
    eventually(
      async () => (await list(query))[0],
      (found) => found !== undefined,
    );
  const mails = async (subject: string): Promise<Array<{ to: string; subject: string; text: string }>> => {
    const all = await Promise.all(smtp.taken.map(({ bytes }) => PostalMime.parse(bytes)));
    return all
      .map((mail) => ({
        to: mail.to?.[0]?.address ?? '',
        from: mail.from?.address,
        subject: mail.subject ?? '',
        text: mail.text ?? '',
      }))
      .filter((mail) => mail.subject.includes(subject));
  };
  const mailed = (subject: string, count: number) =>
    eventually(
      () => mails(subject),
      (found) => found.length >= count,
    );
  const events = async (subject: string): Promise<Wire[]> =>
    (await acme.events('alert.raised,alert.cleared')).filter(({ data }) => data.subject === subject);

  it('tells once of dead letters, over two processes: by event, list and mail; and of their end', async () => {
    const receiver = await ClientReceiver.start((response) => response.end('no'));
    try {
      const number = await assign(receiver.url, { max_attempts: 1 });
      const [{ id: receiverId }] = number.delivery;
      await write(number.number, 12);
      const raised = await alert(`alert=dead_letter&subject=${receiverId}`);
      expect(raised).toMatchObject({
        client_id: acme.clientId,
        state: 'open',
        severity: 'critical',
        data: { receiver_id: receiverId, number_id: number.id, number: number.number },
        cleared_at: null,
      });
      const dead = () => acme.api.get(`/v1/inbound?number=${encodeURIComponent(number.number)}&limit=200`);
      await eventually(dead, ({ body }) =>
        body.data.every(({ deliveries }: Wire) => deliveries[0].status === 'dead_letter'),
      );
      // Its tries may make up an error rate too.
      const title = `Inbound messages not delivered (${receiverId})`;
      const found = await mailed(title, 3);
      expect(found.map(({ to }) => to).sort()).toEqual([...DESK, OPERATOR].sort());
      expect(found[0]).toMatchObject({
        from: 'alerts@unimsg.example',
        subject: `[UniMsg] Alert: ${title}`,
      });
      expect(found[0]!.text).toContain(raised.id);
      const one = await acme.api.get(`/v1/alerts/${raised.id}`);
      expect(one.body.data).toMatchObject({ id: raised.id, alert: 'dead_letter' });

      receiver.answer = (response) => response.end('+OK');
      const again = await acme.api.post('/v1/inbound/redeliver', { number: number.number, status: 'dead_letter' });
      assertStatus(again, 202);
      const over = await eventually(
        () => list(`subject=${receiverId}&alert=dead_letter`),
        ([first]) => first.state === 'cleared',
      );
      expect(over).toMatchObject([{ id: raised.id, cleared_detail: expect.any(String) }]);
      await mailed(title, 6);
      const told = (await events(receiverId)).filter(({ data }) => data.alert === 'dead_letter');
      expect(told.map(({ event, data }) => [event, data.alert_id])).toEqual([
        ['alert.raised', raised.id],
        ['alert.cleared', raised.id],
      ]);
      expect(await mails(title)).toHaveLength(6);
    } finally {
      await receiver.close();
    }
  });

  it('tells of a receiver that is slow and fails, by itself', async () => {
    const slow = (response: Parameters<ClientReceiver['answer']>[0]): void =>
      void setTimeout(() => response.end('+OK'), 5_300);
    const receiver = await ClientReceiver.start((response, { body }) =>
      body.includes('text+0') ? slow(response) : void response.end('no'),
    );
    try {
      const number = await assign(receiver.url);
      const [{ id }] = number.delivery;
      await write(number.number, 21);
      const rate = await alert(`alert=delivery_error_rate&state=open&subject=${id}`);
      expect(rate.data).toMatchObject({ failures: 20, number: number.number });
      const late = await alert(`alert=receiver_slow&state=open&subject=${id}`);
      expect(late.data.latency_ms).toBeGreaterThan(5_000);
      expect(late.data.latency_ms).toBeLessThan(10_000);
      expect((await events(id)).map(({ data }) => String(data.alert)).sort()).toEqual([
        'delivery_error_rate',
        'receiver_slow',
      ]);
      assertStatus(await acme.api.delete(`/v1/numbers/${number.id}`), 200);
      await eventually(
        () => list(`subject=${id}&state=open`),
        (open) => open.length === 0,
      );
      expect((await list(`subject=${id}`)).map(({ cleared_detail }) => cleared_detail)).toEqual(
        Array(2).fill('The receiver was removed.'),
      );
    } finally {
      await receiver.close();
    }
  });

  it('tells once of messages to an unknown number, until it is added', async () => {
    const number = freshNumber('+39350');
    const query = `alert=inbound_unmatched&subject=${encodeURIComponent(number)}`;
    await write(number, 20);
    const raised = await list(query);
    expect(raised).toMatchObject([{ state: 'open', data: { number, gateway: 'twilio', config_id: acme.twilio.id } }]);
    expect(await events(number)).toHaveLength(1);
    assertStatus(await acme.api.post('/v1/numbers', { number, provider: 'twilio', delivery: [] }), 201);
    await eventually(
      () => list(query),
      ([first]) => first.state === 'cleared',
    );
    expect((await events(number)).map(({ event }) => event)).toEqual(['alert.raised', 'alert.cleared']);
  });

  it('tells of an account that fails, until it works again', async () => {
    service.twilio.refusedTokens.add(acme.twilio.authToken);
    await acme.send(freshNumber());
    const raised = await alert(`alert=config_error&state=open&subject=${acme.twilio.id}`);
    expect(raised).toMatchObject({ detail: 'Authenticate', data: { gateway: 'twilio', channel: 'sms' } });
    service.twilio.refusedTokens.clear();
    await eventually(
      () => list(`alert=config_error&subject=${acme.twilio.id}`),
      ([first]) => first.state === 'cleared',
    );
  });

  it('shows a tenant its own alerts only, and the operator everybody’s', async () => {
    const number = freshNumber('+39350');
    await write(number, 2, bell);
    const [of] = await list(`subject=${encodeURIComponent(number)}`, bell);
    expect(of).toMatchObject({ client_id: bell.clientId, alert: 'inbound_unmatched' });
    expect(await list(`subject=${encodeURIComponent(number)}`)).toEqual([]);
    expect((await acme.api.get(`/v1/alerts/${of.id}`)).status).toBe(404);
    expect((await bell.api.get(`/v1/alerts/${of.id}`)).status).toBe(200);
    expect((await acme.api.get('/v1/alerts/alr_x')).status).toBe(404);
    expect((await acme.api.get('/admin/alerts')).status).toBe(401);
    const all = await service.admin.get('/admin/alerts?limit=200');
    expect(new Set(all.body.data.map((one: Wire) => one.client_id))).toEqual(new Set([acme.clientId, bell.clientId]));
    const some = await service.admin.get(`/admin/alerts?client_id=${bell.clientId}&state=open`);
    expect(some.body.data.map((one: Wire) => one.id)).toEqual([of.id]);
    // The tenant has named nobody; the operator hears of it all the same.
    expect((await mailed(number, 1)).map(({ to }) => to)).toEqual([OPERATOR]);
  });

  it('pages, newest first, and narrows by state and word', async () => {
    const every = await list('limit=200');
    expect(every.length).toBeGreaterThan(4);
    const ids = every.map(({ id }) => String(id));
    expect(ids).toEqual(ids.toSorted().toReversed());
    const pages: Wire[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const answer = await acme.api.get(`/v1/alerts?limit=2${cursor && `&cursor=${cursor}`}`);
      pages.push(...answer.body.data);
      cursor = answer.body.meta.next_cursor;
    }
    expect(pages.map(({ id }) => id)).toEqual(every.map(({ id }) => id));
    for (const state of ['open', 'cleared'])
      expect(await list(`state=${state}&limit=200`)).toEqual(every.filter((one) => one.state === state));
    const word = await list('alert=config_error');
    expect(word).toEqual(every.filter((one) => one.alert === 'config_error'));
  });

  it.each([
    ['state=shut', 'state'],
    ['alert=nothing', 'alert'],
    ['limit=0', 'limit'],
    ['cursor=x', 'cursor'],
    ['colour=red', 'colour'],
  ])('refuses %s', async (query, field) => {
    const answer = await acme.api.get(`/v1/alerts?${query}`);
    expect([answer.status, answer.body.errors[0].field]).toEqual([400, field]);
  });
});
