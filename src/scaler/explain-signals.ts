/** Signals → recommendation: what was read, and how many nodes it comes to, in sentences. */

import type { ExplainInput } from './explain-input.ts';
import { summarizeOutlook } from './explain-outlook.ts';
import { wholeNodes } from './limit.ts';
import type { Observation, QueueReading, Sample } from './observation.ts';
import type { SignalAdvice } from './recommend.ts';
import {
  agree,
  capitalized,
  counted,
  inDigits,
  inDigitsApart,
  inNodes,
  inTime,
} from './wording.ts';

/** One sentence for each configured signal, and one more when not all are known. */
export function describeSignals(input: ExplainInput): readonly string[] {
  const { observation, memory, tick, formatTime } = input;
  const { decision } = tick;
  const sentences = decision.advice.map((advice) => describeSignal(input, advice));
  if (decision.needNodes === undefined) {
    const last = memory.peaks.at(-1);
    sentences.push(
      last === undefined
        ? 'No signal has said yet how many nodes are needed.'
        : `No signal has said how many nodes are needed since ${formatTime(last.atMs)}, ${inTime(observation.atMs - last.atMs)} ago.`,
    );
  } else if (!decision.signalsKnown && memory.knownSinceMs !== undefined) {
    const since = formatTime(memory.knownSinceMs);
    sentences.push(`Until this tick every signal had been known since ${since}.`);
  }
  return sentences;
}

/** What the highest need comes to, beside what was wanted so far. */
export function describeNeed(input: ExplainInput): readonly string[] {
  const { advice, needNodes, currentNodes } = input.tick.decision;
  if (needNodes === undefined) {
    return [];
  }
  const top = topAdvice(input);
  const needs = advice.filter((one) => one.needNodes !== undefined);
  const whose =
    needs.length > 1 && top !== undefined ? `The highest need counts, ${ofSignal(top)}` : 'Needed';
  const isNew = input.memory.desiredNodes === undefined;
  const soFar = `${isNew ? 'found after the start' : 'wanted so far'}: ${currentNodes}`;
  const whole = wholeNodes(needNodes);
  const rounded = inNodes(needNodes) === String(whole) ? '' : `, rounded up to ${whole}`;
  return [`${whose}: ${needText(needNodes)}${rounded}; ${soFar}.`];
}

/** What the signal with the highest need says: `431 rps need 5.39 nodes at 80 rps each`. */
export function describeTop(input: ExplainInput): string {
  const { needNodes } = input.tick.decision;
  if (needNodes === undefined) {
    return 'no signal says how many nodes are needed';
  }
  const advice = topAdvice(input);
  const top = advice?.signal;
  const { requestRate, queue } = input.observation.signals;
  if (top === 'queue' && queue.status !== 'absent' && queue.value.requests > 0) {
    const { requests } = queue.value;
    return `${counted(requests, 'waiting request')} ${agree(requests, 'asks', 'ask')} for ${needText(needNodes)}`;
  }
  const target = nodeRpsOf(input);
  if (top === 'request-rate' && requestRate.status !== 'absent' && target !== undefined) {
    const known = requestRate.status === 'ok' ? '' : ', as far as is known,';
    const rps = advice?.heldRps;
    if (rps !== undefined) {
      return `the ${inDigits(rps)} rps from before the balancers changed need ${needText(needNodes)} at ${inDigits(target)} rps each`;
    }
    const foreseen = summarizeOutlook(input);
    const and = foreseen === undefined ? '' : `, with ${foreseen},`;
    return `${inDigits(requestRate.value)} rps${known}${and} need ${needText(needNodes)} at ${inDigits(target)} rps each`;
  }
  return `${needText(needNodes)} ${inNodes(needNodes) === '1' ? 'is' : 'are'} needed`;
}

function describeSignal(input: ExplainInput, advice: SignalAdvice): string {
  const { signals } = input.observation;
  switch (advice.signal) {
    case 'request-rate':
      return describeRate(input, signals.requestRate, advice);
    case 'queue':
      return describeQueue(input, signals.queue, advice);
  }
}

/** What a node is taken to serve: its target, unless its slots have shown less. */
function nodeRpsOf({ tier, tick }: ExplainInput): number | undefined {
  return tick.decision.outlook?.nodeRps ?? tier.policy.requestRate?.targetPerNodeRps;
}

function describeRate(
  input: ExplainInput,
  sample: Sample<number>,
  { needNodes, heldRps }: SignalAdvice,
): string {
  if (sample.status === 'absent' || needNodes === undefined) {
    return `The request rate is not known${whyNot(sample)}.`;
  }
  const { observation, tick } = input;
  const target = nodeRpsOf(input) ?? 0;
  // What is foreseen has sentences of its own.
  const nowNodes = tick.decision.outlook === undefined ? needNodes : sample.value / target;
  const need = `at ${inDigits(target)} rps per node they need ${needText(nowNodes)}`;
  const rates =
    heldRps === undefined
      ? `${inDigits(sample.value)} rps arrive;`
      : `${inDigits(sample.value)} rps arrive. ${describeChange(observation)}, and the ${inDigits(heldRps)} rps from before count for now:`;
  const sentence = `${asFarAsKnown(sample)}${rates} ${need}.`;
  return sample.status === 'ok'
    ? sentence
    : `${sentence} What is not known wholly and freshly may add nodes, and never takes one away.`;
}

/** Why an older rate counts. */
function describeChange({ atMs, balancersChangedAtMs = atMs }: Observation): string {
  return `Which balancers answer has changed ${inTime(atMs - balancersChangedAtMs)} ago`;
}

function asFarAsKnown(sample: Exclude<Sample<unknown>, { readonly status: 'absent' }>): string {
  switch (sample.status) {
    case 'ok':
      return '';
    case 'partial':
      return `As far as is known (${sample.why}), `;
    case 'stale':
      return `By the last news, ${inTime(sample.ageMs)} old, `;
  }
}

function describeQueue(
  { tier }: ExplainInput,
  sample: Sample<QueueReading>,
  { needNodes }: SignalAdvice,
): string {
  if (sample.status === 'absent' || needNodes === undefined) {
    return `The queue is not known${whyNot(sample)}.`;
  }
  const { requests, servedRps } = sample.value;
  if (requests === 0) {
    return capitalized(`${asFarAsKnown(sample)}no request waits at the balancers.`);
  }
  const wait =
    servedRps === 0
      ? 'none is being served'
      : describeWait(requests, servedRps, tier.policy.queue?.maxWaitMs ?? 0);
  const asks = `${agree(requests, 'it asks', 'they ask')} for ${needText(needNodes)}`;
  return `${asFarAsKnown(sample)}${counted(requests, 'request')} ${agree(requests, 'waits', 'wait')} at the balancers; ${wait}: ${asks}.`;
}

function describeWait(requests: number, servedRps: number, maxWaitMs: number): string {
  const waitMs = Math.min((requests / servedRps) * 1_000, LONG_WAIT_MS);
  const [close, most] = inDigitsApart(waitMs, maxWaitMs);
  const wait = waitMs < 10 * maxWaitMs ? `${close} ms` : inTime(waitMs);
  const atLeast = waitMs < LONG_WAIT_MS ? '' : 'at least ';
  const compared = waitMs > maxWaitMs ? 'more than the allowed' : 'within the allowed';
  return `at ${inDigits(servedRps)} rps being served that is a wait of ${atLeast}${wait}, ${compared} ${most} ms`;
}

/** Next to nothing is being served; how little exactly is no news. */
const LONG_WAIT_MS = 3_600_000;

function whyNot(sample: Sample<unknown>): string {
  return sample.status === 'absent' ? ` (${sample.why})` : ' (the reading is no number)';
}

function topAdvice({ tick }: ExplainInput): SignalAdvice | undefined {
  const { advice, needNodes } = tick.decision;
  return advice.find((one) => one.needNodes !== undefined && one.needNodes === needNodes);
}

function ofSignal({ signal }: SignalAdvice): string {
  return signal === 'queue' ? 'that of the queue' : 'that of the request rate';
}

/** `1 node`, `5.39 nodes`. */
export function needText(needNodes: number): string {
  const text = inNodes(needNodes);
  return `${text} ${text === '1' ? 'node' : 'nodes'}`;
}
