/** What all balancers together say of one tier's traffic. */

import type { Sample, Signals } from '../scaler/observation.ts';
import type { BackendReport } from './ports.ts';
import { aged, combine, pair } from './samples.ts';

/** One balancer's latest report of the tier's backend, and how old it is. */
export interface AgedReport {
  readonly report: BackendReport | undefined;
  readonly ageMs: number;
}

const NOT_SHOWN: Sample<never> = {
  status: 'absent',
  why: 'the balancer has not shown the backend',
};

/** Sums over all balancers; the queue and the slots are as good as the rates that came with them. */
export function readSignals(reports: readonly AgedReport[]): Signals {
  const rates = reports.map(({ report, ageMs }) => aged(report?.requestRate ?? NOT_SHOWN, ageMs));
  const served = reports.map(({ report, ageMs }) => aged(report?.servedRate ?? NOT_SHOWN, ageMs));
  // What waited at a balancer that has long been silent waits no more.
  const heard = reports.filter((_, index) => rates[index]?.status !== 'absent');
  const total = (valueOf: (report: BackendReport) => number): number =>
    heard.reduce((sum, { report }) => sum + (report === undefined ? 0 : valueOf(report)), 0);
  const requestRate = combine(rates, add);
  return {
    requestRate,
    queue: pair(requestRate, combine(served, add), (_, servedRps) => ({
      requests: total(({ queued }) => queued),
      servedRps,
    })),
    slots: pair(requestRate, requestRate, () => ({
      used: total(({ usedSlots }) => usedSlots),
      total: total(({ totalSlots }) => totalSlots),
    })),
  };
}

function add(one: number, other: number): number {
  return one + other;
}
