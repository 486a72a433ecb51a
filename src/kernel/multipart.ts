/** One part of `multipart/form-data`: a text, or a file. */
export type MultipartField =
  { name: string; value: string } | { name: string; filename: string; contentType: string; bytes: Buffer };

/** A body of `multipart/form-data` (RFC 7578), names and file names escaped as browsers do. @param boundary must not be in any value */
export function encodeMultipart(fields: readonly MultipartField[], boundary: string): Buffer {
  const chunks: Buffer[] = [];
  for (const field of fields) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(field.name)}"`;
    if ('value' in field) chunks.push(Buffer.from(`${head}\r\n\r\n${field.value}\r\n`));
    else {
      chunks.push(
        Buffer.from(`${head}; filename="${escaped(field.filename)}"\r\nContent-Type: ${field.contentType}\r\n\r\n`),
      );
      chunks.push(field.bytes, Buffer.from('\r\n'));
    }
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return Buffer.concat(chunks);
}

/** Reads such a body; undefined when it is none. Of a part's headers only name, file name and content type are kept. */
export function decodeMultipart(body: Buffer, contentType: string | undefined): MultipartField[] | undefined {
  const boundary = /^multipart\/form-data\s*;.*\bboundary=(?:"([^"]+)"|([^\s;]+))/i
    .exec(contentType ?? '')
    ?.slice(1)
    .find(Boolean);
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const whole = Buffer.concat([Buffer.from('\r\n'), body]);
  const fields: MultipartField[] = [];
  let at = whole.indexOf(delimiter);
  while (at >= 0) {
    const start = at + delimiter.length;
    if (whole.subarray(start, start + 2).toString('latin1') === '--') return fields;
    const end = whole.indexOf(delimiter, start);
    if (end < 0) return undefined;
    const field = partOf(whole.subarray(start + 2, end));
    if (field === undefined) return undefined;
    fields.push(field);
    at = end;
  }
  return undefined;
}

function partOf(part: Buffer): MultipartField | undefined {
  const gap = part.indexOf('\r\n\r\n');
  if (gap < 0) return undefined;
  const head = part.subarray(0, gap).toString('utf8');
  const name = /\bname="([^"]*)"/i.exec(head)?.[1];
  if (name === undefined) return undefined;
  const filename = /\bfilename="([^"]*)"/i.exec(head)?.[1];
  const bytes = part.subarray(gap + 4);
  if (filename === undefined) return { name: unescaped(name), value: bytes.toString('utf8') };
  const contentType = /^content-type:\s*(.+)$/im.exec(head)?.[1]?.trim() ?? 'application/octet-stream';
  return { name: unescaped(name), filename: unescaped(filename), contentType, bytes };
}

function escaped(text: string): string {
  return text.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function unescaped(text: string): string {
  return text.replaceAll('%22', '"').replaceAll('%0D', '\r').replaceAll('%0A', '\n');
}
