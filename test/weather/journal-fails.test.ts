import { execFileSync } from 'node:child_process';
import { open, rm, stat } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'vitest';
import type { LineMatch, ServiceProcess } from './service-process.ts';
import { TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';

const WRITTEN = 'journal is written';
const BEFELL = 'journal is written, but something befell its file';
const NOT_WRITTEN = 'journal is not written, scaling goes on';
const STORM_RPS = 3.6 * TARGET_RPS;
const CALM_RPS = 0.6 * TARGET_RPS;

/** Of the tier that `site-config.ts` writes. */
const SCALE_IN_WINDOW_MS = 3_000;

const drains: LineMatch = ({ msg, action }) => msg === 'action started' && action === 'drain';

weather(
  'the journal is locked, then its disk is full: scaling goes on out and in, it is said, and it is written again afterwards',
  { minNodes: 2, maxNodes: 4 },
  async (site) => {
    const load = site.load(1.5 * TARGET_RPS);
    // A service keeps the lock for itself, so somebody else can have it only before.
    const database = lockJournal(site.config.journal.path);
    const service = await site.startService();
    await service.told(NOT_WRITTEN);
    load.change(STORM_RPS);
    await site.untilConverged(4);
    expectSaidOnce(service, NOT_WRITTEN, 0);
    database.close();
    await service.told(WRITTEN);

    const full = service.lines.length;
    // What every file of the process may grow to: the state file is smaller, the journal is not.
    limitFileSize(service, '4096');
    await service.told(NOT_WRITTEN, full);
    load.change(CALM_RPS);
    await site.untilConverged(2);
    expectSaidOnce(service, NOT_WRITTEN, full);
    limitFileSize(service, 'unlimited');
    await service.told(WRITTEN, full);
    await load.end();
    expect(service.found(WRITTEN), 'after the lock, and after the full disk').toHaveLength(2);
    expectSaidOnce(service, WRITTEN, full);
    expect(service.found(BEFELL)).toEqual([]);
  },
);

weather(
  'the journal is deleted, then damaged, in a storm: scaling goes on, it is said, and a new one is begun',
  { minNodes: 2, maxNodes: 4 },
  async (site) => {
    const { path } = site.config.journal;
    const service = await site.startService();
    await service.told(WRITTEN);
    const load = site.load(1.5 * TARGET_RPS);

    const since = service.lines.length;
    await removeJournal(path);
    load.change(STORM_RPS);
    const deleted = await service.told(BEFELL, since);
    expect(deleted['why']).toMatch(/deleted|replaced/);
    await stat(path);

    const before = service.lines.length;
    await damage(path);
    const damaged = await service.told(BEFELL, before);
    expect(damaged['why']).toMatch(
      /^the file was damaged .* and moved to .*, a new one was begun$/,
    );
    await stat(`${path}.corrupt`);
    await site.untilConverged(4);
    await load.end();
    expect(service.lines.slice(since, before).filter(({ msg }) => msg === BEFELL)).toHaveLength(1);
    expectSaidOnce(service, BEFELL, before);
  },
);

weather(
  'Rackfire is killed, its journal is lost, and the traffic has fallen: another one holds scale-in for a window, and scales in then',
  { minNodes: 2, maxNodes: 4, startNodes: 4 },
  async (site) => {
    const first = await site.startService();
    const load = site.load(STORM_RPS);
    await first.told(WRITTEN);
    await site.untilConverged(4);
    await first.kill();
    await removeJournal(site.config.journal.path);
    load.change(CALM_RPS);

    const next = await site.startService();
    const answered = await next.told(
      ({ msg, balancer }) => msg === 'source answers' && balancer === 'lb',
    );
    const drained = await next.told(drains);
    expect(drained.time - answered.time).toBeGreaterThanOrEqual(SCALE_IN_WINDOW_MS);
    await site.untilConverged(2);
    await load.end();
  },
);

/** By now there have been several attempts; it is not said with each. */
function expectSaidOnce(service: ServiceProcess, msg: string, since: number): void {
  expect(service.lines.slice(since).filter((one) => one.msg === msg)).toHaveLength(1);
}

/** As a backup tool that holds on to it. */
function lockJournal(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('BEGIN EXCLUSIVE');
  return database;
}

function limitFileSize({ pid }: ServiceProcess, bytes: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
}

async function removeJournal(path: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) {
    await rm(`${path}${suffix}`, { force: true });
  }
}

/**
 * Zeros over the first pages, as a disk does that is about to die. In the log beside the file as well: what
 * stands there is written over them when it is closed, and makes it whole again.
 */
async function damage(path: string): Promise<void> {
  for (const suffix of ['', '-wal']) {
    await using file = await open(`${path}${suffix}`, 'r+');
    await file.write(Buffer.alloc(16_384), 0, 16_384, 0);
    await file.sync();
  }
}
