/** `rackfire backtest` as a process, on what a real Prometheus has scraped, and on a journal that is in use. */

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { MOST_POINTS } from '../../src/signals/prometheus-history.ts';
import { edit } from '../config/minimal.ts';
import { signalsOf } from '../scaler/world.ts';
import { ScrapedPages } from '../signals/scraped-pages.ts';
import { SITE } from '../sim/lab.ts';
import { Place, type Subject, tickOf, WALL_MS } from '../store/rig.ts';
import { Folder, rackfire } from './rackfire.ts';

const Figures = z.strictObject({
  requests: z.number(),
  dropped: z.number(),
  late: z.number(),
  underProvisionedMinutes: z.number(),
  nodeHours: z.number(),
  optimumNodeHours: z.number(),
  changes: z.int(),
  flaps: z.int(),
  boots: z.int(),
  J: z.number(),
});
const Span = z.strictObject({ from: z.iso.datetime(), to: z.iso.datetime() });
const Backtest = z.strictObject({
  source: z.union([
    z.strictObject({ prometheus: z.string(), query: z.string(), stepSeconds: z.number() }),
    z.strictObject({ journal: z.string() }),
  ]),
  ...Span.shape,
  seconds: z.int(),
  gaps: z.array(Span),
  tier: z.literal('news/web'),
  bootDelaySeconds: z.number(),
  seed: z.int(),
  figures: Figures,
  against: Figures.optional(),
  worse: z.array(z.enum(['dropped', 'J'])).optional(),
});

/** Ten times the nodes that the traffic of these tests needs. */
const LAVISH = edit(SITE, 'min: 2', 'min: 20');

async function run(files: Readonly<Record<string, string>>, ...args: readonly string[]) {
  await using folder = await Folder.create({ 'site.yaml': SITE, 'lavish.yaml': LAVISH, ...files });
  const paths = args.map((arg) => (/^[^/]*\.(?:yaml|svg)$/.test(arg) ? folder.file(arg) : arg));
  const outcome = await rackfire('backtest', ...paths);
  const svg = await readFile(folder.file('run.svg'), 'utf8').catch(() => undefined);
  return { ...outcome, svg, stderr: outcome.stderr.replaceAll(`${folder.path}/`, '') };
}

function secondsOf({ from, to }: z.output<typeof Span>): number {
  return (Date.parse(to) - Date.parse(from)) / 1_000;
}

describe('on a real Prometheus', () => {
  const SCRAPES = 24;
  /** These fail. */
  const FIRST_MISSING = 10;
  const LAST_MISSING = 13;

  let prometheus: ScrapedPages;
  let range: readonly string[] = [];

  /** 120 to 144 requests per second, and their count. */
  function pageOf(scrape: number): string | undefined {
    if (scrape >= FIRST_MISSING && scrape <= LAST_MISSING) {
      return undefined;
    }
    const rps = 120 + scrape;
    const told = 'rackfire_request_rate_rps{cluster="news",tier="web"';
    // They have just begun, and do not know it yet.
    const known = scrape > 3 ? rps : Number.NaN;
    return [
      `site_rps ${rps}`,
      `site_node_rps{node="a"} ${rps / 2}`,
      `site_node_rps{node="b"} ${rps / 2}`,
      `site_requests_total ${120 * scrape + (scrape * (scrape + 1)) / 2}`,
      `${told},replica="leader"} ${known}`,
      `${told},replica="follower"} ${known - 1}\n`,
    ].join('\n');
  }

  beforeAll(async () => {
    prometheus = await ScrapedPages.start(pageOf);
    const fromMs = await prometheus.scraped(1);
    const untilMs = await prometheus.scraped(SCRAPES);
    range = [
      '--prometheus',
      prometheus.url,
      '--step',
      '1s',
      '--from',
      new Date(fromMs).toISOString(),
      '--to',
      new Date(untilMs).toISOString(),
    ];
    // 30 s of it are Prometheus' own pace.
  }, 120_000);

  afterAll(async () => {
    await prometheus[Symbol.asyncDispose]();
  });

  /** A machine that is busy may let another scrape fail. */
  function expectHistory({ seconds, gaps, figures }: z.output<typeof Backtest>): void {
    // From the last value before the four that are missing to the first one after them.
    expect(Math.max(...gaps.map(secondsOf))).toBeGreaterThanOrEqual(4);
    expect(seconds).toBeGreaterThanOrEqual(10);
    // Poisson counts of 2,500 differ by 2 % from their mean, and the ends are not weighed evenly.
    expect(Math.abs(figures.requests / seconds / 132 - 1)).toBeLessThan(0.1);
  }

  test.each([
    ['a gauge', 'site_rps'],
    ['a sum of several series', 'sum(site_node_rps)'],
  ])(
    '--json prints one object with the figures, and what was not recorded is a gap: %s',
    async (_, query) => {
      const args = ['-c', 'site.yaml', ...range, '--query', query, '--json'];
      const { code, stdout, stderr } = await run({}, ...args);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout.trimEnd()).not.toContain('\n');
      const one = Backtest.parse(JSON.parse(stdout));
      expect(one.source).toEqual({ prometheus: prometheus.url, query, stepSeconds: 1 });
      expectHistory(one);
      expect(one.figures.optimumNodeHours).toBeCloseTo((2 * one.seconds) / 3_600, 6);
      expect((await run({}, ...args)).stdout).toBe(stdout);
    },
  );

  test('a counter is read by its rate', async () => {
    const query = 'rate(site_requests_total[3s])';
    const { code, stdout } = await run({}, '-c', 'site.yaml', ...range, '--query', query, '--json');
    expect(code).toBe(0);
    const { figures, seconds } = Backtest.parse(JSON.parse(stdout));
    expect(Math.abs(figures.requests / seconds / 132 - 1)).toBeLessThan(0.1);
  });

  test('without a query, what Rackfire itself told Prometheus is taken, of several Rackfires once', async () => {
    const { code, stdout } = await run({}, '-c', 'site.yaml', ...range, '--json');
    expect(code).toBe(0);
    const one = Backtest.parse(JSON.parse(stdout));
    expect(one.source).toMatchObject({
      query: 'max(rackfire_request_rate_rps{cluster="news",tier="web"} >= 0)',
    });
    expectHistory(one);
  });

  test('for a person: what there was, the nodes over time, figures, and a picture', async () => {
    const args = ['-c', 'site.yaml', ...range, '--query', 'site_rps', '--plot', 'run.svg'];
    const { code, stdout, stderr, svg } = await run({}, ...args);
    expect([code, stderr]).toEqual([0, '']);
    // 18 of them, and one more for each that a busy Prometheus leaves out: until the next one the last value holds.
    expect(stdout).toMatch(
      /^news\/web, 0 min [1-5]\d s of recorded traffic from \S+, boots of \d+s \(--boot-delay\)$/m,
    );
    expect(stdout).toMatch(
      /^\d gaps? left out, 0 min \d+ s in all; the longest is 0 min \d+ s from \S+$/m,
    );
    expect(stdout).toContain('• requests per second');
    expect(stdout).toMatch(/^short of nodes +0\.0 min$/m);
    expect(stdout).toMatch(/^J \(1 is perfect foresight\) +1\.\d{3}$/m);
    expect(svg).toMatch(/^<svg [^]*news\/web on recorded history[^]*<\/svg>\n$/);
  });

  test('--against tells the worse config of two by exit code 1, the other way round by 0', async () => {
    const load = [...range, '--query', 'site_rps'];
    const [worse, better] = await Promise.all([
      run({}, '-c', 'lavish.yaml', '--against', 'site.yaml', ...load),
      run({}, '-c', 'site.yaml', '--against', 'lavish.yaml', ...load, '--json'),
    ]);
    expect([worse.code, worse.stderr]).toEqual([1, '']);
    expect(worse.stdout).toMatch(/^ +\S+site\.yaml +\S+lavish\.yaml$/m);
    expect(worse.stdout).toMatch(/lavish\.yaml is worse than \S+site\.yaml: it costs more \(J\)$/m);
    expect(better.code).toBe(0);
    const both = Backtest.parse(JSON.parse(better.stdout));
    expect(both.worse).toEqual([]);
    expect(both.against?.nodeHours).toBeGreaterThan(both.figures.nodeHours * 8);
    expect(both.against?.requests).toBe(both.figures.requests);
  });

  test('more values than Prometheus gives at once are read in parts', async () => {
    const [, , , , , , , until = ''] = range;
    const untilSeconds = Math.floor(Date.parse(until) / 1_000);
    const hours = 4;
    const params = new URLSearchParams({
      query: 'site_rps',
      start: String(untilSeconds - hours * 3_600),
      end: String(untilSeconds),
      step: '1',
    });
    const whole = await fetch(`${prometheus.url}/api/v1/query_range?${params.toString()}`);
    expect(hours * 3_600).toBeGreaterThan(MOST_POINTS);
    expect([whole.status, await whole.text()]).toEqual([
      400,
      expect.stringContaining('exceeded maximum resolution of 11,000 points'),
    ]);

    const from = new Date((untilSeconds - hours * 3_600) * 1_000).toISOString();
    const args = range.with(5, from);
    const { code, stdout } = await run(
      {},
      '-c',
      'site.yaml',
      ...args,
      '--query',
      'site_rps',
      '--json',
    );
    expect(code).toBe(0);
    const { gaps, seconds } = Backtest.parse(JSON.parse(stdout));
    expect(gaps.length).toBeGreaterThanOrEqual(2);
    expect(secondsOf(gaps[0]!)).toBeGreaterThan(hours * 3_600 - 60);
    expect(seconds).toBeGreaterThanOrEqual(10);
  });

  test.each<readonly [situation: string, query: string, says: string]>([
    ['a metric that is not there', 'site_rsp', 'the query "site_rsp" gives no series from 20'],
    ['several series', 'site_node_rps', 'node="a"} and site_node_rps{instance='],
    ['no number', 'site_rps / 0 * 0', 'gives "NaN" at 20'],
    ['a count', 'site_requests_total', 'site_requests_total is a counter by its name'],
    ['a sum of counts', 'sum(site_requests_total)', 'such as sum(rate(METRIC[1m]))'],
    ['no PromQL', 'rate(site_rps', 'Prometheus refuses the query "rate(site_rps" (400 bad_data: '],
    ['a text', '"x"', 'Prometheus refuses the query'],
  ])('%s is refused with what was expected', async (_, query, says) => {
    const { code, stdout, stderr } = await run({}, '-c', 'site.yaml', ...range, '--query', query);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain(says);
  });

  test('a time that it does not keep is told', async () => {
    const span = ['--from', '2020-01-01T00:00:00Z', '--to', '2020-01-02T00:00:00Z'];
    const place = ['--prometheus', prometheus.url, '--query', 'site_rps'];
    const { code, stderr } = await run({}, '-c', 'site.yaml', ...place, ...span);
    expect(code).toBe(78);
    expect(stderr).toContain('does it keep that time still');
  });
});

describe('on the journal of a service that runs', () => {
  const SECONDS = 120;
  const PARTIAL = { status: 'partial', value: 120, why: 'one of two is silent' } as const;

  /** Two minutes of 240 requests per second; ten seconds in the middle are not known for sure. */
  async function keep(subject: Subject): Promise<void> {
    for (let second = 0; second < SECONDS; second += 1) {
      subject.wallMs = WALL_MS + second * 1_000;
      const isPartial = second >= 60 && second < 70;
      const signals = signalsOf(240, isPartial ? { requestRate: PARTIAL } : {});
      subject.journal.appendTick(tickOf({ atMs: subject.wallMs, signals }));
    }
    await subject.journal.events({ limit: 1 });
  }

  const span = [
    '--from',
    new Date(WALL_MS).toISOString(),
    '--to',
    new Date(WALL_MS + SECONDS * 1_000).toISOString(),
  ];

  test('what came is taken as it came, without what was not known', async () => {
    await using place = new Place();
    const subject = place.open();
    await keep(subject);
    const files = { 'site.yaml': `${SITE}journal: { path: ${place.path} }\n` };
    const [own, named] = await Promise.all([
      run(files, '-c', 'site.yaml', ...span, '--json'),
      run({}, '-c', 'site.yaml', '--journal', place.path, ...span, '--json'),
    ]);
    expect([own.code, own.stderr]).toEqual([0, '']);
    expect(named.stdout).toBe(own.stdout);
    const one = Backtest.parse(JSON.parse(own.stdout));
    expect(one.source).toEqual({ journal: place.path });
    expect(one.seconds).toBe(59 + 49);
    expect(one.figures.requests).toBe(240 * one.seconds);
    expect(one.gaps.map(secondsOf)).toEqual([11]);
    expect(subject.journal.health.state).toBe('writing');
  });

  test.each<readonly [situation: string, args: readonly string[], says: string]>([
    ['there is no journal', ['--journal', '/nowhere/journal.db'], 'there is no such file'],
    ['something else is there', ['--journal', '/etc/passwd'], 'it is no database'],
  ])('%s: that is said', async (_, args, says) => {
    const { code, stdout, stderr } = await run({}, '-c', 'site.yaml', ...args, ...span);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain(`the journal ${args[1]} cannot be read: `);
    expect(stderr).toContain(says);
  });

  test('it holds nothing of that tier, or of that time: that is said', async () => {
    await using place = new Place();
    await keep(place.open());
    const files = { 'other.yaml': edit(SITE, '      web:', '      api:') };
    const other = await run(files, '-c', 'other.yaml', '--journal', place.path, ...span);
    expect([other.code, other.stdout]).toEqual([78, '']);
    expect(other.stderr).toContain('holds no traffic of news/api from 2026-');
    const past = ['--from', '2020-01-01T00:00:00Z', '--to', '2020-01-02T00:00:00Z'];
    const before = await run({}, '-c', 'site.yaml', '--journal', place.path, ...past);
    expect(before.code).toBe(78);
    expect(before.stderr).toContain('holds no traffic of news/web from 2020-01-01');
  });
});

test.each<readonly [situation: string, args: readonly string[], code: number, says: string]>([
  ['a query without a place', ['--query', 'x'], 2, 'say --prometheus URL'],
  [
    'two places',
    ['--prometheus', 'http://127.0.0.1:1', '--journal', 'x'],
    2,
    'cannot be used with',
  ],
  ['a step below a second', ['--step', '500ms'], 2, 'whole seconds, from 1s to 5m'],
  ['a step of nothing known', ['--step', '15'], 2, '30s or 5m'],
  [
    'an end before the begin',
    ['--from', '1h', '--to', '2h'],
    2,
    '--from has to be at least 45s before',
  ],
  ['too long', ['--from', '32d'], 2, 'more than 31 days'],
  ['no time', ['--from', 'yesterday'], 2, 'Expected a time'],
  ['nobody there', ['--prometheus', 'http://127.0.0.1:1'], 69, 'nobody listens there'],
])('is refused with what was expected: %s', async (_, args, code, says) => {
  const refused = await run({}, '-c', 'site.yaml', ...args);
  expect([refused.code, refused.stdout]).toEqual([code, '']);
  expect(refused.stderr).toContain(says);
});
