/** A fresh dom0 for each test of a describe block, under each shell, and what its refusals look like. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { createDom0, type Dom0, type Dom0Options, type Shell, shells } from './dom0.ts';
import { fence } from './requests.ts';

/** Where the dom0 of the running test is. */
export interface Rig {
  readonly dom0: Dom0;
}

/** The leader's term has been shown to each dom0. */
export function describeShells(
  name: string,
  options: Dom0Options,
  define: (rig: Rig) => void,
): void {
  describe.each(Object.keys(shells) as Shell[])(`${name}, under %s`, (shell) => {
    const rig = {} as { dom0: Dom0 };

    beforeEach(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'rackfire-dom0-'));
      rig.dom0 = await createDom0(folder, shell, options);
      expect(await rig.dom0.run(fence())).toEqual(success);
    });

    afterEach(async () => {
      rig.dom0.killRequests();
      await rm(rig.dom0.folder, { recursive: true });
    });

    define(rig);
  });
}

export const success = { exitCode: 0, stdout: '', stderr: '' };

/** A verb that made something, or found it made. */
export function saying(word: 'created' | 'restored' | 'present'): object {
  return { exitCode: 0, stdout: `${word}\n`, stderr: '' };
}

const exitCodes: Readonly<Record<string, number>> = {
  'no-request': 2,
  'bad-request': 2,
  'bad-value': 2,
  forbidden: 2,
  'name-taken': 3,
  'uuid-taken': 3,
  'address-taken': 3,
  'disk-in-use': 3,
  'not-ours': 3,
  'no-memory': 4,
  'no-disk': 4,
  'no-image': 4,
  'no-kernel': 4,
  'no-bridge': 4,
  'bad-kernel': 4,
  'create-failed': 4,
  'restore-failed': 4,
  'save-failed': 4,
  'not-there': 5,
  busy: 5,
  'not-fenced': 5,
  'stale-term': 5,
  'destroy-failed': 6,
  'xl-failed': 6,
};

/** One line with this code, the exit code that belongs to it, and nothing else. */
export function refusal(code: string, said = ''): object {
  return {
    exitCode: exitCodes[code],
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^rackfire-dom0: ${code}: [^\\n]*${said}[^\\n]*\\n$`),
    ) as string,
  };
}
