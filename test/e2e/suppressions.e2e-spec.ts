import { randomBytes } from 'node:crypto';
import { request } from 'undici';
import { eventually, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { answers } from '../support/scripted-provider';
import { statusFields, twilioCallback } from '../support/scripted-twilio';
import { signedReceipt } from '../support/scripted-vonage';

describe('suppressions', () => {
  let service: Service;
  let tenant: Tenant;
  let other: Tenant;

  beforeAll(async () => {
    service = await Service.start();
    tenant = await service.tenant();
    other = await service.tenant();
  }, 60_000);
  afterAll(() => service?.stop());
  afterEach(() => expect(service.errorLines()).toEqual([]));

  const list = async (query = '', of = tenant): Promise<Wire[]> => {
    const answer = await of.api.get(`/v1/suppressions?limit=200${query}`);
    assertStatus(answer, 200);
    return answer.body.data;
  };
  const of = (recipient: string, whose = tenant) => list(`&recipient=${encodeURIComponent(recipient)}`, whose);

  /** What the person writes to the tenant's Twilio number. */
  async function writes(
    from: string,
    text: string,
    more: Record<string, string> = {},
  ): Promise<Record<string, string>> {
    const sid = `SM${randomBytes(16).toString('hex')}`;
    const fields = {
      AccountSid: tenant.twilio.accountSid,
      MessageSid: sid,
      SmsMessageSid: sid,
      From: from,
      To: '+15005550006',
      Body: text,
      NumMedia: '0',
      NumSegments: '1',
      ...more,
    };
    await receives(fields);
    return fields;
  }
  async function receives(fields: Record<string, string>): Promise<void> {
    const url = `${service.url}/webhook/twilio/inbound/${tenant.twilio.id}`;
    expect((await twilioCallback({ url, authToken: tenant.twilio.authToken, fields })).status).toBe(200);
  }

  async function endsSuppressed(to: string, more: object = {}): Promise<Wire> {
    const id = await tenant.send(to, more);
    const message = await tenant.until(id, ({ final }) => final);
    expect(message).toMatchObject({ status: 'failed', error_code: 'suppressed', attempts: [], gateway: null });
    return message;
  }
  async function isSent(to: string, from = tenant): Promise<void> {
    const id = await from.send(to);
    await from.until(id, ({ status }) => status === 'sent');
  }

  it('sends nothing more to whoever wrote STOP, and again after START', async () => {
    const to = freshNumber();
    await isSent(to);
    const stop = await writes(to, ' Stop! ');
    expect(await of(to)).toEqual([
      expect.objectContaining({ channel: 'sms', recipient: to, reason: 'stop', source: 'inbound', detail: 'Stop!' }),
    ]);
    const sends = service.twilio.sends(to).length;
    const failed = await endsSuppressed(to);
    expect(failed.events.map((one: Wire) => one.event)).toEqual(['message.queued', 'message.failed']);
    expect(failed.error_message).toContain('stop');
    await endsSuppressed(to, { priority: 'high', provider: 'vonage' });
    expect(service.twilio.sends(to)).toHaveLength(sends);
    expect(service.vonage.sends(to)).toHaveLength(0);
    // Another tenant's sender is another sender.
    await isSent(to, other);
    expect(await of(to, other)).toEqual([]);

    await writes(to, 'start');
    expect(await of(to)).toEqual([]);
    await isSent(to);
    // The same callback once more is the same wish, which is over.
    await receives(stop);
    expect(await of(to)).toEqual([]);
    await isSent(to);
  });

  it('hears STOP in other languages, from Vonage too, and what the provider made of it', async () => {
    const [swede, greek, helped, ofVonage, opted] = Array.from({ length: 5 }, () => freshNumber()) as [
      string,
      string,
      string,
      string,
      string,
    ];
    await writes(swede, 'AVSLUTA');
    await writes(greek, 'στοπ');
    await writes(helped, 'STOP', { OptOutType: 'HELP' });
    await writes(opted, 'ok bye', { OptOutType: 'STOP' });
    const body = signedReceipt(tenant.vonage.signatureSecret, {
      'api-key': tenant.vonage.apiKey,
      msisdn: ofVonage.slice(1),
      to: '15005550006',
      messageId: randomBytes(8).toString('hex'),
      text: 'Unsubscribe',
      type: 'text',
      'message-timestamp': '2026-11-22 09:00:00',
      timestamp: String(Math.floor(Date.now() / 1000)),
      nonce: 'f27a5ec5',
    }).toString();
    const answer = await request(`${service.url}/webhook/vonage/inbound/${tenant.vonage.id}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, '']);
    for (const number of [swede, greek, opted, ofVonage])
      expect([number, (await of(number)).length]).toEqual([number, 1]);
    expect(await of(helped)).toEqual([]);
    await writes(opted, 'hello again', { OptOutType: 'START' });
    expect(await of(opted)).toEqual([]);
  });

  it('takes what is no more than a word in a sentence for a sentence', async () => {
    const to = freshNumber();
    await writes(to, 'Please stop by at 5');
    await writes(to, 'yes');
    expect(await of(to)).toEqual([]);
  });

  it('does not let START undo what the tenant entered', async () => {
    const to = freshNumber();
    assertStatus(await tenant.api.post('/v1/suppressions', { channel: 'sms', recipient: to }), 201);
    await writes(to, 'STOP');
    await writes(to, 'START');
    expect(await of(to)).toEqual([expect.objectContaining({ reason: 'manual', source: 'api' })]);
  });

  it('learns from a provider that refuses a recipient who opted out, at the send and in a report', async () => {
    const [refused, reported] = [freshNumber(), freshNumber()];
    service.twilio.on(refused, answers(400, { code: 21610, message: 'Attempt to send to unsubscribed recipient' }));
    const id = await tenant.send(refused);
    expect(await tenant.until(id, ({ final }) => final)).toMatchObject({ status: 'failed', error_code: 'opted_out' });
    expect(await of(refused)).toEqual([
      expect.objectContaining({ reason: 'stop', source: 'provider', detail: '21610', message_id: id }),
    ]);
    await endsSuppressed(refused);
    expect(service.twilio.sends(refused)).toHaveLength(1);

    await isSent(reported);
    const taken = service.twilio.taken(reported)!;
    const fields = statusFields(taken, 'failed', { ErrorCode: '21610' });
    for (let i = 0; i < 2; i++)
      expect(
        (await twilioCallback({ url: taken.statusCallback, authToken: tenant.twilio.authToken, fields })).status,
      ).toBe(200);
    expect(await of(reported)).toHaveLength(1);
    await endsSuppressed(reported);
  });

  it('looks before every attempt: at a message that was accepted before, too', async () => {
    const to = freshNumber();
    service.twilio.on(to, answers(503, {}));
    service.vonage.on(to, answers(503, {}));
    const id = await tenant.send(to);
    await tenant.until(id, ({ attempts }) => attempts.length >= 2);
    await writes(to, 'STOP');
    const ended = await tenant.until(id, ({ final }) => final);
    expect(ended).toMatchObject({ status: 'failed', error_code: 'suppressed' });
    expect(ended.attempts.every((one: Wire) => one.outcome === 'transient')).toBe(true);
  });

  it('says in a dry run who is on the list', async () => {
    const to = freshNumber();
    const dryRun = async () =>
      (await tenant.api.post('/v1/sms/send', { to, message: 'x', dry_run: true })).body.data as Wire;
    expect(await dryRun()).toMatchObject({ suppressed: false, suppressions: [] });
    await writes(to, 'STOP');
    expect(await dryRun()).toMatchObject({ suppressed: true, suppressions: [{ recipient: to, reason: 'stop' }] });
  });

  it('enters, lists, finds, replaces and takes off', async () => {
    const to = freshNumber();
    const written = `${to.slice(0, 3)} ${to.slice(3, 6)}-${to.slice(6)}`;
    const created = await tenant.api.post('/v1/suppressions', { channel: 'sms', recipient: written, detail: 'phoned' });
    assertStatus(created, 201);
    const entry = created.body.data;
    expect(entry).toMatchObject({ channel: 'sms', recipient: to, reason: 'manual', source: 'api', detail: 'phoned' });
    const again = await tenant.api.post('/v1/suppressions', { channel: 'sms', recipient: to, reason: 'stop' });
    assertStatus(again, 200);
    expect(again.body.data).toMatchObject({ id: entry.id, reason: 'stop', created_at: entry.created_at });
    expect(await of(written)).toHaveLength(1);
    expect(await list(`&channel=sms&reason=stop`)).toContainEqual(again.body.data);
    expect(await list(`&channel=email`)).toEqual([]);
    await endsSuppressed(to);

    assertStatus(await other.api.delete(`/v1/suppressions/${entry.id}`), 404);
    assertStatus(await other.api.delete(`/v1/suppressions?channel=sms&recipient=${encodeURIComponent(to)}`), 404);
    assertStatus(await tenant.api.delete(`/v1/suppressions?channel=sms&recipient=${encodeURIComponent(to)}`), 200);
    assertStatus(await tenant.api.delete(`/v1/suppressions?channel=sms&recipient=${encodeURIComponent(to)}`), 404);
    await isSent(to);
    for (const query of ['', '?channel=sms', '?recipient=x', `?id=${entry.id}&channel=sms`])
      assertStatus(await tenant.api.delete(`/v1/suppressions${query}`), 400);
    const mail = await tenant.api.post('/v1/suppressions', { channel: 'email', recipient: ' Ada@Example.COM ' });
    expect(mail.body.data.recipient).toBe('ada@example.com');
    const inBody = (body: object) => tenant.api.call('DELETE', '/v1/suppressions', { body });
    assertStatus(await inBody({ channel: 'email' }), 400);
    assertStatus(await inBody({ channel: 'email', recipient: 'ada@example.com', reason: 'manual' }), 400);
    assertStatus(await inBody({ channel: 'email', recipient: 'ada@example.com' }), 200);
    assertStatus(await tenant.api.delete(`/v1/suppressions?id=${mail.body.data.id}`), 404);
  });

  it.each([
    [{}, 'channel'],
    [{ channel: 'sms' }, 'recipient'],
    [{ channel: 'sms', recipient: 'ada@example.com' }, 'recipient'],
    [{ channel: 'email', recipient: '+393331234567' }, 'recipient'],
    [{ channel: 'fax', recipient: '+393331234567' }, 'channel'],
    [{ channel: 'sms', recipient: '+393331234567', reason: 'x'.repeat(256) }, 'reason'],
    [{ channel: 'sms', recipient: '+393331234567', reason: 7 }, 'reason'],
    [{ channel: 'sms', recipient: '+393331234567', suppressions: [{}] }, 'suppressions'],
    [{ csv: 'a,b', suppressions: [{}] }, 'suppressions'],
    [{ csv: 'number\n+393331234567' }, 'csv'],
    [{ csv: '' }, 'csv'],
    [{ suppressions: [] }, 'suppressions'],
  ])('refuses %j', async (body, field) => {
    const refused = await tenant.api.post('/v1/suppressions', body);
    expect([refused.status, refused.body.errors[0].field]).toEqual([400, field]);
  });

  it('takes the reasons of other services, and keeps their words', async () => {
    const owner = await service.tenant();
    const [one, two, three] = [freshNumber(), freshNumber(), freshNumber()];
    const single = await owner.api.post('/v1/suppressions', { channel: 'sms', recipient: one, reason: 'Spam Report' });
    expect(single.body.data).toMatchObject({ reason: 'manual', detail: 'Spam Report' });
    const many = await owner.api.post('/v1/suppressions', {
      suppressions: [{ channel: 'sms', recipient: two, reason: 'bounced', detail: '=1+1' }],
    });
    expect(many.body.data).toMatchObject({ created: 1, rejected: 0 });
    const csv = `channel,recipient,reason,detail\nsms,${three},invalid,${'y'.repeat(255)}\n`;
    const imported = await owner.api.call('POST', '/v1/suppressions', {
      raw: csv,
      headers: { 'content-type': 'text/csv' },
    });
    expect(imported.body.data).toMatchObject({ created: 1, rejected: 0 });
    const { body } = await owner.api.get('/v1/suppressions');
    expect(body.data.map(({ reason, detail }: Wire) => [reason, detail])).toEqual([
      ['manual', `invalid: ${'y'.repeat(246)}`],
      ['manual', 'bounced: =1+1'],
      ['manual', 'Spam Report'],
    ]);
  });

  it('takes many, exports them page by page and as CSV, and takes that again', async () => {
    const owner = await service.tenant();
    const numbers = Array.from({ length: 5 }, () => freshNumber());
    const many = await owner.api.post('/v1/suppressions', {
      suppressions: [
        { channel: 'sms', recipient: numbers[0] },
        { channel: 'sms', recipient: 'nobody' },
        7,
        { channel: 'sms', recipient: numbers[1], colour: 'red' },
        { channel: 'whatsapp', recipient: numbers[0], reason: 'complaint', detail: 'said "no", twice' },
      ],
    });
    assertStatus(many, 200);
    expect(many.body.data).toMatchObject({ created: 2, updated: 0, rejected: 3 });
    expect(many.body.data.errors.map((one: Wire) => [one.line, one.field])).toEqual([
      [2, 'recipient'],
      [3, 'channel'],
      [4, 'colour'],
    ]);
    const csv = `Recipient,Channel,reason,remark\r\n${numbers[1]},sms,stop,x\r\n"ada@example.com",email,,\r\nx,sms,,\r\n${numbers[0]},sms,stop,\r\n`;
    const imported = await owner.api.call('POST', '/v1/suppressions', {
      raw: csv,
      headers: { 'content-type': 'text/csv; charset=utf-8' },
    });
    assertStatus(imported, 200);
    expect(imported.body.data).toMatchObject({ created: 2, updated: 1, rejected: 1, errors: [{ line: 4 }] });

    const exported = await owner.api.get('/v1/suppressions?format=csv');
    expect(exported.headers['content-type']).toContain('text/csv');
    const lines = exported.text.trimEnd().split('\r\n');
    expect(lines[0]).toBe('channel,recipient,reason,source,detail,created_at');
    expect(
      lines
        .slice(1)
        .map((line) => line.split(',').slice(0, 3).join())
        .sort(),
    ).toEqual(
      [
        `email,ada@example.com,manual`,
        `sms,${numbers[0]},stop`,
        `sms,${numbers[1]},stop`,
        `whatsapp,${numbers[0]},complaint`,
      ].sort(),
    );
    expect(exported.text).toContain('"said ""no"", twice"');
    expect((await owner.api.get('/v1/suppressions', { accept: 'text/csv' })).text).toBe(exported.text);
    expect((await owner.api.get('/v1/suppressions?format=csv&channel=email')).text.split('\r\n')).toHaveLength(3);

    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await owner.api.get(`/v1/suppressions?limit=3${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.data.map((one: Wire) => one.id));
      cursor = body.meta.next_cursor ?? '';
    } while (cursor);
    expect(new Set(seen).size).toBe(4);
    expect(seen).toEqual([...seen].sort().reverse());

    const third = await service.tenant();
    const taken = await third.api.call('POST', '/v1/suppressions', {
      raw: exported.text,
      headers: { 'content-type': 'text/csv' },
    });
    expect(taken.body.data).toEqual({ created: 4, updated: 0, rejected: 0, errors: [] });
    expect((await third.api.get('/v1/suppressions?format=csv')).text.split('\r\n').length).toBe(lines.length + 1);
  });

  describe('of any length', () => {
    const upload = (of: Tenant, raw: string, type = 'text/csv') =>
      of.api.call('POST', '/v1/suppressions/import', { raw, headers: { 'content-type': type } });

    it('are imported as they come: wrong lines are told of by number, and the others are kept', async () => {
      const owner = await service.tenant({ twilio: false, vonage: false, sms: null });
      const lines = Array.from({ length: 50_000 }, (_, i) => `sms,+39344${String(1_000_000 + i)},stop,"note, ${i}"`);
      const wrong = new Map([
        [7, 'sms,nobody,,'],
        [20_000, 'fax,+393331234567,,'],
        [20_001, `sms,+393441000002,${'m'.repeat(300)},`],
        [49_998, `sms,+393441000003,,${'x'.repeat(300)}`],
        [49_999, 'sms,+393441000004,,a\u0000b'],
      ]);
      for (const [index, line] of wrong) lines[index] = line;
      const imported = await upload(owner, `channel,recipient,reason,detail\r\n${lines.join('\r\n')}\r\n`);
      assertStatus(imported, 200);
      expect(imported.body.data).toMatchObject({ created: 49_995, updated: 0, rejected: 5 });
      expect(imported.body.data.errors.map((one: Wire) => [one.line, one.field])).toEqual([
        [9, 'recipient'],
        [20_002, 'channel'],
        [20_003, 'reason'],
        [50_000, 'detail'],
        [50_001, 'detail'],
      ]);
      const exported = await owner.api.get('/v1/suppressions', { accept: 'text/csv' });
      expect(exported.text.trimEnd().split('\r\n')).toHaveLength(49_996);
      expect(exported.text).toContain('sms,+393441049997,stop,import,"note, 49997",');
      const again = await upload(owner, exported.text);
      expect(again.body.data).toEqual({ created: 0, updated: 49_995, rejected: 0, errors: [] });
    }, 60_000);

    it('keep what was read before a line that cannot be', async () => {
      const owner = await service.tenant({ twilio: false, vonage: false, sms: null });
      const broken = await upload(owner, 'channel,recipient\nsms,+393331234567\nsms,"+39333\nsms,+393331234568\n');
      assertStatus(broken, 200);
      expect(broken.body.data).toMatchObject({
        created: 1,
        rejected: 1,
        errors: [{ line: 3, field: 'csv', code: 'invalid_csv' }],
      });
      const bytes = Buffer.concat([
        Buffer.from('channel,recipient,detail\nemail,ada@example.com,caf'),
        Buffer.from([0xe9, 10]),
      ]);
      const latin = await owner.api.call('POST', '/v1/suppressions/import', {
        raw: bytes,
        headers: { 'content-type': 'text/csv' },
      });
      expect(latin.body.data).toMatchObject({ created: 0, errors: [{ line: 2, code: 'invalid_encoding' }] });
    });

    it.each([
      ['', 'text/csv', 400, 'csv'],
      ['number\n+393331234567\n', 'text/csv', 400, 'csv'],
      [`${'z'.repeat(30_000)}`, 'text/csv', 400, 'csv'],
      ['{}', 'application/json', 415, 'content-type'],
      ['channel,recipient\n', 'text/csv; charset=latin1', 415, 'content-type'],
    ])('%# are refused when they are none', async (raw, type, status, field) => {
      const refused = await upload(tenant, raw, type);
      expect([refused.status, refused.body.errors[0].field]).toEqual([status, field]);
    });

    it('need a key before anything is read', async () => {
      const refused = await service.anonymous.call('POST', '/v1/suppressions/import', {
        raw: 'channel,recipient\nsms,+393331234567\n',
        headers: { 'content-type': 'text/csv' },
      });
      assertStatus(refused, 401);
    });
  });

  it('is heard by every process', async () => {
    const second = await service.another();
    try {
      const to = freshNumber();
      const api = tenant.api.at(second.url);
      assertStatus(await api.post('/v1/suppressions', { channel: 'sms', recipient: to }), 201);
      await eventually(
        async () => {
          const id = await tenant.send(to);
          return (await tenant.until(id, ({ status }) => status === 'sent' || status === 'failed')).error_code;
        },
        (code) => code === 'suppressed',
      );
    } finally {
      await second.stop();
    }
  });
});
