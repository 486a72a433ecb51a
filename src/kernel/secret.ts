import { inspect } from 'node:util';

/**
 * A value that must not reach a log, a response, a job or an event by accident.
 *
 * Printing, stringifying or serialising it shows `[secret]`; only `reveal()` gives the value, so every use is found by searching for
 * that name.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
