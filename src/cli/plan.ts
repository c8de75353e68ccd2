import type { Command } from 'commander';
import { dryRun, dryRunOfTwo, type Look } from '../compose.ts';
import {
  compareConfigs,
  describeChange,
  refuseOtherInstallation,
} from '../config/config-keeper.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { UnreachableError } from '../control/errors.ts';
import type { Action } from '../scaler/action.ts';
import { describeSchedules } from '../scaler/explain-schedules.ts';
import type { TierTick } from '../scaler/tick.ts';
import { configOption } from './config-option.ts';
import { formatMoment } from './moments.ts';
import { print, printJson, say } from './print.ts';
import { describeRefusal } from './troubles.ts';

interface PlanOptions {
  readonly config: string;
  readonly against?: string;
  readonly json?: true;
}

/** Two readings a second apart, each as long as a busy host may take for its answer. */
const DEADLINE_MS = 60_000;

/** `rackfire plan`: one tick that changes nothing. */
export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('print what would be decided and done now; changes nothing')
    .addOption(configOption())
    .option('--against <file>', 'another config: what it would change now, if it were in force')
    .option('--json', 'print one JSON object')
    .action(async (options: PlanOptions) => {
      await (options.against === undefined
        ? plan(options)
        : compare(options.config, options.against, options.json));
    });
}

/** @throws UnreachableError when a host or balancer does not answer. */
async function plan(options: PlanOptions): Promise<void> {
  const { config } = await loadConfig(options.config);
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const clock = createSystemClock();
  const controller = await dryRun(config, clock, signal);
  const offsetMs = clock.wallMs() - clock.steadyMs();
  const { ticks, fixed } = controller;
  if (options.json === true) {
    printJson(toJson(controller, offsetMs));
  } else {
    const formatTime = (steadyMs: number): string =>
      formatMoment(isoOf(steadyMs + offsetMs), clock.wallMs());
    for (const { tier, observation, tick } of ticks.values()) {
      printTick(tick, describeSchedules({ tier, observation, formatTime }));
    }
    for (const [tier, nodes] of fixed) {
      print(`${tier}: ${nodes.length} nodes, only watched (scaling: none)`);
      for (const node of nodes) {
        printNode(node);
      }
    }
  }
  sayOrderedAhead([controller]);
  requireAnswers(controller.unanswered);
}

/**
 * Both configs decide on the same look at the world; neither changes anything, and neither knows what the running service
 * remembers: windows of scale-in begin anew for both.
 *
 * @throws InvalidConfigError when the other one is of another installation. @throws UnreachableError as `plan`.
 */
async function compare(file: string, against: string, json: true | undefined): Promise<void> {
  const [now, then] = await Promise.all([loadConfig(file), loadConfig(against)]);
  refuseOtherInstallation(now, then);
  const changes = compareConfigs(now, then);
  const clock = createSystemClock();
  const { present, future } = await dryRunOfTwo(
    { present: now.config, future: then.config },
    clock,
    AbortSignal.timeout(DEADLINE_MS),
  );
  const offsetMs = clock.wallMs() - clock.steadyMs();
  if (json === true) {
    printJson({ ...toJson(present, offsetMs), changes, against: toJson(future, offsetMs) });
  } else {
    for (const change of changes) {
      print(describeChange(change));
    }
    if (changes.length === 0) {
      print(`${against} says the same as ${file}`);
    }
    for (const tier of new Set([...present.ticks.keys(), ...future.ticks.keys()])) {
      printDifference(tier, present.ticks.get(tier)?.tick, future.ticks.get(tier)?.tick);
    }
  }
  sayOrderedAhead([present, future]);
  requireAnswers([...new Set([...present.unanswered, ...future.unanswered])]);
}

/** How long boots have been measured to take, the running service alone knows: it orders later for a window to come. */
function sayOrderedAhead(looks: readonly Look[]): void {
  const isAhead = looks
    .flatMap(({ ticks }) => [...ticks.values()])
    .some(
      ({ observation, tick }) =>
        tick.decision.reason === 'schedule' &&
        (observation.schedules ?? []).every(
          ({ minNodes, untilMs }) => minNodes === undefined || untilMs === undefined,
        ),
    );
  if (isAhead) {
    say(
      'rackfire: what a schedule wants is ordered here as if each boot took as long as it may; the service knows how long they take, and orders later',
    );
  }
}

/** @throws UnreachableError */
function requireAnswers(unanswered: readonly string[]): void {
  if (unanswered.length > 0) {
    // The service itself begins when every source has answered or failed, and one balancer has answered.
    throw new UnreachableError(`the plan is incomplete, no answer from ${unanswered.join('; ')}`);
  }
}

/** @param offsetMs - The wall clock minus the steady one. */
function toJson({ ticks, fixed }: Look, offsetMs: number): object {
  return {
    tiers: [...ticks.values()].map(({ observation, tick }) => ({
      ...tick.decision,
      schedules: (observation.schedules ?? []).map((seen) => {
        const { untilMs, fromMs, isOrdered: _, ...schedule } = seen;
        return {
          ...schedule,
          until: untilMs === undefined ? null : isoOf(untilMs + offsetMs),
          from: fromMs === undefined ? null : isoOf(fromMs + offsetMs),
        };
      }),
      nodes: tick.nodes,
      actions: tick.actions,
      shortfall: tick.plan.shortfall ?? null,
    })),
    fixedTiers: [...fixed].map(([tier, nodes]) => ({ tier, nodes })),
  };
}

function printDifference(
  tier: string,
  present: TierTick | undefined,
  future: TierTick | undefined,
): void {
  if (future === undefined) {
    print(`${tier}: would be paused and left as it is, because it is not scaled there`);
    return;
  }
  if (present === undefined) {
    print(`${tier}: is new there`);
    printTick(future);
    return;
  }
  const [before, after] = [listPlan(present), listPlan(future)];
  if (before.join('\n') === after.join('\n')) {
    print(`${tier}: the same, ${before[0] ?? ''}`);
    return;
  }
  print(`${tier}:`);
  for (const line of before.filter((one) => !after.includes(one))) {
    print(`  - ${line}`);
  }
  for (const line of after.filter((one) => !before.includes(one))) {
    print(`  + ${line}`);
  }
}

/** What is decided and would be done, a line each; not what the decision was made from. */
function listPlan({ decision, plan: planned, actions }: TierTick): readonly string[] {
  const { currentNodes, desiredNodes, reason, needNodes } = decision;
  const need = needNodes === undefined ? 'need unknown' : `needs ${needNodes.toFixed(1)}`;
  return [
    `${currentNodes === desiredNodes ? desiredNodes : `${currentNodes} → ${desiredNodes}`} nodes (${reason}, ${need})`,
    ...describeActions(planned, actions),
  ];
}

function describeActions(
  { actions: wanted, shortfall }: TierTick['plan'],
  actions: TierTick['actions'],
): readonly string[] {
  const lines = wanted.map((action) => {
    const held = actions.includes(action) ? '' : ', held back by the mode';
    return `would ${describe(action)} (${action.reason}${held})`;
  });
  if (shortfall === undefined) {
    return lines;
  }
  const { nodes: missing, why, refusals } = shortfall;
  const hosts = refusals.map(describeRefusal).join('; ');
  return [
    ...lines,
    `cannot boot ${missing} more${why === 'concurrent-boots' ? ' yet' : ''}: ${why}${hosts === '' ? '' : ` (${hosts})`}`,
  ];
}

/** Whole seconds: two clocks were read one after the other. */
function isoOf(wallMs: number): string {
  return new Date(Math.round(wallMs / 1_000) * 1_000).toISOString();
}

function printTick(
  { decision, nodes, plan: planned, actions }: TierTick,
  schedules: readonly string[] = [],
): void {
  const { tier, currentNodes, desiredNodes, reason } = decision;
  const change =
    currentNodes === desiredNodes ? `${currentNodes}` : `${currentNodes} → ${desiredNodes}`;
  print(`${tier}: ${change} nodes (${reason})`);
  for (const { signal, status, needNodes } of decision.advice) {
    const need = needNodes === undefined ? 'says nothing' : `needs ${needNodes.toFixed(2)} nodes`;
    print(`  signal ${signal}: ${status}, ${need}`);
  }
  for (const schedule of schedules) {
    print(`  ${schedule}`);
  }
  for (const stage of decision.stages) {
    print(`  stage ${stage.reason}: ${stage.fromNodes} → ${stage.toNodes}`);
  }
  for (const node of nodes) {
    printNode(node);
  }
  for (const line of describeActions(planned, actions)) {
    print(`  ${line}`);
  }
  if (planned.actions.length === 0) {
    print('  nothing to do');
  }
}

function printNode(node: {
  readonly name: string;
  readonly phase: string;
  readonly host: string | undefined;
}): void {
  print(`  node ${node.name}: ${node.phase}${node.host === undefined ? '' : ` on ${node.host}`}`);
}

function describe(action: Action): string {
  const host = 'host' in action ? ` on ${action.host}` : '';
  const address = action.kind === 'boot' ? ` at ${action.address}` : '';
  return `${action.kind} ${action.node}${host}${address}`;
}
