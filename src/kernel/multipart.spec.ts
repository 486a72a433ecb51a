import { decodeMultipart, encodeMultipart, type MultipartField } from './multipart';

const TYPE = 'multipart/form-data; boundary=x-1';

describe('multipart/form-data', () => {
  it('writes what a browser would', () => {
    const fields: MultipartField[] = [
      { name: 'to', value: 'Jörg' },
      { name: 'a"b\r\n', filename: 'ü".txt', contentType: 'text/plain', bytes: Buffer.from('hi') },
    ];
    expect(encodeMultipart(fields, 'x-1').toString()).toBe(
      '--x-1\r\nContent-Disposition: form-data; name="to"\r\n\r\nJörg\r\n' +
        '--x-1\r\nContent-Disposition: form-data; name="a%22b%0D%0A"; filename="ü%22.txt"\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x-1--\r\n',
    );
  });

  it('is read by the parser of the platform', async () => {
    const bytes = Buffer.from([0, 13, 10, 45, 45, 255]);
    const body = encodeMultipart(
      [
        { name: 'to', value: 'a\r\nb' },
        { name: 'file', filename: 'ü.bin', contentType: 'application/octet-stream', bytes },
      ],
      'x-1',
    );
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': TYPE } }).formData();
    expect(form.get('to')).toBe('a\r\nb');
    const file = form.get('file') as File;
    expect(file.name).toBe('ü.bin');
    expect(Buffer.from(await file.arrayBuffer())).toEqual(bytes);
  });

  it('reads back what it writes', () => {
    const fields: MultipartField[] = [
      { name: 'empty', value: '' },
      { name: 'to', value: '--x-1' },
      { name: 'to', value: 'two\r\n\r\nlines' },
      { name: 'f', filename: 'a.bin', contentType: 'a/b', bytes: Buffer.from([0, 13, 10, 13, 10, 255]) },
    ];
    const safe = fields.filter((field) => !('value' in field) || field.value !== '--x-1');
    expect(decodeMultipart(encodeMultipart(safe, 'x-1'), TYPE)).toEqual(safe);
    expect(decodeMultipart(encodeMultipart(safe, 'x-1'), 'multipart/form-data;boundary="x-1"')).toEqual(safe);
  });

  it.each([
    ['another type', 'a=b', 'application/x-www-form-urlencoded'],
    ['no type', 'a=b', undefined],
    ['no end', '--x-1\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n', TYPE],
    ['a part without a name', '--x-1\r\nContent-Type: text/plain\r\n\r\nb\r\n--x-1--\r\n', TYPE],
    ['a part without an end of its head', '--x-1\r\nContent-Disposition: form-data; name="a"\r\n--x-1--\r\n', TYPE],
    ['nothing', '', TYPE],
  ])('reads nothing from %s', (_, body, type) => {
    expect(decodeMultipart(Buffer.from(body), type)).toBeUndefined();
  });
});
