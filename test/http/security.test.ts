/** Who may read and who may change something, and what nobody may send. */

import { chmod, rm, symlink, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { isSameToken } from '../../src/http/token-file.ts';
import { ApiLab, TOKEN } from './api-lab.ts';

const PAUSE = {
  kind: 'pause',
  tier: 'news/web',
  direction: 'in',
  for: '2h',
  reason: 'deploy of the shop',
};
const JSON_TYPE = { 'content-type': 'application/json' };
const WRITE = { ...JSON_TYPE, authorization: `Bearer ${TOKEN}` };

function giveWith(lab: ApiLab, headers: Readonly<Record<string, string>>) {
  return lab.ask({
    method: 'POST',
    path: '/api/v1/overrides',
    headers,
    body: JSON.stringify(PAUSE),
  });
}

/** As the client sends them, and nothing that a library would mend. */
async function sendRaw(lab: ApiLab, text: string): Promise<string> {
  const socket = connect(lab.port, '127.0.0.1');
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) {
    answer += String(chunk);
  }
  return answer;
}

test.each([
  { who: 'nobody', headers: JSON_TYPE },
  { who: 'an empty token', headers: { ...JSON_TYPE, authorization: 'Bearer ' } },
  {
    who: 'another token',
    headers: { ...JSON_TYPE, authorization: 'Bearer a-token-for-these-tesss' },
  },
  {
    who: 'a part of the token',
    headers: { ...JSON_TYPE, authorization: 'Bearer a-token-for-these' },
  },
  {
    who: 'the token in another scheme',
    headers: { ...JSON_TYPE, authorization: `Basic ${TOKEN}` },
  },
])('$who may read and changes nothing', async ({ headers }) => {
  await using lab = await ApiLab.startSettled();
  expect((await lab.get('/api/v1/status', headers)).status).toBe(200);
  const answer = await giveWith(lab, headers);
  expect(answer).toMatchObject({ status: 401, json: { error: { code: 'unauthorized' } } });
  expect(answer.headers['www-authenticate']).toBe('Bearer');
  expect(answer.text).not.toContain(TOKEN);
  expect(lab.overrides.all()).toEqual([]);
  expect((await lab.ask({ method: 'DELETE', path: '/api/v1/overrides/o1', headers })).status).toBe(
    401,
  );
  const reload = { method: 'POST', path: '/api/v1/config/reload', headers, body: '{}' };
  expect((await lab.ask(reload)).status).toBe(401);
});

test('a token that is changed in its file is asked for from then on', async () => {
  await using lab = await ApiLab.startSettled();
  await writeFile(lab.tokenFile, 'another-token-of-today\n');
  expect((await giveWith(lab, WRITE)).status).toBe(401);
  const authorization = 'Bearer another-token-of-today';
  expect((await giveWith(lab, { ...JSON_TYPE, authorization })).status).toBe(201);
});

test.each([
  {
    situation: 'world-readable',
    mode: 0o644,
    says: 'open to every user of this machine (mode 0644)',
  },
  { situation: 'writable for others', mode: 0o602, says: 'mode 0602' },
  { situation: 'empty', text: '', says: 'is empty' },
  { situation: 'short', text: 'x'.repeat(15), says: 'at least 16 characters' },
  { situation: 'of two lines', text: `${TOKEN}\n${TOKEN}\n`, says: 'must be one line' },
  { situation: 'of two words', text: 'a token of many words', says: 'without spaces' },
  { situation: 'huge', text: 'x'.repeat(70_000), says: 'more than 65536 bytes' },
])('a token file that is $situation lets nobody in, and is named', async ({ mode, text, says }) => {
  await using lab = await ApiLab.startSettled();
  if (text !== undefined) {
    await writeFile(lab.tokenFile, text);
  }
  if (mode !== undefined) {
    await chmod(lab.tokenFile, mode);
  }
  const answer = await giveWith(lab, WRITE);
  expect(answer).toMatchObject({ status: 503, json: { error: { code: 'token-file-unusable' } } });
  expect(answer.text).toContain(lab.tokenFile);
  expect(answer.text).toContain(says);
  expect(answer.text).not.toContain(TOKEN);
  expect(lab.overrides.all()).toEqual([]);
});

test('a token file that is none, or a directory, lets nobody in; one behind a link is as good as any', async () => {
  await using lab = await ApiLab.startSettled();
  await rm(lab.tokenFile);
  expect((await giveWith(lab, WRITE)).text).toContain('ENOENT');
  await symlink(lab.folder, lab.tokenFile);
  expect((await giveWith(lab, WRITE)).text).toContain('not a regular file');
  await rm(lab.tokenFile);
  await writeFile(`${lab.folder}/secret`, TOKEN, { mode: 0o640 });
  await symlink(`${lab.folder}/secret`, lab.tokenFile);
  expect((await giveWith(lab, WRITE)).status).toBe(201);
});

test('tokens are the same only when all of them is', () => {
  expect(isSameToken(TOKEN, TOKEN)).toBe(true);
  expect(isSameToken(TOKEN, TOKEN.slice(0, -1))).toBe(false);
  expect(isSameToken(TOKEN, `${TOKEN}x`)).toBe(false);
  expect(isSameToken('', TOKEN)).toBe(false);
});

test('without a token file in the config nobody changes anything, and it is said what to configure', async () => {
  const editConfig = (text: string) => text.replace(/, tokenFile: .* }/, ' }');
  await using lab = await ApiLab.startSettled({ editConfig });
  const answer = await giveWith(lab, WRITE);
  expect(answer).toMatchObject({ status: 403, json: { error: { code: 'writes-off' } } });
  expect(answer.text).toContain('http.tokenFile');
});

test('who does not lead changes nothing and says who does', async () => {
  await using lab = await ApiLab.startSettled();
  lab.world.lease.held = undefined;
  const answer = await giveWith(lab, WRITE);
  expect(answer).toMatchObject({ status: 503, json: { error: { code: 'not-leader' } } });
  expect(answer.text).toContain('another Rackfire leads: pid 4711 on other-host, since 2023-');
  expect(lab.overrides.all()).toEqual([]);
  expect((await lab.get('/api/v1/status')).json).toMatchObject({ leader: { isLeader: false } });
  lab.holder = { ...lab.holder, isThis: true };
  expect((await giveWith(lab, WRITE)).text).toContain('does not lead yet; try again in a second');
});

test.each([
  { host: '127.0.0.1', status: 200 },
  { host: '127.0.0.1:9500', status: 200 },
  { host: '127.8.7.6:9500', status: 200 },
  { host: 'localhost:9500', status: 200 },
  { host: 'LocalHost', status: 200 },
  { host: '[::1]:9500', status: 200 },
  { host: 'rackfire.example', status: 403 },
  { host: 'rackfire.example:9500', status: 403 },
  { host: '127.0.0.1.rackfire.example', status: 403 },
  { host: 'localhost.rackfire.example', status: 403 },
  { host: '10.0.0.1', status: 403 },
  { host: '[::2]', status: 403 },
  { host: 'x.127.0.0.1.example', status: 403 },
  { host: 'localhost:9500@rackfire.example', status: 400 },
])(
  'asked as $host, the API answers $status, as nobody else may point a name here',
  async ({ host, status }) => {
    await using lab = await ApiLab.startSettled();
    expect((await lab.get('/api/v1/status', { host })).status).toBe(status);
    expect((await giveWith(lab, { ...WRITE, host })).status).toBe(status === 200 ? 201 : status);
    // Monitoring asks by whatever name it likes.
    expect((await lab.get('/healthz', { host })).status).toBe(status === 400 ? 400 : 200);
  },
);

test.each(['/api/v1/status', '/api/v1/nothing'])(
  'HTTP/1.0 names no host: %s is refused, and monitoring works',
  async (path) => {
    await using lab = await ApiLab.startSettled();
    expect(await sendRaw(lab, `GET ${path} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await sendRaw(lab, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  },
);

test.each([
  { site: 'cross-site', status: 403 },
  { site: 'same-site', status: 403 },
  { site: 'none', status: 200 },
  { site: 'same-origin', status: 200 },
])('a browser that says $site is answered $status', async ({ site, status }) => {
  await using lab = await ApiLab.startSettled();
  expect((await lab.get('/api/v1/status', { 'sec-fetch-site': site })).status).toBe(status);
});

test('no answer lets a page of another origin read it, and nobody is asked beforehand', async () => {
  await using lab = await ApiLab.startSettled();
  const origin = { origin: 'http://evil.example' };
  const asked = await lab.get('/api/v1/status', origin);
  expect(Object.keys(asked.headers).filter((name) => name.startsWith('access-control'))).toEqual(
    [],
  );
  const preflight = await lab.ask({
    method: 'OPTIONS',
    path: '/api/v1/overrides',
    headers: { ...origin, 'access-control-request-method': 'POST' },
  });
  expect(preflight).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, POST' } });
  expect(
    Object.keys(preflight.headers).filter((name) => name.startsWith('access-control')),
  ).toEqual([]);
});

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  '',
])(
  'a body of type %o, as the form of a page sends it, is refused with the token, too',
  async (type) => {
    await using lab = await ApiLab.startSettled();
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      ...(type === '' ? {} : { 'content-type': type }),
    };
    expect(await giveWith(lab, headers)).toMatchObject({
      status: 415,
      json: { error: { code: 'not-json' } },
    });
    expect(lab.overrides.all()).toEqual([]);
  },
);

test('a body of 64 KiB is read, one byte more is not, and a mebibyte does not matter', async () => {
  await using lab = await ApiLab.startSettled();
  const text = JSON.stringify(PAUSE);
  for (const [size, status] of [
    [65_536, 201],
    [65_537, 413],
    [1_048_576, 413],
  ] as const) {
    const body = text + ' '.repeat(size - text.length);
    const asked = { method: 'POST', path: '/api/v1/overrides', headers: WRITE, body };
    expect((await lab.ask(asked)).status).toBe(status);
  }
  expect(lab.overrides.all()).toHaveLength(1);
});

test('a body whose end nobody announced is refused', async () => {
  await using lab = await ApiLab.startSettled();
  const answer = await giveWith(lab, { ...WRITE, 'transfer-encoding': 'chunked' });
  expect(answer).toMatchObject({ status: 411, json: { error: { code: 'length-required' } } });
});

test.each(['{', '', 'null', '[]', '7', '{"kind":"pause"', '{"__proto__":{"kind":"pause"}}'])(
  'the body %o is refused as it should be, and ends nothing',
  async (body) => {
    await using lab = await ApiLab.startSettled();
    const asked = { method: 'POST', path: '/api/v1/overrides', headers: WRITE, body };
    expect(await lab.ask(asked)).toMatchObject({
      status: 400,
      json: { error: { code: 'invalid-request' } },
    });
    expect(lab.overrides.all()).toEqual([]);
  },
);

test.each([
  '/api',
  '/api/',
  '/api/v1',
  '/api/v1/',
  '/api/v1/status/',
  '/api/v1//status',
  '/api/v2/status',
  '/api/v1/tiers/news/explanation',
  '/api/v1/tiers/news/web/explanation/x',
  '/api/v1/%2e%2e/%2e%2e/etc/passwd',
  '/api/v1/..%2f..%2fetc/passwd',
  '/api/v1/%00',
  '/api/v1/%',
])('there is no %s, and that is said in JSON or in a word', async (path) => {
  await using lab = await ApiLab.startSettled();
  const answer = await lab.get(path);
  expect(answer.status).toBe(404);
  const isOfApi = answer.headers['content-type'] === 'application/json';
  expect(isOfApi ? answer.json : { error: { code: 'unknown-route' } }).toMatchObject({
    error: { code: 'unknown-route' },
  });
});

test.each([
  'GET /api/v1/../../healthz HTTP/1.1',
  'GET //api/v1/status HTTP/1.1',
  'GET http://evil.example/api/v1/overrides HTTP/1.1',
  'GET \\api\\v1 HTTP/1.1',
  'GET /api/v1/status?a=%ff&%zz HTTP/1.1',
  'TRACE /api/v1/status HTTP/1.1',
  'CONNECT localhost:80 HTTP/1.1',
  'PROPFIND /api/v1/overrides HTTP/1.1',
])('%s ends nothing', async (line) => {
  await using lab = await ApiLab.startSettled();
  await sendRaw(lab, `${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  expect((await lab.get('/api/v1/status')).status).toBe(200);
});

test.each([
  { what: 'a second line', reason: 'deploy\n{"level":60,"msg":"all is well"}' },
  { what: 'a header', reason: 'deploy\r\nset-cookie: a=b' },
  { what: 'a command for the terminal', reason: '\u001b[2Jgone' },
  { what: 'a line separator', reason: 'deploy\u2028second line' },
  { what: 'a turn of direction', reason: 'right\u202eto left' },
  { what: 'a zero', reason: 'nul\u0000' },
  { what: 'half a character', reason: 'half \ud800' },
  { what: 'nothing to see', reason: '   ' },
  { what: '201 characters', reason: 'x'.repeat(201) },
])('a reason with $what is refused: it stands in logs and on terminals', async ({ reason }) => {
  await using lab = await ApiLab.startSettled();
  const answer = await lab.write('POST', '/api/v1/overrides', { ...PAUSE, reason });
  expect(answer).toMatchObject({ status: 400, json: { error: { code: 'invalid-request' } } });
  expect(answer.text).toContain('reason: ');
  expect(lab.feed.latest().filter(({ msg }) => msg === 'override given')).toEqual([]);
});

test.each(['x'.repeat(200), 'Wartung – größer als gedacht 🔧', 'say "no"; rm -rf / $(x)'])(
  'the reason %s is kept as it is',
  async (reason) => {
    await using lab = await ApiLab.startSettled();
    const answer = await lab.write('POST', '/api/v1/overrides', { ...PAUSE, reason });
    expect(answer).toMatchObject({ status: 201, json: { override: { reason } } });
  },
);

test('HEAD is answered as GET without a body, and never changes or follows', async () => {
  await using lab = await ApiLab.startSettled();
  for (const path of ['/api/v1/status', '/api/v1/events/stream', '/api/v1/nothing']) {
    const answer = await lab.ask({ method: 'HEAD', path });
    expect(answer.text).toBe('');
    expect(answer.status).toBe(path.endsWith('nothing') ? 404 : 200);
  }
  expect((await lab.ask({ method: 'HEAD', path: '/api/v1/config/reload' })).status).toBe(405);
});

test('the token stands in no event and in no answer', async () => {
  await using lab = await ApiLab.startSettled();
  await giveWith(lab, WRITE);
  await giveWith(lab, { ...WRITE, authorization: `Bearer ${TOKEN}x` });
  const paths = ['/api/v1/status', '/api/v1/events', '/api/v1/overrides', '/api/v1/openapi.json'];
  for (const path of [...paths, '/metrics']) {
    expect((await lab.get(path)).text).not.toContain(TOKEN);
  }
});

test('a client that is gone before its answer ends nothing', async () => {
  await using lab = await ApiLab.startSettled();
  const socket = connect(lab.port, '127.0.0.1');
  socket.write('POST /api/v1/overrides HTTP/1.1\r\nHost: localhost\r\ncontent-length: 9\r\n');
  socket.write(`content-type: application/json\r\nauthorization: Bearer ${TOKEN}\r\n\r\n{"ki`);
  socket.destroy();
  await once(socket, 'close');
  expect((await lab.get('/api/v1/status')).status).toBe(200);
});
