/** Writes as the daemon does: into a file beside, which then takes the place of the old one. */

import { rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Faults } from './faults.ts';

/**
 * Replaces a file at once: a reader sees the old or the new one.
 *
 * @throws Error with the daemon's text when the disk is full; the file is then as it was.
 */
export async function replaceFile(path: string, text: string, faults: Faults): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.new`);
  if (faults.diskIsFull) {
    throw new Error(`write ${beside}: no space left on device`);
  }
  await writeFile(beside, text);
  await rename(beside, path);
}
