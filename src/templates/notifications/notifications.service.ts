import { Inject, Injectable } from '@nestjs/common';
import { CHANNELS, type Channel } from '../../kernel/channel';
import { CLOCK, type Clock } from '../../kernel/clock';
import { newId } from '../../kernel/ids';
import { Problem, type FieldError } from '../../kernel/problem';
import { IntakeService } from '../../messaging/intake/intake.service';
import { SendOptionsDto } from '../../messaging/intake/send-options.dto';
import { Database } from '../../platform/database/database';
import { jsonArray, plainArray, textArray } from '../../platform/database/pg-array';
import { invalidFields, validateBody } from '../../platform/http/validation';
import type { Principal } from '../../tenancy/principal';
import { canonicalLocale } from '../locale';
import { fieldError } from '../problem-path';
import type { CompiledTemplate } from '../template-content';
import { TemplatesService } from '../templates.service';
import { unprocessable } from '../unprocessable';
import { Breather } from './breather';
import type { NotificationDto, NotificationRecipientDto } from './dto/notifications.dto';
import { INSERT_RECIPIENTS, WRITE_ITEMS } from './notification.statements';
import { NotificationRunner } from './notification-runner';
import { sendErrors, sendsOf, type NotificationOptions, type Recipient } from './recipient-sends';

const STORED_AT_ONCE = 500;
const MOST_ERRORS = 50;
const LONGEST_DATA = 32 * 1024;
/** A template of which each rendering took all the time that it may would keep a request for an hour. */
const LONGEST_CHECK_MS = 60_000;

interface PlannedRecipient extends Recipient {
  position: number;
  channels: Channel[];
  /** By channel; only where what cannot be sent is skipped. */
  rejected: Map<Channel, FieldError>;
}

/** Takes notifications: checks all of it, then stores all of it; its messages are made by {@link NotificationRunner}. */
@Injectable()
export class NotificationsService {
  constructor(
    private readonly database: Database,
    private readonly templates: TemplatesService,
    private readonly intake: IntakeService,
    private readonly runner: NotificationRunner,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Answers the id once everything is durable. Nothing is stored of one that is refused.
   * @throws Problem 400 or 422 that names what is wrong, such as `recipients[3].data.name`
   */
  async create(principal: Principal, dto: NotificationDto): Promise<string> {
    const { clientId } = principal;
    const options = readOptions(principal, dto);
    const version = await this.findTemplate(clientId, dto);
    const template = this.templates.compile(clientId, version);
    const recipients = await this.plan(principal, template, options, dto);
    const id = newId('notification');
    await this.store(id, clientId, dto, { id: version.id, version: version.version }, options, recipients);
    this.runner.wake();
    return id;
  }

  private async findTemplate(clientId: string, { template_id: id, template_version: version }: NotificationDto) {
    try {
      return await this.templates.get(clientId, id, version);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
      // The path is right: what it names in the body is not there.
      const field = version === undefined ? 'template_id' : 'template_version';
      throw unprocessable([fieldError(field, 'not_found', 'names no template of yours')]);
    }
  }

  private async plan(
    principal: Principal,
    template: CompiledTemplate,
    options: NotificationOptions,
    dto: NotificationDto,
  ): Promise<PlannedRecipient[]> {
    const channels = channelsOf(template, dto.channels);
    const isLenient = dto.on_invalid === 'skip';
    const errors: FieldError[] = [];
    const planned: PlannedRecipient[] = [];
    const seen = new Set<string>();
    const breather = new Breather();
    const deadline = performance.now() + LONGEST_CHECK_MS;
    let isFormat = false;
    for (const [position, given] of dto.recipients.entries()) {
      await breather.breathe();
      const where = `recipients[${position}]`;
      const found = checkRecipient(given, where, channels, seen);
      if (found.length > 0) {
        isFormat = true;
        errors.push(...found);
      } else {
        const recipient = recipientOf(given, position, channels);
        for (const error of await this.check(principal, template, options, dto.idempotency_prefix, recipient)) {
          if (isLenient && error.error.field.startsWith(where)) recipient.rejected.set(error.channel, error.error);
          else {
            isFormat ||= error.status === 400;
            errors.push(error.error);
          }
        }
        planned.push(recipient);
      }
      if (errors.length >= MOST_ERRORS) break;
      if (performance.now() > deadline)
        throw unprocessable([
          fieldError('template_id', 'too_complex', 'takes too long to render for so many recipients'),
        ]);
    }
    if (errors.length === 0) return planned;
    const shown = [...new Map(errors.map((error) => [error.field, error])).values()].slice(0, MOST_ERRORS);
    if (shown.every(({ code }) => code === 'no_gateway_available'))
      throw new Problem('no_gateway_available', `${shown[0]!.message}`, { errors: shown });
    throw isFormat ? invalidFields(shown) : unprocessable(shown);
  }

  /** What would be refused of a recipient's sends. */
  private async check(
    principal: Principal,
    template: CompiledTemplate,
    options: NotificationOptions,
    prefix: string,
    recipient: PlannedRecipient,
  ): Promise<Array<{ channel: Channel; status: number; error: FieldError }>> {
    const where = `recipients[${recipient.position}]`;
    const refused: Array<{ channel: Channel; status: number; error: FieldError }> = [];
    for (const send of sendsOf(template, prefix, options, recipient, recipient.channels)) {
      const { channel } = send;
      if (send.errors !== undefined) {
        for (const { field, code, message } of send.errors) {
          const error = { field: `${where}.${field}`, code, message: `${where}.${message}` };
          refused.push({ channel, status: 422, error: field.startsWith('data') ? error : { field, code, message } });
        }
        continue;
      }
      try {
        const descriptor = this.intake.descriptor(channel);
        const sendDto = validateBody(descriptor.dto, send.body) as SendOptionsDto;
        const { refusal } = await this.intake.assess(principal, descriptor, sendDto);
        if (refusal) throw refusal;
      } catch (error) {
        if (!(error instanceof Problem) || error.status >= 500) throw error;
        // Too many for now is for later.
        if (error.status === 429) continue;
        for (const one of sendErrors(error, channel, where))
          refused.push({ channel, status: one.field.endsWith('.data') ? 422 : error.status, error: one });
      }
    }
    return refused;
  }

  /** In short transactions, and there for others once the last one is committed. */
  private async store(
    id: string,
    clientId: string,
    dto: NotificationDto,
    template: { id: string; version: number },
    options: NotificationOptions,
    recipients: readonly PlannedRecipient[],
  ): Promise<void> {
    const planned: Partial<Record<Channel, number>> = {};
    for (const { channels } of recipients)
      for (const channel of channels) planned[channel] = (planned[channel] ?? 0) + 1;
    await this.database.tenant(clientId, (tx) =>
      tx.execute(
        `INSERT INTO notifications (id, client_id, template_id, template_version, state, prefix, options, recipients, planned, created_at)
         VALUES ($1, $2, $3, $4, 'storing', $5, $6, $7, $8, to_timestamp($9::float8 / 1000))`,
        [
          id,
          clientId,
          template.id,
          template.version,
          dto.idempotency_prefix,
          JSON.stringify(options),
          recipients.length,
          JSON.stringify(planned),
          this.clock.now(),
        ],
      ),
    );
    for (let from = 0; from < recipients.length; from += STORED_AT_ONCE) {
      const some = recipients.slice(from, from + STORED_AT_ONCE);
      const rejected = some.flatMap((recipient) =>
        [...recipient.rejected].map(([channel, error]) => ({ position: recipient.position, channel, error })),
      );
      await this.database.tenant(clientId, async (tx) => {
        await tx.execute(INSERT_RECIPIENTS, [
          id,
          clientId,
          plainArray(some.map(({ position }) => position)),
          textArray(some.map((recipient) => recipient.id)),
          textArray(some.map(({ locale }) => locale)),
          textArray(some.map(({ channels }) => channels.join())),
          jsonArray(some.map(bodyOf)),
        ]);
        if (rejected.length === 0) return;
        await tx.execute(WRITE_ITEMS, [
          id,
          clientId,
          plainArray(rejected.map(({ position }) => position)),
          textArray(rejected.map(({ channel }) => channel)),
          textArray(rejected.map(() => 'rejected')),
          textArray(rejected.map(() => null)),
          plainArray(rejected.map(() => null)),
          jsonArray(rejected.map(({ error }) => ({ code: error.code, detail: error.message }))),
        ]);
      });
    }
    await this.database.tenant(clientId, (tx) =>
      tx.execute(`UPDATE notifications SET state = 'queued' WHERE client_id = $1 AND id = $2`, [clientId, id]),
    );
  }
}

/** What is kept until the messages are made; null when there is none to make. */
function bodyOf({ addresses, data, channels, rejected }: PlannedRecipient): object | null {
  return channels.every((channel) => rejected.has(channel)) ? null : { addresses, data };
}

/** @throws Problem that names a wrong option as any send would */
function readOptions(principal: Principal, dto: NotificationDto): NotificationOptions {
  const { send_at, expires_at, priority, metadata, tags, sandbox, data } = dto;
  const options = JSON.parse(JSON.stringify({ send_at, expires_at, priority, metadata, tags, sandbox })) as object;
  validateBody(SendOptionsDto, options);
  checkData(data, 'data');
  return { ...options, ...(data && { data }), ...(principal.sandbox && { sandbox_key: true }) };
}

/** @throws Problem when a channel is asked for that the template does not have */
function channelsOf(template: CompiledTemplate, asked: readonly Channel[] | undefined): Channel[] {
  const unknown = (asked ?? []).flatMap((channel, index) =>
    template.channels.includes(channel)
      ? []
      : [
          fieldError(
            `channels[${index}]`,
            'not_in_template',
            `must be one of ${template.channels.join(', ')}: the template has no other`,
          ),
        ],
  );
  if (unknown.length > 0) throw unprocessable(unknown);
  return CHANNELS.filter((channel) => template.channels.includes(channel) && (asked?.includes(channel) ?? true));
}

function checkRecipient(
  { id, locale, channels: addresses, data }: NotificationRecipientDto,
  where: string,
  channels: readonly Channel[],
  seen: Set<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  if (seen.has(id)) errors.push(fieldError(`${where}.id`, 'duplicate', 'is there twice'));
  seen.add(id);
  if (locale !== undefined && canonicalLocale(locale) === undefined)
    errors.push(fieldError(`${where}.locale`, 'invalid_locale', 'must be a BCP 47 language tag such as de or pt-BR'));
  if (channels.every((channel) => addresses[channel] === undefined))
    errors.push(fieldError(`${where}.channels`, 'required', `must have an address for one of ${channels.join(', ')}`));
  if (data !== undefined && isTooLarge(data))
    errors.push(fieldError(`${where}.data`, 'too_large', `must have at most ${LONGEST_DATA} bytes as JSON`));
  return errors;
}

function checkData(data: object | undefined, field: string): void {
  if (data !== undefined && isTooLarge(data))
    throw Problem.field(field, 'too_large', `must have at most ${LONGEST_DATA} bytes as JSON`);
}

function isTooLarge(data: object): boolean {
  return Buffer.byteLength(JSON.stringify(data)) > LONGEST_DATA;
}

function recipientOf(
  given: NotificationRecipientDto,
  position: number,
  channels: readonly Channel[],
): PlannedRecipient {
  const own = channels.filter((channel) => given.channels[channel] !== undefined);
  return {
    position,
    id: given.id,
    locale: given.locale === undefined ? null : canonicalLocale(given.locale)!,
    addresses: Object.fromEntries(own.map((channel) => [channel, given.channels[channel]])),
    data: given.data ?? {},
    channels: own,
    rejected: new Map(),
  };
}
