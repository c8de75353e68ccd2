import { writeFile } from 'node:fs/promises';
import { ConfigError } from '../../control/errors.ts';
import type { Simulation } from '../../sim/simulation.ts';
import { drawTimeline } from '../../sim/timeline-svg.ts';

/** One entry a second, as a simulation has them. */
export type RunSeries = Pick<
  Simulation,
  'arrivals' | 'demand' | 'inService' | 'ordered' | 'waiting' | 'dropped'
>;

/** @throws ConfigError when the file cannot be written. */
export async function plot(
  file: string,
  title: string,
  run: RunSeries,
  other?: Pick<RunSeries, 'inService'>,
): Promise<void> {
  const shown = { title, fromSecond: 0, seconds: run.arrivals.length };
  const { inService: supply, ...series } = run;
  const compared = other === undefined ? {} : { otherSupply: other.inService };
  await writeFile(file, drawTimeline(shown, { ...series, supply, ...compared })).catch(
    (cause: unknown) => {
      throw new ConfigError(`the plot cannot be written: ${String(cause)}`, { cause });
    },
  );
}
