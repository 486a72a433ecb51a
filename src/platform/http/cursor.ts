import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { Problem } from '../../kernel/problem';
import { MOST_OF_PAGE } from './envelope';
import { isStorable } from './json-body';

const VERSION = 1;

/** The paging parameters of every list; lists with filters extend it. */
export class PageQueryDto {
  @ApiPropertyOptional({
    description: 'Most items of a page.',
    type: 'integer',
    minimum: 1,
    maximum: MOST_OF_PAGE,
    default: 50,
    example: 50,
  })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MOST_OF_PAGE)
  limit: number = 50;

  @ApiPropertyOptional({
    description: '`meta.next_cursor` of the page before. Opaque; keep the other parameters as they were.',
    example: 'WzEsImtleXMiLCJrZXlfMDFrYXF6OXlxOGU1djZtM2MybjFiMGE5czgiXQ',
  })
  @IsOptional()
  @IsString()
  @MaxLength(1000)
  cursor?: string;
}

/**
 * Makes an opaque cursor: the sort key of the last item of a page.
 * @param list names the list, so that a cursor of one list is refused by another
 */
export function encodeCursor(list: string, ...key: string[]): string {
  return Buffer.from(JSON.stringify([VERSION, list, ...key])).toString('base64url');
}

/**
 * Reads a cursor back. Answers exactly `length` texts that can be stored; what they mean (an id, a number) is the caller's to check.
 * @throws Problem 400 `cursor` for anything that {@link encodeCursor} did not make for this list
 */
export function decodeCursor(cursor: string, list: string, length: number): string[] {
  const invalid = () => Problem.field('cursor', 'invalid_cursor', 'is not a cursor of this list');
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw invalid();
  }
  if (!Array.isArray(parts) || parts.length !== length + 2) throw invalid();
  const [version, name, ...key] = parts as unknown[];
  if (version !== VERSION || name !== list) throw invalid();
  if (!key.every((part): part is string => typeof part === 'string' && isStorable(part))) throw invalid();
  // One cursor has one spelling: base64 decoding passes over characters that do not belong.
  if (encodeCursor(list, ...key) !== cursor) throw invalid();
  return key;
}
