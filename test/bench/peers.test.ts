import { describe, expect, test } from 'vitest';
import {
  createStepScaling,
  createTargetTracking,
  DOCUMENTED_STEPS,
  stepChange,
  trackTarget,
} from '../../bench/elasticity/peers/aws.ts';
import { createManagedGroup } from '../../bench/elasticity/peers/gce.ts';
import {
  createHpaOnRate,
  replicasForRate,
  replicasForUse,
  scaleUpLimit,
} from '../../bench/elasticity/peers/hpa.ts';
import { KnativeAutoscaler } from '../../bench/elasticity/peers/knative.ts';
import { createNomad, targetValueCount } from '../../bench/elasticity/peers/nomad.ts';
import { createOneFlow } from '../../bench/elasticity/peers/oneflow.ts';
import {
  AdaptController,
  createChameleonLike,
  createConPaas,
  createHist,
  createReg,
  reactNodes,
} from '../../bench/elasticity/peers/research.ts';
import { steadySight } from './sight.ts';

/** The example that its page gives: a metric of twice the target doubles the replicas, and of half halves them. */
describe('HPA, by the algorithm of kubernetes.io/docs and replica_calculator.go', () => {
  test.each([
    ['TestReplicaCalcScaleUpPerPodCMExternal: 8600 at a target of 2150', 400, 3, 4],
    ['twice the target doubles', 2 * 100 * 4, 4, 8],
    ['half the target halves', 0.5 * 100 * 4, 4, 2],
    ['exactly 10 % above is tolerated', 440, 4, 4],
    ['a little more than 10 % above is not', 440.1, 4, 5],
    ['exactly 10 % below is tolerated', 900, 10, 10],
    ['a little more than 10 % below is not', 899.9, 10, 9],
  ])('on rate: %s', (_, rps, replicas, wanted) => {
    expect(replicasForRate(rps, 100, replicas)).toBe(wanted);
  });

  /** Cases of replica_calculator_test.go: use in percent of the request, and the target. */
  test.each([
    ['TestReplicaCalcScaleUp: 30, 50, 70 at a target of 30', 50 / 30, 3, 3, 5],
    ['TestReplicaCalcScaleUpUnreadyLessScale: 50, 70 and one unready', 60 / 30, 2, 3, 4],
    ['TestReplicaCalcScaleUpUnreadyNoScale: 40 and two unready', 40 / 30, 1, 3, 3],
    ['TestReplicaCalcScaleDown: five pods at 28 on average, target 50', 28 / 50, 5, 5, 3],
    ['TestReplicaCalcTolerance: 101 at a target of 100', 1.01, 3, 3, 3],
  ])('on CPU: %s', (_, ratio, ready, replicas, wanted) => {
    expect(replicasForUse(ratio, ready, replicas)).toBe(wanted);
  });

  test('at most 100 % or 4 pods more per period, whichever is more', () => {
    expect([1, 3, 4, 10].map(scaleUpLimit)).toEqual([5, 7, 8, 20]);
  });

  test('scale-in waits until the highest recommendation of five minutes has passed', () => {
    const hpa = createHpaOnRate(80, { windowSeconds: 15 });
    expect(hpa(steadySight({ second: 0, ready: 5, rps: 800 }))).toBe(10);
    expect(hpa(steadySight({ second: 285, ready: 10, rps: 80 }))).toBe(10);
    expect(hpa(steadySight({ second: 300, ready: 10, rps: 80 }))).toBe(1);
  });

  test('between its looks it changes nothing', () => {
    const hpa = createHpaOnRate(80, { windowSeconds: 15 });
    expect(hpa(steadySight({ second: 7, ready: 5, rps: 8_000 }))).toBe(5);
  });
});

/** Their target is the number of each case, their rates are ×10 and ÷10 as in the original's tests. */
describe('Knative KPA, by autoscaler_test.go of knative/serving', () => {
  const rates = { maxScaleUpRate: 10, maxScaleDownRate: 10 };

  test('TestAutoscalerPanicModeExponentialTrackAndStabilize', () => {
    const kpa = new KnativeAutoscaler(1, undefined, rates);
    expect(kpa.scale(0, { stable: 6, panic: 6, ready: 1 })).toBe(6);
    expect(kpa.scale(1, { stable: 36, panic: 36, ready: 6 })).toBe(36);
    expect(kpa.scale(2, { stable: 216, panic: 216, ready: 36 })).toBe(216);
    expect(kpa.scale(3, { stable: 1_296, panic: 1_296, ready: 216 })).toBe(1_296);
    expect(kpa.scale(4, { stable: 1_296, panic: 1_296, ready: 1_296 })).toBe(1_296);
  });

  test('TestAutoscalerPanicThenUnPanicScaleDown', () => {
    const kpa = new KnativeAutoscaler(10, undefined, rates);
    expect(kpa.scale(0, { stable: 100, panic: 100, ready: 1 })).toBe(10);
    expect(kpa.scale(0, { stable: 100, panic: 1_000, ready: 10 })).toBe(100);
    expect(kpa.scale(30, { stable: 1, panic: 1, ready: 10 })).toBe(100);
    expect(kpa.scale(61, { stable: 1, panic: 1, ready: 10 })).toBe(1);
  });

  test('TestAutoscalerUnpanicAfterSlowIncrease', () => {
    const kpa = new KnativeAutoscaler(1, undefined, rates);
    expect(kpa.scale(0, { stable: 11, panic: 25, ready: 10 })).toBe(25);
    expect(kpa.scale(30, { stable: 30, panic: 41, ready: 40 })).toBe(41);
    expect(kpa.scale(62, { stable: 50, panic: 56, ready: 55 })).toBe(50);
  });

  test('TestAutoscalerExtendPanicWindow', () => {
    const kpa = new KnativeAutoscaler(1, undefined, rates);
    expect(kpa.scale(0, { stable: 11, panic: 25, ready: 10 })).toBe(25);
    expect(kpa.scale(30, { stable: 30, panic: 80, ready: 40 })).toBe(80);
    expect(kpa.scale(62, { stable: 30, panic: 30, ready: 80 })).toBe(80);
  });

  test.each([
    ['AutoscalerPanicStableLargerThanPanic', 50, 30, 50],
    ['AutoscalerPanicStableLessThanPanic', 20, 30, 30],
  ])('%s', (_, stable, panic, pods) => {
    expect(new KnativeAutoscaler(1, 5, rates).scale(5, { stable, panic, ready: 5 })).toBe(pods);
  });

  test('TestAutoscalerRateLimitScaleUp and -Down', () => {
    const up = new KnativeAutoscaler(10, undefined, rates);
    expect(up.scale(0, { stable: 1_000, panic: 1_001, ready: 1 })).toBe(10);
    expect(up.scale(2, { stable: 1_000, panic: 1_001, ready: 10 })).toBe(100);
    const down = new KnativeAutoscaler(10, undefined, rates);
    expect(down.scale(0, { stable: 1, panic: 1, ready: 100 })).toBe(10);
    expect(down.scale(2, { stable: 1, panic: 1, ready: 10 })).toBe(1);
  });

  test('by default at most half of what is ready goes at once', () => {
    expect(new KnativeAutoscaler(10).scale(0, { stable: 1, panic: 1, ready: 100 })).toBe(50);
  });
});

describe('AWS step scaling, by the example of its page', () => {
  test('10 instances: 60 % makes 11, 70 % then 14, 40 % then 13, 30 % then 10', () => {
    let capacity = 10;
    const counts = [60, 70, 40, 30].map((percent) => {
      capacity += stepChange(percent, capacity, DOCUMENTED_STEPS);
      return capacity;
    });
    expect(counts).toEqual([11, 14, 13, 10]);
  });

  test.each([
    ['0.2 of an instance is one', 60, 2, 1],
    ['minus 0.2 of an instance is minus one', 40, 2, -1],
    ['6.67 instances are six', 70, 22.23, 6],
    ['between the marks nothing happens', 59.9, 10, 0],
  ])('rounding: %s', (_, percent, capacity, change) => {
    expect(stepChange(percent, capacity, DOCUMENTED_STEPS)).toBe(change);
  });

  test('a breach while instances warm up orders only what they do not cover', () => {
    const policy = createStepScaling(0);
    // The metric is still that of 10 nodes at 75 %; 13 are ordered already.
    const sight = steadySight({ second: 60, ready: 10, ordered: 13, rps: 750 });
    expect(policy(sight)).toBe(13);
    expect(policy({ ...sight, ordered: 11 })).toBe(13);
  });
});

describe('AWS target tracking', () => {
  const options = { periodSeconds: 60, delaySeconds: 60, lowMark: 0.9 };

  test('capacity follows the metric in proportion: the page has 50 % CPU kept by two instances', () => {
    expect(trackTarget(50, 50, 2)).toBe(2);
    expect(trackTarget(75, 50, 2)).toBe(3);
    expect(trackTarget(25, 50, 2)).toBe(1);
  });

  test('it scales out at the third data point above the target, not before', () => {
    const policy = createTargetTracking(80, options);
    const counts = [0, 60, 120].map((second) =>
      policy(steadySight({ second, ready: 4, rps: 480 })),
    );
    expect(counts).toEqual([4, 4, 6]);
  });

  test('it scales in at the fifteenth data point below 90 %, and not while instances warm up', () => {
    const policy = createTargetTracking(80, options);
    const minutes = Array.from({ length: 16 }, (_, minute) => minute);
    const counts = minutes.map((minute) =>
      policy(
        steadySight({ second: minute * 60, ready: 10, rps: 400, ordered: minute === 14 ? 11 : 10 }),
      ),
    );
    expect(counts.slice(12)).toEqual([10, 10, 11, 5]);
  });

  test('at 85 % of the target the newer mark of 70 % keeps what the older one of 90 % lets go', () => {
    const seconds = Array.from({ length: 15 }, (_, minute) => minute * 60);
    const last = (lowMark: number): number | undefined => {
      const policy = createTargetTracking(80, { ...options, lowMark });
      return seconds.map((second) => policy(steadySight({ second, ready: 10, rps: 640 }))).at(-1);
    };
    expect([last(0.9), last(0.7)]).toEqual([8, 10]);
  });
});

describe('the others', () => {
  test('GCE: the highest load of ten minutes counts', () => {
    const group = createManagedGroup(80);
    expect(group(steadySight({ second: 0, ready: 2, rps: 800 }))).toBe(10);
    expect(group(steadySight({ second: 590, ready: 10, rps: 80 }))).toBe(10);
    expect(group(steadySight({ second: 600, ready: 10, rps: 80 }))).toBe(1);
  });

  /** `Run` and `calculateDirection` of the strategy: the count times the factor, rounded up. */
  test.each([
    ['twice the target', 20, 10, 2, 4],
    ['1 % above', 10.1, 10, 8, 8],
    ['2 % above', 10.2, 10, 8, 9],
    ['1 % below', 9.9, 10, 80, 80],
    ['2 % below', 9.8, 10, 80, 79],
  ])('Nomad target-value: %s', (_, metric, target, count, wanted) => {
    expect(targetValueCount(metric, target, count)).toBe(wanted);
  });

  test('Nomad does nothing for five minutes after an action, nor while instances start', () => {
    const nomad = createNomad(80);
    expect(nomad(steadySight({ second: 0, ready: 2, ordered: 3, rps: 800 }))).toBe(3);
    expect(nomad(steadySight({ second: 10, ready: 2, rps: 800 }))).toBe(10);
    expect(nomad(steadySight({ second: 300, ready: 10, rps: 1_600 }))).toBe(10);
    expect(nomad(steadySight({ second: 310, ready: 10, rps: 1_600 }))).toBe(20);
  });

  test('OneFlow adds two at the third true evaluation, and then cools down for five minutes', () => {
    const oneflow = createOneFlow(80);
    const counts = [0, 90, 180, 270, 450, 540].map((second) =>
      oneflow(steadySight({ second, ready: 4, rps: 800 })),
    );
    expect(counts).toEqual([4, 4, 6, 4, 4, 6]);
  });

  /** `repair` of Reactive.py. */
  test.each([
    ['short by 5: six more', 14.5, 15, 10, 16],
    ['as needed', 9.5, 10, 10, 10],
    ['10 % too many are too many', 9, 9, 10, 11],
    ['far too many: 20 % above the need', 4.2, 5, 10, 6],
  ])('React: %s', (_, load, need, nodes, wanted) => {
    expect(reactNodes(load, need, nodes)).toBe(wanted);
  });

  test('Adapt goes up at once to 10 % above the need, and down by a quarter of the surplus', () => {
    expect(new AdaptController().decide(20, 10)).toBe(22 + 10);
    const down = new AdaptController();
    expect(down.decide(2, 10)).toBe(8);
    expect(new AdaptController().decide(9, 10)).toBe(10);
  });

  test('Hist takes the 90th percentile of the hour, less the error of late', () => {
    const hist = createHist(80);
    // Of ten minutes nine need 4 nodes and one needs 12; four are there, so that errors are 0 but for one.
    for (let minute = 0; minute < 10; minute += 1) {
      hist(steadySight({ second: minute * 60, ready: 4, rps: minute === 0 ? 960 : 320 }));
    }
    expect(hist(steadySight({ second: 600, ready: 4, rps: 320 }))).toBe(12);
  });

  test('Reg never goes up by its regression, and at a shortage to 5 % above the need', () => {
    const reg = createReg(80);
    for (let minute = 0; minute < 20; minute += 1) {
      expect(reg(steadySight({ second: minute * 60, ready: 12, rps: 800 }))).toBe(12);
    }
    expect(reg(steadySight({ second: 1_200, ready: 30, rps: 800 }))).toBe(12);
    expect(reg(steadySight({ second: 1_260, ready: 10, rps: 1_600 }))).toBe(21);
  });

  test('ConPaaS forecasts the next minute of a line', () => {
    const conpaas = createConPaas(80);
    const counts = Array.from({ length: 24 }, (_, minute) =>
      conpaas(steadySight({ second: minute * 60, ready: 2, rps: 80 * (minute + 1) - 8 })),
    );
    // The 24th minute needs 24 nodes, and the next one 25.
    expect(counts.at(-1)).toBe(25);
  });

  test('Chameleon-like plans two minutes ahead, and its reactive rule only raises the plan', () => {
    const chameleon = createChameleonLike(80);
    const rising = Array.from({ length: 20 }, (_, minute) =>
      chameleon(steadySight({ second: minute * 60, ready: 2, rps: 80 * (minute + 1) - 8 })),
    );
    expect(rising.at(-1)).toBe(22);
    expect(chameleon(steadySight({ second: 1_200, ready: 30, rps: 3_200 }))).toBeGreaterThanOrEqual(
      40,
    );
  });
});
