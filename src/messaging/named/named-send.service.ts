import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Problem } from '../../kernel/problem';
import { decodeCursor, encodeCursor } from '../../platform/http/cursor';
import { page, type Page, type Success } from '../../platform/http/envelope';
import { timeOf } from '../../platform/http/query-text';
import { validateBody } from '../../platform/http/validation';
import { ConfigDirectory } from '../../gateway/configs/config-directory';
import type { ProviderDefinition } from '../../gateway/contracts/provider-definition';
import type { Principal } from '../../tenancy/principal';
import { ChannelRegistry } from '../channel-registry';
import { SendResponder } from '../intake/send.responder';
import { MessageActions } from '../record/message-actions';
import { MessageReader, type MessageFilter, type MessageTimes } from '../record/message-reader';
import type { MessageView } from '../record/message.view';
import { inWordsOf } from './named-problem';
import type { NamedSendKind, NamedSendOptionsDto } from './named-send';
import type { ListNamedQueryDto } from './list-named.dto';
import type { NamedMessageView } from './named-message.view';

/** Sends, lists and reads messages of one kind at one provider: the same pipeline and record as everything else. */
@Injectable()
export class NamedSendService {
  constructor(
    private readonly channels: ChannelRegistry,
    private readonly responder: SendResponder,
    private readonly reader: MessageReader,
    private readonly actions: MessageActions,
    private readonly configs: ConfigDirectory,
  ) {}

  /** Sets status and headers on the response, answers the body. @throws Problem in the words of the path */
  async send(
    tenant: Principal,
    definition: ProviderDefinition,
    kind: NamedSendKind,
    body: NamedSendOptionsDto,
    http: { request: Request; response: Response },
  ): Promise<Success<object>> {
    const { config_id: configId, ...rest } = body;
    try {
      const provider = configId === undefined ? definition.key : await this.configOf(tenant, definition, configId);
      const send = validateBody(this.channels.get(kind.channel)!.dto, { ...defined(kind.toSend(rest)), provider });
      return await this.responder.respond(
        tenant,
        kind.channel,
        send,
        http.request,
        http.response,
        async (message) => (await this.records(tenant.clientId, definition, kind, [message]))[0]!,
      );
    } catch (error) {
      throw error instanceof Problem ? inWordsOf(kind, error) : error;
    }
  }

  /** Newest first. @throws Problem for a cursor of another list */
  async list(
    tenant: Principal,
    definition: ProviderDefinition,
    kind: NamedSendKind,
    query: ListNamedQueryDto,
  ): Promise<Page<NamedMessageView>> {
    const name = `${definition.key}/${kind.path}`;
    const [before] = query.cursor === undefined ? [] : decodeCursor(query.cursor, name, 1);
    const { config_id: configId, created_from: from, created_to: to, limit, ...filters } = query;
    const messages = await this.reader.list(tenant.clientId, {
      ...filters,
      ...(await this.belonging(tenant.clientId, definition, kind)),
      configId,
      createdFrom: from === undefined ? undefined : timeOf(from),
      createdTo: to === undefined ? undefined : timeOf(to),
      before,
      limit: limit + 1,
    });
    const items = messages.slice(0, limit);
    const next = messages.length > limit ? encodeCursor(name, items.at(-1)!.message_id) : null;
    return page(await this.records(tenant.clientId, definition, kind, items), next, limit);
  }

  /** @throws Problem not_found, also for a message of another kind or at another provider */
  async get(
    tenant: Principal,
    definition: ProviderDefinition,
    kind: NamedSendKind,
    id: string,
  ): Promise<NamedMessageView> {
    const belonging = await this.belonging(tenant.clientId, definition, kind);
    const [found] = await this.reader.list(tenant.clientId, { ...belonging, id, limit: 1 });
    if (!found) throw Problem.notFound('message');
    const message = await this.actions.view(tenant.clientId, id);
    return (await this.records(tenant.clientId, definition, kind, [message]))[0]!;
  }

  /** @throws Problem unless it is a config of the tenant at this provider */
  private async configOf(tenant: Principal, definition: ProviderDefinition, configId: string): Promise<string> {
    const config = await this.configs.config(tenant.clientId, configId);
    if (config?.provider !== definition.key)
      throw Problem.field('config_id', 'unknown_config', `is not one of your ${definition.title} configs`);
    return configId;
  }

  /** What tells the messages of a kind at a provider: it took them, or they ask for it or one of its configs and nobody took them yet. */
  private async belonging(
    clientId: string,
    definition: ProviderDefinition,
    kind: NamedSendKind,
  ): Promise<Pick<MessageFilter, 'channel' | 'taker' | 'contentMember'>> {
    const configs = [...(await this.configs.snapshot(clientId)).allConfigs()];
    const own = configs.filter(({ provider }) => provider === definition.key).map(({ id }) => id);
    const forced = [definition.key, definition.slug, ...definition.aliases, ...own];
    return { channel: kind.channel, taker: { gateway: definition.key, forced }, contentMember: kind.contentMember };
  }

  private async records(
    clientId: string,
    definition: ProviderDefinition,
    kind: NamedSendKind,
    messages: readonly MessageView[],
  ): Promise<NamedMessageView[]> {
    const times = await this.reader.times(
      clientId,
      messages.map((message) => message.message_id),
    );
    return messages.map((message) => recordOf(definition, kind, message, times.get(message.message_id) ?? {}));
  }
}

function recordOf(
  definition: ProviderDefinition,
  kind: NamedSendKind,
  message: MessageView,
  times: MessageTimes,
): NamedMessageView {
  const { content: _content, from: _from, to: _to, gateway, cost, segments: _segments, ...common } = message;
  const { encoding: _encoding, engagement: _engagement, ...rest } = common;
  return {
    ...rest,
    provider: gateway ?? definition.key,
    cost_amount: cost?.amount ?? null,
    cost_currency: cost?.currency ?? null,
    sent_at: times.sent ?? null,
    delivered_at: times.delivered ?? null,
    ...kind.describe(message, times),
  };
}

/** Without members that are undefined: a request does not have those either. */
function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
