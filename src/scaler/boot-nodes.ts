/** New nodes: which numbers, on which hosts, and what stops the next. */

import type { ActionReason, BootAction } from './action.ts';
import { macOf, nodeName, type ScaledTier } from './cluster.ts';
import { isPresent, type Node, type NodePhase } from './node-phase.ts';
import { haveAllAnswered, type NodeSighting, type Observation } from './observation.ts';
import type { Term } from './term.ts';
import type { Placement, Refusal, Role } from './place.ts';

/** Why nodes that are needed cannot be booted. */
export type ShortfallReason =
  | 'maximum'
  | 'addresses'
  | 'fleet-limit'
  | 'breaker'
  | 'no-host'
  /** They come by themselves, when the boots before them have ended. */
  | 'concurrent-boots';

export interface Shortfall {
  readonly nodes: number;
  readonly why: ShortfallReason;
  readonly refusals: readonly Refusal[];
}

/** What boots are made from, while one plan fills hosts. */
export interface BootSurroundings {
  readonly tier: ScaledTier;
  readonly observation: Observation;
  readonly nodes: readonly Node[];
  readonly placement: Placement;
  readonly base: Base;
}

/** Boots on the lowest free numbers, as far as bounds, addresses, breakers and hosts allow. */
export function bootNodes(
  { tier, observation, nodes, placement, base }: BootSurroundings,
  wanted: number,
  reason: ActionReason,
): { readonly actions: readonly BootAction[]; readonly shortfall: Shortfall | undefined } {
  if (wanted === 0) {
    return { actions: [], shortfall: undefined };
  }
  const actions: BootAction[] = [];
  const ceiling = bootCeiling(tier, observation, nodes);
  const numbers = freeNumbers(tier, observation, nodes);
  let shortfall: Shortfall | undefined;
  while (actions.length < wanted && shortfall === undefined) {
    const left = wanted - actions.length;
    const number = numbers.next().value;
    if (actions.length >= ceiling.nodes) {
      shortfall = { nodes: left, why: ceiling.why, refusals: [] };
    } else if (number === undefined) {
      shortfall = { nodes: left, why: 'addresses', refusals: [] };
    } else {
      const place = placement.take(tier.size, base.roleOfBoot(number));
      if ('refusals' in place) {
        const { refusals } = place;
        const isNextRound = refusals.some(({ why }) => why === 'concurrent-boots');
        shortfall = { nodes: left, why: isNextRound ? 'concurrent-boots' : 'no-host', refusals };
      } else {
        base.booted(number, place.host);
        actions.push(
          bootAction(tier, number, { reason, host: place.host, term: observation.term }),
        );
      }
    }
  }
  return { actions, shortfall: reason === 'needed' ? shortfall : undefined };
}

function bootAction(
  tier: ScaledTier,
  number: number,
  chosen: { readonly reason: ActionReason; readonly host: string; readonly term: Term },
): BootAction {
  const address = tier.addresses[number - 1] ?? '';
  return {
    kind: 'boot',
    node: nodeName(tier, number),
    number,
    reason: chosen.reason,
    term: chosen.term,
    host: chosen.host,
    address,
    mac: macOf(address),
  };
}

/**
 * How many boots the bounds allow.
 *
 * @see https://github.com/apache/cloudstack/issues/14185 for what happens when a state is not counted
 */
function bootCeiling(
  tier: ScaledTier,
  observation: Observation,
  nodes: readonly Node[],
): { readonly nodes: number; readonly why: ShortfallReason } {
  if (observation.circuit === 'open') {
    return { nodes: 0, why: 'breaker' };
  }
  let existing = 0;
  let coming = 0;
  for (const node of nodes) {
    existing += isPresent(node) ? 1 : 0;
    coming += node.phase === 'booting' || node.phase === 'warming' ? 1 : 0;
  }
  const room = Math.max(0, tier.policy.maxNodes - existing);
  const fleetRoom = Math.max(0, observation.fleetRoom);
  const probes = coming > 0 ? 0 : 1;
  if (observation.circuit === 'half-open' && probes < Math.min(room, fleetRoom)) {
    return { nodes: probes, why: 'breaker' };
  }
  return fleetRoom < room
    ? { nodes: fleetRoom, why: 'fleet-limit' }
    : { nodes: room, why: 'maximum' };
}

/**
 * Numbers that nothing holds: no domain, no operation, no rest after a failure, no server of an unseen tenant.
 * The lowest come first; but while a host has never answered, what stands by there may hold any of them, and
 * does hold a low one: then the highest come first, where the two would not meet. So do they while a host may still
 * boot what a former leader has ordered.
 */
function* freeNumbers(
  tier: ScaledTier,
  observation: Observation,
  nodes: readonly Node[],
): Generator<number, undefined> {
  const held = new Set(observation.blockedNumbers);
  for (const node of nodes) {
    if (node.phase !== 'absent' || node.operation !== undefined) {
      held.add(node.number);
    }
  }
  const { hosts } = observation;
  const isComplete = haveAllAnswered(hosts) && hosts.every(({ fenced }) => fenced !== false);
  const count = tier.addresses.length;
  for (let index = 1; index <= count; index += 1) {
    const number = isComplete ? index : count + 1 - index;
    if (!held.has(number)) {
      yield number;
    }
  }
  return undefined;
}

/** A tier's base nodes while a plan adds to them: the lowest numbers, up to the minimum. */
export class Base {
  readonly #minNodes: number;
  readonly #sightings: readonly NodeSighting[];
  readonly #nodes: readonly Node[];
  /** Made on demand: most plans add none. */
  #counts: BaseCounts | undefined;

  constructor({ policy }: ScaledTier, sightings: readonly NodeSighting[], nodes: readonly Node[]) {
    this.#minNodes = policy.minNodes;
    this.#sightings = sightings;
    this.#nodes = nodes;
  }

  /** What a node that is booted with this number would be. */
  roleOfBoot(number: number): Role {
    const { members, usable } = this.#counted;
    const last = members.at(-1);
    const isFull = members.length >= this.#minNodes;
    return {
      isNeededForMinimum: usable < this.#minNodes,
      joinsBase: !isFull || (last !== undefined && number < last.number),
      leavesBaseOn: isFull ? last?.host : undefined,
    };
  }

  booted(number: number, host: string): void {
    const { members, usable, awake } = this.#counted;
    const joined = [...members, { number, host }];
    this.#counts = {
      members: joined.toSorted((one, other) => one.number - other.number).slice(0, this.#minNodes),
      usable: usable + 1,
      awake: awake + 1,
    };
  }

  /** What a standby node is that wakes: base or not, it has been counted as such. */
  get roleOfWake(): Role {
    return { isNeededForMinimum: this.#counted.awake < this.#minNodes, joinsBase: false };
  }

  woke(): void {
    this.#counts = { ...this.#counted, awake: this.#counted.awake + 1 };
  }

  get #counted(): BaseCounts {
    if (this.#counts === undefined) {
      const usable = this.#nodes.filter(isOfUse);
      this.#counts = {
        members: this.#sightings.filter(isInBase).slice(0, this.#minNodes).map(memberOf),
        usable: usable.length,
        awake: usable.filter(({ phase }) => phase !== 'standby').length,
      };
    }
    return this.#counts;
  }
}

interface BaseCounts {
  /** By number, up to the minimum. */
  readonly members: readonly { readonly number: number; readonly host: string | undefined }[];
  /** Nodes that are, or will be, of use; and without those on standby. */
  readonly usable: number;
  readonly awake: number;
}

function isOfUse({ phase, sickForMs, leaving, drainAskedBy }: Node): boolean {
  return USABLE.has(phase) && sickForMs === 0 && !leaving && drainAskedBy === undefined;
}

const USABLE: ReadonlySet<NodePhase> = new Set([
  'booting',
  'warming',
  'out-of-rotation',
  'in-service',
  'standby',
]);

/**
 * As the loop counts them, host by host: every node of ours that a host shows, or has been told to boot, and
 * that is not on its way out.
 */
function isInBase({ domains, operation }: NodeSighting): boolean {
  const [domain, second] = domains;
  if (domain === undefined) {
    return operation === 'boot';
  }
  return (
    second === undefined &&
    domain.mark === 'ours' &&
    domain.fresh &&
    domain.state !== 'stopping' &&
    domain.state !== 'residue'
  );
}

function memberOf({ number, domains }: NodeSighting): BaseCounts['members'][number] {
  return { number, host: domains[0]?.host };
}
