import { fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import type { CallbackClaim, CallbackDefinition, CallbackRequest } from '../../gateway/contracts/callback';
import { InvalidSignature } from '../../gateway/contracts/gateway-error';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import type { Database } from '../../platform/database/database';
import { silentLogger } from '../../kernel/logger';
import { messageIdTime, newId } from '../../kernel/ids';
import { CallbackConfigs } from './callback-configs';
import type { CallbackMetrics } from './callback-metrics';
import { CallbackProof } from './callback-proof';

const FIRST = 'first_0123456789abcdef';
const SECOND = 'second_0123456789abcdef';

/** Its payload is the claim, and its proof the signing key itself. */
const callback: CallbackDefinition = {
  authentication: 'signature',
  scheme: 'none',
  locate: (request) => JSON.parse(request.rawBody.toString()) as CallbackClaim,
  verify(request, { credentials }) {
    if (request.headers.proof !== credentials.signing_key?.reveal()) throw new InvalidSignature('it is another key');
  },
  parse: () => [],
  answer: { status: 200 },
};
const acme = fakeProvider({ callbacks: { inbound: callback } });
const bell = fakeProvider({
  key: 'bell',
  slug: 'bell',
  aliases: [],
  callbacks: { inbound: { ...callback, unaddressed: true } },
});

describe('CallbackProof', () => {
  let stack: GatewayStack;
  let proof: CallbackProof;
  let keys = 0;
  let key: string;
  /** Queries since the test began. */
  let queries: string[];

  beforeAll(async () => {
    stack = await createGatewayStack({ definitions: [acme, bell] });
    const database = {
      query: (text: string, values: unknown[]) => {
        queries.push(JSON.stringify([text, values]));
        return stack.database.query(text, values);
      },
    } as unknown as Database;
    const metrics = { refused() {} } as unknown as CallbackMetrics;
    proof = new CallbackProof(new CallbackConfigs(stack.directory, database), metrics, stack.clock, silentLogger);
  });
  afterAll(() => stack.close());
  beforeEach(() => {
    queries = [];
    key = `sign-${++keys}`;
  });

  async function config(clientId: string, more: object = {}, definition = acme): Promise<string> {
    stack.clock.advance(1_000);
    const made = await stack.configs.create(clientId, definition, {
      credentials: { account_id: `AC${keys}`, api_key: 'key', signing_key: key },
      from_number: '+15005550006',
      status: 'active',
      ...more,
    });
    return made.id;
  }

  const request = (claim: CallbackClaim, given = key): CallbackRequest => ({
    method: 'POST',
    publicUrl: 'https://unimsg.example/webhook/acme/inbound',
    query: new URLSearchParams(),
    headers: { proof: given },
    rawBody: Buffer.from(JSON.stringify(claim)),
  });

  async function owner(claim: CallbackClaim, definition: ProviderDefinition = acme, given = key): Promise<string> {
    const route = { definition, callback: definition.callbacks.inbound!, configId: undefined };
    const [one, ...others] = await proof.prove(route, request(claim, given));
    expect(others).toEqual([]);
    return one!.config.config.id;
  }

  const account = () => `AC${keys}`;
  async function number(clientId: string, text: string, provider = 'acme'): Promise<void> {
    await stack.database.execute(
      `INSERT INTO numbers (id, client_id, number, channel, provider, created_at, updated_at) VALUES ($1, $2, $3, 'sms', $4, now(), now())`,
      [newId('number'), clientId, text, provider],
    );
  }

  describe('of an account that several configs have', () => {
    it('goes to the config that sent the message', async () => {
      const [old, other] = [await config(FIRST), await config(SECOND)];
      await stack.configs.act(FIRST, acme, old, 'decommission');
      for (const [id, externalId] of [
        [old, `a${keys}`],
        [other, `b${keys}`],
      ])
        await stack.database.execute('INSERT INTO external_ids VALUES ($1, $2, $3)', [id, externalId, 'msg_x']);
      expect(await owner({ account: account(), externalIds: [`a${keys}`] })).toBe(old);
      expect(await owner({ account: account(), externalIds: [`b${keys}`] })).toBe(other);
    });

    it('goes to the tenant that has the number, whoever made his config first', async () => {
      const [mine, theirs] = [await config(FIRST), await config(SECOND)];
      await number(SECOND, '+393330000101');
      await number(FIRST, '+393330000102');
      expect(await owner({ account: account(), recipient: '+393330000101' })).toBe(theirs);
      expect(await owner({ account: account(), recipient: '393330000102' })).toBe(mine);
    });

    it('goes to an active config before others, to the newest of those, and to a decommissioned one last', async () => {
      const made = [await config(FIRST), await config(FIRST), await config(FIRST)];
      const [gone, paused, active] = made as [string, string, string];
      await stack.configs.act(FIRST, acme, gone, 'decommission');
      await stack.configs.act(FIRST, acme, paused, 'pause');
      const claim = { account: account() };
      expect(await owner(claim)).toBe(active);
      const newest = await config(SECOND);
      expect(await owner(claim)).toBe(newest);
      await stack.configs.act(FIRST, acme, active, 'decommission');
      await stack.configs.act(SECOND, acme, newest, 'decommission');
      expect(await owner(claim)).toBe(paused);
    });

    it('goes only to those whose secret proves it', async () => {
      await config(FIRST);
      const strangers = await config(SECOND, {
        credentials: { account_id: account(), api_key: 'key', signing_key: 'another-key' },
      });
      expect(await owner({ account: account() }, acme, 'another-key')).toBe(strangers);
      await expect(owner({ account: account() }, acme, 'nobody')).rejects.toMatchObject({ code: 'invalid_signature' });
    });

    it('asks nothing more for the one config that an account mostly has', async () => {
      const only = await config(FIRST);
      expect(await owner({ account: account(), externalIds: ['x'], recipient: '+393330000103' })).toBe(only);
      expect(queries).toEqual([]);
    });
  });

  describe('that names nobody whom we know', () => {
    it('is refused where the account is always named', async () => {
      await config(FIRST);
      for (const claim of [{}, { account: 'ACnobody' }, { account: 'ACnobody', externalIds: ['x'] }])
        await expect(owner(claim)).rejects.toMatchObject({ code: 'invalid_signature' });
    });

    it('goes, where it need not be, to the config whose secret proves it', async () => {
      await config(SECOND, {}, bell);
      const own = await config(
        FIRST,
        { credentials: { account_id: 'AC1', api_key: 'k', signing_key: `own-${key}` } },
        bell,
      );
      for (const claim of [{}, { externalIds: ['nobody'] }, { account: 'ACnobody' }, { recipient: '+393330000104' }])
        expect(await owner(claim, bell, `own-${key}`)).toBe(own);
      await expect(owner({}, bell, 'nobody')).rejects.toMatchObject({ code: 'invalid_signature' });
    });

    it('is not kept from its own by a tenant who says that the number is his', async () => {
      await config(SECOND, {}, bell);
      await number(SECOND, '+393330000105', 'bell');
      const own = await config(
        FIRST,
        { credentials: { account_id: 'AC1', api_key: 'k', signing_key: `own-${key}` } },
        bell,
      );
      expect(await owner({ recipient: '+393330000105' }, bell, `own-${key}`)).toBe(own);
    });

    it('is found by our own id of the message', async () => {
      const [first, second] = [await config(FIRST, {}, bell), await config(SECOND, {}, bell)];
      const id = newId('message');
      await stack.database.execute(
        `INSERT INTO messages (id, created_at, client_id, channel, recipient, status, priority, content, config_id, expires_at, updated_at)
         SELECT $1, to_timestamp($2::float8 / 1000), $3, 'sms', '+39333', 'sent', 1, '{}', $4, now(), now()`,
        [id, messageIdTime(id), FIRST, first],
      );
      expect(await owner({ messageIds: [id] }, bell)).toBe(first);
      expect(await owner({}, bell)).toBe(second);
    });

    it('makes the database look for some of its ids only', async () => {
      await config(FIRST, {}, bell);
      const externalIds = Array.from({ length: 1000 }, (_, n) => `some-id-${n}`);
      await expect(owner({ externalIds }, bell, 'nobody')).rejects.toMatchObject({ code: 'invalid_signature' });
      expect(queries.join('\n').match(/some-id-/g)).toHaveLength(10);
    });
  });
});
