import type { Cluster, Tier } from '../scaler/cluster.ts';
import type { Amounts, BaseLoad } from '../scaler/host-loss.ts';
import type { DomainSighting } from '../scaler/observation.ts';
import type { HostView } from './host-view.ts';
import type { DomainReport } from './ports.ts';

/** A node as the loss of its host sees it; without a report while it has only been ordered. */
export interface BaseNode {
  readonly host: HostView;
  readonly number: number;
  readonly report?: DomainReport;
  readonly mark?: DomainSighting['mark'];
}

interface Sightings {
  readonly nodesOf: (tier: Tier) => readonly BaseNode[];
  /** Its host has answered lately, and it is ours. */
  readonly isKnown: (node: BaseNode) => boolean;
}

/**
 * What the base nodes of all tiers take, by host: of each scaled tier the lowest numbers up to its minimum,
 * of the others all. What is on a lost host has been lost already.
 */
export function countBases(
  clusters: readonly Cluster[],
  { nodesOf, isKnown }: Sightings,
): ReadonlyMap<string, readonly BaseLoad[]> {
  const bases = new Map<string, BaseLoad[]>();
  for (const { tiers } of clusters) {
    for (const tier of tiers) {
      for (const { host, report } of chooseBase(tier, nodesOf(tier), isKnown)) {
        addBase(bases, host.name, takenBy(tier, report));
      }
    }
  }
  return bases;
}

/** The lowest numbers that are sound; a foreign or doubled one is a conflict, and nobody knows where it belongs. */
function chooseBase(
  tier: Tier,
  all: readonly BaseNode[],
  isKnown: Sightings['isKnown'],
): readonly BaseNode[] {
  const most = tier.scaling === 'none' ? Number.POSITIVE_INFINITY : tier.policy.minNodes;
  const base: BaseNode[] = [];
  for (const one of all.length > most ? all.toSorted(byNumber) : all) {
    const { number, report } = one;
    const isSound =
      number >= 1 &&
      number <= tier.addresses.length &&
      (report === undefined || stays(report)) &&
      isKnown(one) &&
      !all.some((other) => other !== one && other.number === number);
    if (isSound && base.push(one) >= most) {
      break;
    }
  }
  return base;
}

/** What is on its way out, or only left over, need not be anywhere else. */
function stays({ state }: DomainReport): boolean {
  return state !== 'stopping' && state !== 'residue';
}

function byNumber(one: BaseNode, other: BaseNode): number {
  return one.number - other.number;
}

/** What it takes when it runs, wherever that is. */
function takenBy(tier: Tier, report: DomainReport | undefined): Amounts {
  return report === undefined || report.state === 'saved' ? tier.size : report;
}

function addBase(bases: Map<string, BaseLoad[]>, host: string, taken: Amounts): void {
  const loads = bases.get(host) ?? [];
  const { memoryMiB, vcpus, diskMiB } = taken;
  const index = loads.findIndex(
    (load) => load.memoryMiB === memoryMiB && load.vcpus === vcpus && load.diskMiB === diskMiB,
  );
  loads[index < 0 ? loads.length : index] = {
    memoryMiB,
    vcpus,
    diskMiB,
    nodes: (loads[index]?.nodes ?? 0) + 1,
  };
  bases.set(host, loads);
}
