/** What is to be said of one tier that is scaled: its bounds, its signals, its deadlines, and what it asks of its database. */

import type { ScalingPolicy } from '../scaler/policy.ts';
import { mostNodes } from '../scaler/schedule.ts';
import { type Advice, pathOfMost, type Subject } from './advice.ts';
import { embeddedHosts, roomOnEmbeddedHosts } from './embedded-room.ts';
import type { PlacedTier } from './placed-tiers.ts';
import type { Path } from './problems.ts';
import { formatDuration } from './units.ts';

/** Windows shorter than this do not outlast the noise of a second, where nothing is foreseen. It is the least of `auto` there. */
const SHORTEST_WINDOW_MS = 30_000;

/** Nodes loaded by so much more than their target are late help. */
const MOST_OVERLOAD = 0.2;

/** Of what the minimum can bear: a node beyond it that is kept below this is a node for nothing. */
const LEAST_USE = 0.8;

/** A storm is over the hill by then. */
const LONGEST_WAY_OUT_MS = 300_000;

/** Pages are rarely quicker; whoever has an API that is, has measured it. */
const QUICKEST_ANSWER_MS = 20;

/** Three failed checks mark a node down, as `haproxy-config` writes it. */
const FALL = 3;
const LONGEST_BLINDNESS_MS = 20_000;

export function adviseTier(subject: Subject, placed: readonly PlacedTier[]): readonly Advice[] {
  return [
    ...CHECKS.flatMap((check) => check(subject) ?? []),
    ...adviseConnections(subject, placed),
  ];
}

const CHECKS: readonly ((subject: Subject) => Advice | undefined)[] = [
  adviseMinimum,
  adviseMaximum,
  adviseAddresses,
  adviseWindow,
  adviseScaleOutTolerance,
  adviseScaleInTolerance,
  adviseScaleOutPolicies,
  adviseTarget,
  adviseSlots,
  adviseQueueWait,
  adviseQueueTimeout,
  adviseHealth,
  adviseDrain,
  adviseBootDeadline,
];

function adviseMinimum({ tier, path }: Subject): Advice | undefined {
  return tier.policy.minNodes > 1
    ? undefined
    : {
        path: [...path, 'nodes', 'min'],
        message: 'while the only node is sick, rebooted or replaced, nobody serves',
        proposal: 'write 2: what an ordinary night needs, and one more',
      };
}

/** What Xen hosts have, they say themselves. @see `rackfire capacity` */
function adviseMaximum(subject: Subject): Advice | undefined {
  const { tier, config } = subject;
  const maxNodes = mostNodes(tier.policy);
  const room = roomOnEmbeddedHosts(config, tier);
  if (room === undefined || room >= maxNodes) {
    return undefined;
  }
  return {
    path: pathOfMost(subject),
    message: `the ${config.hosts.length === 1 ? 'host has' : 'hosts have'} room for ${room} nodes of size \`${tier.size.name}\` beside what the other tiers have at least, so ${maxNodes} are never reached`,
    proposal: `write ${room}, or give the hosts room for ${maxNodes - room} more (rackfire capacity)`,
  };
}

function adviseAddresses({ tier, path }: Subject): Advice | undefined {
  const maxNodes = mostNodes(tier.policy);
  const addresses = tier.addresses.length;
  const spare = Math.max(2, Math.ceil(maxNodes / 4));
  return addresses > maxNodes
    ? undefined
    : {
        path: [...path, 'addresses'],
        message: `${addresses} addresses for up to ${maxNodes} nodes leave none for the replacement of a node on a lost host, or while a number rests after a failed boot`,
        proposal: `widen the range to ${maxNodes + spare} addresses`,
      };
}

function adviseWindow({ tier, path }: Subject): Advice | undefined {
  const { minNodes, requestRate, scaleIn, looksAhead } = tier.policy;
  const { stabilizationWindowMs: windowMs } = scaleIn;
  const outlastsNoise = windowMs === 'auto' || windowMs >= SHORTEST_WINDOW_MS;
  // What is foreseen has the noise taken out of it already.
  if (outlastsNoise || looksAhead || requestRate === undefined) {
    return undefined;
  }
  const rps = minNodes * requestRate.targetPerNodeRps;
  // Arrivals that know nothing of each other scatter by the root of their number.
  const noiseRps = 2 * Math.sqrt(rps);
  return {
    path: [...path, 'scaleIn', 'stabilizationWindow'],
    message: `at \`nodes.min\`, one second of ${rps} rps is anything from ${Math.round(rps - noiseRps)} to ${Math.round(rps + noiseRps)} by chance alone, and after ${formatDuration(windowMs)} of the lower ones a node is let go: nodes come and go without a reason`,
    proposal: 'write `auto`: about as long as a boot takes, at least 30s',
  };
}

function adviseScaleOutTolerance({ tier, path }: Subject): Advice | undefined {
  const { minNodes, requestRate, scaleOut } = tier.policy;
  const { tolerance } = scaleOut;
  if (tolerance <= MOST_OVERLOAD || requestRate === undefined) {
    return undefined;
  }
  const { targetPerNodeRps } = requestRate;
  const allowedRps = round(targetPerNodeRps * (1 + tolerance));
  return {
    path: [...path, 'scaleOut', 'tolerance'],
    message: `with ${minNodes} nodes, none is added until each has ${allowedRps} rps, ${round(100 * tolerance)} % above its target of ${targetPerNodeRps}`,
    proposal: `write ${MOST_OVERLOAD / 2} or less; where nodes bear ${allowedRps} rps well, make that the target`,
  };
}

function adviseScaleInTolerance({ tier, path }: Subject): Advice | undefined {
  const { minNodes, scaleIn } = tier.policy;
  const { tolerance } = scaleIn;
  const nodes = minNodes + 1;
  const letGoBelow = nodes * (1 - tolerance);
  return letGoBelow >= LEAST_USE * minNodes
    ? undefined
    : {
        path: [...path, 'scaleIn', 'tolerance'],
        message: `of ${nodes} nodes one is let go only when the load is that of ${round(letGoBelow)}, though ${minNodes} would do below ${minNodes}`,
        proposal: `write at most ${Math.floor(100 / nodes) / 100}, the share of one node of ${nodes}`,
      };
}

function adviseScaleOutPolicies({ tier, path }: Subject): Advice | undefined {
  const { minNodes, maxNodes, scaleOut } = tier.policy;
  if (scaleOut.policies.length === 0) {
    return undefined;
  }
  const wayMs = Math.min(...scaleOut.policies.map((policy) => timeOut(policy, minNodes, maxNodes)));
  return wayMs <= LONGEST_WAY_OUT_MS
    ? undefined
    : {
        path: [...path, 'scaleOut', 'policies'],
        message: `from ${minNodes} to ${maxNodes} nodes takes ${formatDuration(wayMs)} at this speed, beside the boots`,
        proposal: 'leave them out, or write [{ percent: 100, per: 15s }, { nodes: 4, per: 15s }]',
      };
}

/** Time of the periods that must have passed before the last node is ordered. */
function timeOut(policy: ScalingPolicy, minNodes: number, maxNodes: number): number {
  let periods = 0;
  for (let nodes = minNodes; nodes < maxNodes; periods += 1) {
    nodes +=
      policy.kind === 'nodes'
        ? policy.nodes
        : Math.max(1, Math.ceil((nodes * policy.percent) / 100));
  }
  return Math.max(0, periods - 1) * policy.periodMs;
}

function adviseTarget({ tier, path, config }: Subject): Advice | undefined {
  const targetRps = tier.policy.requestRate?.targetPerNodeRps;
  if (targetRps === undefined) {
    return undefined;
  }
  const where: Path = [...path, 'signals', 'requestRate', 'targetPerNode'];
  for (const { name, embedded } of embeddedHosts(config)) {
    const slots = Math.min(embedded.slots, tier.maxConnections);
    const nodeRps = (slots * 1_000) / embedded.serviceTimeMs;
    if (targetRps > nodeRps) {
      return {
        path: where,
        message: `a node on ${name} works on ${slots} requests of ${formatDuration(embedded.serviceTimeMs)} at once, which makes ${round(nodeRps)} rps: with ${targetRps} the queue grows before a node is added`,
        proposal: `write ${round(0.8 * nodeRps)}, four fifths of what a node can do`,
      };
    }
  }
  const answerMs = (tier.maxConnections * 1_000) / targetRps;
  return answerMs >= QUICKEST_ANSWER_MS
    ? undefined
    : {
        path: where,
        message: `${tier.maxConnections} requests at once (\`maxConnections\`) make ${targetRps} rps only if each takes less than ${round(answerMs)} ms`,
        proposal:
          'measure one node with real traffic; write four fifths of what it serves without a queue',
      };
}

function adviseSlots({ tier, path, config }: Subject): Advice | undefined {
  const host = embeddedHosts(config).find(({ embedded }) => embedded.slots < tier.maxConnections);
  return host === undefined
    ? undefined
    : {
        path: [...path, 'maxConnections'],
        message: `a node on ${host.name} works on ${host.embedded.slots} requests at once; the other ${tier.maxConnections - host.embedded.slots} of ${tier.maxConnections} wait in it, where no new node can take them`,
        proposal: `write ${host.embedded.slots}, as many as the node has workers`,
      };
}

function adviseQueueWait({ tier, path }: Subject): Advice | undefined {
  const { queue } = tier.policy;
  const timeoutMs = tier.frontend?.queueTimeoutMs;
  return queue === undefined || timeoutMs === undefined || queue.maxWaitMs < timeoutMs
    ? undefined
    : {
        path: [...path, 'signals', 'queue', 'maxWait'],
        message: `after ${formatDuration(timeoutMs)} in the queue a request is answered with 503, before a wait of ${formatDuration(queue.maxWaitMs)} asks for more nodes`,
        proposal: 'write 100ms',
      };
}

function adviseQueueTimeout(subject: Subject): Advice | undefined {
  const { tier, path } = subject;
  const timeoutMs = tier.frontend?.queueTimeoutMs;
  const bootMs = usualBootMs(subject);
  return timeoutMs === undefined || bootMs === undefined || timeoutMs >= bootMs
    ? undefined
    : {
        path: [...path, 'frontend', 'queueTimeout'],
        message: `in a storm requests are answered with 503 after ${formatDuration(timeoutMs)}, and help takes ${inSeconds(bootMs)} to boot`,
        proposal: `write ${inSeconds(2 * bootMs)} or more`,
      };
}

function adviseHealth({ tier, path }: Subject): Advice | undefined {
  const blindMs = FALL * tier.health.intervalMs;
  return blindMs <= LONGEST_BLINDNESS_MS
    ? undefined
    : {
        path: [...path, 'health', 'interval'],
        message: `HAProxy notices after ${FALL} checks that a node fails: for ${formatDuration(blindMs)} it gets its share of the requests`,
        proposal: 'write 1s, with a path that is cheap',
      };
}

function adviseDrain({ tier, path, experience }: Subject): Advice | undefined {
  const { drainDeadlineMs } = tier.policy;
  const { serverTimeoutMs } = experience;
  return drainDeadlineMs >= serverTimeoutMs
    ? undefined
    : {
        path: [...path, 'drain', 'deadline'],
        message: `HAProxy waits up to ${formatDuration(serverTimeoutMs)} for an answer (\`timeout server\`), and a node that is let go is destroyed after ${formatDuration(drainDeadlineMs)}, with the requests on it`,
        proposal: `write ${formatDuration(serverTimeoutMs)} or more`,
      };
}

function adviseBootDeadline(subject: Subject): Advice | undefined {
  const { bootDeadlineMs } = subject.tier.policy;
  const bootMs = usualBootMs(subject);
  if (bootDeadlineMs === 'auto' || bootMs === undefined || bootDeadlineMs >= 1.25 * bootMs) {
    return undefined;
  }
  return {
    path: [...subject.path, 'boot', 'deadline'],
    message: `boots take ${inSeconds(bootMs)}, so one that is a little slower than usual is destroyed after ${formatDuration(bootDeadlineMs)}, and three of those stop all boots`,
    proposal: `write \`auto\`, or ${inSeconds(2 * bootMs)}`,
  };
}

/** The database is what gives up first when all web nodes are there. */
function adviseConnections(subject: Subject, placed: readonly PlacedTier[]): readonly Advice[] {
  const { tier } = subject;
  const maxNodes = mostNodes(tier.policy);
  const total = maxNodes * tier.maxConnections;
  return placed.flatMap(({ cluster, name, tier: other }): Advice[] => {
    if (cluster !== tier.cluster || other.scaling !== 'none' || other.connections === undefined) {
      return [];
    }
    const taken = other.nodes * other.connections;
    const nodes = Math.floor(taken / tier.maxConnections);
    return total <= taken
      ? []
      : [
          {
            path: pathOfMost(subject),
            message: `${maxNodes} nodes with ${tier.maxConnections} requests each (\`maxConnections\`) may open ${total} connections to \`${name}\`, which takes ${taken}: beyond ${nodes} nodes they fail`,
            proposal: `write ${nodes}, or let \`${name}\` take ${total}`,
          },
        ];
  });
}

/** As learned, or else as the slowest embedded host says. */
function usualBootMs({ key, config, experience }: Subject): number | undefined {
  const delays = embeddedHosts(config).map(({ embedded }) => embedded.bootDelayMs);
  const said = delays.length === 0 ? undefined : Math.max(...delays);
  return experience.bootTimesMs?.get(key) ?? said;
}

/** Measured times are rounded up to whole seconds. */
function inSeconds(durationMs: number): string {
  return formatDuration(Math.ceil(durationMs / 1_000) * 1_000);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
