import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { compareConfigs, ConfigKeeper, type ReloadResult } from '../../src/config/config-keeper.ts';
import { type LoadedConfig, loadConfig, parseConfig } from '../../src/config/load-config.ts';
import { ConfigError } from '../../src/control/errors.ts';
import { TestClock } from '../control/test-clock.ts';
import { edit, minimal, withRootLines } from './minimal.ts';

const fewer = edit(minimal, 'max: 12', 'max: 9');
const fewest = edit(minimal, 'max: 12', 'max: 5');
/** In line 16 the maximum is below the minimum. */
const bad = edit(minimal, 'max: 12', 'max: 1');

const shop = `  - name: shop
    tiers:
      web:
        image: drupal-web
        size: small
        nodes: { min: 1, max: 2 }
        addresses: 127.0.2.20-127.0.2.29
        backend: shop-web
        signals: { requestRate: { targetPerNode: 10 } }
`;
const withShop = edit(minimal, 'clusters:\n', `clusters:\n${shop}`);

/** A file on disk and who keeps it. `await using desk = await openDesk()`. */
class Desk implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly applied: LoadedConfig[] = [];
  readonly results: ReloadResult[] = [];
  readonly file: string;
  readonly keeper: ConfigKeeper;
  /** Thrown by whoever is told to apply a config. */
  fault: Error | undefined;
  readonly #folder: string;
  readonly #stop = new AbortController();
  #watching = Promise.resolve();

  constructor(folder: string, file: string, loaded: LoadedConfig) {
    this.#folder = folder;
    this.file = file;
    this.keeper = new ConfigKeeper({
      file,
      loaded,
      apply: (next) => {
        if (this.fault !== undefined) {
          throw this.fault;
        }
        this.applied.push(next);
      },
      onReload: (result) => this.results.push(result),
      clock: this.clock,
    });
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  async write(content: string | Uint8Array): Promise<void> {
    await writeFile(this.file, content);
  }

  /** Begins to watch and lets two looks pass: the file is what is in force. */
  async watch(): Promise<void> {
    this.#watching = this.keeper.watch(this.#stop.signal);
    await this.#looked();
    await this.look();
    expect(this.results.splice(0)).toEqual([{ outcome: 'unchanged' }]);
  }

  /** Lets so many looks pass. */
  async look(times = 1): Promise<void> {
    for (let done = 0; done < times; done += 1) {
      await this.clock.step(1_000);
      await this.#looked();
    }
  }

  get outcomes(): readonly string[] {
    return this.results.map(({ outcome }) => outcome);
  }

  get maxNodes(): number | undefined {
    const [tier] = this.keeper.current.config.clusters[0]?.tiers ?? [];
    return tier?.scaling === 'automatic' ? tier.policy.maxNodes : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await rm(this.#folder, { recursive: true });
  }

  /** The look is over when the watcher sleeps again. */
  async #looked(): Promise<void> {
    await vi.waitFor(() => expect(this.clock.sleepers).toBe(1), { timeout: 10_000, interval: 1 });
  }
}

async function openDesk(): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), 'rackfire-keeper-'));
  const file = join(folder, 'site.yaml');
  await writeFile(file, minimal);
  return new Desk(folder, file, await loadConfig(file));
}

async function openWatched(): Promise<Desk> {
  const desk = await openDesk();
  await desk.watch();
  return desk;
}

describe('a reload', () => {
  test('puts a changed file in force and says each value that differs', async () => {
    await using desk = await openDesk();
    const { clock, keeper } = desk;
    await clock.step(5_000);
    await desk.write(fewer);
    const result = await keeper.reload();
    expect(result).toEqual({
      outcome: 'applied',
      changes: [{ path: 'clusters.news.tiers.web.nodes.max', from: '12', to: '9' }],
      atNextStart: [],
    });
    expect(desk.results).toEqual([result]);
    expect(desk.applied).toEqual([keeper.current]);
    expect(desk.maxNodes).toBe(9);
    expect(keeper.loadedAtMs).toBe(clock.wallMs());
  });

  test.each([
    ['the same file', minimal],
    ['other comments', `# of today\n${minimal}`],
    ['defaults that are written down', withRootLines('limits: { maxNodes: 200 }')],
  ])('of %s is unchanged, and nothing is put in force', async (_, text) => {
    await using desk = await openDesk();
    const { clock, keeper } = desk;
    const loadedAtMs = clock.wallMs();
    await clock.step(5_000);
    await desk.write(text);
    expect(await keeper.reload()).toEqual({ outcome: 'unchanged' });
    expect(desk.applied).toEqual([]);
    expect(keeper.loadedAtMs).toBe(loadedAtMs);
  });

  test('of a bad file changes nothing and says what is wrong, with line and column', async () => {
    await using desk = await openDesk();
    const { clock, file, keeper } = desk;
    const { current } = keeper;
    await desk.write(bad);
    const result = await keeper.reload();
    const problem = {
      file,
      line: 16,
      column: 31,
      path: 'clusters[0].tiers.web.nodes.max',
      message: 'must be at least `min` (2), got 1',
    };
    expect(result).toEqual({
      outcome: 'refused',
      refusal: {
        atMs: clock.wallMs(),
        message: `${file}:16:31 ${problem.path}: ${problem.message}`,
        problems: [problem],
      },
    });
    expect(desk.results).toEqual([result]);
    expect(keeper.refusal).toEqual(result.outcome === 'refused' ? result.refusal : 'nothing');
    expect(keeper.current).toBe(current);
    expect(desk.applied).toEqual([]);
  });

  test('of another installation is refused where it is written: that is another service', async () => {
    await using desk = await openDesk();
    await desk.write(edit(fewer, 'installation: example', 'installation:   another'));
    const result = await desk.keeper.reload();
    expect(result).toMatchObject({
      outcome: 'refused',
      refusal: { problems: [{ line: 1, column: 17, path: 'installation' }] },
    });
    expect(desk.keeper.refusal?.message).toContain('must stay `example`');
    expect(desk.keeper.current.config.installation).toBe('example');
    expect([desk.applied, desk.maxNodes]).toEqual([[], 12]);
  });

  test('names what takes effect only at the next start', async () => {
    await using desk = await openDesk();
    const lines = [
      'http: { listen: "127.0.0.1:9600" }',
      'journal: { retention: 7d }',
      'leadership: { path: /run/other }',
      'limits: { maxNodes: 50 }',
    ];
    await desk.write(withRootLines(lines.join('\n')));
    const result = await desk.keeper.reload();
    expect(result).toMatchObject({
      outcome: 'applied',
      changes: [
        { path: 'limits.maxNodes', from: '200', to: '50' },
        { path: 'leadership.path' },
        { path: 'journal.retention', from: '30d', to: '7d' },
        { path: 'http.listen' },
      ],
      atNextStart: ['leadership.path', 'journal.retention', 'http.listen'],
    });
  });

  test.each([
    ['cannot be used', new ConfigError('no such backend')],
    ['meets a defect', new TypeError('no such backend')],
  ])('whose config %s is refused, and the next one is not', async (_, fault) => {
    await using desk = await openDesk();
    desk.fault = fault;
    await desk.write(fewer);
    expect(await desk.keeper.reload()).toMatchObject({
      outcome: 'refused',
      refusal: { message: 'no such backend', problems: [] },
    });
    expect(desk.keeper.refusal?.message).toBe('no such backend');
    expect(desk.maxNodes).toBe(12);

    desk.fault = undefined;
    await desk.write(fewest);
    expect(await desk.keeper.reload()).toMatchObject({ outcome: 'applied' });
    expect([desk.keeper.refusal, desk.maxNodes]).toEqual([undefined, 5]);
  });

  test.each([
    ['applied', fewer],
    ['unchanged', minimal],
  ])('of a good file after a bad one clears the refusal (%s)', async (outcome, text) => {
    await using desk = await openDesk();
    await desk.write(bad);
    await desk.keeper.reload();
    expect(desk.keeper.refusal).toBeDefined();
    await desk.write(text);
    expect(await desk.keeper.reload()).toMatchObject({ outcome });
    expect(desk.keeper.refusal).toBeUndefined();
  });
});

describe('a file that cannot be read is refused once, and the last good one stays', () => {
  test.each<[string, (desk: Desk) => Promise<void>, RegExp]>([
    ['deleted', (desk) => rm(desk.file), /^cannot read the config file .*ENOENT/],
    [
      'a folder',
      async (desk) => {
        await rm(desk.file);
        await mkdir(desk.file);
      },
      /: it is not a regular file$/,
    ],
    [
      'a link to nothing',
      async (desk) => {
        await rm(desk.file);
        await symlink(desk.path('nothing.yaml'), desk.file);
      },
      /^cannot read the config file .*ENOENT/,
    ],
    ['no text', (desk) => desk.write(Uint8Array.of(0x61, 0xff)), /is not UTF-8 text$/],
    ['endless', (desk) => desk.write('#'.repeat(1_048_577)), /is larger than 1 MiB$/],
  ])('%s', async (_, spoil, message) => {
    await using desk = await openWatched();
    await spoil(desk);
    await desk.look(5);
    expect(desk.outcomes).toEqual(['refused']);
    expect(desk.keeper.refusal?.message).toMatch(message);
    expect(desk.keeper.refusal?.problems).toEqual([]);
    expect([desk.applied, desk.maxNodes]).toEqual([[], 12]);

    await rm(desk.file, { recursive: true, force: true });
    await desk.write(minimal);
    await desk.look(2);
    expect(desk.outcomes).toEqual(['refused', 'unchanged']);
    expect(desk.keeper.refusal).toBeUndefined();
  });
});

describe('a watched file', () => {
  test('is taken when it has changed and stays so for one look', async () => {
    await using desk = await openWatched();
    await desk.write(fewer);
    await desk.look();
    expect(desk.results).toEqual([]);
    await desk.look();
    expect(desk.outcomes).toEqual(['applied']);
    expect(desk.maxNodes).toBe(9);
    await desk.look(5);
    expect(desk.results).toHaveLength(1);
  });

  test('that is half-written is not taken, though what is there could be', async () => {
    await using desk = await openWatched();
    await desk.write(withShop);
    await desk.look(2);
    expect(desk.keeper.current.config.clusters).toHaveLength(2);
    desk.results.length = 0;

    // Cut after the first cluster: the other one would be taken for removed.
    const half = withShop.slice(0, withShop.indexOf('  - name: news'));
    expect(parseConfig(half, 'half.yaml').config.clusters).toHaveLength(1);
    await desk.write(half);
    await desk.look();
    await desk.write(withShop.replace('max: 2 ', 'max: 3 '));
    await desk.look(2);
    expect(desk.results).toMatchObject([
      {
        outcome: 'applied',
        changes: [{ path: 'clusters.shop.tiers.web.nodes.max', from: '2', to: '3' }],
      },
    ]);
  });

  test('that looks different each time is waited for', async () => {
    await using desk = await openWatched();
    for (const max of [3, 4, 5, 6, 7]) {
      await desk.write(edit(minimal, 'max: 12', `max: ${max}`));
      await desk.look();
    }
    expect(desk.results).toEqual([]);
    await desk.look();
    expect([desk.outcomes, desk.maxNodes]).toEqual([['applied'], 7]);
  });

  test('that is bad is said once; another mistake is said, too, and then that it is good', async () => {
    await using desk = await openWatched();
    await desk.write(bad);
    await desk.look(10);
    expect(desk.outcomes).toEqual(['refused']);
    await desk.write('clusters: [');
    await desk.look(10);
    expect(desk.outcomes).toEqual(['refused', 'refused']);
    await desk.write(fewer);
    await desk.look(10);
    expect(desk.outcomes).toEqual(['refused', 'refused', 'applied']);
    expect([desk.keeper.refusal, desk.maxNodes]).toEqual([undefined, 9]);
  });

  test.each([
    ['bad', (desk: Desk) => desk.write(bad)],
    ['deleted', (desk: Desk) => rm(desk.file)],
  ])('that is %s and was reloaded by hand is not said again', async (_, spoil) => {
    await using desk = await openWatched();
    await spoil(desk);
    await desk.keeper.reload();
    await desk.look(5);
    expect(desk.outcomes).toEqual(['refused']);
  });

  test('that is a mistake taken back is what was in force all along', async () => {
    await using desk = await openWatched();
    await desk.write(bad);
    await desk.look(2);
    await desk.write(minimal);
    await desk.look(2);
    expect(desk.outcomes).toEqual(['refused', 'unchanged']);
    expect([desk.applied, desk.keeper.refusal]).toEqual([[], undefined]);
  });

  test('that becomes a link is followed, also when the link is switched', async () => {
    await using desk = await openWatched();
    await writeFile(desk.path('one.yaml'), fewer);
    await writeFile(desk.path('two.yaml'), fewest);
    const link = async (name: string): Promise<void> => {
      await symlink(desk.path(name), desk.path('new'));
      await rename(desk.path('new'), desk.file);
    };
    await link('one.yaml');
    await desk.look(2);
    expect(desk.maxNodes).toBe(9);
    await link('two.yaml');
    await desk.look(2);
    expect(desk.maxNodes).toBe(5);
    expect(desk.outcomes).toEqual(['applied', 'applied']);
  });

  test('that changed between the start and the first look is not missed', async () => {
    await using desk = await openDesk();
    await desk.write(fewer);
    const stop = new AbortController();
    const watching = desk.keeper.watch(stop.signal);
    const asleep = { timeout: 10_000, interval: 1 };
    await vi.waitFor(() => expect(desk.clock.sleepers).toBe(1), asleep);
    await desk.look();
    expect(desk.outcomes).toEqual(['applied']);
    stop.abort();
    await watching;
    expect(desk.clock.sleepers).toBe(0);
  });

  test('is watched on after a config that could not be put in force', async () => {
    await using desk = await openWatched();
    desk.fault = new TypeError('a defect');
    await desk.write(fewer);
    await desk.look(5);
    expect(desk.outcomes).toEqual(['refused']);
    desk.fault = undefined;
    await desk.write(fewest);
    await desk.look(2);
    expect([desk.outcomes, desk.maxNodes]).toEqual([['refused', 'applied'], 5]);
  });
});

describe('what differs', () => {
  const compare = (from: string, to: string): readonly string[] =>
    compareConfigs(parseConfig(from, 'a.yaml'), parseConfig(to, 'b.yaml')).map(
      ({ path, from: before = 'nothing', to: after = 'nothing' }) =>
        `${path}: ${before} → ${after}`,
    );

  const withPolicies = (policies: string): string =>
    edit(
      minimal,
      '        backend: news-web\n',
      `        backend: news-web\n        scaleOut: { policies: [${policies}] }\n`,
    );

  test('is nothing when nothing does', () => {
    expect(compare(withShop, withShop)).toEqual([]);
  });

  test('goes by names: one more cluster at the top is that one alone, and so is its removal', () => {
    const added = compare(minimal, withShop);
    expect(added).toContain('clusters.shop.name: nothing → shop');
    expect(added).toContain('clusters.shop.tiers.web.backend: nothing → shop-web');
    expect(added.filter((change) => !change.startsWith('clusters.shop.'))).toEqual([]);
    const removed = compare(withShop, minimal);
    expect(removed).toContain('clusters.shop.name: shop → nothing');
    expect(removed.filter((change) => !change.startsWith('clusters.shop.'))).toEqual([]);
  });

  test('is nothing when clusters only change places', () => {
    const other = `${minimal}${shop}`;
    expect(compare(withShop, other)).toEqual([]);
  });

  test('goes by names for hosts and balancers, too', () => {
    const hostB =
      '  - { name: local-b, driver: embedded, capacity: { memory: 1GiB, vcpus: 8, disk: 100GiB } }\n';
    const two = edit(minimal, 'hosts:\n', `hosts:\n${hostB}`);
    expect(compare(two, edit(two, 'memory: 8GiB', 'memory: 9GiB'))).toEqual([
      'hosts.local-a.capacity.memory: 8GiB → 9GiB',
    ]);
    expect(compare(minimal, edit(minimal, '/run/haproxy.sock', '/run/other.sock'))).toEqual([
      'balancers.lb-a.socket: /run/haproxy.sock → /run/other.sock',
    ]);
  });

  test('is each value of a list that has become shorter', () => {
    const longer = withPolicies('{ percent: 100, per: 15s }, { nodes: 4, per: 15s }');
    const shorter = withPolicies('{ nodes: 4, per: 15s }');
    const path = 'clusters.news.tiers.web.scaleOut.policies';
    expect(compare(longer, shorter)).toEqual([
      `${path}[0].nodes: nothing → 4`,
      `${path}[0].percent: 100 → nothing`,
      `${path}[1].nodes: 4 → nothing`,
      `${path}[1].per: 15s → nothing`,
    ]);
  });

  test('is the entries alone where a list had none before, or has none any more', () => {
    const one = withPolicies('{ nodes: 4, per: 15s }');
    const path = 'clusters.news.tiers.web.scaleOut.policies';
    expect(compare(minimal, one)).toEqual([
      `${path}[0].nodes: nothing → 4`,
      `${path}[0].per: nothing → 15s`,
    ]);
    expect(compare(one, minimal)).toEqual([
      `${path}[0].nodes: 4 → nothing`,
      `${path}[0].per: 15s → nothing`,
    ]);
  });
});
