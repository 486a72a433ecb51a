import type { OutboundMessage, ValidationIssue } from '../../../gateway/contracts/gateway';
import { textOf } from '../../../gateway/contracts/provider-answer';
import { asUri } from '../../../kernel/uri';
import { fileName, mediaKind } from './whatsapp-settings';

export const META_TEXT_LENGTH = 4096;
const CAPTION_LENGTH = 1024;
/** Kinds that Meta shows without a text. */
const WITHOUT_CAPTION = new Set(['audio', 'sticker']);
/** What a template can have in its header. */
const HEADER_KINDS = new Set(['image', 'video', 'document']);

type WhatsAppMessage = OutboundMessage<'whatsapp'>;
type Settings = Readonly<Record<string, unknown>>;

/** What Meta's API cannot do with a message. */
export function metaIssues({ content, from }: WhatsAppMessage, settings: Settings): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  const { text, template, media } = content;
  if (text !== undefined && text.length > META_TEXT_LENGTH)
    issues.push(issue('message', 'too_long', `Meta takes at most ${META_TEXT_LENGTH} characters`));
  if (text === '') issues.push(issue('message', 'required', 'must not be empty'));
  if (media?.caption !== undefined) {
    const kind = mediaKind(media.url);
    if (WITHOUT_CAPTION.has(kind))
      issues.push(issue('media.caption', 'not_supported', `Meta shows no caption with this kind of file (${kind})`));
    if (media.caption.length > CAPTION_LENGTH)
      issues.push(issue('media.caption', 'too_long', `Meta takes at most ${CAPTION_LENGTH} characters`));
  }
  if (template !== undefined) {
    if (languageOf(template.language, settings) === undefined)
      issues.push(issue('template.language', 'required', 'is required: the config has no default_language_code'));
    if (template.media_url !== undefined && !HEADER_KINDS.has(mediaKind(template.media_url)))
      issues.push(issue('template.media_url', 'not_supported', 'must be an image, a video or a document'));
  }
  if (from !== null && digits(from) !== digits(textOf(settings.display_phone_number) ?? ''))
    issues.push(issue('from', 'invalid_sender', 'must be the number of the config (display_phone_number) at Meta'));
  return issues;
}

/** The body of "send a message", in the order of Meta's own examples. */
export function metaMessage(message: WhatsAppMessage, settings: Settings): Record<string, unknown> {
  return {
    messaging_product: 'whatsapp',
    recipient_type: 'individual',
    to: message.to,
    ...contentOf(message.content, settings),
    // Comes back with each status, so that one that overtakes the answer finds its message.
    biz_opaque_callback_data: message.id,
  };
}

function contentOf({ text, template, media }: WhatsAppMessage['content'], settings: Settings): Record<string, unknown> {
  if (template !== undefined) {
    const components = componentsOf(template);
    return {
      type: 'template',
      template: {
        name: template.name,
        language: { code: languageOf(template.language, settings) },
        ...(components.length > 0 && { components }),
      },
    };
  }
  if (media !== undefined) {
    const kind = mediaKind(media.url);
    return { type: kind, [kind]: { ...fileOf(kind, media.url), ...(media.caption && { caption: media.caption }) } };
  }
  // A preview is made of the first link that the text has; without one Meta ignores the wish.
  return { type: 'text', text: { preview_url: /https?:\/\//i.test(text!), body: text } };
}

function componentsOf(template: NonNullable<WhatsAppMessage['content']['template']>): Record<string, unknown>[] {
  const components: Record<string, unknown>[] = [];
  if (template.media_url !== undefined) {
    const kind = mediaKind(template.media_url);
    components.push({ type: 'header', parameters: [{ type: kind, [kind]: fileOf(kind, template.media_url) }] });
  }
  if (template.parameters.length > 0)
    components.push({ type: 'body', parameters: template.parameters.map((text) => ({ type: 'text', text })) });
  return components;
}

function fileOf(kind: string, link: string): { link: string; filename?: string } {
  const filename = kind === 'document' ? fileName(link) : undefined;
  return { link: asUri(link), ...(filename !== undefined && { filename }) };
}

function languageOf(asked: string | undefined, settings: Settings): string | undefined {
  // Quirk: Meta writes languages with an underscore (en_US), where BCP 47 has a hyphen (examples in facebook/openapi v23.0, 2025-11).
  return (asked ?? textOf(settings.default_language_code))?.replace('-', '_');
}

function digits(number: string): string {
  return number.replace(/\D/g, '');
}

function issue(field: string, code: string, message: string): ValidationIssue {
  return { field, code, message };
}
