/**
 * The weather test bench: each row is one kind of bad weather over a real HAProxy, real nodes and visitors who
 * do not wait for each other. A row says what happens and what must come of it; what must never happen, in any
 * weather, is watched and judged for all rows alike.
 *
 * @see watch.ts for what must never happen
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { tierKey } from '../../src/scaler/cluster.ts';
import { expectSameDecisions } from './replay.ts';
import type { SitePlan } from './site-config.ts';
import { startSite, type WeatherSite } from './weather-site.ts';

/**
 * A row that hangs is torn down before the test runner gives it up, so that nothing is left running. The longest
 * takes 75 s, and the one that starts the most Rackfires, 24 of them, as long on a machine that is twice as slow.
 */
const ROW_DEADLINE_MS = 200_000;
const TEARDOWN_MS = 30_000;
const TAIL_LINES = 15;

/**
 * A test of one row. After `row` the visitors are sent home, and then it is judged: no request failed, nothing
 * that must never happen did, and nothing is left over beside the nodes in service (while a Rackfire still
 * runs, it may finish what it is about); and every decision that was kept is the same when it is made again.
 */
export function weather(
  name: string,
  plan: SitePlan,
  row: (site: WeatherSite) => Promise<void>,
  rowDeadlineMs: number = ROW_DEADLINE_MS,
): void {
  test(name, { timeout: rowDeadlineMs + TEARDOWN_MS }, async () => {
    await using site = await startSite(plan);
    try {
      await beforeDeadline(row(site), rowDeadlineMs);
      await expectNothingBad(site);
      await Promise.all(site.services.map((service) => service.kill()));
      const journals = [site.config.journal.path, ...site.otherJournals];
      const decisions = journals.flatMap((path) => expectSameDecisions(path, tierKey(site.tier)));
      process.stdout.write(`${decisions.length} decisions were replayed: ${name}\n`);
    } catch (error) {
      throw await explain(site, error);
    }
  });
}

async function beforeDeadline(row: Promise<void>, deadlineMs: number): Promise<void> {
  const timer = new AbortController();
  const late = sleep(deadlineMs, undefined, { signal: timer.signal }).then(
    () => {
      throw new Error(`the row is not through after ${deadlineMs / 1_000} s`);
    },
    () => undefined,
  );
  try {
    await Promise.race([row, late]);
  } finally {
    timer.abort();
  }
}

async function expectNothingBad(site: WeatherSite): Promise<void> {
  await Promise.all(site.loads.map((load) => load.end()));
  for (const load of site.loads.filter(({ mayFail }) => !mayFail)) {
    load.expectNoneFailed();
  }
  await site.untilNothingLeftOver();
  expect(site.violations, 'what must never happen').toEqual([]);
}

/** The same error, with all that somebody needs to find out why. */
async function explain(site: WeatherSite, error: unknown): Promise<unknown> {
  const services = site.services.map((service) => service.tail(TAIL_LINES));
  const story = [
    `violations: ${site.violations.join('\n') || 'none'}`,
    site.describe(),
    ...services.map((tail, index) => `Rackfire ${index + 1}: ${tail}`),
    `logs: ${await site.keepFolder()}`,
  ].join('\n');
  if (error instanceof Error) {
    error.message += `\n\n${story}`;
    return error;
  }
  return new Error(story, { cause: error });
}
