/** Samples of several balancers → one sample of the tier. */

import type { Sample } from '../scaler/observation.ts';

/** Older answers are stale, and after a while nothing. */
export const STALE_AFTER_MS = 3_000;
const ABSENT_AFTER_MS = 15_000;

/** A sample as it is now that its snapshot is `ageMs` old. */
export function aged<T>(sample: Sample<T>, ageMs: number): Sample<T> {
  if (ageMs <= STALE_AFTER_MS || sample.status === 'absent') {
    return sample;
  }
  return ageMs > ABSENT_AFTER_MS
    ? { status: 'absent', why: 'the last answer is too old' }
    : { status: 'stale', value: sample.value, ageMs };
}

/**
 * Adds up what several balancers say. A sum with a missing part is `partial`: it may ask for more nodes,
 * never for fewer.
 */
export function combine<T>(samples: readonly Sample<T>[], add: (one: T, other: T) => T): Sample<T> {
  const [first] = samples;
  if (first === undefined) {
    return { status: 'absent', why: 'no balancer has answered yet' };
  }
  return samples.slice(1).reduce((sum, sample) => combineTwo(sum, sample, add), first);
}

function combineTwo<T>(one: Sample<T>, other: Sample<T>, add: (one: T, other: T) => T): Sample<T> {
  if (one.status === 'absent') {
    return other.status === 'absent'
      ? one
      : { status: 'partial', value: other.value, why: one.why };
  }
  if (other.status === 'absent') {
    return { status: 'partial', value: one.value, why: other.why };
  }
  const value = add(one.value, other.value);
  if (one.status === 'ok' && other.status === 'ok') {
    return { status: 'ok', value };
  }
  if (one.status === 'stale' || other.status === 'stale') {
    const ageMs = Math.max(
      one.status === 'stale' ? one.ageMs : 0,
      other.status === 'stale' ? other.ageMs : 0,
    );
    return { status: 'stale', value, ageMs };
  }
  return { status: 'partial', value, why: one.status === 'partial' ? one.why : 'incomplete' };
}

/** One sample made of two of the same balancer; as good as the worse of them. */
export function pair<A, B, T>(
  one: Sample<A>,
  other: Sample<B>,
  make: (a: A, b: B) => T,
): Sample<T> {
  if (one.status === 'absent') {
    return one;
  }
  if (other.status === 'absent') {
    return other;
  }
  const value = make(one.value, other.value);
  const worse = one.status === 'ok' ? other : one;
  return worse.status === 'ok' ? { status: 'ok', value } : { ...worse, value };
}
