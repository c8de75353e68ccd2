import type { Command } from 'commander';
import { formatDuration } from '../config/units.ts';
import { ConfigError } from '../control/errors.ts';
import { tierKey } from '../scaler/cluster.ts';
import type { History, Span } from './backtest/history.ts';
import { replay, type Replayed } from './backtest/replay.ts';
import {
  addSourceOptions,
  DEFAULT_STEP_MS,
  placeOf,
  readSource,
  refuseQueryOfNothing,
  type Source,
  sourceOf,
  type SourceOptions,
} from './backtest/source.ts';
import { printBacktest } from './backtest/summary.ts';
import { listWorse } from './backtest/verdict.ts';
import { EXIT, type SetExitCode } from './exit-codes.ts';
import { MOMENT_HELP, parseMoment } from './moments.ts';
import { printJson } from './print.ts';
import { addRunOptions, type RunOptions } from './simulate/options.ts';
import { plot } from './simulate/plot.ts';
import { loadSubjects } from './simulate/prepare.ts';

interface BacktestOptions extends RunOptions, SourceOptions {
  /** Wall clock. */
  readonly from?: number;
  readonly to?: number;
}

const DAY_MS = 86_400_000;
/** Some 100 MB of seconds, and minutes of work. */
const LONGEST_DAYS = 31;
/** Fewer have no two whole ones among them. */
const LEAST_STEPS = 3;

/** `rackfire backtest`: what the policy would have done with the traffic that there was. */
export function addBacktest(program: Command, setExitCode: SetExitCode): void {
  const command = program
    .command('backtest')
    .description('let the policy run over recorded history in virtual time; touches nothing')
    .option('--from <time>', `(default: a day ago) ${MOMENT_HELP}`, parseTime)
    .option('--to <time>', '(default: now)', parseTime);
  addRunOptions(addSourceOptions(command)).action(
    async (options: BacktestOptions, self: Command) => {
      await backtest(options, self, setExitCode);
    },
  );
}

/** @throws ConfigError when there is no history to be used. UnreachableError when Prometheus does not answer. */
async function backtest(
  options: BacktestOptions,
  command: Command,
  setExitCode: SetExitCode,
): Promise<void> {
  const asked = readSpan(options, command);
  refuseQueryOfNothing(options, command);
  const { subject, other, bounds } = await loadSubjects(options, command);
  const source = sourceOf(options, subject);
  const history = await readSource(source, subject.tier, asked, options.seed);
  if (history.seconds === 0) {
    throw new ConfigError(
      `${placeOf(source)} holds no traffic of ${tierKey(subject.tier)} from ${isoOf(asked.fromMs)} to ${isoOf(asked.untilMs)}: expected at least two values next to each other`,
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
    printBacktest(history, replayed, { against, bootDelayMs: options.bootDelay });
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
