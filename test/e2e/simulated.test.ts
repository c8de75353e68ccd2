/** What is simulated and what happens are the same. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { drawPoisson } from '../../src/sim/poisson.ts';
import { createRandom } from '../../src/embedded/random.ts';
import { traceCurve } from '../../src/embedded/rate-curve.ts';
import { Folder, rackfire } from '../cli/rackfire.ts';
import { DemoProcess } from './demo-process.ts';

const PEAK_RPS = 400;
const COMPRESS = 10;
const Run = z.looseObject({ inService: z.array(z.number()) });

/**
 * 18 minutes, of which each is played in 6 s: hardly anybody, so that the first visitors of the demo are no storm;
 * then 3 nodes, a rise to 6, and back.
 */
const RPS_BY_MINUTE = [6, 6, 6, 6, 6, 6, 60, 120, 180, 190, 190, 260, 330, 400, 400, 400, 190, 190];

/** A simulation begins with what the first minute needs; the demo, with what its first second needs. */
const CALM_SECONDS = 60;

/** The counts of each second, as a visitor of the demo comes when he likes. */
function csvOf(rates: readonly number[]): string {
  const random = createRandom(1);
  const rows = rates.map((rps, second) => `${second},${drawPoisson(rps, random)}\n`);
  return `second,rps\n${rows.join('')}`;
}

test('a trace is replayed from its need on, without a failed request; simulated, it has the same nodes in service, within one of them 95 % of the time', {
  timeout: 200_000,
}, async () => {
  const minutes = RPS_BY_MINUTE.map((rps, minute) => `${minute},${60 * rps}\n`);
  const trace = `minute,requests\n${minutes.join('')}`;
  const curve = traceCurve(trace, { peakRps: PEAK_RPS, compress: COMPRESS });
  const played = [
    ...Array.from({ length: CALM_SECONDS }, () => curve.startRps),
    ...Array.from({ length: curve.durationSeconds }, (_, second) => curve.rateAt(second + 0.5)),
  ];
  await using folder = await Folder.create({ 'trace.csv': trace, 'played.csv': csvOf(played) });
  const shape = ['--peak', `${PEAK_RPS}`, '--compress', `${COMPRESS}`];
  const demo = new DemoProcess({ args: ['--trace', folder.file('trace.csv'), ...shape] });
  await demo.until(({ nodes }) => nodes >= 2);
  // The demo removes its config when it ends.
  const configText = await readFile(demo.printed(/config {4}(.+)/), 'utf8');
  await using site = await Folder.create({ 'site.yaml': configText });
  const summary = await demo.summary();
  expect(summary.failedRequests, demo.log()).toBe(0);
  expect(summary.totalRequests).toBeGreaterThan(14_000);
  expect(summary.leftovers).toBe(0);
  expect(demo.exitCode).toBe(0);

  const config = ['-c', site.file('site.yaml'), '--boot-delay', '5s'];
  const load = ['--trace', folder.file('played.csv')];
  const { stdout, stderr } = await rackfire('simulate', ...config, ...load, '--json');
  expect(stderr).toBe('');
  const { inService } = Run.parse(JSON.parse(stdout));
  const pairs = demo.progress
    .filter(({ atSeconds }) => atSeconds < curve.durationSeconds)
    .map(
      ({ atSeconds, nodes }) =>
        [atSeconds, nodes, inService[CALM_SECONDS + atSeconds] ?? 0] as const,
    );
  const alike = pairs.filter(([, nodes, simulated]) => Math.abs(nodes - simulated) <= 1);
  const shown = pairs.map((pair) => pair.join(' ')).join('\n');
  process.stdout.write(`second, nodes, simulated:\n${shown}\n`);
  expect(pairs.length).toBeGreaterThan(45);
  expect(Math.max(...inService)).toBeGreaterThanOrEqual(6);
  expect(alike.length / pairs.length, shown).toBeGreaterThanOrEqual(0.95);
});
