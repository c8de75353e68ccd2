/**
 * What a guest takes of a Xen host's memory: its own, and what Xen keeps for it – 1 MiB for each vCPU, 8 KiB for each
 * MiB, and 6 MiB more.
 *
 * `rackfire-dom0` promises as much (`count_guest`), and refuses what does not fit: where the core counts less, it
 * orders what no host takes. Three guests of 128 MiB and one vCPU were seen to take 136 MiB each.
 */
export function memoryOnXenMiB(guestMemoryMiB: number, vcpus: number): number {
  return guestMemoryMiB + vcpus + Math.ceil(guestMemoryMiB / 128) + 6;
}
