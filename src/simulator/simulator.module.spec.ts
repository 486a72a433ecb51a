import { Global, Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { ProviderRegistry } from '../gateway/provider-registry';
import { SimulatorAddress } from '../gateway/simulator-address';
import type { ProviderDefinition } from '../gateway/contracts/provider-definition';
import { LOGGER, silentLogger } from '../kernel/logger';
import { createHttpApplication } from '../platform/http/http-application';
import { UndiciHttpClient } from '../platform/http-client/undici-http-client';
import { SimulatorModule } from './simulator.module';

/** A provider whose stand-in takes everything: the recipient is the body. */
const echo = {
  key: 'echo',
  channel: 'sms',
  slug: 'echo',
  aliases: [],
  simulator: {
    account: () => ({ credentials: {} }),
    handle: ({ body, path }, port) =>
      port.play({
        submission: {
          provider: 'echo',
          externalId: path.slice(1),
          to: body.toString(),
          from: null,
          body: 'Hi',
          reference: null,
        },
        accepted: () => ({ status: 202, body: 'taken' }),
        refused: (why) => ({ status: 400, body: why }),
        callbacks: () => [],
      }),
  },
} as Partial<ProviderDefinition> as ProviderDefinition;

const address = new SimulatorAddress(true);
const registry = new ProviderRegistry();

@Global()
@Module({
  providers: [
    { provide: ProviderRegistry, useValue: registry },
    { provide: SimulatorAddress, useValue: address },
    { provide: LOGGER, useValue: silentLogger },
  ],
  exports: [ProviderRegistry, SimulatorAddress, LOGGER],
})
class SurroundingsModule {}

@Module({ imports: [SurroundingsModule, SimulatorModule] })
class RootModule {}

describe('SimulatorModule', () => {
  let app: NestExpressApplication;
  let http: UndiciHttpClient;

  beforeAll(async () => {
    app = await createHttpApplication(RootModule);
    await app.listen(0, '127.0.0.1');
    // Registered after the simulator began to listen, as channels may do.
    registry.register(echo);
    http = new UndiciHttpClient();
    for (const [id, to] of [
      ['e1', '+15005550000'],
      ['e2', '+15005550001'],
      ['e3', '+46700000000'],
    ] as const) {
      await http.request({ method: 'POST', url: `${address.url('echo')}/${id}`, body: to, timeoutMs: 3000 });
    }
  });

  afterAll(async () => {
    await http.close();
    await app.close();
  });

  const list = (query = '') => request(app.getHttpServer()).get(`/simulator/messages${query}`);

  it('shows what the stand-ins received, newest first', async () => {
    const { status, body } = await list();
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      data: [
        expect.objectContaining({ external_id: 'e3' }),
        expect.objectContaining({ external_id: 'e2', behaviour: 'invalid_recipient', accepted: false }),
        {
          provider: 'echo',
          external_id: 'e1',
          to: '+15005550000',
          from: null,
          body: 'Hi',
          reference: null,
          behaviour: 'delivered',
          accepted: true,
          received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          callbacks: [],
        },
      ],
    });
  });

  it.each([
    ['?to=%2B15005550000', ['e1']],
    ['?provider=echo&limit=2', ['e3', 'e2']],
    ['?provider=twilio', []],
    ['?to=%2B15005550000&provider=twilio', []],
  ])('filters by %s', async (query, ids) => {
    const { body } = await list(query);
    expect(body.data.map((item: { external_id: string }) => item.external_id)).toEqual(ids);
  });

  it.each(['?limit=0', '?limit=201', '?limit=x', '?to=', '?colour=red', '?cursor=x'])('refuses %s', async (query) => {
    expect(await list(query)).toMatchObject({ status: 400, body: { success: false, code: 'invalid_request' } });
  });

  it('stops listening with the application', async () => {
    const second = await createHttpApplication(RootModule);
    await second.init();
    const url = address.url('echo')!;
    await second.close();
    await expect(http.request({ method: 'GET', url, timeoutMs: 3000 })).rejects.toMatchObject({
      reason: 'connection_refused',
    });
  });
});
