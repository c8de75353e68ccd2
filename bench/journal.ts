/**
 * `npm run bench:journal`: a simulated week of 20 tiers, each of its seconds through the journal as the loop
 * would have it written; then questions to what has become of it. The last line is one JSON object.
 *
 * `--days N --tiers N` for less of it, `--keep FILE` to look at the file afterwards.
 */

import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Clock } from '../src/control/clock.ts';
import type { TierTicked } from '../src/control/events.ts';
import { tierKey } from '../src/scaler/cluster.ts';
import { openJournal } from '../src/store/journal.ts';
import { JournalFile } from '../src/store/journal-file.ts';
import { SimulatedHosts, SimulatedSite } from './simulated-site.ts';

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '7' },
    tiers: { type: 'string', default: '20' },
    keep: { type: 'string' },
  },
});
const days = Number(values.days);
const tiers = Number(values.tiers);

const DAY_MS = 86_400_000;
const START_MS = 1_790_000_000_000;
/** The loop looks so often while something changes. */
const BUSY_MS = 250;
/** So often, the writer is waited for: in life, it has a second for each second. */
const WAIT_EVERY_SECONDS = 30;
const MEASURED_SECONDS = 300;
const BOUNDS = { retentionMs: 365 * DAY_MS, maxBytes: 64 * 2 ** 30 };

let wallMs = START_MS;
const clock: Clock = {
  steadyMs: () => wallMs,
  wallMs: () => wallMs,
  sleep: async () => undefined,
};

const directory = mkdtempSync(join(tmpdir(), 'rackfire-bench-'));
const path = values.keep ?? join(directory, 'journal.db');
if (existsSync(path)) {
  throw new Error(`${path} exists already`);
}
const startedMs = performance.now();
const journal = openJournal({ path, ...BOUNDS, clock, onHealth: () => undefined });
const hosts = new SimulatedHosts(6);
const sites = Array.from(
  { length: tiers },
  (_, index) => new SimulatedSite(index, hosts, START_MS),
);
const keys = sites.map(({ tier }) => tierKey(tier));

let ticks = 0;
const endMs = START_MS + days * DAY_MS;
for (let second = 1; wallMs < endMs; second += 1) {
  for (const ticked of playSecond()) {
    journal.appendTick(ticked);
  }
  if (second % WAIT_EVERY_SECONDS === 0) {
    await settle();
  }
}
await settle();
const appendMicrosPerTick = await measureAppending();

const aDay = { fromMs: wallMs - Math.min(DAY_MS, days * DAY_MS), untilMs: wallMs };
const [key = ''] = keys;
const samplesOfDayMs = await measure(() => journal.samples(key, aDay));
const decisionsOfDayMs = await measure(() => journal.decisions(key, { ...aDay, limit: 2_000 }));
const { droppedRecords } = journal.health;
await journal.close();

const { size } = statSync(path);
const openingMs = await measure(async () => JournalFile.open(path, BOUNDS.maxBytes).close());
const content = weigh();
const changes = sites.reduce((total, site) => total + site.changes, 0);
process.stdout.write(
  `${days} days of ${tiers} tiers, ${ticks} ticks that changed the count ${changes} times: ` +
    `${content.samples} samples and ${content.decisions} decisions kept, ${droppedRecords} records dropped, ` +
    `in ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`,
);
process.stdout.write(
  `of one day of one tier: samples ${samplesOfDayMs.toFixed(1)} ms, decisions ${decisionsOfDayMs.toFixed(1)} ms; ` +
    `opened and checked in ${openingMs.toFixed(0)} ms\n`,
);
process.stdout.write(
  `${JSON.stringify({
    mebibytes: Number((size / 2 ** 20).toFixed(1)),
    bytesPerSample: Number((content.sampleBytes / content.samples).toFixed(2)),
    bytesPerDecision: Math.round(content.decisionBytes / content.decisions),
    dayQueryMs: Number(Math.max(samplesOfDayMs, decisionsOfDayMs).toFixed(1)),
    appendMicrosPerTick: Number(appendMicrosPerTick.toFixed(2)),
  })}\n`,
);
rmSync(directory, { recursive: true });

/** What the loop has to say of all tiers within the next second. */
function playSecond(): readonly TierTicked[] {
  wallMs += 1_000 + (ticks % 7);
  const ticked: TierTicked[] = [];
  for (const site of sites) {
    ticked.push(site.tick(wallMs));
    for (let aheadMs = BUSY_MS; aheadMs < 1_000 && site.isBusy; aheadMs += BUSY_MS) {
      ticked.push(site.tick(wallMs + aheadMs));
    }
  }
  ticks += ticked.length;
  return ticked;
}

/** Everything handed over is written. */
async function settle(): Promise<void> {
  await turn();
  await journal.events({ limit: 1 });
}

/** What the loop's thread has to do for one tick, handing over to the writer included. */
async function measureAppending(): Promise<number> {
  const seconds = Array.from({ length: MEASURED_SECONDS }, playSecond);
  const before = process.threadCpuUsage();
  for (const second of seconds) {
    for (const ticked of second) {
      journal.appendTick(ticked);
    }
    await turn();
  }
  await settle();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / seconds.reduce((total, second) => total + second.length, 0);
}

/** The median of several tries. */
async function measure(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let tries = 0; tries < 7; tries += 1) {
    const beforeMs = performance.now();
    await work();
    times.push(performance.now() - beforeMs);
  }
  return times.toSorted((one, other) => one - other)[3] ?? 0;
}

interface Weight {
  readonly samples: number;
  readonly sampleBytes: number;
  readonly decisions: number;
  readonly decisionBytes: number;
}

/** What lies in the tables, without the pages around it. */
function weigh(): Weight {
  const db = new DatabaseSync(path, { readOnly: true });
  const number = (sql: string): number => Number(Object.values(db.prepare(sql).get() ?? {})[0]);
  const weight = {
    samples: number('SELECT sum(count) FROM samples'),
    sampleBytes: number('SELECT sum(length(columns)) FROM samples'),
    decisions: number('SELECT count(*) FROM decisions'),
    decisionBytes: number('SELECT sum(length(content)) FROM decisions'),
  };
  db.close();
  return weight;
}
