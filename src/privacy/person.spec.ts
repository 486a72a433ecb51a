import { createTestDatabase, type TestDatabase } from '../../test/support/test-database';
import { personOf } from './person';

describe('personOf', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase({ poolSize: 1 });
  });
  afterAll(() => test.drop());

  const found = async (recipient: string, text: string): Promise<boolean> => {
    const [row] = await test.database.query<{ found: boolean }>('SELECT $1 ~ $2 AS found', [
      text,
      personOf(recipient).pattern,
    ]);
    return row!.found;
  };

  it.each([
    ['+46701234567', '{"to":"+46701234567"}'],
    ['+46 70-123 45 67', 'To=%2B46701234567&x=1'],
    ['whatsapp:+46701234567', 'From=whatsapp%3A%2B46701234567'],
    ['+46701234567', '{"msisdn":46701234567,"x":1}'],
    ['+46701234567', 'to=0046701234567'],
    ['+46701234567', 'text=call%2046701234567'],
    ['Ada@Example.com', '{"email":"ADA@example.com"}'],
    ['ada+x@example.com', 'recipient=ada%2Bx%40example.com&y'],
    ['ada@example.com', 'write to ada@example.com.'],
    ['ada@example.com', 'a=%3Cada%40example.com%3E'],
    ['987654321', '{"chat":{"id":987654321}}'],
    ['token:AbC-9_x', '{"token":"token:AbC-9_x"}'],
    ['@channel_x', '{"chat":"@channel_x"}'],
  ])('%s is found in %s', async (recipient, text) => expect(await found(recipient, text)).toBe(true));

  it.each([
    ['+46701234567', '+467012345678'],
    ['+46701234567', '146701234567'],
    ['ada@example.com', 'lovelace-ada@example.com'],
    ['ada@example.com', 'x.ada@example.com'],
    ['ada@example.com', 'ada@example.com.au'],
    ['ada@example.com', 'adaXexample.com'],
    ['987654321', '1987654321'],
    ['token:AbC-9_x', 'token:AbC-9_xy'],
  ])('%s is not found in %s, which is another one’s', async (recipient, text) =>
    expect(await found(recipient, text)).toBe(false),
  );

  it('spells them as lists do, and looks for no short ones', () => {
    expect(personOf(' +46 70 123 45 67 ').address).toBe('+46701234567');
    expect(personOf('Ada@Example.com').address).toBe('ada@example.com');
    expect(personOf('123')).toMatchObject({ address: '123', pattern: null });
    for (const nobody of ['', '   ', 'a\u0000b', 'a b"c', 'x'.repeat(1001)]) expect(() => personOf(nobody)).toThrow();
  });
});
