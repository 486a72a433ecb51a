import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { Problem } from '../../kernel/problem';
import type { DtoClass } from './dto-plan';
import { validateAs } from './validation';

const PASSED_ON = new Set<unknown>([undefined, Object, String, Number, Boolean, Array, Buffer]);

/**
 * The one pipe of the service: a parameter whose type is a DTO class is read as that class, or refused with a 400 that names every wrong
 * field. Parameters without a DTO (zod shapes, path parameters, custom decorators) are handed on as they are.
 */
export class ValidationPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const { type, metatype } = metadata;
    if ((type !== 'body' && type !== 'query') || PASSED_ON.has(metatype) || metadata.data !== undefined) return value;
    if (type === 'body' && value === undefined) {
      throw Problem.field('body', 'required', 'must be a JSON object');
    }
    return validateAs(metatype as DtoClass, value, type);
  }
}
