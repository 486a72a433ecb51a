import { plainToInstance, Transform, Type } from 'class-transformer';
import {
  Allow,
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsEmail,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  validateSync,
} from 'class-validator';
import fc from 'fast-check';
import { readDto } from './dto-reader';
import { EmptyIsAbsent } from './empty-list.decorator';
import { Nullable } from './nullable.decorator';
import { validateBody } from './validation';

class PersonDto {
  @IsEmail()
  email: string;

  @IsOptional()
  @IsString()
  @MaxLength(5)
  name?: string;
}

class BaseDto {
  @IsOptional()
  @IsIn(['high', 'normal'])
  priority?: string;
}

class OrderDto extends BaseDto {
  @IsString()
  @MaxLength(5)
  to: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(9)
  count?: number;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(3)
  @IsString({ each: true })
  @Matches(/^[a-z]*$/, { each: true })
  tags?: string[];

  @Nullable()
  @IsBoolean()
  dry?: boolean | null;

  @ValidateIf((order: OrderDto) => order.count !== undefined)
  @IsDefined()
  @IsString()
  unit?: string;

  @IsOptional()
  @IsObject()
  metadata?: object;

  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ValidateNested({ each: true })
  @Type(() => PersonDto)
  people?: PersonDto[];

  @IsOptional()
  @ValidateNested()
  @Type(() => PersonDto)
  owner?: PersonDto;

  @Allow()
  anything?: unknown;
}

/** What Nest's own pipe would make of it. */
function reference(plain: object): { value?: OrderDto; valid: boolean } {
  const value = plainToInstance(OrderDto, plain);
  const errors = validateSync(value, { whitelist: true, forbidNonWhitelisted: true });
  return { value, valid: errors.length === 0 };
}

const person = fc.oneof(
  fc.record(
    { email: fc.constantFrom('a@b.se', 'x', 5), name: fc.constantFrom('n', 'too long', 7) },
    { requiredKeys: [] },
  ),
  fc.record({ email: fc.constant('a@b.se'), extra: fc.constant(1) }, { requiredKeys: ['email'] }),
  fc.constantFrom<unknown[]>('x', 5, true),
);
const order = fc.record(
  {
    to: fc.oneof(fc.string({ maxLength: 7 }), fc.constantFrom<unknown[]>(5, null, {}, [])),
    priority: fc.constantFrom<unknown[]>('high', 'normal', 'low', 1),
    count: fc.constantFrom<unknown[]>(0, 1, 5, 9, 10, 1.5, '5', true),
    tags: fc.oneof(
      fc.array(fc.constantFrom<unknown[]>('a', 'bc', 'D', 5), { maxLength: 4 }),
      fc.constantFrom<unknown[]>('a', {}),
    ),
    dry: fc.constantFrom<unknown[]>(true, false, 'true', 1, null),
    unit: fc.constantFrom<unknown[]>('kg', 5),
    metadata: fc.constantFrom<unknown[]>({}, { a: 1 }, [], 'x'),
    people: fc.oneof(fc.array(person, { maxLength: 3 }), fc.constantFrom<unknown[]>('x', 5)),
    owner: person,
    anything: fc.anything(),
    unknown: fc.constant(1),
  },
  { requiredKeys: [] },
);

describe('readDto', () => {
  it('takes and refuses exactly what class-validator does, and gives the same values', () => {
    fc.assert(
      fc.property(order, (plain) => {
        const expected = reference(structuredClone(plain));
        const actual = readDto(OrderDto, plain);
        expect(actual.errors === undefined).toBe(expected.valid);
        if (actual.errors === undefined) {
          expect(actual.value).toBeInstanceOf(OrderDto);
          const { anything: _, ...rest } = actual.value as OrderDto;
          const { anything: __, ...expectedRest } = expected.value!;
          expect(rest).toEqual(expectedRest);
          if (actual.value.owner) expect(actual.value.owner).toBeInstanceOf(PersonDto);
          for (const one of actual.value.people ?? []) expect(one).toBeInstanceOf(PersonDto);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('names each error once, by path, with a stable code', () => {
    const result = readDto(OrderDto, {
      to: 'too long',
      count: '5',
      tags: ['a', 'B', 7],
      people: [{ email: 'a@b.se' }, { email: 'x', name: 'too long', age: 1 }, 'x'],
      owner: [],
      colour: 'red',
    });
    expect(result.errors!.map(({ field, code }) => `${field} ${code}`).sort()).toEqual([
      'colour unknown_field',
      'count invalid_type',
      'owner invalid_type',
      'people[1].age unknown_field',
      'people[1].email invalid_email',
      'people[1].name too_long',
      'people[2] invalid_type',
      'tags[2] invalid_type',
      'to too_long',
      'unit required',
    ]);
    expect(result.errors!.find((one) => one.field === 'people[1].name')!.message).toBe(
      'people[1].name must be shorter than or equal to 5 characters',
    );
  });

  it('drops null where a field is optional, and keeps it where it means something', () => {
    const { value } = readDto(OrderDto, { to: 'x', count: null, people: null, dry: null });
    expect(value).toEqual({ to: 'x', dry: null });
    expect(Object.keys(value!)).toEqual(['to', 'dry']);
  });

  it('keeps the code that a constraint brings', () => {
    class PhoneDto {
      @ValidateBy(
        { name: 'invalid_phone_number', validator: { validate: (value) => value === '+46' } },
        { message: 'to must be a number' },
      )
      to: string;

      @IsOptional()
      @IsString({ context: { code: 'not_a_word' } })
      word?: string;
    }
    expect(readDto(PhoneDto, { to: 'x', word: 5 }).errors).toEqual([
      { field: 'to', code: 'invalid_phone_number', message: 'to must be a number' },
      { field: 'word', code: 'not_a_word', message: 'word must be a string' },
    ]);
  });

  it('answers at most 50 errors, and cuts names that a client made up', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, 1]));
    expect(readDto(OrderDto, { to: 'x', ...many }).errors).toHaveLength(50);
    const [error] = readDto(OrderDto, { to: 'x', ['n'.repeat(10_000)]: 1 }).errors!;
    expect(error!.field).toHaveLength(128);
  });

  it('refuses DTOs that it would read otherwise than they say', () => {
    class TransformDto {
      @IsString()
      @Transform(({ value }) => String(value))
      a: string;
    }
    class GroupDto {
      @IsString({ groups: ['x'] })
      a: string;
    }
    class UntypedDto {
      @ValidateNested()
      a: object;
    }
    class BareDto {
      a: string;
    }
    expect(() => readDto(TransformDto, {})).toThrow('TransformDto.a: @Transform is not supported');
    expect(() => readDto(GroupDto, {})).toThrow('GroupDto.a: validation groups are not supported');
    expect(() => readDto(UntypedDto, {})).toThrow('UntypedDto.a: @ValidateNested() needs @Type(() => Class)');
    expect(() => readDto(BareDto, {})).toThrow('BareDto has no validation decorators');
  });

  it('converts the texts of a query only where the type says so', () => {
    class PageDto {
      @IsInt()
      @Type(() => Number)
      limit = 50;

      @IsOptional()
      @IsBoolean()
      @Type(() => Boolean)
      all?: boolean;
    }
    expect(readDto(PageDto, { limit: '7', all: 'false' }, 'query').value).toEqual({ limit: 7, all: false });
    expect(readDto(PageDto, {}, 'query').value).toEqual({ limit: 50 });
    for (const limit of ['', ' 7', '7 ', '0x7', '1e1', 'NaN', 'Infinity', '9'.repeat(20)]) {
      expect(readDto(PageDto, { limit }, 'query').errors).toMatchObject([{ field: 'limit', code: 'invalid_type' }]);
    }
    expect(readDto(PageDto, { limit: '7' }, 'body').errors).toMatchObject([{ field: 'limit', code: 'invalid_type' }]);
  });
});

describe('validateBody', () => {
  it('throws one problem that names all fields', () => {
    expect(() => validateBody(OrderDto, { count: 0, x: 1 })).toThrow('4 fields are not valid: x, to, count, unit.');
    expect(() => validateBody(OrderDto, {})).toThrow('to is required.');
    expect(() => validateBody(OrderDto, [])).toThrow('body must be a JSON object.');
  });

  it('takes an empty list as left out, where a field says so', () => {
    class ListsDto {
      @IsOptional()
      @EmptyIsAbsent()
      @IsArray()
      @IsString({ each: true })
      tags?: string[];

      @IsOptional()
      @IsArray()
      kept?: unknown[];
    }
    expect(readDto(ListsDto, { tags: [], kept: [] }).value).toEqual({ kept: [] });
    expect(readDto(ListsDto, { tags: ['a'] }).value).toEqual({ tags: ['a'] });
    expect(readDto(ListsDto, { tags: {} }).errors).toContainEqual({
      field: 'tags',
      code: 'invalid_type',
      message: 'tags must be an array',
    });
  });
});
