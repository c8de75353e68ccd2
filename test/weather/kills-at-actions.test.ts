import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  CALM_RPS,
  expectReloadChangesNothing,
  type Kill,
  KillStorm,
  killStorm,
  STEADY_NODES,
  STORM_NODES,
  STORM_RPS,
} from './kill-storm.ts';
import { TARGET_RPS } from './site-config.ts';
import { openGate } from './socket-gate.ts';
import { weather } from './weather.ts';

const PLAN = killStorm(2_000);

/** Two nodes are made: drained in advance, created, and set ready when their check passed. */
const SCALE_OUT: readonly Kill[] = [
  { when: 'before', call: 'set-drain', nth: 1 },
  // One server is drained, and nothing is behind it.
  { when: 'after', call: 'set-drain', nth: 1 },
  { when: 'before', call: 'create', nth: 1 },
  // One node is made, and one is not.
  { when: 'before', call: 'create', nth: 2 },
  { when: 'after', call: 'create', nth: 1 },
  { when: 'before', call: 'set-ready', nth: 1 },
  { when: 'after', call: 'set-ready', nth: 1 },
];

/** Two nodes are to go, and are drained and taken out of HAProxy. A new Rackfire takes back what was begun. */
const SCALE_IN_BEGUN: readonly Kill[] = [
  { when: 'before', call: 'set-drain', nth: 1 },
  // One is drained, and one is not.
  { when: 'after', call: 'set-drain', nth: 1 },
  { when: 'before', call: 'set-ready', nth: 1 },
  { when: 'before', call: 'set-maint', nth: 1 },
  // One is drained, and one is out of HAProxy.
  { when: 'after', call: 'set-maint', nth: 1 },
];

/** The storm returns, and both are wanted again. */
const BACK_AGAIN: readonly Kill[] = [
  { when: 'before', call: 'set-drain', nth: 1 },
  { when: 'after', call: 'set-drain', nth: 1 },
];

/** It is over, and they go after all. */
const SCALE_IN_ENDED: readonly Kill[] = [
  { when: 'before', call: 'destroy', nth: 1 },
  // One is gone, and one is not.
  { when: 'before', call: 'destroy', nth: 2 },
  { when: 'after', call: 'destroy', nth: 1 },
];

/** The storm is over before it was met: the server that was drained for it is put away again. */
const TOO_LATE: readonly Kill[] = [
  { when: 'before', call: 'set-maint', nth: 1 },
  { when: 'after', call: 'set-maint', nth: 1 },
];

weather(
  'kill -9 of Rackfire before and after every action of a scale-out and a scale-in: no node is lost or made twice',
  PLAN,
  async (site) => {
    const storm = new KillStorm(site);
    const load = site.load(STORM_RPS);
    await storm.die({ when: 'after', call: 'set-drain', nth: 1 });
    load.change(CALM_RPS);
    for (const kill of TOO_LATE) {
      await storm.die(kill);
    }
    load.change(STORM_RPS);
    await storm.dieNeeded(SCALE_OUT);
    await (await storm.grown(STORM_NODES)).kill();
    load.change(CALM_RPS);
    await storm.dieNeeded(SCALE_IN_BEGUN);
    load.change(STORM_RPS);
    await storm.dieNeeded(BACK_AGAIN);
    await (await storm.grown(STORM_NODES)).kill();
    load.change(CALM_RPS);
    for (const kill of SCALE_IN_ENDED) {
      await storm.die(kill);
    }
    const last = await site.startService();
    await storm.shrunk();
    await expectReloadChangesNothing(site, last, load);
  },
);

/** A node is made to be paused, and paused. */
const TO_STANDBY: readonly Kill[] = [
  { when: 'before', call: 'set-maint', nth: 1 },
  { when: 'after', call: 'set-maint', nth: 1 },
  { when: 'before', call: 'pause', nth: 1 },
  { when: 'after', call: 'pause', nth: 1 },
];

/** It is woken, and drained until its check has passed. */
const FROM_STANDBY: readonly Kill[] = [
  { when: 'before', call: 'wake', nth: 1 },
  { when: 'after', call: 'wake', nth: 1 },
  { when: 'before', call: 'set-drain', nth: 1 },
  { when: 'after', call: 'set-drain', nth: 1 },
];

weather(
  'kill -9 of Rackfire before and after every action by which a standby is made, paused and woken: it is always the same one',
  {
    ...PLAN,
    maxNodes: STEADY_NODES + 1,
    tier: { ...PLAN.tier, standby: { nodes: 1 } },
  },
  async (site) => {
    const storm = new KillStorm(site);
    const load = site.load(CALM_RPS);
    await storm.dieNeeded(TO_STANDBY);
    // Less than three nodes are rated for, and more than two.
    load.change(2.7 * TARGET_RPS);
    await storm.dieNeeded(FROM_STANDBY);
    const last = await storm.grown(STEADY_NODES + 1);
    await expectReloadChangesNothing(site, last, load);
  },
);

weather(
  'kill -9 of Rackfire between a change at HAProxy and the file that keeps it: the next one, with nothing else to do, keeps it',
  { ...PLAN, maxNodes: STEADY_NODES + 1, socketName: 'gate.sock' },
  async (site) => {
    await using gate = await openGate(join(site.folder, 'gate.sock'), site.haproxy.socketPath);
    const load = site.load(2.7 * TARGET_RPS);
    const first = await site.startService();
    await first.told(({ msg, action }) => msg === 'action done' && action === 'boot');
    // Asked for the file, after the last node was set ready.
    await gate.catch('show servers state\n');
    await first.kill();
    // A moment later, this would have been left, too.
    await writeFile(`${site.haproxy.stateFilePath}.rackfire-${first.pid}`, '1\n');
    gate.open();
    await site.untilConverged(STEADY_NODES + 1);
    const next = await site.startService();
    await expectReloadChangesNothing(site, next, load);
    expect(next.found('action started')).toEqual([]);
  },
);
