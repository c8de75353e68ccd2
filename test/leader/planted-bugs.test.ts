/** The schedules are worth what they find: an elector with any of the planted bugs is found by one of them. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Machine } from './election.ts';
import { type PlantedBug, plantedBugs } from './planted-bugs.ts';
import { play } from './schedules.ts';

const machineUrl = new URL('../../src/leader/elector.ts', import.meta.url);

let source: string;
let folder: string;

beforeAll(async () => {
  source = await readFile(machineUrl, 'utf8');
  folder = await mkdtemp(join(tmpdir(), 'rackfire-electors-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

function plant({ find, replace }: PlantedBug): string {
  const parts = source.split(find);
  expect(parts, 'it stands there exactly once').toHaveLength(2);
  return parts.join(replace);
}

/** Electors of this text. @param name - Of the copy's file, another one each time. */
async function loadMachine(text: string, name: string): Promise<Machine> {
  const file = join(folder, `${name}.ts`);
  // What it imports stays where it is.
  const moved = text.replaceAll(/ from '(\..+)'/g, (_import, path: string) => {
    return ` from '${new URL(path, machineUrl).href}'`;
  });
  await writeFile(file, moved);
  return (await import(pathToFileURL(file).href)) as Machine;
}

/** What the first of so many schedules says that finds something. */
function findViolation(machine: Machine, schedules: number): string | undefined {
  for (let seed = 1; seed <= schedules; seed += 1) {
    try {
      play(seed, undefined, machine);
    } catch (error) {
      // A slip in the text of a bug is no finding.
      if (error instanceof TypeError || error instanceof ReferenceError) {
        throw error;
      }
      return `schedule ${seed}: ${String(error)}`;
    }
  }
  return undefined;
}

test.each(plantedBugs)('an elector that $name is found', async (bug) => {
  const machine = await loadMachine(plant(bug), `${plantedBugs.indexOf(bug)}`);
  expect(findViolation(machine, 1_000)).toMatch(/^schedule /);
});

test('in a copy without a bug nothing is found: the bugs are, and not their planting', async () => {
  expect(findViolation(await loadMachine(source, 'sound'), 20)).toBeUndefined();
});
