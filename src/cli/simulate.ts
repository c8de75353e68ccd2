import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { createRandom } from '../embedded/random.ts';
import { type ScaledTier, tierKey } from '../scaler/cluster.ts';
import type { TierPolicy } from '../scaler/policy.ts';
import type { Bounds } from '../sim/optimum.ts';
import { BOOTS_SEED } from '../sim/physics.ts';
import { simulate } from '../sim/simulation.ts';
import {
  addSourceOptions,
  refuseQueryOfNothing,
  sourceOf,
  type SourceOptions,
} from './backtest/source.ts';
import { MOMENT_HELP, parseMoment } from './moments.ts';
import { printJson } from './print.ts';
import { reportSeconds } from './progress.ts';
import { readArrivals } from './simulate/arrivals.ts';
import { readLastStorm } from './simulate/last-storm.ts';
import { addRunOptions, type RunOptions } from './simulate/options.ts';
import { loadSubjects, prepareRun, type Subject } from './simulate/prepare.ts';
import { plot } from './simulate/plot.ts';
import { printSimulation, type Simulated } from './simulate/summary.ts';
import { toJson } from './simulate/to-json.ts';

interface SimulateOptions extends RunOptions, SourceOptions {
  readonly trace?: string;
  readonly standby?: TierPolicy['standby'];
  readonly from?: number;
}

/** `rackfire simulate`: what the policy would have done with a load, or in the last storm, in virtual time. */
export function addSimulate(program: Command): void {
  const simulateCommand = program
    .command('simulate')
    .description('let the policy run over a recorded load in virtual time; touches nothing')
    .addOption(
      new Option(
        '--trace <file>',
        'the load, a CSV (second,rps or minute,requests); default: the last storm that was recorded',
      ).conflicts(['prometheus', 'query', 'step', 'journal']),
    )
    .option(
      '--standby <state=n>',
      'standby nodes, as paused=2, in place of the config',
      parseStandby,
    )
    .option(
      '--from <time>',
      `when the load of --trace begins, for the schedules of the config: ${MOMENT_HELP}`,
      parseTime,
    );
  addRunOptions(addSourceOptions(simulateCommand)).action(
    async (options: SimulateOptions, command: Command) => {
      await runSimulate(options, command);
    },
  );
}

async function runSimulate(options: SimulateOptions, command: Command): Promise<void> {
  refuseQueryOfNothing(options, command);
  refuseOtherTime(options, command);
  const { subject, other, bounds } = await loadSubjects(options, command);
  refuseTooManyOnStandby(subject.tier, options.standby, command);
  const { trace, seed } = options;
  const { arrivals, fromMs } =
    trace === undefined
      ? await readLastStorm(sourceOf(options, subject), subject, seed)
      : { arrivals: await readArrivals(trace), fromMs: options.from };
  const load = { arrivals, fromMs, bounds, options };
  const simulated = await simulateOne(subject, load);
  const against = other && (await simulateOne(other, load));
  if (options.plot !== undefined) {
    const shown = trace === undefined ? 'its last storm' : basename(trace);
    const files = [simulated, against].flatMap((one) => (one ? [basename(one.file)] : []));
    const title = `${tierKey(subject.tier)} on ${shown}: ${files.join(', beside ')}`;
    await plot(options.plot, title, simulated.run, against?.run);
  }
  if (options.json === true) {
    const bootDelaySeconds = options.bootDelay / 1_000;
    printJson({
      ...toJson(simulated.run, bootDelaySeconds),
      ...(against && { against: toJson(against.run, bootDelaySeconds) }),
    });
  } else {
    printSimulation(simulated, against, { beginsAtMs: fromMs, bootDelayMs: options.bootDelay });
  }
}

function refuseOtherTime({ trace, from }: SimulateOptions, command: Command): void {
  if (trace === undefined && from !== undefined) {
    command.error(
      'rackfire: --from says when the load of --trace FILE begins; of the last storm that is known',
    );
  }
}

/** What a config is held to holds for what replaces a part of it. */
function refuseTooManyOnStandby(
  { policy }: ScaledTier,
  standby: TierPolicy['standby'] | undefined,
  command: Command,
): void {
  const { minNodes, maxNodes } = policy;
  const nodes = standby?.nodes ?? 0;
  if (nodes !== 'auto' && minNodes + nodes > maxNodes) {
    command.error(
      `rackfire: --standby: ${nodes} on standby beside ${minNodes} in service are more than nodes.max (${maxNodes})`,
    );
  }
}

async function simulateOne(
  subject: Subject,
  {
    arrivals,
    fromMs,
    bounds,
    options,
  }: {
    readonly arrivals: Float64Array;
    /** When it begins by the wall clock, as far as that is known. */
    readonly fromMs: number | undefined;
    readonly bounds: Bounds;
    readonly options: SimulateOptions;
  },
): Promise<Simulated> {
  const { file, tier } = subject;
  const { standby = tier.policy.standby } = options;
  const tried = { ...subject, tier: { ...tier, policy: { ...tier.policy, standby } } };
  const run = await simulate(arrivals, {
    ...prepareRun(tried, {
      bounds,
      bootDelayMs: options.bootDelay,
      hasTimes: fromMs !== undefined,
    }),
    ...(fromMs === undefined ? {} : { beginsAtMs: fromMs }),
    random: createRandom(options.seed ^ BOOTS_SEED),
    onSecond: reportSeconds(file, arrivals.length),
  });
  return { file, tier, run };
}

function parseTime(text: string): number {
  return Math.floor(parseMoment(text, Date.now()));
}

function parseStandby(text: string): TierPolicy['standby'] {
  const [, state, nodes] = /^(paused|saved)=(auto|0|[1-9][0-9]{0,3})$/.exec(text) ?? [];
  if (state !== 'paused' && state !== 'saved') {
    throw new InvalidArgumentError('Expected paused=N or saved=N, as in paused=2 or paused=auto.');
  }
  return { state, nodes: nodes === 'auto' ? nodes : Number(nodes) };
}
