/**
 * `npm run bench:metrics`: what Prometheus finds of 1,000 clusters of 12 nodes, and how long a scrape takes. The last
 * line is one JSON object.
 */

import { scrapeLargeInstallation } from './large-installation.ts';

const SCRAPES = 20;

const registry = scrapeLargeInstallation();
const times: number[] = [];
let text = '';
const usedBefore = process.cpuUsage();
for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
  const startMs = performance.now();
  text = await registry.metrics();
  times.push(performance.now() - startMs);
}
const used = process.cpuUsage(usedBefore);
const cpuMs = (used.user + used.system) / 1_000 / SCRAPES;
const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
times.sort((one, other) => one - other);
const [medianMs = 0, slowestMs = 0] = [times[SCRAPES / 2], times.at(-1)];
console.log(
  `1,000 clusters of 12 nodes: ${series} series, ${(text.length / 2 ** 20).toFixed(1)} MiB; ` +
    `${SCRAPES} scrapes: median ${medianMs.toFixed(0)} ms, slowest ${slowestMs.toFixed(0)} ms, ` +
    `${cpuMs.toFixed(0)} ms of CPU each`,
);
console.log(
  JSON.stringify({
    series,
    scrapeMs: Math.round(medianMs),
    slowestMs: Math.round(slowestMs),
    cpuMs: Math.round(cpuMs),
  }),
);
