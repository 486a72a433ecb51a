import { addressesOf, reasonOfFailure, suppressedAddress } from './suppression';

describe('suppressedAddress', () => {
  test.each([
    ['sms', '+39 333 123-4567', '+393331234567'],
    ['sms', '393331234567', null],
    ['sms', '12345', null],
    ['sms', 'Acme', null],
    ['whatsapp', 'whatsapp:+393331234567', '+393331234567'],
    ['whatsapp', '393331234567', '+393331234567'],
    ['email', ' Ada@Example.COM ', 'ada@example.com'],
    ['email', 'ada', null],
    ['email', 'a b@example.com', null],
    ['telegram', '-100123', '-100123'],
    ['push', 'Token:With-Case_1', 'Token:With-Case_1'],
    ['push', ' ', null],
    ['push', 'x'.repeat(1_001), null],
  ])('%s %p is %p', (channel, recipient, listed) => expect(suppressedAddress(channel, recipient)).toBe(listed));
});

test('everybody whom a message goes to is looked for, once', () => {
  const content = { to: [{ email: 'Ada@example.com' }], cc: [{ email: 'bob@example.com' }], bcc: 7 };
  expect(addressesOf('email', 'ada@example.com', content)).toEqual(['ada@example.com', 'bob@example.com']);
  expect(addressesOf('email', 'ada@example.com', null)).toEqual(['ada@example.com']);
  expect(addressesOf('sms', '+393331234567', { to: [{ email: 'bob@example.com' }] })).toEqual(['+393331234567']);
});

test.each([
  ['sms', 'opted_out', 'stop'],
  ['whatsapp', 'opted_out', 'stop'],
  ['email', 'opted_out', 'unsubscribe'],
  ['push', 'unregistered_device', 'unregistered'],
  ['whatsapp', 'marketing_opted_out', undefined],
  ['sms', 'invalid_recipient', undefined],
  ['sms', 'constructor', undefined],
  ['sms', undefined, undefined],
])('a failure in %s with %s is %s', (channel, code, reason) => expect(reasonOfFailure(channel, code)).toBe(reason));
