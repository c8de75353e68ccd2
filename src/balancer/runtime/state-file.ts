/** HAProxy's `server-state-file`: what makes states survive a reload that nobody announced. */

import { open, rename, stat, unlink } from 'node:fs/promises';

/** HAProxy reads it before it gives up root, and people like to look at it. */
const usualMode = 0o644;

/**
 * Replaces the file as a whole: HAProxy may read it at any moment, and a part of it would put the servers
 * it lacks into MAINT. An existing file keeps its mode and, where permitted, its owner.
 *
 * @throws Error of node:fs, as it is.
 */
export async function replaceStateFile(path: string, text: string): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  const temporaryPath = `${path}.rackfire-${process.pid}`;
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
