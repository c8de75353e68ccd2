import type { FailureGroup, FailureReason } from '../../embedded/failure-log.ts';
import { print, printJson } from '../print.ts';
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
  /** So long the machine let neither the visitors nor their watch run; no other figure counts it. */
  readonly standstillSeconds: number;
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
  /** Where the logs are, when something went wrong. */
  readonly keptFolder: string | undefined;
}

/** What has come of it. */
export function tellResult(result: DemoResult, isJson: boolean): void {
  if (isJson) {
    printJson(result.summary);
  } else {
    printSummary(result);
  }
}

/** Less is no news on a machine of today. */
const TOLD_STANDSTILL_SECONDS = 0.1;

/** For a person: a chart, then the figures, and what there is against them. */
function printSummary(result: DemoResult): void {
  const { summary, failures, leftovers, keptFolder } = result;
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
  if (summary.standstillSeconds >= TOLD_STANDSTILL_SECONDS) {
    print(
      `this machine stood still for ${seconds(summary.standstillSeconds)} in all: the figures leave that out, and are too good if only this demo did`,
    );
  }
}

function seconds(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} s`;
}
