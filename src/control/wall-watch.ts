import type { Clock } from './clock.ts';

/** Slower drift is the clock's discipline at work, not a jump. */
const JUMP_MS = 2_000;

/**
 * Ages of things that were born by the wall clock. After the wall clock has jumped, no earlier birth can be
 * subtracted from it: ages then restart at the jump, so a deadline fires late rather than at once.
 */
export class WallWatch {
  readonly #clock: Clock;
  #offsetMs: number;
  #jumpedAtMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = clock.wallMs() - clock.steadyMs();
  }

  /** Compares the clocks. @returns By how much the wall clock has jumped since the last call; 0 when not. */
  check(): number {
    const offsetMs = this.#clock.wallMs() - this.#clock.steadyMs();
    const jumpMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (Math.abs(jumpMs) <= JUMP_MS) {
      return 0;
    }
    this.#jumpedAtMs = this.#clock.steadyMs();
    return jumpMs;
  }

  /**
   * Time since a birth by the wall clock; never negative. Of a birth that lies in the future, because the
   * clock was set back, only the time since the jump is known.
   */
  ageMs(bornMs: number): number {
    const ageMs = this.#clock.wallMs() - bornMs;
    if (this.#jumpedAtMs === undefined) {
      return Math.max(0, ageMs);
    }
    const sinceJumpMs = this.#clock.steadyMs() - this.#jumpedAtMs;
    return ageMs < 0 ? sinceJumpMs : Math.min(ageMs, sinceJumpMs);
  }
}
