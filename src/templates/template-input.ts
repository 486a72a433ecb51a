import { CHANNELS } from '../kernel/channel';
import { Problem, type FieldError } from '../kernel/problem';
import { isPlainObject, shortenPath } from '../platform/http/json-body';
import { invalidFields, validateBody } from '../platform/http/validation';
import { MOST_PUSH_DATA, TemplateChannelsDto, TemplateChannelsPatchDto } from './dto/channel-templates.dto';
import type { TemplateDto, UpdateTemplateDto } from './dto/templates.dto';
import { canonicalLocale } from './locale';
import { errorsAt, fieldError } from './problem-path';
import { CompiledTemplate, type ChannelTemplates, type TemplateContent } from './template-content';
import { readVariables } from './variables';

const MOST_LOCALES = 100;
/** What a mail, a WhatsApp message and so on need one of. */
const ONE_OF = {
  email: ['text', 'html'],
  whatsapp: ['message', 'template', 'media'],
  telegram: ['message', 'media'],
  push: ['title', 'body', 'data'],
} as const;

/** A template as a request says it. */
export interface NewTemplate {
  name: string;
  content: TemplateContent;
}

/** @throws Problem that names every wrong field */
export function readTemplate(dto: TemplateDto): NewTemplate {
  const errors: FieldError[] = [];
  const content: TemplateContent = {
    channels: plain(dto.channels),
    locales: readLocales(dto.locales, TemplateChannelsDto, errors) as Record<string, ChannelTemplates>,
    defaultLocale: readLocale(dto.default_locale, 'default_locale', errors),
    variables: readVariables(dto.variables, errors),
  };
  return checked({ name: dto.name, content }, errors);
}

/** @throws Problem that names every wrong field */
export function changeTemplate(old: NewTemplate, dto: UpdateTemplateDto): NewTemplate {
  const errors: FieldError[] = [];
  const locales = { ...old.content.locales };
  const changes = readLocales(dto.locales, TemplateChannelsPatchDto, errors);
  for (const [locale, change] of Object.entries(changes)) {
    if (change === null) delete locales[locale];
    else locales[locale] = merged(locales[locale] ?? {}, change);
  }
  const content: TemplateContent = {
    channels: dto.channels === undefined ? old.content.channels : merged(old.content.channels, plain(dto.channels)),
    locales,
    defaultLocale:
      dto.default_locale === undefined
        ? old.content.defaultLocale
        : readLocale(dto.default_locale, 'default_locale', errors),
    variables: dto.variables === undefined ? old.content.variables : readVariables(dto.variables, errors),
  };
  for (const channel of CHANNELS)
    if (dto.channels?.[channel] === null && Object.keys(content.channels).length === 0)
      errors.push(fieldError(`channels.${channel}`, 'last_one', 'is the last channel that there is'));
  return checked({ name: dto.name ?? old.name, content }, errors);
}

/** @throws Problem 400 for what is no BCP 47 tag */
export function localeOf(tag: string | null | undefined, field: string): string | null {
  const errors: FieldError[] = [];
  const locale = readLocale(tag, field, errors);
  if (errors.length > 0) throw invalidFields(errors);
  return locale;
}

function checked(template: NewTemplate, errors: FieldError[]): NewTemplate {
  const { name, content } = template;
  if (name.trim() === '') errors.push(fieldError('name', 'required', 'must not be blank'));
  if (errors.length === 0 && CHANNELS.every((channel) => content.channels[channel] === undefined))
    errors.push(fieldError('channels', 'too_few', 'must have at least one channel'));
  checkChannels(content.channels, 'channels', errors);
  for (const [locale, channels] of Object.entries(content.locales)) {
    checkChannels(channels, `locales.${locale}`, errors);
    for (const channel of CHANNELS)
      if (channels[channel] !== undefined && content.channels[channel] === undefined)
        errors.push(
          fieldError(
            `channels.${channel}`,
            'required',
            `is required: locales.${locale} has the channel, and others need it too`,
          ),
        );
  }
  if (errors.length === 0) {
    const compiled = CompiledTemplate.compile(content);
    if (compiled instanceof CompiledTemplate) return template;
    errors.push(...compiled);
  }
  throw invalidFields(errors.slice(0, 50));
}

function checkChannels(channels: ChannelTemplates, where: string, errors: FieldError[]): void {
  for (const [channel, names] of Object.entries(ONE_OF)) {
    const template = channels[channel as keyof typeof ONE_OF];
    if (template !== undefined && names.every((name) => template[name] === undefined))
      errors.push(fieldError(`${where}.${channel}`, 'required', `must have ${names.join(' or ')}`));
  }
  if (
    channels.whatsapp !== undefined &&
    ONE_OF.whatsapp.filter((name) => channels.whatsapp![name] !== undefined).length > 1
  )
    errors.push(fieldError(`${where}.whatsapp`, 'conflict', `must have only one of ${ONE_OF.whatsapp.join(', ')}`));
  const data = channels.push?.['data'];
  if (isPlainObject(data)) {
    if (Object.keys(data).length > MOST_PUSH_DATA)
      errors.push(fieldError(`${where}.push.data`, 'too_many', `must have at most ${MOST_PUSH_DATA} members`));
    for (const [name, value] of Object.entries(data))
      if (typeof value !== 'string')
        errors.push(fieldError(shortenPath(`${where}.push.data.${name}`), 'invalid_type', 'must be a string'));
  }
}

function readLocales(
  given: Record<string, unknown> | undefined,
  dto: new () => object,
  errors: FieldError[],
): Record<string, ChannelTemplates | null> {
  const locales: Record<string, ChannelTemplates | null> = {};
  const entries = Object.entries(given ?? {});
  if (entries.length > MOST_LOCALES) {
    errors.push(fieldError('locales', 'too_many', `must have at most ${MOST_LOCALES} languages`));
    return locales;
  }
  for (const [tag, value] of entries) {
    const field = shortenPath(`locales.${tag}`);
    const locale = readLocale(tag, field, errors);
    if (locale === null) continue;
    if (locale in locales) {
      errors.push(fieldError(field, 'duplicate', 'names a language that is there already'));
    } else if (value === null && dto === TemplateChannelsPatchDto) {
      locales[locale] = null;
    } else {
      try {
        locales[locale] = plain(validateBody(dto, value));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        errors.push(...errorsAt(field, error));
      }
    }
  }
  return locales;
}

function readLocale(tag: string | null | undefined, field: string, errors: FieldError[]): string | null {
  if (tag === undefined || tag === null) return null;
  const locale = canonicalLocale(tag);
  if (locale !== undefined) return locale;
  errors.push(fieldError(field, 'invalid_locale', 'must be a BCP 47 language tag such as de or pt-BR'));
  return null;
}

/** Channels that are named are replaced, null takes one away. */
function merged(old: ChannelTemplates, changes: ChannelTemplates): ChannelTemplates {
  return Object.fromEntries(Object.entries({ ...old, ...changes }).filter(([, template]) => template !== null));
}

/** A DTO as plain data, without members that are not there. */
function plain(dto: object): ChannelTemplates {
  return JSON.parse(JSON.stringify(dto)) as ChannelTemplates;
}
