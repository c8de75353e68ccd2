import { expect, test } from 'vitest';
import { keepRemoved } from '../../src/config/removed-clusters.ts';
import type { Cluster, Mode, ScaledTier, Tier } from '../../src/scaler/cluster.ts';
import { makeFixedTier, makeTier } from '../control/site.ts';

/** A tier of its own: its addresses and its backend are those of no other. */
function tierOf(cluster: string, name: string, changes: Partial<ScaledTier> = {}): ScaledTier {
  return {
    ...makeTier({}, { name }),
    cluster,
    addresses: [`${cluster}-${name} 1`, `${cluster}-${name} 2`],
    backend: `${cluster}-${name}`,
    ...changes,
  };
}

function clusterOf(name: string, tiers: readonly Tier[], mode: Mode = 'full'): Cluster {
  return { name, mode, tiers };
}

const news = clusterOf('news', [tierOf('news', 'web')]);
const shop = clusterOf('shop', [tierOf('shop', 'web'), { ...makeFixedTier(), cluster: 'shop' }]);

function say(clusters: readonly Cluster[]): readonly string[] {
  return clusters.map(
    ({ name, mode, tiers }) => `${mode} ${name}: ${tiers.map((tier) => tier.name).join(' ')}`,
  );
}

test('a config that has them all is what it is', () => {
  const next = [clusterOf('news', [tierOf('news', 'web', { maxConnections: 7 })], 'observe'), shop];
  expect(keepRemoved([news, shop], next)).toEqual(next);
});

test('a cluster that is gone stays, behind the others, and is only observed', () => {
  expect(keepRemoved([shop, news], [news])).toEqual([news, { ...shop, mode: 'observe' }]);
});

test('a tier that is gone from a cluster stays alone', () => {
  const both = clusterOf('news', [tierOf('news', 'web'), tierOf('news', 'cache')]);
  expect(say(keepRemoved([both], [news]))).toEqual(['full news: web', 'observe news: cache']);
});

test('one that comes back is as it is written, and is there once', () => {
  const kept = keepRemoved([news, shop], [news]);
  expect(keepRemoved(kept, [news, shop])).toEqual([news, shop]);
});

test('removals add up over several reloads', () => {
  const blog = clusterOf('blog', [tierOf('blog', 'web')]);
  const kept = keepRemoved(keepRemoved([news, shop, blog], [news, shop]), [shop]);
  expect(say(kept)).toEqual(['full shop: web db', 'observe news: web', 'observe blog: web']);
  expect(keepRemoved(kept, [shop])).toEqual(kept);
});

test.each<[string, Partial<ScaledTier>]>([
  ['one of its addresses', { addresses: ['blog 1', 'news-web 2'] }],
  ['its backend', { backend: 'news-web' }],
])('a tier is not kept when another one has %s now', (_, changes) => {
  const next = [clusterOf('blog', [tierOf('blog', 'web', changes)])];
  expect(keepRemoved([news], next)).toEqual(next);
});

test('a tier is not kept when another one has its node names now', () => {
  const previous = [clusterOf('news-site', [tierOf('news-site', 'web')])];
  const elsewhere = { addresses: ['elsewhere'], backend: 'elsewhere' };
  const next = [clusterOf('news', [tierOf('news', 'site-web', elsewhere)])];
  expect(keepRemoved(previous, next)).toEqual(next);
});

test('of a cluster, only the tiers that another one took the place of are not kept', () => {
  const taken = tierOf('blog', 'web', { addresses: ['shop-web 1'] });
  const kept = keepRemoved([shop], [clusterOf('blog', [taken])]);
  expect(say(kept)).toEqual(['full blog: web', 'observe shop: db']);
});

test('a tier that is only watched goes by its addresses: it has no backend', () => {
  const database = clusterOf('shop', [{ ...makeFixedTier(), cluster: 'shop' }]);
  const other = clusterOf('blog', [
    { ...makeFixedTier(), cluster: 'blog', addresses: ['elsewhere'] },
  ]);
  expect(say(keepRemoved([database], [other]))).toEqual(['full blog: db', 'observe shop: db']);
  const moved = clusterOf('blog', [{ ...makeFixedTier(), cluster: 'blog' }]);
  expect(say(keepRemoved([database], [moved]))).toEqual(['full blog: db']);
});
