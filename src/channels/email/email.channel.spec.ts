import { Problem } from '../../kernel/problem';
import { validateBody } from '../../platform/http/validation';
import { emailChannel } from './email.channel';
import { SendEmailDto } from './send-email.dto';

const BASE = { to: 'jane@example.com', subject: 'Hello', text: 'Hi' };
const prepare = (body: object) => emailChannel.prepare(validateBody(SendEmailDto, { ...BASE, ...body }));

function refusal(body: object): Array<[string, string]> {
  try {
    prepare(body);
  } catch (error) {
    if (error instanceof Problem) return error.options.errors!.map(({ field, code }) => [field, code]);
    throw error;
  }
  return [];
}

describe('email content', () => {
  it('takes each form of recipients, and everything else as it is', () => {
    expect(prepare({})).toEqual({
      recipient: 'jane@example.com',
      sender: null,
      content: { to: [{ email: 'jane@example.com' }], subject: 'Hello', text: 'Hi' },
      encoding: null,
      segments: null,
      ucs2Characters: [],
    });
    expect(prepare({ to: { email: 'a@example.com', name: 'A' } }).content).toMatchObject({
      to: [{ email: 'a@example.com', name: 'A' }],
    });
    const whole = {
      to: [{ email: 'jörg@bücher.example', name: 'Jörg "J", Köln' }, 'b@example.com'],
      cc: 'c@example.com',
      bcc: ['用户@例え.jp'],
      from: { email: 'shop@example.com', name: 'Ładny' },
      reply_to: 'help@example.com',
      subject: 'Grüße 🚀',
      html: '<p>\r\nHi</p>',
      headers: { 'X-Ref': 'ünï', 'List-Unsubscribe': '<https://example.com/u>' },
      attachments: [
        { filename: 'Räch"nung.pdf', content_type: 'text/calendar; method=REQUEST; charset="utf-8"', content: 'aGk=' },
      ],
      tracking: { opens: true, clicks: false },
    };
    const prepared = prepare(whole);
    expect(prepared).toMatchObject({ recipient: 'jörg@bücher.example', sender: 'shop@example.com' });
    expect(prepared.content).toEqual({
      ...whole,
      text: 'Hi',
      to: [{ email: 'jörg@bücher.example', name: 'Jörg "J", Köln' }, { email: 'b@example.com' }],
      cc: [{ email: 'c@example.com' }],
      bcc: [{ email: '用户@例え.jp' }],
      reply_to: { email: 'help@example.com' },
    });
    expect(prepare({ cc: [], bcc: [], attachments: [], reply_to: [], tags: [], on_undelivered: [] })).toEqual(
      prepare({}),
    );
    expect(emailChannel.defaultExpiryMs).toBe(24 * 3600 * 1000);
  });

  const many = (count: number, at = 'example.com') => Array.from({ length: count }, (_, i) => `r${i}@${at}`);

  it.each<[string, object, Array<[string, string]>]>([
    ['a line break in the subject', { subject: 'Hi\r\nBcc: x@example.com' }, [['subject', 'invalid_characters']]],
    ['a lone line feed in the subject', { subject: 'Hi\nX: y' }, [['subject', 'invalid_characters']]],
    ['NUL in the subject', { subject: 'Hi\0' }, [['subject', 'invalid_characters']]],
    ['a line separator in the subject', { subject: 'Hi\u2028' }, [['subject', 'invalid_characters']]],
    ['a blank subject', { subject: '  ' }, [['subject', 'required']]],
    ['a subject that is too long', { subject: 'x'.repeat(999) }, [['subject', 'invalid_value']]],
    [
      'a line break in a name',
      { to: [{ email: 'a@example.com', name: 'A\r\nBcc: x' }] },
      [['to[0].name', 'invalid_characters']],
    ],
    [
      'a line break in the sender’s name',
      { from: { email: 'a@example.com', name: 'A\rB' } },
      [['from.name', 'invalid_characters']],
    ],
    ['a line break in an address', { reply_to: 'a@example.com\r\nX: y' }, [['reply_to', 'invalid_email']]],
    [
      'bad addresses, each of them',
      { to: ['a@b', 'x', 'ok@example.com'], cc: ['@'] },
      [
        ['to[0]', 'invalid_email'],
        ['to[1]', 'invalid_email'],
        ['cc[0]', 'invalid_email'],
      ],
    ],
    ['a name within an address', { to: 'Jane <jane@example.com>' }, [['to', 'invalid_email']]],
    ['an address of another type', { to: 7 }, [['to', 'invalid_type']]],
    ['an address without email', { to: { name: 'A' } }, [['to.email', 'required']]],
    ['an email of another type', { to: [{ email: 7 }] }, [['to[0].email', 'invalid_type']]],
    ['an unknown member of an address', { to: { email: 'a@example.com', mail: 'x' } }, [['to.mail', 'unknown_field']]],
    ['a name of another type', { to: { email: 'a@example.com', name: 7 } }, [['to.name', 'invalid_type']]],
    ['no recipients', { to: [] }, [['to', 'too_few']]],
    ['51 recipients', { to: many(51) }, [['to', 'too_many']]],
    [
      '101 recipients in all',
      { to: many(50), cc: many(50, 'b.example'), bcc: ['c@example.com'] },
      [['bcc', 'too_many']],
    ],
    [
      'a recipient twice',
      { to: ['a@example.com', 'A@Example.com'], bcc: ['a@EXAMPLE.com'] },
      [
        ['to[1]', 'duplicate'],
        ['bcc[0]', 'duplicate'],
      ],
    ],
    [
      'a recipient twice in two scripts',
      { to: 'a@bücher.example', cc: 'a@xn--bcher-kva.example' },
      [['cc[0]', 'duplicate']],
    ],
    ['nothing to say', { text: undefined }, [['text', 'required']]],
    ['a template and a text', { template_id: 'd-1' }, [['template_id', 'not_allowed']]],
    ['template data without a template', { template_data: { a: 1 } }, [['template_data', 'not_allowed']]],
    [
      'a line break in a header',
      { headers: { 'X-A': 'b\r\nBcc: x@example.com' } },
      [['headers.X-A', 'invalid_characters']],
    ],
    ['a line break in a header’s name', { headers: { 'X-A\r\nBcc': 'x@example.com' } }, [['headers', 'invalid_key']]],
    ['a colon in a header’s name', { headers: { 'Bcc: x': 'y' } }, [['headers', 'invalid_key']]],
    [
      'headers that are the service’s own',
      { headers: { BCC: 'x', 'Content-Type': 'x', 'X-SG-ID': 'x', 'Message-ID': 'x', 'Reply-To': 'x' } },
      ['BCC', 'Content-Type', 'X-SG-ID', 'Message-ID', 'Reply-To'].map((name) => [`headers.${name}`, 'not_allowed']),
    ],
    ['a header twice', { headers: { 'X-A': '1', 'x-a': '2' } }, [['headers.x-a', 'duplicate']]],
    ['a header of another type', { headers: { 'X-A': 1 } }, [['headers.X-A', 'invalid_type']]],
    ['a blank header', { headers: { 'X-A': ' ' } }, [['headers.X-A', 'empty']]],
    ['a header that is too long', { headers: { 'X-A': 'x'.repeat(999) } }, [['headers.X-A', 'too_long']]],
    [
      'too many headers',
      { headers: Object.fromEntries(many(51).map((name, i) => [`X-${i}`, name])) },
      [['headers', 'too_many']],
    ],
    [
      'its own way to unsubscribe beside ours',
      { headers: { 'List-Unsubscribe': '<x>' }, tracking: { unsubscribe: true } },
      [['headers.List-Unsubscribe', 'not_allowed']],
    ],
    [
      'a line break in a file name',
      { attachments: [{ filename: 'a\r\nb', content_type: 'a/b', content: 'aGk=' }] },
      [['attachments[0].filename', 'invalid_characters']],
    ],
    [
      'a path in a file name',
      { attachments: [{ filename: '../a', content_type: 'a/b', content: 'aGk=' }] },
      [['attachments[0].filename', 'invalid_characters']],
    ],
    [
      'a line break in a content type',
      { attachments: [{ filename: 'a', content_type: 'a/b\r\nX: y', content: 'aGk=' }] },
      [['attachments[0].content_type', 'invalid_value']],
    ],
    [
      'a content type that is none',
      { attachments: [{ filename: 'a', content_type: 'pdf', content: 'aGk=' }] },
      [['attachments[0].content_type', 'invalid_value']],
    ],
    [
      'a multipart attachment',
      { attachments: [{ filename: 'a', content_type: 'multipart/mixed', content: 'aGk=' }] },
      [['attachments[0].content_type', 'invalid_value']],
    ],
    [
      'base64 of another alphabet',
      { attachments: [{ filename: 'a', content_type: 'a/b', content: 'a-_=' }] },
      [['attachments[0].content', 'invalid_base64']],
    ],
    [
      'base64 without padding',
      { attachments: [{ filename: 'a', content_type: 'a/b', content: 'aGkaa' }] },
      [['attachments[0].content', 'invalid_base64']],
    ],
    [
      'base64 in lines',
      { attachments: [{ filename: 'a', content_type: 'a/b', content: 'aGk=\r\naGk=' }] },
      [['attachments[0].content', 'invalid_base64']],
    ],
    [
      'an unknown member of an attachment',
      { attachments: [{ filename: 'a', content_type: 'a/b', content: 'aGk=', cid: 'x' }] },
      [['attachments[0].cid', 'unknown_field']],
    ],
    ['an unknown member of tracking', { tracking: { open: true } }, [['tracking.open', 'unknown_field']]],
  ])('refuses %s, and names it', (_, body, expected) => {
    expect(refusal(body)).toEqual(expected);
  });
});
