/** What is simulated and what happens are the same. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { traceCurve } from '../../src/embedded/rate-curve.ts';
import { Folder, rackfire } from '../cli/rackfire.ts';
import { DemoProcess } from './demo-process.ts';

const PEAK_RPS = 500;
const Run = z.looseObject({ inService: z.array(z.number()) });

/** Calm, a minute of rise, a short peak, and back. */
const SECONDS = 120;
const RATES = Array.from({ length: SECONDS }, (_, second) => {
  const up = Math.min(1, Math.max(0, (second - 10) / 60));
  const down = Math.min(1, Math.max(0, (second - 75) / 10));
  return Math.round(100 + 400 * (up - down));
});

/** A simulation begins with what the first minute needs; the demo, with what its first second needs. */
const CALM_SECONDS = 60;

function csvOf(rates: readonly number[]): string {
  return `second,rps\n${rates.map((rps, second) => `${second},${rps}\n`).join('')}`;
}

test('a trace that the demo plays in real time and one that is simulated have the same nodes in service, within one of them 95 % of the time', {
  timeout: 300_000,
}, async () => {
  const trace = csvOf(RATES);
  const curve = traceCurve(trace, { peakRps: PEAK_RPS, compress: 1 });
  const played = [
    ...Array.from({ length: CALM_SECONDS }, () => curve.startRps),
    ...RATES.map((_, second) => curve.rateAt(second + 0.5)),
  ];
  await using folder = await Folder.create({ 'trace.csv': trace, 'played.csv': csvOf(played) });
  const args = ['--trace', folder.file('trace.csv'), '--peak', `${PEAK_RPS}`];
  const demo = new DemoProcess({ args });
  await demo.until(({ nodes }) => nodes >= 2);
  // The demo removes its config when it ends.
  const configText = await readFile(demo.printed(/config {4}(.+)/), 'utf8');
  await using site = await Folder.create({ 'site.yaml': configText });
  await demo.summary();

  const config = ['-c', site.file('site.yaml'), '--boot-delay', '5s'];
  const load = ['--trace', folder.file('played.csv')];
  const { stdout, stderr } = await rackfire('simulate', ...config, ...load, '--json');
  expect(stderr).toBe('');
  const { inService } = Run.parse(JSON.parse(stdout));
  const pairs = demo.progress
    .filter(({ atSeconds }) => atSeconds < SECONDS)
    .map(
      ({ atSeconds, nodes }) =>
        [atSeconds, nodes, inService[CALM_SECONDS + atSeconds] ?? 0] as const,
    );
  const alike = pairs.filter(([, nodes, simulated]) => Math.abs(nodes - simulated) <= 1);
  const shown = pairs.map((pair) => pair.join(' ')).join('\n');
  process.stdout.write(`second, nodes, simulated:\n${shown}\n`);
  expect(pairs.length).toBeGreaterThan(50);
  expect(Math.max(...inService)).toBeGreaterThanOrEqual(6);
  expect(alike.length / pairs.length, shown).toBeGreaterThanOrEqual(0.95);
});
