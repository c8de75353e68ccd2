/** What is said of a Xen host in the config, and the way to talk with it. */

import type { Clock } from '../control/clock.ts';
import { UnreachableError } from '../control/errors.ts';
import { describeFailure } from './dom0-answer.ts';
import { type Dom0Verb, formatRequest } from './dom0-request.ts';
import { type InspectAnswer, parseInspectAnswer } from './inspect-answer.ts';
import { printable } from './printable.ts';
import type { SshConnection, SshSettings } from './ssh-connection.ts';

/** What nodes of one image boot from on this host. */
export interface XenImage {
  readonly version: string;
  /** The golden image that each node's disk is made from. */
  readonly disk: { readonly file: string } | { readonly thin: string };
  readonly kernel: string;
  readonly ramdisk?: string;
  readonly type: 'pv' | 'pvh';
}

export interface XenNetwork {
  readonly bridge: string;
  /** `kernel`: the guest reads its address from its command line; `dhcp`: it asks. */
  readonly addressing: 'kernel' | 'dhcp';
  readonly gateway: string;
  readonly prefixLength: number;
}

export interface XenHostOptions {
  readonly host: string;
  readonly installation: string;
  /** The UUID that a node of this installation has by its name. */
  readonly uuidOf: (name: string) => string;
  readonly connection: SshSettings;
  /** Kept free, for what Xen itself needs for its guests. */
  readonly reserveMemoryMiB: number;
  /** How many vCPUs are given to guests for each CPU; 1 where nothing is oversold. */
  readonly vcpusPerCpu: number;
  /** By name. */
  readonly images: ReadonlyMap<string, XenImage>;
  readonly network: XenNetwork;
  /** A guest that does not shut down by itself within this time is destroyed. */
  readonly shutdownDeadlineSeconds: number;
  readonly clock: Clock;
}

/** `file:/PATH` or `thin:VG/LV`, as the contract writes a golden image. */
export function formatDisk({ disk }: XenImage): string {
  return 'file' in disk ? `file:${disk.file}` : `thin:${disk.thin}`;
}

/** A question must be answered before the next one is due three times. */
export const ANSWER_WITHIN_MS = 15_000;

/**
 * Asks the host; changes nothing there.
 *
 * @returns What it printed. @throws UnreachableError also when it refuses.
 */
export async function askHost(
  connection: SshConnection,
  host: string,
  request: {
    readonly verb: Dom0Verb;
    readonly values?: Readonly<Record<string, string | number | undefined>>;
  },
  signal: AbortSignal,
): Promise<string> {
  const answer = await connection.run(
    formatRequest(request.verb, request.values),
    { kind: 'question', withinMs: ANSWER_WITHIN_MS },
    signal,
  );
  if (answer.code !== 0) {
    throw describeFailure(host, request.verb, 'question', answer);
  }
  return answer.stdout;
}

/** @throws UnreachableError */
export async function inspectHost(
  connection: SshConnection,
  host: string,
  signal: AbortSignal,
): Promise<InspectAnswer> {
  const text = await askHost(connection, host, { verb: 'inspect' }, signal);
  try {
    return parseInspectAnswer(text);
  } catch (error) {
    if (error instanceof UnreachableError) {
      throw new UnreachableError(`${host}: inspect: ${printable(error.message)}`, { cause: error });
    }
    throw error;
  }
}
