import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { describeSimulation, listScaledTiers } from '../compose.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { formatDuration, parseDurationMs } from '../config/units.ts';
import { ConfigError } from '../control/errors.ts';
import { createRandom } from '../embedded/random.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { TierPolicy } from '../scaler/policy.ts';
import { type Bounds, MAX_NODES, MIN_NODES } from '../sim/optimum.ts';
import { BOOTS_SEED, plainBoots } from '../sim/physics.ts';
import { bootDeadlineMs, simulate, type Simulation } from '../sim/simulation.ts';
import { drawTimeline } from '../sim/timeline-svg.ts';
import { printJson, say } from './print.ts';
import { readArrivals } from './simulate/arrivals.ts';
import { printSimulation, type Simulated } from './simulate/summary.ts';
import { toJson } from './simulate/to-json.ts';

interface SimulateOptions {
  readonly config: string;
  readonly trace: string;
  readonly against?: string;
  readonly tier?: string;
  /** Milliseconds. */
  readonly bootDelay: number;
  readonly seed: number;
  readonly standby?: TierPolicy['standby'];
  readonly plot?: string;
  readonly json?: true;
}

const BOOT_DELAY_MAX_MS = 3_600_000;
const PROGRESS_INTERVAL_MS = 2_000;
const LOOK_SECONDS = 2_000;

/** `rackfire simulate`: what the policy would have done with a recorded load, in virtual time. */
export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description('let the policy run over a recorded load in virtual time; touches nothing')
    .requiredOption('-c, --config <file>', 'the config file')
    .requiredOption('--trace <file>', 'the load, a CSV (second,rps or minute,requests)')
    .option('--against <file>', 'another config, whose policy is compared')
    .option('--tier <cluster/tier>', 'which tier, when the config has several')
    .addOption(
      new Option(
        '--boot-delay <duration>',
        'the median time from the order of a node until it serves',
      )
        .argParser(parseBootDelay)
        .default(45_000, '45s'),
    )
    .option('--seed <n>', 'of the boot times', parseSeed, 1)
    .option(
      '--standby <state=n>',
      'standby nodes, as paused=2, in place of the config',
      parseStandby,
    )
    .option('--plot <file>', 'draw the run into this .svg file', parsePlot)
    .option('--json', 'print one JSON object')
    .action(async (options: SimulateOptions, command: Command) => {
      await runSimulate(options, command);
    });
}

async function runSimulate(options: SimulateOptions, command: Command): Promise<void> {
  const [{ config }, old] = await Promise.all([
    loadConfig(options.config),
    options.against === undefined ? undefined : loadConfig(options.against),
  ]);
  const tier = chooseTier(config, options.config, options.tier, command);
  const oldTier = old && chooseTier(old.config, options.against ?? '', tierKey(tier), command);
  const arrivals = await readArrivals(options.trace);
  const bounds = boundsOf(oldTier === undefined ? [tier] : [tier, oldTier]);

  const simulated = await simulateOne(options.config, config, tier, { arrivals, bounds, options });
  const against =
    old && oldTier && options.against !== undefined
      ? await simulateOne(options.against, old.config, oldTier, { arrivals, bounds, options })
      : undefined;
  if (options.plot !== undefined) {
    await plot(options.plot, `${tierKey(tier)} on ${basename(options.trace)}`, simulated.run);
  }
  if (options.json === true) {
    const bootDelaySeconds = options.bootDelay / 1_000;
    printJson({
      ...toJson(simulated.run, bootDelaySeconds),
      ...(against && { against: toJson(against.run, bootDelaySeconds) }),
    });
  } else {
    printSimulation(simulated, against);
  }
}

async function simulateOne(
  file: string,
  config: Config,
  tier: ScaledTier,
  {
    arrivals,
    bounds,
    options,
  }: {
    readonly arrivals: Float64Array;
    readonly bounds: Bounds;
    readonly options: SimulateOptions;
  },
): Promise<Simulated> {
  const { standby = tier.policy.standby } = options;
  const boots = plainBoots(options.bootDelay / 1_000);
  const deadlineMs = bootDeadlineMs(tier, boots);
  const { bootDeadlineMs: given } = tier.policy;
  if (given !== 'auto' && deadlineMs > given) {
    say(
      `${file}: boot.deadline ${formatDuration(given)} is short for boots of ${formatDuration(options.bootDelay)}; the simulation waits ${formatDuration(deadlineMs)}`,
    );
  }
  const run = await simulate(arrivals, {
    ...describeSimulation(config, { ...tier, policy: { ...tier.policy, standby } }),
    bounds,
    boots,
    random: createRandom(options.seed ^ BOOTS_SEED),
    onSecond: reportProgress(file, arrivals.length),
  });
  return { file, tier, run };
}

/** Both configs are measured by one demand: that of the benchmark, or wider where a config is. */
function boundsOf(tiers: readonly ScaledTier[]): Bounds {
  return {
    minNodes: Math.min(MIN_NODES, ...tiers.map(({ policy }) => policy.minNodes)),
    maxNodes: Math.max(MAX_NODES, ...tiers.map(({ policy }) => policy.maxNodes)),
  };
}

/** A line each two seconds of real time. */
function reportProgress(file: string, seconds: number): (passed: number) => void {
  let saidAtMs = performance.now();
  return (passed) => {
    // A short run is over before anybody asks.
    if (passed % LOOK_SECONDS === 0 && performance.now() - saidAtMs >= PROGRESS_INTERVAL_MS) {
      saidAtMs = performance.now();
      say(`${file}: ${passed} of ${seconds} s simulated`);
    }
  };
}

async function plot(file: string, title: string, run: Simulation): Promise<void> {
  const shown = { title, fromSecond: 0, seconds: run.arrivals.length };
  const { inService: supply, ...series } = run;
  await writeFile(file, drawTimeline(shown, { ...series, supply })).catch((cause: unknown) => {
    throw new Error(`the plot cannot be written: ${String(cause)}`, { cause });
  });
}

/** @throws CommanderError when it is not said which one, or one is said that is not there. */
function chooseTier(
  config: Config,
  file: string,
  wanted: string | undefined,
  command: Command,
): ScaledTier {
  const tiers = listScaledTiers(config);
  const [only] = tiers;
  if (only === undefined) {
    throw new ConfigError(`${file} has no tier that is scaled`);
  }
  const names = tiers.map(tierKey).join(', ');
  if (wanted === undefined && tiers.length > 1) {
    command.error(
      `rackfire: ${file} has several tiers that are scaled; say which one: --tier ${names.replaceAll(', ', ' or --tier ')}`,
    );
  }
  const tier = wanted === undefined ? only : tiers.find((one) => tierKey(one) === wanted);
  return (
    tier ?? command.error(`rackfire: ${file} has no tier ${wanted} that is scaled; it has ${names}`)
  );
}

function parseBootDelay(text: string): number {
  let delayMs: number;
  try {
    delayMs = parseDurationMs(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  if (delayMs > BOOT_DELAY_MAX_MS) {
    throw new InvalidArgumentError('Expected at most 1h.');
  }
  return delayMs;
}

function parseSeed(text: string): number {
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(text)) {
    throw new InvalidArgumentError('Expected a whole number from 0.');
  }
  return Number(text);
}

function parseStandby(text: string): TierPolicy['standby'] {
  const [, state, nodes] = /^(paused|saved)=(auto|0|[1-9][0-9]{0,3})$/.exec(text) ?? [];
  if (state !== 'paused' && state !== 'saved') {
    throw new InvalidArgumentError('Expected paused=N or saved=N, as in paused=2 or paused=auto.');
  }
  return { state, nodes: nodes === 'auto' ? nodes : Number(nodes) };
}

function parsePlot(text: string): string {
  if (!text.endsWith('.svg')) {
    throw new InvalidArgumentError('Expected a file name that ends in .svg.');
  }
  return text;
}
