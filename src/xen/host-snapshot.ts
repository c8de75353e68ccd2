/** What a dom0 has said → the host as the loop sees it. */

import type { DomainReport, HostSnapshot } from '../control/ports.ts';
import { memoryOnXenMiB } from '../scaler/guest-memory.ts';
import type { DomainState } from '../scaler/observation.ts';
import { imageVersionOf, type InspectAnswer } from './inspect-answer.ts';
import type { XlConfig, XlListRow } from './xl-list.ts';

export interface SnapshotOptions {
  readonly installation: string;
  /** The UUID that a node of ours has by its name. */
  readonly uuidOf: (name: string) => string;
  readonly reserveMemoryMiB: number;
  readonly vcpusPerCpu: number;
}

/** A domain that Xen has, by what its two lists say; either may be a moment older. */
interface Domain {
  readonly name: string;
  readonly row: XlListRow | undefined;
  readonly config: XlConfig | undefined;
}

/** What is called so is on its way out and has lost its name: it is nobody's any more. */
const DYING = '(null)';

/** What a dom0 says of a mark that it cannot read; the name is in the name of the mark's file. */
const DAMAGED = '00000000-0000-0000-0000-000000000000';

/** The name of a node: `cluster-tier-number`. */
const NODE_NAME = /^[a-z][a-z0-9-]{0,39}-[a-z][a-z0-9-]{0,39}-[1-9][0-9]{0,5}$/;

/**
 * Reports every domain that carries this installation's mark or a name that a node could have, and what is left of
 * nodes without a domain.
 *
 * - Memory of a domain is what it holds and what is promised to it; the total is that plus what is free beyond
 *   promises and the host's reserve. So `total − Σ domains` is what can be given away, whoever holds the rest: foreign
 *   guests, and domains that are dying, have lost their name, and hold their memory still.
 * - A saved node holds no memory, and its disk together with its file.
 * - Disk is the same sum: the host counts every disk of a node at its full size, however little of it is written.
 */
export function readSnapshot(answer: InspectAnswer, options: SnapshotOptions): HostSnapshot {
  const domains = joinLists(answer);
  const living = domains.flatMap((domain) => reportDomain(domain, answer, options));
  const names = new Set(living.filter((report) => report.isOurs).map(({ domain }) => domain.name));
  const left = reportWithoutDomain(answer, options.uuidOf, names);
  const reports = [...living.map(({ report }) => report), ...left];

  const shown = new Set(living.map(({ domain }) => domain));
  const foreignVcpus = sum(domains, (domain) => (shown.has(domain) ? 0 : (domain.row?.vcpus ?? 0)));
  const promisedMiB = sum([...answer.reservationsMiB.values()], (mib) => mib);
  const freeMiB = answer.info.freeMemoryMiB - promisedMiB - options.reserveMemoryMiB;
  return {
    memoryMiB: freeMiB + sum(reports, (report) => report.memoryMiB),
    vcpus: Math.floor(answer.info.cpus * options.vcpusPerCpu) - foreignVcpus,
    diskMiB: answer.freeDiskMiB + sum(reports, (report) => report.diskMiB),
    domains: reports,
  };
}

function joinLists({ rows, configs }: InspectAnswer): readonly Domain[] {
  const configOf = new Map(configs.map((config) => [config.domid, config]));
  const listed = new Set(rows.map((row) => row.domid));
  return [
    ...rows.map((row) => ({ name: row.name, row, config: configOf.get(row.domid) })),
    // Made between the two lists.
    ...configs
      .filter((config) => !listed.has(config.domid) && config.name !== undefined)
      .map((config) => ({ name: config.name ?? '', row: undefined, config })),
  ];
}

/** @returns Nothing for a guest that has nothing to do with this installation. */
function reportDomain(
  domain: Domain,
  answer: InspectAnswer,
  { installation, uuidOf }: SnapshotOptions,
): { domain: Domain; report: DomainReport; isOurs: boolean }[] {
  const { name, row, config } = domain;
  const own = answer.marks.get(name);
  const words = readCommandLine(config?.cmdline);
  // Xen keeps no config of a domain at first; then the mark beside it must do.
  const hasMark =
    words.get('rackfire.installation') === installation ||
    (own !== undefined && config === undefined);
  // It went between the questions, its mark last: a foreign one that is only being made shows its config next time.
  const isGone = config === undefined && own === undefined;
  if (name === DYING || isGone || (!hasMark && !NODE_NAME.test(name))) {
    return [];
  }
  const ours = hasMark ? own : undefined;
  const born = words.get('rackfire.born') ?? '';
  const image = words.get('rackfire.image') ?? '';
  const report = {
    name,
    uuid: readUuid(domain, hasMark, ours?.uuid, uuidOf),
    state: hasMark ? stateOf(domain, answer) : (row?.state ?? 'being-made'),
    bornMs: hasMark ? (/^\d{1,15}$/.test(born) ? Number(born) : (ours?.bornMs ?? 0)) : 0,
    imageVersion: hasMark && image !== '' ? imageVersionOf(image) : (ours?.imageVersion ?? ''),
    memoryMiB: memoryOf(domain, hasMark ? answer.reservationsMiB.get(name) : undefined),
    vcpus: Math.max(row?.vcpus ?? 0, ours?.vcpus ?? 0),
    diskMiB: hasMark ? diskOf(name, answer) : 0,
  };
  return [{ domain, report, isOurs: hasMark }];
}

/** @param promisedMiB - What it was promised, Xen's part included, and has not taken yet. */
function memoryOf({ row }: Domain, promisedMiB: number | undefined): number {
  if (row === undefined || row.memoryMiB === 0 || promisedMiB !== undefined) {
    return (row?.memoryMiB ?? 0) + (promisedMiB ?? 0);
  }
  return memoryOnXenMiB(row.memoryMiB, row.vcpus);
}

/** A guest without our mark is never one of ours, even if somebody has given it a UUID of ours. */
function readUuid(
  { name, config }: Domain,
  hasMark: boolean,
  marked: string | undefined,
  uuidOf: (name: string) => string,
): string {
  const uuid = (config?.uuid ?? marked ?? '').toLowerCase();
  return !hasMark && uuid === uuidOf(name) ? `${uuid} (without a mark)` : uuid;
}

/**
 * What is under way on a node tells more than what Xen shows of it. One that is being saved is `stopping`: nothing is
 * to be done to it until it is `saved`. One that is being paused is `paused` already: whoever leads
 * since must not send visitors there.
 *
 * Xen shows a domain as paused while it is built, and its config when it is done. One that nobody builds and that has
 * no config is what is left of a build that was killed: it would never run, whoever unpaused it.
 */
function stateOf({ name, row, config }: Domain, { operations }: InspectAnswer): DomainState {
  switch (operations.get(name)?.verb) {
    case 'create':
    case 'restore':
      return 'being-made';
    case 'destroy':
    case 'save':
      return 'stopping';
    case 'pause':
      return 'paused';
    default:
      return isHalfMade(row) && config === undefined ? 'residue' : (row?.state ?? 'being-made');
  }
}

function isHalfMade(row: XlListRow | undefined): boolean {
  return row?.state === 'paused' || row?.state === 'being-made';
}

/** @param names - Nodes that have a domain. */
function reportWithoutDomain(
  answer: InspectAnswer,
  uuidOf: (name: string) => string,
  names: ReadonlySet<string>,
): readonly DomainReport[] {
  const { marks, savedMiB, disks, operations, reservationsMiB } = answer;
  const left = new Set([
    ...marks.keys(),
    ...savedMiB.keys(),
    ...disks,
    ...[...operations].filter(([, { verb }]) => verb === 'create').map(([name]) => name),
  ]);
  return [...left]
    .filter((name) => !names.has(name))
    .map((name) => {
      const mark = marks.get(name);
      const state = stateWithoutDomain(name, answer);
      return {
        name,
        uuid: mark === undefined || mark.uuid === DAMAGED ? uuidOf(name) : mark.uuid,
        state,
        bornMs: mark?.bornMs ?? operations.get(name)?.bornMs ?? 0,
        imageVersion: mark?.imageVersion ?? '',
        memoryMiB: reservationsMiB.get(name) ?? 0,
        vcpus: state === 'being-made' ? (mark?.vcpus ?? 0) : 0,
        diskMiB: diskOf(name, answer),
      };
    });
}

function stateWithoutDomain(
  name: string,
  { operations, marks, savedMiB }: InspectAnswer,
): DomainState {
  switch (operations.get(name)?.verb) {
    case 'create':
    case 'restore':
      return 'being-made';
    case 'destroy':
    case 'save':
      return 'stopping';
    default:
      return savedMiB.has(name) && marks.has(name) ? 'saved' : 'residue';
  }
}

function diskOf(name: string, { marks, savedMiB }: InspectAnswer): number {
  return (marks.get(name)?.diskMiB ?? 0) + (savedMiB.get(name) ?? 0);
}

/** `key=value` words; of a key that is said twice, the last one is the mark: it stands at the end. */
function readCommandLine(cmdline: string | undefined): ReadonlyMap<string, string> {
  return new Map(
    (cmdline ?? '').split(/\s+/).map((word): [string, string] => {
      const at = word.indexOf('=');
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0);
}
