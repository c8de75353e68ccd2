import { UnreachableError } from '../control/errors.ts';
import { parseXlInfo, type XlInfo } from './xl-info.ts';
import { parseXlList, parseXlLongList, type XlConfig, type XlListRow } from './xl-list.ts';

/** The mark that a dom0 keeps of a node from before its disk is made until all of it is gone. */
export interface NodeMark {
  readonly name: string;
  readonly uuid: string;
  readonly bornMs: number;
  readonly imageVersion: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
}

/** An order that is carried out now. */
interface Operation {
  readonly verb: string;
  readonly bornMs: number;
}

/** All that a dom0 says of itself at once. */
export interface InspectAnswer {
  /** The INSTALLATION of its dom0.conf, that its script marks guests with. */
  readonly installation: string;
  /** Of the host's clock, in whole seconds. */
  readonly timeSeconds: number;
  /** By shard; the newest that was shown. */
  readonly terms: ReadonlyMap<string, string>;
  /** By node name, like the following. */
  readonly operations: ReadonlyMap<string, Operation>;
  /** Memory that was promised and that the domain has not taken yet. */
  readonly reservationsMiB: ReadonlyMap<string, number>;
  readonly marks: ReadonlyMap<string, NodeMark>;
  readonly savedMiB: ReadonlyMap<string, number>;
  readonly disks: ReadonlySet<string>;
  /** For further nodes, when each disk that there is counts at its full size. */
  readonly freeDiskMiB: number;
  readonly info: XlInfo;
  readonly rows: readonly XlListRow[];
  readonly configs: readonly XlConfig[];
}

/** The form of the answer that this release reads: its first line is `rackfire-dom0 1`. */
export const WRAPPER_VERSION = '1';

/**
 * Reads what `inspect` prints. Lines with an unknown first word are of a newer wrapper and passed over.
 *
 * @throws UnreachableError when it is not whole, or of another version: what a host has is known entirely or not.
 */
export function parseInspectAnswer(text: string): InspectAnswer {
  const [own = '', ...sections] = text.split(/^== /m);
  const version = /^rackfire-dom0 (\S+)\n/.exec(own)?.[1];
  if (version !== WRAPPER_VERSION) {
    throw new UnreachableError(
      version === undefined
        ? 'the answer is not that of rackfire-dom0'
        : `its rackfire-dom0 speaks version ${version} and this release ${WRAPPER_VERSION}; install the one of this release`,
    );
  }
  if (sections.at(-1)?.trim() !== 'end') {
    throw new UnreachableError('the answer is cut off: it has no end');
  }
  const lines = own.split('\n').slice(1);
  return {
    installation: readInstallation(lines),
    timeSeconds: readSingle(lines, 'time'),
    freeDiskMiB: readSingle(lines, 'free-disk'),
    terms: readLines(lines, 'term', ([shard = '', term = '']) => [shard, term]),
    operations: readLines(lines, 'operation', ([name = '', verb = '', bornMs]) => [
      name,
      { verb, bornMs: readNumber(bornMs) },
    ]),
    reservationsMiB: readLines(lines, 'reservation', ([name = '', mib]) => [name, readNumber(mib)]),
    marks: readLines(lines, 'node', readMark),
    savedMiB: readLines(lines, 'saved', ([name = '', mib]) => [name, readNumber(mib)]),
    disks: new Set(readLines(lines, 'disk', ([name = '']) => [name, true]).keys()),
    info: parseXlInfo(findSection(sections, 'xl info')),
    rows: parseXlList(findSection(sections, 'xl list')),
    configs: parseXlLongList(findSection(sections, 'xl list -l')),
  };
}

function findSection(sections: readonly string[], name: string): string {
  const section = sections.find((text) => text.startsWith(`${name}\n`));
  if (section === undefined) {
    throw new UnreachableError(`the answer is not whole: ${name} is missing`);
  }
  return section.slice(name.length + 1);
}

/** Without it, nobody knows whether what is booted there will ever be known as ours. */
function readInstallation(lines: readonly string[]): string {
  const installation = readLines(lines, 'installation', ([name = '']) => ['', name]).get('');
  if (installation === undefined) {
    throw new UnreachableError(
      'its rackfire-dom0 is older and does not say its installation; install the one of this release',
    );
  }
  return installation;
}

function readMark(fields: readonly string[]): [string, NodeMark] {
  const [name = '', uuid = '', bornMs, image = '', memoryMiB, vcpus, diskMiB] = fields;
  return [
    name,
    {
      name,
      uuid,
      bornMs: readNumber(bornMs),
      imageVersion: imageVersionOf(image),
      memoryMiB: readNumber(memoryMiB),
      vcpus: readNumber(vcpus),
      diskMiB: readNumber(diskMiB),
    },
  ];
}

/** `NAME@VERSION` → `VERSION`. */
export function imageVersionOf(image: string): string {
  return image.slice(image.indexOf('@') + 1);
}

function readLines<T>(
  lines: readonly string[],
  word: string,
  read: (fields: string[]) => [string, T],
): Map<string, T> {
  return new Map(
    lines
      .map((line) => line.trim().split(' '))
      .filter(([first]) => first === word)
      .map(([, ...fields]) => read(fields)),
  );
}

function readSingle(lines: readonly string[], word: string): number {
  const found = readLines(lines, word, ([value]) => [word, readNumber(value)]).get(word);
  if (found === undefined) {
    throw new UnreachableError(`the answer is not whole: it says no ${word}`);
  }
  return found;
}

function readNumber(text: string | undefined): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) {
    throw new UnreachableError(`the answer has "${text ?? ''}" where a number belongs`);
  }
  return Number(text);
}
