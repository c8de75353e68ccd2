import { expect, test } from 'vitest';
import { listEffective } from '../../src/config/effective.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { edit, minimal } from './minimal.ts';

function originsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    listEffective(parseConfig(text, 'site.yaml')).map(({ path, value, origin }) => [
      path,
      `${value} (${origin})`,
    ]),
  );
}

test('what the file says has its line, what it leaves out is a default, both as a person writes them', () => {
  const origins = originsOf(
    edit(minimal, 'backend: news-web', 'backend: news-web\n        drain: { deadline: 90s }'),
  );
  expect(Object.fromEntries(origins)).toMatchObject({
    installation: 'example (site.yaml:1)',
    'hosts[0].capacity.memory': '8GiB (site.yaml:3)',
    'hosts[0].embedded.bootDelay': '5s (default)',
    'sizes.small.vcpus': '1 (site.yaml:7)',
    'images.drupal-web.version': '1 (site.yaml:9)',
    'clusters[0].mode': 'full (default)',
    'clusters[0].tiers.web.scaling': 'automatic (default)',
    'clusters[0].tiers.web.nodes.max': '12 (site.yaml:16)',
    'clusters[0].tiers.web.drain.deadline': '90s (site.yaml:19)',
    'clusters[0].tiers.web.boot.deadline': 'auto (default)',
    'clusters[0].tiers.web.signals.queue.maxWait': '100ms (default)',
    'clusters[0].tiers.web.scaleOut.tolerance': '0 (default)',
    'clusters[0].tiers.web.scaleOut.policies': 'none (default)',
    'clusters[0].tiers.web.scaleIn.stabilizationWindow': 'auto (default)',
    'limits.breaker.open': '5m (default)',
    'http.listen': '127.0.0.1:9500 (default)',
  });
});

test('a key that has no value and no default is not listed', () => {
  const paths = [...originsOf(minimal).keys()];
  expect(paths.filter((path) => /frontend|masterSocket|failureDomain/.test(path))).toEqual([]);
});

test('a list that the file says replaces the default list whole', () => {
  const paths = originsOf(
    edit(
      minimal,
      'backend: news-web',
      'backend: news-web\n        scaleOut: { policies: [{ nodes: 1, per: 1m }] }',
    ),
  );
  expect([...paths].filter(([path]) => path.includes('scaleOut.'))).toEqual([
    ['clusters[0].tiers.web.scaleOut.tolerance', '0 (default)'],
    ['clusters[0].tiers.web.scaleOut.policies[0].nodes', '1 (site.yaml:19)'],
    ['clusters[0].tiers.web.scaleOut.policies[0].per', '1m (site.yaml:19)'],
  ]);
});

test('a value that an alias repeats has the line where it is written', () => {
  const aliased = edit(
    edit(minimal, 'small: {', 'small: &small {'),
    'images:',
    '  other: *small\nimages:',
  );
  expect(originsOf(aliased).get('sizes.other.memory')).toBe('512MiB (site.yaml:7)');
});
