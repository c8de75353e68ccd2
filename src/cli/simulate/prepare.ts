/** What is run: which tier of a config, and what else there is than its load. */

import type { Command } from 'commander';
import { describeSimulation, listScaledTiers } from '../../compose.ts';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load-config.ts';
import { formatDuration } from '../../config/units.ts';
import { ConfigError } from '../../control/errors.ts';
import { type ScaledTier, tierKey } from '../../scaler/cluster.ts';
import { mostNodes } from '../../scaler/schedule.ts';
import { type Bounds, MAX_NODES, MIN_NODES } from '../../sim/optimum.ts';
import { plainBoots } from '../../sim/physics.ts';
import { bootDeadlineMs, type SimulationOptions } from '../../sim/simulation.ts';
import { say } from '../print.ts';
import type { RunOptions } from './options.ts';

/** A tier as one config has it. */
export interface Subject {
  readonly file: string;
  readonly config: Config;
  readonly tier: ScaledTier;
}

export interface Subjects {
  readonly subject: Subject;
  /** The same tier in the other config. */
  readonly other: Subject | undefined;
  /** Of the demand by which both are measured. */
  readonly bounds: Bounds;
}

/**
 * What the command line asks about.
 *
 * @throws ConfigError. CommanderError when it is not said which tier, or one is said that is not there.
 */
export async function loadSubjects(options: RunOptions, command: Command): Promise<Subjects> {
  const { config: file, against } = options;
  const [{ config }, old] = await Promise.all([
    loadConfig(file),
    against === undefined ? undefined : loadConfig(against),
  ]);
  const tier = chooseTier(config, file, options.tier, command);
  if (against === undefined || old === undefined) {
    return { subject: { file, config, tier }, other: undefined, bounds: boundsOf([tier]) };
  }
  const otherTier = chooseTier(old.config, against, tierKey(tier), command);
  return {
    subject: { file, config, tier },
    other: { file: against, config: old.config, tier: otherTier },
    bounds: boundsOf([tier, otherTier]),
  };
}

/**
 * Says where the config does not go with the boots, and that schedules are left out when nobody knows what the clock
 * shows.
 */
export function prepareRun(
  { file, config, tier }: Subject,
  {
    bounds,
    bootDelayMs,
    hasTimes,
  }: { readonly bounds: Bounds; readonly bootDelayMs: number; readonly hasTimes: boolean },
): Omit<SimulationOptions, 'random' | 'onSecond' | 'beginsAtMs'> {
  const boots = plainBoots(bootDelayMs / 1_000);
  const deadlineMs = bootDeadlineMs(tier, boots);
  const { bootDeadlineMs: given } = tier.policy;
  if (given !== 'auto' && deadlineMs > given) {
    say(
      `${file}: boot.deadline ${formatDuration(given)} is short for boots of ${formatDuration(bootDelayMs)}; the simulation waits ${formatDuration(deadlineMs)}`,
    );
  }
  const { schedules = [], ...policy } = tier.policy;
  if (schedules.length > 0 && !hasTimes) {
    say(`${file}: the schedules are left out: say when the load begins, with --from`);
    return { ...describeSimulation(config, { ...tier, policy }), bounds, boots };
  }
  return { ...describeSimulation(config, tier), bounds, boots };
}

/** Both configs are measured by one demand: that of the benchmark, or wider where a config is. */
function boundsOf(tiers: readonly ScaledTier[]): Bounds {
  return {
    minNodes: Math.min(MIN_NODES, ...tiers.map(({ policy }) => policy.minNodes)),
    maxNodes: Math.max(MAX_NODES, ...tiers.map(({ policy }) => mostNodes(policy))),
  };
}

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
