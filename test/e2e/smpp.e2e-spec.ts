import { ApiClient, type Wire } from '../support/api-client';
import { assertStatus, freshNumber, Service, type Tenant } from '../support/e2e-service';
import { deliverBody, ScriptedSmsc, type SmscConnection } from '../support/scripted-smsc';
import { until } from '../support/until';

/** SMPP as a tenant uses it: one session of each account, whatever the number of processes, and everything that it says is kept. */
describe('SMPP', () => {
  let service: Service;
  let smsc: ScriptedSmsc;

  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(() => service.stop());
  beforeEach(async () => {
    smsc = await ScriptedSmsc.start();
  });
  afterEach(() => smsc.close());

  async function tenantWith(settings: object = {}, systemId = 'acme'): Promise<Tenant & { configId: string }> {
    const tenant = await service.tenant({ twilio: false, vonage: false, sms: null });
    const config = await tenant.api.post('/communication/smpp/configs', {
      credentials: { system_id: systemId, password: 'pa55word' },
      host: '127.0.0.1',
      port: smsc.port,
      source_addr: 'Acme',
      status: 'active',
      ...settings,
    });
    assertStatus(config, 201);
    assertStatus(await tenant.api.put('/v1/gateways', { gateways: { sms: { primary: 'smpp' } } }), 200);
    await smsc.until(() => smsc.bound.some((one) => one.systemId === systemId));
    return Object.assign(tenant, { configId: config.body.data.id as string });
  }
  const ofAccount = (systemId: string): SmscConnection[] => smsc.bound.filter((one) => one.systemId === systemId);
  const receipt = (id: string, stat: string): Buffer =>
    deliverBody({
      from: '39333',
      to: 'Acme',
      esmClass: 4,
      text: `id:${id} sub:001 dlvrd:001 stat:${stat} err:000 text:`,
    });
  const decommission = async (tenant: Tenant & { configId: string }): Promise<void> => {
    assertStatus(await tenant.api.post(`/communication/smpp/configs/${tenant.configId}/decommission`, {}), 200);
    await smsc.until(() => smsc.bound.length === 0);
  };

  it('sends, learns of the delivery, and shows what was said', async () => {
    const tenant = await tenantWith();
    const to = freshNumber();
    const id = await tenant.send(to, { message: 'Hi €' });
    const sent = await tenant.until(id, ({ status }) => status === 'sent');
    expect(sent).toMatchObject({ gateway: 'smpp', external_id: 'id-1', segments: 1 });
    expect(smsc.submits[0]!.message).toMatchObject({
      source: { ton: 5, npi: 0, address: 'Acme' },
      destination: { ton: 1, npi: 1, address: to.slice(1) },
      registeredDelivery: 1,
      dataCoding: 0,
      shortMessage: Buffer.from('Hi \x1be', 'latin1'),
    });
    // What is left of the hour that a message lives.
    expect(smsc.submits[0]!.message.validityPeriod).toMatch(/^00000000595\d000R$/);
    const [connection] = ofAccount('acme');
    expect(await connection!.deliver(receipt('id-1', 'DELIVRD'))).toBe(0);
    // It was answered, so it is committed.
    expect(await tenant.message(id)).toMatchObject({ status: 'delivered' });
    expect(await connection!.deliver(receipt('id-1', 'DELIVRD'))).toBe(0);
    const { body } = await tenant.api.get('/v1/provider-events?provider=smpp');
    expect(body.data).toHaveLength(1);
    expect(body.data[0]).toMatchObject({ kind: 'events', matched: true, message_id: id, external_id: 'id-1' });
    const again = await tenant.api.post(`/v1/provider-events/${body.data[0].id}/reprocess`, {});
    expect(again.body.data).toMatchObject({ matched: true, message_id: id });
    await decommission(tenant);
  });

  it('is one message with one status, however many parts it has', async () => {
    const tenant = await tenantWith();
    const id = await tenant.send(freshNumber(), { message: 'x'.repeat(320) });
    await tenant.until(id, ({ status }) => status === 'sent');
    expect(smsc.submits).toHaveLength(3);
    for (const part of ['id-1', 'id-3']) await ofAccount('acme')[0]!.deliver(receipt(part, 'DELIVRD'));
    expect(await tenant.message(id)).toMatchObject({ status: 'sent', segments: 3 });
    await ofAccount('acme')[0]!.deliver(receipt('id-2', 'DELIVRD'));
    expect(await tenant.message(id)).toMatchObject({ status: 'delivered' });
    await decommission(tenant);
  });

  it('finds a message by its id as a decimal number after the process was started anew', async () => {
    smsc.idFor = () => '1a2b3c4d';
    const tenant = await tenantWith();
    const id = await tenant.send(freshNumber());
    await tenant.until(id, ({ status }) => status === 'sent');
    await service.restart();
    await smsc.until(() => ofAccount('acme').length === 1);
    expect(await ofAccount('acme')[0]!.deliver(receipt('439041101', 'UNDELIV'))).toBe(0);
    expect(await tenant.message(id)).toMatchObject({ status: 'undelivered' });
    await decommission(tenant);
  });

  it('waits when it is throttled, and fails what no gateway could deliver', async () => {
    const tenant = await tenantWith();
    smsc.onSubmit = (request, connection) =>
      smsc.submits.length === 1 ? connection.answer(request, 0x58) : smsc.take(request, connection);
    const id = await tenant.send(freshNumber());
    const sent = await tenant.until(id, ({ status }) => status === 'sent');
    expect(sent.attempts.map((attempt: Wire) => attempt.outcome)).toEqual(['throttled', 'accepted']);
    expect(sent.attempts[0]).toMatchObject({ error_code: '0x58' });
    smsc.onSubmit = (request, connection) => connection.answer(request, 0x0b);
    const bad = await tenant.send(freshNumber());
    expect(await tenant.until(bad, ({ status }) => status === 'failed')).toMatchObject({
      error_code: 'invalid_recipient',
    });
    await decommission(tenant);
  });

  it('keeps what phones say', async () => {
    const tenant = await tenantWith();
    const mo = deliverBody({
      from: '393331234567',
      to: '46700000000',
      dataCoding: 8,
      text: Buffer.from('00480069', 'hex'),
    });
    expect(await ofAccount('acme')[0]!.deliver(mo)).toBe(0);
    const { body } = await tenant.api.get('/v1/provider-events?provider=smpp');
    expect(body.data[0].normalized).toMatchObject({
      kind: 'inbound',
      from: '+393331234567',
      to: '+46700000000',
      text: 'Hi',
    });
    await decommission(tenant);
  });

  it('joins what phones say in parts, in whatever order they come, and characters that the cut went through', async () => {
    const tenant = await tenantWith();
    const number = freshNumber('+46700');
    const made = await tenant.api.post('/v1/numbers', { number, provider: 'smpp', delivery: [] });
    expect(made.status).toBe(201);
    const units = Buffer.from('Hi \u{1F642} there', 'utf16le').swap16();
    // In the middle of the smile.
    const halves = [units.subarray(0, 8), units.subarray(8)];
    const inHeader = (n: number): Buffer =>
      deliverBody({
        from: '393331234567',
        to: number.slice(1),
        esmClass: 0x40,
        dataCoding: 8,
        text: Buffer.concat([Buffer.from([5, 0, 3, 77, 2, n]), halves[n - 1]!]),
      });
    const inParameters = (n: number): Buffer =>
      deliverBody({
        from: '393331234567',
        to: number.slice(1),
        dataCoding: 8,
        text: halves[n - 1]!,
        tlvs: [
          [0x020c, Buffer.from([0, 78])],
          [0x020e, Buffer.from([2])],
          [0x020f, Buffer.from([n])],
        ],
      });
    for (const part of [inHeader(2), inParameters(1), inHeader(1), inParameters(2), inHeader(2)])
      expect(await ofAccount('acme')[0]!.deliver(part)).toBe(0);
    const { body } = await tenant.api.get(`/v1/inbound?number=${number}`);
    expect(body.data.map((one: Wire) => [one.sequence, one.text, one.from, one.state])).toEqual([
      [2, 'Hi \u{1F642} there', '+393331234567', 'received'],
      [1, 'Hi \u{1F642} there', '+393331234567', 'received'],
    ]);
    await decommission(tenant);
  });

  it('keeps two tenants apart, sending side by side', async () => {
    const [one, two] = [await tenantWith({}, 'one'), await tenantWith({}, 'two')];
    const send = (tenant: Tenant, text: string): Promise<string[]> =>
      Promise.all(Array.from({ length: 25 }, () => tenant.send(freshNumber(), { message: text })));
    const [ones, twos] = await Promise.all([send(one, 'from one'), send(two, 'from two')]);
    for (const id of ones) await one.until(id, ({ status }) => status === 'sent');
    for (const id of twos) await two.until(id, ({ status }) => status === 'sent');
    expect(smsc.submits).toHaveLength(50);
    for (const { message, connection } of smsc.submits)
      expect(`from ${connection.systemId}`).toBe(message.shortMessage.toString());
    // An id of the other's account says nothing here.
    const mine = (await two.message(twos[0]!)).external_id as string;
    await ofAccount('one')[0]!.deliver(receipt(mine, 'DELIVRD'));
    expect((await two.message(twos[0]!)).status).toBe('sent');
    expect((await one.api.get('/v1/provider-events')).body.data[0].matched).toBe(false);
    for (const tenant of [one, two])
      assertStatus(await tenant.api.post(`/communication/smpp/configs/${tenant.configId}/decommission`, {}), 200);
    await smsc.until(() => smsc.bound.length === 0);
  });

  it('has one session of two processes; the other sends its messages through it, and takes it over', async () => {
    const tenant = await tenantWith();
    const second = await service.another({ UNIMSG_ROLE: 'all' });
    try {
      const there = new ApiClient(second.url, { authorization: `Bearer ${tenant.apiKey}` }, service.recorder);
      const ids: string[] = [];
      for (const api of [there, tenant.api, there, tenant.api]) {
        const sent = await api.post('/v1/sms/send', { to: freshNumber(), message: 'hello' });
        assertStatus(sent, 202);
        ids.push(sent.body.data.message_id);
      }
      for (const id of ids) await tenant.until(id, ({ status }) => status === 'sent');
      expect(smsc.connections).toBe(1);
      // Asked of the process that does not hold it.
      const test = await there.post(`/communication/smpp/configs/${tenant.configId}/test`, {});
      expect(test.body.data).toMatchObject({ healthy: true });
      expect(smsc.connections).toBe(1);
      // One of the two takes it over, and so does the one that is left.
      const holder = smsc.bound[0]!;
      await service.restart();
      await smsc.until(() => smsc.bound.length === 1 && smsc.bound[0] !== holder);
      const after = await tenant.send(freshNumber());
      await tenant.until(after, ({ status }) => status === 'sent');
    } finally {
      await second.stop();
    }
    const last = await tenant.send(freshNumber());
    await tenant.until(last, ({ status }) => status === 'sent');
    expect(smsc.bound).toHaveLength(1);
    expect(smsc.mostBound).toBe(1);
    await decommission(tenant);
  }, 60_000);

  it('puts a config into error when the SMSC refuses the account, and brings it back', async () => {
    const tenant = await tenantWith();
    smsc.onBind = (request, connection) => connection.answer(request, 0x0e);
    ofAccount('acme')[0]!.socket.destroy();
    const status = async (): Promise<string> =>
      (await tenant.api.get(`/communication/smpp/configs/${tenant.configId}`)).body.data.status;
    await until('the config is in error', async () => (await status()) === 'error');
    smsc.onBind = undefined;
    await until('the config is back', async () => (await status()) === 'active');
    await smsc.until(() => smsc.bound.length === 1);
    await decommission(tenant);
  });
});
