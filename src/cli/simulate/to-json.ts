import type { Simulation } from '../../sim/simulation.ts';

/** What `--json` prints: one entry a second, each of them what held during that second. Scripts rely on it. */
export function toJson(
  { arrivals, inService, ordered, dropped, boots, windows, score }: Simulation,
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
    // Only where a schedule held, so that whoever knows nothing of them gets what he knows.
    ...(windows.length === 0 ? {} : { schedules: windows }),
  };
}

/** Six digits after the point: what lies beyond is left of adding up. */
function listNumbers(values: Iterable<number>): readonly number[] {
  return Array.from(values, (value) => Number(value.toFixed(6)));
}
