/** What the results say: one value that is written as JSON and printed as tables. */

import { HARSH_PENALTIES, MILD_PENALTIES, PENALTIES, type SpecScore } from '../../src/sim/score.ts';
import { CONTENDERS, type Contender, RACKFIRE, RACKFIRE_TARGET } from './contenders.ts';
import {
  balancedRegretOf,
  type Cell,
  type Entrant,
  entrantsOf,
  lowest,
  ratioOf,
  regretOf,
  strataOf,
} from './entrant.ts';
import type { Slowness } from './slowness.ts';
import {
  geometricMean,
  type Interval,
  quantile,
  regretInterval,
  regretRatioInterval,
} from './statistics.ts';
import type { Group, TaskResult } from './task.ts';

export interface Report {
  readonly groups: readonly { readonly group: Group; readonly loads: number }[];
  /** Cost of the priced optimum as a share of the covering one, which is the denominator of every ratio. */
  readonly pricedShare: Readonly<Partial<Record<Group, number>>>;
  readonly standings: readonly Standing[];
  readonly claims: readonly Claim[];
  /** Share of the loads of a group, groups alike, on which the row costs less than the column. */
  readonly wins: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly variants: readonly Variant[];
}

/** A contender at one target. */
export interface Standing {
  readonly contender: string;
  readonly kind: Contender['kind'];
  /** The best of its sweep; of Rackfire, what a node is rated for. */
  readonly target: number;
  readonly balancedRegret: number;
  readonly balancedRegretMild: number;
  readonly balancedRegretHarsh: number;
  readonly groups: Readonly<Partial<Record<Group, GroupStanding>>>;
  /** At every target, on the loads of the sweep. */
  readonly curve: readonly {
    readonly target: number;
    readonly balancedRegret: number;
    readonly regrets: Readonly<Partial<Record<Group, number>>>;
  }[];
}

export interface GroupStanding {
  readonly regret: number;
  readonly interval: Interval;
  /** The lowest regret at any target, and that target. */
  readonly bestRegret: number;
  readonly bestTarget: number;
  readonly droppedPercent: number;
  readonly latePercent: number;
  readonly nodeHoursShare: number;
  readonly longestDropRunSeconds: number;
  /** From the second in which demand exceeds supply until it no longer does: the longest of a load. */
  readonly recoveryMedianSeconds: number;
  readonly recoveryWorstSeconds: number;
  readonly costRatioQuantiles: {
    readonly median: number;
    readonly p90: number;
    readonly p99: number;
    readonly worst: number;
    readonly worstLoad: string;
  };
  readonly spec: SpecScore;
}

/** Rackfire's regret as a share of that of whoever is best in a group, at that one's best target for the group. */
export interface Claim {
  readonly group: Group;
  readonly against: string;
  readonly target: number;
  readonly share: number;
  readonly interval: Interval;
}

export interface Variant {
  readonly bootSeconds: number;
  readonly areBootsRough: boolean;
  readonly slowness: Slowness | undefined;
  readonly regrets: readonly {
    readonly contender: string;
    readonly target: number;
    readonly balancedRegret: number;
  }[];
}

/** @param sweep - Results of every target; `rest` has those of the chosen targets on further seeds. */
export function reportOn(
  sweep: readonly TaskResult[],
  rest: readonly TaskResult[],
  variants: readonly TaskResult[],
): Report {
  const swept = entrantsOf(sweep);
  const full = entrantsOf([...sweep, ...rest]);
  const standings = CONTENDERS.flatMap((contender) => standingOf(contender, swept, full));
  const chosen = standings.map(({ contender, target }) => find(full, contender, target));
  return {
    groups: [...(chosen[0]?.cells ?? [])].map(([group, cells]) => ({ group, loads: cells.length })),
    pricedShare: pricedShares(sweep),
    standings: standings.toSorted((one, other) => one.balancedRegret - other.balancedRegret),
    claims: claimsOf(full),
    wins: Object.fromEntries(
      chosen.map((one) => [
        one.contender,
        Object.fromEntries(chosen.map((other) => [other.contender, winsOf(one, other)])),
      ]),
    ),
    variants: variantsOf(variants),
  };
}

/** Entrants that have run on all loads of a group: some targets were left out after the sweep. */
function completeIn(group: Group, entrants: readonly Entrant[]): readonly Entrant[] {
  const countOf = ({ cells }: Entrant): number => cells.get(group)?.length ?? 0;
  const most = entrants.reduce((high, one) => Math.max(high, countOf(one)), 0);
  return entrants.filter((one) => countOf(one) === most);
}

function find(entrants: readonly Entrant[], contender: string, target: number): Entrant {
  const found = entrants.find((one) => one.contender === contender && one.target === target);
  if (found === undefined) {
    throw new RangeError(`${contender} was not run at ${target}`);
  }
  return found;
}

function standingOf(
  { name, kind }: Contender,
  swept: readonly Entrant[],
  full: readonly Entrant[],
): readonly Standing[] {
  const own = swept.filter(({ contender }) => contender === name);
  if (own.length === 0) {
    return [];
  }
  const target = kind === 'rackfire' ? RACKFIRE_TARGET : lowest(own, balanced).target;
  const entrant = find(full, name, target);
  const atAnyTarget = full.filter(({ contender }) => contender === name);
  return [
    {
      contender: name,
      kind,
      target,
      balancedRegret: balanced(entrant),
      balancedRegretMild: balancedRegretOf(entrant, MILD_PENALTIES),
      balancedRegretHarsh: balancedRegretOf(entrant, HARSH_PENALTIES),
      groups: Object.fromEntries(
        [...entrant.cells.keys()].map((group) => [group, standingIn(group, entrant, atAnyTarget)]),
      ),
      curve: own.map((one) => ({
        target: one.target,
        balancedRegret: balanced(one),
        regrets: Object.fromEntries(
          [...one.cells.keys()].map((group) => [group, regretOf(one, group, PENALTIES)]),
        ),
      })),
    },
  ];
}

function balanced(entrant: Entrant): number {
  return balancedRegretOf(entrant, PENALTIES);
}

function standingIn(
  group: Group,
  entrant: Entrant,
  atAnyTarget: readonly Entrant[],
): GroupStanding {
  const cells = entrant.cells.get(group) ?? [];
  const complete = completeIn(group, atAnyTarget);
  const best = lowest(complete, (one) => regretOf(one, group, PENALTIES));
  const requests = sum(cells, ({ score }) => score.requests);
  const recoveries = cells.map(({ score }) => score.longestShortage);
  return {
    regret: regretOf(entrant, group, PENALTIES),
    interval: regretInterval(strataOf(entrant, group, PENALTIES)),
    bestRegret: regretOf(best, group, PENALTIES),
    bestTarget: best.target,
    droppedPercent: (100 * sum(cells, ({ score }) => score.dropped)) / requests,
    latePercent: (100 * sum(cells, ({ score }) => score.late)) / requests,
    nodeHoursShare: geometricMean(
      cells.map(({ score, coveringNodeSeconds }) => score.nodeSeconds / coveringNodeSeconds),
    ),
    longestDropRunSeconds: Math.max(...cells.map(({ score }) => score.longestDropRun)),
    recoveryMedianSeconds: quantile(recoveries, 0.5),
    recoveryWorstSeconds: quantile(recoveries, 1),
    costRatioQuantiles: quantilesOf(cells),
    spec: meanSpec(cells),
  };
}

function quantilesOf(cells: readonly Cell[]): GroupStanding['costRatioQuantiles'] {
  const ratios = cells.map((cell) => ratioOf(cell, PENALTIES));
  const worst = lowest(cells, (cell) => -ratioOf(cell, PENALTIES));
  return {
    median: quantile(ratios, 0.5),
    p90: quantile(ratios, 0.9),
    p99: quantile(ratios, 0.99),
    worst: quantile(ratios, 1),
    worstLoad: `${worst.load} ${worst.seed}`,
  };
}

function meanSpec(cells: readonly Cell[]): SpecScore {
  const mean = (valueOf: (spec: SpecScore) => number): number =>
    sum(cells, ({ score }) => valueOf(score.spec)) / Math.max(1, cells.length);
  return {
    underAccuracy: mean(({ underAccuracy }) => underAccuracy),
    overAccuracy: mean(({ overAccuracy }) => overAccuracy),
    underTime: mean(({ underTime }) => underTime),
    overTime: mean(({ overTime }) => overTime),
    jitterPerHour: mean(({ jitterPerHour }) => jitterPerHour),
    instability: mean(({ instability }) => instability),
  };
}

/** Against the best peer of each group, and against each straw man. */
function claimsOf(full: readonly Entrant[]): readonly Claim[] {
  const rackfire = find(full, RACKFIRE, RACKFIRE_TARGET);
  const kinds = new Map(CONTENDERS.map(({ name, kind }) => [name, kind]));
  const peers = full.filter(({ contender }) => kinds.get(contender) === 'peer');
  const strawMen = CONTENDERS.filter(({ kind }) => kind === 'straw man');
  return [...rackfire.cells.keys()].flatMap((group) => {
    const rivals = [
      peers,
      ...strawMen.map(({ name }) => full.filter((one) => one.contender === name)),
    ];
    return rivals.map((candidates) => {
      const rival = lowest(completeIn(group, candidates), (one) => regretOf(one, group, PENALTIES));
      return {
        group,
        against: rival.contender,
        target: rival.target,
        share: regretOf(rackfire, group, PENALTIES) / regretOf(rival, group, PENALTIES),
        interval: regretRatioInterval(
          strataOf(rackfire, group, PENALTIES),
          strataOf(rival, group, PENALTIES),
        ),
      };
    });
  });
}

function winsOf(one: Entrant, other: Entrant): number {
  const shares = [...one.cells].map(([group, cells]) => {
    const theirs = other.cells.get(group) ?? [];
    const won = cells.filter((cell, index) => {
      const rival = theirs[index];
      return rival !== undefined && ratioOf(cell, PENALTIES) < ratioOf(rival, PENALTIES);
    });
    return won.length / Math.max(1, cells.length);
  });
  return sum(shares, (share) => share) / Math.max(1, shares.length);
}

function pricedShares(results: readonly TaskResult[]): Report['pricedShare'] {
  const shares = new Map<Group, number[]>();
  for (const { group, pricedShare } of results) {
    if (pricedShare !== undefined) {
      shares.set(group, [...(shares.get(group) ?? []), pricedShare]);
    }
  }
  return Object.fromEntries([...shares].map(([group, all]) => [group, geometricMean(all)]));
}

function variantsOf(results: readonly TaskResult[]): readonly Variant[] {
  const kinds = Map.groupBy(
    results,
    ({ bootSeconds, areBootsRough, slowness }) => `${bootSeconds} ${areBootsRough} ${slowness}`,
  );
  return [...kinds.values()].flatMap((alike) => {
    const [first] = alike;
    const own = Map.groupBy(entrantsOf(alike), ({ contender }) => contender);
    const regrets = [...own].map(([contender, entrants]) => {
      const best =
        contender === RACKFIRE
          ? find(entrants, RACKFIRE, RACKFIRE_TARGET)
          : lowest(entrants, balanced);
      return { contender, target: best.target, balancedRegret: balanced(best) };
    });
    return first === undefined
      ? []
      : [
          {
            bootSeconds: first.bootSeconds,
            areBootsRough: first.areBootsRough,
            slowness: first.slowness,
            regrets: regrets.toSorted((one, other) => one.balancedRegret - other.balancedRegret),
          },
        ];
  });
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0);
}
