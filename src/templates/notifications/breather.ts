import { setImmediate } from 'node:timers/promises';

/** Longest time that other requests wait for long work of this process, milliseconds. */
const TURN_MS = 10;

/** Lets others of this process take their turn during work of seconds. */
export class Breather {
  private since = performance.now();

  /** Call between two steps of the work. */
  async breathe(): Promise<void> {
    if (performance.now() - this.since < TURN_MS) return;
    await setImmediate();
    this.since = performance.now();
  }
}
