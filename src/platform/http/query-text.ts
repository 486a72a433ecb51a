import { applyDecorators } from '@nestjs/common';
import { ValidateBy } from 'class-validator';
import { addDays } from '../../kernel/time-zone';

/** How the text of a query parameter is put right before it is checked. */
export type ReadText = (text: string) => string;

/** The name by which {@link planOf} knows the mark of a field whose text is put right. */
export const READ_TEXT = 'readText';

const TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;

/** For a parameter that is a phone number, or may be one: ` 39333…` is `+39333…` whose `+` was not escaped. */
export function PhoneFilter(): PropertyDecorator {
  return readAs(withPlus);
}

/** As {@link TimeFilter}, for a field whose service checks what it says: dates that begin by a time zone. */
export function TimeText(): PropertyDecorator {
  return readAs(withOffset);
}

/** For a parameter that is either a phone number or a time. */
export function PhoneOrTimeFilter(): PropertyDecorator {
  return readAs((text) => withOffset(withPlus(text)));
}

/** A bound of time: RFC 3339, or a date, which is its first instant in UTC. Read it with {@link timeOf}. */
export function TimeFilter(): PropertyDecorator {
  return applyDecorators(
    readAs(withOffset),
    ValidateBy({
      name: 'isTimeFilter',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && isTime(value),
        defaultMessage: () => '$property must be a time of RFC 3339 with its zone, or a date',
      },
    }),
  );
}

/** Whether a text is a time as {@link TimeFilter} takes it: RFC 3339 with its zone, or a date; one that there is. */
export function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (!match) return false;
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  const real = addDays({ year, month, day }, 0);
  return month >= 1 && month <= 12 && real.day === day && real.month === month && !Number.isNaN(timeOf(text));
}

/** Milliseconds since the epoch of a text that {@link isTime}. */
export function timeOf(text: string): number {
  return Date.parse(text.toUpperCase().replace(' ', 'T'));
}

function readAs(read: ReadText): PropertyDecorator {
  return ValidateBy({ name: READ_TEXT, constraints: [read], validator: { validate: () => true } });
}

// In a query a `+` that was not escaped is a space.
const withPlus: ReadText = (text) => (/^ \d+$/.test(text) ? `+${text.slice(1)}` : text);
const withOffset: ReadText = (text) => (/^\d{4}-/.test(text) ? text.replace(/ (?=\d\d:\d\d$)/, '+') : text);
