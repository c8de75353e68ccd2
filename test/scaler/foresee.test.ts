import { describe, expect, test } from 'vitest';
import { ENGINE } from '../../src/scaler/constants.ts';
import {
  type Foresight,
  foresee,
  type NodeReading,
  type Outlook,
} from '../../src/scaler/foresee.ts';
import { createNormal } from './noisy-load.ts';

const NODES: NodeReading = {
  targetPerNodeRps: 80,
  timeToServeMs: 45_000,
  timeToWakeMs: 0,
  servingNodes: 5,
  orderedNodes: 5,
};

type Rates = (second: number) => number;

interface Tick {
  readonly foresight: Foresight;
  readonly outlook: Outlook;
}

function ticks(rates: Rates, seconds: number, nodes: Partial<NodeReading> = {}): readonly Tick[] {
  let before: Foresight | undefined;
  return Array.from({ length: seconds }, (_, second) => {
    const tick = foresee(
      before,
      { atMs: second * 1_000, rps: rates(second) },
      { ...NODES, ...nodes },
    );
    before = tick.foresight;
    return tick;
  });
}

function last(rates: Rates, seconds: number, nodes: Partial<NodeReading> = {}): Outlook {
  return ticks(rates, seconds, nodes).at(-1)!.outlook;
}

/** A calm of ten minutes that wavers like page views of five requests, then whatever comes on top. */
function noisy(onTop: Rates = () => 0, baseRps = 400): Rates {
  const normal = createNormal(5);
  return (second) => {
    const rps = baseRps + onTop(second - 600);
    return Math.max(0, rps + Math.sqrt(9 * rps) * normal());
  };
}

const storm = noisy((second) => (second < 0 ? 0 : Math.min(4_000, 50 * second)));

describe('foresee', () => {
  test('a calm needs its rate and some head-room, and is no storm', () => {
    const outlook = last(noisy(), 1_200);
    expect(outlook.storm).toBeUndefined();
    expect(outlook.needNodes).toBeGreaterThan(5);
    expect(outlook.needNodes).toBeLessThan(6.5);
    expect(outlook.dispersion).toBeGreaterThan(6);
  });

  test('slots that requests take for twice as long ask for twice the nodes, also while none waits', () => {
    const needOf = (serviceSeconds: number): Outlook => {
      let before: Foresight | undefined;
      let outlook: Outlook | undefined;
      for (let second = 0; second < 600; second += 1) {
        const work = { servedRps: 200, usedSlots: 200 * serviceSeconds, totalSlots: 50 };
        const load = { atMs: second * 1_000, rps: 200 };
        ({ foresight: before, outlook } = foresee(before, load, { ...NODES, work }));
      }
      return outlook!;
    };
    const healthy = needOf(0.1);
    const slow = needOf(0.2);
    expect(healthy.nodeRps).toBe(80);
    expect(slow.nodeRps).toBeCloseTo(40, 9);
    expect(slow.needNodes).toBeCloseTo(2 * healthy.needNodes, 0);
  });

  test('a steady ramp is met a time to serve ahead', () => {
    // 2 rps a second: after 1,000 s the rate is 2,100 rps, and 90 rps more when a node ordered now serves.
    const { needNodes, forecastRps } = last((second) => 100 + 2 * second, 1_000);
    expect(forecastRps).toBeGreaterThan(2_180);
    expect(needNodes).toBeGreaterThan(2_190 / 80);
    expect(needNodes).toBeLessThan(2_500 / 80);
  });

  test.each([12, 60, 300])('noise after a gap of %i s without news is no storm', (gapSeconds) => {
    const normal = createNormal(3);
    const draw = (): number => 600 + Math.sqrt(4 * 600) * normal();
    for (let run = 0; run < 40; run += 1) {
      const { foresight } = ticks(draw, 120).at(-1)!;
      const atMs = foresight.atMs + gapSeconds * 1_000;
      const { outlook } = foresee(foresight, { atMs, rps: draw() }, NODES);
      expect(outlook.storm).toBeUndefined();
    }
  });

  test('a storm is named within seconds, with what it rose from, and ordered ahead of', () => {
    const at = ticks(storm, 620);
    const detected = at.findIndex(({ outlook }) => outlook.storm !== undefined);
    expect(detected).toBeGreaterThan(600);
    expect(detected).toBeLessThanOrEqual(606);
    const outlook = at[612]!.outlook;
    expect(outlook.storm?.baseRps).toBeGreaterThan(350);
    expect(outlook.storm?.baseRps).toBeLessThan(450);
    // The rate is 1,000 rps by now; what the ramp makes of it within 45 s is 3,250.
    expect(outlook.needNodes).toBeGreaterThan(2_000 / 80);
  });

  test('a storm that has leveled out is let go of down to its rate', () => {
    const { needNodes } = last(storm, 900);
    expect(needNodes).toBeGreaterThan(4_400 / 80);
    expect(needNodes).toBeLessThan(1.1 * (4_400 / 80));
  });

  test('one that is gone is over within a minute', () => {
    const gone = noisy((second) => (second < 0 || second > 120 ? 0 : 4_000));
    const { storm: named, needNodes } = last(gone, 790);
    expect(named).toBeUndefined();
    expect(needNodes).toBeLessThan(10);
  });

  test('while requests suffer, what is on its way beyond the need is not cancelled', () => {
    const few = { servingNodes: 5, orderedNodes: 100 };
    const suffering = last(storm, 640, few);
    expect(suffering.scatterNodes).toBeGreaterThan(0);
    expect(last(storm, 640, { servingNodes: 90, orderedNodes: 100 }).scatterNodes).toBe(0);
  });

  test('more noise is more head-room', () => {
    const normal = createNormal(5);
    const still = last((second) => 4_000 + second / 1e6, 1_200).headroomNodes;
    const restless = last(() => 4_000 + 400 * normal(), 1_200).headroomNodes;
    expect(restless).toBeGreaterThan(3 * still);
  });

  test('what it has missed by is what it provides for', () => {
    // Waves of four minutes: too slow for noise, too fast for a trend.
    const waves = ticks((second) => 4_000 + 400 * Math.sin(second / 40), 2_400);
    const deviations = waves.slice(1_800).map(({ outlook }) => outlook.deviationRps);
    expect(Math.max(...deviations)).toBeGreaterThan(120);
  });

  test('waves that last are held for longer than noise that does not', () => {
    const waves = last((second) => 400 + 100 * Math.sin(second / 15), 1_200).holdMs;
    expect(waves).toBeGreaterThan(1.4 * last(noisy(), 1_200).holdMs);
    expect(waves).toBeLessThanOrEqual(45_000);
  });

  test('what wavers is to be held for some seconds, and up to a time to serve', () => {
    const waves: Rates = (second) => 400 + 200 * Math.sin(second / 8);
    expect(last(() => 400, 600).holdMs).toBeLessThan(10_000);
    expect(last(waves, 600).holdMs).toBeGreaterThan(10_000);
    expect(last(waves, 600).holdMs).toBeLessThanOrEqual(45_000);
    expect(last(storm, 620).holdMs).toBe(5_000);
  });

  test('a fall is followed', () => {
    expect(last((second) => (second < 600 ? 400 : 0), 900).needNodes).toBeLessThan(0.5);
  });

  test('the first reading alone needs what it needs', () => {
    expect(last(() => 400, 1)).toMatchObject({ needNodes: 5, soonNodes: 5, headroomNodes: 0 });
  });

  test('what wakes soon needs less than what is ordered ahead, and never more', () => {
    const ramp = last((second) => 100 + 2 * second, 1_000, { timeToWakeMs: 2_000 });
    expect(ramp.soonNodes).toBeGreaterThan(2_100 / 80);
    expect(ramp.soonNodes).toBeLessThan(ramp.needNodes - 1);
    expect(ramp.readyNodes).toBeGreaterThan(ramp.needNodes);
  });
});

describe('what comes back, or comes first, is no storm', () => {
  const CALM_SECONDS = 1_200;

  /** A calm of 600 rps, an outage, and then `after`, counted in seconds from its end. */
  function outage(outageSeconds: number, after: Rates): Rates {
    const waver = noisy(() => 0, 600);
    return (second) => {
      const since = second - CALM_SECONDS - outageSeconds;
      const share = second < CALM_SECONDS ? 1 : since < 0 ? 0 : after(since) / 600;
      return waver(second) * share;
    };
  }

  function stormsOf(at: readonly Tick[]): ReadonlySet<number> {
    return new Set(at.flatMap(({ outlook: { storm: seen } }) => seen?.onsetMs ?? []));
  }

  test.each([20, 60, 180, 300, 900, 1_700])(
    'an outage of %i s that ends at once, or within ten seconds, is none',
    (seconds) => {
      for (const riseSeconds of [1, 10]) {
        const back: Rates = (since) => Math.min(600, (600 * (since + 1)) / riseSeconds);
        const at = ticks(outage(seconds, back), CALM_SECONDS + seconds + 900);
        expect(stormsOf(at).size).toBe(0);
        const needs = at.slice(CALM_SECONDS).map(({ outlook }) => outlook.needNodes);
        expect(Math.max(...needs)).toBeLessThan(2 * (600 / 80));
        expect(needs.at(-1)).toBeGreaterThan(600 / 80);
      }
    },
  );

  test('what comes back and goes on rising is one, from the rate of before the outage', () => {
    const rising: Rates = (since) => Math.min(6_000, 600 + 100 * since);
    const at = ticks(outage(180, rising), CALM_SECONDS + 180 + 60);
    expect(stormsOf(at).size).toBe(1);
    const detected = at.find(({ outlook }) => outlook.storm !== undefined);
    expect(detected?.outlook.storm?.baseRps).toBeGreaterThan(550);
    expect(detected?.outlook.storm?.baseRps).toBeLessThan(650);
    expect(detected?.foresight.atMs).toBeLessThan((CALM_SECONDS + 180 + 10) * 1_000);
  });

  test('what comes to where nothing came for longer than that is one', () => {
    const seconds = ENGINE.silenceSeconds + 300;
    const at = ticks(
      outage(seconds, () => 600),
      CALM_SECONDS + seconds + 30,
    );
    expect(stormsOf(at).size).toBe(1);
  });

  test.each([0, 9, 60, 600])('the first visitors, after %i s of none, are none', (seconds) => {
    for (const riseSeconds of [1, 10, 60]) {
      const waver = noisy(() => 0, 100);
      const at = ticks(
        (second) => waver(second) * Math.min(1, Math.max(0, (second - seconds + 1) / riseSeconds)),
        seconds + 900,
      );
      expect(stormsOf(at).size).toBe(0);
    }
  });

  test('a surge right after a cold start leaves none behind when it has gone', () => {
    const surge: Rates = (second) =>
      Math.min(
        600,
        Math.max(100, 100 + 50 * (second - 14), 0),
        Math.max(100, 600 - 50 * (second - 84)),
      );
    const waver = noisy(() => 0, 100);
    const at = ticks((second) => (second < 9 ? 0 : (waver(second) * surge(second)) / 100), 900);
    expect(stormsOf(at).size).toBe(0);
  });

  test('where few come, a second surge is a second one: the first was not the usual', () => {
    const surge: Rates = (since) => (since < 0 || since > 180 ? 0 : Math.min(1_000, 50 * since));
    const at = ticks(
      noisy((second) => surge(second) + surge(second - 480), 3),
      1_200,
    );
    expect(stormsOf(at).size).toBe(2);
  });

  test('where few come, many are one', () => {
    const at = ticks(
      noisy((second) => (second < 0 ? 0 : 40 * second), 3),
      630,
    );
    expect(stormsOf(at).size).toBe(1);
  });
});

describe('the end of a storm', () => {
  test.each([1, 5, 20])(
    'never foresees less than what comes but its noise, when it falls within %i s to above its base',
    (fallSeconds) => {
      const rates: Rates = (second) =>
        second < 600
          ? 400 + 20 * (second % 2)
          : second < 700
            ? 4_400
            : Math.max(700, 4_400 - (3_700 * (second - 699)) / fallSeconds);
      const at = ticks(rates, 760);
      const end = at.findIndex(
        ({ outlook }, second) => second > 700 && outlook.storm === undefined,
      );
      expect(end).toBeGreaterThan(700);
      for (const { outlook } of at.slice(end)) {
        expect(outlook.forecastRps).toBeGreaterThan(0.95 * 700);
      }
    },
  );
});

describe('whatever comes', () => {
  test.each<[string, Rates, number, number]>([
    ['a rate of nothing needs nothing', () => 0, 0, 0.5],
    ['a rate of one node needs one or two', () => 79, 0.98, 1.5],
    ['10,000 nodes need some more than 10,000', () => 800_000, 10_000, 10_200],
    ['a counter that was reset and reads nothing once', (at) => (at === 595 ? 0 : 400), 4.5, 6],
    ['a single absurd reading, some minutes ago', (at) => (at === 200 ? 1e6 : 400), 4.5, 7],
  ])('%s', (_, rates, least, most) => {
    const { needNodes } = last(rates, 600);
    expect(needNodes).toBeGreaterThanOrEqual(least);
    expect(needNodes).toBeLessThanOrEqual(most);
  });

  test.each<[string, number]>([
    ['a clock that stepped back by an hour', -3_600_000],
    ['a clock that stood still', 0],
    ['metrics that were gone for ten minutes', 600_000],
  ])('%s changes little', (_, byMs) => {
    const before = ticks(noisy(), 900).at(-1)!;
    const load = { atMs: before.foresight.atMs + byMs, rps: 400 };
    const { outlook } = foresee(before.foresight, load, NODES);
    expect(Math.abs(outlook.needNodes - before.outlook.needNodes)).toBeLessThan(1);
  });

  test('an hour’s memory is as large as ten minutes’, and small', () => {
    const size = (seconds: number): number =>
      JSON.stringify(ticks(storm, seconds).at(-1)!.foresight).length;
    expect(size(3_600)).toBeLessThan(1.5 * size(700));
    expect(size(3_600)).toBeLessThan(4_096);
  });

  test('a memory that was written and read again gives the same', () => {
    const { foresight } = ticks(storm, 620).at(-1)!;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what was written is what is read
    const read = JSON.parse(JSON.stringify(foresight)) as Foresight;
    const load = { atMs: 620_000, rps: 1_400 };
    expect(foresee(read, load, NODES)).toEqual(foresee(foresight, load, NODES));
  });

  test('no tick sees what comes after it', () => {
    const cut = 615;
    const other: Rates = (second) => (second < cut ? rates(second) : 0);
    const rates: Rates = (second) =>
      400 + 37 * ((second * 7_919) % 13) + Math.max(0, second - 600) * 40;
    const seen = ticks(rates, 700).slice(0, cut);
    expect(ticks(other, 700).slice(0, cut)).toEqual(seen);
  });

  test('the slower a node serves, the earlier a ramp is met', () => {
    const ramp: Rates = (second) => 100 + 2 * second;
    const needs = [5_000, 45_000, 120_000].map(
      (timeToServeMs) => last(ramp, 1_000, { timeToServeMs }).needNodes,
    );
    expect(needs).toEqual(needs.toSorted((one, other) => one - other));
    expect(needs[2]! - needs[0]!).toBeGreaterThan(2);
  });
});
