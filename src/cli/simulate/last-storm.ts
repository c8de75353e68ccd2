import { ConfigError } from '../../control/errors.ts';
import { tierKey } from '../../scaler/cluster.ts';
import type { Span, Stretch } from '../backtest/history.ts';
import { findLastStorm, placeOf, readSource, type Source } from '../backtest/source.ts';
import { say } from '../print.ts';
import type { Subject } from './prepare.ts';

/** What the calm before it was has to be known; and what is let go after it counts, too. */
const BEFORE_MS = 900_000;
const AFTER_MS = 600_000;

/**
 * The requests of each second of the latest storm of the tier, as it was recorded, and of the calm around it. Where there
 * are gaps, that part without one which has most of the storm; from when to when it is, is said.
 *
 * @throws ConfigError when there is no storm, or no traffic of it. UnreachableError when Prometheus does not answer.
 */
export async function readLastStorm(
  source: Source,
  { tier }: Subject,
  seed: number,
): Promise<Stretch> {
  const storm = await findLastStorm(source, tier).catch((error: unknown) => {
    throw error instanceof ConfigError
      ? new ConfigError(
          `${error.message}: without --trace FILE, the last storm there is the load`,
          {
            cause: error,
          },
        )
      : error;
  });
  if (storm === undefined) {
    throw new ConfigError(
      `${placeOf(source)} holds no storm of ${tierKey(tier)}: name a load (--trace FILE), or take all that there was (rackfire backtest)`,
    );
  }
  const asked = {
    fromMs: storm.fromMs - BEFORE_MS,
    untilMs: Math.min(storm.untilMs + AFTER_MS, Date.now()),
  };
  const { stretches } = await readSource(source, tier, asked, seed);
  const [stretch] = stretches
    .filter((one) => overlapMs(one, storm) > 0)
    .toSorted((one, other) => overlapMs(other, storm) - overlapMs(one, storm));
  if (stretch === undefined) {
    throw new ConfigError(
      `${placeOf(source)} holds no traffic of ${tierKey(tier)} in its last storm, from ${isoOf(storm.fromMs)} to ${isoOf(storm.untilMs)}`,
    );
  }
  say(
    `the last storm of ${tierKey(tier)} was between ${isoOf(storm.fromMs)} and ${isoOf(storm.untilMs)}; this is what ${placeOf(source)} holds from ${isoOf(stretch.fromMs)} to ${isoOf(endOf(stretch))}`,
  );
  return stretch;
}

function overlapMs(stretch: Stretch, { fromMs, untilMs }: Span): number {
  return Math.min(endOf(stretch), untilMs) - Math.max(stretch.fromMs, fromMs);
}

function endOf({ fromMs, arrivals }: Stretch): number {
  return fromMs + arrivals.length * 1_000;
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
