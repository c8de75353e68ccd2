/** A host's latest answer, and the room that it leaves. */

import type { HostSighting } from '../scaler/observation.ts';
import type { BootLedger } from './boots.ts';
import type { InFlight } from './in-flight.ts';
import type { HostSnapshot } from './ports.ts';
import { type Snapshot, stampOf } from './source.ts';

/** What the config and the port say of a host. */
export interface HostTraits {
  readonly name: string;
  /** A host that has not answered for so long is not known any more. */
  readonly staleAfterMs: number;
  /** Hosts of one failure domain may be lost together. */
  readonly failureDomain: string;
}

export interface HostView extends HostTraits {
  snapshot: Snapshot<HostSnapshot> | undefined;
  /** Of its domains. */
  names: ReadonlySet<string>;
  /** Of those whose memory lies in a file. */
  savedNames: ReadonlySet<string>;
  bookedMemoryMiB: number;
  bookedVcpus: number;
  bookedDiskMiB: number;
}

/** A host that has not answered yet. */
export function createHostView(traits: HostTraits): HostView {
  return {
    ...traits,
    snapshot: undefined,
    names: new Set(),
    savedNames: new Set(),
    bookedMemoryMiB: 0,
    bookedVcpus: 0,
    bookedDiskMiB: 0,
  };
}

/** What it said last is still true, as far as anybody knows. */
export function isFresh(host: HostView, atMs: number): boolean {
  return atMs - stampOf(host.snapshot) <= host.staleAfterMs;
}

/** Takes a new answer in. */
export function updateHostView(view: HostView, snapshot: Snapshot<HostSnapshot>): void {
  const { domains } = snapshot.value;
  view.snapshot = snapshot;
  view.names = new Set(domains.map((report) => report.name));
  view.savedNames = new Set(
    domains.filter(({ state }) => state === 'saved').map(({ name }) => name),
  );
  view.bookedMemoryMiB = sum(domains, (report) => report.memoryMiB);
  view.bookedVcpus = sum(domains, (report) => report.vcpus);
  view.bookedDiskMiB = sum(domains, (report) => report.diskMiB);
}

/** Room = what the host has − what its domains hold − boots and wakes ordered there that it does not show yet. */
export function sightHost(
  host: HostView,
  { boots, inFlight }: { readonly boots: BootLedger; readonly inFlight: InFlight },
  atMs: number,
): HostSighting {
  const value = host.snapshot?.value;
  const sighting = {
    name: host.name,
    reachable: isFresh(host, atMs),
    everAnswered: value !== undefined,
    freeMemoryMiB: (value?.memoryMiB ?? 0) - host.bookedMemoryMiB,
    freeVcpus: (value?.vcpus ?? 0) - host.bookedVcpus,
    freeDiskMiB: (value?.diskMiB ?? 0) - host.bookedDiskMiB,
    startsInFlight: 0,
    ...boots.circuitOfHost(host.name, atMs),
    recentFailures: boots.recentFailuresOfHost(host.name, atMs),
    ...(host.failureDomain === host.name ? {} : { failureDomain: host.failureDomain }),
  };
  for (const { action, tier } of inFlight.all()) {
    if ((action.kind !== 'boot' && action.kind !== 'wake') || action.host !== host.name) {
      continue;
    }
    sighting.startsInFlight += 1;
    if (action.kind === 'boot') {
      if (!host.names.has(action.node)) {
        sighting.freeMemoryMiB -= tier.size.memoryMiB;
        sighting.freeVcpus -= tier.size.vcpus;
        sighting.freeDiskMiB -= tier.size.diskMiB;
      }
    } else if (host.savedNames.has(action.node)) {
      sighting.freeMemoryMiB -= tier.size.memoryMiB;
      sighting.freeVcpus -= tier.size.vcpus;
    }
  }
  return sighting;
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0);
}
