import { fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { CircuitBreakers } from './circuit-breakers';
import { LocalRates } from './gateway-rates';
import { GatewayStates } from './gateway-states';

const acme = fakeProvider();
const client = 'acme_corp_1234567890123456';

describe('GatewayStates', () => {
  let stack: GatewayStack;
  let configId: string;

  beforeAll(async () => {
    stack = await createGatewayStack({ definitions: [acme] });
    const config = await stack.configs.create(client, acme, {
      credentials: { account_id: 'AC1', api_key: 'key' },
      from_number: '+15005550006',
    });
    configId = config.id;
  });
  afterAll(() => stack.close());

  const process = () => {
    const circuits = new CircuitBreakers(stack.clock, {}, () => 0);
    const rates = new LocalRates(stack.clock);
    const states = new GatewayStates(stack.database, circuits, rates, stack.clock, stack.logger);
    return { circuits, rates, states };
  };
  const open = (circuits: CircuitBreakers) => {
    for (let i = 0; i < 5; i++) circuits.failed(configId);
  };

  it("shows one process's open circuit and pause in another, until they are over", async () => {
    const [worker, api] = [process(), process()];
    open(worker.circuits);
    worker.rates.pause(configId, stack.clock.now() + 60_000);
    expect((await worker.states.ofTenant(client)).get(configId)?.circuit).toBe('open');
    expect((await api.states.ofTenant(client)).size).toBe(0);
    await worker.states.report();
    expect((await api.states.ofTenant(client)).get(configId)).toEqual({
      circuit: 'open',
      rateBlockedUntil: stack.clock.now() + 60_000,
    });
    expect((await api.states.ofTenant('stranger_1234567890123456')).size).toBe(0);
    stack.clock.advance(10_000);
    expect((await api.states.ofTenant(client)).get(configId)?.circuit).toBe('half_open');
    worker.circuits.tryProbe(configId);
    worker.circuits.succeeded(configId);
    stack.clock.advance(50_000);
    await worker.states.report();
    expect((await api.states.ofTenant(client)).size).toBe(0);
  });

  it('shows the worst of several, and forgets a process that says nothing any more', async () => {
    const [first, second, api] = [process(), process(), process()];
    open(first.circuits);
    open(api.circuits);
    stack.clock.advance(10_000);
    open(second.circuits);
    await first.states.report();
    await second.states.report();
    expect((await api.states.ofTenant(client)).get(configId)?.circuit).toBe('open');
    await second.states.stop();
    expect((await api.states.ofTenant(client)).get(configId)?.circuit).toBe('half_open');
    const late = process();
    expect((await late.states.ofTenant(client)).get(configId)?.circuit).toBe('half_open');
    stack.clock.advance(30_000);
    expect((await late.states.ofTenant(client)).size).toBe(0);
    // One that lives says it again.
    await first.states.report();
    expect((await late.states.ofTenant(client)).get(configId)?.circuit).toBe('half_open');
    await first.states.stop();
  });

  it('writes at once when a circuit opens, while it runs', async () => {
    const [worker, api] = [process(), process()];
    worker.states.start();
    open(worker.circuits);
    await worker.states.stop();
    // Stopping waits for the report under way, and takes this process's rows with it.
    expect((await api.states.ofTenant(client)).size).toBe(0);
    const rows = await stack.database.query('SELECT 1 FROM gateway_states WHERE process_id = $1', [
      worker.states.processId,
    ]);
    expect(rows).toEqual([]);
  });
});
