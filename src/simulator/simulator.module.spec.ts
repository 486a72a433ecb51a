import { Global, Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { APP_CONFIG } from '../config/app-config';
import { PublicUrl } from '../config/public-url';
import { ConfigDirectory, type CallbackConfig } from '../gateway/configs/config-directory';
import { ProviderRegistry } from '../gateway/provider-registry';
import { SimulatorAddress } from '../gateway/simulator-address';
import type { ProviderDefinition } from '../gateway/contracts/provider-definition';
import { LOGGER, silentLogger } from '../kernel/logger';
import { Secret } from '../kernel/secret';
import { Database } from '../platform/database/database';
import { createHttpApplication } from '../platform/http/http-application';
import { UndiciHttpClient } from '../platform/http-client/undici-http-client';
import { MailStandIn } from '../platform/mailer/mail-stand-in';
import { SimulatorModule } from './simulator.module';

/** A provider whose stand-in takes everything: the recipient is the body. */
const echo = {
  key: 'echo',
  channel: 'sms',
  slug: 'echo',
  aliases: [],
  simulator: {
    account: () => ({ credentials: {} }),
    handle: async ({ method, body, path }, port) => {
      if (method === 'GET') {
        const shown = (await port.accounts('echo', path.slice(1))).map(({ callbackUrl, ...rest }) => ({
          ...rest,
          url: callbackUrl('events'),
        }));
        return { status: 200, body: JSON.stringify(shown) };
      }
      return port.play({
        submission: {
          provider: 'echo',
          externalId: path.slice(1),
          to: body.toString(),
          from: null,
          body: 'Hi',
          reference: `ref-${path.slice(1)}`,
        },
        accepted: () => ({ status: 202, body: 'taken' }),
        refused: (why) => ({ status: 400, body: why }),
        callbacks: () => [],
      });
    },
  },
  callbacks: {},
} as Partial<ProviderDefinition> as ProviderDefinition;

const address = new SimulatorAddress(true);
const registry = new ProviderRegistry();

/** One config, of the account `acct_1`. */
const directory = {
  findForCallback: (slug: string, { account }: { account?: string }) =>
    Promise.resolve(
      slug === 'echo' && account === 'acct_1'
        ? [
            {
              config: { id: 'cfg_1', settings: { display_phone_number: '+1' } },
              secrets: { credentials: { app_secret: new Secret('s'), spare: undefined }, settings: {} },
            } as unknown as CallbackConfig,
          ]
        : [],
    ),
};

@Global()
@Module({
  providers: [
    { provide: ConfigDirectory, useValue: directory },
    { provide: PublicUrl, useValue: new PublicUrl('https://um.example.com') },
    { provide: ProviderRegistry, useValue: registry },
    { provide: SimulatorAddress, useValue: address },
    { provide: Database, useValue: {} },
    { provide: APP_CONFIG, useValue: { allowedPrivateCidrs: [] } },
    MailStandIn,
    { provide: LOGGER, useValue: silentLogger },
  ],
  exports: [Database, APP_CONFIG, ConfigDirectory, PublicUrl, ProviderRegistry, SimulatorAddress, MailStandIn, LOGGER],
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
          reference: 'ref-e1',
          behaviour: 'delivered',
          accepted: true,
          received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          callbacks: [],
        },
      ],
      meta: { next_cursor: null, limit: 50 },
    });
  });

  it('pages through all that is kept', async () => {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await list(`?limit=1&cursor=${cursor}`);
      seen.push(...body.data.map((item: { external_id: string }) => item.external_id));
      cursor = body.meta.next_cursor as string;
    } while (cursor !== null && seen.length < 9);
    expect(seen).toEqual(['e3', 'e2', 'e1']);
  });

  it.each([
    ['?to=%2B15005550000', ['e1']],
    ['?provider=echo&limit=2', ['e3', 'e2']],
    ['?provider=twilio', []],
    ['?to=+15005550000', ['e1']],
    ['?message_id=msg_1', []],
    ['?message_id=ref-e2', ['e2']],
    ['?reference=ref-e1', ['e1']],
    ['?to=%2B15005550000&provider=twilio', []],
  ])('filters by %s', async (query, ids) => {
    const { body } = await list(query);
    expect(body.data.map((item: { external_id: string }) => item.external_id)).toEqual(ids);
  });

  it.each(['?limit=0', '?limit=201', '?limit=x', '?colour=red', '?cursor=x'])('refuses %s', async (query) => {
    expect(await list(query)).toMatchObject({ status: 400, body: { success: false, code: 'invalid_request' } });
  });

  it('tells a stand-in what the owner of an account has set up, and nothing of others', async () => {
    const ask = async (account: string): Promise<unknown> => {
      const { body } = await http.request({ method: 'GET', url: `${address.url('echo')}/${account}`, timeoutMs: 3000 });
      return JSON.parse(body.toString());
    };
    expect(await ask('acct_1')).toEqual([
      {
        credentials: { app_secret: 's' },
        settings: { display_phone_number: '+1' },
        url: 'https://um.example.com/webhook/echo/events/cfg_1',
      },
    ]);
    expect(await ask('acct_2')).toEqual([]);
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
