import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { fakeProvider } from '../../../test/factories/fake-provider';
import { createGatewayStack, type GatewayStack } from '../../../test/support/gateway-stack';
import { Problem } from '../../kernel/problem';
import { CONFIG_ACTIONS, CONFIG_STATUSES, LIFE_CYCLE } from './provider-config';

const acme = fakeProvider();
const other = fakeProvider({ key: 'other', slug: 'other', aliases: [] });
const relay = fakeProvider({
  key: 'relay',
  slug: 'relay',
  aliases: [],
  baseUrl: null,
  settings: other.settings.extend({ host: z.string(), port: z.int().optional(), tls: z.boolean().optional() }),
});
const client = 'acme_corp_1234567890123456';
const stranger = 'stranger_1234567890123456';
const body = (more: object = {}) => ({
  credentials: { account_id: 'AC123', api_key: 'clear-api-key' },
  from_number: '+15005550006',
  ...more,
});

describe('ConfigService', () => {
  let stack: GatewayStack;
  let root: string;
  let secretsDir: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'unimsg-secrets-'));
    secretsDir = join(root, 'secrets');
    await mkdir(secretsDir);
    await writeFile(join(root, 'outside'), 'outside');
    await mkdir(join(secretsDir, 'acme'));
    await writeFile(join(secretsDir, 'acme', 'key'), 'key-from-file\n');
    await symlink(join(root, 'outside'), join(secretsDir, 'acme', 'escape'));
    await symlink(join(secretsDir, 'acme', 'key'), join(secretsDir, 'acme', 'link'));
    stack = await createGatewayStack({
      definitions: [acme, other, relay],
      env: { ACME_KEY: 'key-from-env', UNIMSG_ADMIN_KEY: 'operator-key', DATABASE_URL: 'postgres://operator' },
      secretsDir,
      allowedRefs: ['env:ACME_*', 'env:UNIMSG_*', 'env:DATABASE_URL', 'file:acme/*', 'file:../*'],
    });
  });

  afterAll(async () => {
    await stack.close();
    await rm(root, { recursive: true });
  });

  const failure = async (work: Promise<unknown>): Promise<Problem> => {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Problem);
    return error as Problem;
  };
  const fields = (problem: Problem) => problem.options.errors?.map(({ field, code }) => `${field} ${code}`);

  describe('create', () => {
    it('makes a draft, seals what was given in clear, and keeps no secret in the config', async () => {
      const config = await stack.configs.create(client, acme, body({ display_name: 'Mine' }));
      expect(config).toMatchObject({
        status: 'draft',
        displayName: 'Mine',
        provider: 'acme',
        channel: 'sms',
        version: 1,
        settings: { from_number: '+15005550006', quality: 'high' },
        perSecond: 100,
      });
      expect(config.credentials).toEqual({
        account_id_ref: expect.stringMatching(/^db:sec_/),
        api_key_ref: expect.stringMatching(/^db:sec_/),
      });
      const rows = await stack.database.query<{ text: string }>(
        `SELECT c::text || (SELECT string_agg(s::text, '') FROM secrets s) AS text FROM provider_configs c WHERE id = $1`,
        [config.id],
      );
      expect(rows[0]!.text).not.toContain('clear-api-key');
      expect(rows[0]!.text).not.toContain('AC123');
      const opened = await stack.secrets.open(config);
      expect(opened.credentials.api_key?.reveal()).toBe('clear-api-key');
      expect(opened.credentials.account_id?.reveal()).toBe('AC123');
    });

    it('makes an active one when asked to', async () => {
      const config = await stack.configs.create(client, acme, body({ status: 'active', max_per_second: 2.5 }));
      expect(config).toMatchObject({ status: 'active', maxPerSecond: 2.5, perSecond: 2.5 });
      expect(config.activatedAt).toEqual(config.createdAt);
    });

    it.each([
      [{}, ['credentials.account_id_ref required', 'credentials.api_key_ref required', 'from_number required']],
      [body({ nonsense: 1 }), ['nonsense unknown_field']],
      [body({ status: 'paused' }), ['status invalid_value']],
      [body({ max_per_second: 0 }), ['max_per_second too_small']],
      [body({ max_per_second: 'fast' }), ['max_per_second invalid_type']],
      [body({ display_name: '  ' }), ['display_name too_short']],
      [body({ from_number: '0123' }), ['from_number invalid_format']],
      [body({ quality: 'medium' }), ['quality invalid_value']],
      [body({ supported_countries: ['SE', 'Italy'] }), ['supported_countries[1] invalid_format']],
      [body({ credentials: { account_id: 'AC1', api_key: 'k', token: 't' } }), ['credentials.token unknown_field']],
      [body({ credentials: { account_id: 'XX', api_key: 'k' } }), ['credentials.account_id invalid_format']],
      [body({ credentials: { account_id: 'AC1', api_key: 7 } }), ['credentials.api_key invalid_type']],
      [body({ credentials: { account_id: 'AC1', api_key: 'pasted\n' } }), ['credentials.api_key invalid_format']],
      [body({ credentials: 'AC1' }), ['credentials invalid_type']],
      [
        body({ credentials: { account_id: 'AC1', api_key: 'k', api_key_ref: 'env:ACME_KEY' } }),
        ['credentials.api_key conflict'],
      ],
    ])('refuses %j', async (given, expected) => {
      const problem = await failure(stack.configs.create(client, acme, given));
      expect(problem.status).toBe(400);
      expect(fields(problem)).toEqual(expected);
    });

    it('never repeats a value that it refuses', async () => {
      const secret = 'XX-not-an-account-but-secret';
      const problem = await failure(
        stack.configs.create(client, acme, body({ credentials: { account_id: secret, api_key: 'k' } })),
      );
      expect(JSON.stringify([problem.message, problem.options])).not.toContain(secret);
    });
  });

  describe('references', () => {
    const withRef = (ref: string) => body({ credentials: { account_id: 'AC1', api_key_ref: ref } });

    it.each([
      ['env:ACME_KEY', 'key-from-env'],
      ['file:acme/key', 'key-from-file'],
      ['file:acme/link', 'key-from-file'],
    ])('reads %s', async (ref, value) => {
      const config = await stack.configs.create(client, acme, { ...withRef(ref), status: 'active' });
      expect(config.credentials.api_key_ref).toBe(ref);
      expect((await stack.secrets.open(config)).credentials.api_key?.reveal()).toBe(value);
    });

    it.each([
      ['env:OTHER_KEY', 'reference_not_allowed'],
      ['env:UNIMSG_ADMIN_KEY', 'reference_not_allowed'],
      ['env:DATABASE_URL', 'reference_not_allowed'],
      ['file:other/key', 'reference_not_allowed'],
      ['file:acme/../../outside', 'reference_not_allowed'],
      ['file:../outside', 'reference_not_allowed'],
      ['file:/etc/hostname', 'reference_not_allowed'],
      ['ldap:acme', 'invalid_reference'],
      ['plain text', 'invalid_reference'],
      ['db:whatever', 'invalid_reference'],
      ['db:sec_00000000000000000000000000', 'unresolved_reference'],
    ])('refuses %s in a draft', async (ref, code) => {
      const problem = await failure(stack.configs.create(client, acme, withRef(ref)));
      expect(problem.status).toBe(400);
      expect(fields(problem)).toEqual([`credentials.api_key_ref ${code}`]);
    });

    it.each(['env:ACME_MISSING', 'file:acme/missing', 'file:acme/escape'])(
      'takes %s in a draft, but does not activate it',
      async (ref) => {
        const draft = await stack.configs.create(client, acme, withRef(ref));
        const problem = await failure(stack.configs.act(client, acme, draft.id, 'activate'));
        expect(problem.status).toBe(409);
        expect(fields(problem)).toEqual(['credentials.api_key_ref unresolved_reference']);
        const direct = await failure(stack.configs.create(client, acme, { ...withRef(ref), status: 'active' }));
        expect(direct.status).toBe(400);
      },
    );

    it("does not read another tenant's stored secret", async () => {
      const theirs = await stack.configs.create(stranger, acme, body());
      const problem = await failure(stack.configs.create(client, acme, withRef(theirs.credentials.api_key_ref!)));
      expect(fields(problem)).toEqual(['credentials.api_key_ref unresolved_reference']);
    });

    it('lets configs of one provider share a stored secret, and no other name it', async () => {
      const { credentials } = await stack.configs.create(client, acme, body());
      const theirs = withRef(credentials.api_key_ref!);
      await stack.configs.create(client, acme, theirs);
      for (const work of [
        stack.configs.create(client, other, theirs),
        stack.configs.create(client, relay, { ...theirs, host: 'evil.example' }),
      ])
        expect(fields(await failure(work))).toEqual(['credentials.api_key_ref reference_not_allowed']);
    });

    it('keeps a stored secret with its config where the config says to which host it goes', async () => {
      const mine = await stack.configs.create(client, relay, body({ host: 'mail.example' }));
      const ref = mine.credentials.api_key_ref!;
      const copied = stack.configs.create(client, relay, { ...withRef(ref), host: 'evil.example' });
      expect(fields(await failure(copied))).toEqual(['credentials.api_key_ref reference_not_allowed']);
      const again = await stack.configs.update(client, relay, mine.id, { credentials: { api_key_ref: ref } });
      expect(again.credentials).toEqual(mine.credentials);
    });

    it('reads nothing any more once the operator has withdrawn the permission', async () => {
      const config = await stack.configs.create(client, acme, { ...withRef('env:ACME_KEY'), status: 'active' });
      const before = stack.allowed.refs;
      stack.allowed.refs = [];
      try {
        await expect(stack.secrets.open(config)).rejects.toThrow(
          'credentials.api_key_ref: the operator has not allowed',
        );
      } finally {
        stack.allowed.refs = before;
      }
    });
  });

  describe('tenants', () => {
    it("answers 404 for another tenant's config, and for one of another provider", async () => {
      const { id } = await stack.configs.create(client, acme, body());
      for (const work of [
        stack.configs.get(stranger, acme, id),
        stack.configs.update(stranger, acme, id, { display_name: 'x' }),
        stack.configs.act(stranger, acme, id, 'activate'),
        stack.configs.remove(stranger, acme, id),
        stack.configs.get(client, other, id),
        stack.configs.get(client, acme, 'cfg_nonsense'),
      ])
        expect((await failure(work)).status).toBe(404);
      expect((await stack.configs.get(client, acme, id)).version).toBe(1);
    });

    it('lists a tenant’s own configs page by page, without the decommissioned', async () => {
      const own = 'lister_1234567890123456';
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.push((await stack.configs.create(own, acme, body())).id);
      await stack.configs.remove(own, acme, ids[1]!);
      const all = await stack.configs.list(own, acme, { limit: 50 });
      expect(all.map((config) => config.id)).toEqual([ids[0], ids[2], ids[3], ids[4]]);
      const page = await stack.configs.list(own, acme, { limit: 2, after: ids[2] });
      expect(page.map((config) => config.id)).toEqual([ids[3], ids[4]]);
      const gone = await stack.configs.list(own, acme, { limit: 50, status: 'decommissioned' });
      expect(gone.map((config) => config.id)).toEqual([ids[1]]);
      expect(await stack.configs.list(own, other, { limit: 50 })).toEqual([]);
    });
  });

  describe('update', () => {
    it('merges credentials field by field, drops the replaced secret, and raises the version', async () => {
      const made = await stack.configs.create(
        client,
        acme,
        body({ credentials: { account_id: 'AC9', api_key: 'first', signing_key: 'sign', service_id: 'SV1' } }),
      );
      const changed = await stack.configs.update(client, acme, made.id, {
        credentials: { api_key: 'second', signing_key: null, service_id: 'SV2' },
        quality: 'low',
        max_per_second: 7,
      });
      expect(changed.version).toBe(2);
      expect(changed.settings).toEqual({ from_number: '+15005550006', quality: 'low' });
      expect(changed.credentials).toEqual({
        account_id_ref: made.credentials.account_id_ref,
        api_key_ref: expect.stringMatching(/^db:sec_/),
        service_id: 'SV2',
      });
      const opened = await stack.secrets.open(changed);
      expect(opened.credentials.api_key?.reveal()).toBe('second');
      const left = await stack.database.query<{ id: string }>('SELECT id FROM secrets WHERE config_id = $1', [made.id]);
      expect(left.map((row) => `db:${row.id}`).sort()).toEqual(
        [changed.credentials.account_id_ref!, changed.credentials.api_key_ref!].sort(),
      );
      const back = await stack.configs.update(client, acme, made.id, {
        credentials: { api_key_ref: 'env:ACME_KEY' },
        max_per_second: null,
      });
      expect(back).toMatchObject({ version: 3, maxPerSecond: null, perSecond: 100 });
      expect((await stack.secrets.open(back)).credentials.api_key?.reveal()).toBe('key-from-env');
    });

    it('keeps a stored secret that another config names', async () => {
      const first = await stack.configs.create(client, acme, body());
      const ref = first.credentials.api_key_ref!;
      const second = await stack.configs.create(
        client,
        acme,
        body({ credentials: { account_id: 'AC2', api_key_ref: ref } }),
      );
      await stack.configs.update(client, acme, first.id, { credentials: { api_key: 'new' } });
      expect((await stack.secrets.open(second)).credentials.api_key?.reveal()).toBe('clear-api-key');
    });

    it.each([{ host: 'evil.example' }, { port: 26 }, { tls: true }])(
      'sends no stored secret to another address: %j takes the secrets again',
      async (change) => {
        const made = await stack.configs.create(client, relay, body({ host: 'mail.example', port: 25 }));
        const { account_id_ref, api_key_ref } = made.credentials;
        const update = (more: object) => stack.configs.update(client, relay, made.id, { ...change, ...more });
        for (const credentials of [undefined, { account_id_ref, api_key_ref }])
          expect(fields(await failure(update({ ...(credentials && { credentials }) })))).toEqual([
            'credentials.account_id required',
            'credentials.api_key required',
            `${Object.keys(change)[0]} conflict`,
          ]);
        const partly = { account_id: 'AC1', api_key_ref };
        expect(fields(await failure(update({ credentials: partly })))).toContain('credentials.api_key required');
        const moved = await update({ credentials: { account_id: 'AC1', api_key_ref: 'env:ACME_KEY' } });
        expect(moved.settings).toMatchObject(change);
        await stack.configs.update(client, relay, made.id, { host: moved.settings.host, quality: 'low' });
      },
    );

    it.each([
      [{ nonsense: 1 }, ['nonsense unknown_field']],
      [{ from_number: null }, ['from_number required']],
      [{ status: 'active' }, ['status unknown_field']],
      [{ credentials: { api_key: null } }, ['credentials.api_key invalid_type']],
      [{ credentials: { api_key_ref: 'env:NOPE' } }, ['credentials.api_key_ref reference_not_allowed']],
    ])('refuses %j and changes nothing', async (given, expected) => {
      const { id } = await stack.configs.create(client, acme, body());
      expect(fields(await failure(stack.configs.update(client, acme, id, given)))).toEqual(expected);
      expect((await stack.configs.get(client, acme, id)).version).toBe(1);
    });

    it('does not lose one of two changes at the same time', async () => {
      const { id } = await stack.configs.create(client, acme, body());
      await Promise.all([
        stack.configs.update(client, acme, id, { display_name: 'renamed' }),
        stack.configs.update(client, acme, id, { max_per_second: 3 }),
      ]);
      expect(await stack.configs.get(client, acme, id)).toMatchObject({
        displayName: 'renamed',
        maxPerSecond: 3,
        version: 3,
      });
    });
  });

  describe('life cycle', () => {
    const inState = async (status: string) => {
      const config = await stack.configs.create(client, acme, body({ status: 'active' }));
      await stack.database.execute('UPDATE provider_configs SET status = $2 WHERE id = $1', [config.id, status]);
      return config;
    };

    it.each(CONFIG_STATUSES.flatMap((status) => CONFIG_ACTIONS.map((action) => [status, action] as const)))(
      'from %s: %s',
      async (status, action) => {
        const { id } = await inState(status);
        const work = stack.configs.act(client, acme, id, action);
        if (LIFE_CYCLE[action].from.includes(status)) expect((await work).status).toBe(LIFE_CYCLE[action].to);
        else {
          expect(await failure(work)).toMatchObject({ status: 409, code: 'conflict' });
          expect((await stack.configs.get(client, acme, id)).status).toBe(status);
        }
      },
    );

    it('has exactly the steps of the contract', () => {
      const steps = CONFIG_ACTIONS.flatMap((action) =>
        LIFE_CYCLE[action].from.map((from) => `${from} → ${LIFE_CYCLE[action].to}`),
      );
      expect([...new Set(steps)].sort()).toEqual(
        [
          'draft → active',
          'active → paused',
          'paused → active',
          'error → active',
          'draft → decommissioned',
          'active → decommissioned',
          'paused → decommissioned',
          'error → decommissioned',
        ].sort(),
      );
    });

    it('deletes by decommissioning, readable and repeatable', async () => {
      const { id } = await inState('active');
      expect((await stack.configs.remove(client, acme, id)).status).toBe('decommissioned');
      expect((await stack.configs.remove(client, acme, id)).status).toBe('decommissioned');
      expect((await stack.configs.get(client, acme, id)).status).toBe('decommissioned');
      expect((await failure(stack.configs.update(client, acme, id, { display_name: 'x' }))).status).toBe(409);
    });
  });
});
