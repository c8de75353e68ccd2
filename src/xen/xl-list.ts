/** What `xl list` and `xl list -l` say of a host's domains. */

import { z } from 'zod';
import { UnreachableError } from '../control/errors.ts';

/** `being-made`: under construction, or about to be. `stopping`: shut down, rebooting, crashed or dying. */
export type XlState = 'running' | 'paused' | 'being-made' | 'stopping';

/** One line of `xl list`. */
export interface XlListRow {
  /** `(null)` for a domain that is dying and has lost its name already. */
  readonly name: string;
  readonly domid: number;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly state: XlState;
}

/** One domain of `xl list -l`. */
export interface XlConfig {
  readonly domid: number;
  readonly name: string | undefined;
  /** The management domain has none. */
  readonly uuid: string | undefined;
  readonly cmdline: string | undefined;
}

/** From the right: a name that is longer than its column shifts the others. */
const ROW = /^(.+?)\s+(\d+)\s+(\d+)\s+(\d+)\s+([-a-z?]{6})\s+\d+(?:\.\d+)?$/;

/**
 * Reads `xl list`, without the management domain (domid 0).
 *
 * @throws UnreachableError when a line is none of its own: a domain that is not seen would be missed.
 */
export function parseXlList(text: string): readonly XlListRow[] {
  const [head, ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  if (head === undefined || !/^Name\s+ID\s+Mem\s+VCPUs\s+State\s+Time\(s\)/.test(head)) {
    throw new UnreachableError(`xl list has another head than expected: ${head ?? 'nothing'}`);
  }
  return lines.map(parseRow).filter((row) => row.domid !== 0);
}

function parseRow(line: string): XlListRow {
  const found = ROW.exec(line.trimEnd());
  if (found === null) {
    throw new UnreachableError(`xl list shows a line that cannot be read: ${line.slice(0, 120)}`);
  }
  const [, name = '', domid, memory, vcpus, flags = ''] = found;
  const memoryMiB = Number(memory);
  return {
    name,
    domid: Number(domid),
    memoryMiB,
    vcpus: Number(vcpus),
    state: readState(flags, memoryMiB),
  };
}

/**
 * The columns are running, blocked, paused, shut down, the reason of the shutdown, and dying. A domain without any
 * flag is runnable and waits for a CPU. A domain that has shut down is on its way out even if nobody is there to
 * reap it any more (`---sr-` for ever, after `xl save -c`).
 */
function readState(flags: string, memoryMiB: number): XlState {
  if (flags[3] === 's' || flags[5] === 'd') {
    return 'stopping';
  }
  if (memoryMiB === 0) {
    return 'being-made';
  }
  return flags[2] === 'p' ? 'paused' : 'running';
}

/** The inner `config.c_info.domid` is no domid but a constant. Keys that are not needed are not looked at. */
const LONG_LIST = z.array(
  z.object({
    domid: z.number(),
    config: z
      .object({
        c_info: z.object({ name: z.string().optional(), uuid: z.string().optional() }).optional(),
        b_info: z.object({ cmdline: z.string().optional() }).optional(),
      })
      .optional(),
  }),
);

/**
 * Reads `xl list -l`, without the management domain.
 *
 * @throws UnreachableError when it is cut off or of another form.
 */
export function parseXlLongList(text: string): readonly XlConfig[] {
  let json: unknown;
  try {
    // Without any domain it prints nothing at all.
    json = text.trim() === '' ? [] : JSON.parse(text);
  } catch {
    throw new UnreachableError('xl list -l is no JSON: it was cut off');
  }
  const read = LONG_LIST.safeParse(json);
  if (!read.success) {
    throw new UnreachableError(`xl list -l is not as expected: ${z.prettifyError(read.error)}`);
  }
  return read.data
    .filter((domain) => domain.domid !== 0)
    .map(({ domid, config }) => ({
      domid,
      name: config?.c_info?.name,
      uuid: config?.c_info?.uuid,
      cmdline: config?.b_info?.cmdline,
    }));
}
