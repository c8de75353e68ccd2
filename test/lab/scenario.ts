/**
 * The end-to-end bench on real Xen: each scenario runs on the lab's hosts, with a real HAProxy, Rackfire as a
 * process, and visitors who do not wait for each other. A scenario says what happens and what must come of it;
 * what must never happen is watched and judged for all alike (watch.ts).
 *
 * A new scenario is a call of `scenario` in a file of its own or beside its like. It begins and ends with empty
 * hosts.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { findLab, type Lab } from './lab.ts';
import type { Pace } from './measure.ts';
import { print } from './print.ts';
import type { SitePlan } from './site-config.ts';
import { type LabSite, startSite } from './site.ts';

const SCENARIO_DEADLINE_MS = 540_000;
const TEST_DEADLINE_MS = 600_000;
const RESIDUE_DEADLINE_MS = 60_000;
const TAIL_LINES = 25;

/** Of what a node is rated for: so little that no second of it, as chance has it, asks for a second node. */
export const CALM = 0.12;

export const lab: Lab = findLab();

/**
 * A test of one scenario. After `act` the visitors are sent home, and then it is judged: no request failed (but of a
 * load that may), and nothing that must never happen did.
 *
 * @param planFor - By what a guest was measured to serve.
 */
export function scenario(
  name: string,
  planFor: (pace: Pace) => SitePlan,
  act: (site: LabSite, pace: Pace) => Promise<void>,
): void {
  test(name, { timeout: TEST_DEADLINE_MS }, async () => {
    const pace = inject('pace');
    const startedMs = performance.now();
    await using site = await startSite(planFor(pace), lab);
    try {
      await beforeDeadline(act(site, pace));
      await Promise.all(site.loads.map((load) => load.end()));
      for (const load of site.loads.filter(({ mayFail }) => !mayFail)) {
        load.expectNoneFailed();
      }
      expect(site.watch.violations, 'what must never happen').toEqual([]);
      const requests = site.loads.reduce((sum, { run }) => sum + run.due, 0);
      const failed = site.loads.reduce((sum, { run }) => sum + run.failed, 0);
      print(
        `${((performance.now() - startedMs) / 1_000).toFixed(0)} s, ${requests} requests, ${failed || 'none'} failed: ${name}`,
      );
    } catch (error) {
      throw await explain(site, error);
    }
  });
}

/**
 * Waits until nothing is left of nodes, on the site's hosts and in HAProxy, but of those that are `kept`: a domain
 * is gone before its disk is.
 */
export async function expectNoResidue(site: LabSite, kept: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + RESIDUE_DEADLINE_MS;
  let left = await residueOf(site, kept);
  while (left.length > 0 && performance.now() < deadlineMs) {
    left = await residueOf(site, kept);
  }
  expect(left.join('\n'), 'residue').toBe('');
}

async function residueOf(site: LabSite, kept: readonly string[]): Promise<readonly string[]> {
  const onHosts = await Promise.all(site.hosts.map((host) => host.residue(kept)));
  const servers = [...(site.watch.latest?.servers ?? [])]
    .filter(([name, { admin }]) => admin !== 'maint' && !kept.includes(name))
    .map(([name, { admin }]) => `HAProxy: ${name} ${admin}`);
  return [...onHosts.flat(), ...servers];
}

async function beforeDeadline(act: Promise<void>): Promise<void> {
  const timer = new AbortController();
  const late = sleep(SCENARIO_DEADLINE_MS, undefined, { signal: timer.signal }).then(
    () => {
      throw new Error(`the scenario is not through after ${SCENARIO_DEADLINE_MS / 1_000} s`);
    },
    () => undefined,
  );
  try {
    await Promise.race([act, late]);
  } finally {
    timer.abort();
  }
}

/** The same error, with all that somebody needs to find out why. */
async function explain(site: LabSite, error: unknown): Promise<unknown> {
  const story = [
    `violations: ${site.watch.violations.join('\n') || 'none'}`,
    site.describe(),
    ...site.services.map((service, index) => `Rackfire ${index + 1}: ${service.tail(TAIL_LINES)}`),
    `logs: ${await site.keepFolder()}`,
  ].join('\n');
  if (error instanceof Error) {
    error.message += `\n\n${story}`;
    return error;
  }
  return new Error(story, { cause: error });
}
