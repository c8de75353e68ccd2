/**
 * Rackfire itself, as `rackfire run` decides: the core with its memory, its learned boot times and the defaults
 * of the config schema, on the signals that it reads at HAProxy each second.
 */

import { LearnedTimes } from '../../src/control/learned-times.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import type { ScaledTier } from '../../src/scaler/cluster.ts';
import { decide, EMPTY_MEMORY } from '../../src/scaler/decide.ts';
import type { Node } from '../../src/scaler/node-phase.ts';
import type { Observation, Signals } from '../../src/scaler/observation.ts';
import { MAX_NODES, MIN_NODES } from '../../src/sim/optimum.ts';
import { SLOTS } from '../../src/sim/physics.ts';
import type { Orderer, Sight } from './scaler.ts';

/** A config that says nothing but target, minimum and maximum, and how many nodes stand by where some do. */
function configText(targetRps: number, standbyNodes: number | 'auto'): string {
  const standby = standbyNodes === 0 ? '' : `standby: { nodes: ${standbyNodes} }`;
  return `installation: bench
hosts:
  - { name: host, driver: embedded, capacity: { memory: 1TiB, vcpus: 1000, disk: 10TiB } }
balancers:
  - { name: lb, driver: runtime, socket: /run/haproxy.sock, stateFile: /run/state }
sizes:
  small: { memory: 512MiB, vcpus: 1, disk: 4GiB }
images:
  web: { version: "1" }
clusters:
  - name: site
    tiers:
      web:
        image: web
        size: small
        nodes: { min: ${MIN_NODES}, max: ${MAX_NODES} }
        addresses: 127.0.1.1-127.0.1.${MAX_NODES}
        backend: site-web
        signals: { requestRate: { targetPerNode: ${targetRps} } }
        ${standby}
`;
}

function tierFor(targetRps: number, standbyNodes: number | 'auto'): ScaledTier {
  const { config } = parseConfig(configText(targetRps, standbyNodes), 'bench');
  const tier = config.clusters[0]?.tiers[0];
  if (tier?.scaling !== 'automatic') {
    throw new RangeError('the config of the bench has no tier that scales');
  }
  return tier;
}

/** @param bootSeconds - What the journal knows of boots at the start: the nodes that serve have booted once. */
export function createRackfire(
  targetRps: number,
  bootSeconds: number,
  standby: number | 'auto' = 0,
): Orderer {
  const tier = tierFor(targetRps, standby);
  const learned = new LearnedTimes();
  const of = { imageVersion: tier.image.version, host: 'host', start: 'cold' } as const;
  learned.learn(of, bootSeconds * 1_000);
  const nodes = new AlikeNodes();
  let memory = EMPTY_MEMORY;
  let seenBoots = 0;
  let startTimes = learned.all;
  let bootTimeMs = learned.bootTimeMs(of.imageVersion);
  return (sight) => {
    if (seenBoots < sight.bootTimes.length) {
      for (const seconds of sight.bootTimes.slice(seenBoots)) {
        learned.learn(of, seconds * 1_000);
      }
      seenBoots = sight.bootTimes.length;
      startTimes = learned.all;
      bootTimeMs = learned.bootTimeMs(of.imageVersion);
    }
    const observation: Observation = {
      ...CALM,
      atMs: sight.second * 1_000,
      signals: signalsOf(sight),
      bootTimeMs,
      startTimes,
    };
    const result = decide(tier, observation, nodes.of(sight), memory);
    memory = result.memory;
    const { desiredNodes, soonNodes, standbyNodes } = result.decision;
    return { nodes: desiredNodes, soonNodes, standbyNodes };
  };
}

/** What HAProxy shows each second: how `stot` grew, who waits, and which slots are taken. */
function signalsOf(sight: Sight): Signals {
  const { waiting, servedRps, usedSlots, ready } = sight;
  return {
    requestRate: { status: 'ok', value: sight.meanRps(1, 0) },
    queue: { status: 'ok', value: { requests: waiting, servedRps } },
    slots: { status: 'ok', value: { used: usedSlots, total: ready * SLOTS } },
  };
}

/** Nothing but load happens here. */
const CALM: Observation = {
  atMs: 0,
  term: { createdAtSeconds: 0, transitions: 0 },
  signals: {
    requestRate: { status: 'absent', why: '' },
    queue: { status: 'absent', why: '' },
    slots: { status: 'absent', why: '' },
  },
  nodes: [],
  hosts: [],
  oldWorkers: false,
  blockedNumbers: [],
  circuit: 'closed',
  fleetRoom: MAX_NODES,
  concurrentBootsPerHost: MAX_NODES,
  bootTimeMs: undefined,
  overrides: [],
};

/** The nodes of a run, of which nothing but their number matters. Made anew only when that changes. */
class AlikeNodes {
  #nodes: readonly Node[] = [];
  #key = '';

  of({ ready, ordered, standby }: Sight): readonly Node[] {
    const key = `${ready} ${ordered} ${standby}`;
    if (key !== this.#key) {
      this.#key = key;
      this.#nodes = Array.from({ length: ordered + standby }, (_, index) =>
        nodeOf(index + 1, index < ready ? 'in-service' : index < ordered ? 'booting' : 'standby'),
      );
    }
    return this.#nodes;
  }
}

function nodeOf(number: number, phase: Node['phase']): Node {
  const serving = phase === 'in-service';
  return {
    name: `site-web-${number}`,
    number,
    phase,
    host: 'host',
    bornMs: 1,
    serving,
    servingOnAll: serving,
    sickForMs: 0,
    sessionsKnown: true,
    quiet: false,
    parked: !serving,
    phaseAgeMs: 0,
    leaving: false,
    isSaved: false,
    wakeRefused: false,
    saveRefused: false,
    protectedBy: undefined,
    drainAskedBy: undefined,
    operation: undefined,
  };
}
