/** What was foreseen, and what each stage of it added, in sentences with its numbers. */

import type { ExplainInput } from './explain-input.ts';
import type { Outlook } from './foresee.ts';
import { agree, counted, inDigits, inTime } from './wording.ts';

export type OutlookStage = 'forecast' | 'head-room' | 'storm' | 'backlog';

/** Differences of rates below this share of them are not worth a sentence. */
const NEGLIGIBLE = 1e-6;

/** One sentence for each stage that added or took something; nothing while the rate is neither foreseen nor wavers. */
export function describeOutlook(
  input: ExplainInput,
): readonly { readonly stage: OutlookStage; readonly text: string }[] {
  const { outlook } = input.tick.decision;
  if (outlook === undefined) {
    return [];
  }
  return [
    ...describeForecast(input, outlook).map((text) => ({ stage: 'forecast' as const, text })),
    ...describeHeadroom(outlook).map((text) => ({ stage: 'head-room' as const, text })),
    ...describeStorm(input, outlook).map((text) => ({ stage: 'storm' as const, text })),
    ...describeBacklog(outlook).map((text) => ({ stage: 'backlog' as const, text })),
  ];
}

/** What the headline says of it: `480 rps foreseen in 50 s and 21 rps for its noise`; undefined when nothing is. */
export function summarizeOutlook(input: ExplainInput): string | undefined {
  const { outlook } = input.tick.decision;
  if (outlook === undefined) {
    return undefined;
  }
  const { rate, headroom, storm } = outlook;
  const parts = [
    storm === undefined ? [] : [`${inDigits(storm.aheadRps)} rps ordered ahead of a storm`],
    isForeseen(input, outlook)
      ? [`${inDigits(rate.forecastRps)} rps foreseen in ${inTime(rate.aheadSeconds * 1_000)}`]
      : [],
    isNoticeable(headroom.headroomRps, rate.levelRps)
      ? [`${inDigits(headroom.headroomRps)} rps for its noise`]
      : [],
  ].flat();
  return parts.length === 0 ? undefined : parts.join(', ');
}

function isNoticeable(rps: number, besideRps: number): boolean {
  return Math.abs(rps) > NEGLIGIBLE * Math.max(1, besideRps);
}

/** What is foreseen is not just what arrives. */
function isForeseen({ observation }: ExplainInput, { rate }: Outlook): boolean {
  const { requestRate } = observation.signals;
  const nowRps = requestRate.status === 'absent' ? 0 : requestRate.value;
  return isNoticeable(rate.forecastRps - nowRps, nowRps);
}

function describeForecast(input: ExplainInput, outlook: Outlook): readonly string[] {
  const { levelRps, trendRpsPerSecond, aheadSeconds, forecastRps } = outlook.rate;
  if (!isForeseen(input, outlook)) {
    return [];
  }
  const level = `Without its noise the rate is ${inDigits(levelRps)} rps`;
  if (!isNoticeable(trendRpsPerSecond * aheadSeconds, levelRps)) {
    return [`${level}, and does not rise.`];
  }
  return [
    `${level} and rises by ${inDigits(trendRpsPerSecond)} rps each second: ${inDigits(forecastRps)} rps are foreseen in ${inTime(aheadSeconds * 1_000)}, when a node that is ordered now serves.`,
  ];
}

function describeHeadroom({ rate, headroom }: Outlook): readonly string[] {
  const { noiseRps, headroomRps } = headroom;
  return isNoticeable(headroomRps, rate.levelRps)
    ? [
        `It wavers by ${inDigits(noiseRps)} rps: there is to be room for ${inDigits(headroomRps)} rps more.`,
      ]
    : [];
}

function describeStorm({ formatTime }: ExplainInput, { storm }: Outlook): readonly string[] {
  if (storm === undefined) {
    return [];
  }
  const { sinceMs, by, aheadRps, endsAtMs } = storm;
  const why = by === 'surge' ? 'the rate surges' : 'requests queue';
  const end =
    endsAtMs === undefined ? '' : ` It lets go at ${formatTime(endsAtMs)} unless that goes on.`;
  return [
    `A storm was detected at ${formatTime(sinceMs)}, because ${why}: nodes for ${inDigits(aheadRps)} rps are ordered ahead of it.${end}`,
  ];
}

function describeBacklog({ backlog }: Outlook): readonly string[] {
  const { waiting, nodes } = backlog;
  return nodes > 0
    ? [
        `${counted(waiting, 'request')} ${agree(waiting, 'waits', 'wait')}: ${inDigits(nodes)} nodes more clear them.`,
      ]
    : [];
}
