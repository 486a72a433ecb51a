import { OmitType } from '@nestjs/swagger';
import { IsOptional, IsString, Length } from 'class-validator';
import { readDto } from './dto-reader';
import { isTime, PhoneFilter, PhoneOrTimeFilter, TimeFilter, TimeText, timeOf } from './query-text';

class ListDto {
  @IsOptional()
  @TimeFilter()
  since?: string;

  @IsOptional()
  @IsString()
  @Length(1, 32)
  @PhoneFilter()
  to?: string;

  @IsOptional()
  @IsString()
  @PhoneOrTimeFilter()
  from?: string;

  @IsOptional()
  @IsString()
  @TimeText()
  day?: string;

  @IsOptional()
  @IsString()
  channel?: string;
}
/** As lists of one provider are made: a class of its own, to which only what class-validator knows is copied. */
class NarrowListDto extends OmitType(ListDto, ['channel'] as const) {}

describe('query text', () => {
  it.each([
    ['2026-11-01T00:00:00Z', Date.UTC(2026, 10, 1)],
    ['2026-11-01t02:00:00.5+02:00', Date.UTC(2026, 10, 1, 0, 0, 0, 500)],
    ['2026-11-01 00:00:00z', Date.UTC(2026, 10, 1)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
  ])('reads %s as a time', (text, at) => {
    expect(readDto(ListDto, { since: text }, 'query').value).toEqual({ since: text });
    expect([isTime(text), timeOf(text)]).toEqual([true, at]);
  });

  it.each([
    '20261101T000000Z',
    '2026-W40',
    '2026-305',
    '2026-11',
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-11-01T00:00:00',
    '2026-11-01T24:00:00Z',
    '2026-11-01T00:00:60Z',
    '2026-11-01T00:00:00+25:00',
    'yesterday',
  ])('refuses %s, naming the field', (text) => {
    expect(readDto(ListDto, { since: text }, 'query').errors).toEqual([
      {
        field: 'since',
        code: 'invalid_date',
        message: 'since must be a time of RFC 3339 with its zone, or a date',
      },
    ]);
  });

  it.each([ListDto, NarrowListDto])('takes a space for the `+` that it was in a query, %p', (dto) => {
    const given = {
      since: '2026-11-01T00:00:00 02:00',
      to: ' 39333',
      from: ' 39333',
      day: '2026-11-01T00:00:00 02:00',
    };
    expect(readDto(dto, given, 'query').value).toEqual({
      since: '2026-11-01T00:00:00+02:00',
      to: '+39333',
      from: '+39333',
      day: '2026-11-01T00:00:00+02:00',
    });
    expect(readDto(dto, { from: '2026-11-01T00:00:00 02:00' }, 'query').value).toEqual({
      from: '2026-11-01T00:00:00+02:00',
    });
  });

  it('leaves alone what is no number, and a body', () => {
    expect(readDto(ListDto, { to: ' ACME 1', from: '2026-11-01 00:00:00Z' }, 'query').value).toEqual({
      to: ' ACME 1',
      from: '2026-11-01 00:00:00Z',
    });
    expect(readDto(ListDto, { to: ' 39333' }, 'body').value).toEqual({ to: ' 39333' });
  });

  it('takes an empty parameter that may be left out as left out, in a query only', () => {
    expect(readDto(ListDto, { to: '', since: '', channel: 'sms' }, 'query').value).toEqual({ channel: 'sms' });
    expect(readDto(ListDto, { to: '' }, 'body').errors).toMatchObject([{ field: 'to', code: 'invalid_value' }]);
  });
});
