import { expect, test } from 'vitest';
import { edit, minimal, problemsOf, withRootLines, withWebLine } from './minimal.ts';

const web = 'clusters[0].tiers.web';
const expectedPath = (length: number) =>
  `expected an absolute path of at most ${length} letters, digits and . _ @ + -`;
const expectedBind = 'expected an address and port such as *:80, :80 or 127.0.0.1:8080';
const expectedHealthPath =
  'expected a path that starts with / and has only characters of a URL, no quotes and no spaces';
const expectedName = 'expected a name of a-z, 0-9 and -, a letter first, at most 40 characters';
const expectedBackend = 'expected a backend name of A-Z, a-z, 0-9 and _ . : -';
const expectedRange = 'expected IPv4 addresses such as 10.0.1.20-10.0.1.51';

test.each([
  [
    'a duration without unit',
    withWebLine('drain: { deadline: 30 }'),
    `19:28 ${web}.drain.deadline: expected a duration such as 30s or 5m, got 30`,
  ],
  [
    'a duration of two units',
    withWebLine('drain: { deadline: 1h30m }'),
    `19:28 ${web}.drain.deadline: expected a duration such as 30s or 5m, got "1h30m"`,
  ],
  [
    'a deadline of nothing',
    withWebLine('drain: { deadline: 0s }'),
    `19:28 ${web}.drain.deadline: must be at least 1s, got 0s`,
  ],
  [
    'a deadline of weeks',
    withWebLine('drain: { deadline: 8d }'),
    `19:28 ${web}.drain.deadline: must be at most 7d, got 8d`,
  ],
  [
    'no time in the queue',
    withWebLine('frontend: { bind: "*:80", queueTimeout: 0s }'),
    `19:49 ${web}.frontend.queueTimeout: must be at least 1ms, got 0s`,
  ],
  [
    'a window of another word',
    withWebLine('scaleIn: { stabilizationWindow: none }'),
    `19:41 ${web}.scaleIn.stabilizationWindow: expected \`auto\` or a duration such as 30s or 5m, got "none"`,
  ],
  [
    'decimal memory',
    edit(minimal, '512MiB', '512MB'),
    '7:20 sizes.small.memory: expected an amount such as 512MiB or 8GiB, got "512MB"',
  ],
  [
    'memory without unit',
    edit(minimal, '512MiB', '512'),
    '7:20 sizes.small.memory: expected an amount such as 512MiB or 8GiB, got 512',
  ],
  [
    'no memory',
    edit(minimal, '512MiB', '0MiB'),
    '7:20 sizes.small.memory: must be at least 1MiB, got 0MiB',
  ],
  [
    'more memory than a host is told in',
    edit(minimal, '512MiB', '10000000MiB'),
    '7:20 sizes.small.memory: must be at most 9999999MiB, got 10000000MiB',
  ],
  [
    'more CPUs than a host is told in',
    edit(minimal, 'vcpus: 1,', 'vcpus: 1000,'),
    '7:35 sizes.small.vcpus: must be at most 999, got 1000',
  ],
  [
    'more disk than a host is told in',
    edit(minimal, 'vcpus: 1, disk: 4GiB', 'vcpus: 1, disk: 100000000MiB'),
    '7:44 sizes.small.disk: must be at most 99999999MiB, got 100000000MiB',
  ],
  [
    'half a CPU',
    edit(minimal, 'vcpus: 1,', 'vcpus: 0.5,'),
    '7:35 sizes.small.vcpus: expected a whole number, got 0.5',
  ],
  [
    'a number in words',
    edit(minimal, 'vcpus: 1,', 'vcpus: one,'),
    '7:35 sizes.small.vcpus: expected a number, got "one"',
  ],
  [
    'a share in percent',
    withWebLine('scaleOut: { tolerance: 10% }'),
    `19:32 ${web}.scaleOut.tolerance: expected a share such as 0.1, got "10%"`,
  ],
  [
    'a yes of YAML 1.1',
    withWebLine('storm: { enabled: yes }'),
    `19:27 ${web}.storm.enabled: expected \`true\` or \`false\`, got "yes"`,
  ],
  [
    'a version that YAML takes for a number',
    edit(minimal, '"1"', '1'),
    '9:26 images.drupal-web.version: expected text of at most 64 letters, digits and . _ - (in quotes when it looks like a number), got 1',
  ],
  [
    'a version that would add to a command line',
    edit(minimal, '"1"', '"1 init=/bin/sh"'),
    '9:26 images.drupal-web.version: expected text of at most 64 letters, digits and . _ - (in quotes when it looks like a number), got "1 init=/bin/sh"',
  ],
  [
    'a name in upper case',
    edit(minimal, 'example', 'Example'),
    `1:15 installation: ${expectedName}, got "Example"`,
  ],
  [
    'a name of 41 characters',
    edit(minimal, 'example', 'a'.repeat(41)),
    `1:15 installation: ${expectedName}, got "${'a'.repeat(41)}"`,
  ],
  [
    'a tier name with an underscore',
    edit(minimal, '      web:', '      web_1:'),
    `13:7 clusters[0].tiers.web_1: ${expectedName}, got "web_1"`,
  ],
  [
    'an unknown mode',
    edit(minimal, '    tiers:', '    mode: ful\n    tiers:'),
    '12:11 clusters[0].mode: expected `observe` or `scale-out-only` or `full`, got "ful"; did you mean `full`?',
  ],
  [
    'an unknown driver',
    edit(minimal, 'embedded', 'docker'),
    '3:30 hosts[0].driver: expected `embedded` or `xen`, got "docker"',
  ],
  [
    'an unknown scaling',
    withWebLine('scaling: nnoe'),
    `19:18 ${web}.scaling: expected \`automatic\` or \`none\`, got "nnoe"`,
  ],
  [
    'a list for a section',
    edit(minimal, '{ min: 2, max: 12 }', '[2, 12]'),
    `16:16 ${web}.nodes: expected a section with \`min\`, \`max\`, got a list`,
  ],
  [
    'a number for a section',
    edit(minimal, '{ min: 2, max: 12 }', '3'),
    `16:16 ${web}.nodes: expected a section with \`min\`, \`max\`, got 3`,
  ],
  [
    'a minimum of 0',
    edit(minimal, 'min: 2', 'min: 0'),
    `16:23 ${web}.nodes.min: must be at least 1, got 0`,
  ],
  [
    'a minimum above the maximum',
    edit(minimal, 'min: 2', 'min: 13'),
    `16:32 ${web}.nodes.max: must be at least \`min\` (13), got 12`,
  ],
  [
    'no hosts',
    minimal.replace(/ {2}- { name: local-a.*/, '  []'),
    '3:3 hosts: at least 1 entry is needed',
  ],
  [
    'no tiers',
    minimal.replace(/ {4}tiers:[^]*/, '    tiers: {}\n'),
    '12:12 clusters[0].tiers: at least one tier is needed',
  ],
  [
    'a target of 0',
    edit(minimal, 'targetPerNode: 80', 'targetPerNode: 0'),
    `19:50 ${web}.signals.requestRate.targetPerNode: must be above 0, got 0`,
  ],
  [
    'an infinite target',
    edit(minimal, 'targetPerNode: 80', 'targetPerNode: .inf'),
    `19:50 ${web}.signals.requestRate.targetPerNode: expected a number, got Infinity`,
  ],
  [
    'a tolerance of everything',
    withWebLine('scaleOut: { tolerance: 1 }'),
    `19:32 ${web}.scaleOut.tolerance: must be below 1, got 1`,
  ],
  [
    'a policy of both kinds',
    withWebLine('scaleOut: { policies: [{ percent: 5, nodes: 1, per: 15s }] }'),
    `19:32 ${web}.scaleOut.policies[0]: needs either \`percent\` or \`nodes\``,
  ],
  [
    'a policy of no kind',
    withWebLine('scaleIn: { policies: [{ per: 15s }] }'),
    `19:31 ${web}.scaleIn.policies[0]: needs either \`percent\` or \`nodes\``,
  ],
  [
    'a range that runs backwards',
    edit(minimal, '.51', '.2'),
    `17:20 ${web}.addresses: the range runs backwards: 127.0.1.2 comes before 127.0.1.20`,
  ],
  [
    'a range of 4097 addresses',
    edit(minimal, '127.0.1.20-127.0.1.51', '127.0.0.0-127.0.16.0'),
    `17:20 ${web}.addresses: the range has 4097 addresses; at most 4096 are possible`,
  ],
  [
    'a network for a range',
    edit(minimal, '127.0.1.20-127.0.1.51', '127.0.1.0/24'),
    `17:20 ${web}.addresses: ${expectedRange}, got "127.0.1.0/24"`,
  ],
  [
    'an octet of 256',
    edit(minimal, '.51', '.256'),
    `17:20 ${web}.addresses: ${expectedRange}, got "127.0.1.20-127.0.1.256"`,
  ],
  [
    'a backend with a space',
    edit(minimal, 'news-web', 'news web'),
    `18:18 ${web}.backend: ${expectedBackend}, got "news web"`,
  ],
  [
    'a backend that would begin a line',
    edit(minimal, 'news-web', '"news\\n  server x"'),
    `18:18 ${web}.backend: ${expectedBackend}, got "news\\n  server x"`,
  ],
  [
    'a bind with options',
    withWebLine('frontend: { bind: "*:80 ssl" }'),
    `19:27 ${web}.frontend.bind: ${expectedBind}, got "*:80 ssl"`,
  ],
  [
    'a bind to port 65536',
    withWebLine('frontend: { bind: "*:65536" }'),
    `19:27 ${web}.frontend.bind: ${expectedBind}, got "*:65536"`,
  ],
  [
    'a bind without quotes',
    withWebLine('frontend: { bind: *:80 }'),
    '19:27 not valid YAML: no anchor `&:80` before this alias; text that begins with * needs quotes',
  ],
  [
    'a relative health path',
    withWebLine('health: { path: health }'),
    `19:25 ${web}.health.path: ${expectedHealthPath}, got "health"`,
  ],
  [
    'a health path with a comment',
    withWebLine('health: { path: "/a#b" }'),
    `19:25 ${web}.health.path: ${expectedHealthPath}, got "/a#b"`,
  ],
  [
    'a health path with a second command',
    withWebLine('health: { path: "/a;b" }'),
    `19:25 ${web}.health.path: ${expectedHealthPath}, got "/a;b"`,
  ],
  [
    'a health port of 65536',
    withWebLine('health: { port: 65536 }'),
    `19:25 ${web}.health.port: must be at most 65535, got 65536`,
  ],
  [
    'a relative socket',
    edit(minimal, '/run/haproxy.sock', 'haproxy.sock'),
    `5:44 balancers[0].socket: ${expectedPath(107)}, got "haproxy.sock"`,
  ],
  [
    'a socket with a space',
    edit(minimal, '/run/haproxy.sock', '/run/ha proxy'),
    `5:44 balancers[0].socket: ${expectedPath(107)}, got "/run/ha proxy"`,
  ],
  [
    'a state file that is a folder',
    edit(minimal, '/haproxy/state', '/haproxy/'),
    `5:74 balancers[0].stateFile: ${expectedPath(255)}, got "/var/lib/haproxy/"`,
  ],
  [
    'an HTTP address for everybody',
    withRootLines('http: { listen: 0.0.0.0:9500 }'),
    '6:17 http.listen: must be a loopback address (127.0.0.0/8), got 0.0.0.0: whoever reaches it is trusted',
  ],
  [
    'an HTTP port of 65536',
    withRootLines('http: { listen: 127.0.0.1:65536 }'),
    '6:17 http.listen: expected an address and port such as 127.0.0.1:9500, got "127.0.0.1:65536"',
  ],
  [
    'an HTTP address without port',
    withRootLines('http: { listen: localhost }'),
    '6:17 http.listen: expected an address and port such as 127.0.0.1:9500, got "localhost"',
  ],
])('%s', (_situation, text, problem) => {
  expect(problemsOf(text)).toEqual([problem]);
});

test.each([
  ['a name of 40 characters', edit(minimal, 'example', 'a'.repeat(40))],
  ['a socket path of 107 characters', edit(minimal, '/run/haproxy.sock', `/${'a'.repeat(106)}`)],
  ['a bind to one address', withWebLine('frontend: { bind: "127.0.0.1:65535" }')],
  ['a bind without address', withWebLine('frontend: { bind: ":1" }')],
  [
    'a health path with a query',
    withWebLine('health: { path: "/health?deep=1&x=%20", port: 65535 }'),
  ],
  ['a tolerance', withWebLine('scaleOut: { tolerance: 0.2 }')],
  ['no policies', withWebLine('scaleIn: { policies: [] }')],
  ['no stabilization', withWebLine('scaleIn: { stabilizationWindow: 0s }')],
  ['automatic scaling by name', withWebLine('scaling: automatic')],
  ['any port for HTTP', withRootLines('http: { listen: 127.1.2.3:0 }')],
])('%s is possible', (_situation, text) => {
  expect(problemsOf(text)).toEqual([]);
});
