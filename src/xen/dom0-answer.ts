/** What a dom0's exit code and its line of error mean for the caller. The contract is in docs/xen.md. */

import {
  ConflictError,
  OutcomeUnknownError,
  PreconditionError,
  RefusedError,
  UnreachableError,
} from '../control/errors.ts';
import type { CommandKind } from './command-slots.ts';
import { printable } from './printable.ts';
import type { CommandAnswer } from './ssh-session.ts';

/** What the wrapper said when it did not do what it was asked. */
export interface Dom0Refusal {
  readonly exitCode: number;
  readonly code: string;
  readonly text: string;
}

/** What an operator does next, by the wrapper's code. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  'no-request':
    'let sudo keep SSH_ORIGINAL_COMMAND there, by the env_keep in /etc/sudoers.d/rackfire of docs/install-xen.md',
  'bad-request':
    'install the rackfire-dom0 of this release on the host: its own does not know this request',
  'bad-value':
    'compare the value with docs/xen.md; install the rackfire-dom0 of this release if it is older',
  forbidden:
    'compare IMAGE_DIRS, VOLUME_GROUP and BRIDGES in dom0.conf there with this config, and their spelling',
  'name-taken':
    'a guest that is not ours has the name: rename it there, or take this number out of the range',
  'uuid-taken': 'find the guest with this UUID by `xl list -v` there: it was copied from a node',
  'address-taken': 'find out who uses the address: it belongs to the range of this tier',
  'disk-in-use': 'see by `xl block-list` there which guest has the disk',
  'not-ours': 'it carries no mark of this installation: a person decides what becomes of it',
  'no-memory': 'nothing, another host is tried; `xl info` there shows free_memory',
  'no-disk':
    'make room on this host where dom0.conf has disks and saved nodes, or mend dom0.conf there',
  'no-image': 'bring the golden image to this host, under the path that the config names',
  'no-kernel':
    'bring the kernel and the ramdisk to this host, under the paths that the config names',
  'no-bridge': 'make the bridge on this host, or name the right one in the config',
  'bad-kernel':
    'this kernel does not boot as this type of guest: try pv instead of pvh, or another',
  'create-failed': 'look at /var/log/xen/xl-NAME.log and `xl dmesg` there',
  'restore-failed': 'the saved node is of no use: it is destroyed, and another one booted',
  'save-failed': 'make room for saved nodes on this host; the node runs on or is destroyed',
  'not-there': 'nothing: what the host really has is seen at the next look',
  busy: 'nothing: another order for the same node is still carried out there',
  'not-fenced': 'nothing: the term is shown to the host and the order repeated',
  'stale-term':
    'a newer leader has shown its term there: if this one still leads, end one of two Rackfires',
  'destroy-failed': 'it is tried again; if it stays, `xl destroy NAME` there says why',
  'xl-failed': 'if it stays, mend what it names, or run `xl list` there as root',
};

const NEXT_STEP_BY_EXIT: Readonly<Record<number, string>> = {
  2: 'install the rackfire-dom0 of this release on the host',
  3: 'a person decides what becomes of it',
  4: 'another host is tried',
  5: 'what the host really has is seen at the next look',
  6: 'it is tried again',
};

/** @returns `undefined` when the answer is a success, or nothing that the wrapper would say. */
export function parseRefusal({ code: exitCode, stderr }: CommandAnswer): Dom0Refusal | undefined {
  if (!(exitCode in NEXT_STEP_BY_EXIT)) {
    return undefined;
  }
  for (const line of stderr.split('\n')) {
    const found = /^rackfire-dom0: ([a-z][a-z-]{0,40}): (.*)$/.exec(line.trimEnd());
    if (found?.[1] !== undefined) {
      return { exitCode, code: found[1], text: printable(found[2] ?? '') };
    }
  }
  return undefined;
}

/**
 * Turns an answer that is no success into the error for its consequence.
 *
 * @param what - What was asked, for people: `create news-web-3`.
 * @returns For a question always `UnreachableError`: it is asked again.
 */
export function describeFailure(
  host: string,
  what: string,
  kind: CommandKind,
  answer: CommandAnswer,
): Error {
  const refusal = parseRefusal(answer);
  if (refusal === undefined) {
    return describeGarbage(host, what, kind, answer);
  }
  const { exitCode, code, text } = refusal;
  const nextStep = NEXT_STEPS[code] ?? NEXT_STEP_BY_EXIT[exitCode] ?? '';
  const message = `${host}: ${what}: ${code}: ${text}; ${nextStep}`;
  if (kind === 'question') {
    return new UnreachableError(message);
  }
  switch (exitCode) {
    case 2:
    case 4:
      return new RefusedError(message);
    case 3:
      return new ConflictError(message);
    case 5:
      return new PreconditionError(message);
    default:
      // It got stuck on the way: what there is now, only the host can say.
      return new OutcomeUnknownError(message);
  }
}

/** Something else than the wrapper has answered, or the wrapper was ended on the way. */
function describeGarbage(
  host: string,
  what: string,
  kind: CommandKind,
  { code, stdout, stderr }: CommandAnswer,
): Error {
  const said = printable(stderr.trim() === '' ? stdout : stderr);
  const heard = said === '' ? '' : ` (${said})`;
  const message =
    `${host}: ${what}: exit ${code} and no word of rackfire-dom0${heard}; is it installed and ` +
    'executable there, its dom0.conf whole, and is it the forced command of this key?';
  return kind === 'order' ? new OutcomeUnknownError(message) : new UnreachableError(message);
}
