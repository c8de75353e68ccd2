/** Loads with noise for tests: seeded, so that they are the same each time. */

/** Draws from a standard normal distribution, by the sum of twelve uniform numbers. */
export function createNormal(seed: number): () => number {
  let state = seed;
  return () => {
    let sum = -6;
    for (let draw = 0; draw < 12; draw += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      sum += state / 2 ** 32;
    }
    return sum;
  };
}
