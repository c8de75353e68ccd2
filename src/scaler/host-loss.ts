/**
 * Whether the base nodes would still fit if a host were lost.
 *
 * The base of a tier is its lowest numbers up to its minimum. What is beyond that comes for a storm and must
 * never take the room that the base of a lost host would need.
 *
 * @see https://docs.ganeti.org/docs/ganeti/3.0/html/admin.html for the same rule under the name N+1
 */

/** What one node takes. */
export interface Amounts {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** So many base nodes that take the same. */
export interface BaseLoad extends Amounts {
  readonly nodes: number;
}

/** A host as the question sees it. */
export interface LossRoom extends Amounts {
  readonly name: string;
  readonly base: readonly BaseLoad[];
  /** Its loss is provided for: it has answered lately. */
  readonly isReachable: boolean;
  /** It would take nodes of a lost host: it answers, and nobody asks to drain it. */
  readonly isUsable: boolean;
}

/** @returns The first host whose base nodes would not fit on the others, were it lost; undefined when there is none. */
export function findUncovered(rooms: readonly LossRoom[]): string | undefined {
  return rooms.find((lost) => lost.isReachable && !fitsElsewhere(lost, rooms))?.name;
}

/** Losing a host is provided for as long as there is another one to go to. */
export function providesForLoss(tolerated: number, rooms: readonly LossRoom[]): boolean {
  return tolerated > 0 && rooms.filter(({ isUsable }) => isUsable).length > 1;
}

/** First fit decreasing, host by host: into each as much as fits, the largest first. */
function fitsElsewhere(lost: LossRoom, rooms: readonly LossRoom[]): boolean {
  let left = largestFirst(lost.base);
  for (const room of rooms) {
    if (left.length === 0) {
      return true;
    }
    if (room !== lost && room.isUsable) {
      left = fill(room, left).left;
    }
  }
  return left.length === 0;
}

/** Puts as much as fits into a room. @returns What went there, and what is left of the loads and of the room. */
export function fill(
  room: Amounts,
  loads: readonly BaseLoad[],
): {
  readonly placed: readonly BaseLoad[];
  readonly left: readonly BaseLoad[];
  readonly room: Amounts;
} {
  let { memoryMiB, vcpus, diskMiB } = room;
  const placed: BaseLoad[] = [];
  const left: BaseLoad[] = [];
  for (const load of loads) {
    const nodes = Math.min(load.nodes, howMany({ memoryMiB, vcpus, diskMiB }, load));
    memoryMiB -= nodes * load.memoryMiB;
    vcpus -= nodes * load.vcpus;
    diskMiB -= nodes * load.diskMiB;
    if (nodes > 0) {
      placed.push({ ...load, nodes });
    }
    if (nodes < load.nodes) {
      left.push({ ...load, nodes: load.nodes - nodes });
    }
  }
  return { placed, left, room: { memoryMiB, vcpus, diskMiB } };
}

/** How many nodes of that size fit; never negative. */
function howMany(room: Amounts, one: Amounts): number {
  return Math.min(
    fits(room.memoryMiB, one.memoryMiB),
    fits(room.vcpus, one.vcpus),
    fits(room.diskMiB, one.diskMiB),
  );
}

function fits(free: number, need: number): number {
  return need <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.floor(free / need));
}

export function largestFirst(loads: readonly BaseLoad[]): readonly BaseLoad[] {
  return loads.length < 2
    ? loads
    : loads.toSorted(
        (one, other) =>
          other.memoryMiB - one.memoryMiB || other.vcpus - one.vcpus || other.diskMiB - one.diskMiB,
      );
}

/** One more, or with −1 one less, node of that size in the base. */
export function addToBase(
  base: readonly BaseLoad[],
  { memoryMiB, vcpus, diskMiB }: Amounts,
  nodes: 1 | -1,
): readonly BaseLoad[] {
  const isSame = (load: BaseLoad): boolean =>
    load.memoryMiB === memoryMiB && load.vcpus === vcpus && load.diskMiB === diskMiB;
  const known = base.find(isSame);
  if (known === undefined) {
    return nodes > 0 ? [...base, { memoryMiB, vcpus, diskMiB, nodes }] : base;
  }
  return base
    .map((load) => (load === known ? { ...load, nodes: load.nodes + nodes } : load))
    .filter((load) => load.nodes > 0);
}
