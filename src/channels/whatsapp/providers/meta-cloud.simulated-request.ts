import { z } from 'zod';
import type { Json } from './meta-cloud.payload';

/** "Send a message" as Meta describes it (facebook/openapi, business messaging v23.0, 2025-11), strictly: a further field is a caller's mistake. */
const text = z.strictObject({ body: z.string().min(1).max(4096), preview_url: z.boolean().optional() });
const link = z.url({ protocol: /^https?$/ });
const caption = z.string().max(1024).optional();
const picture = z.strictObject({ link, caption });
const sound = z.strictObject({ link });
const document = z.strictObject({ link, caption, filename: z.string().max(240).optional() });
const headerParameter = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('image'), image: z.strictObject({ link }) }),
  z.strictObject({ type: z.literal('video'), video: z.strictObject({ link }) }),
  z.strictObject({ type: z.literal('document'), document: z.strictObject({ link, filename: z.string().optional() }) }),
]);
const textParameter = z.strictObject({ type: z.literal('text'), text: z.string().min(1).max(32_768) });
const template = z.strictObject({
  name: z.string().min(1).max(512),
  language: z.strictObject({ code: z.string().regex(/^[a-z]{2,3}(_[A-Za-z]{2,4})?$/) }),
  components: z
    .array(
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('header'), parameters: z.array(headerParameter).length(1) }),
        z.strictObject({ type: z.literal('body'), parameters: z.array(textParameter).min(1) }),
      ]),
    )
    .optional(),
});

const COMMON = {
  messaging_product: z.literal('whatsapp'),
  recipient_type: z.literal('individual').optional(),
  to: z.string().regex(/^\+?[1-9]\d{6,14}$/),
  biz_opaque_callback_data: z.string().max(512).optional(),
};

const MESSAGE = z.discriminatedUnion('type', [
  z.strictObject({ ...COMMON, type: z.literal('text'), text }),
  z.strictObject({ ...COMMON, type: z.literal('template'), template }),
  z.strictObject({ ...COMMON, type: z.literal('image'), image: picture }),
  z.strictObject({ ...COMMON, type: z.literal('video'), video: picture }),
  z.strictObject({ ...COMMON, type: z.literal('audio'), audio: sound }),
  z.strictObject({ ...COMMON, type: z.literal('sticker'), sticker: sound }),
  z.strictObject({ ...COMMON, type: z.literal('document'), document }),
]);

/** What is wrong with a request, with Meta's code for it; undefined when nothing is. */
export function faultIn(message: Json): { code: number; message: string } | undefined {
  const parsed = MESSAGE.safeParse(message);
  if (parsed.success) return undefined;
  const issue = parsed.error.issues[0]!;
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') return { code: 100, message: `Unexpected key ${issue.keys.join(', ')}` };
  if (path === 'type') return { code: 131051, message: 'Unsupported message type' };
  return valueAt(message, issue.path) === undefined
    ? { code: 131008, message: `Required parameter is missing: ${path}` }
    : { code: 131009, message: `Parameter value is not valid: ${path}` };
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const key of path) at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
  return at;
}

/** What a valid request says, as the record shows it. */
export function bodyOf(message: Json): string {
  const parsed = MESSAGE.parse(message);
  switch (parsed.type) {
    case 'text':
      return parsed.text.body;
    case 'template': {
      const { name, language, components = [] } = parsed.template;
      const values = components.flatMap((one) => (one.type === 'body' ? one.parameters.map((each) => each.text) : []));
      return [`${name} (${language.code})`, ...values].join(' | ');
    }
    case 'image':
      return parsed.image.caption ?? parsed.image.link;
    case 'video':
      return parsed.video.caption ?? parsed.video.link;
    case 'document':
      return parsed.document.caption ?? parsed.document.link;
    case 'audio':
      return parsed.audio.link;
    case 'sticker':
      return parsed.sticker.link;
  }
}
