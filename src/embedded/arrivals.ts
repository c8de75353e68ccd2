import { createRandom } from './random.ts';

/** The rate is taken as constant within one of these; a storm's steepest ramp changes by 1 % in it. */
const STEP_MS = 10;

/**
 * The instants at which requests arrive: a Poisson process whose rate follows a curve. Nobody waits for an
 * answer before the next one comes, as on the open internet. Same curve, same seed, same instants, however
 * fast they are consumed.
 *
 * Each gap is a draw from Exp(1), used up by the integral of the rate (inversion of the integrated rate); unlike
 * thinning this needs no upper bound of the curve.
 *
 * @param rateAt - Requests per second at a number of seconds from the start; 0 is a pause.
 * @returns Milliseconds from the start, ascending, all before `durationMs`.
 * @throws RangeError when the curve is negative or not finite somewhere.
 */
export function* drawArrivals(
  rateAt: (seconds: number) => number,
  durationMs: number,
  seed: number,
): Generator<number, void, void> {
  const random = createRandom(seed);
  // 1 - u is in (0, 1], so the logarithm is finite.
  const drawGap = (): number => -Math.log(1 - random());

  let gap = drawGap();
  for (let startMs = 0; startMs < durationMs; startMs += STEP_MS) {
    const endMs = Math.min(startMs + STEP_MS, durationMs);
    const perMs = rateAt((startMs + endMs) / 2_000) / 1_000;
    if (!(perMs >= 0 && perMs < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`the rate at ${startMs} ms is ${perMs * 1_000} per second`);
    }
    let atMs = startMs;
    while (atMs + gap / perMs < endMs) {
      atMs += gap / perMs;
      yield atMs;
      gap = drawGap();
    }
    gap = Math.max(0, gap - (endMs - atMs) * perMs);
  }
}
