import type { Clock } from '../control/clock.ts';
import {
  ConflictError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../control/errors.ts';
import type { BootOrder, DomainRef, HostPace, HostSnapshot, Hypervisor } from '../control/ports.ts';
import { FenceFile, type Order } from './fence-file.ts';
import { freezeNode, startNode, stopIfAborted, stopNode, thawNode } from './node-process.ts';
import { isListening } from './listeners.ts';
import { formatMarks, isSameTenant, type NodeProcess, readNodeProcesses } from './process-table.ts';

export interface EmbeddedHypervisorOptions {
  readonly host: string;
  readonly installation: string;
  /** What the host has, its own needs included. Booked by nodes, not enforced on their processes. */
  readonly capacity: HostRoom;
  /** Taken off the memory for the host itself. */
  readonly reserveMemoryMiB: number;
  readonly behavior: NodeBehavior;
  /** Where terms and orders are noted, so that a former leader's are refused. Left out: one Rackfire alone gives orders. */
  readonly fenceFile?: string | undefined;
  readonly clock: Clock;
}

interface HostRoom {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** How the host's nodes behave. */
interface NodeBehavior {
  /** From the start of the process to the moment when it listens. */
  readonly bootDelayMs: number;
  /** How long a request holds its slot; a node saturates at `slots` per this time. */
  readonly serviceTimeMs: number;
  /** Requests that a node works on at once; further ones wait in the node. */
  readonly slots: number;
  /**
   * For tests of what happens then: a health check that fails for ever, or for a while after the boot, or that
   * waits for a slot as every request does.
   */
  readonly fault?: 'never-healthy' | 'health-takes-slot' | `503-for-ms:${number}`;
}

/** All of it is this machine. */
const PACE: HostPace = {
  intervalMs: 2_000,
  busyIntervalMs: 250,
  answerWithinMs: 5_000,
  staleAfterMs: 10_000,
  actWithinMs: 60_000,
};

/**
 * A host whose nodes are local processes. They are detached, so they outlive the Rackfire that made them
 * and are found again in /proc by the next one, which pauses, wakes and destroys them just as well.
 *
 * - The host's room is a book-keeping of marks: every node process of this host's name counts, of whatever
 *   installation, and nothing is oversold. Looking, booking and starting happen in one synchronous step, so
 *   two orders in one process cannot take the same room; two Rackfires on one machine need the lease.
 * - A node whose address is in use is not started; when it comes into use meanwhile, the node exits and its domain
 *   is simply gone.
 * - Every signal goes to a process whose marks and start time were read right before it. What remains are
 *   the microseconds in which its pid would have to be given back and come round again.
 * - A call whose `AbortSignal` is aborted rejects with `OutcomeUnknownError`; the next snapshot tells.
 */
export function createEmbeddedHypervisor(options: EmbeddedHypervisorOptions): Hypervisor {
  const { host, clock, fenceFile } = options;
  const fences = fenceFile === undefined ? undefined : new FenceFile(fenceFile, host);
  const take = <T>(order: Order, carryOut: () => T): T =>
    fences === undefined ? carryOut() : fences.take(order, carryOut);

  return {
    host,
    pace: PACE,
    ...(fences !== undefined && {
      fence: async (term) => fences.take({ verb: 'fence', node: '', term }, () => undefined),
    }),
    inspect: async (signal) => {
      if (signal.aborted) {
        throw new UnreachableError(`${host} was not asked: aborted`, { cause: signal.reason });
      }
      return snapshot(options);
    },
    create: async (order, signal) => {
      stopIfAborted(signal, order.name);
      await take({ verb: 'create', node: order.name, term: order.term }, () =>
        isPresent(options, order)
          ? undefined
          : startNode(order.name, formatArguments(options, order), clock, signal),
      );
    },
    pause: async (ref, signal) => {
      stopIfAborted(signal, ref.name);
      await Promise.all(
        take({ verb: 'pause', node: ref.name, term: ref.term }, () =>
          requireTenants(options, ref)
            .filter((node) => node.state !== 'paused')
            .map((node) => freezeNode(node, clock, signal)),
        ),
      );
    },
    save: (ref) => Promise.reject(new RefusedError(`${ref.name}: a process cannot be saved`)),
    wake: async (ref, signal) => {
      stopIfAborted(signal, ref.name);
      await Promise.all(
        take({ verb: 'wake', node: ref.name, term: ref.term }, () =>
          requireTenants(options, ref)
            .filter((node) => node.state === 'paused')
            .map((node) => thawNode(node, clock, signal)),
        ),
      );
    },
    destroy: async (ref, signal) => {
      stopIfAborted(signal, ref.name);
      await Promise.all(
        take({ verb: 'destroy', node: ref.name, term: ref.term }, () =>
          findTenants(options, ref).map((node) => stopNode(node, clock, signal)),
        ),
      );
    },
  };
}

/** Also foreign nodes of this host's name: those that have a name of ours are a conflict, and all take room. */
function snapshot(options: EmbeddedHypervisorOptions): HostSnapshot {
  return {
    ...roomOf(options),
    domains: readHost(options.host).map((node) => ({
      name: node.name,
      uuid: node.uuid,
      state: node.state,
      bornMs: node.bornMs,
      imageVersion: node.imageVersion,
      memoryMiB: node.memoryMiB,
      vcpus: node.vcpus,
      diskMiB: node.diskMiB,
    })),
  };
}

function roomOf({ capacity, reserveMemoryMiB }: EmbeddedHypervisorOptions): HostRoom {
  return { ...capacity, memoryMiB: Math.max(0, capacity.memoryMiB - reserveMemoryMiB) };
}

/** @throws UnreachableError where there is no /proc: embedded hosts need Linux. */
function readHost(host: string): NodeProcess[] {
  try {
    return readNodeProcesses().filter((node) => node.host === host);
  } catch (cause) {
    throw new UnreachableError(`${host}: the process table cannot be read`, { cause });
  }
}

/**
 * Looks whether an order may be carried out.
 *
 * @returns True when its tenant is there already, false when it may be started.
 * @throws ConflictError when the name or the address is somebody else's.
 * @throws RefusedError when another tenant of ours has the name, or when there is no room.
 */
function isPresent(options: EmbeddedHypervisorOptions, order: BootOrder): boolean {
  const { host, installation } = options;
  const present = readHost(host);

  const namesake = present.find((node) => node.name === order.name);
  if (namesake !== undefined) {
    if (namesake.installation !== installation || namesake.uuid !== order.uuid) {
      throw new ConflictError(
        `${order.name} is somebody else's on ${host}: uuid ${namesake.uuid}, pid ${namesake.pid}`,
      );
    }
    if (!isSameTenant(namesake, order)) {
      throw new RefusedError(
        `${order.name} is taken on ${host}: uuid ${namesake.uuid}, born ${namesake.bornMs}, pid ${namesake.pid}`,
      );
    }
    if (namesake.state === 'stopping') {
      throw new RefusedError(`${order.name} is stopping on ${host}, pid ${namesake.pid}`);
    }
    return true;
  }

  if (isListening(order.address, order.port)) {
    throw new ConflictError(
      `something that is no node of ours listens at ${order.address}:${order.port} already`,
    );
  }
  const room = roomOf(options);
  for (const what of ['memoryMiB', 'vcpus', 'diskMiB'] as const) {
    const booked = present.reduce((sum, node) => sum + node[what], 0);
    if (booked + order[what] > room[what]) {
      throw new RefusedError(
        `no room for ${order.name} on ${host}: ${what} ${order[what]} needed, ${room[what] - booked} of ${room[what]} free`,
      );
    }
  }
  return false;
}

function formatArguments(options: EmbeddedHypervisorOptions, order: BootOrder): string[] {
  const { behavior } = options;
  return [
    ...formatMarks(options.installation, options.host, order),
    `--address=${order.address}`,
    `--port=${order.port}`,
    `--boot-delay-ms=${behavior.bootDelayMs}`,
    `--service-time-ms=${behavior.serviceTimeMs}`,
    `--slots=${behavior.slots}`,
    ...(behavior.fault === undefined ? [] : [`--fault=${behavior.fault}`]),
  ];
}

/** More than one only where two Rackfires without a lease made the same tenant; then all are meant. */
function findTenants(options: EmbeddedHypervisorOptions, ref: DomainRef): NodeProcess[] {
  return readHost(options.host).filter(
    (node) => node.installation === options.installation && isSameTenant(node, ref),
  );
}

/** @throws PreconditionError when this tenant is not there, or about to go. */
function requireTenants(options: EmbeddedHypervisorOptions, ref: DomainRef): NodeProcess[] {
  const tenants = findTenants(options, ref).filter((node) => node.state !== 'stopping');
  if (tenants.length === 0) {
    throw new PreconditionError(
      `${ref.name}, born ${ref.bornMs}, is not on ${options.host}, or it is stopping`,
    );
  }
  return tenants;
}
