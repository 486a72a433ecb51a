/** The little that inner code needs of a logger: structured fields first, then a fixed text. Never a secret, recipient or body. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** DI token of the {@link Logger}. */
export const LOGGER = Symbol('Logger');
