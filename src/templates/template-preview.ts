import { Injectable } from '@nestjs/common';
import { CHANNELS, type Channel } from '../kernel/channel';
import { Problem, type FieldError } from '../kernel/problem';
import { ChannelRegistry } from '../messaging/channel-registry';
import type { SendOptionsDto } from '../messaging/intake/send-options.dto';
import { validateBody } from '../platform/http/validation';
import type { PreviewTemplateDto } from './dto/templates.dto';
import type { ChannelPreviewView, TemplatePreviewView } from './dto/templates.view';
import { addressed } from './recipient-address';
import { RenderBudget } from './liquid/liquid-text';
import { localeOf } from './template-input';
import { errorsAt, fieldError } from './problem-path';
import { TemplatesService } from './templates.service';
import { unprocessable } from './unprocessable';
import { examplesOf, withDefaults } from './variables';

/** Somebody of whom nothing is seen: a send is only whole with a recipient. */
const NOBODY: Readonly<Record<Channel, string>> = {
  sms: '+15005550006',
  whatsapp: '+15005550006',
  email: 'nobody@example.com',
  telegram: '1',
  push: 'nobody',
};

/** Shows what a template would say. Nothing is sent or stored. */
@Injectable()
export class TemplatePreview {
  constructor(
    private readonly templates: TemplatesService,
    private readonly channels: ChannelRegistry,
  ) {}

  /** @throws Problem not_found; 422 that names each missing variable, or the text that cannot be rendered or sent */
  async show(clientId: string, id: string, dto: PreviewTemplateDto): Promise<TemplatePreviewView> {
    const locale = localeOf(dto.locale, 'locale');
    const version = await this.templates.get(clientId, id, dto.version);
    const template = this.templates.compile(clientId, version);
    if (dto.channel !== undefined && !template.channels.includes(dto.channel))
      throw unprocessable([
        fieldError(
          'channel',
          'not_in_template',
          `must be one of ${template.channels.join(', ')}: the template has no other`,
        ),
      ]);
    const { variables } = template.content;
    const { data, errors } = withDefaults(variables, dto.data ?? examplesOf(variables));
    const channels: Partial<Record<Channel, ChannelPreviewView>> = {};
    const budget = new RenderBudget();
    for (const channel of dto.channel === undefined ? template.channels : [dto.channel]) {
      const part = template.channel(channel, locale)!;
      const rendered = part.render(data, budget);
      if (rendered.errors !== undefined) addNew(errors, rendered.errors);
      else if (errors.length === 0) {
        try {
          channels[channel] = { locale: part.locale, ...this.measure(channel, rendered.fields) };
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          errors.push(...errorsAt(part.where, error));
        }
      }
    }
    if (errors.length > 0) throw unprocessable(errors);
    return { template_id: id, version: version.version, channels: inOrder(channels) };
  }

  /** @throws Problem as the channel's send would */
  private measure(channel: Channel, content: Record<string, unknown>): Omit<ChannelPreviewView, 'locale'> {
    const descriptor = this.channels.get(channel)!;
    const dto = validateBody(descriptor.dto, { ...content, ...addressed(channel, NOBODY[channel]) }) as SendOptionsDto;
    const { encoding, segments, ucs2Characters } = descriptor.prepare(dto);
    const { message } = content;
    const characters = encoding !== null && typeof message === 'string' ? message.length : null;
    return { content, encoding, segments, characters, ucs2_characters: ucs2Characters };
  }
}

function addNew(errors: FieldError[], more: readonly FieldError[]): void {
  for (const error of more) if (!errors.some(({ field }) => field === error.field)) errors.push(error);
}

function inOrder(channels: Partial<Record<Channel, ChannelPreviewView>>): Partial<Record<Channel, ChannelPreviewView>> {
  return Object.fromEntries(CHANNELS.flatMap((name) => (channels[name] === undefined ? [] : [[name, channels[name]]])));
}
