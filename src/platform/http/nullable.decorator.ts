import { IsOptional } from 'class-validator';

const nullable = new WeakMap<object, Set<string>>();

/**
 * As `@IsOptional()`, for a field where `null` means something of its own, such as "clear it" in a PATCH. Elsewhere a `null` for an optional
 * field is taken as if the field was not there.
 */
export function Nullable(): PropertyDecorator {
  const optional = IsOptional();
  return (prototype, name) => {
    optional(prototype, name);
    const names = nullable.get(prototype) ?? new Set();
    nullable.set(prototype, names.add(String(name)));
  };
}

/** True when a field of a DTO class, or of a class that it extends, is marked with {@link Nullable}. */
export function isNullable(dto: new () => object, name: string): boolean {
  for (let at: object | null = dto.prototype as object; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    if (nullable.get(at)?.has(name)) return true;
  }
  return false;
}
