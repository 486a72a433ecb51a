import { Injectable } from '@nestjs/common';
import type { Channel } from '../kernel/channel';
import { Problem, type FieldError } from '../kernel/problem';
import { OwnTemplates, type OwnTemplateRequest } from '../messaging/own-templates';
import { RenderBudget } from './liquid/liquid-text';
import { fieldError } from './problem-path';
import { TemplatesService, type TemplateVersion } from './templates.service';
import { unprocessable } from './unprocessable';
import { withDefaults } from './variables';

/** Says what a template says in a send that names it. */
@Injectable()
export class SendTemplate {
  constructor(
    private readonly templates: TemplatesService,
    own: OwnTemplates,
  ) {
    own.register((clientId, channel, request) => this.render(clientId, channel, request));
  }

  private async render(
    clientId: string,
    channel: Channel,
    request: OwnTemplateRequest,
  ): Promise<Record<string, unknown>> {
    const { fields: names } = request;
    const template = this.templates.compile(clientId, await this.find(clientId, request));
    const part = template.channel(channel, null);
    if (part === undefined)
      throw unprocessable([fieldError(names.id, 'not_in_template', `has no content for the channel ${channel}`)]);
    const { data, errors } = withDefaults(template.content.variables, request.data);
    const rendered = part.render(data, new RenderBudget());
    const faults = [...errors, ...(rendered.errors ?? [])];
    if (faults.length > 0 || rendered.errors !== undefined)
      throw unprocessable(unique(faults.map((fault) => inData(fault, names.data))));
    return rendered.fields;
  }

  private async find(clientId: string, { id, fields }: OwnTemplateRequest): Promise<TemplateVersion> {
    try {
      return await this.templates.get(clientId, id);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
      // The path is right: what it names in the body is not there.
      throw unprocessable([fieldError(fields.id, 'not_found', 'names no template of yours')]);
    }
  }
}

/** Errors name members of `data`; in the send it is called otherwise. */
function inData(error: FieldError, name: string): FieldError {
  const { field, code, message } = error;
  if (field !== 'data' && !field.startsWith('data.')) return error;
  return { field: `${name}${field.slice(4)}`, code, message: message.replace(/^data(?=[.\s])/, name) };
}

/** The first of each field. */
function unique(errors: readonly FieldError[]): FieldError[] {
  return errors.filter(({ field }, index) => errors.findIndex((other) => other.field === field) === index);
}
