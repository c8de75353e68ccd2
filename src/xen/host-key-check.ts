import { readFile } from 'node:fs/promises';
import { ConnectFailure, errorCodeOf } from './connect-failure.ts';
import {
  fingerprintOf,
  judgeHostKey,
  keyTypeOf,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
} from './known-hosts.ts';

/** Decides about the key that a host shows, and keeps why it was refused. */
export interface HostKeyCheck {
  readonly knownTypes: readonly string[];
  accept(key: Buffer): boolean;
  /** Why the last key was refused. */
  readonly failure: ConnectFailure | undefined;
}

interface Place {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly knownHostsFile: string;
}

/**
 * Reads known_hosts anew for each connection, so that a corrected file needs no restart.
 *
 * @throws ConnectFailure when it cannot be read: without it no host is trusted.
 */
export async function readHostKeyCheck(place: Place): Promise<HostKeyCheck> {
  const known = parseKnownHosts(await readKnownHostsFile(place));
  const name = knownHostName(place.address, place.port);
  let failure: ConnectFailure | undefined;
  return {
    knownTypes: knownKeyTypes(known, name),
    accept: (key) => {
      const verdict = judgeHostKey(known, name, key);
      failure = verdict.kind === 'known' ? undefined : describe(place, key, verdict);
      return failure === undefined;
    },
    get failure() {
      return failure;
    },
  };
}

/** All that the SSH client knows, the safest first; an RSA key signs in two ways. */
const ALGORITHMS = [
  ['ssh-ed25519', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
  ['ssh-rsa', 'rsa-sha2-512'],
  ['ssh-rsa', 'rsa-sha2-256'],
] as const;

/** Those of the known types come first; the others follow, so that a changed key is seen and named. */
export function serverHostKeyAlgorithms({
  knownTypes,
}: HostKeyCheck): (typeof ALGORITHMS)[number][1][] {
  const known = ALGORITHMS.filter(([type]) => knownTypes.includes(type));
  const others = ALGORITHMS.filter(([type]) => !knownTypes.includes(type));
  return [...known, ...others].map(([, algorithm]) => algorithm);
}

async function readKnownHostsFile({ host, knownHostsFile }: Place): Promise<string> {
  try {
    return await readFile(knownHostsFile, 'utf8');
  } catch (error) {
    throw new ConnectFailure(
      'known-hosts',
      `${host}: the file of known host keys ${knownHostsFile} cannot be read (${errorCodeOf(error)})`,
      'name a file that the user of this process can read as ssh.knownHostsFile',
    );
  }
}

function describe(
  { host, address, port, knownHostsFile: file }: Place,
  key: Buffer,
  verdict: Exclude<ReturnType<typeof judgeHostKey>, { kind: 'known' }>,
): ConnectFailure {
  const type = keyTypeOf(key);
  const shown = `${type} ${fingerprintOf(key)}`;
  const shortType = type.replace(/^ssh-/, '').replace(/^ecdsa-.*/, 'ecdsa');
  const keyFile = `/etc/ssh/ssh_host_${shortType}_key.pub`;
  const scan = `ssh-keyscan -p ${port} -t ${shortType} ${address}`;
  const compare = `compare it with what \`ssh-keygen -lf ${keyFile}\` prints on the host's own console`;
  switch (verdict.kind) {
    case 'unknown':
      return new ConnectFailure(
        'host-key',
        `${host} shows a host key that ${file} does not have for ${knownHostName(address, port)}: ${shown}`,
        `${compare}, and if it is the same: ${scan} >> ${file}`,
      );
    case 'changed':
      return new ConnectFailure(
        'host-key',
        `${host} shows another host key than ${file} has in line ${verdict.line}: ${shown}; somebody may be in between`,
        `${compare}, and if it is the same, replace line ${verdict.line} of ${file} by what \`${scan}\` prints`,
      );
    case 'revoked':
      return new ConnectFailure(
        'host-key',
        `${host} shows a host key that line ${verdict.line} of ${file} revokes: ${shown}`,
        'give the host a new key: this one is known to be in other hands',
      );
  }
}
