import type { Channel } from '../kernel/channel';
import { Problem } from '../kernel/problem';

/** A template of the tenant's own that a send names. */
export interface OwnTemplateRequest {
  /** `tpl_…` */
  id: string;
  data: Readonly<Record<string, unknown>>;
  /** The fields of the send that these two were given in. */
  fields: { id: string; data: string };
}

/**
 * Renders the newest version of a template for one channel: the fields of the channel's send, without its recipient.
 * @throws Problem 422 that names the field: no such template, it has not the channel, a variable is missing, or a text cannot be rendered
 */
export type OwnTemplateRenderer = (
  clientId: string,
  channel: Channel,
  request: OwnTemplateRequest,
) => Promise<Record<string, unknown>>;

/** Where sends get what the tenant's own templates say. Who owns the templates registers the renderer. */
export class OwnTemplates {
  private renderer: OwnTemplateRenderer | undefined;

  register(renderer: OwnTemplateRenderer): void {
    this.renderer = renderer;
  }

  /** As the renderer. @throws Problem */
  render(clientId: string, channel: Channel, request: OwnTemplateRequest): Promise<Record<string, unknown>> {
    if (this.renderer === undefined) throw Problem.field(request.fields.id, 'not_found', 'names no template of yours');
    return this.renderer(clientId, channel, request);
  }
}
