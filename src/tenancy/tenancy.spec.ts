import { Controller, Get, Post } from '@nestjs/common';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import request from 'supertest';
import { startHttpTestApp, TEST_ADMIN_KEY, type HttpTestApp } from '../../test/support/http-test-app';
import { Secret } from '../kernel/secret';
import { ok } from '../platform/http/envelope';
import { CurrentTenant, Public, Scopes } from './auth.decorators';
import { newApiKey } from './api-key';
import { KeyUsage } from './key-usage';
import { SCOPES, type Principal } from './principal';
import { TenantDirectory } from './tenant-directory';
import { TenantService } from './tenant.service';

@Controller('v1/probe')
class ProbeController {
  @Get('send')
  @Scopes('messages:send', 'messages:read')
  send(@CurrentTenant() principal: Principal) {
    return ok(principal);
  }

  @Get('open')
  @Public()
  open() {
    return ok({});
  }

  @Post('open')
  @Public()
  take() {
    return ok({});
  }
}

@Controller('v1/forgotten')
class ForgottenController {
  @Post()
  forgotten() {
    return ok({});
  }
}

interface Tenant {
  client_id: string;
  name: string;
  api_key: string;
  webhook_signing_secret: string;
}

describe('tenancy', () => {
  let test: HttpTestApp;
  let acme: Tenant;
  let other: Tenant;

  const asAdmin = (call: request.Test) => call.set('Authorization', `Bearer ${TEST_ADMIN_KEY}`);
  const as = (key: string, call: request.Test) => call.set('Authorization', `Bearer ${key}`);
  const http = () => request(test.url);
  const createTenant = async (body: object): Promise<Tenant> => {
    const answer = await asAdmin(http().post('/admin/tenants').send(body)).expect(201);
    return (answer.body as { data: Tenant }).data;
  };
  const createKey = async (key: string, body: object): Promise<{ id: string; api_key: string }> => {
    const answer = await as(key, http().post('/v1/api-keys').send(body)).expect(201);
    return (answer.body as { data: { id: string; api_key: string } }).data;
  };

  beforeAll(async () => {
    test = await startHttpTestApp({ controllers: [ProbeController] });
    acme = await createTenant({ name: 'Acme Ltd', slug: 'acme' });
    other = await createTenant({ name: 'Ölfabrik Süd 24/7' });
  });

  afterAll(() => test.close());

  describe('who may call', () => {
    it('refuses a route that says nothing of it at the start', async () => {
      await expect(startHttpTestApp({ controllers: [ForgottenController] })).rejects.toThrow(
        'These routes say nothing of who may call them: ForgottenController.forgotten',
      );
    });

    it('lets anybody call a public route', async () => {
      await http().get('/v1/probe/open').expect(200, { success: true, data: {} });
    });

    it.each([
      ['no key', {}],
      ['an empty key', { Authorization: 'Bearer ' }],
      ['another scheme', { Authorization: 'Basic dXNlcjpwYXNz' }],
      ['an unknown key', { Authorization: `Bearer um_${'0'.repeat(43)}` }],
      ['an unknown key in X-API-Key', { 'X-API-Key': `um_${'1'.repeat(43)}` }],
      ["the operator's key", { Authorization: `Bearer ${TEST_ADMIN_KEY}` }],
      ['a key that is too long', { Authorization: `Bearer ${'x'.repeat(5000)}` }],
    ])('answers 401 to %s', async (_, headers) => {
      const answer = await http().get('/v1/me').set(headers).expect(401);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.body).toMatchObject({
        success: false,
        status: 401,
        code: 'unauthorized',
        type: '/problems/unauthorized',
      });
      expect(answer.body).toHaveProperty('request_id', answer.headers['x-request-id']);
    });

    it.each([
      ['no key', {}],
      ['another scheme', { Authorization: 'Basic dXNlcjpwYXNz' }],
      ['an unknown key', { Authorization: `Bearer um_${'2'.repeat(43)}` }],
    ])('does not wait for the megabytes of a request with %s', async (_, headers) => {
      const call = httpRequest(`${test.url}/v1/api-keys`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': 1_000_000 },
      });
      const answered = once(call, 'response') as Promise<[IncomingMessage]>;
      call.write('{"name":');
      const [answer] = await answered;
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      call.on('error', () => {}).destroy();
    });

    it("reads a large body of a tenant, of the operator, and of anybody's route", async () => {
      const long = { name: 'x'.repeat(200_000) };
      await as(acme.api_key, http().post('/v1/api-keys').send(long)).expect(400);
      await asAdmin(http().post('/admin/tenants').send(long)).expect(400);
      await http().post('/v1/probe/open').send(long).expect(201);
    });

    it('takes the key in either header, and refuses two that differ', async () => {
      await as(acme.api_key, http().get('/v1/me')).expect(200);
      await http().get('/v1/me').set('Authorization', `bearer ${acme.api_key}`).expect(200);
      await http().get('/v1/me').set('X-API-Key', acme.api_key).expect(200);
      await as(acme.api_key, http().get('/v1/me').set('X-API-Key', acme.api_key)).expect(200);
      await as(acme.api_key, http().get('/v1/me').set('X-API-Key', other.api_key)).expect(401);
    });

    it("answers 401 on the operator's routes to a tenant's key, a wrong one and none", async () => {
      await as(acme.api_key, http().get('/admin/tenants')).expect(401);
      await as(`${TEST_ADMIN_KEY}x`, http().get('/admin/tenants')).expect(401);
      await http().get('/admin/tenants').expect(401);
      await http().post('/admin/tenants').send({ name: 'x' }).expect(401);
    });

    it('needs every scope of the route', async () => {
      const partly = await createKey(acme.api_key, { name: 'send only', scopes: ['messages:send'] });
      const fully = await createKey(acme.api_key, { name: 'both', scopes: ['messages:read', 'messages:send'] });
      const refused = await as(partly.api_key, http().get('/v1/probe/send')).expect(403);
      expect(refused.body).toMatchObject({
        code: 'forbidden',
        detail: expect.stringContaining('messages:read') as unknown,
      });
      const answer = await as(fully.api_key, http().get('/v1/probe/send')).expect(200);
      expect(answer.body).toEqual({
        success: true,
        data: {
          clientId: acme.client_id,
          keyId: fully.id,
          scopes: ['messages:read', 'messages:send'],
          sandbox: false,
          limits: { quotas: null, timeZone: 'UTC' },
        },
      });
    });

    it('tells a key whose it is', async () => {
      const answer = await as(acme.api_key, http().get('/v1/me')).expect(200);
      expect(answer.body).toEqual({
        success: true,
        data: { client_id: acme.client_id, name: 'Acme Ltd', scopes: [...SCOPES] },
      });
    });

    it('stops taking a key when it expires, also one that is in memory', async () => {
      const expires_at = new Date(test.clock.now() + 5_000).toISOString();
      const short = await createKey(acme.api_key, { name: 'short', scopes: ['messages:read'], expires_at });
      await as(short.api_key, http().get('/v1/me')).expect(200);
      test.clock.advance(4_999);
      await as(short.api_key, http().get('/v1/me')).expect(200);
      test.clock.advance(1);
      const answer = await as(short.api_key, http().get('/v1/me')).expect(401);
      expect(answer.body).toMatchObject({ detail: 'This API key has expired.' });
    });

    it('refuses a suspended tenant at once, and takes it again when it is active', async () => {
      const tenant = await createTenant({ name: 'Late payer' });
      await as(tenant.api_key, http().get('/v1/me')).expect(200);
      await asAdmin(http().patch(`/admin/tenants/${tenant.client_id}`).send({ status: 'suspended' })).expect(200);
      const refused = await as(tenant.api_key, http().get('/v1/me')).expect(403);
      expect(refused.body).toMatchObject({
        code: 'forbidden',
        detail: expect.stringContaining('suspended') as unknown,
      });
      await as(acme.api_key, http().get('/v1/me')).expect(200);
      await asAdmin(http().patch(`/admin/tenants/${tenant.client_id}`).send({ status: 'active' })).expect(200);
      await as(tenant.api_key, http().get('/v1/me')).expect(200);
    });

    it('slows down who tries keys, and holds up no key that works', async () => {
      await as(acme.api_key, http().get('/v1/me')).expect(200);
      const codes: number[] = [];
      for (let i = 0; i < 130; i++) {
        const answer = await as(`um_${String(i).padStart(43, 'z')}`, http().get('/v1/me'));
        codes.push(answer.status);
        if (answer.status === 429) {
          expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
          expect(answer.headers['ratelimit-policy']).toBe('"wrong-keys";q=10;w=1');
          expect(answer.headers['ratelimit']).toBe('"wrong-keys";r=0;t=1');
        }
      }
      expect(codes[0]).toBe(401);
      expect(codes.at(-1)).toBe(429);
      await as(acme.api_key, http().get('/v1/me')).expect(200);
      // Nor one that nobody has used yet, and a wrong one that is known by now costs nothing.
      const fresh = await createTenant({ name: 'Neighbour' });
      const many = await Promise.all(Array.from({ length: 20 }, () => as(fresh.api_key, http().get('/v1/me'))));
      expect(many.map(({ status }) => status)).toEqual(Array<number>(20).fill(200));
      await as(`um_${'1'.padStart(43, 'z')}`, http().get('/v1/me')).expect(401);
      test.clock.advance(11_000);
      // No longer fresh in memory, and yet no guess.
      await as(acme.api_key, http().get('/v1/me')).expect(200);
      await asAdmin(http().get('/admin/tenants')).expect(200);
      await as(`um_${'y'.repeat(43)}`, http().get('/v1/me')).expect(401);
    });

    it('answers 401 to one wrong key however often it comes, and counts it once', async () => {
      for (const path of ['/v1/me', '/admin/tenants']) {
        const ask = (key: string) => as(key, http().get(path));
        const repeats = await Promise.all(Array.from({ length: 250 }, () => ask(`um_${'r'.repeat(43)}`)));
        expect(new Set(repeats.map(({ status }) => status))).toEqual(new Set([401]));
        await ask(`um_${path.length}${'n'.repeat(42)}`).expect(401);
      }
    });
  });

  describe('/admin/tenants', () => {
    it('makes a tenant with a first key of all scopes', async () => {
      expect(acme.client_id).toMatch(/^acme_[a-z0-9]{16}$/);
      expect(acme.api_key).toMatch(/^um_[0-9A-Za-z]{43}$/);
      expect(acme.webhook_signing_secret).toMatch(/^whsec_[0-9A-Za-z+/]{43}=$/);
      expect(Object.keys(acme).sort()).toEqual([
        'api_key',
        'client_id',
        'created_at',
        'name',
        'webhook_signing_secret',
      ]);
      expect(other.client_id).toMatch(/^olfabrik-sud-24-7_[a-z0-9]{16}$/);
    });

    it('lists tenants in pages, newest first, each once', async () => {
      for (const name of ['p1', 'p2', 'p3']) await createTenant({ name });
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const answer: request.Response = await asAdmin(
          http()
            .get('/admin/tenants')
            .query(cursor === null ? { limit: 2 } : { limit: 2, cursor }),
        ).expect(200);
        const body = answer.body as {
          data: Array<{ client_id: string }>;
          meta: { next_cursor: string | null; limit: number };
        };
        expect(body.meta.limit).toBe(2);
        expect(body.data.length).toBeLessThanOrEqual(2);
        seen.push(...body.data.map((tenant) => tenant.client_id));
        cursor = body.meta.next_cursor;
      } while (cursor !== null);
      const [{ count }] = (await test.database.database.query('SELECT count(*)::int FROM tenants')) as [
        { count: number },
      ];
      expect(seen).toHaveLength(count);
      expect(new Set(seen).size).toBe(count);
      expect(seen.slice(-2).sort()).toEqual([acme.client_id, other.client_id].sort());
    });

    it('changes name, quotas and allowed secrets, and tells the directory at once', async () => {
      const directory = test.app.get(TenantDirectory);
      expect(await directory.get(acme.client_id)).toMatchObject({ quotas: {}, allowedSecretRefs: [] });
      const patch = { quotas: { daily: 10 }, allowed_secret_refs: ['env:ACME_*'] };
      const answer = await asAdmin(http().patch(`/admin/tenants/${acme.client_id}`).send(patch)).expect(200);
      expect((answer.body as { data: unknown }).data).toMatchObject({ ...patch, name: 'Acme Ltd', status: 'active' });
      expect(await directory.get(acme.client_id)).toMatchObject({
        quotas: { daily: 10 },
        allowedSecretRefs: ['env:ACME_*'],
      });
      await asAdmin(http().patch(`/admin/tenants/${acme.client_id}`).send({ quotas: null })).expect(200);
      expect(await directory.get(acme.client_id)).toMatchObject({ quotas: {}, allowedSecretRefs: ['env:ACME_*'] });
      const read = await asAdmin(http().get(`/admin/tenants/${acme.client_id}`)).expect(200);
      expect((read.body as { data: unknown }).data).toMatchObject({ client_id: acme.client_id, quotas: {} });
    });

    it.each([
      ['ACME_Nord-2', 'acme_nord-2'],
      ['24-7', '24-7'],
      ['x'.repeat(48), 'x'.repeat(48)],
    ])('takes the slug %s', async (slug, lowered) => {
      const tenant = await createTenant({ name: 'Slug', slug });
      expect(tenant.client_id).toMatch(new RegExp(`^${lowered}_[a-z0-9]{16}$`));
      await as(tenant.api_key, http().get('/v1/me')).expect(200);
      await asAdmin(http().get(`/admin/audit?client_id=${tenant.client_id}`)).expect(200);
    });

    it.each(['', '-x', '_x', 'a b', 'ü', 'x'.repeat(49)])('refuses the slug %j', async (slug) => {
      const answer = await asAdmin(http().post('/admin/tenants').send({ name: 'Slug', slug })).expect(400);
      expect(answer.body).toMatchObject({ errors: [{ field: 'slug', code: 'invalid_format' }] });
    });

    it('names every wrong field and changes nothing', async () => {
      const wrong = {
        name: 7,
        status: 'deleted',
        quotas: { daily: -1, weekly: 3 },
        allowed_secret_refs: ['env:A', 'db:x', 5],
        plan: 'x',
      };
      const answer = await asAdmin(http().patch(`/admin/tenants/${acme.client_id}`).send(wrong)).expect(400);
      const { errors } = answer.body as { errors: Array<{ field: string; code: string }> };
      expect(errors.map((one) => [one.field, one.code])).toEqual([
        ['quotas.weekly', 'unknown_field'],
        ['plan', 'unknown_field'],
        ['name', 'invalid_type'],
        ['status', 'invalid_value'],
        ['quotas.daily', 'too_small'],
        ['allowed_secret_refs[2]', 'invalid_type'],
      ]);
      const read = await asAdmin(http().get(`/admin/tenants/${acme.client_id}`)).expect(200);
      expect((read.body as { data: unknown }).data).toMatchObject({ name: 'Acme Ltd', status: 'active' });
    });

    it('answers 404 for a tenant that does not exist', async () => {
      await asAdmin(http().get('/admin/tenants/nobody_aaaaaaaaaaaaaaaa')).expect(404);
      await asAdmin(http().patch('/admin/tenants/nobody_aaaaaaaaaaaaaaaa').send({ name: 'x' })).expect(404);
      await asAdmin(http().post('/admin/tenants/x/signing-secret/rotate')).expect(404);
      await asAdmin(
        http()
          .post('/admin/tenants/x/api-keys')
          .send({ name: 'x', scopes: ['messages:read'] }),
      ).expect(404);
    });

    it('replaces the signing secret and makes keys for a tenant that lost its own', async () => {
      const directory = test.app.get(TenantDirectory);
      expect((await directory.webhookSigningSecret(acme.client_id)).reveal()).toBe(acme.webhook_signing_secret);
      const answer = await asAdmin(http().post(`/admin/tenants/${acme.client_id}/signing-secret/rotate`)).expect(200);
      const { webhook_signing_secret: fresh } = (answer.body as { data: { webhook_signing_secret: string } }).data;
      expect(fresh).not.toBe(acme.webhook_signing_secret);
      expect((await directory.webhookSigningSecret(acme.client_id)).reveal()).toBe(fresh);
      const made = await asAdmin(
        http()
          .post(`/admin/tenants/${acme.client_id}/api-keys`)
          .send({ name: 'rescue', scopes: ['keys:write'] }),
      ).expect(201);
      await as((made.body as { data: { api_key: string } }).data.api_key, http().get('/v1/api-keys')).expect(200);
    });

    it('shows no secret in later answers, keeps no key, and seals the signing secret', async () => {
      const answers = await Promise.all([
        asAdmin(http().get('/admin/tenants?limit=200')),
        asAdmin(http().get(`/admin/tenants/${other.client_id}`)),
        as(other.api_key, http().get('/v1/api-keys')),
        as(other.api_key, http().get('/v1/me')),
      ]);
      const rows = await test.database.database.query(
        'SELECT t::text AS row FROM tenants t UNION ALL SELECT k::text FROM api_keys k',
      );
      const everything = [
        ...answers.map((answer) => answer.text),
        JSON.stringify(rows),
        JSON.stringify(test.logs),
      ].join('\n');
      expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
      for (const secret of [other.api_key, other.webhook_signing_secret, acme.api_key, TEST_ADMIN_KEY]) {
        expect(everything).not.toContain(secret);
        expect(everything).not.toContain(secret.slice(3, 20));
      }
    });

    it('makes one tenant however often it is ensured, and lets the given key in', async () => {
      const tenants = test.app.get(TenantService);
      const first = newApiKey();
      const results = await Promise.all(
        [1, 2, 3].map(() => tenants.ensure({ name: 'Demo', slug: 'demo', apiKey: first })),
      );
      expect(results.filter((one) => one.created)).toHaveLength(1);
      expect(new Set(results.map((one) => one.clientId)).size).toBe(1);
      const second = newApiKey();
      await as(second.reveal(), http().get('/v1/me')).expect(401);
      await tenants.ensure({ name: 'Demo', slug: 'demo', apiKey: second });
      for (const key of [first, second] satisfies Secret[]) {
        const answer = await as(key.reveal(), http().get('/v1/me')).expect(200);
        expect((answer.body as { data: unknown }).data).toMatchObject({ client_id: results[0]!.clientId });
      }
    });
  });

  describe('/v1/api-keys', () => {
    it('gives no more than the calling key has', async () => {
      const keeper = await createKey(other.api_key, { name: 'keeper', scopes: ['keys:write', 'messages:read'] });
      const refused = await as(
        keeper.api_key,
        http()
          .post('/v1/api-keys')
          .send({ name: 'x', scopes: ['messages:read', 'messages:send'] }),
      ).expect(403);
      expect(refused.body).toMatchObject({ code: 'forbidden', errors: [{ field: 'scopes[1]', code: 'not_allowed' }] });
      await createKey(keeper.api_key, { name: 'y', scopes: ['messages:read'] });
    });

    it('makes no key that outlives the calling one', async () => {
      const at = (ms: number) => new Date(test.clock.now() + ms).toISOString();
      const end = at(3_600_000);
      const keeper = await createKey(other.api_key, { name: 'keeper', scopes: ['keys:write'], expires_at: end });
      const make = (body: object) =>
        as(
          keeper.api_key,
          http()
            .post('/v1/api-keys')
            .send({ name: 'x', scopes: ['keys:write'], ...body }),
        );
      const expiry = async (body: object) =>
        ((await make(body).expect(201)).body as { data: { expires_at: string | null } }).data.expires_at;
      expect(await expiry({})).toBe(end);
      expect(await expiry({ expires_at: at(60_000) })).toBe(at(60_000));
      const refused = await make({ expires_at: at(3_600_001) }).expect(403);
      expect(refused.body).toMatchObject({ code: 'forbidden', errors: [{ field: 'expires_at', code: 'not_allowed' }] });
    });

    it('lets a sandbox key make sandbox keys only', async () => {
      const sandbox = await createKey(other.api_key, { name: 's', scopes: ['keys:write'], sandbox: true });
      await as(
        sandbox.api_key,
        http()
          .post('/v1/api-keys')
          .send({ name: 'x', scopes: ['keys:write'] }),
      ).expect(403);
      await createKey(sandbox.api_key, { name: 'x', scopes: ['keys:write'], sandbox: true });
    });

    it.each([
      [{ scopes: ['messages:read'] }, 'name', 'required'],
      [{ name: ' ', scopes: ['messages:read'] }, 'name', 'invalid_format'],
      [{ name: 'x' }, 'scopes', 'required'],
      [{ name: 'x', scopes: [] }, 'scopes', 'too_few'],
      [{ name: 'x', scopes: 'messages:read' }, 'scopes', 'invalid_type'],
      [{ name: 'x', scopes: ['messages:read', 'everything'] }, 'scopes[1]', 'invalid_value'],
      [{ name: 'x', scopes: ['messages:read', 'messages:read'] }, 'scopes', 'duplicate'],
      [{ name: 'x', scopes: ['messages:read'], sandbox: 'yes' }, 'sandbox', 'invalid_type'],
      [{ name: 'x', scopes: ['messages:read'], expires_at: 'tomorrow' }, 'expires_at', 'invalid_date'],
      [{ name: 'x', scopes: ['messages:read'], expires_at: '2020-01-01T00:00:00Z' }, 'expires_at', 'invalid_date'],
      [{ name: 'x', scopes: ['messages:read'], expires_at: '2990-02-31T00:00:60Z' }, 'expires_at', 'invalid_date'],
      [{ name: 'x', scopes: ['messages:read'], admin: true }, 'admin', 'unknown_field'],
    ])('refuses %j', async (body, field, code) => {
      const answer = await as(other.api_key, http().post('/v1/api-keys').send(body)).expect(400);
      expect((answer.body as { errors: unknown[] }).errors[0]).toMatchObject({ field, code });
    });

    it('stops a deleted key at once, and answers 404 for a key of another tenant', async () => {
      const key = await createKey(other.api_key, { name: 'gone soon', scopes: ['messages:read'] });
      await as(key.api_key, http().get('/v1/me')).expect(200);
      await as(acme.api_key, http().delete(`/v1/api-keys/${key.id}`)).expect(404);
      await as(key.api_key, http().get('/v1/me')).expect(200);
      await as(other.api_key, http().delete(`/v1/api-keys/${key.id}`)).expect(200, {
        success: true,
        data: { id: key.id, deleted: true },
      });
      await as(key.api_key, http().get('/v1/me')).expect(401);
      await as(other.api_key, http().delete(`/v1/api-keys/${key.id}`)).expect(404);
    });

    it('lists own keys only, in pages', async () => {
      const tenant = await createTenant({ name: 'Lister' });
      for (const name of ['a', 'b', 'c']) await createKey(tenant.api_key, { name, scopes: ['messages:read'] });
      const first = await as(tenant.api_key, http().get('/v1/api-keys?limit=3')).expect(200);
      const { data, meta } = first.body as {
        data: Array<{ name: string }>;
        meta: { next_cursor: string; limit: number };
      };
      expect(data.map((key) => key.name)).toEqual(['c', 'b', 'a']);
      const second = await as(
        tenant.api_key,
        http().get('/v1/api-keys').query({ limit: 3, cursor: meta.next_cursor }),
      ).expect(200);
      expect(second.body).toMatchObject({ data: [{ name: 'first key' }], meta: { next_cursor: null, limit: 3 } });
    });

    it('refuses cursors that it did not make, and limits out of range', async () => {
      const foreign = Buffer.from(JSON.stringify([1, 'tenants', 'x'])).toString('base64url');
      for (const cursor of ['x', '%7B%7D', foreign, `${foreign}=`]) {
        const answer = await as(acme.api_key, http().get(`/v1/api-keys?cursor=${cursor}`)).expect(400);
        expect(answer.body).toMatchObject({ errors: [{ field: 'cursor', code: 'invalid_cursor' }] });
      }
      for (const limit of ['0', '201', '1.5', 'x']) {
        const answer = await as(acme.api_key, http().get(`/v1/api-keys?limit=${limit}`)).expect(400);
        expect(answer.body).toMatchObject({ errors: [{ field: 'limit' }] });
      }
    });

    it('keeps the last key that can make keys, also when two are deleted at once', async () => {
      const tenant = await createTenant({ name: 'Careful' });
      const second = await createKey(tenant.api_key, { name: 'second', scopes: ['keys:write'] });
      const list = await as(tenant.api_key, http().get('/v1/api-keys')).expect(200);
      const ids = (list.body as { data: Array<{ id: string }> }).data.map((key) => key.id);
      expect(ids).toEqual([second.id, expect.stringMatching(/^key_/)]);
      // Each deletes itself, so that neither is refused because the other one went first.
      const answers = await Promise.all([
        as(second.api_key, http().delete(`/v1/api-keys/${ids[0]}`)),
        as(tenant.api_key, http().delete(`/v1/api-keys/${ids[1]}`)),
      ]);
      expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409]);
    });

    it('writes when a key was last used', async () => {
      const tenant = await createTenant({ name: 'User' });
      await as(tenant.api_key, http().get('/v1/me')).expect(200);
      const usedAt = test.clock.now();
      test.clock.advance(1_000);
      await test.app.get(KeyUsage).write();
      const list = await as(tenant.api_key, http().get('/v1/api-keys')).expect(200);
      expect((list.body as { data: unknown[] }).data).toMatchObject([{ last_used_at: new Date(usedAt).toISOString() }]);
    });
  });

  describe('two processes', () => {
    it('take a revoked key and a suspended tenant out of the memory of the other one', async () => {
      const far = await startHttpTestApp({ controllers: [ProbeController], database: test.database });
      try {
        const tenant = await createTenant({ name: 'Split' });
        const key = await createKey(tenant.api_key, { name: 'k', scopes: ['messages:read'] });
        const ask = async (secret: string) => (await as(secret, request(far.url).get('/v1/me'))).status;
        const until = async (secret: string, status: number) => {
          // The clock stands still, so what is in memory never grows old: only the notice can change the answer.
          while ((await ask(secret)) !== status);
        };
        await until(key.api_key, 200);
        await as(tenant.api_key, http().delete(`/v1/api-keys/${key.id}`)).expect(200);
        await until(key.api_key, 401);
        expect(await ask(tenant.api_key)).toBe(200);
        await asAdmin(http().patch(`/admin/tenants/${tenant.client_id}`).send({ status: 'suspended' })).expect(200);
        await until(tenant.api_key, 403);
        expect(await ask(tenant.api_key)).toBe(403);
      } finally {
        await far.close();
      }
    });
  });
});

describe('rate limit', () => {
  let test: HttpTestApp;
  let key: string;

  beforeAll(async () => {
    test = await startHttpTestApp({ controllers: [ProbeController], rateLimit: 5 });
    const answer = await request(test.url)
      .post('/admin/tenants')
      .set('Authorization', `Bearer ${TEST_ADMIN_KEY}`)
      .send({ name: 'Busy' });
    key = (answer.body as { data: Tenant }).data.api_key;
  });

  afterAll(() => test.close());

  it('takes a burst of twice the rate, says what is left, and refuses with Retry-After', async () => {
    const call = () => request(test.url).get('/v1/me').set('X-API-Key', key);
    const answers: request.Response[] = [];
    for (let i = 0; i < 11; i++) answers.push(await call());
    expect(answers.map((answer) => answer.status)).toEqual([...Array<number>(10).fill(200), 429]);
    expect(answers[0]!.headers['ratelimit-policy']).toBe('"default";q=5;w=1');
    expect(answers[0]!.headers['ratelimit']).toBe('"default";r=5;t=0');
    expect(answers[8]!.headers['ratelimit']).toBe('"default";r=1;t=1');
    expect(answers[10]!.headers['ratelimit']).toBe('"default";r=0;t=1');
    expect(answers[10]!.headers['retry-after']).toBe('1');
    expect(answers[10]!.body).toMatchObject({ code: 'rate_limited', status: 429 });
    test.clock.advance(200);
    await call().expect(200);
    await call().expect(429);
    // What is known of the key is read again by now; its bucket is the same.
    test.clock.advance(11_000);
    for (let i = 0; i < 10; i++) await call().expect(200);
    await call().expect(429);
    await request(test.url).get('/v1/probe/open').expect(200);
  });
});
