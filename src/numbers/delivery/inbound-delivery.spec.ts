import PostalMime from 'postal-mime';
import { Webhook } from 'standardwebhooks';
import { type BedDelivery, InboundBed } from '../../../test/support/inbound-bed';
import { ScriptedSmtp } from '../../../test/support/scripted-smtp';
import { until } from '../../../test/support/until';
import { type Answer, answerWith, Receiver } from '../../../test/support/webhook-bed';
import { RECEIVER_PROFILE } from './inbound-delivery.service';

jest.setTimeout(30_000);

const HANG: Answer = () => undefined;
const TAKES = answerWith(200, '+OK');
const RETRY_MS = 900_000;
const SCRIPTS = 'Grüße + & = % "q" \' <b>\r\nline 2\n你好 مرحبا 👩‍👩‍👧 \u200d ~*.-_';

describe('InboundDeliveryService', () => {
  let bed: InboundBed;
  const receivers: Receiver[] = [];
  const receiver = async (answer: Answer = TAKES) => {
    const one = await Receiver.start(answer);
    receivers.push(one);
    return one;
  };
  const settled = (receiverId: string, condition: (rows: BedDelivery[]) => boolean) =>
    until('deliveries settle', async () => {
      const rows = await bed.deliveries(receiverId);
      return condition(rows) ? rows : null;
    });
  const all = (status: BedDelivery['status'], count: number) => (rows: BedDelivery[]) =>
    rows.length === count && rows.every((row) => row.status === status);
  const tried = (times: number) => (rows: BedDelivery[]) => rows.every((row) => row.attempt_log.length >= times);
  const verified = (body: string, headers: object) =>
    new Webhook(bed.secret.reveal()).verify(body, headers as Record<string, string>);
  const withRealTime = () => bed.clock.set(Date.now());

  beforeAll(async () => void (bed = await InboundBed.start()));
  afterEach(async () => {
    await bed.reset();
    await Promise.all(receivers.splice(0).map((one) => one.close()));
  });
  afterAll(() => bed.close());

  describe('a form receiver', () => {
    it('gets exactly four fields, any script intact, signed with the secret of the tenant', async () => {
      withRealTime();
      const client = await receiver();
      const number = await bed.number([{ url: client.url }]);
      await bed.service();
      const occurredAt = Date.parse('2026-11-20T09:59:58.123Z');
      const [inboundId] = await bed.arrive(number, [{ from: '+393331234567', text: SCRIPTS, occurredAt }]);
      const [row] = await settled(number.receivers[0]!, all('succeeded', 1));

      const [request] = client.received;
      expect([...new URLSearchParams(request!.body)]).toEqual([
        ['originator', '+393331234567'],
        ['destination', number.number],
        ['date_time', '2026-11-20T09:59:58.123Z'],
        ['text', SCRIPTS],
      ]);
      expect(request!.body).toMatch(/^[A-Za-z0-9*._%+=&-]+$/);
      expect(request!.headers).toMatchObject({
        'content-type': 'application/x-www-form-urlencoded',
        'webhook-id': inboundId,
        'x-unimsg-sequence': '1',
        'x-unimsg-attempt': '1',
        'user-agent': 'UniMsg-Inbound/1',
      });
      const oracle = new Webhook(bed.secret.reveal());
      const headers = request!.headers as Record<string, string>;
      // The package reads JSON once it has verified, which a form is not.
      expect(() => oracle.verify(request!.body, headers)).toThrow(SyntaxError);
      expect(() => oracle.verify(`${request!.body} `, headers)).toThrow('No matching signature');
      expect(row!.attempt_log).toEqual([
        { at: expect.any(String), latency_ms: expect.any(Number), status_code: 200, response: '+OK' },
      ]);
      expect(row).toMatchObject({ attempts: 1, next_in_ms: null });
    });

    it.each([
      ['+OK', 200, '+OK'],
      ['+OK with white space around it', 200, ' \t\r\n+OK\r\n\r\n '],
      ['+OK under any status: 500', 500, '+OK'],
      ['+OK under any status: 404', 404, '+OK\n'],
      ['+OK under any status: 302', 302, '+OK'],
    ])('takes %s as success', async (_, status, body) => {
      const client = await receiver(answerWith(status, body, { location: 'http://127.0.0.1:9/' }));
      const number = await bed.number([{ url: client.url }]);
      await bed.service();
      await bed.arrive(number);
      const [row] = await settled(number.receivers[0]!, all('succeeded', 1));
      expect(row!.attempt_log).toMatchObject([{ status_code: status }]);
      expect(client.received).toHaveLength(1);
    });

    it.each([
      ['OK', 200, 'OK'],
      ['+ok', 200, '+ok'],
      ['HTML around it', 200, '<html><body>+OK</body></html>'],
      ['nothing', 200, ''],
      ['204', 204, ''],
      ['JSON', 200, '"+OK"'],
      ['more than it', 200, '+OK\n+OK'],
      ['a byte order mark before it', 200, '\ufeff+OK'],
      ['a hard space behind it', 200, '+OK\u00a0'],
      ['a NUL behind it', 200, '+OK\0'],
      ['white space without end', 200, `+OK${' '.repeat(1022)}`],
      ['what goes on behind the first KiB', 200, `+OK${' '.repeat(1021)}${'x'.repeat(50_000)}`],
      ['a redirect', 302, 'Found'],
      ['500', 500, 'oops'],
    ])('takes %s as failure', async (_, status, body) => {
      const target = await receiver();
      const client = await receiver(answerWith(status, body, { location: target.url }));
      const number = await bed.number([{ url: client.url }]);
      await bed.service();
      await bed.arrive(number);
      const [row] = await settled(number.receivers[0]!, tried(1));
      expect(row).toMatchObject({ status: 'pending', attempts: 1, next_in_ms: RETRY_MS });
      expect(row!.attempt_log).toMatchObject([{ status_code: status, error: 'not_acknowledged' }]);
      expect(Buffer.byteLength(row!.attempt_log[0]!.response ?? '')).toBeLessThanOrEqual(1024);
      expect(target.received).toHaveLength(0);
    });

    it.each([
      ['says nothing', HANG, 'timeout'],
      ['begins its answer and goes no further', ((response) => void response.write('+OK')) as Answer, 'timeout'],
      ['closes the connection', ((response) => void response.destroy()) as Answer, 'reset'],
    ])('that %s within the time of the number has failed', async (_, answer, error) => {
      const client = await receiver(answer);
      const number = await bed.number([{ url: client.url }], { timeoutSeconds: 1 });
      await bed.service();
      await bed.arrive(number);
      const [row] = await settled(number.receivers[0]!, tried(1));
      expect(row!.attempt_log).toMatchObject([{ error }]);
      expect(row!.attempt_log[0]!.latency_ms).toBeLessThan(1500);
    });

    it('is tried three times in all, 15 minutes apart, then it is a dead letter that can be redelivered with the same id', async () => {
      withRealTime();
      const client = await receiver(answerWith(200, 'OK'));
      const number = await bed.number([{ url: client.url }]);
      await bed.service();
      const [inboundId] = await bed.arrive(number);
      const [first] = await settled(number.receivers[0]!, tried(1));
      expect(first).toMatchObject({ status: 'pending', next_in_ms: RETRY_MS });

      for (const attempt of [2, 3]) {
        bed.clock.advance(RETRY_MS - 1);
        await bed.arrive(await bed.number([{ url: (await receiver()).url }]));
        await until(
          'something else is delivered meanwhile',
          async () => (await bed.count('succeeded')) === attempt - 1,
        );
        expect(client.received).toHaveLength(attempt - 1);
        bed.clock.advance(1);
        await settled(number.receivers[0]!, tried(attempt));
      }
      const [dead] = await bed.deliveries(number.receivers[0]!);
      expect(dead).toMatchObject({ status: 'dead_letter', attempts: 3, next_in_ms: null });
      bed.clock.advance(10 * RETRY_MS);

      client.answer = TAKES;
      await bed.redeliver(inboundId!, number.receivers[0]!);
      const [row] = await settled(number.receivers[0]!, all('succeeded', 1));
      expect(row!.attempt_log).toHaveLength(4);
      expect(client.ids).toEqual([inboundId, inboundId, inboundId, inboundId]);
      expect(client.received.map(({ headers }) => headers['x-unimsg-attempt'])).toEqual(['1', '2', '3', '4']);
      expect(new Set(client.received.map(({ headers }) => headers['x-unimsg-sequence']))).toEqual(new Set(['1']));
      expect(new Set(client.received.map(({ body }) => body)).size).toBe(1);
    });

    it('goes by the figures of its number', async () => {
      const client = await receiver(answerWith(503));
      const number = await bed.number([{ url: client.url }], { retryDelaySeconds: 60, maxAttempts: 2 });
      await bed.service();
      await bed.arrive(number);
      const [row] = await settled(number.receivers[0]!, tried(1));
      expect(row).toMatchObject({ status: 'pending', next_in_ms: 60_000 });
      bed.clock.advance(60_000);
      await settled(number.receivers[0]!, all('dead_letter', 1));
    });

    it('is not reached at an internal address, whatever its name resolves to then', async () => {
      const number = await bed.number([{ url: 'http://169.254.169.254/' }, { url: 'http://in.example/hook' }]);
      await bed.service({ resolve: async () => [{ address: '10.0.0.7', family: 4 }] });
      await bed.arrive(number);
      for (const id of number.receivers) {
        const [row] = await settled(id, tried(1));
        expect(row!.attempt_log).toMatchObject([{ error: 'address_not_allowed' }]);
      }
    });
  });

  it('gives a json receiver the event, and takes any 2xx and nothing else', async () => {
    withRealTime();
    const client = await receiver(answerWith(500, '+OK'));
    const number = await bed.number([{ url: client.url, format: 'json' }]);
    await bed.service();
    const [inboundId] = await bed.arrive(number, [{ text: SCRIPTS }]);
    const [row] = await settled(number.receivers[0]!, tried(1));
    expect(row!.attempt_log).toMatchObject([{ status_code: 500, error: 'http_status', response: '+OK' }]);
    client.answer = answerWith(204);
    bed.clock.advance(RETRY_MS);
    await settled(number.receivers[0]!, all('succeeded', 1));
    const [first, second] = client.received;
    const event = verified(first!.body, first!.headers) as { id: string; data: object };
    expect(event).toMatchObject({
      event: 'inbound.received',
      id: expect.stringMatching(/^evt_/),
      data: { inbound_id: inboundId, to: number.number, from: '+46700000001', text: SCRIPTS, sequence: 1 },
      created_at: expect.stringMatching(/Z$/),
    });
    expect(first!.headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': event.id });
    expect(second!.body).toBe(first!.body);
    expect(second!.headers['webhook-id']).toBe(event.id);
  });

  describe('an email receiver', () => {
    let server: ScriptedSmtp;
    beforeEach(async () => void (server = await ScriptedSmtp.start()));
    afterEach(() => server.close());

    it('gets From, To, Date/Time and Body, as text and as HTML, any script intact', async () => {
      const number = await bed.number([{ email: 'desk@acme.example' }]);
      await bed.service({ smtpPort: server.port });
      const [inboundId] = await bed.arrive(number, [{ text: SCRIPTS }]);
      const [row] = await settled(number.receivers[0]!, all('succeeded', 1));
      expect(row!.attempt_log).toMatchObject([{ status_code: 250, response: expect.stringContaining('queued') }]);
      const [taken] = server.taken;
      expect(taken).toMatchObject({ from: 'smsin@in.example', recipients: ['desk@acme.example'] });
      const mail = await PostalMime.parse(taken!.bytes);
      expect(mail).toMatchObject({
        from: { address: 'smsin@in.example' },
        subject: `SMS from +46700000001 to ${number.number}`,
        messageId: `<${inboundId}.${number.receivers[0]}@in.example>`,
      });
      const text = SCRIPTS.replaceAll('\r\n', '\n');
      expect(mail.text!.trimEnd()).toBe(
        `From: +46700000001\nTo: ${number.number}\nDate/Time: 2026-11-20 10:00:00 UTC\nBody:\n\n${text}`,
      );
      expect(mail.html).toContain('&lt;b&gt;<br>line 2<br>你好 مرحبا 👩‍👩‍👧');
      for (const part of ['+46700000001', number.number, '2026-11-20 10:00:00 UTC']) expect(mail.html).toContain(part);
    });

    it('is told nothing but the message by a message that looks like a mail or a page', async () => {
      const number = await bed.number([{ email: 'desk@acme.example' }]);
      await bed.service({ smtpPort: server.port });
      const text = '\r\n.\r\nBcc: spy@evil.example\r\n\r\n<script>alert(1)</script><img src=x onerror="x">&amp;\u0007';
      await bed.arrive(number, [{ from: 'Evil\r\nBcc: spy@evil.example', text }]);
      await settled(number.receivers[0]!, all('succeeded', 1));
      expect(server.taken).toHaveLength(1);
      expect(server.taken[0]!.recipients).toEqual(['desk@acme.example']);
      const mail = await PostalMime.parse(server.taken[0]!.bytes);
      expect(mail.headers.map(({ key }) => key)).not.toContain('bcc');
      expect(mail.text!.split('\n')[0]).toBe('From: Evil Bcc: spy@evil.example');
      expect(mail.html).not.toMatch(/<script|<img/);
      expect(mail.html).toContain(
        '&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&quot;x&quot;&gt;&amp;amp;\ufffd',
      );
    });

    it('is tried as often as any other, with the same Message-ID', async () => {
      server.script.RCPT = '450 4.2.1 Mailbox busy';
      const number = await bed.number([{ email: 'desk@acme.example' }]);
      await bed.service({ smtpPort: server.port });
      await bed.arrive(number);
      const [row] = await settled(number.receivers[0]!, tried(1));
      expect(row).toMatchObject({ status: 'pending', next_in_ms: RETRY_MS });
      expect(row!.attempt_log).toMatchObject([{ status_code: 450, error: 'mail_deferred' }]);
      server.script.RCPT = undefined;
      server.script.END = (socket) => void socket.resetAndDestroy();
      bed.clock.advance(RETRY_MS);
      await settled(number.receivers[0]!, tried(2));
      server.script.END = undefined;
      bed.clock.advance(RETRY_MS);
      const [done] = await settled(number.receivers[0]!, all('succeeded', 1));
      expect(done!.attempt_log[1]).toMatchObject({ error: 'mail_no_answer' });
      expect(new Set([...server.heard.matchAll(/^Message-ID:\s*(\S+)/gim)].map(([, id]) => id)).size).toBe(1);
    });

    it('becomes a dead letter while there is no mail server, with a word that says so', async () => {
      const number = await bed.number([{ email: 'desk@acme.example' }], { maxAttempts: 1 });
      await bed.service();
      await bed.arrive(number);
      const [row] = await settled(number.receivers[0]!, all('dead_letter', 1));
      expect(row!.attempt_log).toMatchObject([{ error: 'mail_not_configured' }]);
    });
  });

  describe('lanes', () => {
    it('hand messages over one after another in the order of their sequence while the receiver keeps up', async () => {
      let open = 0;
      let most = 0;
      const client = await receiver((response) => {
        most = Math.max(most, ++open);
        setImmediate(() => {
          open--;
          response.end('+OK');
        });
      });
      const number = await bed.number([{ url: client.url }]);
      // On a busy machine one may take long by itself.
      const first = { ...RECEIVER_PROFILE.first, patienceMs: 20_000 };
      await bed.service({ profile: { ...RECEIVER_PROFILE, first } });
      for (let turn = 0; turn < 5; turn++)
        await bed.arrive(
          number,
          Array.from({ length: 5 }, () => ({})),
        );
      await settled(number.receivers[0]!, all('succeeded', 25));
      expect(client.received.map(({ headers }) => Number(headers['x-unimsg-sequence']))).toEqual(
        Array.from({ length: 25 }, (_, index) => index + 1),
      );
      expect(most).toBe(1);
    });

    it('go several at a time when many wait', async () => {
      let open = 0;
      let most = 0;
      const client = await receiver((response) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          response.end('+OK');
        }, 5);
      });
      const number = await bed.number([{ url: client.url }]);
      await bed.arrive(
        number,
        Array.from({ length: 600 }, () => ({})),
        false,
      );
      await bed.service();
      await settled(number.receivers[0]!, all('succeeded', 600));
      expect(most).toBeGreaterThan(4);
      expect(most).toBeLessThanOrEqual(RECEIVER_PROFILE.first.most);
      expect(new Set(client.ids).size).toBe(600);
    });

    it('go on past a message that hangs, and try each again at its own time', async () => {
      const hanging = new Set(['2', '5']);
      const client = await receiver((response, { headers }) => {
        if (!hanging.has(String(headers['x-unimsg-sequence']))) response.end('+OK');
      });
      const number = await bed.number([{ url: client.url }], { timeoutSeconds: 4 });
      await bed.service({ profile: { ...RECEIVER_PROFILE, first: { ...RECEIVER_PROFILE.first, patienceMs: 50 } } });
      await bed.arrive(
        number,
        Array.from({ length: 8 }, () => ({})),
      );
      await settled(number.receivers[0]!, (rows) => rows.filter((row) => row.status === 'succeeded').length === 6);
      const rows = await settled(number.receivers[0]!, tried(1));
      expect(rows.filter((row) => row.status === 'pending').map((row) => [row.sequence, row.next_in_ms])).toEqual([
        [2, RETRY_MS],
        [5, RETRY_MS],
      ]);
      hanging.clear();
      bed.clock.advance(RETRY_MS);
      await settled(number.receivers[0]!, all('succeeded', 8));
    });

    it('serve 45 numbers of 50 within seconds while 5 receivers hang, and give each message once', async () => {
      const good = await receiver();
      const bad = await receiver(HANG);
      const numbers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => bed.number([{ url: index < 5 ? bad.url : good.url }])),
      );
      await bed.service();
      await Promise.all(
        numbers.map((number) =>
          bed.arrive(
            number,
            Array.from({ length: 20 }, () => ({})),
          ),
        ),
      );
      // Long before the first of those that hang is given up.
      await until('the others are served', async () => (await bed.count('succeeded')) === 900);
      expect(new Set(good.ids).size).toBe(900);
      expect(good.received).toHaveLength(900);
      expect(bad.received.length).toBeLessThanOrEqual(5 * RECEIVER_PROFILE.first.most);
    });

    it('are shared by processes, none of which repeats what another has delivered', async () => {
      const client = await receiver();
      const numbers = await Promise.all(Array.from({ length: 12 }, () => bed.number([{ url: client.url }])));
      await bed.service({ signal: false });
      await bed.service();
      for (let turn = 0; turn < 5; turn++) {
        await Promise.all(numbers.map((number) => bed.arrive(number, [{}, {}])));
      }
      await until('all are delivered', async () => (await bed.count('succeeded')) === 120);
      expect(client.received).toHaveLength(120);
    });

    it('are taken over from a process that died, with what it had under way and no more', async () => {
      const client = await receiver((response, { headers }) => {
        if (Number(headers['x-unimsg-sequence']) <= 5) response.end('+OK');
      });
      const number = await bed.number([{ url: client.url }]);
      const messages = Array.from({ length: 10 }, () => ({}));
      const ids = await bed.arrive(number, messages, false);
      await bed.service({ signal: false, pollMs: 60_000 });
      await client.waitFor(6);
      await bed.database.execute(`UPDATE number_receivers SET lane_until = now() - interval '1 second'`);
      client.answer = TAKES;
      await bed.service();
      await settled(number.receivers[0]!, all('succeeded', 10));
      expect(client.ids.slice(0, 6)).toEqual(ids.slice(0, 6));
      expect(client.ids.slice(6)).toEqual(ids.slice(5));
    });

    it('begin at once where there can be no other process', async () => {
      const client = await receiver();
      const number = await bed.number([{ url: client.url }]);
      await bed.arrive(number);
      await bed.database.execute(
        `UPDATE number_receivers SET lane_owner = 'wrk_dead', lane_until = now() + interval '1 hour'`,
      );
      await bed.service({ exclusive: true });
      await settled(number.receivers[0]!, all('succeeded', 1));
      expect(client.received).toHaveLength(1);
    });

    it('end cleanly: what hangs is left to be tried at once, and the lease is released', async () => {
      const client = await receiver(HANG);
      const number = await bed.number([{ url: client.url }]);
      const service = await bed.service();
      await bed.arrive(number);
      await client.waitFor(1);
      await service.stop(50);
      const [row] = await bed.deliveries(number.receivers[0]!);
      expect(row).toMatchObject({ status: 'pending', attempts: 0, next_in_ms: null, attempt_log: [] });
      expect(await bed.database.query('SELECT lane_owner FROM number_receivers')).toEqual([{ lane_owner: null }]);
      client.answer = TAKES;
      await bed.service();
      await settled(number.receivers[0]!, all('succeeded', 1));
      expect(new Set(client.ids).size).toBe(1);
    });

    it('end by themselves when there is nothing to do, and find what comes later', async () => {
      const client = await receiver();
      const number = await bed.number([{ url: client.url }]);
      const service = await bed.service();
      await bed.arrive(number);
      await until('the lane ends', () => service.lanes === 0 && client.received.length === 1);
      // Told by nobody.
      await bed.arrive(number, [{}], false);
      await until('the lane ends', () => service.lanes === 0 && client.received.length === 2);
      expect(
        await bed.database.query('SELECT cursor_sequence::int AS c, next_retry_at AS n FROM number_receivers'),
      ).toEqual([{ c: 2, n: null }]);
    });

    it('write what they did when the database was away meanwhile, and repeat nothing', async () => {
      const client = await receiver();
      const number = await bed.number([{ url: client.url }]);
      const { database } = bed;
      let failures = 4;
      const broken = Object.create(database) as typeof database;
      broken.flush = async (work) => {
        if (failures-- > 0) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        const result = await database.flush(work);
        // Its answer is lost.
        if (failures === -1) throw Object.assign(new Error('Connection terminated'), { code: '08006' });
        return result;
      };
      await bed.service({ database: broken });
      await bed.arrive(number, [{}, {}, {}]);
      await settled(number.receivers[0]!, all('succeeded', 3));
      expect(client.received).toHaveLength(3);
      expect((await bed.deliveries(number.receivers[0]!)).map((row) => row.attempt_log.length)).toEqual([1, 1, 1]);
    });

    it('make a dead letter of what waits for a receiver that was removed', async () => {
      const client = await receiver(answerWith(500));
      const number = await bed.number([{ url: client.url }]);
      const service = await bed.service();
      await bed.arrive(number);
      await settled(number.receivers[0]!, tried(1));
      await service.stop();
      await bed.database.execute('UPDATE number_receivers SET removed_at = now()');
      await bed.service({ buryEveryMs: 20 });
      const [row] = await settled(number.receivers[0]!, all('dead_letter', 1));
      expect(row!.attempt_log.at(-1)).toMatchObject({ error: 'receiver_removed' });
    });
  });
});
