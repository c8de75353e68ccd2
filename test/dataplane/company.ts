/** Not alone at the daemon: somebody else changes the same servers all the time. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type GenerationName, realDaemonOf } from '../balancer/dataplane/daemon-rig.ts';
import { HaproxyFile } from '../balancer/dataplane/stand-in/haproxy-file.ts';
import { until } from '../balancer/site.ts';
import { LoadedSite } from './loaded-site.ts';
import { Outsider } from './outsider.ts';

const GUESTS = [2, 3, 4, 5, 6];
const ROUNDS = 2;

export function describeCompany(generation: GenerationName): void {
  const runsOn = realDaemonOf(generation) ?? 'the stand-in';
  const name = `while somebody else writes each 200 ms, nodes come and go and neither's changes are lost`;

  test(`${name} (${generation} on ${runsOn})`, { timeout: 120_000 }, async () => {
    await using loaded = await LoadedSite.start(generation);
    const { daemon, rig } = loaded.site;
    const workers = rig.workerPids();
    const names = GUESTS.map((number) => `news-web-${number}`);
    const outsider = new Outsider(daemon, names);
    {
      await using _working = outsider;
      // On a quick machine its twelfth write, which takes a reload, comes later than two rounds.
      for (let round = 0; round < ROUNDS || outsider.reloads === 0; round += 1) {
        await loaded.bring(GUESTS, 'ready');
        await loaded.bring(GUESTS, 'maint');
      }
    }
    await until(
      () => rig.workerPids(),
      (pids) => String(pids) !== String(workers),
    );
    await loaded.bring(GUESTS, 'ready');

    loaded.expectNobodyHurt();
    // They met.
    expect(outsider.conflicts).toBeGreaterThan(0);
    const servers = HaproxyFile.parse(await readFile(rig.configPath, 'utf8')).servers('news-web');
    for (const [server, fields] of outsider.written) {
      expect(servers.find((one) => one['name'] === server)).toMatchObject(fields);
    }
    const { running, declared } = await loaded.readBothSides();
    expect(running).toEqual(declared);
  });
}
