import type { Sight } from '../../bench/elasticity/scaler.ts';

/** A moment in which everything has been as it is for long: every mean is the present value. */
export function steadySight(
  moment: {
    readonly second: number;
    readonly ready: number;
    readonly rps: number;
  } & Partial<Sight>,
): Sight {
  const { rps, ready } = moment;
  return {
    ordered: ready,
    standby: 0,
    waiting: 0,
    servedRps: rps,
    usedSlots: rps / 10,
    bootTimes: [],
    meanRps: () => rps,
    meanRpsPerNode: () => rps / ready,
    meanUse: () => Math.min(1, rps / ready / 100),
    ...moment,
  };
}
