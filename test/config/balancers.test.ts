import { expect, test } from 'vitest';
import { listEffective } from '../../src/config/effective.ts';
import { parseConfig } from '../../src/config/load-config.ts';
import { edit, minimal, problemsOf } from './minimal.ts';

const runtime = 'driver: runtime, socket: /run/haproxy.sock, stateFile: /var/lib/haproxy/state';

/** The only balancer is driven by its Data Plane API. */
function dataplane(keys: string): string {
  return edit(minimal, runtime, `driver: dataplane, ${keys}`);
}

const usual = 'url: "https://10.0.0.5:5555", credentialsFile: /etc/rackfire/dataplane';

test('a Data Plane API is told by its URL and a file with the password', () => {
  const { config } = parseConfig(dataplane(usual), 'site.yaml');
  expect(config.balancers).toEqual([
    {
      name: 'lb-a',
      driver: 'dataplane',
      url: 'https://10.0.0.5:5555',
      credentialsFile: '/etc/rackfire/dataplane',
      tls: {},
      hardStopAfterMs: 60_000,
    },
  ]);
});

test('what TLS trusts and shows is taken over, and every value has its origin', () => {
  const tls = 'tls: { caFile: /ca.pem, certFile: /c.pem, keyFile: /k.pem }, hardStopAfter: 5s';
  const loaded = parseConfig(dataplane(`${usual}, ${tls}`), 'site.yaml');
  expect(loaded.config.balancers[0]).toMatchObject({
    tls: { caFile: '/ca.pem', certFile: '/c.pem', keyFile: '/k.pem' },
    hardStopAfterMs: 5_000,
  });
  const effective = listEffective(loaded).map(({ path, value, origin }) => [path, value, origin]);
  expect(effective).toContainEqual(['balancers[0].tls.caFile', '/ca.pem', 'site.yaml:5']);
  expect(effective).toContainEqual(['balancers[0].url', 'https://10.0.0.5:5555', 'site.yaml:5']);
});

test.each([
  ['http://127.0.0.1:5555', 'http://127.0.0.1:5555'],
  ['http://localhost:5555/', 'http://localhost:5555'],
  ['http://[::1]:5555', 'http://[::1]:5555'],
  ['https://lb-a.example.org', 'https://lb-a.example.org'],
])('%s is understood', (url, origin) => {
  const text = dataplane(`url: "${url}", credentialsFile: /c`);
  expect(parseConfig(text, 'site.yaml').config.balancers[0]).toMatchObject({ url: origin });
});

const noun = 'expected a URL such as https://10.0.0.5:5555, without a path, got';

test.each([
  ['ftp://10.0.0.5', `${noun} "ftp://10.0.0.5"`],
  ['10.0.0.5:5555', `${noun} "10.0.0.5:5555"`],
  ['https://10.0.0.5:5555/v2', `${noun} "https://10.0.0.5:5555/v2"`],
  ['https://10.0.0.5:99999', `${noun} "https://10.0.0.5:99999"`],
  [
    'http://10.0.0.5:5555',
    'must be https:// where the host is not this machine (the password goes with each request), got "http://10.0.0.5:5555"',
  ],
  [
    'https://admin:topsecret@10.0.0.5:5555',
    'must not have a user name or a password: they belong in `credentialsFile`',
  ],
])('the URL %s is refused', (url, message) => {
  expect(problemsOf(dataplane(`url: "${url}", credentialsFile: /c`))).toEqual([
    `5:43 balancers[0].url: ${message}`,
  ]);
});

const foreign = (driver: string): string => `has no meaning with \`driver: ${driver}\`; remove it`;

test.each([
  [
    'no driver',
    edit(minimal, 'driver: runtime, ', ''),
    ['5:5 balancers[0].driver: `driver` is missing: `runtime` or `dataplane`'],
  ],
  [
    'a driver with a typo',
    edit(minimal, 'runtime', 'dataplan'),
    [
      '5:27 balancers[0].driver: expected `runtime` or `dataplane`, got "dataplan"; did you mean `dataplane`?',
    ],
  ],
  [
    'no credentials',
    dataplane('url: "https://10.0.0.5:5555"'),
    ['5:5 balancers[0].credentialsFile: `credentialsFile` is missing'],
  ],
  [
    'a password beside the URL',
    dataplane(`${usual}, password: x`),
    ['5:110 balancers[0].password: unknown key `password`'],
  ],
  [
    'a key with a typo',
    dataplane('url: "https://10.0.0.5:5555", credentialFile: /c'),
    [
      '5:5 balancers[0].credentialsFile: `credentialsFile` is missing',
      '5:68 balancers[0].credentialFile: unknown key `credentialFile`; did you mean `credentialsFile`?',
    ],
  ],
  [
    'a state file, which the daemon does without',
    dataplane(`${usual}, stateFile: /s`),
    [`5:110 balancers[0].stateFile: ${foreign('dataplane')}`],
  ],
  [
    'a URL with the runtime socket',
    edit(minimal, 'stateFile: ', 'url: "https://10.0.0.5", stateFile: '),
    [`5:63 balancers[0].url: ${foreign('runtime')}`],
  ],
  [
    'a certificate without its key',
    dataplane(`${usual}, tls: { certFile: /c.pem }`),
    ['5:115 balancers[0].tls: needs both `certFile` and `keyFile`, or none of them'],
  ],
  [
    'TLS without TLS',
    dataplane('url: "http://127.0.0.1:5555", credentialsFile: /c, tls: { caFile: /ca.pem }'),
    ['5:89 balancers[0].tls: `tls` has no meaning with a URL of http; remove one of the two'],
  ],
  [
    'one daemon twice',
    edit(
      dataplane(usual),
      'sizes:\n',
      '  - { name: lb-b, driver: dataplane, url: "https://10.0.0.5:5555/", credentialsFile: /c }\nsizes:\n',
    ),
    ['6:43 balancers[1].url: URL `https://10.0.0.5:5555` is already used by balancers[0].url'],
  ],
])('%s is said with line and path', (_situation, text, problems) => {
  expect(problemsOf(text)).toEqual(problems);
});
