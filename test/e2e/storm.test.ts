import { link, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { KeptDecision } from '../../src/control/ports.ts';
import { type Explanation, explain } from '../../src/scaler/explain.ts';
import { takenToServe } from '../weather/explained.ts';
import { expectSameDecisions } from '../weather/replay.ts';
import { DemoProcess } from './demo-process.ts';

/** Of the demo's config. */
const TARGET_RPS = 80;

test('the demo absorbs its storm without a failed request and goes back to the minimum; its journal says why, and every decision in it is the same when it is made again', {
  timeout: 200_000,
}, async () => {
  const startedAtMs = performance.now();
  const demo = new DemoProcess();
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-storm-'));
  try {
    const journal = join(folder, 'journal.db');
    await demo.until(({ nodes }) => nodes >= 2);
    // The demo removes its folder when it ends. By then everything has been written to the file.
    await link(join(dirname(demo.printed(/config {4}(.+)/)), 'journal.db'), journal);
    const summary = await demo.summary();

    const told = `${JSON.stringify(summary)}\n${demo.log()}`;
    expect(summary.failedRequests, told).toBe(0);
    expect(summary.totalRequests, told).toBeGreaterThan(40_000);
    expect(summary.peakNodes, told).toBeGreaterThanOrEqual(8);
    expect(summary.finalNodes, told).toBe(2);
    expect(summary.secondsToFirstNode, told).toBeLessThanOrEqual(5 + 3);
    expect(summary.secondsToCatchUp, told).toBeLessThanOrEqual(45);
    expect(summary.p99OnsetSeconds, told).toBeLessThanOrEqual(15);
    expect(summary.p99AfterSeconds, told).toBeLessThanOrEqual(0.5);
    // Of what the figures leave out there may be little: had only the demo stood still, they would be too good.
    expect(summary.standstillSeconds, told).toBeLessThan(10);
    expect(summary.leftovers, told).toBe(0);
    expect(demo.exitCode).toBe(0);
    expect(performance.now() - startedAtMs).toBeLessThanOrEqual(180_000);

    const decisions = expectSameDecisions(journal, 'news/web');
    process.stdout.write(`${decisions.length} decisions were replayed\n`);
    const out = explainLast(decisions, 'out');
    const outRps = takenToServe(out.steps, TARGET_RPS);
    expect(out.headline).toMatch(
      new RegExp(
        `^news/web scales out from [0-9]+ to (?:[89]|1[0-2]) nodes: (?:[0-9.]+ rps(?:, (?:with .+|as far as is known),)? need [0-9.]+ nodes at ${outRps} rps each|[0-9]+ waiting requests? asks? for [0-9.]+ nodes)`,
      ),
    );
    const back = explainLast(decisions, 'in');
    const backRps = takenToServe(back.steps, TARGET_RPS);
    expect(back.headline).toMatch(
      new RegExp(
        `^news/web scales in from [0-9]+ to 2 nodes: [0-9.]+ rps(?:, with .+,)? need [01]\\.[0-9]+ nodes at ${backRps} rps each`,
      ),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

function explainLast(decisions: readonly KeptDecision[], direction: 'out' | 'in'): Explanation {
  const last = decisions.findLast(({ tick }) => tick.decision.direction === direction)!;
  return explain({ ...last, formatTime: String });
}
