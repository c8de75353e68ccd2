/**
 * A seeded source of chance: the same seed gives the same numbers on every machine. Not for secrets.
 *
 * @param seed - A whole number; only its lower 32 bits count.
 * @returns Draws the next number, uniform in [0, 1), in steps of 2⁻³².
 * @see https://prng.di.unimi.it/ for xoshiro128**; a splitmix32 fills its state from the seed
 */
export function createRandom(seed: number): () => number {
  let mix = seed | 0;
  const splitMix = (): number => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = splitMix();
  let b = splitMix();
  let c = splitMix();
  let d = splitMix();

  return () => {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return (scrambled >>> 0) / 2 ** 32;
  };
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
