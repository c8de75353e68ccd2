/** What is simulated and what happens are the same. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { traceCurve } from '../../src/embedded/rate-curve.ts';
import { Folder, rackfire } from '../cli/rackfire.ts';
import { DemoProcess } from './demo-process.ts';

const PEAK_RPS = 500;
const Run = z.looseObject({ inService: z.array(z.number()) });

/** A minute of calm, a minute of rise, a short peak, and back. */
const SECONDS = 180;
const RATES = Array.from({ length: SECONDS }, (_, second) => {
  const up = Math.min(1, Math.max(0, (second - 60) / 60));
  const down = Math.min(1, Math.max(0, (second - 130) / 15));
  return Math.round(100 + 400 * (up - down));
});

function csvOf(rates: readonly number[]): string {
  return `second,rps\n${rates.map((rps, second) => `${second},${rps}\n`).join('')}`;
}

test('a trace that the demo plays in real time and one that is simulated have the same nodes in service, within one of them 95 % of the time', {
  timeout: 300_000,
}, async () => {
  const trace = csvOf(RATES);
  const curve = traceCurve(trace, { peakRps: PEAK_RPS, compress: 1 });
  const played = RATES.map((_, second) => curve.rateAt(second + 0.5));
  await using folder = await Folder.create({ 'trace.csv': trace, 'played.csv': csvOf(played) });
  const demo = new DemoProcess('--trace', folder.file('trace.csv'), '--peak', `${PEAK_RPS}`);
  await demo.until(({ nodes }) => nodes >= 2);
  // The demo removes its config when it ends.
  const config = await readFile(demo.printed(/config {4}(.+)/), 'utf8');
  await using site = await Folder.create({ 'site.yaml': config });
  await demo.summary();

  const { stdout, stderr } = await rackfire(
    'simulate',
    ...['-c', site.file('site.yaml'), '--trace', folder.file('played.csv')],
    ...['--boot-delay', '5s', '--json'],
  );
  expect(stderr).toBe('');
  const { inService } = Run.parse(JSON.parse(stdout));
  const pairs = demo.progress
    .filter(({ atSeconds }) => atSeconds < SECONDS)
    .map(({ atSeconds, nodes }) => [atSeconds, nodes, inService[atSeconds] ?? 0] as const);
  const alike = pairs.filter(([, nodes, simulated]) => Math.abs(nodes - simulated) <= 1);
  const shown = pairs.map((pair) => pair.join(' ')).join('\n');
  process.stdout.write(`second, nodes, simulated:\n${shown}\n`);
  expect(pairs.length).toBeGreaterThan(60);
  expect(Math.max(...inService)).toBeGreaterThanOrEqual(6);
  expect(alike.length / pairs.length, shown).toBeGreaterThanOrEqual(0.95);
});
