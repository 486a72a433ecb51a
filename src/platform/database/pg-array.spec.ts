import fc from 'fast-check';
import { createTestDatabase, type TestDatabase } from '../../../test/support/test-database';
import { byteaArray, jsonArray, plainArray, textArray } from './pg-array';

const storable = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\u0000'));

describe('array literals', () => {
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase({ poolSize: 1 });
  });

  afterAll(() => test.drop());

  async function back(literal: string, type: string): Promise<unknown> {
    const [row] = await test.database.query<{ value: unknown }>(`SELECT $1::${type}[] AS value`, [literal]);
    return row!.value;
  }

  it('hand any text to PostgreSQL as it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(storable)), async (texts) => {
        expect(await back(textArray(texts), 'text')).toEqual(texts);
      }),
    );
    expect(await back(textArray(['', 'NULL', '{}', '"', '\\', 'a,b', '\n\t']), 'text')).toEqual([
      '',
      'NULL',
      '{}',
      '"',
      '\\',
      'a,b',
      '\n\t',
    ]);
  });

  it('hand any JSON to PostgreSQL as it is', async () => {
    const json = fc.jsonValue().filter((value) => !/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value)));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.record({ value: json }))), async (values) => {
        expect(JSON.stringify(await back(jsonArray(values), 'json'))).toBe(JSON.stringify(values));
      }),
    );
    expect(await back(jsonArray([{ text: '"\\\n😀' }, undefined]), 'jsonb')).toEqual([{ text: '"\\\n😀' }, null]);
  });

  it('hand over numbers, booleans and bytes', async () => {
    expect(await back(plainArray([1, -2.5, null]), 'float8')).toEqual([1, -2.5, null]);
    expect(await back(plainArray([true, false, undefined]), 'bool')).toEqual([true, false, null]);
    expect(await back(byteaArray([Buffer.from([0, 255, 92]), null]), 'bytea')).toEqual([
      Buffer.from([0, 255, 92]),
      null,
    ]);
  });
});
