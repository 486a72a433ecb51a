import { InboundBed } from '../../../test/support/inbound-bed';
import { until } from '../../../test/support/until';
import { answerWith, Receiver } from '../../../test/support/webhook-bed';
import { silentLogger } from '../../kernel/logger';
import { InboundWatch } from './inbound-watch';

const RETRY_MS = 900_000;

describe('what deliveries write for the alerts', () => {
  let bed: InboundBed;
  let client: Receiver;
  const told: string[] = [];
  const watch = () => new InboundWatch(bed.database, bed.alerts, bed.eventSignal, bed.clock, silentLogger).run();
  const minutes = () =>
    bed.database.query<{ receiver_id: string; minute: Date; tries: number; failures: number; slow: number }>(
      'SELECT receiver_id, minute, tries, failures, slow FROM receiver_minutes ORDER BY minute',
    );
  const events = () =>
    bed.database.query<{ type: string; data: Record<string, unknown> }>(
      'SELECT type, data FROM events ORDER BY tx, seq',
    );
  const settled = (id: string, status: string, count: number) =>
    until('deliveries settle', async () => {
      const rows = await bed.deliveries(id);
      return rows.filter((row) => row.status === status).length === count ? rows : null;
    });

  beforeAll(async () => {
    bed = await InboundBed.start();
    bed.eventSignal.onCommitted((clientIds) => told.push(...clientIds));
  });
  beforeEach(async () => {
    client = await Receiver.start(answerWith(200, '+OK'));
    told.length = 0;
  });
  afterEach(async () => {
    await bed.reset();
    await client.close();
  });
  afterAll(() => bed.close());

  it('counts each try once in its minute, and raises the rate that they make', async () => {
    const number = await bed.number([{ url: client.url }]);
    const id = number.receivers[0]!;
    client.answer = (response, { body }) => void response.end(body.includes('bad') ? 'no' : '+OK');
    await bed.service();
    await bed.arrive(number, [...Array.from({ length: 24 }, () => ({})), { text: 'bad' }]);
    await settled(id, 'succeeded', 24);
    await until('the failure is counted', async () => ((await minutes())[0]?.tries === 25 ? true : null));
    const minute = new Date(bed.clock.now());
    expect(await minutes()).toEqual([{ receiver_id: id, minute, tries: 25, failures: 1, slow: 0 }]);
    await watch();
    expect((await events()).map(({ type, data }) => [type, data.alert, data.error_rate])).toEqual([
      ['alert.raised', 'delivery_error_rate', 0.04],
    ]);
    client.answer = answerWith(200, '+OK');
    bed.clock.advance(RETRY_MS + 60_000);
    await settled(id, 'succeeded', 25);
    expect(await minutes()).toMatchObject([{ tries: 25 }, { tries: 1, failures: 0 }]);
    await watch();
    expect((await events()).at(-1)).toMatchObject({ type: 'alert.cleared', data: { tries: 1, failures: 0 } });
  });

  it('raises one alert a receiver with its first dead letter, and ends it when they were delivered', async () => {
    const number = await bed.number([{ url: client.url }, { url: client.url, format: 'json' }], { maxAttempts: 1 });
    const [form, json] = number.receivers;
    client.answer = answerWith(500, 'no');
    await bed.service();
    const ids = await bed.arrive(number, [{}, {}, {}]);
    await settled(form!, 'dead_letter', 3);
    await settled(json!, 'dead_letter', 3);
    const raised = await events();
    expect(raised.map(({ type, data }) => `${type} ${String(data.alert)} ${String(data.subject)}`).sort()).toEqual(
      [form, json].map((id) => `alert.raised dead_letter ${id}`).sort(),
    );
    expect(raised[0]!.data).toMatchObject({ number_id: number.id, number: number.number, severity: 'critical' });
    expect(ids).toContain(raised[0]!.data.inbound_id);
    expect(told).toContain('acme_1');
    await watch();
    client.answer = answerWith(200, '+OK');
    for (const id of ids) await bed.redeliver(id, form!);
    bed.signal.committed(new Set([number.id]));
    await settled(form!, 'succeeded', 3);
    await watch();
    const ended = (await events()).filter(({ type }) => type === 'alert.cleared');
    expect(ended.map(({ data }) => [data.alert, data.subject])).toEqual([['dead_letter', form]]);
  });
});
