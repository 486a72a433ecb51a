import { Injectable } from '@nestjs/common';
import { PublicUrl } from '../config/public-url';
import { ConfigDirectory, type CallbackConfig } from '../gateway/configs/config-directory';
import type { ProviderDefinition } from '../gateway/contracts/provider-definition';
import { ProviderRegistry } from '../gateway/provider-registry';
import { isPossiblePhoneNumber } from '../kernel/phone-number';
import { Problem } from '../kernel/problem';
import { Database } from '../platform/database/database';
import { invalidFields } from '../platform/http/validation';
import type { SimulatedHandover } from './callback-sender';
import type { SimulateInboundDto } from './simulated-inbound.dto';
import { simulatedAccount } from './simulated-account';
import { Simulator } from './simulator';

/** What came of a text. */
export interface SimulatedInbound {
  provider: ProviderDefinition;
  configId: string;
  handovers: SimulatedHandover[];
}

const CHAT = /^(?:-?\d{1,18}|@\w{1,64})$/;

/** Plays a person who writes to an account of a provider. */
@Injectable()
export class SimulatedInboundService {
  constructor(
    private readonly database: Database,
    private readonly registry: ProviderRegistry,
    private readonly directory: ConfigDirectory,
    private readonly publicUrl: PublicUrl,
    private readonly simulator: Simulator,
  ) {}

  /** @throws Problem 400 naming the field, 404 when there is no such config, 422 when the provider has no active one */
  async play(body: SimulateInboundDto): Promise<SimulatedInbound> {
    const provider = this.providerOf(body.provider);
    const text = textOf(provider, body);
    const found = await this.configOf(provider, body.config_id, text.to);
    const account = simulatedAccount(provider, found, this.publicUrl.get());
    const handovers = await this.simulator.text(provider.key, text, account, body.repeat ?? 1);
    return { provider, configId: found.config.id, handovers: handovers! };
  }

  private providerOf(name: string): ProviderDefinition {
    const definition = this.registry.find(name);
    if (definition?.simulator.inbound) return definition;
    const known = this.registry.all().filter(({ simulator }) => simulator.inbound);
    const names = known.map(({ slug }) => slug).join(', ');
    throw Problem.field('provider', 'unknown_provider', `must be one that people can write to: ${names}`);
  }

  /** The config that is named, else that of the number, else the oldest one of the provider. */
  private async configOf(
    { key, slug, title }: ProviderDefinition,
    configId: string | undefined,
    to: string,
  ): Promise<CallbackConfig> {
    if (configId !== undefined) {
      const [found] = await this.directory.findForCallback(slug, { configId });
      if (found === undefined) throw new Problem('not_found', `There is no such config of ${title}.`);
      return found;
    }
    const rows = await this.database.query<{ id: string }>(
      `SELECT c.id FROM provider_configs c LEFT JOIN numbers n ON n.client_id = c.client_id AND n.provider = c.provider AND n.number = $2
         AND (n.config_id IS NULL OR n.config_id = c.id)
       WHERE c.provider = $1 AND c.status = 'active' ORDER BY n.id IS NULL, c.id LIMIT 1`,
      [key, to],
    );
    const [found] = rows.length === 0 ? [] : await this.directory.findForCallback(slug, { configId: rows[0]!.id });
    if (found === undefined)
      throw new Problem(
        'no_gateway_available',
        `There is no active config of ${title}: make one (POST /communication/${slug}/configs/), or name one in config_id.`,
      );
    return found;
  }
}

/** @throws Problem 400 naming the field */
function textOf({ channel, simulator }: ProviderDefinition, body: SimulateInboundDto) {
  const { from, to = '', text, parts = 1 } = body;
  const errors = [];
  if (channel === 'telegram') {
    if (!CHAT.test(from)) errors.push({ field: 'from', code: 'invalid_chat', message: 'must be the id of a chat' });
  } else {
    if (!isPossiblePhoneNumber(from) && !/^[A-Za-z0-9 ]{1,15}$/.test(from))
      errors.push({
        field: 'from',
        code: 'invalid_phone_number',
        message: 'must be an E.164 number, or a name or short code of up to 15 characters',
      });
    if (to === '')
      errors.push({ field: 'to', code: 'required', message: 'is required: the number that the person writes to' });
  }
  if (parts > 1 && !simulator.inboundParts)
    errors.push({ field: 'parts', code: 'not_supported', message: 'this provider hands over long texts whole' });
  if (parts > Math.max(1, text.length))
    errors.push({ field: 'parts', code: 'too_large', message: 'the text has fewer characters' });
  if (errors.length > 0) throw invalidFields(errors);
  return { from, to, text, parts };
}
