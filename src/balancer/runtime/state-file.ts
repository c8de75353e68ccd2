/** HAProxy's `server-state-file`: what makes states survive a reload that nobody announced. */

import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** HAProxy reads it before it gives up root, and people like to look at it. */
const usualMode = 0o644;

/** Before the pid of whoever is writing. */
const temporaryMark = '.rackfire-';

/**
 * Replaces the file as a whole: HAProxy may read it at any moment, and a part of it would put the servers
 * it lacks into MAINT. An existing file keeps its mode and, where permitted, its owner.
 *
 * @throws Error of node:fs, as it is.
 */
export async function replaceStateFile(path: string, text: string): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  const temporaryPath = `${path}${temporaryMark}${process.pid}`;
  const file = await open(temporaryPath, 'w', usualMode);
  try {
    try {
      await file.chmod(existing === undefined ? usualMode : existing.mode & 0o7777);
      if (existing !== undefined) {
        // Only root may give files away; without it the file is ours, and readable as before.
        await file.chown(existing.uid, existing.gid).catch(() => undefined);
      }
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
  } catch (error) {
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}

/**
 * Removes what was left beside the file by processes that were killed while they replaced it. What cannot be
 * removed stays: nobody reads it.
 */
export async function removeLeftBehind(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `${basename(path)}${temporaryMark}`;
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    const pid = Number(name.slice(prefix.length));
    if (Number.isSafeInteger(pid) && pid > 0 && !isAlive(pid)) {
      await unlink(join(folder, name)).catch(() => undefined);
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
