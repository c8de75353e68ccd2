import type { LoadRun } from '../../embedded/load-generator.ts';
import type { FailureGroup, FailureReason } from '../../embedded/failure-log.ts';
import { print, printJson, say } from '../print.ts';
import { drawChart } from './chart.ts';
import type { Moment } from './timeline.ts';

/** What `--json` prints. */
export interface DemoSummary {
  readonly failedRequests: number;
  readonly totalRequests: number;
  readonly peakNodes: number;
  readonly finalNodes: number;
  /** From the onset; null when the nodes never fell short. */
  readonly secondsToFirstNode: number | null;
  readonly secondsToCatchUp: number | null;
  /** Over requests meant to be sent before the capacity had caught up; null when there are none. */
  readonly p99OnsetSeconds: number | null;
  readonly p99AfterSeconds: number | null;
  /** Processes and servers that should not be there at the end. */
  readonly leftovers: number;
}

export interface DemoResult {
  readonly summary: DemoSummary;
  /** Nothing failed, nothing was left, and the fleet is back where it should be. */
  readonly ok: boolean;
  readonly timeline: readonly Moment[];
  readonly ratedPerNodeRps: number;
  readonly failures: ReadonlyMap<FailureReason, FailureGroup>;
  readonly leftovers: readonly string[];
  /** Why the figures say little of Rackfire, when the machine was too busy to play the load on time. */
  readonly reservation: string | undefined;
  /** Where the logs are, when something went wrong. */
  readonly keptFolder: string | undefined;
}

/** When so many came late, the highest hundredth of latencies is the machine's. */
const LATE_SHARE = 0.01;

/** @returns Undefined when the load was played on time. */
export function findReservation({
  due,
  late,
  longestDelayMs,
}: Pick<LoadRun, 'due' | 'late' | 'longestDelayMs'>): string | undefined {
  return late <= LATE_SHARE * due
    ? undefined
    : `this machine was too busy, so do not believe the figures: ${late} of ${due} requests were sent more than 0.1 s late, one of them ${seconds(longestDelayMs / 1_000)}`;
}

/** What has come of it; as JSON it is the last line, also of who reads both streams as one. */
export function tellResult(result: DemoResult, isJson: boolean): void {
  if (!isJson) {
    printSummary(result);
    return;
  }
  if (result.reservation !== undefined) {
    say(result.reservation);
  }
  printJson(result.summary);
}

/** For a person: a chart, then the figures, and what there is against them. */
function printSummary(result: DemoResult): void {
  const { summary, failures, leftovers, reservation, keptFolder } = result;
  print('');
  print(drawChart(result.timeline, result.ratedPerNodeRps));
  print('');
  print(`requests            ${summary.totalRequests}, failed ${summary.failedRequests}`);
  print(`nodes               peak ${summary.peakNodes}, at the end ${summary.finalNodes}`);
  print(`first extra node    ${seconds(summary.secondsToFirstNode)} after the onset`);
  print(`capacity caught up  ${seconds(summary.secondsToCatchUp)} after the onset`);
  print(
    `p99 latency         ${seconds(summary.p99OnsetSeconds)} until then, ${seconds(summary.p99AfterSeconds)} from then on`,
  );
  print(`leftovers           ${summary.leftovers}`);
  for (const [reason, { count, samples }] of failures) {
    const [sample] = samples;
    print(
      `failed: ${count} × ${reason}${sample === undefined ? '' : `, first: ${sample.message}`}`,
    );
  }
  for (const leftover of leftovers) {
    print(`left over: ${leftover}`);
  }
  if (keptFolder !== undefined) {
    print(`logs are in ${keptFolder}`);
  }
  if (reservation !== undefined) {
    print(reservation);
  }
}

function seconds(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} s`;
}
