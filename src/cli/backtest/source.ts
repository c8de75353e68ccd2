/** Where the history of a tier's traffic is, and how it is read. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { createRandom } from '../../embedded/random.ts';
import { type ScaledTier, tierKey } from '../../scaler/cluster.ts';
import { readHistory, readMoments } from '../../signals/prometheus-history.ts';
import { readLastStorm, readRecordedRates } from '../../store/recorded-rates.ts';
import { LONGEST_GAP_MS } from '../../store/tier-samples.ts';
import { createProgress } from '../progress.ts';
import { parseDurationOption } from '../simulate/options.ts';
import type { Subject } from '../simulate/prepare.ts';
import { countHistory, drawHistory, type History, type Span } from './history.ts';

export interface SourceOptions {
  readonly prometheus?: string;
  readonly query?: string;
  /** Milliseconds. */
  readonly step?: number;
  readonly journal?: string;
}

/** As `backtest --json` says it. */
export type Source =
  | { readonly prometheus: string; readonly query: string; readonly stepSeconds: number }
  | { readonly journal: string };

export const DEFAULT_STEP_MS = 15_000;
/** Prometheus looks back so far for a value: a longer step would not see all of them. */
const LONGEST_STEP_MS = 300_000;
/** Counts are drawn apart from the boots: their generator begins with the seed and this, exclusive or. */
const LOAD_SEED = 0x10ad;
/** Somewhat less than a Prometheus keeps by default. */
const STORMS_SOUGHT_MS = 14 * 86_400_000;
/** As often a storm is looked for; one that is shorter is found all the same. */
const STORM_STEP_MS = 60_000;

export function addSourceOptions(command: Command): Command {
  return command
    .option('--prometheus <url>', 'where the history is, as http://127.0.0.1:9090')
    .option(
      '--query <promql>',
      "the tier's requests per second there (default: what Rackfire itself told it)",
    )
    .option('--step <duration>', 'from one value to the next there (default: 15s)', parseStep)
    .addOption(
      new Option(
        '--journal <file>',
        "the history of Rackfire itself (default: the config's `journal.path`)",
      ).conflicts(['prometheus', 'query', 'step']),
    );
}

/** @throws CommanderError when it is said what to ask and not whom. */
export function refuseQueryOfNothing(options: SourceOptions, command: Command): void {
  if (options.prometheus === undefined && (options.query ?? options.step) !== undefined) {
    command.error(
      'rackfire: --query and --step say what to ask a Prometheus: say --prometheus URL',
    );
  }
}

export function sourceOf(options: SourceOptions, { config, tier }: Subject): Source {
  const { prometheus, journal = config.journal.path } = options;
  if (prometheus === undefined) {
    return { journal };
  }
  const { query = queryFor(tier), step = DEFAULT_STEP_MS } = options;
  return { prometheus, query, stepSeconds: step / 1_000 };
}

/** Several Rackfires of one site see the same traffic. While it is not known, they say NaN: a gap. */
function queryFor({ cluster, name }: ScaledTier): string {
  return `max(rackfire_request_rate_rps{cluster="${cluster}",tier="${name}"} >= 0)`;
}

/** @throws ConfigError, UnreachableError */
export async function readSource(
  source: Source,
  tier: ScaledTier,
  asked: Span,
  seed: number,
): Promise<History> {
  if ('journal' in source) {
    const rates = await readRecordedRates(source.journal, tierKey(tier), asked);
    return countHistory(rates, { asked, mostMs: LONGEST_GAP_MS });
  }
  const { prometheus: url, query, stepSeconds } = source;
  const stepMs = stepSeconds * 1_000;
  // Whole steps: what is asked again later, Prometheus and what may stand before it have at hand.
  const grid = {
    fromMs: Math.ceil(asked.fromMs / stepMs) * stepMs,
    untilMs: Math.floor(asked.untilMs / stepMs) * stepMs,
  };
  const progress = createProgress();
  const rates = await readHistory({
    url,
    query,
    stepMs,
    ...grid,
    onPart: (parts, of) => progress(`${url}: ${parts} of ${of} parts read`),
  });
  return drawHistory(rates, { asked: grid, stepMs, random: createRandom(seed ^ LOAD_SEED) });
}

/**
 * When the latest storm of the tier was, from its detection to its end or, while it lasts, until now; of a Prometheus, to
 * the minute and within the last 14 days.
 *
 * @throws ConfigError, UnreachableError
 */
export async function findLastStorm(source: Source, tier: ScaledTier): Promise<Span | undefined> {
  const nowMs = Date.now();
  if ('journal' in source) {
    const storm = await readLastStorm(source.journal, tierKey(tier));
    return storm && { fromMs: storm.fromMs, untilMs: storm.untilMs ?? nowMs };
  }
  const { cluster, name } = tier;
  const moments = await readMoments({
    url: source.prometheus,
    query: `max(max_over_time(rackfire_storm{cluster="${cluster}",tier="${name}"}[${STORM_STEP_MS / 1_000}s])) == 1`,
    fromMs: nowMs - STORMS_SOUGHT_MS,
    untilMs: nowMs,
    stepMs: STORM_STEP_MS,
  });
  const untilMs = moments.at(-1);
  if (untilMs === undefined) {
    return undefined;
  }
  const others = moments.findLastIndex(
    (atMs, index) => atMs - (moments[index - 1] ?? Number.NEGATIVE_INFINITY) > STORM_STEP_MS,
  );
  return { fromMs: (moments[others] ?? untilMs) - STORM_STEP_MS, untilMs };
}

export function placeOf(source: Source): string {
  return 'journal' in source ? source.journal : source.prometheus;
}

function parseStep(text: string): number {
  const stepMs = parseDurationOption(text);
  if (stepMs < 1_000 || stepMs > LONGEST_STEP_MS || stepMs % 1_000 !== 0) {
    throw new InvalidArgumentError('Expected whole seconds, from 1s to 5m.');
  }
  return stepMs;
}
