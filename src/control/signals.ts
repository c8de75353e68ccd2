/** What all balancers together say of one tier's traffic. */

import type { Sample, Signals } from '../scaler/observation.ts';
import type { BackendReport } from './ports.ts';
import { aged, combine, pair } from './samples.ts';

/** One balancer's latest report of the tier's backend, and how old it is. */
export interface AgedReport {
  readonly balancer: string;
  readonly report: BackendReport | undefined;
  readonly ageMs: number;
  readonly answers: boolean;
  /**
   * Its request rates since all others that answer were last asked, that of right before included; the latest last.
   * Empty when it has begun to answer since then.
   */
  readonly rates: readonly Sample<number>[];
}

const NOT_SHOWN: Sample<never> = {
  status: 'absent',
  why: 'the balancer has not shown the backend',
};

const NOT_SETTLED: Sample<never> = {
  status: 'absent',
  why: 'a balancer has only begun to answer',
};

/**
 * Sums over the balancers that answer; the queue and the slots are as good as the rates that came with them. The
 * traffic of a silent one may be at another by now, so what it said last counts only while none answers.
 *
 * Slots are those of the fullest balancer: each has its own, and a passive one's are of no use to the other.
 */
export function readSignals(reports: readonly AgedReport[]): Signals {
  const anyAnswers = reports.some(({ answers }) => answers);
  const sampleOf = (
    { report, ageMs, answers, balancer }: AgedReport,
    read: (report: BackendReport) => Sample<number>,
  ): Sample<number> =>
    anyAnswers && !answers
      ? { status: 'absent', why: `${balancer} does not answer` }
      : aged(report === undefined ? NOT_SHOWN : read(report), ageMs);
  const rates = reports.map((one) => sampleOf(one, ({ requestRate }) => lowest(requestRate, one)));
  const served = reports.map((one) => sampleOf(one, ({ servedRate }) => servedRate));
  // What waited at a balancer that has long been silent waits no more.
  const heard = reports.filter((_, index) => rates[index]?.status !== 'absent');
  const requestRate = combine(rates, add);
  return {
    requestRate,
    queue: pair(requestRate, combine(served, add), (_, servedRps) => ({
      requests: heard.reduce((sum, { report }) => sum + (report?.queued ?? 0), 0),
      servedRps,
    })),
    slots: pair(requestRate, requestRate, () => fullest(heard)),
  };
}

/**
 * Answers are not of one moment, and visitors who change from one balancer to another between them would count
 * twice: until all others have been asked again, the lowest rate since then counts. A rise is believed later.
 */
function lowest(latest: Sample<number>, { rates }: AgedReport): Sample<number> {
  if (latest.status === 'absent') {
    return latest;
  }
  let lowestRps = latest.value;
  for (const rate of rates.length === 0 ? [NOT_SETTLED] : rates) {
    if (rate.status === 'absent') {
      return rate;
    }
    lowestRps = Math.min(lowestRps, rate.value);
  }
  return { ...latest, value: lowestRps };
}

function fullest(heard: readonly AgedReport[]): { readonly used: number; readonly total: number } {
  let found = { used: 0, total: 0 };
  for (const { report } of heard) {
    const { usedSlots: used, totalSlots: total } = report ?? { usedSlots: 0, totalSlots: 0 };
    // Without a division: one that has no slots at all is not full.
    if (used * found.total > found.used * total || found.total === 0) {
      found = { used, total };
    }
  }
  return found;
}

function add(one: number, other: number): number {
  return one + other;
}
