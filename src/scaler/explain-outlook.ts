/** What was foreseen, and what each stage of it added, in sentences with its numbers. */

import { ENGINE } from './constants.ts';
import type { ExplainInput } from './explain-input.ts';
import type { Outlook } from './foresee.ts';
import type { Storm } from './storm.ts';
import { counted, inDigits, inTime } from './wording.ts';

export type OutlookStage = 'forecast' | 'slots' | 'head-room' | 'storm' | 'scatter';

/** Rates and nodes that differ by less are not worth a sentence. */
const NEGLIGIBLE = 1e-6;

/** One sentence for each stage that added something; none while the rate is neither foreseen nor wavers. */
export function describeOutlook(
  input: ExplainInput,
): readonly { readonly stage: OutlookStage; readonly text: string }[] {
  const { outlook } = input.tick.decision;
  if (outlook === undefined) {
    return [];
  }
  const told = (stage: OutlookStage, texts: readonly string[]) =>
    texts.map((text) => ({ stage, text }));
  return [
    ...told('storm', describeStorm(input, outlook)),
    ...told('forecast', describeForecast(input, outlook)),
    ...told('slots', describeSlots(input, outlook)),
    ...told('head-room', describeHeadroom(outlook)),
    ...told('scatter', describeScatter(outlook)),
  ];
}

/** What the headline says of it: `480 rps foreseen in 50 s and 0.4 nodes of head-room`; undefined when nothing is. */
export function summarizeOutlook(input: ExplainInput): string | undefined {
  const { outlook } = input.tick.decision;
  if (outlook === undefined) {
    return undefined;
  }
  const { forecastRps, aheadSeconds, headroomNodes, scatterNodes } = outlook;
  const parts = [
    isForeseen(input, outlook)
      ? [
          `${inDigits(forecastRps)} rps foreseen in ${inTime(aheadSeconds * 1_000)}${isAhead(input, outlook) ? ', ahead of a storm' : ''}`,
        ]
      : [],
    isNoticeable(headroomNodes + scatterNodes)
      ? [`${inDigits(headroomNodes + scatterNodes)} nodes of head-room`]
      : [],
  ].flat();
  return parts.length === 0 ? undefined : parts.join(' and ');
}

/** When a storm lets go at the latest: its nodes then follow the rate as in a calm. */
export function stormEndsAtMs({ onsetMs }: Storm): number {
  return onsetMs + ENGINE.stormSeconds * 1_000;
}

function isNoticeable(amount: number): boolean {
  return Math.abs(amount) > NEGLIGIBLE;
}

/** What is foreseen is not just what arrives. */
function isForeseen({ observation }: ExplainInput, { forecastRps }: Outlook): boolean {
  const { requestRate } = observation.signals;
  return requestRate.status !== 'absent' && isNoticeable(forecastRps - requestRate.value);
}

/** A storm is expected to grow. */
function isAhead(input: ExplainInput, { storm, forecastRps }: Outlook): boolean {
  const { requestRate } = input.observation.signals;
  return storm !== undefined && requestRate.status !== 'absent' && forecastRps > requestRate.value;
}

function describeStorm(input: ExplainInput, outlook: Outlook): readonly string[] {
  const { storm, forecastRps, aheadSeconds } = outlook;
  if (storm === undefined) {
    return [];
  }
  const { formatTime } = input;
  const { onsetMs, onsetRps, detectedAtMs, baseRps } = storm;
  const ahead = isAhead(input, outlook)
    ? `Ahead of it, nodes are wanted for the ${inDigits(forecastRps)} rps that are foreseen in ${inTime(aheadSeconds * 1_000)}.`
    : 'It is not expected to grow any more, and nothing is ordered ahead of it.';
  const over = `${inDigits(ENGINE.stormOver * baseRps)} rps`;
  return [
    `A storm began at about ${formatTime(onsetMs)}, from ${inDigits(onsetRps)} rps. It was detected at ${formatTime(detectedAtMs)} by the request rate: ${describeAlarm(storm)}.`,
    `${ahead} It is over when less than ${over} come, without their noise, and at ${formatTime(stormEndsAtMs(storm))} at the latest; nodes go before, when less is foreseen.`,
  ];
}

/** `900 rps came where 400 ± 20 were foreseen, 25 times that deviation more`. */
function describeAlarm({ alarm, baseRps: foreseenRps }: Storm): string {
  const { rps, deviationRps, excess, seconds } = alarm;
  const times = inDigits((rps - foreseenRps) / deviationRps);
  const most = `more than ${ENGINE.stormAlarmDeviations} in sum are an alarm`;
  const sum =
    seconds < 2
      ? most
      : `in the last ${inTime(Math.round(seconds) * 1_000)} it was ${inDigits(excess)} in sum, and ${most}`;
  return `${inDigits(rps)} rps came where ${inDigits(foreseenRps)} ± ${inDigits(deviationRps)} rps were foreseen, ${times} times that deviation more; ${sum}`;
}

function describeForecast(input: ExplainInput, outlook: Outlook): readonly string[] {
  const { levelRps, aheadSeconds, forecastRps } = outlook;
  if (!isForeseen(input, outlook)) {
    return [];
  }
  return [
    `Without its noise the rate is ${inDigits(levelRps)} rps; ${inDigits(forecastRps)} rps are foreseen in ${inTime(aheadSeconds * 1_000)}, when a node that is ordered now serves.`,
  ];
}

function describeSlots({ tier }: ExplainInput, { nodeRps }: Outlook): readonly string[] {
  const targetRps = tier.policy.requestRate?.targetPerNodeRps ?? nodeRps;
  return nodeRps < targetRps
    ? [
        `Requests take the slots of a node for longer than its target of ${inDigits(targetRps)} rps leaves room for: it is taken to serve ${inDigits(nodeRps)} rps.`,
      ]
    : [];
}

function describeHeadroom({ deviationRps, headroomNodes }: Outlook): readonly string[] {
  return isNoticeable(headroomNodes)
    ? [
        `That is sure to ± ${inDigits(deviationRps)} rps, by the noise of the rate and by earlier forecasts: ${counted(Number(inDigits(headroomNodes)), 'node')} of head-room.`,
      ]
    : [];
}

function describeScatter({ scatterNodes }: Outlook): readonly string[] {
  return isNoticeable(scatterNodes)
    ? [
        `Requests suffer now and some boots take long: ${counted(Number(inDigits(scatterNodes)), 'node')} more.`,
      ]
    : [];
}
