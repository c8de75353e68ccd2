/** How long nodes take to come, and what follows from it. */

import type { ScaledTier } from './cluster.ts';
import { ENGINE } from './constants.ts';
import type { Node } from './node-phase.ts';
import type { Observation, StartKind } from './observation.ts';

/** Before anything was measured: frozen memory runs on at once, memory in a file is read first. */
const USUAL_MS = { paused: 2_000, saved: 15_000 } as const;

/** Standby nodes in the order in which they would serve; of equals, the lowest number. */
export function quickestFirst(
  tier: ScaledTier,
  observation: Observation,
  standby: readonly Node[],
): readonly Node[] {
  if (standby.length < 2) {
    return standby;
  }
  const timeOf = (node: Node): number => {
    const start = node.isSaved ? 'saved' : 'paused';
    return learnedMs(tier, observation, { host: node.host, start }) ?? USUAL_MS[start];
  };
  const times = new Map(standby.map((node) => [node, timeOf(node)]));
  return standby.toSorted(
    (one, other) => (times.get(one) ?? 0) - (times.get(other) ?? 0) || one.number - other.number,
  );
}

/**
 * Of what comes, what would serve no later than a standby node that is woken now: what was woken, and of boots those
 * that are about to have taken as long as four of five do. One that takes longer may hang, and nobody knows for how long.
 */
export function soonerThanStandby(
  tier: ScaledTier,
  observation: Observation,
  { coming, standby }: { readonly coming: readonly Node[]; readonly standby: readonly Node[] },
): readonly Node[] {
  if (standby.length === 0) {
    return coming;
  }
  const sightings = new Map(observation.nodes.map((sighting) => [sighting.number, sighting]));
  const usualMs = timeToServeMs(observation);
  const nearFromMs = usualMs - wakeTimeMs(tier, observation);
  return coming.filter(({ number, phase, parked, phaseAgeMs, operation }) => {
    // What is being restored looks as if it were being made.
    if (operation === 'wake' || (phase !== 'booting' && phase !== 'warming')) {
      return true;
    }
    const { woken = false, domains = [] } = sightings.get(number) ?? {};
    const isNear = woken || (domains[0]?.ageMs ?? 0) >= nearFromMs;
    const isLate = phaseAgeMs > usualMs && !parked;
    return phase === 'warming' && isNear && !isLate;
  });
}

/** `boot.deadline: auto`, until a boot has been measured; and the least after that. */
const UNMEASURED_DEADLINE_MS = 300_000;
const LEAST_DEADLINE_MS = 120_000;

/** A boot that takes so many times what four of five take at most will not end any more. */
const DEADLINE_FACTOR = 3;

/** After so long, a boot has failed. */
export function bootDeadlineOf(
  configured: number | 'auto',
  bootTimeMs: number | undefined,
): number {
  if (configured !== 'auto') {
    return configured;
  }
  return bootTimeMs === undefined
    ? UNMEASURED_DEADLINE_MS
    : Math.max(LEAST_DEADLINE_MS, DEADLINE_FACTOR * bootTimeMs);
}

/** From the order of a boot until it serves: as measured, or what is usual before the first. */
export function timeToServeMs({ bootTimeMs }: Pick<Observation, 'bootTimeMs'>): number {
  return bootTimeMs ?? ENGINE.timeToServeSeconds * 1_000;
}

/** How long the tier's standby nodes take to serve; of several hosts, the slowest counts. */
export function wakeTimeMs({ policy }: ScaledTier, { startTimes = [] }: Observation): number {
  const { state } = policy.standby;
  const learned = startTimes.filter(({ start }) => start === state).map(({ timeMs }) => timeMs);
  return learned.length === 0 ? USUAL_MS[state] : Math.max(...learned);
}

/** What it took there lately, with the tier's image or, if that is not known, with another version of it. */
function learnedMs(
  tier: ScaledTier,
  { startTimes = [] }: Observation,
  what: { readonly host: string | undefined; readonly start: StartKind },
): number | undefined {
  const known = startTimes.filter(({ host, start }) => host === what.host && start === what.start);
  return (known.find(({ imageVersion }) => imageVersion === tier.image.version) ?? known.at(-1))
    ?.timeMs;
}
