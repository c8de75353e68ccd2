/** Generated flash crowds, with the shapes and sizes of measured ones. */

import { createRandom } from '../../src/embedded/random.ts';
import { drawNormal } from '../../src/sim/physics.ts';
import { drawClumped } from './chance.ts';

/** What is drawn of one storm. Rates in requests per second, times in minutes from the start. */
export interface Storm {
  readonly baseRps: number;
  /** The peak of the first hump is so many times the base. */
  readonly factor: number;
  readonly startMinute: number;
  /** 0 is a front: the whole jump falls within 10 s. */
  readonly riseMinutes: number;
  readonly dayPhase: number;
  readonly second: { readonly startMinute: number; readonly factor: number } | undefined;
  readonly falseAlarm: { readonly startMinute: number; readonly seconds: number } | undefined;
  /** Mean requests of one page view. */
  readonly clump: number;
}

const STORM_SECONDS = 6 * 3_600;
const LEAD_MINUTES = 45;
const PEAK_MAX_RPS = 12_000;
const DAY_MINUTES = 1_440;
/** How much the rate of a day swings about its mean. */
const DAY_SWING = 0.25;
const FRONT_MINUTES = 10 / 60;

/** Draws the parameters of a storm. Same seed, same storm. */
export function drawStorm(seed: number): Storm {
  const random = createRandom(seed);
  const baseRps = logUniform(25, 300, random);
  const highest = Math.min(200, PEAK_MAX_RPS / baseRps);
  const factor = Math.min(logUniform(5, 200, random), highest);
  const riseMinutes = logUniform(0.5, 40, random);
  const dayPhase = random() * DAY_MINUTES;
  const clump = 3 + 7 * random();
  const hasSecond = random() < 0.3;
  const secondAfter = 90 * Math.exp(0.35 * drawNormal(random));
  const secondShare = 0.2 + 0.5 * random();
  const hasFalseAlarm = random() < 0.2;
  const falseAlarmAt = 5 + 30 * random();
  const falseAlarmSeconds = 60 + 60 * random();
  const isFront = random() < 0.1;
  return {
    baseRps,
    factor,
    startMinute: LEAD_MINUTES,
    riseMinutes: isFront ? 0 : riseMinutes,
    dayPhase,
    second: hasSecond
      ? { startMinute: LEAD_MINUTES + secondAfter, factor: Math.max(1, factor * secondShare) }
      : undefined,
    falseAlarm: hasFalseAlarm
      ? { startMinute: falseAlarmAt, seconds: falseAlarmSeconds }
      : undefined,
    clump,
  };
}

/**
 * The rate of each second: a day's swing, and humps that rise like 1 − exp(−2.3 t / rise) and decay like
 * exp(−0.4 t^0.4), t in minutes.
 *
 * @see Wu and Huberman, Novelty and collective attention, PNAS 104(45), 2007, for the decay
 */
export function stormRates(storm: Storm): Float64Array {
  const rates = new Float64Array(STORM_SECONDS);
  const top = highestOf(storm.riseMinutes);
  const { falseAlarm, second } = storm;
  for (let at = 0; at < STORM_SECONDS; at += 1) {
    const minute = at / 60;
    const turn = (2 * Math.PI * (minute + storm.dayPhase)) / DAY_MINUTES;
    let factor = 1 + DAY_SWING * Math.sin(turn);
    factor += ((storm.factor - 1) * shape(minute - storm.startMinute, storm.riseMinutes)) / top;
    if (second !== undefined) {
      factor += ((second.factor - 1) * shape(minute - second.startMinute, storm.riseMinutes)) / top;
    }
    if (falseAlarm !== undefined) {
      const since = at - falseAlarm.startMinute * 60;
      factor += since >= 0 && since < falseAlarm.seconds ? 1 : 0;
    }
    rates[at] = storm.baseRps * factor;
  }
  return rates;
}

/** The requests of each second. */
export function stormArrivals(seed: number): Float64Array {
  const storm = drawStorm(seed);
  const random = createRandom(seed ^ 0x5eed);
  return stormRates(storm).map((rps) => drawClumped(rps, storm.clump, random));
}

/** A hump's shape, `minutes` after its start; not scaled. */
function shape(minutes: number, riseMinutes: number): number {
  if (minutes <= 0) {
    return 0;
  }
  const decay = Math.exp(-0.4 * minutes ** 0.4);
  const risen =
    riseMinutes === 0
      ? Math.min(1, minutes / FRONT_MINUTES)
      : 1 - Math.exp((-2.3 * minutes) / riseMinutes);
  return decay * risen;
}

function highestOf(riseMinutes: number): number {
  let highest = 0;
  for (let second = 1; second < STORM_SECONDS; second += 1) {
    highest = Math.max(highest, shape(second / 60, riseMinutes));
  }
  return highest;
}

function logUniform(low: number, high: number, random: () => number): number {
  return low * (high / low) ** random();
}
