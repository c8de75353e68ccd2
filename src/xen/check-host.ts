/** Tests a dom0 from end to end, for `rackfire host check`. */

import { RefusedError, UnreachableError } from '../control/errors.ts';
import type { HostSnapshot } from '../control/ports.ts';
import { ConnectFailure, type ConnectStep } from './connect-failure.ts';
import { readSnapshot } from './host-snapshot.ts';
import { type InspectAnswer, WRAPPER_VERSION } from './inspect-answer.ts';
import { printable } from './printable.ts';
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
  { step: 'known-hosts', name: 'known hosts', text: 'can be read' },
  { step: 'network', name: 'connection', text: 'sshd answers' },
  { step: 'host-key', name: 'host key', text: 'the one in known_hosts' },
  { step: 'login', name: 'login', text: 'the key is accepted' },
];

/** What is wrong with the thing that a dom0 calls bad, and what to do, by its name. */
const FIXES: Readonly<Record<string, string>> = {
  xl: 'run `xl info` there as root: is the machine booted under Xen?',
  installation: 'compare INSTALLATION in dom0.conf there with this config',
  bridge: 'make it there, or name the right one in the config',
  disk: 'bring the golden image there, under the path that the config names',
  kernel: 'bring the kernel there, under the path that the config names',
  ramdisk: 'bring the ramdisk there, under the path that the config names',
  folder: 'make it there, writable by root; dom0.conf says which',
  lock: 'it must be on a local file system: see RUN_DIR in dom0.conf there',
  volumes: 'make a thin pool in it, or leave VOLUME_GROUP out of dom0.conf there',
};

/** What this machine says itself, and better: it knows the reserve and its own time. */
const KNOWN_BETTER: ReadonlySet<string> = new Set(['time', 'free-memory', 'free-disk']);

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
    const parts = await checkParts(connection, options, signal);
    return [
      ...STEPS.map(({ name, text }) => ({ name, ok: true, text })),
      ...parts,
      ...(await checkState(connection, options, signal)),
      ...(await checkImages(connection, options, signal)),
    ];
  } catch (error) {
    if (error instanceof ConnectFailure) {
      return describeFailure(error);
    }
    throw error;
  } finally {
    connection.close();
  }
}

function describeFailure({ step, text, fix }: ConnectFailure): readonly HostFinding[] {
  const at = STEPS.findIndex((other) => other.step === step);
  return [
    ...STEPS.slice(0, at).map((done) => ({ name: done.name, ok: true, text: done.text })),
    { name: STEPS[at]?.name ?? step, ok: false, text, fix },
  ];
}

/** Turns what cannot be found out into a finding. @throws ConnectFailure: then nothing else can be found, either. */
async function orBad(
  name: string,
  look: () => Promise<readonly HostFinding[]>,
): Promise<readonly HostFinding[]> {
  try {
    return await look();
  } catch (error) {
    const isTold = error instanceof UnreachableError || error instanceof RefusedError;
    if (!isTold || error instanceof ConnectFailure) {
      throw error;
    }
    // What to do stands after the last semicolon.
    const { message } = error;
    const at = message.lastIndexOf('; ');
    return at < 0
      ? [{ name, ok: false, text: message }]
      : [{ name, ok: false, text: message.slice(0, at), fix: message.slice(at + 2) }];
  }
}

/** What the host finds of itself, and the bridge. */
function checkParts(
  connection: SshConnection,
  { host, installation, network }: XenHostOptions,
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  return orBad('check', async () => {
    const values = { bridge: network.bridge };
    const text = await askHost(connection, host, { verb: 'check', values }, signal);
    const findings = readFindings(text).filter(({ name, ok }) => !(ok && KNOWN_BETTER.has(name)));
    return requireNames(findings, ['installation', 'xl', 'bridge']).map((finding) =>
      finding.name === 'installation' && finding.text !== installation
        ? describePart({
            name: finding.name,
            ok: false,
            text: `${finding.text}, not ${installation}`,
          })
        : finding,
    );
  });
}

function checkState(
  connection: SshConnection,
  options: XenHostOptions,
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  const { host, clock } = options;
  return orBad('wrapper', async () => {
    const askedAtMs = clock.wallMs();
    const answer = await inspectHost(connection, host, signal);
    return [
      { name: 'wrapper', ok: true, text: `rackfire-dom0, version ${WRAPPER_VERSION}` },
      checkTime(answer, { askedAtMs, answeredAtMs: clock.wallMs() }),
      ...checkRoom(readSnapshot(answer, options)),
    ];
  });
}

/** The host says whole seconds, and has read its clock at some time between question and answer. */
function checkTime(
  { timeSeconds }: InspectAnswer,
  { askedAtMs, answeredAtMs }: { askedAtMs: number; answeredAtMs: number },
): HostFinding {
  const earliestMs = timeSeconds * 1_000;
  const skewMs = Math.max(0, askedAtMs - (earliestMs + 999), earliestMs - answeredAtMs);
  if (skewMs <= LARGEST_SKEW_MS) {
    return { name: 'time', ok: true, text: 'within 2 s of this machine' };
  }
  const direction = earliestMs < askedAtMs ? 'behind' : 'ahead of';
  return {
    name: 'time',
    ok: true,
    text: `at least ${Math.round(skewMs / 1_000)} s ${direction} this machine`,
    fix: 'let chrony or systemd-timesyncd set the clocks of both',
  };
}

function checkRoom(snapshot: HostSnapshot): readonly HostFinding[] {
  return (['memory', 'disk'] as const).map((name) => {
    const key = `${name}MiB` as const;
    const freeMiB = snapshot.domains.reduce((free, domain) => free - domain[key], snapshot[key]);
    if (freeMiB > 0) {
      return { name, ok: true, text: `${freeMiB} MiB for further nodes` };
    }
    return {
      name,
      ok: true,
      text: `nothing for further nodes (${freeMiB} MiB)`,
      fix:
        name === 'memory'
          ? 'lower dom0_mem there or the reserve in the config, if nodes should boot there'
          : 'make room where dom0.conf there has node disks',
    };
  });
}

/** What nodes of each image boot from. */
async function checkImages(
  connection: SshConnection,
  { host, images }: XenHostOptions,
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  const all: HostFinding[] = [];
  for (const [name, image] of images) {
    const of = `${name}@${image.version}`;
    const { kernel, ramdisk } = image;
    const values = { disk: formatDisk(image), kernel, ramdisk };
    const names = ramdisk === undefined ? ['disk', 'kernel'] : ['disk', 'kernel', 'ramdisk'];
    const findings = await orBad('check', async () => {
      const text = await askHost(connection, host, { verb: 'check', values }, signal);
      const parts = readFindings(text).filter((finding) => names.includes(finding.name));
      return requireNames(parts, names);
    });
    all.push(...findings.map((finding) => ({ ...finding, name: `${of} ${finding.name}` })));
  }
  return all;
}

/** `ok NAME TEXT` or `bad NAME TEXT` each; other lines are of a newer wrapper. */
function readFindings(text: string): readonly HostFinding[] {
  return text.split('\n').flatMap((line) => {
    const [, verdict, name, said] = /^(ok|bad) ([a-z-]+) ?(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined || said === undefined) {
      return [];
    }
    return [describePart({ name, ok: verdict === 'ok', text: printable(said) })];
  });
}

function describePart(finding: HostFinding): HostFinding {
  const fix = FIXES[finding.name];
  return finding.ok || fix === undefined ? finding : { ...finding, fix };
}

/** What was to be looked at and is not spoken of is bad. */
function requireNames(
  findings: readonly HostFinding[],
  names: readonly string[],
): readonly HostFinding[] {
  const missing = names.filter((name) => !findings.some((finding) => finding.name === name));
  return [
    ...findings,
    ...missing.map((name) => ({
      name,
      ok: false,
      text: 'the host says nothing of it',
      fix: 'install the rackfire-dom0 of this release there',
    })),
  ];
}
