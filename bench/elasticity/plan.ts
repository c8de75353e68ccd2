/** Who is run on what. */

import { PENALTIES } from '../../src/sim/score.ts';
import { CONTENDERS, type Contender, RACKFIRE_TARGET } from './contenders.ts';
import { balancedRegretOf, entrantsOf, lowest, regretOf } from './entrant.ts';
import type { Slowness } from './slowness.ts';
import { type Entry, type Group, STORM, type Task, type TaskResult } from './task.ts';

export interface Extent {
  readonly storms: number;
  /** Seeds of each trace in all, and those of them that every target is tried on. */
  readonly seeds: number;
  readonly sweepSeeds: number;
  readonly targets: ReadonlySet<number> | undefined;
  /** Storms of each variant of the boots; 0 leaves the variants out. */
  readonly variantStorms: number;
}

export const FULL: Extent = {
  storms: 200,
  seeds: 20,
  sweepSeeds: 2,
  targets: undefined,
  variantStorms: 12,
};

/** Enough to see that everything works and that nobody has got much worse. */
export const QUICK: Extent = {
  storms: 24,
  seeds: 1,
  sweepSeeds: 1,
  targets: new Set([68, 76, RACKFIRE_TARGET, 1, 1.4]),
  variantStorms: 0,
};

/** The boot delay that everything is ranked at. */
export const HEADLINE_BOOT_SECONDS = 45;
const PLAIN_BOOTS = { bootSeconds: HEADLINE_BOOT_SECONDS, areBootsRough: false };
const VARIANTS = [
  { bootSeconds: 5, areBootsRough: false },
  { bootSeconds: 15, areBootsRough: false },
  { bootSeconds: 120, areBootsRough: false },
  { bootSeconds: HEADLINE_BOOT_SECONDS, areBootsRough: true },
];
/** On storms alone: when their spells come is made for those. */
const SLOWNESSES: readonly Slowness[] = ['cold', 'slow'];

/** What is known of the traces by their names; what has another name is a group of its own. */
const GROUPS: readonly (readonly [RegExp, Group])[] = [
  [/^wc98_/, 'match days'],
  [/GOOG|^nasa_0713/, 'real spikes'],
  [/^nab_elb/, 'noisy days'],
];

export function groupOf(load: string): Group {
  if (load === STORM) {
    return 'storms';
  }
  return GROUPS.find(([pattern]) => pattern.test(load))?.[1] ?? 'other traces';
}

/** Everybody at every target, on every storm and on the first seeds of each trace. */
export function planSweep(extent: Extent, traces: readonly string[]): readonly Task[] {
  const entries = entriesOf(CONTENDERS, extent);
  return [
    ...traces.flatMap((load) => tasksOf(load, [1, extent.sweepSeeds], PLAIN_BOOTS, entries)),
    ...tasksOf(STORM, [1, extent.storms], PLAIN_BOOTS, entries),
  ];
}

/** The other seeds of a trace, for the targets that were best in all or in its group, and for Rackfire's own. */
export function planRest(
  { seeds, sweepSeeds }: Extent,
  traces: readonly string[],
  sweep: readonly TaskResult[],
): readonly Task[] {
  const entrants = entrantsOf(sweep);
  return traces.flatMap((load) => {
    const entries = CONTENDERS.flatMap(({ name, kind }) => {
      const own = entrants.filter(({ contender }) => contender === name);
      const chosen = new Set([
        lowest(own, (one) => balancedRegretOf(one, PENALTIES)),
        lowest(own, (one) => regretOf(one, groupOf(load), PENALTIES)),
        ...own.filter(({ target }) => kind === 'rackfire' && target === RACKFIRE_TARGET),
      ]);
      return [...chosen].map(({ contender, target }) => ({ contender, target }));
    });
    return tasksOf(load, [sweepSeeds + 1, seeds], PLAIN_BOOTS, entries);
  });
}

/** Of the variants: the best target depends on the boots, but half of the sweep shows that. */
const VARIANT_TARGETS: ReadonlySet<number> = new Set([64, 68, 72, 76, RACKFIRE_TARGET]);

/** Other boot delays, rougher boots, and nodes that are slow at times. */
export function planVariants(extent: Extent, traces: readonly string[]): readonly Task[] {
  const entries = entriesOf(
    CONTENDERS.filter(({ kind }) => kind !== 'seer'),
    { targets: VARIANT_TARGETS },
  );
  if (extent.variantStorms === 0) {
    return [];
  }
  const storms = [1, extent.variantStorms] as const;
  return [
    ...VARIANTS.flatMap((boots) => [
      ...traces.flatMap((load) => tasksOf(load, [1, 1], boots, entries)),
      ...tasksOf(STORM, storms, boots, entries),
    ]),
    ...SLOWNESSES.flatMap((slowness) =>
      tasksOf(STORM, storms, { ...PLAIN_BOOTS, slowness }, entries),
    ),
  ];
}

function tasksOf(
  load: string,
  [from, to]: readonly [number, number],
  site: Pick<Task, 'bootSeconds' | 'areBootsRough' | 'slowness'>,
  entries: readonly Entry[],
): readonly Task[] {
  const seeds = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
  return seeds.map((seed) => ({ load, group: groupOf(load), seed, ...site, entries }));
}

function entriesOf(
  contenders: readonly Contender[],
  { targets }: Pick<Extent, 'targets'>,
): readonly Entry[] {
  return contenders.flatMap(({ name, targets: own }) =>
    own
      .filter((target) => targets?.has(target) ?? true)
      .map((target) => ({ contender: name, target })),
  );
}
