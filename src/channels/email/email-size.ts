import type { EmailContent, ValidationIssue } from '../../gateway/contracts/gateway';

/** About as many bytes as a header of a mail, or the frame of a part, takes besides its values. */
const FRAME_BYTES = 200;

/** The size of the mail in bytes, about: attachments in base64 with line breaks, texts as if nothing in them had to be encoded. */
export function emailSize(content: EmailContent): number {
  let size = 10 * FRAME_BYTES + Buffer.byteLength(content.subject);
  for (const text of [content.text, content.html])
    if (text !== undefined) size += FRAME_BYTES + Buffer.byteLength(text);
  if (content.template_data) size += Buffer.byteLength(JSON.stringify(content.template_data));
  for (const list of [content.to, content.cc, content.bcc]) {
    for (const { email, name } of list ?? []) size += 8 + Buffer.byteLength(email) + Buffer.byteLength(name ?? '');
  }
  for (const [name, value] of Object.entries(content.headers ?? {})) size += 4 + name.length + Buffer.byteLength(value);
  for (const { filename, content: base64 } of content.attachments ?? []) {
    // A line has 76 characters and its end.
    size += FRAME_BYTES + 2 * Buffer.byteLength(filename) + Math.ceil((base64.length * 78) / 76);
  }
  return size;
}

/** What is too large for a provider. @param limit bytes of the whole mail */
export function sizeIssues(content: EmailContent, limit: number, title: string): ValidationIssue[] {
  if (emailSize(content) <= limit) return [];
  const heaviest = content.attachments ? 'attachments' : content.html !== undefined ? 'html' : 'text';
  const message = `make the mail larger than the ${Math.floor(limit / 1024 / 1024)} MiB that ${title} takes`;
  return [{ field: heaviest, code: 'too_large', message }];
}
