import { expect, test } from 'vitest';
import { renderHaproxyConfig } from '../../../src/balancer/haproxy/config-section.ts';
import { checkSettings, listChecked } from '../../../src/balancer/haproxy/settings.ts';
import { edit } from '../../config/minimal.ts';
import { makeTier } from '../site.ts';

const tier = makeTier({ nodes: 3, minNodes: 1, nodePort: 80, frontPort: 8_080 });
const hardStopAfterMs = 60_000;

/** What `haproxy-config` prints for a Data Plane API. */
const printed = renderHaproxyConfig({
  tiers: [tier],
  socketPath: '/run/haproxy/admin.sock',
  stateFilePath: undefined,
  hardStopAfterMs,
  maxConnections: 500,
});

function troublesOf(text: string): readonly string[] {
  return checkSettings(text, { tiers: [tier], hardStopAfterMs })
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ name, verdict, text: said }) => `${verdict} ${name}: ${said}`);
}

test('what `haproxy-config` prints has nothing to fix, and every setting is looked at', () => {
  const findings = checkSettings(printed, { tiers: [tier], hardStopAfterMs });
  expect(findings.map(({ name, verdict }) => `${verdict} ${name}`)).toEqual([
    'ok hard-stop-after',
    'ok news-web option redispatch',
    'ok news-web timeout queue',
    'ok news-web option idle-close-on-response',
  ]);
  expect([...listChecked(printed, 'news-web')]).toEqual(['news-web-1', 'news-web-2', 'news-web-3']);
});

test('so has what the daemon makes of it: indented otherwise, comments and units gone', () => {
  const rewritten = printed
    .replaceAll(/^ *#.*\n/gm, '')
    .replaceAll(/^ {4}/gm, '  ')
    .replaceAll(/(hard-stop-after|timeout queue) (\d+)ms/g, '$1 $2');
  expect(troublesOf(rewritten)).toEqual([]);
});

test.each([
  [
    'no redispatch',
    edit(printed, '    option redispatch 1\n', ''),
    ['bad news-web option redispatch: is not set: requests stay with a node that died, and fail'],
  ],
  [
    'redispatch taken back in the backend',
    edit(printed, '    balance leastconn\n', '    no option redispatch\n'),
    ['bad news-web option redispatch: is not set: requests stay with a node that died, and fail'],
  ],
  [
    'redispatch in a comment only',
    edit(printed, '    option redispatch 1\n', '    # option redispatch 1\n'),
    ['bad news-web option redispatch: is not set: requests stay with a node that died, and fail'],
  ],
  [
    'idle connections that a reload resets',
    edit(printed, '    option idle-close-on-response\n', ''),
    [
      'warn news-web option idle-close-on-response: is not set in news-web-front: a reload resets clients that just send their next request',
    ],
  ],
  [
    'no frontend',
    edit(printed, 'default_backend news-web', 'default_backend other'),
    ['warn news-web option idle-close-on-response: no frontend sends to this backend'],
  ],
  [
    'a queue that is given up early',
    edit(printed, 'timeout queue 30000ms', 'timeout queue 5s'),
    ['warn news-web timeout queue: 5000 ms, meant are 30000 ms'],
  ],
  [
    'a queue as long as a connection takes',
    edit(printed, '    timeout queue 30000ms\n', ''),
    [
      'bad news-web timeout queue: is not set: requests wait as long as `timeout connect` says, then fail',
    ],
  ],
  [
    'old workers for ever',
    edit(printed, '    hard-stop-after 60000ms\n', ''),
    [
      'bad hard-stop-after: is not set: workers from before a reload live on with their connections, and count as gone',
    ],
  ],
  [
    'old workers that live longer than is said',
    edit(printed, 'hard-stop-after 60000ms', 'hard-stop-after 5m'),
    ['bad hard-stop-after: 300000 ms, `hardStopAfter` is only 60000 ms'],
  ],
  [
    'a state file beside the daemon',
    edit(printed, '    mode http\n', '    mode http\n    load-server-state-from-file global\n'),
    [
      'bad news-web load-server-state-from-file: is set: after a reload, states of an old file would go before those of the Data Plane API',
    ],
  ],
])('%s is said', (_situation, text, troubles) => {
  expect(troublesOf(text)).toEqual(troubles);
});

test('unnamed defaults are those above, and a named one only for who names it', () => {
  const text = `defaults
  option redispatch
  timeout queue 30s
defaults other
  no option redispatch
frontend f
  default_backend news-web
  option idle-close-on-response
backend elsewhere from other
backend news-web
  server news-web-1 127.0.0.2:80 check
  server news-web-2 127.0.0.3:80
`;
  // HAProxy takes the last `defaults` above for who names none, whether it has a name or not.
  expect(troublesOf(text).map((line) => line.split(':')[0])).toEqual([
    'bad hard-stop-after',
    'bad news-web option redispatch',
    'bad news-web timeout queue',
  ]);
  const named = edit(text, '\nbackend news-web\n', '\nbackend news-web from unnamed_defaults_1\n');
  const own = edit(named, 'defaults\n', 'defaults unnamed_defaults_1\n');
  expect(troublesOf(own).map((line) => line.split(':')[0])).toEqual(['bad hard-stop-after']);
  expect([...listChecked(text, 'news-web')]).toEqual(['news-web-1']);
});
