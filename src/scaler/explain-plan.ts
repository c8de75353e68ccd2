/** Count → what is done to which node, what is not and why, in sentences. */

import { type Action, takesAway } from './action.ts';
import type { Shortfall } from './boot-nodes.ts';
import { type ExplainInput, nameOverride } from './explain-input.ts';
import { boundsOf } from './explain-schedules.ts';
import { sortFleet } from './fleet.ts';
import type { Node, NodePhase } from './node-phase.ts';
import type { AdminState, StartKind } from './observation.ts';
import { findExclusion, findHostDrain } from './override.ts';
import type { Refusal } from './place.ts';
import { timeToServeMs } from './start-times.ts';
import { agree, capitalized, counted, inTime, listed } from './wording.ts';

const PHASES: Readonly<Record<NodePhase, string | undefined>> = {
  'in-service': 'in service',
  'out-of-rotation': 'out of rotation',
  warming: 'warming',
  booting: 'booting',
  standby: 'on standby',
  stopping: 'stopping',
  failed: 'failed',
  residue: 'left over from an interrupted boot or teardown',
  unknown: 'unknown',
  conflict: 'in conflict',
  absent: undefined,
};

/** How many nodes are in which phase, and which of them fail their check or cannot be let go. */
export function describeNodes({ tick, observation }: ExplainInput): readonly string[] {
  const counts: string[] = [];
  for (const [phase, text] of Object.entries(PHASES)) {
    const count = tick.nodes.filter((node) => node.phase === phase).length;
    if (count > 0 && text !== undefined) {
      const first = `${counted(count, 'node')} ${agree(count, 'is', 'are')}`;
      counts.push(`${counts.length === 0 ? first : count} ${text}`);
    }
  }
  const sentences = [counts.length === 0 ? 'There is no node.' : `${listed(counts)}.`];
  for (const node of tick.nodes) {
    if (node.sickForMs > 0 && node.phase !== 'absent') {
      const since = inTime(node.sickForMs);
      sentences.push(`${node.name} is in rotation, but its check has failed for ${since}.`);
    } else if (node.phase === 'out-of-rotation' && node.sessionsKnown && !node.quiet) {
      sentences.push(`${node.name} is out of rotation and still has sessions.`);
    }
  }
  if (observation.oldWorkers) {
    sentences.push(
      'HAProxy was reloaded and its old workers may still serve: no node is quiet for sure.',
    );
  }
  return sentences;
}

const STARTS: Readonly<Record<StartKind, string>> = {
  cold: 'a boot',
  saved: 'waking a saved node',
  paused: 'waking a paused node',
};

/** How long nodes took to come lately; nothing before the first has come. */
export function describeStarts({ observation }: ExplainInput): readonly string[] {
  const { startTimes = [] } = observation;
  const parts = Object.entries(STARTS).flatMap(([kind, text]) => {
    const timesMs = startTimes.filter(({ start }) => start === kind).map(({ timeMs }) => timeMs);
    const [least, most] = [inTime(Math.min(...timesMs)), inTime(Math.max(...timesMs))];
    return timesMs.length === 0 ? [] : [`${text} ${least === most ? most : `${least} to ${most}`}`];
  });
  return parts.length === 0
    ? []
    : [`From the order to the first passed check it lately took ${listed(parts)}.`];
}

/** So many fail at once that it is not the nodes. */
export function describeFrozen({ tick }: ExplainInput): readonly string[] {
  if (!tick.plan.healingFrozen) {
    return [];
  }
  const sick = tick.nodes.filter((node) => node.sickForMs > 0).length;
  return [
    `${counted(sick, 'node')} in rotation fail their checks at once, which is rather the network or a storm than the nodes: none of them is replaced, and none that works is let go.`,
  ];
}

/** Nodes that are needed and cannot be booted: `3 more nodes are needed, but xen-a has …`. */
export function describeShortfall(input: ExplainInput): readonly string[] {
  const { shortfall } = input.tick.plan;
  if (shortfall === undefined) {
    return [];
  }
  const { nodes } = shortfall;
  return [
    `${counted(nodes, 'more node')} ${agree(nodes, 'is', 'are')} needed and cannot be booted: ${whyNoRoom(input, shortfall)}.`,
  ];
}

/** Host by host where hosts are what lacks. */
export function whyNoRoom(input: ExplainInput, { why, refusals }: Shortfall): string {
  const { tier, observation } = input;
  switch (why) {
    case 'maximum':
      return `the maximum of ${counted(boundsOf(input).maxNodes, 'node')} is reached, counting those that boot, stop, fail or stand by`;
    case 'addresses':
      return `none of the ${counted(tier.addresses.length, 'address', 'addresses')} is free; those count as taken that rest after a failure or that a conflict blocks`;
    case 'fleet-limit': {
      const room = Math.max(0, observation.fleetRoom);
      return `the installation's limit (limits.maxNodes) leaves room for ${room === 0 ? 'none' : `${room} only`}`;
    }
    case 'breaker':
      return observation.circuit === 'open'
        ? `too many boots of this tier have failed, and none is tried ${untilProbe(input, observation)}, then one by itself: rackfire events says why they failed, mend that`
        : 'after too many failed boots one is tried first';
    case 'no-host':
    case 'concurrent-boots':
      return refusals.length === 0
        ? 'there is no host'
        : refusals.map((refusal) => describeRefusal(input, refusal)).join('; ');
  }
}

function describeRefusal(input: ExplainInput, refusal: Refusal): string {
  const { tier, observation } = input;
  const { host, free } = refusal;
  const { size } = tier;
  switch (refusal.why) {
    case 'unreachable':
      return `${host} does not answer`;
    case 'not-fenced':
      return `${host} has not acknowledged yet that this Rackfire leads, and may still take orders of the one before`;
    case 'draining':
      return `${host} is to be drained, as ${drainer(input, host)} asks`;
    case 'host-failure':
      return `${host} has room, but with one more node there the base nodes of ${refusal.uncovered ?? 'a host'} would fit nowhere if that host were lost`;
    case 'breaker':
      return describeHostBreaker(input, host);
    case 'concurrent-boots':
      return `${host} boots or wakes as many at once as it may, ${observation.concurrentBootsPerHost}`;
    case 'memory':
      return `${host} has ${left(free, 'MiB of memory')} left and a node needs ${size.memoryMiB} MiB`;
    case 'vcpus':
      return `${host} has ${left(free, free === 1 ? 'vCPU' : 'vCPUs')} left and a node needs ${size.vcpus}`;
    case 'disk':
      return `${host} has ${left(free, 'MiB of disk')} left and a node needs ${size.diskMiB} MiB`;
  }
}

function describeHostBreaker(input: ExplainInput, host: string): string {
  const sighting = input.observation.hosts.find(({ name }) => name === host);
  return sighting?.circuit === 'half-open'
    ? `${host} has failed too many boots and is trying one`
    : `${host} has failed too many boots and is left alone ${untilProbe(input, sighting)} (rackfire events says why they failed)`;
}

/** When an open breaker tries again; ticks that an older program kept do not say when. */
function untilProbe(
  { formatTime }: ExplainInput,
  breaker: { readonly circuitOpenUntilMs?: number } | undefined,
): string {
  const untilMs = breaker?.circuitOpenUntilMs;
  return untilMs === undefined ? 'for a while' : `until ${formatTime(untilMs)}`;
}

/** Who asks to drain a host. */
function drainer(input: ExplainInput, host: string): string {
  const asker = findHostDrain(input.observation.overrides, host);
  return asker === undefined ? 'an operator' : nameOverride(input, asker.id);
}

/** What is in flight may take more than there is. */
function left(free: number | undefined, unit: string): string {
  return free !== undefined && free > 0 ? `${free} ${unit}` : `no ${unit.replace('MiB of ', '')}`;
}

/** Balancers that do not say what is on their servers, or have them otherwise than the others. */
export function describeBalancers(input: ExplainInput): readonly string[] {
  const { observation, tick } = input;
  const { balancers = [], overrides } = observation;
  const sentences: string[] = [];
  for (const { name, answers } of balancers) {
    const exclusion = findExclusion(overrides, name);
    if (exclusion !== undefined) {
      const who = capitalized(nameOverride(input, exclusion.id));
      sentences.push(
        `${who} excludes ${name}: its signals do not count, and nothing waits for it.`,
      );
    } else if (!answers && balancers.length > 1) {
      sentences.push(
        `${name} does not answer: no node is paused or destroyed before it does, or is excluded (rackfire balancer exclude ${name}).`,
      );
    }
  }
  for (const { node, balancer, from, wanted } of tick.plan.drift ?? []) {
    sentences.push(
      `${node} is ${ADMIN[from]} at ${balancer}, and should be ${ADMIN[wanted]} as at the others.`,
    );
  }
  return sentences;
}

const ADMIN: Readonly<Record<AdminState, string>> = {
  ready: 'in rotation',
  drain: 'drained',
  maint: 'in maintenance',
};

/** Nodes that would be let go, were they not protected. */
export function describeKept(input: ExplainInput): readonly string[] {
  return input.tick.plan.kept.map(
    ({ node, override }) =>
      `${node} would go now, but ${nameOverride(input, override)} protects it.`,
  );
}

/** Nodes that an operator asked to drain and that nothing is done to in this tick, and what they wait for. */
export function describeAsked(input: ExplainInput): readonly string[] {
  const busy = new Set(input.tick.plan.actions.map(({ number }) => number));
  const sentences: string[] = [];
  for (const node of input.tick.nodes) {
    if (node.drainAskedBy !== undefined && !busy.has(node.number)) {
      const who = nameOverride(input, node.drainAskedBy);
      const host = findHostDrain(input.observation.overrides, node.host);
      const what =
        host?.id === node.drainAskedBy ? `${node.host}, and with it ${node.name}` : node.name;
      sentences.push(`${capitalized(who)} asks to drain ${what}: ${whyWaits(input, node)}.`);
    }
  }
  return sentences;
}

function whyWaits(input: ExplainInput, node: Node): string {
  const { decision, plan, nodes } = input.tick;
  const fleet = sortFleet(nodes);
  if (node.operation !== undefined) {
    return `it waits until “${node.operation}”, which is under way there, has been seen to end`;
  }
  if (!fleet.asked.includes(node) && !fleet.leaving.includes(node)) {
    return node.phase === 'unknown'
      ? 'nothing is done to it, because too little is known of it'
      : `nothing is to be drained while it is ${PHASES[node.phase] ?? 'not there'}`;
  }
  if (!decision.signalsKnown) {
    return 'it waits, because not every signal is known';
  }
  if (plan.healingFrozen) {
    return 'it waits, because so many nodes fail their checks at once';
  }
  if (fleet.leaving.includes(node)) {
    return node.sessionsKnown
      ? `it is out of rotation, and destroyed when its last session has ended or the drain's deadline of ${inTime(input.tier.policy.drainDeadlineMs)} has passed`
      : 'it is out of rotation, and destroyed when it is known to have no session';
  }
  const others = fleet.serving.filter(({ serving }) => serving).length;
  const needed = Math.max(1, decision.desiredNodes);
  return `it goes when ${counted(needed, 'other node')} ${agree(needed, 'serves', 'serve')}, and ${others} ${agree(others, 'does', 'do')}`;
}

/** What is done, in the order in which it is begun; nodes with the same lot in one sentence. */
export function describeActions(
  input: ExplainInput,
  actions: readonly Action[],
  voice: 'is' | 'would be',
): readonly string[] {
  const groups = new Map<string, Action[]>();
  for (const action of actions) {
    const force = action.kind === 'destroy' && action.force;
    const asked = action.reason === 'asked' ? action.number : '';
    const where = action.kind === 'repair' ? `${action.balancer} ${action.to}` : '';
    const key = `${action.kind} ${action.reason} ${force} ${asked} ${where}`;
    groups.set(key, [...(groups.get(key) ?? []), action]);
  }
  return [...groups.values()].map((group) => {
    const [first] = group;
    const names = group.map((action) =>
      action.kind === 'boot' ? `${action.node} on ${action.host}` : action.node,
    );
    const be = voice === 'is' ? agree(group.length, 'is', 'are') : voice;
    return first === undefined
      ? ''
      : `${listed(names)} ${be} ${done(first)}${because(input, first, group.length)}`;
  });
}

function done(action: Action): string {
  switch (action.kind) {
    case 'boot':
      return 'booted';
    case 'wake':
      return 'woken';
    case 'admit':
      return 'put into rotation';
    case 'warm':
      return 'checked, without traffic yet';
    case 'drain':
      return 'drained';
    case 'park':
      return 'put into maintenance';
    case 'repair':
      return `${REPAIRED[action.to]} at ${action.balancer}`;
    case 'pause':
      return 'paused';
    case 'save':
      return 'saved';
    case 'destroy':
      return action.force ? 'destroyed, sessions or not' : 'destroyed';
  }
}

const REPAIRED: Readonly<Record<AdminState, string>> = {
  ready: 'put into rotation',
  drain: 'checked, without traffic,',
  maint: 'put into maintenance',
};

function because(input: ExplainInput, action: Action, count: number): string {
  const it = agree(count, 'it', 'they');
  const is = agree(count, 'is', 'are');
  const its = agree(count, 'its', 'their');
  switch (action.reason) {
    case 'needed':
      return `, because ${it} ${is} needed${action.kind === 'boot' ? besideStandby(input) : ''}`;
    case 'not-needed':
      return `, because ${it} ${is} not needed`;
    case 'standby':
      return ' for standby';
    case 'sick':
      return `, because ${its} ${agree(count, 'check has', 'checks have')} failed too long`;
    case 'asked': {
      const node = input.tick.nodes.find(({ number }) => number === action.number);
      const asker = node?.drainAskedBy;
      return `, because ${asker === undefined ? 'an operator' : nameOverride(input, asker)} asks for it`;
    }
    case 'boot-failed':
      return `, because ${its} ${agree(count, 'boot has', 'boots have')} failed`;
    case 'drain-deadline':
      return `, because ${its} ${agree(count, 'drain has', 'drains have')} taken longer than ${inTime(input.tier.policy.drainDeadlineMs)}`;
    case 'residue':
      return `, because ${it} ${is} what an interrupted boot or teardown left`;
    case 'drift':
      return ', as at the other balancers';
    case 'no-domain':
      return `, because no host has such ${agree(count, 'a node', 'nodes')}`;
  }
}

/** Why nodes are booted beside others that stay on standby; nothing where none does. */
function besideStandby({ tick, observation }: ExplainInput): string {
  const { leftNodes } = tick.plan;
  return leftNodes === undefined
    ? ''
    : `, but not before a boot serves, in ${inTime(timeToServeMs(observation))}: the ${leftNodes === 1 ? 'node' : `${leftNodes} nodes`} on standby ${agree(leftNodes, 'is', 'are')} left for what is needed sooner`;
}

/** What the mode, or a defect of the plan, keeps from being done. */
export function describeHeldBack(input: ExplainInput): readonly string[] {
  const { mode, tick } = input;
  const { actions, findings, plan } = tick;
  if (findings.length > 0) {
    return [
      `Nothing is done, because the plan contradicts itself, which is a defect in Rackfire: ${findings.join('; ')}.`,
    ];
  }
  const held = plan.actions.filter(
    (action) =>
      !actions.some(({ kind, number }) => kind === action.kind && number === action.number),
  );
  const why =
    mode === 'scale-out-only' && held.every(takesAway)
      ? 'but the mode scale-out-only takes nothing away'
      : `but the mode is ${mode}`;
  return describeActions(input, held, 'would be').map((text) => `${text}, ${why}.`);
}
