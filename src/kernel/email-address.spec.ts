import { asciiAddress, emailKey, isEmailAddress } from './email-address';

describe('isEmailAddress', () => {
  it.each([
    'jane@example.com',
    "o'neil+tag_1{x}|y~z^`#%&*/=?!$-@mail.example.co.uk",
    'a@b-c.example',
    'jörg@example.com',
    '用户@例え.jp',
    'δοκιμή@παράδειγμα.δοκιμή',
    'jane@xn--bcher-kva.example',
    'jane@bücher.example',
    '🦄@example.com',
    `${'a'.repeat(64)}@example.com`,
    'jane@EXAMPLE.com',
    'jane@1.example',
  ])('takes %s', (address) => {
    expect(isEmailAddress(address)).toBe(true);
  });

  it.each([
    '',
    'jane',
    '@example.com',
    'jane@',
    'jane@@example.com',
    'a@b@example.com',
    'jane@example',
    'jane@localhost',
    'jane@.example.com',
    'jane@example..com',
    'jane@example.com.',
    'jane@-example.com',
    'jane@example-.com',
    'jane@exa_mple.com',
    'jane@exa mple.com',
    'jane@[192.0.2.1]',
    'jane@192.0.2.1',
    'jane@example.com:25',
    'jane@example.com/x',
    'jane@exa%6dple.com',
    '.jane@example.com',
    'jane.@example.com',
    'ja..ne@example.com',
    'ja ne@example.com',
    'ja,ne@example.com',
    '"jane"@example.com',
    'Jane <jane@example.com>',
    '<jane@example.com>',
    'jane@example.com\r\nBcc: x@example.com',
    'jane\r\n@example.com',
    'jane@example.com\0',
    ' jane@example.com',
    'jane@example.com ',
    'ja\u00a0ne@example.com',
    'ja\u200bne@example.com',
    'ja\u2028ne@example.com',
    'jane@exa\u00admple.com',
    `${'a'.repeat(65)}@example.com`,
    `${'ä'.repeat(33)}@example.com`,
    `a@${'b'.repeat(64)}.com`,
    `a@${'b.'.repeat(126)}com`,
  ])('refuses %j', (address) => {
    expect(isEmailAddress(address)).toBe(false);
  });
});

describe('emailKey', () => {
  it('is equal for addresses that lead to one mailbox, whatever their script or case', () => {
    expect(emailKey('Jane@EXAMPLE.com')).toBe('jane@example.com');
    expect(emailKey('jane@bücher.example')).toBe(emailKey('JANE@xn--bcher-kva.example'));
    expect(emailKey('jo\u0308rg@example.com')).toBe(emailKey('jörg@example.com'));
    expect(emailKey('jane@example.com')).not.toBe(emailKey('jane+a@example.com'));
  });
});

describe('asciiAddress', () => {
  it.each([
    ['Jane@Example.com', 'Jane@Example.com'],
    ['Jane@Bücher.example', 'Jane@xn--bcher-kva.example'],
    ['jörg@bücher.example', 'jörg@bücher.example'],
  ])('makes of %s %s', (address, expected) => {
    expect(asciiAddress(address)).toBe(expected);
  });
});
