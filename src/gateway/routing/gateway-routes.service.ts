import type { Channel } from '../../kernel/channel';
import type { Clock } from '../../kernel/clock';
import type { FieldError } from '../../kernel/problem';
import type { Database } from '../../platform/database/database';
import { joinPath } from '../../platform/http/json-body';
import { invalidFields } from '../../platform/http/validation';
import type { ConfigDirectory } from '../configs/config-directory';
import { ProviderConfigEntity } from '../configs/provider-config.entity';
import { fieldError, schemaErrors } from '../configs/schema-errors';
import type { ProviderRegistry } from '../provider-registry';
import type { ChannelRoutes, RoutesByChannel } from './routes';
import { routesDocumentSchema } from './routes.schema';

/** A config in error comes back by itself, so a document that names it stays right. */
const USABLE = new Set(['active', 'error']);

/** Keeps each tenant's routing document: how its messages find their gateway. */
export class GatewayRoutesService {
  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly directory: ConfigDirectory,
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
    const document = parsed.data.gateways as RoutesByChannel;
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

  private check(document: RoutesByChannel, configs: readonly ProviderConfigEntity[]): FieldError[] {
    const errors: FieldError[] = [];
    for (const [channel, routes] of Object.entries(document) as Array<[Channel, ChannelRoutes | undefined]>) {
      if (routes === undefined) continue;
      const path = `gateways.${channel}`;
      const seen = new Set<string>();
      const see = (field: string, target: string): void => {
        const fault = this.fault(channel, target, configs);
        if (fault) errors.push(fieldError(field, fault.code, fault.message));
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
      if (!USABLE.has(config.status)) return { code: 'config_not_active', message: `is ${config.status}, not active` };
      return undefined;
    }
    const definition = this.registry.find(target, channel);
    if (!definition) {
      const known = this.registry.inChannel(channel).map((one) => one.key);
      const which = known.length === 0 ? `${channel} has none` : `${channel} has ${known.join(', ')}`;
      return { code: 'unknown_provider', message: `is not a known provider: ${which}` };
    }
    if (!configs.some((config) => config.provider === definition.key && USABLE.has(config.status)))
      return { code: 'no_active_config', message: `has no active config of ${definition.title}` };
    return undefined;
  }
}
