import type { Figures } from './replay.ts';

/** What makes a config worse than another one. */
export type Worse = 'dropped' | 'J';

/** Less than that is the luck of a boot that takes a second longer. */
const MORE_DROPPED_SHARE = 1e-4;
const HIGHER_J_FACTOR = 1.01;

/**
 * In what a config is worse than another one over the same history; in nothing: it is not worse. Drops count for
 * themselves, however many nodes they save: more than 0.01 % of the requests beyond the drops of the other. Everything
 * else is weighed in J, nodes and lateness among it: more than 1 % above the other's.
 */
export function listWorse(figures: Figures, other: Figures): readonly Worse[] {
  const dropsMore = figures.dropped - other.dropped > MORE_DROPPED_SHARE * figures.requests;
  const costsMore = figures.J > HIGHER_J_FACTOR * other.J;
  return [...(dropsMore ? (['dropped'] as const) : []), ...(costsMore ? (['J'] as const) : [])];
}
