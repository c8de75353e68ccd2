/** Releases of the daemon whose `PUT` of a server always reloads HAProxy instead of telling it. */

/** By generation, the first release that does it right; in older generations none does. */
const firstGood: readonly (readonly [generation: string, release: number])[] = [
  ['2.7', 10],
  ['2.8', 6],
  ['2.9', 2],
];
const oldestGeneration = 2.7;

/**
 * @param version - As `/info` has it: `v2.9.27 8f1e2c3`. A build of one's own has no number, and is not judged.
 * @returns What is wrong with it, and what to do; `undefined` when nothing is known against it.
 */
export function refuseRelease(version: string | undefined): string | undefined {
  const [, generation = '', release = ''] = /(\d+\.\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (generation === '') {
    return undefined;
  }
  const good = firstGood.find(([one]) => one === generation);
  const isBad =
    good === undefined ? Number(generation) < oldestGeneration : Number(release) < good[1];
  return isBad
    ? `Data Plane API ${generation}.${release} reloads HAProxy for each change of a server; use 2.9.2 or newer (2.7.10, 2.8.6, any 3.x)`
    : undefined;
}
