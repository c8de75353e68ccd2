import type { Command } from 'commander';
import { dryRun } from '../compose.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { UnreachableError } from '../control/errors.ts';
import type { Action } from '../scaler/action.ts';
import { describeSchedules } from '../scaler/explain-schedules.ts';
import type { TierTick } from '../scaler/tick.ts';
import { formatMoment } from './moments.ts';
import { print, printJson } from './print.ts';
import { describeRefusal } from './troubles.ts';

interface PlanOptions {
  readonly config: string;
  readonly json?: true;
}

/** Two readings a second apart, each as long as a busy host may take for its answer. */
const DEADLINE_MS = 60_000;

/** `rackfire plan`: one tick that changes nothing. */
export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('print what would be decided and done now; changes nothing')
    .requiredOption('-c, --config <file>', 'the config file')
    .option('--json', 'print one JSON object')
    .action(async (options: PlanOptions) => {
      await plan(options);
    });
}

/** @throws UnreachableError when a host or balancer does not answer. */
async function plan(options: PlanOptions): Promise<void> {
  const { config } = await loadConfig(options.config);
  const clock = createSystemClock();
  const controller = await dryRun(config, clock, AbortSignal.timeout(DEADLINE_MS));
  const { ticks, fixed } = controller;
  const offsetMs = clock.wallMs() - clock.steadyMs();
  const isoOf = (steadyMs: number): string => {
    return new Date(Math.round((steadyMs + offsetMs) / 1_000) * 1_000).toISOString();
  };
  if (options.json === true) {
    printJson({
      tiers: [...ticks.values()].map(({ observation, tick }) => ({
        ...tick.decision,
        schedules: (observation.schedules ?? []).map(({ untilMs, fromMs, ...schedule }) => ({
          ...schedule,
          until: untilMs === undefined ? null : isoOf(untilMs),
          from: fromMs === undefined ? null : isoOf(fromMs),
        })),
        nodes: tick.nodes,
        actions: tick.actions,
        shortfall: tick.plan.shortfall ?? null,
      })),
      fixedTiers: [...fixed].map(([tier, nodes]) => ({ tier, nodes })),
    });
  } else {
    const formatTime = (steadyMs: number): string => formatMoment(isoOf(steadyMs), clock.wallMs());
    for (const { tier, observation, tick } of ticks.values()) {
      const schedules = describeSchedules({ tier, observation, formatTime });
      printTick(tick, schedules);
    }
    for (const [tier, nodes] of fixed) {
      print(`${tier}: ${nodes.length} nodes, only watched (scaling: none)`);
      for (const node of nodes) {
        printNode(node);
      }
    }
  }
  const { unanswered } = controller;
  if (unanswered.length > 0) {
    // The service itself begins when every source has answered or failed, and one balancer has answered.
    throw new UnreachableError(`the plan is incomplete, no answer from ${unanswered.join('; ')}`);
  }
}

function printTick(
  { decision, nodes, plan: planned, actions }: TierTick,
  schedules: readonly string[],
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
  for (const action of planned.actions) {
    const held = actions.includes(action) ? '' : ', held back by the mode';
    print(`  would ${describe(action)} (${action.reason}${held})`);
  }
  if (planned.shortfall !== undefined) {
    const { nodes: missing, why, refusals } = planned.shortfall;
    const hosts = refusals.map(describeRefusal).join('; ');
    print(`  cannot boot ${missing} more: ${why}${hosts === '' ? '' : ` (${hosts})`}`);
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
