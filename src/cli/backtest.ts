import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatDuration } from '../config/units.ts';
import { ConfigError } from '../control/errors.ts';
import { createRandom } from '../embedded/random.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import { readHistory } from '../signals/prometheus-history.ts';
import { readRecordedRates } from '../store/recorded-rates.ts';
import { LONGEST_GAP_MS } from '../store/tier-samples.ts';
import { countHistory, drawHistory, type History, type Span } from './backtest/history.ts';
import { replay, type Replayed } from './backtest/replay.ts';
import { printBacktest } from './backtest/summary.ts';
import { listWorse } from './backtest/verdict.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { MOMENT_HELP, parseMoment } from './moments.ts';
import { printJson } from './print.ts';
import { createProgress } from './progress.ts';
import { addRunOptions, parseDurationOption, type RunOptions } from './simulate/options.ts';
import { plot } from './simulate/plot.ts';
import { loadSubjects, type Subject } from './simulate/prepare.ts';

interface BacktestOptions extends RunOptions {
  readonly prometheus?: string;
  readonly query?: string;
  /** Milliseconds. */
  readonly step?: number;
  readonly journal?: string;
  /** Wall clock. */
  readonly from?: number;
  readonly to?: number;
}

/** Where the history comes from, as `--json` says it. */
type Source =
  | { readonly prometheus: string; readonly query: string; readonly stepSeconds: number }
  | { readonly journal: string };

const DAY_MS = 86_400_000;
/** Some 100 MB of seconds, and minutes of work. */
const LONGEST_DAYS = 31;
/** Fewer have no two whole ones among them. */
const LEAST_STEPS = 3;
const DEFAULT_STEP_MS = 15_000;
/** Prometheus looks back so far for a value: a longer step would not see all of them. */
const LONGEST_STEP_MS = 300_000;
/** Counts are drawn apart from the boots: their generator begins with the seed and this, exclusive or. */
const LOAD_SEED = 0x10ad;

/** `rackfire backtest`: what the policy would have done with the traffic that there was. */
export function addBacktest(program: Command, setExitCode: SetExitCode): void {
  const inPrometheus = ['prometheus', 'query', 'step'];
  const command = program
    .command('backtest')
    .description('let the policy run over recorded history in virtual time; touches nothing')
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
      ).conflicts(inPrometheus),
    )
    .option('--from <time>', `(default: a day ago) ${MOMENT_HELP}`, parseTime)
    .option('--to <time>', '(default: now)', parseTime);
  addRunOptions(command).action(async (options: BacktestOptions, self: Command) => {
    await backtest(options, self, setExitCode);
  });
}

/** @throws ConfigError when there is no history to be used. UnreachableError when Prometheus does not answer. */
async function backtest(
  options: BacktestOptions,
  command: Command,
  setExitCode: SetExitCode,
): Promise<void> {
  const asked = readSpan(options, command);
  if (options.prometheus === undefined && (options.query ?? options.step) !== undefined) {
    command.error(
      'rackfire: --query and --step say what to ask a Prometheus: say --prometheus URL',
    );
  }
  const { subject, other, bounds } = await loadSubjects(options, command);
  const source = sourceOf(options, subject);
  const history = await readSource(source, subject.tier, asked, options.seed);
  if (history.seconds === 0) {
    const from = 'journal' in source ? source.journal : source.prometheus;
    throw new ConfigError(
      `${from} holds no traffic of ${tierKey(subject.tier)} from ${isoOf(asked.fromMs)} to ${isoOf(asked.untilMs)}: expected at least two values next to each other`,
    );
  }
  const conditions = { bounds, bootDelayMs: options.bootDelay, seed: options.seed };
  const replayed = await replay(history, subject, conditions);
  const against = other && compare(replayed, await replay(history, other, conditions));
  if (options.plot !== undefined) {
    const title = `${tierKey(subject.tier)} on recorded history`;
    await plot(options.plot, title, replayed.series, against?.other.series);
  }
  if (options.json === true) {
    printJson({
      ...describeHistory(source, asked, history),
      tier: tierKey(subject.tier),
      bootDelaySeconds: options.bootDelay / 1_000,
      seed: options.seed,
      figures: replayed.figures,
      ...(against && { against: against.other.figures, worse: against.worse }),
    });
  } else {
    printBacktest(history, replayed, against);
  }
  if (against !== undefined && against.worse.length > 0) {
    setExitCode(EXIT.failed);
  }
}

function compare(replayed: Replayed, other: Replayed) {
  return { other, worse: listWorse(replayed.figures, other.figures) };
}

function readSpan({ from, to, step = DEFAULT_STEP_MS }: BacktestOptions, command: Command): Span {
  const nowMs = Date.now();
  const untilMs = Math.min(to ?? nowMs, nowMs);
  const fromMs = from ?? untilMs - DAY_MS;
  if (untilMs - fromMs < LEAST_STEPS * step) {
    command.error(
      `rackfire: --from has to be at least ${formatDuration(LEAST_STEPS * step)} before --to, and before now`,
    );
  }
  if (untilMs - fromMs > LONGEST_DAYS * DAY_MS) {
    command.error(`rackfire: from --from to --to are more than ${LONGEST_DAYS} days: take a part`);
  }
  return { fromMs, untilMs };
}

function sourceOf(options: BacktestOptions, { config, tier }: Subject): Source {
  const { prometheus, journal = config.journal.path } = options;
  if (prometheus === undefined) {
    return { journal };
  }
  const { query = queryFor(tier), step = DEFAULT_STEP_MS } = options;
  return { prometheus, query, stepSeconds: step / 1_000 };
}

/** Several Rackfires of one site see the same traffic. */
function queryFor({ cluster, name }: ScaledTier): string {
  return `max(rackfire_request_rate_rps{cluster="${cluster}",tier="${name}"})`;
}

async function readSource(
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

/** What `--json` says of what there was; scripts rely on it. */
function describeHistory(source: Source, asked: Span, { gaps, seconds }: History) {
  return { source, ...describeSpan(asked), seconds, gaps: gaps.map(describeSpan) };
}

function describeSpan({ fromMs, untilMs }: Span) {
  return { from: isoOf(fromMs), to: isoOf(untilMs) };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function parseTime(text: string): number {
  return Math.floor(parseMoment(text, Date.now()));
}

function parseStep(text: string): number {
  const stepMs = parseDurationOption(text);
  if (stepMs < 1_000 || stepMs > LONGEST_STEP_MS || stepMs % 1_000 !== 0) {
    throw new InvalidArgumentError('Expected whole seconds, from 1s to 5m.');
  }
  return stepMs;
}
