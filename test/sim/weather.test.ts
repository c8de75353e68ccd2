/** What the loop makes of readings that are missing, wrong or late, and of sites of extreme sizes. */

import { describe, expect, test } from 'vitest';
import { RateMeter } from '../../src/balancer/haproxy/rates.ts';
import { UnreachableError } from '../../src/control/errors.ts';
import type { TierTicked } from '../../src/control/events.ts';
import type { BackendReport, BalancerSnapshot, HostSnapshot } from '../../src/control/ports.ts';
import { takesAway } from '../../src/scaler/action.ts';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import { plainBoots } from '../../src/sim/physics.ts';
import { findNonFinite } from '../scaler/finite.ts';
import { load, SITE, STORM, tierOf } from './lab.ts';
import {
  playWeathered,
  type Weather,
  type WeatheredOptions,
  type WeatheredRun,
  withReadings,
} from './weathered-run.ts';

/** Five nodes' worth, for ten minutes. */
const CALM = load([400, 600]);
/** From two nodes' worth to 25 within 20 s, and it stays. */
const RISE = load(
  [150, 200],
  ...Array.from({ length: 20 }, (_, second) => [150 + 92.5 * (second + 1), 1] as const),
  [2_000, 280],
);
/** A need of one in 25 more may be tolerated. */
const RISE_NODES = 24;
/** Five nodes' worth, then nearly nothing. */
const FALL = load([400, 230], [40, 470]);

type During = (second: number) => boolean;

const between =
  (from: number, to: number): During =>
  (second) =>
    second >= from && second < to;
const always: During = () => true;

function silent<T>(during: During): Weather<T> {
  return async ({ second, answer }) => {
    if (during(second())) {
      throw new UnreachableError('nobody answers');
    }
    return await answer();
  };
}

/** An answer comes later than it was true. */
function late<T>(ms: number, during: During = always): Weather<T> {
  return async ({ second, answer, wait }) => {
    const snapshot = await answer();
    await wait(during(second()) ? ms : 0);
    return snapshot;
  };
}

function misread(
  during: During,
  change: (report: BackendReport) => Partial<BackendReport>,
): Weather<BalancerSnapshot> {
  return async ({ second, answer }) => {
    const snapshot = await answer();
    return during(second()) ? withReadings(snapshot, change) : snapshot;
  };
}

/** Rates as a driver makes them of a counter, which somebody clears, or a reload begins anew. */
function counted({
  cleared,
  reloaded,
}: {
  readonly cleared: During;
  readonly reloaded: During;
}): Weather<BalancerSnapshot> {
  const arrived = new RateMeter();
  const served = new RateMeter();
  let epoch = 1;
  let totals = { arrived: 0, served: 0 };
  return async ({ second, steadyMs, answer }) => {
    const snapshot = await answer();
    if (reloaded(second())) {
      epoch += 1;
    }
    if (cleared(second()) || reloaded(second())) {
      totals = { arrived: 0, served: 0 };
    }
    const read = withReadings(snapshot, ({ requestRate, servedRate }) => {
      totals = {
        arrived: totals.arrived + (requestRate.status === 'absent' ? 0 : requestRate.value),
        served: totals.served + (servedRate.status === 'absent' ? 0 : servedRate.value),
      };
      const now = { epoch: `${epoch}`, atMs: steadyMs() };
      return {
        requestRate: arrived.read({ ...now, total: totals.arrived }),
        servedRate: served.read({ ...now, total: totals.served }),
      };
    });
    return { ...read, epoch: `${epoch}` };
  };
}

const NO_NUMBER = { status: 'ok', value: Number.NaN } as const;

interface Row {
  readonly situation: string;
  readonly arrivals: Float64Array;
  readonly weather: WeatheredOptions;
  readonly expects: (run: WeatheredRun, undisturbed: WeatheredRun) => void;
}

/** While nothing is known, and at the end, the count is the one that it was; nothing is let go meanwhile. */
const holdsFrom =
  (from: number, to: number): Row['expects'] =>
  (run) => {
    const before = desiredAt(run, from);
    const meanwhile = ticksBetween(run, from, to);
    expect(meanwhile.length).toBeGreaterThan(to - from - 15);
    expect(new Set(meanwhile.map(desired))).toEqual(new Set([before]));
    expect(meanwhile.flatMap(({ tick }) => tick.actions.filter(takesAway))).toEqual([]);
  };

const neverShrinks =
  (from: number, to: number): Row['expects'] =>
  (run) => {
    const ticks = ticksBetween(run, from, to);
    const shrinking = ticks.filter(({ tick }) => tick.decision.direction === 'in');
    expect(shrinking.map((tick) => [run.secondOf(tick), desired(tick)])).toEqual([]);
    expect(ticks.flatMap(({ tick }) => tick.actions.filter(takesAway))).toEqual([]);
  };

/** Whatever may be served by whom: so many were ordered by then. */
const hasOrdered =
  (nodes: number, by: number): Row['expects'] =>
  (run) => {
    expect(desiredAt(run, by)).toBeGreaterThanOrEqual(nodes);
  };

const endsAsUndisturbed: Row['expects'] = (run, undisturbed) => {
  expect(run.ticks.map(desired).at(-1)).toBe(undisturbed.ticks.map(desired).at(-1));
  expect(run.inService.at(-1)).toBe(undisturbed.inService.at(-1));
};

/** A count that goes down later is no harm; a storm, or a calm, that is not there would be. */
const staysWithin: Row['expects'] = (run, undisturbed) => {
  const usual = undisturbed.ticks.map(desired);
  const counts = run.ticks.map(desired);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.min(...usual));
  expect(Math.max(...counts)).toBeLessThanOrEqual(Math.max(...usual));
};

/** And hardly more than are ordered of a rise that is seen well: who looks ahead orders more than there will be. */
const getsItsNodes: Row['expects'] = (run, undisturbed) => {
  expect(run.inService.at(-1)).toBeGreaterThanOrEqual(RISE_NODES);
  const most = Math.max(...undisturbed.ticks.map(desired));
  expect(Math.max(...run.ticks.map(desired))).toBeLessThanOrEqual(1.25 * most);
};

const decidesTheSame: Row['expects'] = (run, undisturbed) => {
  const said = ({ ticks }: WeatheredRun) =>
    ticks.map(({ tick }) => [desired({ tick }), tick.decision.reason]);
  expect(said(run)).toEqual(said(undisturbed));
  expect(run.inService).toEqual(undisturbed.inService);
};

const all =
  (...checks: readonly Row['expects'][]): Row['expects'] =>
  (run, undisturbed) => {
    for (const check of checks) {
      check(run, undisturbed);
    }
  };

const rows: readonly Row[] = [
  {
    situation: 'metrics vanish for a minute: the count stays, and goes on as if nothing had been',
    arrivals: CALM,
    weather: { balancerWeather: silent(between(200, 260)) },
    expects: all(holdsFrom(200, 260), endsAsUndisturbed),
  },
  {
    situation:
      'metrics vanish while the load falls: nothing goes before they are back, then it does',
    arrivals: FALL,
    weather: { balancerWeather: silent(between(229, 300)) },
    expects: all(holdsFrom(229, 300), endsAsUndisturbed),
  },
  {
    situation:
      'metrics vanish when a storm has begun: nothing is guessed, and they say it when they are back',
    arrivals: RISE,
    weather: { balancerWeather: silent(between(205, 240)) },
    expects: all(neverShrinks(200, 240), getsItsNodes),
  },
  {
    situation: 'metrics that never come: what is there stays there',
    arrivals: CALM,
    weather: { balancerWeather: silent(always) },
    expects: (run) => {
      expect(run.ticks.flatMap(({ tick }) => tick.actions)).toEqual([]);
      expect(new Set(run.inService)).toEqual(new Set([6]));
    },
  },
  {
    situation: 'the rate alone is missing while the queue is known: nothing goes',
    arrivals: FALL,
    weather: {
      balancerWeather: misread(between(229, 300), () => ({
        requestRate: { status: 'absent', why: 'counter went back' },
      })),
    },
    expects: all(holdsFrom(229, 300), endsAsUndisturbed),
  },
  {
    situation: 'a partial rate that says next to nothing, as after a reload: nothing goes',
    arrivals: CALM,
    weather: {
      balancerWeather: misread(between(200, 260), () => ({
        requestRate: { status: 'partial', value: 3, why: 'HAProxy was reloaded' },
      })),
    },
    expects: all(holdsFrom(200, 260), endsAsUndisturbed),
  },
  {
    situation: 'counters are cleared again and again under a steady load: no storm and no calm',
    arrivals: CALM,
    weather: {
      balancerWeather: counted({ cleared: (at) => at % 7 === 0, reloaded: () => false }),
    },
    expects: staysWithin,
  },
  {
    situation: 'HAProxy is reloaded each minute under a steady load: no storm and no calm',
    arrivals: CALM,
    weather: {
      balancerWeather: counted({ cleared: () => false, reloaded: (at) => at % 60 === 0 }),
    },
    expects: staysWithin,
  },
  {
    situation: 'counters are cleared while the load rises: it gets its nodes',
    arrivals: RISE,
    weather: {
      balancerWeather: counted({ cleared: (at) => at % 5 === 0, reloaded: (at) => at === 212 }),
    },
    expects: getsItsNodes,
  },
  ...[Number.NaN, -1, Number.POSITIVE_INFINITY].map((value): Row => {
    return {
      situation: `a rate of ${value} is none: as if it were missing`,
      arrivals: CALM,
      weather: {
        balancerWeather: misread(between(200, 260), () => ({
          requestRate: { status: 'ok', value },
        })),
      },
      expects: all(holdsFrom(200, 260), endsAsUndisturbed),
    };
  }),
  {
    situation: 'no reading is a number while the load falls: nothing goes before they are again',
    arrivals: FALL,
    weather: {
      balancerWeather: misread(between(229, 300), () => ({
        requestRate: NO_NUMBER,
        servedRate: NO_NUMBER,
        queued: Number.NaN,
        usedSlots: Number.NaN,
        totalSlots: Number.NaN,
      })),
    },
    expects: all(holdsFrom(229, 300), endsAsUndisturbed),
  },
  {
    situation: 'slots that are no numbers: the count comes down all the same',
    arrivals: FALL,
    weather: {
      balancerWeather: misread(always, () => ({ usedSlots: Number.NaN, totalSlots: Number.NaN })),
    },
    expects: endsAsUndisturbed,
  },
  {
    situation: 'every other answer is lost under a steady load: no storm and no calm',
    arrivals: CALM,
    weather: { balancerWeather: silent((second) => second % 2 === 1) },
    expects: staysWithin,
  },
  {
    situation: 'of each ten seconds eight are missing while the load rises: it gets its nodes',
    arrivals: RISE,
    weather: { balancerWeather: silent((second) => second % 10 > 1) },
    expects: getsItsNodes,
  },
  {
    situation: 'answers that come 1.4 s late, still fresh: the storm gets its nodes, later',
    arrivals: RISE,
    weather: { balancerWeather: late(1_400) },
    expects: getsItsNodes,
  },
  {
    situation: 'answers that are stale when they come: they may ask for more, and nothing goes',
    arrivals: RISE,
    weather: { balancerWeather: late(3_500, between(200, 300)) },
    expects: all(neverShrinks(200, 300), hasOrdered(RISE_NODES, 300), getsItsNodes),
  },
  {
    situation: 'answers that are stale when they come, and the load falls: nothing goes',
    arrivals: FALL,
    weather: { balancerWeather: late(3_500) },
    expects: neverShrinks(0, Number.POSITIVE_INFINITY),
  },
  {
    situation: 'answers that take longer than anybody waits: as if there were none',
    arrivals: FALL,
    weather: { balancerWeather: late(6_000) },
    expects: neverShrinks(0, Number.POSITIVE_INFINITY),
  },
  {
    situation: 'a host that answers late: nothing is ordered twice',
    arrivals: RISE,
    weather: { hostWeather: late<HostSnapshot>(4_500) },
    expects: (run, undisturbed) => {
      getsItsNodes(run, undisturbed);
      const boots = run.ticks.flatMap(({ tick }) =>
        tick.actions.filter(({ kind }) => kind === 'boot'),
      );
      expect(new Set(boots.map(({ node }) => node)).size).toBe(boots.length);
      expect(run.errors).toEqual([]);
    },
  },
  ...[-3_600_000, 3_600_000].map((stepMs): Row => {
    return {
      situation: `the clock steps by ${stepMs / 60_000} min in a storm, and back: every decision is the same`,
      arrivals: STORM,
      weather: {
        wallErrorMs: (second) => (between(130, 170)(second) || second > 900 ? stepMs : 0),
      },
      expects: decidesTheSame,
    };
  }),
];

const undisturbedRuns = new Map<Float64Array, Promise<WeatheredRun>>();

function playUndisturbed(arrivals: Float64Array): Promise<WeatheredRun> {
  const run =
    undisturbedRuns.get(arrivals) ?? playWeathered(arrivals, { nodes: startOf(arrivals) });
  undisturbedRuns.set(arrivals, run);
  return run;
}

/** One node more than the first second needs, so that nothing has to change at the start. */
function startOf(arrivals: Float64Array): number {
  return Math.ceil((arrivals[0] ?? 0) / 80) + 1;
}

test.each(rows)('$situation', async ({ arrivals, weather, expects }) => {
  const [run, undisturbed] = await Promise.all([
    playWeathered(arrivals, { nodes: startOf(arrivals), ...weather }),
    playUndisturbed(arrivals),
  ]);
  keepsItsPromises(run, tierOf(SITE));
  expects(run, undisturbed);
});

/** Whatever is read: whole numbers within bounds, and what is not known lets nobody go. */
function keepsItsPromises({ ticks }: WeatheredRun, { policy }: ScaledTier): void {
  for (const { tick } of ticks) {
    const { decision, memory } = tick;
    const { desiredNodes, currentNodes, signalsKnown } = decision;
    expect(findNonFinite({ decision, memory })).toBeUndefined();
    expect(Number.isInteger(desiredNodes)).toBe(true);
    expect(desiredNodes).toBeLessThanOrEqual(policy.maxNodes);
    expect(desiredNodes).toBeGreaterThanOrEqual(policy.minNodes);
    expect(signalsKnown || desiredNodes >= currentNodes).toBe(true);
  }
}

describe('a site of an extreme size', () => {
  const tier = tierOf(SITE);
  const between1And = (maxNodes: number): ScaledTier => ({
    ...tier,
    policy: { ...tier.policy, minNodes: 1, maxNodes },
  });

  test('without any request stays at its minimum, and a storm after ten minutes of nothing gets its nodes', async () => {
    const arrivals = load([0, 600], [2_000, 300]);
    const run = await playWeathered(arrivals, { tier: between1And(100), nodes: 1 });
    keepsItsPromises(run, between1And(100));
    expect(new Set(ticksBetween(run, 0, 600).map(desired))).toEqual(new Set([1]));
    expect(run.inService.at(-1)).toBeGreaterThanOrEqual(25);
  });

  test('whose requests end altogether goes to its minimum and no further', async () => {
    const run = await playWeathered(load([400, 120], [0, 900]), { nodes: 6 });
    keepsItsPromises(run, tier);
    expect(run.inService.at(-1)).toBe(2);
  });

  test('of one node and no more keeps it through a storm: nothing is ordered, nothing goes', async () => {
    const run = await playWeathered(STORM, { tier: between1And(1), nodes: 1 });
    keepsItsPromises(run, between1And(1));
    expect(run.ticks.flatMap(({ tick }) => tick.actions)).toEqual([]);
    expect(new Set(run.inService)).toEqual(new Set([1]));
    expect(run.dropped).toBeGreaterThan(0);
  });

  test('of one node at least grows out of it in a storm, and goes back to it', async () => {
    const quiet = load(
      [40, 120],
      ...Array.from(STORM.subarray(120, 740), (rps) => [rps, 1] as const),
      [40, 900],
    );
    const run = await playWeathered(quiet, { tier: between1And(100), nodes: 1 });
    keepsItsPromises(run, between1And(100));
    expect(Math.max(...run.inService)).toBeGreaterThanOrEqual(13);
    expect(run.inService.at(-1)).toBe(1);
  });

  test('of 10,000 nodes gets the 800 that it lacks, and a tick takes less than its second', {
    timeout: 120_000,
  }, async () => {
    const addresses = Array.from(
      { length: 10_000 },
      (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
    );
    const large: ScaledTier = {
      ...tier,
      addresses,
      policy: { ...tier.policy, minNodes: 9_000, maxNodes: 10_000 },
    };
    const arrivals = load([80 * 8_900, 20], [80 * 9_800, 30]);
    const before = process.cpuUsage();
    const boots = { ...plainBoots(10), sigma: 0 };
    const run = await playWeathered(arrivals, { tier: large, nodes: 9_000, boots });
    const { user, system } = process.cpuUsage(before);
    keepsItsPromises(run, large);
    expect(run.inService.at(-1)).toBeGreaterThanOrEqual(9_800);
    expect((user + system) / 1e6 / arrivals.length).toBeLessThan(1);
  });
});

function desired({ tick }: Pick<TierTicked, 'tick'>): number {
  return tick.decision.desiredNodes;
}

/** Later than the first of these seconds: its tick has seen nothing of it yet. */
function ticksBetween(run: WeatheredRun, from: number, to: number): readonly TierTicked[] {
  return run.ticks.filter((tick) => run.secondOf(tick) > from && run.secondOf(tick) < to);
}

function desiredAt(run: WeatheredRun, second: number): number | undefined {
  const tick = run.ticks.findLast((one) => run.secondOf(one) <= second);
  return tick && desired(tick);
}
