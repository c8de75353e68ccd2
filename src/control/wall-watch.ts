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
  /** Since when the wall clock has not jumped: since the start, or since its last jump. */
  #evenSinceMs: number;
  #hasJumped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#evenSinceMs = clock.steadyMs();
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
    this.#evenSinceMs = this.#clock.steadyMs();
    this.#hasJumped = true;
    return jumpMs;
  }

  /**
   * Time since a birth by the wall clock; never negative. Of a birth that lies in the future, because the
   * clock was set back, only the time since then is known, or since the start when that was before it.
   */
  ageMs(bornMs: number): number {
    const ageMs = this.#clock.wallMs() - bornMs;
    const evenForMs = this.#clock.steadyMs() - this.#evenSinceMs;
    if (ageMs < -JUMP_MS) {
      return evenForMs;
    }
    return Math.max(0, this.#hasJumped ? Math.min(ageMs, evenForMs) : ageMs);
  }
}
