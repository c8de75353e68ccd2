import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Mode, ScaledTier } from '../../src/scaler/cluster.ts';
import type { DecidedTick } from '../../src/scaler/counterfactual.ts';
import { decide, EMPTY_MEMORY, type TierMemory } from '../../src/scaler/decide.ts';
import {
  type ExplainStage,
  type ExplainStep,
  type Explanation,
  explain,
} from '../../src/scaler/explain.ts';
import type { ExplainInput } from '../../src/scaler/explain-input.ts';
import type { Observation } from '../../src/scaler/observation.ts';
import type { NodeWord, Override, TierWord } from '../../src/scaler/override.ts';
import type { TierPolicy } from '../../src/scaler/policy.ts';
import type { ScheduleSighting } from '../../src/scaler/schedule.ts';
import { tickTier } from '../../src/scaler/tick.ts';
import { startLab } from '../control/lab.ts';
import { makeTier } from '../control/site.ts';
import { decidedTicks } from './random-ticks.ts';
import {
  hostOf,
  NOW_MS,
  observationOf,
  ok,
  PLAIN,
  seen,
  serving,
  settledAt,
  signalsOf,
  UNKNOWN_SIGNALS,
  under,
  webTier,
} from './world.ts';

/** `NOW_MS` is 14:07:00. */
function formatTime(atMs: number): string {
  return new Date(Date.UTC(2026, 0, 1, 14, 7) + atMs - NOW_MS).toISOString().slice(11, 19);
}

/** The defaults of a config. */
const DEFAULTS: Partial<TierPolicy> = {
  scaleOut: {
    tolerance: 0.05,
    policies: [
      { kind: 'percent', percent: 100, periodMs: 15_000 },
      { kind: 'nodes', nodes: 4, periodMs: 15_000 },
    ],
  },
  scaleIn: {
    tolerance: 0.1,
    stabilizationWindowMs: 'auto',
    policies: [{ kind: 'percent', percent: 25, periodMs: 15_000 }],
  },
};

const OFFICE_HOURS: ScheduleSighting = {
  cron: '0 8 * * mon-fri',
  durationMs: 32_400_000,
  timeZone: 'Europe/Berlin',
  minNodes: 6,
  untilMs: NOW_MS + 10_380_000,
  fromMs: NOW_MS + 64_380_000,
};

/** Boots take 20 s here. */
const SALE: ScheduleSighting = {
  cron: '0 20 * * *',
  durationMs: 7_200_000,
  timeZone: 'UTC',
  minNodes: 8,
  maxNodes: 20,
  freeze: 'scale-in',
  fromMs: NOW_MS + 30_000,
};

interface Situation {
  readonly desired?: number;
  readonly rps?: number;
  readonly changes?: Partial<Observation>;
  readonly memory?: Partial<TierMemory>;
  readonly policy?: Partial<TierPolicy>;
  readonly mode?: Mode;
}

function inputOf(situation: Situation): ExplainInput {
  const { desired = 4, rps = 320, mode = 'full' } = situation;
  const tier: ScaledTier = webTier({ ...DEFAULTS, ...situation.policy });
  const observation = observationOf({
    nodes: serving(desired),
    signals: signalsOf(rps),
    ...PLAIN,
    ...situation.changes,
  });
  const memory = settledAt(desired, situation.memory);
  const tick = tickTier(tier, mode, observation, memory);
  return { tier, mode, observation, memory, tick, formatTime };
}

function told(situation: Situation): Explanation {
  return explain(inputOf(situation));
}

function expectSteps(situation: Situation, stage: ExplainStage, texts: readonly string[]): void {
  expect(sentencesAt(told(situation).steps, stage)).toEqual(texts);
}

function sentencesAt(steps: readonly ExplainStep[], stage: ExplainStage): readonly string[] {
  return steps.filter((step) => step.stage === stage).map(({ text }) => text);
}

function sentencesOf({ headline, steps, whatIf }: Explanation): readonly string[] {
  return [headline, ...steps.map(({ text }) => text), ...whatIf];
}

const modes = fc.constantFrom<Mode>('observe', 'full');

const ago = (seconds: number): number => NOW_MS - seconds * 1_000;

function word(what: TierWord | Pick<NodeWord, 'kind' | 'number'>, reason = 'sale'): Override {
  const node = 'number' in what ? { ...what, bornMs: 1_000 } : what;
  return { ...node, id: 'o7', reason, untilMs: NOW_MS + 600_000 };
}

test('every schedule is told: whether it holds, until when, and what comes next', () => {
  const { fromMs: _, ...spent } = SALE;
  const later = { ...SALE, fromMs: NOW_MS + 600_000 };
  const schedules = [OFFICE_HOURS, later, { ...later, isOrdered: true as const }, spent];
  expectSteps({ changes: { schedules } }, 'schedules', [
    'Schedule “0 8 * * mon-fri” (9 h, Europe/Berlin) holds until 17:00:00, and again from 08:00:00: at least 6 nodes.',
    'Schedule “0 20 * * *” (2 h, UTC) holds next from 14:17:00: at least 8 nodes, at most 20 nodes and no node goes; they are ordered from 14:16:20, so that they serve by then.',
    'Schedule “0 20 * * *” (2 h, UTC) holds next from 14:17:00: at least 8 nodes, at most 20 nodes and no node goes; they are ordered already, so that they serve by then.',
    'Schedule “0 20 * * *” (2 h, UTC) does not hold, and never will: at least 8 nodes, at most 20 nodes and no node goes.',
  ]);
});

describe('an explanation of', () => {
  test.each<[string, Situation, string, readonly string[], readonly string[]]>([
    [
      'a scale-out',
      { rps: 431.27 },
      'news/web scales out from 4 to 6 nodes: 431 rps need 5.39 nodes at 80 rps each.',
      [
        'signal: 431 rps arrive; at 80 rps per node they need 5.39 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 5.39 nodes, rounded up to 6; wanted so far: 4.',
        'recommended: 5.39 is more than 4 by more than the tolerated 5 % (up to 4.2): 6 are recommended.',
        'nodes: 4 nodes are in service.',
        'action: news-web-5 on xen-b and news-web-6 on xen-b are booted, because they are needed.',
      ],
      [
        'Would not have scaled out at 336 rps or less; the rate is 431 rps.',
        'Would scale in to 5 nodes at 14:07:30 if the rate were 400 rps from now on; at more it would not.',
      ],
    ],
    [
      'a scale-out that the scaling policies slow down',
      { rps: 1_500, memory: { changes: [{ atMs: ago(9), nodes: 2 }] } },
      'news/web scales out from 4 to 6 nodes: 1500 rps need 18.8 nodes at 80 rps each, but the scaling policies allow no more now.',
      [
        'signal: 1500 rps arrive; at 80 rps per node they need 18.8 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 18.8 nodes, rounded up to 19; wanted so far: 4.',
        'recommended: 18.8 is more than 4 by more than the tolerated 5 % (up to 4.2): 19 are recommended.',
        'maximum: The maximum is 12 nodes: 12 instead of 19.',
        'scaling-policy: The scaling policies allow no more than 6 now: 6 instead of 12. 100 % more per 15 s allows 4 (2 came in that time); 4 nodes more per 15 s allows 6 (2 came in that time).',
        'nodes: 4 nodes are in service.',
        'action: news-web-5 on xen-b and news-web-6 on xen-b are booted, because they are needed.',
      ],
      [
        'Would not have scaled out at 336 rps or less; the rate is 1500 rps.',
        'Would scale out further, to 8 nodes at 14:07:06 if the rate stays at 1500 rps.',
        'Would scale in to 5 nodes at 14:07:30 if the rate were 400 rps from now on; at more it would not.',
      ],
    ],
    [
      'a scale-out for which there is no room',
      {
        rps: 560,
        changes: {
          hosts: [hostOf('xen-a', { freeMemoryMiB: 724 }), hostOf('xen-b', { reachable: false })],
        },
      },
      'news/web scales out from 4 to 7 nodes: 560 rps need 7 nodes at 80 rps each; 2 more nodes cannot be booted.',
      [
        'signal: 560 rps arrive; at 80 rps per node they need 7 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 7 nodes; wanted so far: 4.',
        'recommended: 7 is more than 4 by more than the tolerated 5 % (up to 4.2): 7 are recommended.',
        'nodes: 4 nodes are in service.',
        'shortfall: 2 more nodes are needed and cannot be booted: xen-a has 212 MiB of memory left and a node needs 512 MiB; xen-b does not answer.',
        'action: news-web-5 on xen-a is booted, because it is needed.',
      ],
      [
        'Would not have scaled out at 336 rps or less; the rate is 560 rps.',
        'Would scale in to 6 nodes at 14:07:30 if the rate were 480 rps from now on; at more it would not.',
        'Would add 2 more, but xen-a has 212 MiB of memory left and a node needs 512 MiB; xen-b does not answer.',
      ],
    ],
    [
      'a scale-in',
      { desired: 8, rps: 170 },
      'news/web scales in from 8 to 6 nodes: 170 rps need 2.13 nodes at 80 rps each, and no more were needed in the last 30 s, but the scaling policies allow no fewer now.',
      [
        'signal: 170 rps arrive; at 80 rps per node they need 2.13 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 2.13 nodes, rounded up to 3; wanted so far: 8.',
        'recommended: The highest need of the last 30 s, 2.13, is less than 8 by more than the tolerated 10 % (down to 7.2): 3 are recommended.',
        'scaling-policy: The scaling policies allow no fewer than 6 now: 6 instead of 3. 25 % fewer per 15 s allows 6.',
        'nodes: 8 nodes are in service.',
        'action: news-web-8 and news-web-7 are drained, because they are not needed.',
      ],
      [
        'Would scale out to 9 nodes at 673 rps; the rate is 170 rps.',
        'Would scale in further, to 5 nodes at 14:07:15 if the rate stays at 170 rps.',
        'Would scale in further, to 5 nodes at 14:07:15 if the rate were 400 rps from now on; at more it would not.',
      ],
    ],
    [
      'a scale-in that waits for the window',
      {
        rps: 87,
        memory: {
          peaks: [
            { atMs: ago(20), needNodes: 4.1 },
            { atMs: ago(5), needNodes: 3.7 },
            { atMs: ago(1), needNodes: 1.2 },
          ],
        },
      },
      'news/web stays at 4 nodes: 87 rps need 1.09 nodes at 80 rps each, but 3.7 nodes were needed at 14:06:55, which counts until 14:07:25.',
      [
        'signal: 87 rps arrive; at 80 rps per node they need 1.09 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 1.09 nodes, rounded up to 2; wanted so far: 4.',
        'stabilizing: 1.09 nodes would do now, but scale-in waits until the need has been less than 4 by more than the tolerated 10 %, less than 3.6, for 30 s: 3.7 nodes were needed at 14:06:55, which counts until 14:07:25.',
        'nodes: 4 nodes are in service.',
        'action: Nothing is done in this tick.',
      ],
      [
        'Would scale out to 5 nodes at 337 rps; the rate is 87 rps.',
        'Would scale in to 3 nodes at 14:07:25 if the rate stays at 87 rps.',
        'Would scale in to 3 nodes at 14:07:25 if the rate were 240 rps from now on; at more it would not.',
      ],
    ],
    [
      'nothing to change',
      { desired: 2, rps: 160 },
      'news/web stays at 2 nodes: 160 rps need 2 nodes at 80 rps each, and that is what is wanted already: 2.',
      [
        'signal: 160 rps arrive; at 80 rps per node they need 2 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 2 nodes; wanted so far: 2.',
        'converged: That is what is wanted already: 2.',
        'nodes: 2 nodes are in service.',
        'action: Nothing is done in this tick.',
      ],
      [
        'Would scale out to 3 nodes at 169 rps; the rate is 160 rps.',
        'Would not scale in within 10 min, whatever the rate: the minimum is 2 nodes.',
      ],
    ],
    [
      'nothing known',
      {
        changes: { signals: UNKNOWN_SIGNALS },
        memory: {
          peaks: [
            { atMs: ago(20), needNodes: 4.1 },
            { atMs: ago(12), needNodes: 2 },
          ],
        },
      },
      'news/web stays at 4 nodes: not every signal is known, and unknown never lets nodes go.',
      [
        'signal: The request rate is not known (no answer).',
        'signal: The queue is not known (no answer).',
        'signal: No signal has said how many nodes are needed since 14:06:48, 12 s ago.',
        'signals-unknown: No signal says how many nodes are needed: 4 stay.',
        'nodes: 4 nodes are in service.',
        'action: Nothing is done in this tick.',
      ],
      [
        'Would scale out to 5 nodes at 337 rps; the rate is not known.',
        'Would scale in to 3 nodes at 14:07:31 if the rate were 240 rps from now on, and every signal is known from now on, leaving aside how many requests are in work then; at more it would not.',
      ],
    ],
    [
      'an operator who holds',
      { rps: 600, changes: { overrides: [word({ kind: 'hold', nodes: 3 })] } },
      'news/web scales in from 4 to 3 nodes: override o7 (“sale”, until 14:17:00) holds it at 3 nodes.',
      [
        'signal: 600 rps arrive; at 80 rps per node they need 7.5 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 7.5 nodes, rounded up to 8; wanted so far: 4.',
        'recommended: 7.5 is more than 4 by more than the tolerated 5 % (up to 4.2): 8 are recommended.',
        'held: Override o7 (“sale”, until 14:17:00) holds it at 3 nodes: 3 instead of 8.',
        'nodes: 4 nodes are in service.',
        'action: news-web-4 is drained, because it is not needed.',
      ],
      [
        'Would not scale out now, whatever the rate: override o7 (“sale”, until 14:17:00) holds the count.',
        'Would scale out to 7 nodes at 14:17:00 (when override o7 has ended) if the rate stays at 600 rps.',
        'Would scale in further, to 2 nodes at 14:17:00 (when override o7 has ended) if the rate were 160 rps from now on; at more it would not.',
      ],
    ],
    [
      'a cluster that is only observed',
      { rps: 431.27, mode: 'observe' },
      'news/web would scale out from 4 to 6 nodes, were the mode not observe: 431 rps need 5.39 nodes at 80 rps each.',
      [
        'signal: 431 rps arrive; at 80 rps per node they need 5.39 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 5.39 nodes, rounded up to 6; wanted so far: 4.',
        'recommended: 5.39 is more than 4 by more than the tolerated 5 % (up to 4.2): 6 are recommended.',
        'nodes: 4 nodes are in service.',
        'held-back: news-web-5 on xen-b and news-web-6 on xen-b would be booted, because they are needed, but the mode is observe.',
      ],
      [
        'Would not have scaled out at 336 rps or less; the rate is 431 rps.',
        'Would scale in to 5 nodes at 14:07:30 if the rate were 400 rps from now on; at more it would not.',
      ],
    ],
    [
      'too many nodes that fail at once',
      { desired: 6, rps: 320, changes: { nodes: [...serving(4), seen.sick(5), seen.sick(6)] } },
      'news/web scales in from 6 to 5 nodes: 320 rps need 4 nodes at 80 rps each, and no more were needed in the last 30 s, but the scaling policies allow no fewer now; none that works goes while so many fail their checks.',
      [
        'signal: 320 rps arrive; at 80 rps per node they need 4 nodes.',
        'signal: No request waits at the balancers.',
        'need: The highest need counts, that of the request rate: 4 nodes; wanted so far: 6.',
        'recommended: The highest need of the last 30 s, 4, is less than 6 by more than the tolerated 10 % (down to 5.4): 4 are recommended.',
        'scaling-policy: The scaling policies allow no fewer than 5 now: 5 instead of 4. 25 % fewer per 15 s allows 5.',
        'nodes: 6 nodes are in service.',
        'nodes: news-web-5 is in rotation, but its check has failed for 15 s.',
        'nodes: news-web-6 is in rotation, but its check has failed for 15 s.',
        'healing-frozen: 2 nodes in rotation fail their checks at once, which is rather the network or a storm than the nodes: none of them is replaced, and none that works is let go.',
        'action: Nothing is done in this tick.',
      ],
      [
        'Would scale out to 7 nodes at 505 rps; the rate is 320 rps.',
        'Would scale in further, to 4 nodes at 14:07:15 if the rate stays at 320 rps.',
        'Would scale in further, to 4 nodes at 14:07:15 if the rate were 320 rps from now on; at more it would not.',
      ],
    ],
  ])('%s', (_, situation, headline, steps, whatIf) => {
    const explanation = told(situation);

    expect(explanation.headline).toBe(headline);
    expect(explanation.steps.map(({ stage, text }) => `${stage}: ${text}`)).toEqual(steps);
    expect(explanation.whatIf).toEqual(whatIf);
  });
});

describe('a signal', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'a rate in part',
      {
        changes: {
          signals: signalsOf(0, {
            requestRate: { status: 'partial', value: 90, why: 'lb-b does not answer' },
          }),
        },
      },
      'signal',
      [
        'As far as is known (lb-b does not answer), 90 rps arrive; at 80 rps per node they need 1.13 nodes. What is not known wholly and freshly may add nodes, and never takes one away.',
        'No request waits at the balancers.',
        'Until this tick every signal had been known since 11:20:20.',
      ],
    ],
    [
      'a rate of a while ago',
      {
        changes: {
          signals: signalsOf(0, { requestRate: { status: 'stale', value: 90, ageMs: 9_000 } }),
        },
        memory: { knownSinceMs: ago(3_600) },
      },
      'signal',
      [
        'By the last news, 9 s old, 90 rps arrive; at 80 rps per node they need 1.13 nodes. What is not known wholly and freshly may add nodes, and never takes one away.',
        'No request waits at the balancers.',
        'Until this tick every signal had been known since 13:07:00.',
      ],
    ],
    [
      'a reading that is none',
      { rps: Number.NaN },
      'signal',
      [
        'The request rate is not known (the reading is no number).',
        'No request waits at the balancers.',
        'Until this tick every signal had been known since 11:20:20.',
      ],
    ],
    [
      'a queue that is too long',
      { changes: { signals: signalsOf(300, { queue: ok({ requests: 120, servedRps: 280 }) }) } },
      'signal',
      [
        '300 rps arrive; at 80 rps per node they need 3.75 nodes.',
        '120 requests wait at the balancers; at 280 rps being served that is a wait of 429 ms, more than the allowed 100 ms: they ask for 4.46 nodes.',
      ],
    ],
    [
      'a queue of one, short enough',
      { changes: { signals: signalsOf(14.25, { queue: ok({ requests: 1, servedRps: 14.25 }) }) } },
      'signal',
      [
        '14.3 rps arrive; at 80 rps per node they need 0.18 nodes.',
        '1 request waits at the balancers; at 14.3 rps being served that is a wait of 70.2 ms, within the allowed 100 ms: it asks for 4 nodes.',
      ],
    ],
    [
      'a queue that is much too long',
      { changes: { signals: signalsOf(300, { queue: ok({ requests: 4_000, servedRps: 320 }) }) } },
      'signal',
      [
        '300 rps arrive; at 80 rps per node they need 3.75 nodes.',
        '4000 requests wait at the balancers; at 320 rps being served that is a wait of 12.5 s, more than the allowed 100 ms: they ask for 8 nodes.',
      ],
    ],
    [
      'a queue in part',
      {
        changes: {
          signals: signalsOf(300, {
            queue: {
              status: 'partial',
              value: { requests: 12, servedRps: 280 },
              why: 'incomplete',
            },
          }),
        },
      },
      'signal',
      [
        '300 rps arrive; at 80 rps per node they need 3.75 nodes.',
        'As far as is known (incomplete), 12 requests wait at the balancers; at 280 rps being served that is a wait of 42.9 ms, within the allowed 100 ms: they ask for 4 nodes.',
        'Until this tick every signal had been known since 11:20:20.',
      ],
    ],
    [
      'an empty queue of a while ago',
      {
        changes: {
          signals: signalsOf(300, {
            queue: { status: 'stale', value: { requests: 0, servedRps: 280 }, ageMs: 4_500 },
          }),
        },
      },
      'signal',
      [
        '300 rps arrive; at 80 rps per node they need 3.75 nodes.',
        'By the last news, 4.5 s old, no request waits at the balancers.',
        'Until this tick every signal had been known since 11:20:20.',
      ],
    ],
    [
      'a queue of which nothing is served',
      { changes: { signals: signalsOf(300, { queue: ok({ requests: 12, servedRps: 0 }) }) } },
      'signal',
      [
        '300 rps arrive; at 80 rps per node they need 3.75 nodes.',
        '12 requests wait at the balancers; none is being served: they ask for 5 nodes.',
      ],
    ],
    [
      'nothing heard yet',
      { changes: { signals: UNKNOWN_SIGNALS }, memory: EMPTY_MEMORY },
      'signal',
      [
        'The request rate is not known (no answer).',
        'The queue is not known (no answer).',
        'No signal has said yet how many nodes are needed.',
      ],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('the need', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'of the queue',
      { changes: { signals: signalsOf(300, { queue: ok({ requests: 120, servedRps: 280 }) }) } },
      'need',
      [
        'The highest need counts, that of the queue: 4.46 nodes, rounded up to 5; wanted so far: 4.',
      ],
    ],
    [
      'after a start',
      { rps: 160, memory: EMPTY_MEMORY },
      'need',
      ['The highest need counts, that of the request rate: 2 nodes; found after the start: 4.'],
    ],
    [
      'just above a whole number',
      { rps: 320.01 },
      'need',
      [
        'The highest need counts, that of the request rate: 4.0001 nodes, rounded up to 5; wanted so far: 4.',
      ],
    ],
    [
      'hardly above a whole number',
      { rps: 320.000_01 },
      'need',
      [
        'The highest need counts, that of the request rate: just over 4 nodes, rounded up to 5; wanted so far: 4.',
      ],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('a stage', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'recommends more',
      { rps: 337 },
      'recommended',
      ['4.21 is more than 4 by more than the tolerated 5 % (up to 4.2): 5 are recommended.'],
    ],
    [
      'recommends more after a start, where nothing is tolerated',
      { rps: 330, memory: EMPTY_MEMORY },
      'recommended',
      ['After a start nothing is tolerated: 5 are recommended.'],
    ],
    [
      'recommends fewer',
      { rps: 160 },
      'recommended',
      [
        'The highest need of the last 30 s, 2, is less than 4 by more than the tolerated 10 % (down to 3.6): 2 are recommended.',
      ],
    ],
    [
      'recommends fewer at once, without a window',
      {
        rps: 80,
        policy: { scaleIn: { tolerance: 0.125, stabilizationWindowMs: 0, policies: [] } },
      },
      'recommended',
      ['1 is less than 4 by more than the tolerated 12.5 % (down to 3.5): 1 is recommended.'],
    ],
    [
      'finds nothing to change',
      { rps: 300 },
      'converged',
      ['That, rounded up, is what is wanted already: 4.'],
    ],
    [
      'tolerates more',
      { rps: 336 },
      'within-tolerance',
      ['4.2 is more than 4, but within the tolerated 5 % (up to 4.2): 4 stay.'],
    ],
    [
      'tolerates less',
      { desired: 10, rps: 720 },
      'within-tolerance',
      ['9 is less than 10, but within the tolerated 10 % (down to 9): 10 stay.'],
    ],
    [
      'waits for a window to be full',
      { rps: 100, memory: { knownSinceMs: ago(12) } },
      'stabilizing',
      [
        '1.25 nodes would do now, but scale-in waits until the need has been less than 4 by more than the tolerated 10 %, less than 3.6, for 30 s: the signals have been known without a gap since 14:06:48, which is long enough at 14:07:18.',
      ],
    ],
    [
      'waits for a peak and for a window',
      { rps: 100, memory: { knownSinceMs: ago(12), peaks: [{ atMs: ago(3), needNodes: 4 }] } },
      'stabilizing',
      [
        '1.25 nodes would do now, but scale-in waits until the need has been less than 4 by more than the tolerated 10 %, less than 3.6, for 30 s: 4 nodes were needed at 14:06:57, which counts until 14:07:27; and the signals have been known without a gap since 14:06:48, which is long enough at 14:07:18.',
      ],
    ],
    [
      'waits to have known the rate for a boot, though what is foreseen would be held for less',
      { rps: 100, changes: { balancersChangedAtMs: 0 }, memory: { knownSinceMs: ago(20) } },
      'stabilizing',
      [
        '1.25 nodes would do now, but scale-in waits until the need has been less than 4 by more than the tolerated 10 %, less than 3.6, for 5 s: the signals have been known without a gap since 14:06:40, which is long enough at 14:07:10.',
      ],
    ],
    [
      'waits for a window of minutes',
      {
        rps: 100,
        policy: { scaleIn: { tolerance: 0.1, stabilizationWindowMs: 300_000, policies: [] } },
        memory: { peaks: [{ atMs: ago(3), needNodes: 4 }] },
      },
      'stabilizing',
      [
        '1.25 nodes would do now, but scale-in waits until the need has been less than 4 by more than the tolerated 10 %, less than 3.6, for 5 min: 4 nodes were needed at 14:06:57, which counts until 14:11:57.',
      ],
    ],
    [
      'does not know',
      { changes: { signals: UNKNOWN_SIGNALS } },
      'signals-unknown',
      ['No signal says how many nodes are needed: 4 stay.'],
    ],
    [
      'does not know enough to let nodes go',
      { changes: { signals: signalsOf(90, { queue: { status: 'absent', why: 'no answer' } }) } },
      'signals-unknown',
      ['Not every signal is known, and unknown never lets nodes go: 4 stay.'],
    ],
    [
      'does not know enough to come down to the maximum',
      { desired: 14, changes: { signals: UNKNOWN_SIGNALS } },
      'signals-unknown',
      [
        'No signal says how many nodes are needed: 14 stay.',
        'Not every signal is known, and unknown never lets nodes go: 14 stay, instead of 12.',
      ],
    ],
    [
      'keeps nodes for the requests in work',
      { desired: 5, changes: { signals: signalsOf(80, { slots: ok({ used: 28, total: 50 }) }) } },
      'flap-guard',
      [
        '28 requests are in work on 50 slots, and would take 280 % of the slots of 1 node: 4 instead of 1.',
      ],
    ],
    [
      'keeps the minimum',
      {
        desired: 3,
        rps: 0,
        policy: { scaleIn: { tolerance: 0.1, stabilizationWindowMs: 0, policies: [] } },
      },
      'minimum',
      ['The minimum is 2 nodes: 2 instead of 0.'],
    ],
    [
      'keeps the maximum',
      { rps: 8_000 },
      'maximum',
      ['The maximum is 12 nodes: 12 instead of 100.'],
    ],
    [
      'slows down a scale-out',
      {
        rps: 8_000,
        memory: {
          changes: [
            { atMs: ago(15), nodes: 1 },
            { atMs: ago(14), nodes: 1 },
          ],
        },
      },
      'scaling-policy',
      [
        'The scaling policies allow no more than 7 now: 7 instead of 12. 100 % more per 15 s allows 6 (1 came in that time); 4 nodes more per 15 s allows 7 (1 came in that time).',
      ],
    ],
    [
      'reaches a minimum of an operator at once, beyond the scaling policies',
      { desired: 2, rps: 8_000, changes: { overrides: [word({ kind: 'min', nodes: 9 })] } },
      'scaling-policy',
      [
        'The scaling policies allow no more than 6 now, beyond which a minimum is reached at once: 9 instead of 12. 100 % more per 15 s allows 4; 4 nodes more per 15 s allows 6.',
      ],
    ],
    [
      'slows down a scale-in',
      {
        desired: 10,
        rps: 90,
        memory: {
          changes: [
            { atMs: ago(9), nodes: -1 },
            { atMs: ago(5), nodes: 3 },
          ],
        },
      },
      'scaling-policy',
      [
        'The scaling policies allow no fewer than 9 now: 9 instead of 2. 25 % fewer per 15 s allows 9 (1 went in that time).',
      ],
    ],
    [
      'obeys the minimum of a schedule',
      { desired: 2, rps: 100, changes: { schedules: [OFFICE_HOURS] } },
      'schedule',
      [
        'Schedule “0 8 * * mon-fri” (Europe/Berlin, until 17:00:00) asks for at least 6 nodes: 6 instead of 2.',
      ],
    ],
    [
      'obeys the minimum of a schedule before it begins',
      { desired: 2, rps: 100, changes: { schedules: [SALE] } },
      'schedule',
      ['Schedule “0 20 * * *” (UTC, from 14:07:30) asks for at least 8 nodes: 8 instead of 2.'],
    ],
    [
      'obeys the maximum of a schedule',
      {
        rps: 1_500,
        changes: { schedules: [{ ...OFFICE_HOURS, minNodes: 2, maxNodes: 5 }] },
      },
      'schedule',
      [
        'Schedule “0 8 * * mon-fri” (Europe/Berlin, until 17:00:00) allows at most 5 nodes: 5 instead of 19.',
      ],
    ],
    [
      'lets no node go in a freeze',
      {
        desired: 9,
        rps: 100,
        changes: { schedules: [{ ...OFFICE_HOURS, minNodes: 1, freeze: 'scale-in' }] },
      },
      'schedule',
      [
        'Schedule “0 8 * * mon-fri” (Europe/Berlin, until 17:00:00) lets no node go: 9 instead of 7.',
      ],
    ],
    [
      'obeys a minimum',
      { desired: 6, rps: 100, changes: { overrides: [word({ kind: 'min', nodes: 6 })] } },
      'override-minimum',
      ['Override o7 (“sale”, until 14:17:00) asks for at least 6 nodes: 6 instead of 2.'],
    ],
    [
      'obeys a hold',
      { changes: { overrides: [word({ kind: 'hold', nodes: 5 }, '')] } },
      'held',
      ['Override o7 (until 14:17:00) holds it at 5 nodes: 5 instead of 4.'],
    ],
    [
      'obeys a hold within the bounds',
      { changes: { overrides: [word({ kind: 'hold', nodes: 99 })] } },
      'held',
      [
        'Override o7 (“sale”, until 14:17:00) holds it at 99 nodes, within its bounds: 12 instead of 4.',
      ],
    ],
    [
      'obeys a pause of scaling out',
      { rps: 900, changes: { overrides: [word({ kind: 'pause', direction: 'out' })] } },
      'paused',
      ['Override o7 (“sale”, until 14:17:00) pauses scaling out: 4 instead of 8.'],
    ],
    [
      'obeys a pause of scaling in',
      { rps: 100, changes: { overrides: [word({ kind: 'pause', direction: 'all' })] } },
      'paused',
      ['Override o7 (“sale”, until 14:17:00) pauses scaling in: 4 instead of 3.'],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('nodes', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'in every phase',
      {
        desired: 2,
        rps: 160,
        changes: {
          nodes: [
            ...serving(2),
            seen.outOfRotation(3, { sessions: 2 }),
            seen.warming(4),
            seen.booting(5),
            seen.standby(6),
            seen.stopping(7),
            seen.failed(8),
            seen.lost(9),
            seen.conflict(10),
            seen.ghost(11),
          ],
        },
      },
      'nodes',
      [
        '2 nodes are in service, 1 out of rotation, 1 warming, 1 booting, 1 on standby, 1 stopping, 1 failed, 1 unknown and 1 in conflict.',
        'news-web-3 is out of rotation and still has sessions.',
        'news-web-9 is in rotation, but its check has failed for 1 h.',
      ],
    ],
    ['of which there is none', { changes: { nodes: [] } }, 'nodes', ['There is no node.']],
    [
      'one of which fails its check',
      { changes: { nodes: [...serving(3), seen.sick(4, 4_000)] } },
      'nodes',
      ['4 nodes are in service.', 'news-web-4 is in rotation, but its check has failed for 4 s.'],
    ],
    [
      'that old workers may still serve',
      {
        desired: 2,
        rps: 160,
        changes: { oldWorkers: true, nodes: [...serving(2), seen.outOfRotation(3)] },
      },
      'nodes',
      [
        '2 nodes are in service and 1 out of rotation.',
        'HAProxy was reloaded and its old workers may still serve: no node is quiet for sure.',
      ],
    ],
    [
      'too many of which fail at once',
      { desired: 6, rps: 480, changes: { nodes: [...serving(4), seen.sick(5), seen.sick(6)] } },
      'healing-frozen',
      [
        '2 nodes in rotation fail their checks at once, which is rather the network or a storm than the nodes: none of them is replaced, and none that works is let go.',
      ],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('what cannot be had', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'beyond the maximum',
      {
        desired: 5,
        rps: 400,
        policy: { maxNodes: 5 },
        changes: { nodes: [...serving(3), seen.stopping(4), seen.stopping(5)] },
      },
      'shortfall',
      [
        '2 more nodes are needed and cannot be booted: the maximum of 5 nodes is reached, counting those that boot, stop, fail or stand by.',
      ],
    ],
    [
      'beyond the addresses',
      {
        desired: 4,
        rps: 400,
        changes: { blockedNumbers: Array.from({ length: 28 }, (_, index) => index + 5) },
      },
      'shortfall',
      [
        '1 more node is needed and cannot be booted: none of the 32 addresses is free; those count as taken that rest after a failure or that a conflict blocks.',
      ],
    ],
    [
      'beyond the installation',
      { desired: 4, rps: 560, changes: { fleetRoom: 1 } },
      'shortfall',
      [
        "2 more nodes are needed and cannot be booted: the installation's limit (limits.maxNodes) leaves room for 1 only.",
      ],
    ],
    [
      'beyond a full installation',
      { desired: 4, rps: 400, changes: { fleetRoom: -1 } },
      'shortfall',
      [
        "1 more node is needed and cannot be booted: the installation's limit (limits.maxNodes) leaves room for none.",
      ],
    ],
    [
      'while boots fail',
      { desired: 4, rps: 400, changes: { circuit: 'open', circuitOpenUntilMs: NOW_MS + 300_000 } },
      'shortfall',
      [
        `1 more node is needed and cannot be booted: too many boots of this tier have failed, and none is tried until ${formatTime(NOW_MS + 300_000)}, then one by itself: rackfire events says why they failed, mend that.`,
      ],
    ],
    [
      'while boots fail, kept by a program that did not say until when',
      { desired: 4, rps: 400, changes: { circuit: 'open' } },
      'shortfall',
      [
        '1 more node is needed and cannot be booted: too many boots of this tier have failed, and none is tried for a while, then one by itself: rackfire events says why they failed, mend that.',
      ],
    ],
    [
      'while one boot is tried',
      { desired: 4, rps: 560, changes: { circuit: 'half-open' } },
      'shortfall',
      [
        '2 more nodes are needed and cannot be booted: after too many failed boots one is tried first.',
      ],
    ],
    [
      'without a host',
      { desired: 4, rps: 400, changes: { hosts: [] } },
      'shortfall',
      ['1 more node is needed and cannot be booted: there is no host.'],
    ],
    [
      'on any host',
      {
        desired: 4,
        rps: 400,
        changes: {
          concurrentBootsPerHost: 2,
          hosts: [
            hostOf('xen-a', { reachable: false }),
            hostOf('xen-b', { circuit: 'open', circuitOpenUntilMs: NOW_MS + 60_000 }),
            hostOf('xen-c', { circuit: 'half-open', startsInFlight: 1 }),
            hostOf('xen-d', { startsInFlight: 2 }),
            hostOf('xen-e', { freeMemoryMiB: 212 }),
            hostOf('xen-f', { freeMemoryMiB: -300 }),
            hostOf('xen-g', { freeVcpus: 0 }),
            hostOf('xen-h', { freeDiskMiB: 100 }),
          ],
        },
      },
      'shortfall',
      [
        '1 more node is needed and cannot be booted: xen-a does not answer; xen-b has failed too many boots and is left alone until 14:08:00 (rackfire events says why they failed); xen-c has failed too many boots and is trying one; xen-d boots or wakes as many at once as it may, 2; xen-e has 212 MiB of memory left and a node needs 512 MiB; xen-f has no memory left and a node needs 512 MiB; xen-g has no vCPUs left and a node needs 1; xen-h has 100 MiB of disk left and a node needs 4096 MiB.',
      ],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('nodes that an operator speaks of', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'a protected one is kept',
      { desired: 5, rps: 300, changes: { overrides: [word({ kind: 'protect', number: 5 })] } },
      'protected',
      ['news-web-5 would go now, but override o7 (“sale”, until 14:17:00) protects it.'],
    ],
    [
      'one that is asked to go waits for another',
      { changes: { hosts: [], overrides: [word({ kind: 'drain', number: 1 })] } },
      'asked',
      [
        'Override o7 (“sale”, until 14:17:00) asks to drain news-web-1: it goes when 4 other nodes serve, and 3 do.',
      ],
    ],
    [
      'one that is asked to go waits for its drain to end',
      {
        desired: 3,
        rps: 240,
        changes: {
          nodes: [...serving(3), under('drain', seen.inService(4))],
          overrides: [word({ kind: 'drain', number: 4 })],
        },
      },
      'asked',
      [
        'Override o7 (“sale”, until 14:17:00) asks to drain news-web-4: it waits until “drain”, which is under way there, has been seen to end.',
      ],
    ],
    [
      'one that is asked to go waits for its sessions',
      {
        desired: 3,
        rps: 240,
        changes: {
          nodes: [...serving(3), seen.outOfRotation(4, { sessions: 3 })],
          overrides: [word({ kind: 'drain', number: 4 })],
        },
      },
      'asked',
      [
        "Override o7 (“sale”, until 14:17:00) asks to drain news-web-4: it is out of rotation, and destroyed when its last session has ended or the drain's deadline of 5 min has passed.",
      ],
    ],
    [
      'one that is asked to go waits for old workers',
      {
        desired: 3,
        rps: 240,
        changes: {
          oldWorkers: true,
          nodes: [...serving(3), seen.outOfRotation(4)],
          overrides: [word({ kind: 'drain', number: 4 })],
        },
      },
      'asked',
      [
        'Override o7 (“sale”, until 14:17:00) asks to drain news-web-4: it is out of rotation, and destroyed when it is known to have no session.',
      ],
    ],
    [
      'one that is asked to go waits for signals',
      { changes: { signals: UNKNOWN_SIGNALS, overrides: [word({ kind: 'drain', number: 1 })] } },
      'asked',
      [
        'Override o7 (“sale”, until 14:17:00) asks to drain news-web-1: it waits, because not every signal is known.',
      ],
    ],
    [
      'one that is asked to go waits for others to recover',
      {
        desired: 6,
        rps: 480,
        changes: {
          nodes: [...serving(4), seen.sick(5), seen.sick(6)],
          overrides: [word({ kind: 'drain', number: 1 })],
        },
      },
      'asked',
      [
        'Override o7 (“sale”, until 14:17:00) asks to drain news-web-1: it waits, because so many nodes fail their checks at once.',
      ],
    ],
    [
      'one that is asked to go waits for its host',
      {
        changes: {
          nodes: [...serving(3), seen.lostButUp(4)],
          overrides: [word({ kind: 'drain', number: 4 })],
        },
      },
      'asked',
      [
        'Override o7 (“sale”, until 14:17:00) asks to drain news-web-4: nothing is done to it, because too little is known of it.',
      ],
    ],
    [
      'one that is asked to go goes',
      { changes: { nodes: serving(5), overrides: [word({ kind: 'drain', number: 2 })] } },
      'action',
      ['news-web-2 is drained, because override o7 (“sale”, until 14:17:00) asks for it.'],
    ],
    [
      'one that goes waits for nothing',
      { changes: { nodes: serving(5), overrides: [word({ kind: 'drain', number: 2 })] } },
      'asked',
      [],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('what is done', () => {
  test.each<[string, Situation, ExplainStage, readonly string[]]>([
    [
      'to bring nodes in',
      {
        desired: 7,
        rps: 560,
        changes: { nodes: [...serving(2), seen.outOfRotation(3), seen.parked(4), seen.standby(5)] },
      },
      'action',
      [
        'news-web-3 is put into rotation, because it is needed.',
        'news-web-4 is checked, without traffic yet, because it is needed.',
        'news-web-5 is woken, because it is needed.',
        'news-web-6 on xen-b and news-web-7 on xen-b are booted, because they are needed.',
      ],
    ],
    [
      'to let nodes go',
      {
        desired: 2,
        rps: 160,
        policy: { standby: { state: 'paused', nodes: 1 } },
        changes: {
          nodes: [
            ...serving(3),
            seen.outOfRotation(4),
            seen.outOfRotation(5),
            seen.outOfRotation(6, { sessions: 1, sinceChangeMs: 300_001 }),
            seen.failed(7),
            seen.ghost(8),
          ],
        },
      },
      'action',
      [
        'news-web-3 is drained, because it is not needed.',
        'news-web-4 is paused for standby.',
        'news-web-8 is put into maintenance, because no host has such a node.',
        'news-web-5 is destroyed, because it is not needed.',
        'news-web-6 is destroyed, sessions or not, because its drain has taken longer than 5 min.',
        'news-web-7 is destroyed, because its boot has failed.',
      ],
    ],
    [
      'to several at once',
      {
        desired: 8,
        rps: 560,
        policy: { scaleIn: { tolerance: 0.1, stabilizationWindowMs: 0, policies: [] } },
        changes: {
          nodes: [...serving(9), seen.failed(10), seen.failed(11), seen.ghost(12), seen.ghost(13)],
        },
      },
      'action',
      [
        'news-web-9 and news-web-8 are drained, because they are not needed.',
        'news-web-12 and news-web-13 are put into maintenance, because no host has such nodes.',
        'news-web-10 and news-web-11 are destroyed, because their boots have failed.',
      ],
    ],
    [
      'to a sick one that is replaced',
      {
        desired: 3,
        rps: 240,
        changes: { nodes: [...serving(2), seen.sick(3), seen.inService(4)] },
      },
      'action',
      ['news-web-3 is drained, because its check has failed too long.'],
    ],
    [
      'for standby',
      { desired: 2, rps: 160, policy: { standby: { state: 'paused', nodes: 1 } } },
      'action',
      ['news-web-3 on xen-b is booted for standby.'],
    ],
    [
      'to what is left over, and to a quiet node of a saved standby',
      {
        desired: 2,
        rps: 160,
        policy: { standby: { state: 'saved', nodes: 1 } },
        changes: { nodes: [...serving(2), seen.outOfRotation(3), seen.residue(4)] },
      },
      'action',
      [
        'news-web-3 is saved for standby.',
        'news-web-4 is destroyed, because it is what an interrupted boot or teardown left.',
      ],
    ],
    [
      'with the times that nodes took lately',
      {
        desired: 2,
        rps: 160,
        changes: {
          startTimes: [
            { imageVersion: '1', host: 'xen-a', start: 'cold', timeMs: 41_000 },
            { imageVersion: '1', host: 'xen-b', start: 'cold', timeMs: 52_000 },
            { imageVersion: '1', host: 'xen-b', start: 'paused', timeMs: 1_400 },
          ],
        },
      },
      'nodes',
      [
        '2 nodes are in service.',
        'From the order to the first passed check it lately took a boot 41 s to 52 s and waking a paused node 1.4 s.',
      ],
    ],
    [
      'where hosts keep room for another, or are to be drained',
      {
        desired: 4,
        rps: 400,
        changes: {
          hosts: [
            hostOf('xen-a', {
              base: [{ memoryMiB: 512, vcpus: 1, diskMiB: 4_096, nodes: 1 }],
              freeMemoryMiB: 512,
            }),
            hostOf('xen-b', {
              base: [{ memoryMiB: 512, vcpus: 1, diskMiB: 4_096, nodes: 1 }],
              freeMemoryMiB: 512,
            }),
            hostOf('xen-c'),
          ],
          hostFailuresToTolerate: 1,
          overrides: [
            {
              id: 'o1',
              kind: 'drain-host',
              host: 'xen-c',
              reason: 'new memory',
              untilMs: NOW_MS + 60_000,
            },
          ],
        },
      },
      'shortfall',
      [
        '1 more node is needed and cannot be booted: xen-a has room, but with one more node there the base nodes of xen-b would fit nowhere if that host were lost; xen-b has room, but with one more node there the base nodes of xen-a would fit nowhere if that host were lost; xen-c is to be drained, as override o1 (“new memory”, until 14:08:00) asks.',
      ],
    ],
    [
      'not, where the mode takes nothing away',
      {
        desired: 2,
        rps: 160,
        mode: 'scale-out-only',
        changes: { nodes: [...serving(2), seen.outOfRotation(3), seen.ghost(4)] },
      },
      'held-back',
      [
        'news-web-3 would be destroyed, because it is not needed, but the mode scale-out-only takes nothing away.',
      ],
    ],
  ])('%s', (_, situation, stage, texts) => {
    expectSteps(situation, stage, texts);
  });
});

describe('what if', () => {
  test.each<[string, Situation, readonly string[]]>([
    [
      'the rate is known only in part',
      {
        changes: {
          signals: signalsOf(0, { requestRate: { status: 'partial', value: 90, why: 'reload' } }),
        },
      },
      [
        'Would scale out to 5 nodes at 337 rps; the last known rate is 90 rps.',
        'Would scale in to 3 nodes at 14:07:31 if the rate stays at 90 rps, and every signal is known from now on.',
        'Would scale in to 3 nodes at 14:07:31 if the rate were 240 rps from now on, and every signal is known from now on; at more it would not.',
      ],
    ],
    [
      'the rate is next to the threshold',
      { rps: 336.3 },
      [
        'Would not have scaled out at 336 rps or less; the rate is 336.3 rps.',
        'Would scale in to 4 nodes at 14:07:30 if the rate were 320 rps from now on; at more it would not.',
      ],
    ],
    [
      'a node serves few requests',
      { rps: 1.62, desired: 2, policy: { requestRate: { targetPerNodeRps: 0.8 } } },
      [
        'Would scale out to 3 nodes at 1.69 rps; the rate is 1.62 rps.',
        'Would not scale in within 10 min, whatever the rate: the minimum is 2 nodes.',
      ],
    ],
    [
      'a queue asks for more',
      { changes: { signals: signalsOf(300, { queue: ok({ requests: 900, servedRps: 300 }) }) } },
      [
        'Would scale out to 6 nodes or more, whatever the rate: the queue alone asks for that.',
        'Would scale in to 5 nodes at 14:07:30 if the rate stays at 300 rps, and nothing waits any more.',
        'Would scale in to 5 nodes at 14:07:30 if the rate were 400 rps from now on, and nothing waits any more; at more it would not.',
      ],
    ],
    [
      'a pause ends',
      { rps: 600, changes: { overrides: [word({ kind: 'pause', direction: 'all' })] } },
      [
        'Would not scale out now, whatever the rate: override o7 (“sale”, until 14:17:00) pauses that.',
        'Would scale out to 8 nodes at 14:17:00 (when override o7 has ended) if the rate stays at 600 rps.',
        'Would scale in to 3 nodes at 14:17:00 (when override o7 has ended) if the rate were 240 rps from now on; at more it would not.',
      ],
    ],
    [
      'nobody lets it out',
      { desired: 12, rps: 900 },
      [
        'Would not scale out now, whatever the rate: the maximum is 12 nodes.',
        'Would scale in to 11 nodes at 14:07:30 if the rate were 863 rps from now on; at more it would not.',
      ],
    ],
    [
      'the scaling policies are used up',
      { desired: 8, rps: 900, memory: { changes: [{ atMs: ago(9), nodes: 4 }] } },
      [
        'Would scale out to 9 nodes within 6 s if the rate were 673 rps from now on; the rate is 900 rps.',
        'Would scale out to 12 nodes at 14:07:06 if the rate stays at 900 rps.',
        'Would scale in to 7 nodes at 14:07:30 if the rate were 560 rps from now on; at more it would not.',
      ],
    ],
    [
      'all slots are in use',
      { rps: 320, changes: { signals: signalsOf(320, { slots: ok({ used: 40, total: 40 }) }) } },
      [
        'Would scale out to 5 nodes at 337 rps; the rate is 320 rps.',
        'Would scale in to 3 nodes at 14:07:30 if the rate were 216 rps from now on, and the requests in work followed it; at more it would not.',
      ],
    ],
    [
      'the maximum was lowered',
      { desired: 12, rps: 900, policy: { maxNodes: 8 } },
      [
        'Would not scale out now, whatever the rate: the maximum is 8 nodes.',
        'Would scale in further, to 8 nodes at 14:07:15 if the rate stays at 900 rps.',
        'Would scale in further, to 8 nodes at 14:07:15, whatever the rate.',
      ],
    ],
    [
      'the minimum is not reached',
      { desired: 1, rps: 0 },
      [
        'Would scale out to 2 nodes or more, whatever the rate: the minimum is 2 nodes.',
        'Would not scale in within 10 min, whatever the rate: the minimum is 2 nodes.',
      ],
    ],
    [
      'it scales in',
      { desired: 8, rps: 170 },
      [
        'Would scale out to 9 nodes at 673 rps; the rate is 170 rps.',
        'Would scale in further, to 5 nodes at 14:07:15 if the rate stays at 170 rps.',
        'Would scale in further, to 5 nodes at 14:07:15 if the rate were 400 rps from now on; at more it would not.',
      ],
    ],
  ])('%s', (_, situation, sentences) => {
    expect(told(situation).whatIf).toEqual(sentences);
  });
});

describe('whatever was kept', () => {
  test('is told in whole sentences, the same when it was written and read again', () => {
    fc.assert(
      fc.property(decidedTicks, modes, (decided, mode) => {
        const { tick } = decided;
        const actions = mode === 'observe' ? [] : tick.actions;
        const input = { ...decided, mode, tick: { ...tick, actions }, formatTime };
        const explanation = explain(input);
        const kept = JSON.parse(JSON.stringify(decided)) as DecidedTick;
        const again = explain({ ...input, ...kept, tick: { ...kept.tick, actions } });

        expect(again).toEqual(explanation);
        expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
        for (const text of sentencesOf(explanation)) {
          expect(text).toMatch(/^(?:\p{Lu}|\d|news[-/]web).*\.$/u);
          expect(text).not.toMatch(/undefined|null|NaN|Infinity|object|  | ,|\.\.|\s-\d|\de[+-]\d/);
          expect(text).not.toMatch(
            /(?<![\d.-])(?:1 (?:nodes|requests|are|were|stay)|(?:[02-9]|\d\d+) (?:node|request|stays))\b/,
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test('has a step for every stage and a sentence for every action', () => {
    fc.assert(
      fc.property(decidedTicks, (decided) => {
        const { steps } = explain({ ...decided, mode: 'full', formatTime });
        const stages = steps.map(({ stage }) => stage);
        const said = sentencesAt(steps, 'action').join(' ');

        for (const { reason } of decided.tick.decision.stages) {
          expect(stages).toContain(reason);
        }
        for (const { node } of decided.tick.actions) {
          expect(said).toContain(node);
        }
        for (const { node } of decided.tick.plan.kept) {
          expect(sentencesAt(steps, 'protected').join(' ')).toContain(node);
        }
      }),
      { numRuns: 100 },
    );
  });
});

test('a plan that contradicts itself is said, and none of it is told as done', () => {
  const input = inputOf({ rps: 431 });
  const tick = { ...input.tick, actions: [], findings: ['boot news-web-5: not its address'] };
  const { steps } = explain({ ...input, tick });

  expect(sentencesAt(steps, 'action')).toEqual([]);
  expect(sentencesAt(steps, 'held-back')).toEqual([
    'Nothing is done, because the plan contradicts itself, which is a defect in Rackfire: boot news-web-5: not its address.',
  ]);
});

test('after a storm the last scale-out and the last scale-in name the signal, the numbers and the limit', async () => {
  const tier = makeTier({ ...DEFAULTS, maxNodes: 7 });
  await using lab = startLab({ tier, rps: 150 });
  await lab.clock.step(20_000);
  lab.world.rps = 900;
  await lab.clock.step(40_000);
  lab.world.rps = 150;
  await lab.clock.stepUntil(() => lab.inService() === 2, 300_000);
  const ticks = lab.log.of('tier-ticked');
  const last = (direction: 'out' | 'in'): Explanation => {
    const record = ticks.findLast(({ tick }) => tick.decision.direction === direction)!;
    return explain({ ...record, formatTime: () => '14:07:00' });
  };

  for (const { tick, observation, memory } of ticks) {
    expect(decide(tier, observation, tick.nodes, memory).decision).toEqual(tick.decision);
  }
  expect(last('out').headline).toBe(
    'news/web scales out from 6 to 7 nodes: 900 rps need 11.3 nodes at 80 rps each, but the maximum is 7.',
  );
  expect(last('in').headline).toBe(
    'news/web scales in from 3 to 2 nodes: 150 rps need 1.88 nodes at 80 rps each, and no more were needed in the last 30 s.',
  );
});

test('in a storm it goes in when it was said to, to the tick', async () => {
  await using lab = startLab({ tier: makeTier(DEFAULTS), nodes: 2, rps: 500 });
  await lab.clock.step(90_000);
  lab.world.rps = 170;
  await lab.clock.step(5_000);
  const record = lab.log.of('tier-ticked').at(-1)!;
  const { ifRateStays } = explain({ ...record, formatTime: String }).counterfactuals;
  const statedMs = ifRateStays?.scaleIn?.atMs ?? Number.NaN;
  await lab.clock.step(60_000);
  const fell = lab.log
    .of('tier-ticked')
    .find(
      ({ tick, observation }) =>
        observation.atMs > record.observation.atMs &&
        tick.decision.desiredNodes < record.tick.decision.desiredNodes,
    )!;

  // Its ticks are some 20 ms more than a second apart.
  expect(fell.tick.decision.desiredNodes).toBe(ifRateStays?.scaleIn?.toNodes);
  expect(Math.abs(fell.observation.atMs - statedMs)).toBeLessThan(2_000);
});
