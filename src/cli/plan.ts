import type { Command } from 'commander';
import { dryRun } from '../compose.ts';
import { loadConfig } from '../config/load-config.ts';
import { createSystemClock } from '../control/clock.ts';
import { UnreachableError } from '../control/errors.ts';
import type { Action } from '../scaler/action.ts';
import type { TierTick } from '../scaler/tick.ts';
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
  const controller = await dryRun(config, createSystemClock(), AbortSignal.timeout(DEADLINE_MS));
  const { ticks, fixed } = controller;
  if (options.json === true) {
    printJson({
      tiers: [...ticks.values()].map(({ tick: { decision, nodes, plan: planned, actions } }) => ({
        ...decision,
        nodes,
        actions,
        shortfall: planned.shortfall ?? null,
      })),
      fixedTiers: [...fixed].map(([tier, nodes]) => ({ tier, nodes })),
    });
  } else {
    for (const { tick } of ticks.values()) {
      printTick(tick);
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

function printTick({ decision, nodes, plan: planned, actions }: TierTick): void {
  const { tier, currentNodes, desiredNodes, reason } = decision;
  const change =
    currentNodes === desiredNodes ? `${currentNodes}` : `${currentNodes} → ${desiredNodes}`;
  print(`${tier}: ${change} nodes (${reason})`);
  for (const { signal, status, needNodes } of decision.advice) {
    const need = needNodes === undefined ? 'says nothing' : `needs ${needNodes.toFixed(2)} nodes`;
    print(`  signal ${signal}: ${status}, ${need}`);
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
