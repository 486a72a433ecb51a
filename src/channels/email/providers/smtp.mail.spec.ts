import fc from 'fast-check';
import { createTransport } from 'nodemailer';
import PostalMime, { type Email } from 'postal-mime';
import type { EmailContent } from '../../../gateway/contracts/gateway';
import { composeMail, type ComposedMail } from './smtp.mail';

const DATE = Date.UTC(2026, 10, 22, 8, 0, 0);

const compose = (content: Partial<EmailContent>, headers: Record<string, string> = {}): ComposedMail =>
  composeMail({
    id: 'msg_1',
    from: content.from ?? { email: 'shop@example.com', name: 'Example Shop' },
    ...(content.reply_to && { replyTo: content.reply_to }),
    content: { to: [{ email: 'jane@example.net' }], subject: 'Hello', ...content },
    headers,
    date: DATE,
  });
const parse = (mail: ComposedMail): Promise<Email> => PostalMime.parse(mail.bytes);
const namesOf = (mail: Email): string[] => mail.headers.map(({ key }) => key).sort();
const lines = (text: string): string => text.replace(/\r\n|\r|\n/g, '\n').replace(/\n$/, '');
/** `Zw==` and so on. */
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const MANY = Array.from({ length: 20 }, (_, i) => ({
  email: `person${i}@example.org`,
  name: i % 2 ? `Person ${i}` : '',
}));
const ORDINARY = ['content-transfer-encoding', 'content-type', 'date', 'from', 'message-id', 'mime-version'];

describe('composeMail', () => {
  it.each<[string, Partial<EmailContent>]>([
    ['a text', { text: 'Hello\nJane' }],
    ['an empty line at the end', { text: 'Hello\n\n' }],
    ['html', { html: '<p>Grüße</p>' }],
    ['a long subject and many recipients', { text: 'x', subject: 'Your order '.repeat(30), cc: MANY }],
    ['a subject with what looks coded', { text: 'x', subject: '=?UTF-8?Q?x?= "quoted"' }],
    ['a long line', { text: 'x'.repeat(2000), html: `<p>${'y'.repeat(80)}</p>` }],
    ['control characters', { text: 'a\u0007b\n', subject: 'tab\there' }],
    ['line breaks of all kinds', { text: 'b\nc\r\nd', html: 'b\nc\r\nü' }],
    [
      'another sender and where to answer',
      { text: 'x', from: { email: 'a.b@example.com' }, reply_to: { email: 'c@d.example', name: 'C, D' } },
    ],
    ['text and html', { text: 'Grüße 😀', html: `<p>${'long line '.repeat(200)}</p>` }],
    ['mostly Greek', { text: 'Καλημέρα κόσμε', subject: 'Καλημέρα' }],
    ['dots, tabs and trailing blanks', { text: '.\n..\n \t\n= \nFrom me' }],
    [
      'attachments',
      {
        text: 'See there',
        html: '<b>See there</b>',
        attachments: [
          { filename: 'Rëchnung "1".pdf', content_type: 'application/pdf', content: base64('%PDF-'.repeat(100)) },
          { filename: 'a.txt', content_type: 'text/plain; charset=utf-8', content: base64('Grüße') },
          { filename: 'mail.eml', content_type: 'message/rfc822', content: base64('Subject: x\r\n\r\nHello\r\n') },
        ],
      },
    ],
    [
      'an attachment alone with html',
      { html: '<p>x</p>', attachments: [{ filename: 'x', content_type: 'a/b', content: 'AAEC' }] },
    ],
    [
      'a header',
      { text: 'x', headers: { 'X-Grüße-1': 'no', 'x-campaign': 'Grüße 😀 '.repeat(20), References: '<a@b> <c@d>' } },
    ],
  ])('writes what nodemailer writes: %s', async (_, content) => {
    const to = [{ name: 'Jane, Doe', email: 'jane@example.net' }];
    const own = compose({ to, ...content });
    const { text, html, headers = {}, attachments = [] } = content;
    const { message } = await createTransport({ streamTransport: true, buffer: true, newline: 'windows' }).sendMail({
      from: { name: content.from ? '' : 'Example Shop', address: content.from?.email ?? 'shop@example.com' },
      cc: (content.cc ?? []).map(({ email, name = '' }) => ({ address: email, name })),
      ...(content.reply_to && { replyTo: { address: content.reply_to.email, name: content.reply_to.name! } }),
      to: [{ name: 'Jane, Doe', address: 'jane@example.net' }],
      subject: content.subject ?? 'Hello',
      text,
      html,
      headers: Object.entries(headers).map(([key, value]) => ({ key, value })),
      attachments: attachments.map((one) => ({
        filename: one.filename,
        contentType: one.content_type,
        contentDisposition: 'attachment' as const,
        content: Buffer.from(one.content, 'base64'),
      })),
      messageId: '<msg_1@example.com>',
      date: new Date(DATE),
    });
    const plain = (bytes: Buffer): string => bytes.toString('utf8').replaceAll(/NmP-[0-9a-f]{16}-/g, 'NmP-x-');
    expect(plain(own.bytes)).toBe(plain(message as Buffer));
  });

  it('arrives as it was, whatever it says', async () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .map((text) => text.replace(/[\p{C}\p{Z}]/gu, '-'));
    // What parsers trim or fold is not what is asked here.
    const phrase = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(' '));
    const body = fc
      .array(fc.string({ unit: 'grapheme', maxLength: 200 }), { minLength: 1, maxLength: 8 })
      .map((all) => all.join('\n').replace(/[\0\r\v\f\x85\u2028\u2029\ufeff]|\n+$/g, ''))
      .filter((text) => text.trim() !== '' && text === text.toWellFormed());
    await fc.assert(
      fc.asyncProperty(
        phrase,
        phrase,
        body,
        fc.option(body),
        fc.option(fc.uint8Array({ maxLength: 300 })),
        async (subject, name, text, html, file) => {
          const filename = `${name}.bin`.replace(/[/\\]/g, '-');
          fc.pre([subject, name].every((one) => one === one.toWellFormed()));
          const mail = await parse(
            compose({
              to: [{ email: 'jane@example.net', name }],
              subject,
              text,
              ...(html !== null && { html }),
              ...(file !== null && {
                attachments: [
                  { filename, content_type: 'application/x-test', content: Buffer.from(file).toString('base64') },
                ],
              }),
            }),
          );
          expect(mail.subject).toBe(subject);
          expect(mail.to).toEqual([{ address: 'jane@example.net', name }]);
          expect(lines(mail.text!)).toBe(lines(text));
          if (html !== null) expect(lines(mail.html!)).toBe(lines(html));
          expect(mail.attachments).toHaveLength(file === null ? 0 : 1);
          if (file === null) return;
          expect(Buffer.from(mail.attachments[0]!.content as ArrayBuffer)).toEqual(Buffer.from(file));
          expect(mail.attachments[0]!.filename).toBe(filename);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps a name or header from adding headers or recipients', async () => {
    const evil = 'x\r\nBcc: evil@example.com\r\nX-Evil: 1\r\n\r\nbody\n.\r\nMAIL FROM:<evil@example.com>';
    const mail = compose(
      {
        to: [{ email: 'jane@example.net', name: `${evil}", evil@example.com` }],
        from: { email: 'shop@example.com', name: `${evil} <evil@example.com>` },
        reply_to: { email: 'help@example.com', name: evil },
        subject: evil,
        text: 'Hello',
        headers: { 'X-Own': evil, [`X-Name\r\nX-Evil`]: '1' },
        attachments: [{ filename: evil, content_type: `text/plain; charset="${evil}"`, content: 'aGVsbG8=' }],
      },
      { 'List-Unsubscribe': `<https://example.com/${evil}>` },
    );
    expect(mail.envelope).toEqual({ from: 'shop@example.com', to: ['jane@example.net'] });
    const parsed = await parse(mail);
    expect(parsed.to).toHaveLength(1);
    expect(parsed.to![0]!.address).toBe('jane@example.net');
    expect(parsed.from!.address).toBe('shop@example.com');
    expect(parsed.bcc).toBeUndefined();
    const expected = [...ORDINARY, 'list-unsubscribe', 'reply-to', 'subject', 'to', 'x-namex-evil', 'x-own'];
    expect(namesOf(parsed)).toEqual(expected.filter((name) => name !== 'content-transfer-encoding').sort());
    expect(mail.bytes.toString('latin1')).not.toMatch(/(?:^|\n)(?:Bcc|X-Evil|MAIL FROM)/i);
  });

  it('tells bcc recipients to the server only, and each recipient once', async () => {
    const mail = compose({
      to: [{ email: 'jane@example.net' }],
      cc: [{ email: 'team@bücher.example' }],
      bcc: [{ email: 'archive@example.com' }, { email: 'jane@example.net' }],
      text: 'Hello',
    });
    expect(mail.envelope.to).toEqual(['jane@example.net', 'team@xn--bcher-kva.example', 'archive@example.com']);
    expect(namesOf(await parse(mail))).toEqual([...ORDINARY, 'cc', 'subject', 'to'].sort());
    expect(mail.bytes.toString()).not.toContain('archive@');
    expect(mail.needsSmtpUtf8).toBe(false);
  });

  it.each<[string, Partial<EmailContent>, boolean]>([
    ['ASCII', {}, false],
    ['a domain in another script', { to: [{ email: 'jane@bücher.example' }] }, false],
    ['a recipient in another script', { to: [{ email: 'юля@example.net' }] }, true],
    ['a sender in another script', { from: { email: 'jörg@example.com' } }, true],
    ['a copy in another script', { bcc: [{ email: 'jörg@example.net' }] }, true],
  ])('knows what needs SMTPUTF8: %s', (_, content, expected) => {
    expect(compose({ text: 'x', ...content }).needsSmtpUtf8).toBe(expected);
  });

  it('writes addresses in other scripts as they are, under a Message-ID in ASCII', async () => {
    const mail = compose({
      from: { email: 'jörg@bücher.example' },
      to: [{ email: 'юля@пример.example', name: 'Юля' }],
      text: 'x',
    });
    expect(mail.messageId).toBe('<msg_1@xn--bcher-kva.example>');
    expect(mail.envelope).toEqual({ from: 'jörg@bücher.example', to: ['юля@пример.example'] });
    const parsed = await parse(mail);
    expect([parsed.from!.address, parsed.to]).toEqual([
      'jörg@bücher.example',
      [{ name: 'Юля', address: 'юля@пример.example' }],
    ]);
  });

  it('is the same at every try but for its boundaries', () => {
    const content = { text: 'x', html: '<p>x</p>' };
    const [one, two] = [compose(content), compose(content)].map(({ bytes }) =>
      bytes.toString().replaceAll(/NmP-\w+/g, ''),
    );
    expect(one).toBe(two);
  });

  it('ends every line with CR LF and keeps them short', () => {
    const { bytes } = compose({
      subject: 'ü'.repeat(998),
      text: `${'x'.repeat(3000)}\r${'ü'.repeat(3000)}\n`,
      headers: { 'X-Long': 'y '.repeat(499) },
    });
    const text = bytes.toString('latin1');
    expect(text).not.toMatch(/[^\r]\n|\r[^\n]/);
    expect(Math.max(...text.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998);
    expect(text.endsWith('\r\n')).toBe(true);
  });
});
