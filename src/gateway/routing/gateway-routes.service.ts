import type { Channel } from '../../kernel/channel';
import type { Clock } from '../../kernel/clock';
import { Problem, type FieldError } from '../../kernel/problem';
import type { Database } from '../../platform/database/database';
import { joinPath } from '../../platform/http/json-body';
import { invalidFields } from '../../platform/http/validation';
import type { ConfigDirectory } from '../configs/config-directory';
import type { ConfigService } from '../configs/config.service';
import type { ProviderConfig } from '../configs/provider-config';
import type { ProviderDefinition } from '../contracts/provider-definition';
import { ProviderConfigEntity } from '../configs/provider-config.entity';
import { fieldError, schemaErrors } from '../configs/schema-errors';
import type { ProviderRegistry } from '../provider-registry';
import { SEALED, SHORTHAND_CREDENTIALS, type ChannelRoutes, type RoutesByChannel } from './routes';
import { routesDocumentSchema } from './routes.schema';

/** A config in error comes back by itself, so a document that names it stays right. */
const USABLE = new Set(['active', 'error']);

/** Faults of a target that setting its credential mends. */
const NOT_YET = new Set(['no_active_config', 'config_not_active']);

/** A credential that the document gives for the account of a channel's `primary`. */
interface Shorthand {
  channel: Channel;
  primary: string;
  credential: string;
  value: string;
}

/** Keeps each tenant's routing document: how its messages find their gateway. */
export class GatewayRoutesService {
  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly directory: ConfigDirectory,
    private readonly configs: ConfigService,
    private readonly clock: Clock,
  ) {}

  /** As it was given; empty before the first. */
  async get(clientId: string): Promise<RoutesByChannel> {
    return (await this.directory.snapshot(clientId)).routes;
  }

  /** Replaces the whole document. @throws Problem 400 that names every wrong field */
  replace(clientId: string, gateways: RoutesByChannel): Promise<RoutesByChannel> {
    return this.replaceDocument(clientId, { gateways });
  }

  /** As {@link replace}, from a request's body. */
  async replaceDocument(clientId: string, body: Record<string, unknown>): Promise<RoutesByChannel> {
    const parsed = routesDocumentSchema.safeParse(body);
    if (!parsed.success) throw invalidFields(schemaErrors(parsed.error));
    if (parsed.data.client_id !== undefined && parsed.data.client_id !== clientId)
      throw invalidFields([fieldError('client_id', 'invalid_value', 'must be your own client id')]);
    const { document, shorthands } = sealedDocument(parsed.data.gateways as RoutesByChannel);
    if (shorthands.length > 0) {
      // All the rest must be right before a config is made or changed.
      const errors = this.check(
        document,
        await this.configsOf(clientId),
        new Set(shorthands.map(({ channel }) => channel)),
      );
      if (errors.length > 0) throw invalidFields(errors);
      for (const shorthand of shorthands) await this.setCredential(clientId, shorthand);
    }
    await this.database.tenant(clientId, async (tx) => {
      const configs = await tx.manager.find(ProviderConfigEntity, { where: { clientId }, order: { id: 'ASC' } });
      const errors = this.check(document, configs);
      if (errors.length > 0) throw invalidFields(errors);
      await tx.execute(
        `INSERT INTO gateway_routes (client_id, document, version, updated_at) VALUES ($1, $2, 1, $3)
         ON CONFLICT (client_id) DO UPDATE
         SET document = excluded.document, version = gateway_routes.version + 1, updated_at = excluded.updated_at`,
        [clientId, JSON.stringify(document), new Date(this.clock.now())],
      );
      await this.directory.publish(tx, clientId);
    });
    this.directory.forget(clientId);
    return document;
  }

  private async configsOf(clientId: string): Promise<ProviderConfigEntity[]> {
    return this.database.tenant(clientId, (tx) =>
      tx.manager.find(ProviderConfigEntity, { where: { clientId }, order: { id: 'ASC' } }),
    );
  }

  /** Gives the account of `primary` a credential and puts it into service; makes the config when there is none. @throws Problem */
  private async setCredential(clientId: string, { channel, primary, credential, value }: Shorthand): Promise<void> {
    const field = `gateways.${channel}.${credential}`;
    const isConfig = primary.startsWith('cfg_');
    const usable = (await this.configsOf(clientId)).filter(({ status }) => status !== 'decommissioned');
    const named = isConfig ? usable.find(({ id }) => id === primary) : undefined;
    const definition = this.registry.find(named?.provider ?? primary, channel);
    if (!definition || !Object.hasOwn(definition.credentials, credential) || (isConfig && !named))
      throw invalidFields([fieldError(field, 'invalid_value', 'does not go with this primary')]);
    const own = usable.filter(({ provider }) => provider === definition.key);
    const config = named ?? own.find(({ status }) => USABLE.has(status)) ?? own[0];
    try {
      await this.applyCredential(clientId, definition, config, { [credential]: value });
    } catch (error) {
      throw error instanceof Problem ? atField(error, `credentials.${credential}`, field) : error;
    }
  }

  private async applyCredential(
    clientId: string,
    definition: ProviderDefinition,
    config: ProviderConfigEntity | undefined,
    credentials: Record<string, string>,
  ): Promise<ProviderConfig> {
    if (!config) return this.configs.create(clientId, definition, { credentials, status: 'active' });
    const changed = await this.configs.update(clientId, definition, config.id, { credentials });
    return config.status === 'active' ? changed : this.configs.act(clientId, definition, config.id, 'activate');
  }

  /** @param exempt channels whose primary gets its config only afterwards */
  private check(
    document: RoutesByChannel,
    configs: readonly ProviderConfigEntity[],
    exempt: ReadonlySet<Channel> = new Set(),
  ): FieldError[] {
    const errors: FieldError[] = [];
    for (const [channel, routes] of Object.entries(document) as Array<[Channel, ChannelRoutes | undefined]>) {
      if (routes === undefined) continue;
      const path = `gateways.${channel}`;
      const seen = new Set<string>();
      const see = (field: string, target: string): void => {
        const fault = this.fault(channel, target, configs);
        const willCome =
          exempt.has(channel) && target === routes.primary && fault !== undefined && NOT_YET.has(fault.code);
        if (fault && !willCome) errors.push(fieldError(field, fault.code, fault.message));
      };
      see(`${path}.primary`, routes.primary);
      routes.fallback?.forEach((target, i) => {
        const field = joinPath(`${path}.fallback`, i);
        if (seen.has(target)) errors.push(fieldError(field, 'duplicate', 'is named twice'));
        else see(field, target);
        seen.add(target);
      });
      for (const [prefix, target] of Object.entries(routes.routing ?? {})) see(`${path}.routing.${prefix}`, target);
    }
    return errors;
  }

  private fault(
    channel: Channel,
    target: string,
    configs: readonly ProviderConfigEntity[],
  ): { code: string; message: string } | undefined {
    if (target.startsWith('cfg_')) {
      const config = configs.find((one) => one.id === target);
      if (!config || config.channel !== channel)
        return { code: 'unknown_config', message: `is no ${channel} config of yours` };
      if (this.registry.get(config.provider)?.inboundOnly) return INBOUND_ONLY;
      if (!USABLE.has(config.status)) return { code: 'config_not_active', message: `is ${config.status}, not active` };
      return undefined;
    }
    const definition = this.registry.find(target, channel);
    if (definition?.inboundOnly) return INBOUND_ONLY;
    if (!definition) {
      const senders = this.registry.inChannel(channel).filter((one) => !one.inboundOnly);
      const known = senders.map((one) => one.key);
      const which = known.length === 0 ? `${channel} has none` : `${channel} has ${known.join(', ')}`;
      return { code: 'unknown_provider', message: `is not a known provider: ${which}` };
    }
    if (!configs.some((config) => config.provider === definition.key && USABLE.has(config.status)))
      return { code: 'no_active_config', message: `has no active config of ${definition.title}` };
    return undefined;
  }
}

const INBOUND_ONLY = { code: 'inbound_only', message: 'takes messages in and sends none' };

/** The document as it is stored, without the credentials that it gave. */
function sealedDocument(given: RoutesByChannel): { document: RoutesByChannel; shorthands: Shorthand[] } {
  const document = { ...given };
  const shorthands: Shorthand[] = [];
  for (const [channel, credential] of Object.entries(SHORTHAND_CREDENTIALS) as Array<[Channel, 'bot_token']>) {
    const routes = given[channel];
    const value = routes?.[credential];
    if (routes === undefined || value === undefined) continue;
    document[channel] = { ...routes, [credential]: SEALED };
    if (value !== SEALED) shorthands.push({ channel, primary: routes.primary, credential, value });
  }
  return { document, shorthands };
}

/** The same refusal, about the field of this document. */
function atField(problem: Problem, from: string, to: string): Problem {
  const errors = (problem.options.errors ?? []).map((error) =>
    error.field === from ? { ...error, field: to, message: error.message.replace(from, to) } : error,
  );
  return new Problem(problem.code, problem.detail.replace(from, to), { ...problem.options, errors });
}
