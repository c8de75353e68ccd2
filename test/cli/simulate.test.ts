/** `rackfire simulate` as a process. */

import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { STORM_MESSAGES } from '../../src/control/events.ts';
import { edit } from '../config/minimal.ts';
import { signalsOf } from '../scaler/world.ts';
import { ScrapedPages } from '../signals/scraped-pages.ts';
import { SITE, STORM } from '../sim/lab.ts';
import { Place, tickOf, WALL_MS } from '../store/rig.ts';
import { Folder, rackfire } from './rackfire.ts';

const Run = z.strictObject({
  stepSeconds: z.literal(1),
  arrivals: z.array(z.number()),
  inService: z.array(z.int()),
  ordered: z.array(z.number()),
  dropped: z.array(z.number()),
  boots: z.array(z.strictObject({ orderedAt: z.number(), readyAt: z.number() })),
  bootDelaySeconds: z.number(),
  score: z.looseObject({ J: z.number(), nodeSeconds: z.number(), optimumNodeSeconds: z.number() }),
});

const TRACE = `second,rps\n${[...STORM].map((rps, second) => `${second},${rps}\n`).join('')}`;
const SECOND_TIER = `      api:
        image: drupal-web
        size: small
        nodes: { min: 2, max: 10 }
        addresses: 127.0.2.1-127.0.2.10
        backend: news-api
        signals: { requestRate: { targetPerNode: 80 } }
`;

async function run(files: Readonly<Record<string, string>>, ...args: readonly string[]) {
  await using folder = await Folder.create({ 'site.yaml': SITE, 'trace.csv': TRACE, ...files });
  const paths = args.map((arg) => (/\.(?:yaml|csv|svg)$/.test(arg) ? folder.file(arg) : arg));
  const outcome = await rackfire('simulate', '-c', folder.file('site.yaml'), ...paths);
  const svg = await readFile(folder.file('run.svg'), 'utf8').catch(() => undefined);
  return { ...outcome, svg, stderr: outcome.stderr.replaceAll(`${folder.path}/`, '') };
}

test('--json prints one object: one entry a second, the boots, the score, and the trace as it is', async () => {
  const { code, stdout, stderr } = await run(
    {},
    '--trace',
    'trace.csv',
    '--boot-delay',
    '10s',
    '--json',
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.trimEnd()).not.toContain('\n');
  const one = Run.parse(JSON.parse(stdout));
  expect(one.arrivals).toEqual([...STORM]);
  expect([one.inService, one.ordered, one.dropped].map(({ length }) => length)).toEqual([
    STORM.length,
    STORM.length,
    STORM.length,
  ]);
  expect(one.bootDelaySeconds).toBe(10);
  expect(one.score.nodeSeconds).toBe(one.ordered.reduce((sum, nodes) => sum + nodes, 0));
  expect(one.boots.length).toBeGreaterThanOrEqual(11);
});

test('the same seed gives the same output, byte for byte; another one gives other boots', async () => {
  const args = ['--trace', 'trace.csv', '--json'];
  const [one, same, other] = await Promise.all([
    run({}, ...args, '--seed', '7'),
    run({}, ...args, '--seed', '7'),
    run({}, ...args, '--seed', '8'),
  ]);
  expect(same.stdout).toBe(one.stdout);
  expect(Run.parse(JSON.parse(other.stdout)).boots).not.toEqual(
    Run.parse(JSON.parse(one.stdout)).boots,
  );
});

test('for a person: the load and the nodes over time, figures, and a picture', async () => {
  const { code, stdout, stderr, svg } = await run({}, '--trace', 'trace.csv', '--plot', 'run.svg');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('news/web, 22 min 20 s of traffic, boots of 45s (--boot-delay)\n\n  ');
  expect(stdout).toContain('• requests per second');
  expect(stdout).toMatch(/^nodes in service +2 to \d\d$/m);
  expect(stdout).toMatch(/^J \(1 is perfect foresight\) +1\.\d{3}$/m);
  expect(svg).toMatch(/^<svg [^]*<\/svg>\n$/);
});

const SCHEDULED = `${SITE}        schedules:
          - { cron: "10 8 * * *", duration: 5m, timeZone: Europe/Berlin, nodes: { min: 30 } }
`;

test('--from says when the load begins: a minimum serves when its window begins, and goes with it', async () => {
  const args = [
    '--trace',
    'calm.csv',
    '--from',
    '2026-11-26T08:00:00+01:00',
    '--boot-delay',
    '20s',
  ];
  const calm = `second,rps\n0,100\n1199,100\n`;
  const files = { 'site.yaml': SCHEDULED, 'calm.csv': calm };
  const [text, json] = await Promise.all([run(files, ...args), run(files, ...args, '--json')]);
  expect(text.stdout).toMatch(
    /^schedule 10 8 \* \* \* \(Europe\/Berlin\) held from .* to .*: at least 30 nodes$/m,
  );
  const one = Run.extend({
    schedules: z.array(z.looseObject({ fromSecond: z.int(), untilSecond: z.int() })),
  }).parse(JSON.parse(json.stdout));
  expect(one.schedules).toMatchObject([{ fromSecond: 600, untilSecond: 900 }]);
  const nodesAt = (second: number): number | undefined => one.inService[second];
  expect([nodesAt(550), nodesAt(600), nodesAt(899)]).toEqual([nodesAt(500), 30, 30]);
  expect(nodesAt(1_000)).toBeLessThan(10);
});

test('without --from nobody knows the time: schedules are left out, and that is said', async () => {
  const { stdout, stderr } = await run(
    { 'site.yaml': SCHEDULED },
    '--trace',
    'trace.csv',
    '--json',
  );
  expect(stderr).toBe(
    'site.yaml: the schedules are left out: say when the load begins, with --from\n',
  );
  expect(Run.parse(JSON.parse(stdout)).inService[0]).toBe(2);
});

test('--against runs another config over the same load, and its figures stand beside', async () => {
  const old = edit(SITE, 'targetPerNode: 80', 'targetPerNode: 40');
  const files = { 'old.yaml': old };
  const { stdout } = await run(files, '--trace', 'trace.csv', '--against', 'old.yaml', '--json');
  const both: unknown = JSON.parse(stdout);
  const { against, ...one } = z.looseObject({ against: Run }).parse(both);
  expect(against.score.nodeSeconds).toBeGreaterThan(Run.parse(one).score.nodeSeconds * 1.5);
  const text = await run(files, '--trace', 'trace.csv', '--against', 'old.yaml');
  expect(text.stdout).toMatch(/old\.yaml +\S+site\.yaml$/m);
  expect(text.stdout).toMatch(/^\S+site\.yaml:\n.*┤/m);
});

test('--standby keeps nodes ready that the config does not, and they cost a quarter', async () => {
  const { stdout } = await run({}, '--trace', 'trace.csv', '--standby', 'paused=2', '--json');
  expect(Run.parse(JSON.parse(stdout)).ordered[0]).toBe(2.5);
});

test('with several tiers it has to be said which one', async () => {
  const files = { 'site.yaml': SITE + SECOND_TIER };
  const unsaid = await run(files, '--trace', 'trace.csv');
  expect(unsaid.code).toBe(2);
  expect(unsaid.stderr).toContain('--tier news/web or --tier news/api');
  const wrong = await run(files, '--trace', 'trace.csv', '--tier', 'news/db');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('has no tier news/db that is scaled; it has news/web, news/api');
  const said = await run(files, '--trace', 'trace.csv', '--tier', 'news/api');
  expect(said.code).toBe(0);
  expect(said.stdout).toContain('news/api, ');
});

test('what stands before a gap counts for all of its time, and that is said with the line', async () => {
  const gap = 'second,rps\n0,100\n1,100\n2,50\n10,100\n11,100\n';
  const { code, stdout, stderr } = await run({ 'gap.csv': gap }, '--trace', 'gap.csv', '--json');
  expect(code).toBe(0);
  expect(stderr).toBe(
    'gap.csv: line 4: 8 s to the next row, where 1 s are usual; what stands there is taken for all of that time\n',
  );
  const { arrivals } = Run.parse(JSON.parse(stdout));
  expect(arrivals).toEqual([100, 100, 50, 50, 50, 50, 50, 50, 50, 50, 100, 100]);
});

test.each([
  ['5s', 5],
  ['45s', 45],
  ['2m', 120],
])('boots take %s in the median when --boot-delay says so', async (said, seconds) => {
  // Slow rises, so that nobody orders too much and cancels what has not booted yet, which is rather what takes long.
  const rise = Array.from({ length: 120 }, (_, minute) => 100 + 57 * minute);
  const fall = rise.toReversed().filter((_, minute) => minute % 4 === 0);
  const minutes = [...rise, ...fall, ...rise, 6_900, 6_900, 6_900, 6_900, 6_900];
  const rows = minutes.map((rps, minute) => `${60 * minute},${rps}\n`);
  const files = { 'rises.csv': `second,rps\n${rows.join('')}` };
  const { stdout } = await run(files, '--trace', 'rises.csv', '--boot-delay', said, '--json');
  const { boots, bootDelaySeconds } = Run.parse(JSON.parse(stdout));
  const times = boots
    .map(({ orderedAt, readyAt }) => readyAt - orderedAt)
    .toSorted((one, other) => one - other);
  expect(times.length).toBeGreaterThan(100);
  expect((times[times.length >>> 1] ?? 0) / seconds).toBeCloseTo(1, 1);
  expect(bootDelaySeconds).toBe(seconds);
});

test('boots that are longer than the deadline of the config are awaited, and that is said', async () => {
  const short = edit(
    SITE,
    'backend: news-web',
    'backend: news-web\n        boot: { deadline: 2m }',
  );
  const args = ['--trace', 'trace.csv', '--boot-delay', '2m'];
  const { code, stderr } = await run({ 'site.yaml': short }, ...args);
  expect((await run({}, ...args)).stderr).toBe('');
  expect(code).toBe(0);
  expect(stderr).toBe(
    'site.yaml: boot.deadline 2m is short for boots of 2m; the simulation waits 5m\n',
  );
});

const WRONG_TRACES = {
  'bad.csv': 'second,rps\n0,1\n1,x\n',
  'years.csv': 'second,rps\n0,1\n1000000000,1\n',
};

describe('without a trace, the last storm', () => {
  /** Rates that grow second by second: each second is known by its rate. */
  const rateAt = (second: number): number => 100 + second;
  const SECONDS = 120;
  const isoAt = (second: number): string => new Date(WALL_MS + second * 1_000).toISOString();

  /** Two minutes with what the log says at some of the seconds; of five seconds from 50 on nothing is known. */
  async function keep(place: Place, said: Readonly<Record<number, string>>): Promise<void> {
    const subject = place.open();
    for (let second = 0; second < SECONDS; second += 1) {
      subject.wallMs = WALL_MS + second * 1_000;
      const isPartial = second >= 50 && second < 56;
      const requestRate = { status: 'partial', value: 1, why: 'one of two is silent' } as const;
      const signals = signalsOf(rateAt(second), isPartial ? { requestRate } : {});
      subject.journal.appendTick(tickOf({ atMs: subject.wallMs, signals }));
      const msg = said[second];
      if (msg !== undefined) {
        const fields = { cluster: 'news', tier: 'web' };
        subject.journal.appendEvent({ atMs: subject.wallMs, level: 'info', msg, fields });
      }
    }
    await subject.journal.events({ limit: 1 });
  }

  test.each<
    readonly [
      situation: string,
      said: Readonly<Record<number, string>>,
      from: number,
      storm: readonly [number, number],
    ]
  >([
    [
      'of two the later one, and of what lies around it the part without a gap',
      {
        10: STORM_MESSAGES.begins,
        30: STORM_MESSAGES.ends,
        70: STORM_MESSAGES.begins,
        90: STORM_MESSAGES.ends,
      },
      56,
      [70, 90],
    ],
    [
      'of a storm that a gap cuts in two the longer part',
      { 20: STORM_MESSAGES.begins, 60: STORM_MESSAGES.ends },
      0,
      [20, 60],
    ],
  ])('is taken as the journal has it: %s', async (_, said, from, [began, ended]) => {
    await using place = new Place();
    await keep(place, said);
    const files = { 'site.yaml': `${SITE}journal: { path: ${place.path} }\n` };
    const { code, stdout, stderr } = await run(files, '--json');
    const { arrivals } = Run.parse(JSON.parse(stdout));
    const until = from === 0 ? 49 : SECONDS - 1;
    expect([code, stderr]).toEqual([
      0,
      `the last storm of news/web was between ${isoAt(began)} and ${isoAt(ended)}; this is what ${place.path} holds from ${isoAt(from)} to ${isoAt(until)}\n`,
    ]);
    // A sample says what came since the one before.
    expect(arrivals).toEqual(
      Array.from({ length: until - from }, (__, second) => rateAt(from + second + 1)),
    );
  });

  test('--against has the other config live through the same storm, also while it lasts', async () => {
    await using place = new Place();
    await keep(place, { 70: STORM_MESSAGES.begins });
    const old = edit(SITE, 'targetPerNode: 80', 'targetPerNode: 40');
    const args = ['--journal', place.path, '--against', 'old.yaml', '--json'];
    const { code, stdout } = await run({ 'old.yaml': old }, ...args);
    expect(code).toBe(0);
    const both: unknown = JSON.parse(stdout);
    const { against, ...one } = z.looseObject({ against: Run }).parse(both);
    expect(against.arrivals).toEqual(Run.parse(one).arrivals);
    expect(against.score.nodeSeconds).toBeGreaterThan(Run.parse(one).score.nodeSeconds * 1.3);
  });

  test('is when it was: the schedules of the config hold as they did then', async () => {
    await using place = new Place();
    await keep(place, { 70: STORM_MESSAGES.begins, 90: STORM_MESSAGES.ends });
    // A whole minute by the wall clock, within what lies behind the gap.
    const begins = 100;
    const minute = new Date(WALL_MS + begins * 1_000).getUTCMinutes();
    const schedule = `{ cron: "${minute} * * * *", duration: 1m, timeZone: UTC, nodes: { min: 30 } }`;
    const files = { 'site.yaml': `${SITE}        schedules: [${schedule}]\n` };
    const { stdout, stderr } = await run(files, '--journal', place.path, '--json');
    expect(stderr).not.toContain('left out');
    const { schedules } = z
      .looseObject({ schedules: z.array(z.looseObject({ fromSecond: z.int() })) })
      .parse(JSON.parse(stdout));
    expect(schedules[0]?.fromSecond).toBe(begins - 56);
  });

  test('is asked of a Prometheus, which has it to the minute', async () => {
    const tier = '{cluster="news",tier="web"}';
    await using prometheus = await ScrapedPages.start((scrape) => {
      const isStorm = scrape > 4 && scrape <= 8;
      return `rackfire_request_rate_rps${tier} ${rateAt(scrape)}\nrackfire_storm${tier} ${isStorm ? 1 : 0}\nrackfire_storm{cluster="sports",tier="web"} 0\n`;
    });
    await prometheus.scraped(12);
    const args = ['--prometheus', prometheus.url, '--step', '1s', '--json'];
    const { code, stdout, stderr } = await run({}, ...args);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining(`this is what ${prometheus.url} holds from`),
    ]);
    const { arrivals } = Run.parse(JSON.parse(stdout));
    // A busy machine may let scrapes fail; of what is left between two, each second is a Poisson count.
    const seconds = arrivals.length;
    const mean = arrivals.reduce((sum, one) => sum + one, 0) / seconds;
    const chance = 4 * Math.sqrt(rateAt(12) / seconds);
    expect(mean).toBeGreaterThan(rateAt(1) - chance);
    expect(mean).toBeLessThan(rateAt(12) + chance);
    const other = await run(
      { 'other.yaml': edit(SITE, '- name: news', '- name: sports') },
      '-c',
      'other.yaml',
      ...args,
    );
    expect([other.code, other.stdout]).toEqual([78, '']);
    expect(other.stderr).toContain(`${prometheus.url} holds no storm of sports/web: name a load`);
  }, 60_000);

  test.each([
    ['there was none', {}, 'news'],
    ['there was one of another tier', { 70: STORM_MESSAGES.begins }, 'sports'],
  ])('is missed with what to do where %s', async (_, said, cluster) => {
    await using place = new Place();
    await keep(place, said);
    const files = { 'site.yaml': edit(SITE, '- name: news', `- name: ${cluster}`) };
    const { code, stdout, stderr } = await run(files, '--journal', place.path);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain(
      `${place.path} holds no storm of ${cluster}/web: name a load (--trace FILE), or take all that there was (rackfire backtest)`,
    );
  });
});

describe.each<readonly [situation: string, args: readonly string[], code: number, says: string]>([
  [
    'no trace, and no journal',
    ['--journal', '/nowhere/journal.db'],
    78,
    'the journal /nowhere/journal.db cannot be read: there is no such file, or it is empty: without --trace FILE, the last storm there is the load',
  ],
  ['two loads', ['--trace', 'bad.csv', '--journal', 'x'], 2, 'cannot be used with'],
  [
    'a begin of the last storm',
    ['--journal', 'x', '--from', '08:00'],
    2,
    '--from says when the load of --trace FILE begins',
  ],
  ['a query without a place', ['--query', 'x'], 2, 'say --prometheus URL'],
  ['a trace that is not there', ['--trace', 'none.csv'], 78, 'none.csv cannot be read'],
  ['a row that is no number', ['--trace', 'bad.csv'], 78, 'bad.csv: line 3: expected two numbers'],
  [
    'a gap of years, as a typing error makes it',
    ['--trace', 'years.csv'],
    78,
    'years.csv: expected at most 100 days, found 23149: the longest row is in line 2',
  ],
  [
    'more on standby than there may be nodes',
    ['--trace', 'trace.csv', '--standby', 'paused=99'],
    2,
    '99 on standby beside 2 in service are more than nodes.max (100)',
  ],
  ['a plot of another kind', ['--trace', 'trace.csv', '--plot', 'x.png'], 2, 'ends in .svg'],
  ['a boot delay of nothing known', ['--trace', 'trace.csv', '--boot-delay', '45'], 2, '30s or 5m'],
  ['standby without a state', ['--trace', 'trace.csv', '--standby', '2'], 2, 'paused=2'],
  ['a seed that is no number', ['--trace', 'trace.csv', '--seed', 'x'], 2, 'whole number'],
])('%s', (_, args, code, says) => {
  test('is refused with what was expected', async () => {
    const refused = await run(WRONG_TRACES, ...args);
    expect(refused.code).toBe(code);
    expect(refused.stderr).toContain(says);
    expect(refused.stdout).toBe('');
  });
});
