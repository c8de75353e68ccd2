import type { Simulation } from '../../sim/simulation.ts';

/** What `--json` prints: one entry a second, each of them what held during that second. Scripts rely on it. */
export function toJson(
  { arrivals, inService, ordered, dropped, boots, score }: Simulation,
  bootDelaySeconds: number,
) {
  return {
    stepSeconds: 1,
    arrivals: listNumbers(arrivals),
    inService: listNumbers(inService),
    ordered: listNumbers(ordered),
    dropped: listNumbers(dropped),
    boots,
    bootDelaySeconds,
    score,
  };
}

/** Six digits after the point: what lies beyond is left of adding up. */
function listNumbers(values: Iterable<number>): readonly number[] {
  return Array.from(values, (value) => Number(value.toFixed(6)));
}
