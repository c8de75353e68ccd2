import { mkdir, open, rename, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { readMetric } from './service-pages.ts';
import type { LineMatch, LogLine, ServiceProcess } from './service-process.ts';
import { type SitePlan, TARGET_RPS } from './site-config.ts';
import { weather } from './weather.ts';
import type { WeatherSite } from './weather-site.ts';

const ERROR_LEVEL = 50;
/** A look each second, and a second one; the rest is for a machine that is busy. */
const RELOAD_MS = 5_000;
const REFUSED = 'config refused, the last good one stays';
const RELOADED = 'config reloaded';
const MAX_PATH = 'clusters.news.tiers.web.nodes.max';

const PIECE_MS = 100;
const PIECES = 25;
/** Whatever looks the same for a second may be taken; a writer that is so slow proves nothing. */
const LONGEST_PIECE_MS = 800;

const actions: LineMatch = 'action started';

weather(
  'the config is replaced by nonsense, by one without clusters, and by one of another installation: said with line and column, and the last good one scales on; a good one is in force within seconds',
  { minNodes: 2, maxNodes: 5 },
  async (site) => {
    await site.rewriteConfig(maxNodes(3));
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);
    expect(await readMetric(site, 'rackfire_config_ok')).toBe(1);

    await writeFile(site.configFile, 'installation: [\nwhat: {is}: this\n');
    const nonsense = await refusal(service, 0);
    expect(nonsense).toMatchObject({ level: ERROR_LEVEL });
    expect(problemOf(nonsense)).toMatchObject({ file: site.configFile, line: 2 });
    expect(problemOf(nonsense)?.column).toBeGreaterThan(0);
    expect(await readMetric(site, 'rackfire_config_ok')).toBe(0);
    load.change(3.4 * TARGET_RPS);
    await site.untilConverged(3);

    const none = { ...maxNodes(5), file: { clusters: [] } };
    await site.rewriteConfig(none);
    const line = 1 + site.renderConfig(none).split('\n').indexOf('clusters: []');
    expect(problemOf(await refusal(service, 1))).toMatchObject({ path: 'clusters', line });

    const foreign = `other-${site.place.id}`;
    await site.rewriteConfig({ ...maxNodes(5), file: { installation: foreign } });
    const other = problemOf(await refusal(service, 2));
    expect(other).toMatchObject({ path: 'installation', line: 1, column: 15 });
    expect(site.watch.latest?.inService).toHaveLength(3);
    expect(service.found(RELOADED)).toEqual([]);

    const writtenAtMs = Date.now();
    await site.rewriteConfig(maxNodes(5));
    const reloaded = await service.told(RELOADED);
    expect(reloaded.time - writtenAtMs).toBeLessThan(RELOAD_MS);
    expect(reloaded['changes']).toEqual([{ path: MAX_PATH, from: '3', to: '5' }]);
    expect(await readMetric(site, 'rackfire_config_ok')).toBe(1);
    load.change(4.6 * TARGET_RPS);
    await site.untilConverged(5);
    load.change(0.6 * TARGET_RPS);
    await site.untilConverged(2);
    expect(service.found(REFUSED)).toHaveLength(3);
    await load.end();
  },
);

weather(
  'the cluster is gone from the config: its nodes serve on, in a storm and after it, and nothing is done to them; it is written again, and scales again',
  { minNodes: 2, maxNodes: 5 },
  async (site) => {
    await writeFile(site.configFile, withArchive(site, site.renderConfig(maxNodes(3))));
    const service = await site.startService();
    const load = site.load(3 * TARGET_RPS);
    await site.untilConverged(3);

    await writeFile(
      site.configFile,
      withArchive(site, site.renderConfig({ file: { clusters: [] } })),
    );
    const gone = await service.told(RELOADED);
    expect(gone['removedTiers']).toEqual(['news/web']);
    const acted = service.found(actions).length;
    load.change(0.6 * TARGET_RPS);
    // Longer than the window and the policies would have them wait.
    await site.lasts(6_000);
    load.change(3.6 * TARGET_RPS);
    await site.lasts(3_000);
    expect(service.found(actions)).toHaveLength(acted);
    expect(site.watch.latest?.inService).toHaveLength(3);

    await writeFile(site.configFile, withArchive(site, site.renderConfig(maxNodes(4))));
    const back = await service.told(RELOADED, service.lines.indexOf(gone) + 1);
    expect(back['removedTiers']).toEqual([]);
    await site.untilConverged(4);
    load.change(0.6 * TARGET_RPS);
    await site.untilConverged(2);
    expect(service.found(REFUSED)).toEqual([]);
    await load.end();
  },
);

weather(
  'the config is written piece by piece, replaced by a rename, by a link, by a link that is switched, and read at SIGHUP: each time it is taken once, whole, and never in between',
  { minNodes: 2, maxNodes: 7 },
  async (site) => {
    const text = (max: number): string => site.renderConfig(maxNodes(max));
    await writeFile(site.configFile, text(2));
    const service = await site.startService();
    const load = site.load(1.5 * TARGET_RPS);

    const isJudgeable = await writeInPieces(site.configFile, text(3));
    await expectMax(service, 3);
    if (isJudgeable) {
      expect([...service.found(REFUSED), ...service.found(RELOADED)]).toHaveLength(1);
    }

    const beside = join(site.folder, 'beside.yaml');
    await writeFile(beside, text(4));
    await rename(beside, site.configFile);
    await expectMax(service, 4);

    // As Kubernetes mounts a ConfigMap: a link to a file behind another link, which is switched.
    await putVersion(site, 'v5', text(5));
    await symlink(join('current', basename(site.configFile)), beside);
    await rename(beside, site.configFile);
    await expectMax(service, 5);
    await putVersion(site, 'v6', text(6));
    await expectMax(service, 6);

    const since = service.lines.length;
    await writeFile(site.configFile, text(7));
    service.signal('SIGHUP');
    await expectMax(service, 7);
    // The next looks see what has been taken already.
    await site.lasts(2_500);
    expect(service.found(RELOADED)).toHaveLength(service.lines.length > since ? 5 : 0);
    // More than six can be meant to serve: what is ordered ahead of a storm may be one more than it needs.
    load.change(6.5 * TARGET_RPS);
    await site.untilConverged(7);
    await load.end();
  },
);

function maxNodes(max: number): Pick<SitePlan, 'tier'> {
  return { tier: { nodes: { min: 2, max } } };
}

/** Beside ours stands a cluster with nothing to scale: a config needs one. */
function withArchive(site: WeatherSite, config: string): string {
  const archive = [
    '  - name: archive',
    '    tiers:',
    '      db:',
    '        scaling: none',
    '        image: drupal-web',
    '        size: small',
    '        nodes: 1',
    `        addresses: ${site.place.subnet}.250`,
  ];
  return config
    .replace('clusters: []', 'clusters:')
    .replace('clusters:\n', `clusters:\n${archive.join('\n')}\n`);
}

interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
}

/** Waits for the refusal after so many others. */
async function refusal(service: ServiceProcess, after: number): Promise<LogLine> {
  return await service.told((line) => service.found(REFUSED).indexOf(line) === after);
}

function problemOf(line: LogLine): Problem | undefined {
  return (line['problems'] as readonly Problem[])[0];
}

/** Waits until this maximum is in force, by a reload that changed nothing else. */
async function expectMax(service: ServiceProcess, max: number): Promise<void> {
  const to = String(max);
  const line = await service.told(({ msg, changes }) => {
    return msg === RELOADED && JSON.stringify(changes).includes(`"to":"${to}"`);
  });
  expect(line['changes']).toEqual([{ path: MAX_PATH, from: String(max - 1), to }]);
}

/** @returns False when a piece stood for so long that it may have been taken for the whole. */
async function writeInPieces(path: string, text: string): Promise<boolean> {
  await using file = await open(path, 'w');
  const size = Math.ceil(text.length / PIECES);
  let longestMs = 0;
  for (let from = 0; from < text.length; from += size) {
    const writtenAtMs = performance.now();
    await file.write(text.slice(from, from + size));
    await sleep(PIECE_MS);
    longestMs = Math.max(longestMs, performance.now() - writtenAtMs);
  }
  return longestMs < LONGEST_PIECE_MS;
}

/** Puts a version of the config beside the others, and lets `current` lead to it from one moment to the next. */
async function putVersion(site: WeatherSite, version: string, text: string): Promise<void> {
  await mkdir(join(site.folder, version));
  await writeFile(join(site.folder, version, basename(site.configFile)), text);
  const next = join(site.folder, 'next');
  await symlink(version, next);
  await rename(next, join(site.folder, 'current'));
}
