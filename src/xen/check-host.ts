/** Tests a dom0 from end to end, for `rackfire host check`. */

import { RefusedError, UnreachableError } from '../control/errors.ts';
import type { HostSnapshot } from '../control/ports.ts';
import { ConnectFailure, type ConnectStep } from './connect-failure.ts';
import { readSnapshot } from './host-snapshot.ts';
import { type InspectAnswer, WRAPPER_VERSION } from './inspect-answer.ts';
import { SshConnection } from './ssh-connection.ts';
import { askHost, formatDisk, inspectHost, type XenHostOptions } from './xen-host.ts';

/** One thing that was looked at. A warning is `ok` and has a `fix`. */
export interface HostFinding {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  readonly fix?: string;
}

/** Deadlines and births compare the clocks of two machines. */
const LARGEST_SKEW_MS = 2_000;

/** What a connection needs, in the order in which it gets there. */
const STEPS: readonly {
  readonly step: ConnectStep;
  readonly name: string;
  readonly text: string;
}[] = [
  { step: 'key-file', name: 'key file', text: 'readable by its owner alone' },
  { step: 'network', name: 'connection', text: 'sshd answers' },
  { step: 'host-key', name: 'host key', text: 'the one in known_hosts' },
  { step: 'login', name: 'login', text: 'the key is accepted' },
];

/**
 * Changes nothing on the host, and makes a connection of its own.
 *
 * @returns What was found, in the order in which one thing needs the other; what could not be looked at is missing.
 * Never rejects because of what the host is like.
 */
export async function checkXenHost(
  options: XenHostOptions,
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  const { host, clock } = options;
  const connection = new SshConnection({ ...options.connection, host, clock });
  try {
    // First, so that connecting takes nothing from the accuracy of the time.
    const parts = await checkParts(
      connection,
      { host, of: '', values: { bridge: options.network.bridge } },
      signal,
    );
    const askedAtMs = clock.wallMs();
    const answer = await inspectHost(connection, host, signal);
    const answeredAtMs = clock.wallMs();
    return [
      ...STEPS.map(({ name, text }) => ({ name, ok: true, text })),
      { name: 'wrapper', ok: true, text: `rackfire-dom0, version ${WRAPPER_VERSION}` },
      checkTime(answer, { askedAtMs, answeredAtMs }),
      { name: 'xen', ok: true, text: `Xen ${answer.info.xenVersion}, ${answer.info.cpus} CPUs` },
      ...checkRoom(readSnapshot(answer, options)),
      ...parts,
      ...(await checkImages(connection, options, signal)),
    ];
  } catch (error) {
    if (error instanceof UnreachableError) {
      return describeFailure(error);
    }
    throw error;
  } finally {
    connection.close();
  }
}

function describeFailure(error: UnreachableError): readonly HostFinding[] {
  if (!(error instanceof ConnectFailure)) {
    return [
      ...STEPS.map(({ name, text }) => ({ name, ok: true, text })),
      describeBad('wrapper', error.message),
    ];
  }
  const at = STEPS.findIndex(({ step }) => step === error.step);
  return [
    ...STEPS.slice(0, at).map(({ name, text }) => ({ name, ok: true, text })),
    { name: STEPS[at]?.name ?? error.step, ok: false, text: error.text, fix: error.fix },
  ];
}

/** What to do stands after the last semicolon of a message. */
function describeBad(name: string, message: string): HostFinding {
  const at = message.lastIndexOf('; ');
  return at < 0
    ? { name, ok: false, text: message }
    : { name, ok: false, text: message.slice(0, at), fix: message.slice(at + 2) };
}

/** The host says whole seconds, and has read its clock at some time between question and answer. */
function checkTime(
  { timeSeconds }: InspectAnswer,
  { askedAtMs, answeredAtMs }: { askedAtMs: number; answeredAtMs: number },
): HostFinding {
  const earliestMs = timeSeconds * 1_000;
  const skewMs = Math.max(0, askedAtMs - (earliestMs + 999), earliestMs - answeredAtMs);
  const isEarly = earliestMs < askedAtMs;
  return skewMs <= LARGEST_SKEW_MS
    ? { name: 'time', ok: true, text: 'within 2 s of this machine' }
    : {
        name: 'time',
        ok: true,
        text: `at least ${Math.round(skewMs / 1_000)} s ${isEarly ? 'behind' : 'ahead of'} this machine`,
        fix: 'let chrony or systemd-timesyncd set the clocks of both',
      };
}

function checkRoom(snapshot: HostSnapshot): readonly HostFinding[] {
  const { domains } = snapshot;
  return (['memory', 'disk'] as const).map((name) => {
    const key = `${name}MiB` as const;
    const freeMiB = domains.reduce((free, domain) => free - domain[key], snapshot[key]);
    return freeMiB > 0
      ? { name, ok: true, text: `${freeMiB} MiB for further nodes` }
      : {
          name,
          ok: true,
          text: `nothing for further nodes (${freeMiB} MiB)`,
          fix:
            name === 'memory'
              ? 'lower dom0_mem or the reserve of this host, if nodes should boot here'
              : 'make room where node disks are made (see dom0.conf there)',
        };
  });
}

/** What each image boots from. */
async function checkImages(
  connection: SshConnection,
  { host, images }: XenHostOptions,
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  const findings: HostFinding[] = [];
  for (const [name, image] of images) {
    const of = `${name}@${image.version} `;
    const { kernel, ramdisk } = image;
    const values = { disk: formatDisk(image), kernel, ramdisk };
    findings.push(...(await checkParts(connection, { host, of, values }, signal)));
  }
  return findings;
}

interface Parts {
  readonly host: string;
  /** What they belong to, before their names. */
  readonly of: string;
  readonly values: Readonly<Record<string, string | undefined>>;
}

/**
 * What is asked for and not answered is bad: a check that says nothing has not looked.
 *
 * @throws ConnectFailure: then there is nothing to be found at all.
 */
async function checkParts(
  connection: SshConnection,
  { host, of, values }: Parts,
  signal: AbortSignal,
): Promise<HostFinding[]> {
  try {
    const text = await askHost(connection, host, { verb: 'check', values }, signal);
    const findings = text.split('\n').flatMap((line) => readFinding(line, of));
    const missing = Object.keys(values).filter(
      (key) => values[key] !== undefined && !findings.some(({ name }) => name === `${of}${key}`),
    );
    return [
      ...findings,
      ...missing.map((key) => ({
        name: `${of}${key}`,
        ok: false,
        text: 'the host said nothing of it',
        fix: 'install the rackfire-dom0 of this release on the host',
      })),
    ];
  } catch (error) {
    const isTold = error instanceof UnreachableError || error instanceof RefusedError;
    if (isTold && !(error instanceof ConnectFailure)) {
      return [describeBad(`${of}check`, error.message)];
    }
    throw error;
  }
}

const FIXES: Readonly<Record<string, string>> = {
  bridge: 'make it on the host, or name the right one in the config',
  disk: 'bring the golden image to the host, under the path that the config names',
  kernel: 'bring the kernel to the host, under the path that the config names',
  ramdisk: 'bring the ramdisk to the host, under the path that the config names',
};

function readFinding(line: string, of: string): HostFinding[] {
  const found = /^(ok|bad) ([a-z-]+) ?(.*)$/.exec(line.trim());
  if (found === null) {
    return [];
  }
  const [, verdict, part = '', said = ''] = found;
  const text = said.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 300);
  const fix = FIXES[part];
  return [
    {
      name: `${of}${part}`,
      ok: verdict === 'ok',
      text,
      ...(verdict === 'bad' && fix !== undefined ? { fix } : {}),
    },
  ];
}
