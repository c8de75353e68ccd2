/** Nodes that come and go, fifty times, while users ask. */

import { expect, test } from 'vitest';
import { type GenerationName, realDaemonOf } from '../balancer/dataplane/daemon-rig.ts';
import { LoadedSite } from './loaded-site.ts';

const GUESTS = [2, 3, 4, 5, 6];
const ROUNDS = 10;

export function describeCycles(generation: GenerationName): void {
  const runsOn = realDaemonOf(generation) ?? 'the stand-in';

  test(`fifty nodes are admitted and retired under load without a reload (${generation} on ${runsOn})`, {
    timeout: 120_000,
  }, async () => {
    await using loaded = await LoadedSite.start(generation);
    const { rig } = loaded.site;
    const workers = rig.workerPids();

    for (let round = 0; round < ROUNDS; round += 1) {
      await loaded.bring(GUESTS, 'ready');
      await loaded.bring(GUESTS, 'maint');
    }

    loaded.expectNobodyHurt();
    expect(rig.workerPids()).toEqual(workers);
    const { running, declared } = await loaded.readBothSides();
    expect(running).toEqual(declared);
  });
}
