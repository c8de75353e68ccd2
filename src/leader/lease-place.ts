/** Where a lease file may stand: on a file system of this machine alone. */

import { accessSync, constants, existsSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ConfigError } from '../control/errors.ts';

/** The `f_type` of statfs(2) for the file system that holds this path. */
export type ReadFileSystemType = (path: string) => number;

export const readFileSystemType: ReadFileSystemType = (path) => statfsSync(path).type;

/**
 * File systems that several machines can have mounted. There record locks hold on one machine only, or
 * get lost when the server restarts, or are not passed on at all: two processes would lead.
 *
 * FUSE stands for GlusterFS, sshfs, virtiofs and many others, which cannot be told apart by this number.
 *
 * @see linux/magic.h and, for the ones not in the kernel, coreutils' list for `stat -f`.
 */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x0000_6969, 'NFS'],
  [0x0000_517b, 'SMB'],
  [0xff53_4d42, 'CIFS'],
  [0xfe53_4d42, 'SMB2'],
  [0x0000_564c, 'NCP'],
  [0x5346_414f, 'AFS'],
  [0x6b41_4653, 'AFS'],
  [0x7375_7245, 'Coda'],
  [0x0102_1997, '9p'],
  [0x00c3_6400, 'Ceph'],
  [0x0bd0_0bd0, 'Lustre'],
  [0x0116_1970, 'GFS2'],
  [0x7461_636f, 'OCFS2'],
  [0x4750_4653, 'GPFS'],
  [0x1983_0326, 'BeeGFS'],
  [0xaad7_aaea, 'PanFS'],
  [0xbeef_dead, 'StorNext'],
  [0x6163_6673, 'ACFS'],
  [0xbacb_acbc, 'a VMware shared folder'],
  [0x786f_4256, 'a VirtualBox shared folder'],
  [0x7c7c_6673, 'a Parallels shared folder'],
  [0x6573_5546, 'FUSE'],
]);

/**
 * One name for one place, however it is written: links in the directory are followed, the file's own name
 * is kept, as a link there is refused later.
 *
 * @throws ConfigError when there is no such directory.
 */
export function resolvePlace(path: string): string {
  const absolute = resolve(path);
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch (error) {
    throw noDirectory(dirname(absolute), error);
  }
}

/**
 * Asked before every attempt, because a file system can be mounted over the directory at any time.
 *
 * @throws ConfigError when record locks are not to be trusted there, or when no file can be made there.
 */
export function requireUsablePlace(path: string, readType: ReadFileSystemType): void {
  const directory = dirname(path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw noDirectory(directory);
  }
  // A single file can be mounted, too: where it is there, its own file system counts.
  // `>>> 0`: on some machines the number is signed.
  const networkFileSystem = networkFileSystems.get(
    readType(existsSync(path) ? path : directory) >>> 0,
  );
  if (networkFileSystem !== undefined) {
    throw new ConfigError(
      `the lease file ${path} is on ${networkFileSystem}, where a lock does not keep other machines out: ` +
        'put it on a local disk of the one machine that Rackfire runs on, for example /run/rackfire/leader',
    );
  }
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ConfigError(
      `the directory ${directory} of the lease file is not writable for this user: SQLite makes a journal beside the file, so let this user write there`,
      { cause: error },
    );
  }
}

function noDirectory(directory: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `there is no directory ${directory} for the lease file: make it (systemd: RuntimeDirectory=rackfire makes /run/rackfire)`,
    { cause },
  );
}
